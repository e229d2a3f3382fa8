package core

import (
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// startTimeoutRemove performs an OpTimeoutRemove, which ends a timeout or gives it another time.
func (e *Engine) startTimeoutRemove(c *Slot) {
	c.state = stateStarted
	t := e.slots.lookup(c.Op.Target)
	switch {
	case t == nil || t.state != stateStarted || t.timed&(inTimers|inBoot|inReal) == 0:
		e.End(c, -int32(syscall.ENOENT))
	case c.Op.Flags&api.Update != 0 && (t.Op.Code == api.OpTimeout || t.Op.Code == api.OpLinkTimeout):
		e.End(c, -int32(e.retime(t, &c.Op, api.Instant(c.due))))
	case c.Op.Flags&api.Update == 0 && t.Op.Code == api.OpTimeout:
		e.End(t, -int32(api.ECanceled))
		e.End(c, 0)
	default:
		e.End(c, -int32(syscall.ENOENT))
	}
}

// retime gives t the time of an update, which counts from when that was submitted: by the clock of t, and of a tick the time between two as well. All else of t stays as it is.
func (e *Engine) retime(t *Slot, op *api.Op, submitted api.Instant) syscall.Errno {
	if t.Op.Flags&api.Multishot != 0 && op.Flags&api.Abs != 0 {
		return syscall.EINVAL
	}
	e.disarm(t)
	t.Op.Off = op.Off
	t.Op.Flags = t.Op.Flags&^api.Abs | op.Flags&api.Abs
	if t.due = op.Off; op.Flags&api.Abs == 0 {
		t.due = int64(submitted.Add(time.Duration(op.Off)))
		if clockOf(&t.Op) == boottime {
			elapsed := api.Now().Sub(submitted)
			t.due = int64(api.Instant(boottime.now()).Add(time.Duration(op.Off) - elapsed))
		}
	}
	e.arm(t)
	return 0
}

// checkTimeoutRemove finds what is wrong with a removal or update.
func checkTimeoutRemove(op *api.Op) syscall.Errno {
	update := op.Flags&api.Update != 0
	if update && op.Off < 0 || !update && op.Flags&api.Abs != 0 {
		return syscall.EINVAL
	}
	return 0
}
