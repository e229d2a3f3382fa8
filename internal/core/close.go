package core

import (
	"errors"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// settleEvery bounds one wait of settle, so that a lost event delays Close and does not hang it.
const settleEvery = 100 * time.Millisecond

// settle makes one turn on behalf of a Close, and keeps its completions for the next Complete.
func (e *Engine) settle() error { return e.settleUntil(0) }

// settleUntil is settle that waits no longer than until end, unless that is 0.
func (e *Engine) settleUntil(end api.Instant) error {
	e.settling = true
	d := settleEvery
	if end != 0 {
		d = min(d, max(end.Sub(api.Now()), 0))
	}
	if limit := e.drv.Limit(); limit >= 0 {
		d = min(d, limit)
	}
	if e.run.Len() > 0 {
		d = 0
	}
	if at, ok := e.timers.Next(); ok { // what runs out of time meanwhile is no less late for it
		d = min(d, max(api.Instant(at).Sub(api.Now()), 0))
	}
	if e.clocked() {
		d = e.leftOfClocks(d)
	}
	// A Wake is for the next Complete, and must not keep this from sleeping.
	woken := e.wake.takeUser()
	err := e.turn(1, d, api.ModeBlock)
	if woken {
		e.wake.state.Or(wakeUser)
	}
	e.settling = false
	return err
}

// Close implements api.Engine.
func (e *Engine) Close() error {
	if e.closed.Load() && !e.holds {
		return api.ErrClosed
	}
	if !e.owner.Mine() {
		return api.ErrNotOwner
	}
	if e.calling {
		return api.ErrReentrant
	}
	e.ending = true
	err := e.cancelAll()
	switch {
	case errors.Is(err, api.ErrNotOwner):
		e.ending = e.holds
		return err
	case errors.Is(err, api.ErrHeld):
		e.holds = true
		e.closed.Store(true)
		e.inbox.close() // nobody will ever take what is posted
		e.files.refuse()
		e.retain()
		e.publish()
		return err
	case e.told > 0: // the engine has failed, and nobody will ever know when that memory is free
		e.retain()
	case e.holds:
		e.unretain()
	}
	e.holds = false
	for e.kept.Len() > 0 {
		c, pipe := e.unkeep()
		e.drop(&c, pipe)
	}
	for _, g := range e.groups {
		if g != nil {
			g.shut()
		}
	}
	e.publish()
	e.closed.Store(true)
	e.inbox.close()
	e.park.close()
	err = errors.Join(err, e.drv.Close())
	for _, f := range e.fds.fds { // none, unless the engine has failed
		if f != nil && f.dropped {
			e.undrop(f)
		}
	}
	e.files.close()
	e.bufs.drop()
	e.wake.fd.Close()
	return err
}

// cancelAll ends everything in flight and waits until the kernel has let go of it. For the memory of zero-copy sends, which it keeps
// until the peer has the data, there is a limit to that.
func (e *Engine) cancelAll() error {
	end := api.After(api.CloseLimit)
	e.slots.each(func(s *Slot) {
		if s.state != stateFree && !s.shadow {
			e.stop(s, nil, reasonCancel)
		}
	})
	for e.slots.used > 0 && e.failed == nil {
		until := api.Instant(0)
		if e.slots.used == e.told {
			if until = end; api.Now() >= end {
				return &api.HeldError{Sends: e.told}
			}
		}
		if err := e.settleUntil(until); err != nil {
			return err
		}
	}
	if e.failed == nil {
		invariants.Check(e.bufs.pinned == 0, "nothing is in flight, but %d operations hold registered buffers", e.bufs.pinned)
		invariants.Check(e.chained == 0 && e.drain.held == 0 && e.timers.Len() == 0 && e.behind == 0,
			"nothing is in flight, but %d in chains, %d held up, %d timers, %d behind others", e.chained, e.drain.held, e.timers.Len(), e.behind)
	}
	return nil
}
