package core

import (
	"errors"
	"time"

	"github.com/sluiceio/sluice/api"
)

// Complete implements api.Engine.
func (e *Engine) Complete(dst []api.Completion, w api.Wait) (int, error) {
	if err := e.enterWait(); err != nil {
		return 0, err
	}
	how, err := w.Resolve(e.opt.Strategy)
	if err != nil {
		return 0, err
	}
	if how.Mode == api.ModePark && e.opt.Strategy.Mode != api.ModePark {
		return 0, &api.UnsupportedError{Feature: api.FeatPark, Reason: "the engine was not opened with the strategy Park"}
	}
	e.dst, e.n = dst, 0
	e.performs = w.Min == 0 || len(dst) == 0
	e.deliverKept()
	e.postedFirst()
	share := e.rests.next(len(dst))
	e.runAll()
	e.rearm(share)
	err = e.turns(min(w.Min, len(dst)), &w, how)
	n := e.n
	e.dst, e.n = nil, 0
	e.completed += uint64(n)
	e.publish()
	if err != nil && !errors.Is(err, api.ErrNotOwner) { // a caller that is wrong does no harm to the one that is right
		e.failed = err
	}
	return n, err
}

// Performs says that the present Complete does not wait, and must have begun what was submitted when it returns.
func (e *Engine) Performs() bool { return e.performs }

// turns makes at least one turn of the driver, and as many as it takes until want completions are
// there, the deadline passes, or somebody calls Wake; after w.Batch one will do.
func (e *Engine) turns(want int, w *api.Wait, how api.Strategy) error {
	batch := api.Instant(0)
	if w.Batch > 0 && want > 1 {
		batch = api.After(w.Batch)
	}
	for spin := how.Spin; ; spin-- {
		d := time.Duration(0)
		if spin <= 0 {
			d = e.left(want, w.Deadline, batch)
			if batch != 0 && d != 0 {
				e.tellBatch(batch, how.Mode)
			}
		}
		err := e.turn(want-e.n, d, how.Mode)
		e.takePosted()
		if len(e.lows) > 0 && err == nil {
			e.callLow()
		}
		// Whatever ends this Complete, a Wake that came before its end is used up by it.
		if e.wake.takeUser() || err != nil || e.n >= want {
			return err
		}
		if batch != 0 && api.Now() >= batch {
			if want, batch = 1, 0; e.n > 0 {
				return nil
			}
		}
		if w.Deadline != 0 && api.Now() >= w.Deadline {
			return nil
		}
		e.rearm(e.Room()) // those that had no share; the others have had their turn
	}
}

// tellBatch tells the driver that it may wait for several completions at once. That is right only while none of them depends on another
// that has to be taken in first.
func (e *Engine) tellBatch(end api.Instant, mode api.WaitMode) {
	if e.batcher != nil && mode != api.ModePark && e.behind+e.chained == 0 && !e.holding {
		e.batcher.Batch(end.Sub(api.Now()))
	}
}

// left is how long the next turn may wait. Something that has come ends the wait at the end of the batch, 0 for none.
func (e *Engine) left(want int, deadline, batch api.Instant) time.Duration {
	if e.n >= want || e.run.Len() > 0 || e.posted.Load() || len(e.rests.due) > 0 {
		return 0
	}
	d := e.drv.Limit()
	if d == 0 {
		return 0
	}
	next := int64(deadline)
	if batch != 0 && e.n > 0 && (next == 0 || batch < deadline) {
		next = int64(batch)
	}
	if t, ok := e.timers.Next(); ok && (next == 0 || t < next) {
		next = max(t, 1) // 0 is none
	}
	if next != 0 {
		left := max(api.Instant(next).Sub(api.Now()), 0)
		if d < 0 || left < d {
			d = left
		}
	}
	if e.clocked() {
		d = e.leftOfClocks(d)
	}
	return d
}

// turn makes one turn of the driver and of what follows from it. d is how long it may wait.
func (e *Engine) turn(need int, d time.Duration, mode api.WaitMode) error {
	if d != 0 && !e.wake.sleep() {
		d = 0
	}
	var err error
	switch {
	case d == 0:
		if e.n > 0 && need <= 0 {
			need = -1
			if e.overdue() {
				need = 0 // what has just begun gets what is there, however short its time is (TMO-14)
			}
		}
		err = e.drv.Turn(need, 0)
	case mode == api.ModePark:
		err = e.park.wait(e, need, d)
	default:
		err = e.drv.Turn(need, d)
	}
	if d != 0 {
		e.wake.rouse()
	}
	e.expire()
	e.runAll()
	return err
}
