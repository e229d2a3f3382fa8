package core

import (
	"time"

	"github.com/sluiceio/sluice/api"
)

// Timeouts and deadlines share a queue of instants, which bounds how long Turn waits: no operation of the kernel's is needed
// for them, nor a system call. Timeouts by another clock stand in queues of their own (clock.go), and those that
// end after so many completions in one more (count.go).

// What there is of a slot in queues, in Slot.timed.
const (
	inTimers uint8 = 1 << iota // of instants: of the timeout, or of its deadline, or both
	inBoot
	inReal
	inCounts
	tickKept // a completion of it is kept: see tick
)

// stamp fixes the time and the count of an OpTimeout. They begin with Submit, not when it is performed; those of one that
// stands behind others of its chain begin when its turn has come.
func (e *Engine) stamp(s *Slot) {
	op := &s.Op
	s.due, s.goal = op.Off, 0
	if op.Flags&api.Abs == 0 {
		s.due = e.dueIn(op)
	}
	if op.Flags&api.Multishot == 0 && op.Arg > 0 {
		s.goal = e.seen() + uint64(op.Arg)
	}
}

// dueIn is when a time of op.Off from now is over, by the clock of op.
func (e *Engine) dueIn(op *api.Op) int64 {
	now := api.Now()
	if clockOf(op) == boottime {
		now = api.Instant(boottime.now())
	}
	return int64(now.Add(time.Duration(op.Off)))
}

// startTimeout performs an OpTimeout.
func (e *Engine) startTimeout(s *Slot) {
	s.state = stateStarted
	if s.goal != 0 && !e.startCount(s) {
		return
	}
	e.arm(s)
}

// arm puts a timeout into the queue of its clock, and that of its deadline.
func (e *Engine) arm(s *Slot) {
	at, deadline := s.due, int64(s.Op.Deadline)
	if c := clockOf(&s.Op); c != monotonic {
		e.pushClock(c, s)
		if deadline != 0 {
			e.setTimer(s, deadline)
		}
		return
	}
	if deadline != 0 {
		at = min(at, deadline)
	}
	e.setTimer(s, at)
}

func (e *Engine) setTimer(s *Slot, at int64) {
	s.timed |= inTimers
	e.timers.Push(at, s.Index)
}

// disarm takes s out of the queues of time.
func (e *Engine) disarm(s *Slot) {
	if s.timed&inTimers != 0 {
		e.timers.Remove(s.Index)
	}
	if s.timed&inBoot != 0 {
		e.boot.Remove(s.Index)
	}
	if s.timed&inReal != 0 {
		e.real.Remove(s.Index)
	}
	s.timed &^= inTimers | inBoot | inReal
}

// untime takes s out of all queues, at its end.
func (e *Engine) untime(s *Slot) {
	e.disarm(s)
	if s.timed&inCounts != 0 {
		e.counts.Remove(s.Index)
	}
	s.timed = 0
}

// expire ends what has run out of time.
func (e *Engine) expire() {
	if e.timers.Len() > 0 {
		e.expireInstants()
	}
	if e.clocked() {
		e.expireClocks()
	}
}

// overdue says whether something has run out of time that expire has not ended.
func (e *Engine) overdue() bool {
	t, ok := e.timers.Next()
	return ok && t <= int64(api.Now())
}

func (e *Engine) expireInstants() {
	now := int64(api.Now())
	for { // what does not fit is kept: there is one completion at most for each operation
		i, ok := e.timers.PopExpired(now)
		if !ok {
			return
		}
		s := e.slots.at(i)
		s.timed &^= inTimers
		switch {
		case s.state != stateStarted, s.Op.Code != api.OpTimeout && s.Op.Code != api.OpLinkTimeout:
			e.stop(s, nil, reasonDeadline)
		case s.Op.Code == api.OpLinkTimeout:
			e.linkTimeout(s)
		case s.Op.Flags&api.Multishot != 0 && clockOf(&s.Op) == monotonic && s.due <= now:
			e.tick(s, now)
		default:
			e.End(s, -int32(api.ETime)) // its time, or its deadline
		}
	}
}

// tick is called when the time of a multishot timeout has come: at now, by its clock. It completes once, however many times have
// gone by, and goes on at the next that lies ahead, so that it neither drifts nor catches up in a burst. One
// completion of it is kept where there is no room in dst. While that waits, the times that come are
// left out, for a program that does not reap them would find any number.
func (e *Engine) tick(s *Slot, now int64) {
	switch {
	case s.timed&tickKept != 0:
	case s.Op.Arg == 1:
		e.End(s, -int32(api.ETime))
		return
	default:
		if s.Op.Arg > 0 {
			s.Op.Arg--
		}
		if !e.fits() {
			s.timed |= tickKept
		}
		e.Emit(s, -int32(api.ETime))
	}
	s.due = nextTick(s.due, s.Op.Off, now)
	e.arm(s)
}

// nextTick is the first of the times due, due + period and so on that lies behind now.
func nextTick(due, period, now int64) int64 {
	if period == 0 {
		return now + 1
	}
	late := (now - due) / period
	return int64(api.Instant(due).Add(time.Duration(late * period)).Add(time.Duration(period)))
}
