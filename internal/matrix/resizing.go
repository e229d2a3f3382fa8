package matrix

import (
	"errors"
	"time"

	"github.com/sluiceio/sluice/api"
)

// resizeEvery is after how many calls the queues change, and resizeSeldom from call resizeMany on: a resize is four mappings, which on a busy machine
// take long, and cases that make tens of thousands of calls do the same again and again.
const (
	resizeEvery  = 5
	resizeMany   = 500
	resizeSeldom = 37
)

// resizing is an engine whose queues change all the time.
type resizing struct {
	api.Engine
	n int
}

func resizeAlways(e api.Engine) api.Engine { return &resizing{Engine: e} }

// resize takes all sizes of the submission queue up to 64 in turn, with one that is larger now and then, and a completion queue of one, two or four times that.
func (r *resizing) resize() error {
	if !r.Features().Has(api.FeatQueueResize) {
		return nil // a case that is about another strategy
	}
	r.n++
	every := resizeEvery
	if r.n > resizeMany {
		every = resizeSeldom
	}
	if r.n%every != 1 {
		return nil
	}
	entries := 1 << (r.n % 7)
	if r.n%11 == 0 {
		entries = 2048
	}
	err := r.Engine.ResizeQueues(entries, entries<<(r.n%3))
	if errors.Is(err, api.ErrClosed) || errors.Is(err, api.ErrNotOwner) || errors.Is(err, api.ErrReentrant) {
		return nil // the call itself says so, too, if it minds
	}
	return err
}

func (r *resizing) Submit(ops []api.Op) (int, error) {
	if err := r.resize(); err != nil {
		return 0, err
	}
	inner := append([]api.Op(nil), ops...)
	for i := range inner {
		if a := inner[i].Args; a != nil {
			if to, ok := a.To.(*resizing); ok {
				b := *a
				b.To = to.Engine
				inner[i].Args = &b
			}
		}
	}
	n, err := r.Engine.Submit(inner)
	for i := range inner {
		ops[i].ID = inner[i].ID
	}
	return n, err
}

func (r *resizing) Complete(dst []api.Completion, w api.Wait) (int, error) {
	if err := r.resize(); err != nil {
		return 0, err
	}
	return r.Engine.Complete(dst, w)
}

func (r *resizing) CancelSync(c api.Op, limit time.Duration) (int, error) {
	if err := r.resize(); err != nil {
		return 0, err
	}
	return r.Engine.CancelSync(c, limit)
}

func (r *resizing) CloneBuffers(from api.Engine) error {
	if f, ok := from.(*resizing); ok {
		from = f.Engine
	}
	return r.Engine.CloneBuffers(from)
}
