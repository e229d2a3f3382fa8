package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

const byMany = api.ByFD | api.ByOp | api.Any

// checkCancel finds what is wrong with an OpCancel by itself.
func checkCancel(op *api.Op) syscall.Errno {
	f := op.Flags
	if f.Has(api.Any) && f&(api.ByFD|api.ByOp) != 0 || f.Has(api.First) && f&byMany == 0 {
		return syscall.EINVAL
	}
	return 0
}

// startCancel performs an OpCancel.
func (e *Engine) startCancel(c *Slot) {
	c.state = stateStarted
	if c.Op.Flags&api.FixedFile != 0 && !e.resolveCancel(c) {
		e.End(c, -int32(syscall.EBADF))
		return
	}
	e.cancel(c)
}

// resolveCancel makes a cancel by slot one by our descriptor, and says whether there is one.
func (e *Engine) resolveCancel(c *Slot) bool {
	c.Op.FD = e.files.fixed(c.Op.FD)
	return c.Op.FD != none && c.Op.Flags&api.ByFD != 0
}

// cancel performs an OpCancel whose file, if it has one, is known.
func (e *Engine) cancel(c *Slot) {
	if c.Op.Flags&byMany != 0 {
		e.startCancelMany(c)
		return
	}
	t := e.slots.lookup(c.Op.Target)
	if t == nil || t == c || !cancellable(t) {
		e.End(c, -int32(syscall.ENOENT))
		return
	}
	e.stopFor(c, t)
}

// cancellable says whether a cancel finds t. As in the kernel it does not find what waits behind
// another of its chain, nor a LinkTimeout, which belongs to its operation, nor what has had its result.
func cancellable(t *Slot) bool {
	return t.state != stateChained && !t.Over() && t.Op.Code != api.OpLinkTimeout && !t.shadow && !t.hidden
}

// stopFor ends t, and c as that goes.
func (e *Engine) stopFor(c, t *Slot) {
	switch e.stop(t, c, reasonCancel) {
	case Ended:
		e.End(c, 0)
	case gone:
		e.End(c, -int32(syscall.ENOENT))
	case Unstoppable:
		e.End(c, -int32(syscall.EALREADY))
	case Pending:
		c.parts = 1
	}
}

// matches says whether c, a cancel of many, is about t, which was submitted before. Operations on an fd are told apart
// by the number that they were submitted with, not by the open file behind it as in the kernel: what another number for
// the same file waits for is another part of the program's business.
func matches(c, t *Slot) bool {
	switch {
	case t.seq >= c.seq || !cancellable(t) || t.reason != reasonNone:
		return false
	case t.Op.Code == api.OpCancel, t.Op.Code == api.OpClose && t.state == stateStarted:
		return false // neither can be stopped
	}
	return c.Op.Flags&api.ByOp == 0 || uint32(t.Op.Code) == c.Op.Arg
}

// find puts into e.found what c, a cancel of many, is about. That comes before any of it is ended, for then the next of a
// chain may be in flight, which is none of it.
func (e *Engine) find(c *Slot) {
	e.found = e.found[:0]
	visit := func(t *Slot) {
		if t.shadow && c.Op.Flags&api.ByFD != 0 {
			t = e.slots.at(t.mate)
		}
		if matches(c, t) {
			e.found = append(e.found, t.ID())
		}
	}
	switch n := c.Op.FD; {
	case c.Op.Flags&api.ByFD == 0:
		e.slots.each(visit)
	case e.drain.held > 0 && (c.Op.Flags&api.FixedFile != 0 || e.waiting.on(n)): // what is held up is on no list
		e.slots.each(func(t *Slot) {
			if !t.shadow && (e.isOn(t, n) || t.held && e.isFixed(t, n)) {
				visit(t)
			}
		})
	case e.fds.has(n):
		e.eachOn(e.fds.get(n), visit)
	}
	if c.Op.Flags&api.First != 0 && len(e.found) > 1 {
		e.found = e.found[:1]
	}
}

// isFixed says whether s, which has not started, names a slot of the table that holds the descriptor n.
func (e *Engine) isFixed(s *Slot, n int32) bool {
	return optab.Of(s.Op.Code).FD && s.Op.Flags&api.FixedFile != 0 && e.files.fixed(s.Op.FD) == n
}

// startCancelMany ends the operations that a cancel by fd, by code, or of any is about.
func (e *Engine) startCancelMany(c *Slot) {
	e.find(c)
	first := c.Op.Flags&api.First != 0
	switch {
	case len(e.found) == 0 && c.Op.Flags&api.ByFD != 0 && !sysx.ValidFD(c.Op.FD):
		e.End(c, -int32(syscall.EBADF))
		return
	case len(e.found) == 0 && first:
		e.End(c, -int32(syscall.ENOENT))
		return
	case first:
		e.stopFor(c, e.slots.lookup(e.found[0]))
		return
	}
	// One part more than there are keeps an answer during the walk from ending c.
	c.parts = 1
	for _, id := range e.found {
		t := e.slots.lookup(id)
		if t == nil {
			continue
		}
		switch e.stop(t, c, reasonCancel) {
		case Ended:
			c.Done++
		case Pending:
			c.parts++
		}
	}
	e.partDone(c)
}

func (t *fdTable) has(n int32) bool { return uint(n) < uint(len(t.fds)) && t.fds[n] != nil }

// eachOn calls fn for each operation on f. fn may end it.
func (e *Engine) eachOn(f *FD, fn func(*Slot)) {
	for i := f.ops; i != none; {
		s := e.slots.at(i)
		if i = s.fdNext; i != none && i == s.mate {
			i = e.slots.at(i).fdNext // both are on this file, and end together
		}
		fn(s)
	}
}

// stop ends t early, because of why. by is the cancel that wants to know how it went, or nil.
func (e *Engine) stop(t, by *Slot, why reason) CancelResult {
	if t.shadow {
		t = e.slots.at(t.mate)
	}
	switch {
	case t.Op.Code == api.OpClose && (t.state == stateStarted || t.FD != nil):
		return Unstoppable
	case t.Over():
		return gone
	case t.state == stateChained:
		t.reason = why
		e.cut(t)
		return Ended
	case t.state == stateSubmitted, t.state == stateQueued:
		t.reason = why
		e.End(t, -int32(api.ECanceled))
		return Ended
	case t.Op.Code == api.OpLinkTimeout && t.timed != 0:
		e.endLinkTimeout(t)
		return Ended
	case t.Op.Code == api.OpLinkTimeout:
		return Unstoppable // it has fired, and waits for the end of its operation
	case t.Op.Code == api.OpTimeout:
		e.End(t, -int32(api.ECanceled))
		return Ended
	case optab.Of(t.Op.Code).Control:
		return Unstoppable
	case t.reason != reasonNone:
		return gone // it is being ended already
	}
	t.reason = why
	r := e.drv.Cancel(t, by)
	if r == Unstoppable {
		t.reason = reasonNone // it has not been ended by this, and the next one may ask again
	}
	return r
}

// CancelDone is the driver's late answer to Cancel: 0 when the operation was stopped, -ENOENT when
// it had ended, -EALREADY when it could not be stopped.
func (e *Engine) CancelDone(by *Slot, res int32) {
	if by == nil {
		return
	}
	switch {
	case by.Op.Code == api.OpLinkTimeout:
		if res == 0 {
			res = -int32(api.ETime)
		}
		e.End(by, res)
		return
	case by.Op.Flags&byMany == 0, by.Op.Flags&api.First != 0:
		e.End(by, res)
		return
	}
	if res == 0 {
		by.Done++
	}
	e.partDone(by)
}

func (e *Engine) partDone(c *Slot) {
	if c.parts--; c.parts == 0 {
		e.End(c, c.Done)
	}
}

// startClose performs an OpClose: it ends what is in flight on f, and closes when that is over.
func (e *Engine) startClose(f *FD, c *Slot) {
	c.state = stateStarted
	f.closing = c.Index
	if f.count == 0 {
		e.quiet(f)
		return
	}
	// A count more than there are keeps the last of them from closing f during the walk.
	f.count++
	e.eachOn(f, func(t *Slot) { e.stop(t, nil, reasonCancel) })
	if f.count--; f.count == 0 {
		e.quiet(f)
	}
}

// quiet is called when nothing is in flight any more on a closing fd: the close is next. It goes
// through the run queue, so that the completions of those operations come before its own. f.closing
// stays set until the file is closed, so that what is submitted meanwhile gets EBADF.
func (e *Engine) quiet(f *FD) {
	c := e.slots.at(f.closing)
	c.state = stateSubmitted
	c.FD = f
	e.run.Push(c.ID())
}
