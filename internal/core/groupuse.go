package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// Sends says whether g is made for sending, too.
func (g *Group) Sends() bool { return g.line.on }

// serves says whether op can do with the buffers of g. Those of an incremental group are for receives: a read that a worker performs would have to have the
// rest of one for itself, and the head of a message must not be cut. Of any other, the head must fit into a buffer, with a byte of the message.
func (g *Group) serves(op *api.Op) syscall.Errno {
	if g.parts != nil && op.Code != api.OpRecv {
		return syscall.EINVAL
	}
	if op.Code == api.OpRecvMsg && op.Flags&api.Multishot != 0 {
		if op.Off = int64(len(op.Msg.Control)); int64(g.size) <= atControl+op.Off {
			return syscall.EFAULT
		}
	}
	return 0
}

// endHeld is End for an operation that holds a buffer of its group. One with nothing in it goes back.
func (e *Engine) endHeld(s *Slot, res int32) {
	bid, n := uint16(s.Held), s.Done
	if s.Op.Code != api.OpRecv {
		n = s.result(res)
	}
	s.Held, s.Done = none, 0
	if n > 0 {
		e.EndBuffer(s, bid, n)
		return
	}
	s.Group.Untake(bid)
	e.End(s, res)
}

// checkReadMultishot is check for a ReadMultishot.
func checkReadMultishot(op *api.Op) syscall.Errno {
	if !op.Flags.Has(api.BufferSelect|api.Multishot) || op.Flags&api.DontWait != 0 {
		return syscall.EINVAL
	}
	op.Off = api.CurrentPosition // what has no end has no positions
	return 0
}
