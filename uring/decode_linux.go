package uring

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

const more = iouring.IORING_CQE_F_MORE

// dispatch finds out what a completion of the kernel's is about.
func (d *driver) dispatch(userData uint64, res int32, flags uint32) {
	kind := kindOf(userData)
	if kind > kindAccept {
		d.internal(kind, userData, res)
		return
	}
	s := d.slotOf(userData)
	if s == nil {
		d.stale(kind, res)
		return
	}
	id := s.ID()
	if flags&iouring.IORING_CQE_F_NOTIF != 0 {
		d.notified(s, res)
		return
	}
	if flags&more != 0 && zeroCopyOps.Has(s.Op.Code) {
		s.Notifs++
	}
	asked := len(d.asks) > len(d.freeAsks)
	if asked && cutShort(s, res) {
		d.cut(s)
	}
	switch {
	case res == -int32(unix.EBADF) && s.ByPlace && !d.forbids(s):
		d.refused(s)
	case kind == kindPoll:
		d.ready(s, res)
	case kind == kindTimer:
		d.paused(s)
	default:
		d.ended(s, res, flags)
	}
	if asked {
		d.finished(id, res)
	}
}

// internal is dispatch for what no operation of the program's stands behind.
func (d *driver) internal(kind, userData uint64, res int32) {
	switch kind {
	case kindCancel:
		d.canceled(int(userData&^(kindCancel<<kindShift)), res)
	case kindIgnore:
		d.missed(userData, res)
	case kindWake:
		d.woken(res)
	case kindFixed:
		d.notFixed(int32(userData))
	case kindWait:
		if uint32(userData>>indexBits) == d.timerSeq {
			d.timerAt = 0
		}
	}
}

// stale drops the completion of an operation that is gone.
func (d *driver) stale(kind uint64, res int32) {
	d.count.Stale++
	if kind == kindAccept && res >= 0 {
		d.count.Enters++
		_ = sysx.Close(res) // nobody knows of this file
	}
}

// ended takes in the result of the operation itself, the leg that counts.
func (d *driver) ended(s *core.Slot, res int32, flags uint32) {
	if s.Group != nil {
		d.selected(s, res, flags)
		return
	}
	switch s.Op.Code {
	case api.OpRecv, api.OpSend:
		d.moved(s, res)
	case api.OpRecvMsg, api.OpSendMsg:
		d.message(s, res)
	case api.OpSendZC, api.OpSendMsgZC:
		d.sentZC(s, res)
	case api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev,
		api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed:
		d.file(s, res)
	case api.OpAccept:
		d.accepted(s, res, flags)
	case api.OpPoll:
		d.polled(s, res, flags)
	case api.OpSocket, api.OpBind, api.OpListen, api.OpUringCmd:
		d.socketDone(s, res)
	case api.OpWaitid:
		d.waited(s, res)
	case api.OpFutexWait, api.OpFutexWaitv:
		d.futexWaited(s, res)
	case api.OpNop, api.OpConnect, api.OpFsync:
		if res < 0 {
			d.fail(s, res)
			return
		}
		d.e.End(s, res)
	default:
		d.argsDone(s, res)
	}
}

// goOn starts the next round of a multishot operation that the kernel has ended, or that it does not know: it ends
// one when its completion queue is full, for instance, which is none of the program's business.
func (d *driver) goOn(s *core.Slot) {
	if s.Ending() {
		d.endEarly(s)
		return
	}
	s.Leg &^= polled
	if s.Group != nil && s.Group.Available() == 0 && s.Op.Code != api.OpSend && !s.Group.Wired() {
		// The kernel would answer ENOBUFS at once. It is due when there is data, and no buffer still.
		setLeg(s, kindPoll)
	}
	d.put(s)
}

// moved is for a receive or send of one buffer.
func (d *driver) moved(s *core.Slot, res int32) {
	switch {
	case res < 0:
		d.fail(s, res)
	case s.Op.Flags&api.WaitAll == 0:
		d.e.End(s, res)
	default:
		s.Done += res
		if res > 0 && int(s.Done) < len(s.Op.Buf) && d.goesOn(s) {
			d.goOn(s)
			return
		}
		d.e.End(s, s.Done)
	}
}

// message is for a receive or send of a Msg.
func (d *driver) message(s *core.Slot, res int32) {
	if res < 0 {
		d.fail(s, res)
		return
	}
	if s.Op.Code == api.OpRecvMsg {
		if s.Done == 0 {
			attempt.FillMsg(s.Op.Msg, s.Msg)
		} else {
			attempt.AddFlags(s.Op.Msg, s.Msg)
		}
	}
	if s.Op.Flags&api.WaitAll == 0 {
		d.e.End(s, res)
		return
	}
	s.Done += res
	if res > 0 && int(res) < s.Msg.Len() && d.goesOn(s) {
		s.Msg.Advance(int(res))
		d.goOn(s)
		return
	}
	d.e.End(s, s.Done)
}

// file is for a read or write.
func (d *driver) file(s *core.Slot, res int32) {
	switch {
	case res >= 0:
		d.e.End(s, res)
	case res == -int32(unix.ESPIPE) && s.Op.Off > 0:
		s.Op.Off = 0 // a socket has no positions, and minds them where a pipe does not
		d.goOn(s)
	case res == -int32(unix.EINVAL) && s.Op.Off > math.MaxInt64-sysx.MaxTransfer:
		d.start(s) // perhaps the position alone is too large, which a socket or pipe does not have
	case res == -int32(unix.EOPNOTSUPP) && s.Op.Flags&api.DontWait != 0:
		d.start(s) // the file does not know RWF_NOWAIT
	default:
		d.fail(s, res)
	}
}

func (d *driver) accepted(s *core.Slot, res int32, flags uint32) {
	if res < 0 {
		d.fail(s, res)
		return
	}
	if s.Op.Msg != nil {
		s.Op.Msg.Addr.IP, s.Op.Msg.Addr.Path = s.Msg.Addr()
	}
	switch {
	case flags&more != 0:
		d.e.Emit(s, res)
	case s.Op.Flags&api.Multishot == 0:
		d.e.End(s, res)
	default:
		d.e.Emit(s, res)
		d.goOn(s)
	}
}

// fail ends an operation whose leg has failed, unless it is one of the ways to fail that a program never sees.
func (d *driver) fail(s *core.Slot, res int32) {
	switch {
	case s.Holds():
		d.e.End(s, res) // there is no more
	case res == -int32(unix.EAGAIN) && !mayFail(&s.Op):
		d.wait(s, verdictOf(&s.Op))
	case (core.Interrupted(res) || res == -int32(unix.ECANCELED)) && !s.Ending():
		// ECANCELED that nobody asked for: the thread that submitted it has ended.
		d.goOn(s)
	case res == -int32(unix.EFAULT) && s.ByTable && s.Leg&tried == 0 && !s.Ending():
		// The kernel's table has changed, perhaps, since it was put there, and nothing has been done. A plain operation may have taken a datagram.
		d.start(s)
	default:
		d.e.End(s, res)
	}
}

// mayFail says whether EAGAIN is an answer that was asked for.
func mayFail(op *api.Op) bool {
	if op.Flags&api.DontWait != 0 {
		return true
	}
	switch op.Code {
	case api.OpRecv, api.OpSend, api.OpRecvMsg, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC:
		return op.Arg&unix.MSG_DONTWAIT != 0
	}
	return false
}
