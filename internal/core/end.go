package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Delivered counts completions, to be compared: whether there has been one since.
func (e *Engine) Delivered() uint64 { return e.delivered }

// Room is how many more completions fit into the present Complete.
func (e *Engine) Room() int {
	if e.settling {
		return 1 << 30
	}
	return len(e.dst) - e.n
}

// Emit delivers a completion of s that more will follow.
func (e *Engine) Emit(s *Slot, res int32) {
	flags := api.More
	switch {
	case s.Op.Flags&api.IntoSlot != 0:
		res = e.into(s, res)
		invariants.Check(res >= 0, "a multishot accept had a slot, and has none: %d", res)
		flags |= intoSlot
	case optab.Of(s.Op.Code).Opens:
		e.fresh(res)
	}
	e.deliver(&api.Completion{Tag: s.Op.Tag, ID: s.ID(), Res: res, Flags: flags, Code: s.Op.Code})
}

// EmitBuffer is Emit with the next n bytes of a buffer of the operation's group. A busy receiver has nothing as often as this, so that the
// completion is written where it goes, if it goes straight to the program and nobody counts it.
func (e *Engine) EmitBuffer(s *Slot, bid uint16, n int32) {
	if e.fits() && !e.ending && e.counts.Len() == 0 {
		c := &e.dst[e.n]
		s.buffered(c, bid, n, api.More)
		c.Flags &^= flagHead
		e.n++
		e.delivered++
		return
	}
	var c api.Completion
	s.buffered(&c, bid, n, api.More)
	e.deliver(&c)
}

// End delivers the last completion of s and frees it.
func (e *Engine) End(s *Slot, res int32) {
	if s.simple && res >= 0 && e.n < len(e.dst) && e.straight(s.FD) {
		e.endSimple(s, res)
		return
	}
	if s.Held != none {
		e.endHeld(s, res)
		return
	}
	invariants.Check(s.state != stateFree && !s.Over(), "the operation in slot %d has ended twice", s.Index)
	if optab.Of(s.Op.Code).Notifies {
		e.endSend(s, res)
		return
	}
	c := api.Completion{Tag: s.Op.Tag, ID: s.ID(), Res: s.result(res), Code: s.Op.Code}
	if c.Res == 0 && s.Op.Flags&api.EOF != 0 && atEnd(&s.Op) {
		c.Flags = api.AtEOF
	}
	switch {
	case s.Group != nil && s.Op.Code == api.OpSend:
		s.Group.line.moved = c.Res
	case res >= 0 && s.Op.Flags&api.IntoSlot != 0:
		c.Res, c.Flags = e.into(s, res), intoSlot
	case res >= 0 && optab.Of(c.Code).Opens:
		e.fresh(res)
	case c.Code == api.OpPipe && res == 0:
		e.freshPipe(s)
	}
	e.last(s, &c)
}

// Result is what a driver has got of the operation with this index and generation.
type Result struct {
	Index, Generation uint32
	Res               int32
}

// EndPlain is End for a driver that takes in many results at a time. It goes on as long as the operation is one of codes and has no flags, the result
// is a success, and nothing comes of it but its completion, and says how many it has ended.
func (e *Engine) EndPlain(results []Result, codes api.OpSet) int {
	if !e.straight(nil) {
		return 0
	}
	dst := e.dst[e.n:]
	results = results[:min(len(results), len(dst))]
	dst = dst[:len(results)]
	n := 0
	for ; n < len(results); n++ {
		r := &results[n]
		s := e.slots.lookup(api.MakeOpID(r.Index, r.Generation))
		if s == nil || !s.simple || r.Res < 0 || codes>>(s.Op.Code&63)&1 == 0 || s.Op.Flags != 0 || !onOpen(s.FD) {
			break
		}
		e.complete(&dst[n], s, r.Res)
	}
	e.n += n
	e.ended += uint64(n)
	e.delivered += uint64(n)
	return n
}

// straight says whether nothing comes of the end of an operation on f, which may be nil, but its completion.
func (e *Engine) straight(f *FD) bool {
	return e.kept.Len() == 0 && e.counts.Len() == 0 && !e.ending && onOpen(f)
}

// onOpen says whether nothing waits for the operations on f, which may be nil, to end.
func onOpen(f *FD) bool { return f == nil || f.closing == none && !f.dropped }

// endSimple is End for one of the operations simple that has succeeded and has nothing to do but to be delivered. It is most of them, and
// takes half of the time.
func (e *Engine) endSimple(s *Slot, res int32) {
	e.complete(&e.dst[e.n], s, res)
	e.n++
	e.ended++
	e.delivered++
}

// complete makes c the completion of s, which is simple, and frees s.
func (e *Engine) complete(c *api.Completion, s *Slot, res int32) {
	invariants.Check(s.state != stateFree, "the operation in slot %d has ended twice", s.Index)
	if invariants.Enabled {
		invariants.Check(s.timed == 0 && !s.counts && !s.counted && !s.held && !s.silent && !s.hidden && s.mate == none && s.next == none &&
			s.Group == nil && s.Held == none, "the operation in slot %d is not simple", s.Index)
	}
	raceDone(&s.Op)
	s.unseal()
	c.Tag, c.ID, c.Res, c.Flags, c.Code, c.Lease = s.Op.Tag, s.ID(), res, 0, s.Op.Code, 0
	if c.Buf != nil {
		c.Buf = nil
	}
	if s.FD != nil || s.Fixed != nil || s.Msg != nil || len(s.maps) > 0 {
		e.leaveSimple(s)
	}
	e.slots.recycle(s)
}

// leaveSimple takes s, which is simple, off the list of its file, and gives back what it has held.
func (e *Engine) leaveSimple(s *Slot) {
	if s.FD != nil {
		if s.inFIFO {
			e.dequeue(s)
		}
		e.unlink(s)
		s.FD = nil
	}
	e.letGoOf(s)
}

// letGoOf gives back what s has held for the time of its operation.
func (e *Engine) letGoOf(s *Slot) {
	if len(s.maps) > 0 {
		s.releaseMemory()
	}
	if s.Fixed != nil {
		e.unpin(s)
	}
	if s.Msg != nil {
		s.Msg.Reset() // also of a read or write, whose one vector keeps its buffer alive
	}
}

// EndBuffer is End with a buffer of the operation's group.
func (e *Engine) EndBuffer(s *Slot, bid uint16, n int32) {
	invariants.Check(s.state != stateFree, "the operation in slot %d has ended twice", s.Index)
	var c api.Completion
	s.buffered(&c, bid, n, 0)
	e.last(s, &c)
}

// buffered makes c the completion of s that carries the next n bytes of a buffer.
func (s *Slot) buffered(c *api.Completion, bid uint16, n int32, flags api.CompletionFlags) {
	if s.Op.Code == api.OpRead {
		s.Group.Touch(bid) // at the end of a file with O_DIRECT the disk gives a whole block (measured, with ext4)
	}
	buf, lease, more := s.Group.lease(bid, n)
	if more {
		flags |= api.BufferMore
	}
	flags |= s.Group.mark
	c.Tag, c.ID = s.Op.Tag, s.ID()
	c.Buf, c.Lease = buf, lease
	c.Res, c.Flags, c.Code = n, flags|api.Buffer|headed(s, buf), s.Op.Code
}

// atEnd says whether a result of 0 means that the stream has ended. A datagram may be empty.
func atEnd(op *api.Op) bool {
	if !wantsBytes(op) {
		return false
	}
	typ, errno := sysx.SocketType(op.FD)
	return errno != 0 || typ != syscall.SOCK_DGRAM
}

// wantsBytes says whether op has room for at least one byte.
func wantsBytes(op *api.Op) bool {
	switch {
	case op.Flags&api.BufferSelect != 0:
		return true
	case op.Msg == nil:
		return len(op.Buf) > 0
	}
	for _, b := range op.Msg.Bufs {
		if len(b) > 0 {
			return true
		}
	}
	return false
}

// result is what the program sees of res: bytes that were moved count more than the reason why
// no more were, and an operation that was ended early says by what.
func (s *Slot) result(res int32) int32 {
	if res >= 0 {
		return res
	}
	if s.Done > 0 {
		return s.Done
	}
	if s.reason == reasonNone || res != -int32(api.ECanceled) && !Interrupted(res) {
		return res
	}
	if s.reason == reasonDeadline {
		return -int32(api.ETime)
	}
	return -int32(api.ECanceled)
}

// Interrupted says whether res is EINTR, or one of the kernel's own numbers for it (512 to 516: ERESTARTSYS and its kin in
// include/linux/errno.h), which come out of the worker threads of io_uring.
func Interrupted(res int32) bool {
	return res == -int32(syscall.EINTR) || res <= -512 && res >= -516
}

// retire takes s off every list and frees it.
func (e *Engine) retire(s *Slot) {
	raceDone(&s.Op)
	s.unseal()
	if s.timed != 0 {
		e.untime(s)
	}
	if s.counts {
		e.handed(s)
	}
	if f := s.FD; s.Op.Code == api.OpClose && f != nil {
		if f.closing == s.Index {
			f.anew()
		}
	} else {
		e.leave(s)
	}
	if s.counted { // what is held up is, too
		e.uncount(s)
		e.unhold(s)
	}
	e.dropShadow(s)
	if g := s.Group; g != nil {
		if s.Op.Code == api.OpSend {
			g.sent()
		}
		g.users--
	}
	e.letGoOf(s)
	e.slots.put(s)
}

// leave takes s off the lists of its file. The close that waits for it may be next.
func (e *Engine) leave(s *Slot) {
	f := s.FD
	if f == nil {
		return
	}
	if s.inFIFO {
		e.dequeue(s)
	}
	e.unlink(s)
	switch {
	case f.count > 0:
	case f.closing != none:
		e.quiet(f)
	case f.dropped:
		e.undrop(f)
	}
}

// deliver puts c into dst, or keeps it for the next Complete.
func (e *Engine) deliver(c *api.Completion) {
	e.delivered++
	if e.ending {
		e.drop(c, e.pipe)
		return
	}
	if e.fits() {
		e.hand(c)
		return
	}
	e.keep(*c)
}

// fits says whether the next completion goes straight to the program.
func (e *Engine) fits() bool { return e.kept.Len() == 0 && e.n < len(e.dst) }

// deliverKept moves into dst what was kept.
func (e *Engine) deliverKept() {
	for e.kept.Len() > 0 && e.n < len(e.dst) {
		c, _ := e.unkeep()
		e.taken(&c)
		e.hand(&c)
	}
}

// taken is called when a completion that was kept goes to the program.
func (e *Engine) taken(c *api.Completion) {
	switch {
	case c.Code == api.OpMsgRing && c.ID == 0:
		e.inbox.reaped()
	case c.Code == api.OpTimeout && c.Flags&api.More != 0:
		if s := e.slots.lookup(c.ID); s != nil {
			s.timed &^= tickKept
		}
	}
}

// hand puts c into dst.
func (e *Engine) hand(c *api.Completion) {
	e.dst[e.n] = *c
	e.dst[e.n].Flags &^= intoSlot | flagHead
	e.n++
	if c.Flags&api.More == 0 && c.ID != 0 {
		e.ended++
	}
	if c.Code == api.OpTimeout || e.counts.Len() > 0 {
		e.counted(c)
	}
}
