package core

import (
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
	"github.com/sluiceio/sluice/internal/timerq"
)

// clock is what a timeout goes by.
type clock uint8

const (
	monotonic clock = iota
	boottime
	realtime
)

// clockLook bounds a wait while a timeout by another clock is pending. Such a clock goes on while the machine sleeps, or is set, and nothing
// tells the engine, whose own waits go by the monotonic one.
const clockLook = time.Second

// clockOf is the clock that a timeout goes by. A duration is the same length whatever the wall clock says, so that a
// relative timeout of that clock is an ordinary one, as POSIX demands of clock_nanosleep, and as the kernel does.
func clockOf(op *api.Op) clock {
	switch {
	case op.Flags&(api.Boottime|api.Realtime) == 0:
		return monotonic
	case op.Flags&api.Boottime != 0:
		return boottime
	case op.Flags&api.Abs != 0:
		return realtime
	}
	return monotonic
}

// now reads the clock, in nanoseconds of its own.
func (c clock) now() int64 {
	switch c {
	case boottime:
		t, _ := sysx.Boottime() // checkTimeout has seen that there is one
		return t
	case realtime:
		return time.Now().UnixNano()
	}
	return int64(api.Now())
}

// queue is the queue of a clock other than the monotonic, and its bit in Slot.timed.
func (e *Engine) queue(c clock) (*timerq.Queue, uint8) {
	if c == boottime {
		return &e.boot, inBoot
	}
	return &e.real, inReal
}

func (e *Engine) pushClock(c clock, s *Slot) {
	q, bit := e.queue(c)
	s.timed |= bit
	q.Push(s.due, s.Index)
}

// clocked says whether timeouts of other clocks are pending.
func (e *Engine) clocked() bool { return e.boot.Len()+e.real.Len() > 0 }

func (e *Engine) expireClocks() {
	for _, c := range [...]clock{boottime, realtime} {
		q, bit := e.queue(c)
		if q.Len() == 0 {
			continue
		}
		now := c.now()
		for {
			i, ok := q.PopExpired(now)
			if !ok {
				break
			}
			s := e.slots.at(i)
			s.timed &^= bit
			if s.Op.Flags&api.Multishot != 0 {
				e.tick(s, now)
				continue
			}
			e.End(s, -int32(api.ETime))
		}
	}
}

// leftOfClocks is how much of a wait of d (negative: without limit) there is until a timeout of another clock, or until
// its clock is to be looked at.
func (e *Engine) leftOfClocks(d time.Duration) time.Duration {
	if d < 0 || d > clockLook {
		d = clockLook
	}
	for _, c := range [...]clock{boottime, realtime} {
		q, _ := e.queue(c)
		if at, ok := q.Next(); ok {
			d = min(d, max(api.Instant(at).Sub(api.Instant(c.now())), 0))
		}
	}
	return d
}

// checkTimeout finds what is wrong with a timeout.
func checkTimeout(op *api.Op) syscall.Errno {
	f := op.Flags
	switch {
	case op.Off < 0, f.Has(api.Boottime | api.Realtime), f.Has(api.Multishot | api.Abs):
		return syscall.EINVAL
	case f.Has(api.Boottime):
		if _, ok := sysx.Boottime(); !ok {
			return syscall.ENOSYS
		}
	}
	return 0
}
