package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Chains are the engine's own, on io_uring too: the next operation starts when the one before has ended, whatever
// legs, queues and fallbacks it went through. The kernel's links know nothing of those (docs/DESIGN.md).

// chain is one that is being submitted: a list through Slot.next.
type chain struct {
	head, tail int32
	len        int
}

// extend puts s at the end of c.
func (e *Engine) extend(c *chain, s *Slot) {
	if c.len++; c.len == 1 {
		c.head = s.Index
	} else {
		e.slots.at(c.tail).next = s.Index
		s.fdPrev = c.tail
		s.state = stateChained
		e.chained++
		e.count(s)
		e.watch(s)
	}
	c.tail = s.Index
}

// launch submits a chain that is complete, or one operation that a drain concerns.
func (e *Engine) launch(c chain) {
	head := e.slots.at(c.head)
	drain := false
	var prev *Slot
	for s := head; ; s = e.slots.at(s.next) {
		drain = drain || s.Op.Flags&api.Drain != 0
		if errno := checkLinked(s, prev); c.len > 1 && errno != 0 {
			e.failPrepared(head, s)
			return
		}
		if s.next == none {
			break
		}
		prev = s
	}
	switch {
	case drain, e.holding && (c.len > 1 || !optab.Of(head.Op.Code).Control):
		e.hold(head, drain)
	default:
		e.startClock(head)
		e.run.Push(head.ID())
	}
}

// checkLinked finds what is wrong with an operation behind prev, which is nil for the first.
func checkLinked(s, prev *Slot) syscall.Errno {
	if s.Op.Code == api.OpLinkTimeout && (prev == nil || prev.Op.Code == api.OpLinkTimeout) {
		return syscall.EINVAL
	}
	return check(&s.Op, optab.Of(s.Op.Code))
}

// failPrepared ends a chain in which bad, and what stands behind it perhaps, cannot be performed at all: none of it is.
func (e *Engine) failPrepared(head, bad *Slot) {
	quiet := bad.Op.Flags&api.SkipSuccess != 0
	// The code of the one before is all that checkLinked looks at, and End frees the slot.
	var before Slot
	var prev *Slot
	for i := head.Index; i != none; prev = &before {
		s := e.slots.at(i)
		i, s.next = s.next, none
		errno := checkLinked(s, prev)
		before.Op.Code = s.Op.Code
		if errno == 0 {
			errno = api.ECanceled
		}
		s.silent = quiet && s != bad
		e.End(s, -int32(errno))
	}
}

// succeeded says whether an operation that ended with res lets its chain go on.
func (s *Slot) succeeded(res int32) bool {
	op := &s.Op
	if res < 0 {
		return op.Code == api.OpTimeout && op.Flags&api.TimeoutOK != 0 && res == -int32(api.ETime)
	}
	switch op.Code {
	case api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev,
		api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed:
		if s.Group != nil {
			return int(res) == s.Group.size
		}
		return int64(res) == asked(op)
	case api.OpSplice, api.OpTee:
		return int64(res) == min(op.Args.Len, sysx.MaxTransfer)
	case api.OpRecvMsg:
		return op.Flags&api.WaitAll == 0 || int64(res) >= asked(op) && op.Msg.Flags&(sysx.MsgTrunc|sysx.MsgCTrunc) == 0
	case api.OpRecv, api.OpSend, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC:
		if s.Group != nil && op.Code == api.OpSend {
			return int(res) == s.Group.line.asked
		}
		return op.Flags&api.WaitAll == 0 || int64(res) >= asked(op)
	}
	return true
}

// asked is how many bytes an operation was asked to move.
func asked(op *api.Op) (n int64) {
	if !optab.Of(op.Code).Vector {
		return int64(len(op.Buf))
	}
	for _, b := range op.Msg.Bufs {
		n += int64(len(b))
	}
	return min(n, sysx.MaxTransfer)
}

// last delivers the last completion of s, frees it, and goes on with its chain.
func (e *Engine) last(s *Slot, c *api.Completion) {
	switch {
	case s.hidden:
		e.delivered++
		if s.Op.Code == api.OpClose {
			e.drops--
		} else {
			e.sync.answered(s, c.Res)
		}
		e.retire(s)
		return
	case s.Op.Flags&api.ChainFlags == 0 && !s.silent && s.state != stateChained:
		e.retire(s)
		e.deliver(c)
		return
	}
	skip := s.silent || s.Op.Flags&api.SkipSuccess != 0 && s.skips(c.Res)
	on := s.succeeded(c.Res) || s.Op.Flags&api.HardLink != 0
	silent, next := s.Op.Flags&api.SkipSuccess != 0 && !on, s.next
	if s.state == stateChained {
		e.chained--
	}
	e.retire(s)
	if skip {
		e.ended++
		e.delivered++ // something has happened, although nobody is told
	} else {
		e.deliver(c)
	}
	if next != none {
		e.goOn(e.slots.at(next), on, silent)
	}
}

// skips says whether SkipSuccess leaves out the completion of an operation that ended with res: that of a LinkTimeout,
// too, unless it could not be performed at all.
func (s *Slot) skips(res int32) bool {
	return s.succeeded(res) || s.Op.Code == api.OpLinkTimeout && res != -int32(syscall.EINVAL)
}

// goOn deals with the rest of a chain, which begins with s, when the operation before has just ended.
func (e *Engine) goOn(s *Slot, ok, silent bool) {
	if lt := s; s.Op.Code == api.OpLinkTimeout {
		// It has not fired, or it would not be here.
		next := lt.next
		lt.next, lt.silent = none, silent
		e.End(lt, -int32(api.ECanceled))
		if next == none {
			return
		}
		s = e.slots.at(next)
	}
	if !ok {
		e.cancelRest(s, silent)
		return
	}
	if e.closedOver(s) {
		e.cancelRest(s, false)
		return
	}
	e.chained--
	s.state = stateSubmitted
	s.fdPrev = none
	if s.held {
		e.succeed(s)
		return
	}
	e.ready(s)
}

// ready lets s, whose turn has come in its chain or behind a drain, start.
func (e *Engine) ready(s *Slot) {
	e.uncount(s)
	if s.timed != 0 {
		e.untime(s) // start sets its deadline anew
	}
	e.startClock(s)
	e.run.Push(s.ID())
}

// cancelRest ends s and all that follow it in its chain.
func (e *Engine) cancelRest(s *Slot, silent bool) {
	for {
		next := s.next
		s.next, s.silent = none, silent
		e.End(s, -int32(api.ECanceled))
		if next == none {
			return
		}
		s = e.slots.at(next)
	}
}

// cut ends s, which waits for others of its chain, and all that follow it.
func (e *Engine) cut(s *Slot) {
	e.slots.at(s.fdPrev).next = none
	e.cancelRest(s, false)
}

// armLinkTimeout starts the LinkTimeout behind s, if there is one.
func (e *Engine) armLinkTimeout(s *Slot) {
	lt := e.slots.at(s.next)
	if lt.Op.Code != api.OpLinkTimeout {
		return
	}
	if lt.due = lt.Op.Off; lt.Op.Flags&api.Abs == 0 {
		lt.due = e.dueIn(&lt.Op)
	}
	lt.Op.Target = s.ID()
	lt.state = stateStarted
	e.chained--
	e.arm(lt)
}

// linkTimeout is called when a LinkTimeout has fired.
func (e *Engine) linkTimeout(lt *Slot) {
	t := e.detach(lt)
	switch e.stop(t, lt, reasonCancel) {
	case Ended:
		e.End(lt, -int32(api.ETime))
	case Unstoppable:
		e.End(lt, -int32(syscall.EALREADY))
	case gone:
		e.End(lt, -int32(syscall.ENOENT))
	case Pending: // CancelDone ends it
	}
}

// endLinkTimeout ends a LinkTimeout that has not fired.
func (e *Engine) endLinkTimeout(lt *Slot) {
	e.detach(lt)
	e.End(lt, -int32(api.ECanceled))
}

// detach takes a LinkTimeout that has been armed out of its chain, and gives the operation that it is about.
func (e *Engine) detach(lt *Slot) *Slot {
	t := e.slots.lookup(lt.Op.Target)
	t.next, lt.next = lt.next, none
	if t.next != none {
		e.slots.at(t.next).fdPrev = t.Index
	}
	return t
}
