package core

import (
	"os"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// syncCancel is the cancel that CancelSync has under way.
type syncCancel struct {
	id   api.OpID // of the last cancel: it may go on when its limit is over
	slot int32    // of the cancel, which has no completion; or none
	res  int32
	hit  []api.OpID // what it has found; kept for its memory
}

// CancelSync implements api.Engine.
func (e *Engine) CancelSync(op api.Op, limit time.Duration) (int, error) {
	if err := e.enterWait(); err != nil {
		return 0, err
	}
	if op.Code != api.OpCancel || op.Flags&^(byMany|api.First|api.FixedFile) != 0 || checkCancel(&op) != 0 {
		return 0, &api.InvalidOpError{Code: op.Code, Reason: "CancelSync takes what Cancel, CancelFD, CancelOp and CancelAny make"}
	}
	end := api.Instant(0)
	if limit >= 0 {
		end = api.After(limit)
	}
	// What has been submitted before c is taken up before c.
	e.settling = true
	e.runAll()
	e.settling = false
	if e.slots.lookup(e.sync.id) != nil {
		return 0, api.ErrQueueFull // the one slot for it is in use
	}
	c := e.slots.get()
	c.Op, c.hidden, c.state, c.seq = op, true, stateStarted, e.submitted
	e.sync.slot = c.Index
	defer func() { e.sync.slot = none }()
	id := c.ID()
	e.sync.id = id
	if op.Flags&api.FixedFile != 0 && !e.resolveCancel(c) {
		e.End(c, -int32(syscall.EBADF))
	} else {
		e.findHits(c)
		e.cancel(c)
	}
	for e.slots.lookup(id) != nil || e.anyHit() {
		if err := e.settleUntil(end); err != nil {
			return 0, err
		}
		if end != 0 && api.Now() >= end {
			return e.expired(id)
		}
	}
	return syncResult(e.sync.res, op.Flags)
}

// answered takes in the result of the cancel in s.
func (y *syncCancel) answered(s *Slot, res int32) {
	if y.slot == s.Index { // CancelSync waits for it still
		y.res = res
	}
}

// expired is for a CancelSync whose limit is over. The cancel itself goes on, and nobody hears of it.
func (e *Engine) expired(id api.OpID) (int, error) {
	n := 0
	if e.slots.lookup(id) == nil {
		n, _ = syncResult(e.sync.res, byMany)
	}
	return n, os.ErrDeadlineExceeded
}

// syncResult is what the result of a cancel means to one who has waited for the end of what it has found.
func syncResult(res int32, flags api.OpFlags) (int, error) {
	switch {
	case res == -int32(syscall.EALREADY):
		return 0, nil // it has ended by itself
	case res < 0:
		return 0, syscall.Errno(-res)
	case flags&byMany != 0 && flags&api.First == 0:
		return int(res), nil
	}
	return 1, nil
}

// findHits remembers what c is about.
func (e *Engine) findHits(c *Slot) {
	e.sync.hit = e.sync.hit[:0]
	if c.Op.Flags&byMany == 0 {
		if t := e.slots.lookup(c.Op.Target); t != nil && cancellable(t) {
			e.sync.hit = append(e.sync.hit, t.ID())
		}
		return
	}
	e.find(c)
	e.sync.hit = append(e.sync.hit, e.found...)
}

// anyHit says whether something that CancelSync has found goes on still.
func (e *Engine) anyHit() bool {
	for n := len(e.sync.hit); n > 0; n-- {
		if e.Unsettled(e.sync.hit[n-1]) != nil {
			return true
		}
		e.sync.hit = e.sync.hit[:n-1]
	}
	return false
}
