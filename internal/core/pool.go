package core

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// UsePool is for the driver, in Attach: it gives the operations in ops to workers, of which there are
// Options.Workers, and depth is how many wait for one or are with one. Those that turn out to need a worker only when they are tried are
// not in ops, and never refused.
func (e *Engine) UsePool(ops api.OpSet, depth func() int) {
	e.plain &^= ops
	e.depth = depth
}

// admit says whether Submit takes an operation that is not plain. One that needs a worker is taken while no more than
// Options.WorkQueue would have to wait: those that have not even come to the driver are counted as if they
// had, for there may be a worker for them or not by then.
func (e *Engine) admit(c api.OpCode) error {
	if !optab.Done().Has(c) {
		why := "no backend of this version performs it"
		if optab.Of(c).Done {
			why = "this platform does not have it"
		}
		return &api.UnsupportedError{Op: c, Reason: why}
	}
	if r := e.opt.Restrict; r != 0 && !r.Has(c) {
		return &api.UnsupportedError{Op: c, Reason: "Options.Restrict leaves it out"}
	}
	bound := e.opt.Workers + e.opt.WorkQueue
	if e.unstarted+e.depth() >= bound {
		return api.ErrQueueFull
	}
	return nil
}

// handed is called when an operation that was counted has come to the driver, or ended before.
func (e *Engine) handed(s *Slot) {
	s.counts = false
	e.unstarted--
}
