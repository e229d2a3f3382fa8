package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// bundleVecs is how many buffers of a group one system call fills. More than eight cost the kernel an allocation, which is a few percent of
// what it takes to fill 64.
const bundleVecs = 64

// bundle is what a receive with Bundle has filled.
type bundle struct {
	next []uint16 // the buffers behind the first
	bufs [][]byte // of one call
	msg  *sysx.MsgBuf
}

// recvBundle receives into bid and then into other buffers of the group, until there is no more data or there are no more
// buffers. A multishot receive makes one call of it: it comes back for the rest.
func (t *Tries) recvBundle(s *core.Slot, bid uint16) (int32, int, Verdict) {
	b := &t.bundle
	if b.msg == nil {
		b.msg = new(sysx.MsgBuf)
	}
	room := b.take(s.Group, s.Group.Rest(bid))
	t.Asked = room
	total, errno := t.recvVec(s)
	more := errno == 0 && total == room && s.Op.Flags&api.Multishot == 0
	for more {
		t.Calls++
		if n, errno := sysx.InQ(s.Op.FD); errno != 0 || n == 0 {
			break // also what an error says that comes behind the data: it is the next operation's
		}
		if room = b.take(s.Group, nil); room == 0 {
			break
		}
		n, _ := t.recvVec(s)
		t.Asked += room
		total += n
		more = n == room && total < sysx.MaxTransfer-bundleVecs*s.Group.Size()
	}
	left := total - len(s.Group.Rest(bid))
	used := max(left+s.Group.Size()-1, 0) / s.Group.Size()
	for i := len(b.next) - 1; i >= used; i-- {
		s.Group.Untake(b.next[i])
	}
	b.next = b.next[:used]
	if total > 0 {
		return int32(total), int(bid), Done
	}
	s.Group.Untake(bid)
	res, v := outcome(s, 0, errno, Readable)
	return res, -1, v
}

// take makes first, if it is not empty, and further buffers of g those that the next call fills, and says how many bytes they have room for.
func (b *bundle) take(g *core.Group, first []byte) (room int) {
	b.bufs = b.bufs[:0]
	if len(first) > 0 {
		b.bufs = append(b.bufs, first)
		room = len(first)
	}
	for len(b.bufs) < bundleVecs {
		bid, ok := g.TakeNext()
		if !ok {
			break
		}
		b.next = append(b.next, bid)
		b.bufs = append(b.bufs, g.Bytes(bid))
		room += g.Size()
	}
	return room
}

// recvVec receives once into b.bufs.
func (t *Tries) recvVec(s *core.Slot) (int, syscall.Errno) {
	b := &t.bundle
	b.msg.Set(b.bufs, nil)
	t.Calls++
	n, errno := sysx.RecvMsg(s.Op.FD, b.msg, (int(s.Op.Arg)|sysx.MsgDontWait)&^sysx.MsgTrunc)
	b.msg.Reset()
	clear(b.bufs)
	return n, errno
}

// Emit delivers what an attempt at a multishot operation has come to: n, in bid and what has been filled behind it, or in none if bid is -1.
func (t *Tries) Emit(e *core.Engine, s *core.Slot, bid int, n int32) {
	if bid < 0 {
		e.Emit(s, n)
		return
	}
	last, n := t.spread(e, s, uint16(bid), n)
	e.EmitBuffer(s, last, n)
}

// End is Emit for the last completion.
func (t *Tries) End(e *core.Engine, s *core.Slot, bid int, n int32) {
	if bid < 0 {
		e.End(s, n)
		return
	}
	last, n := t.spread(e, s, uint16(bid), n)
	e.EndBuffer(s, last, n)
}

// spread delivers all buffers of a bundle but the last, and says which that is and how much is in it.
func (t *Tries) spread(e *core.Engine, s *core.Slot, bid uint16, n int32) (uint16, int32) {
	if s.Op.Flags&api.Bundle == 0 {
		return bid, n
	}
	for _, next := range t.bundle.next {
		room := int32(len(s.Group.Rest(bid)))
		e.EmitBuffer(s, bid, room)
		bid, n = next, n-room
	}
	t.bundle.next = t.bundle.next[:0]
	return bid, n
}
