package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// User data says what a completion is about. It never holds a pointer: a completion that comes late finds
// the slot in its next use, sees that by the generation, and is dropped.
//
//	63     56 55              24 23           0
//	+--------+------------------+--------------+
//	|  kind  |    generation    |     slot     |
//	+--------+------------------+--------------+
const (
	kindShift = 56
	indexBits = 24 // MaxInFlight operations need 22, two slots each
	indexMask = 1<<indexBits - 1
)

// The kinds. The first three are the legs of an operation.
const (
	kindOp     uint64 = iota // the operation itself
	kindPoll                 // a wait until its file is ready
	kindTimer                // a pause before it is tried again
	kindAccept               // the operation itself, which leaves an fd that must not be lost
	kindCancel               // a cancel that somebody waits for; below it is the place in driver.asks
	kindIgnore               // nobody waits for it
	kindWake                 // the read of the wake fd
	kindWait                 // the timeout of a wait; the generation is a count of them
	kindFixed                // an entry that fills a place of driver.fixed, which stands below it
)

func kindOf(userData uint64) uint64 { return userData >> kindShift }

func userData(kind uint64, s *core.Slot) uint64 {
	return kind<<kindShift | uint64(s.Gen)<<indexBits | uint64(uint32(s.Index))
}

// userDataOf is the user data of the present leg of s.
func userDataOf(s *core.Slot) uint64 {
	kind := uint64(s.Leg & legMask)
	if kind == kindOp && optab.Of(s.Op.Code).Opens {
		kind = kindAccept
	}
	return userData(kind, s)
}

// What is in Slot.Leg. An operation is a sequence of legs, of which one at a time is with the kernel. Most
// have one leg: the operation itself.
//
//	7      6 5       4        3        2        1   0
//	+--------+-------+--------+--------+--------+-----+
//	| pauses | tried | polled | writes | unsent | leg |
//	+--------+-------+--------+--------+--------+-----+
const (
	legMask    uint8 = 3      // kindOp, kindPoll, kindTimer or legWorker
	legWorker  uint8 = 3      // the pool, or a thread that waits for futexes, has it, and the kernel nothing
	unsent     uint8 = 1 << 2 // the leg is in driver.unsent
	writes     uint8 = 1 << 3 // a poll waits for room, not for data
	polled     uint8 = 1 << 4 // the file has been reported ready since the last attempt
	tried      uint8 = 1 << 5 // it is performed by attempts of ours
	pauseShift       = 6      // how many pauses there were; 3 is three or more
)

// setLeg says which leg is next.
func setLeg(s *core.Slot, kind uint64) { s.Leg = s.Leg&^legMask | uint8(kind) }

// prepared are the operations that need something done before they can be encoded.
var prepared = api.Ops(api.OpReadv, api.OpWritev, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC, api.OpRecvMsg, api.OpConnect, api.OpAccept, api.OpShutdown, api.OpClose,
	api.OpWaitid, api.OpFutexWait, api.OpFutexWaitv, api.OpFixedFDInstall) | socketOps | argOps | fixedOps

// prepare fills in the slot's MsgBuf. It returns false when there is nothing to encode: the operation has ended, or is performed here.
func (d *driver) prepare(s *core.Slot) bool {
	if fixedOps.Has(s.Op.Code) {
		return d.prepareFixed(s)
	}
	if d.emulated.Has(s.Op.Code) {
		d.flushFirst()
		d.start(s)
		return false
	}
	var errno unix.Errno
	switch s.Op.Code {
	case api.OpRecv: // there is a group that is handed out here, and this is not about it
	case api.OpReadv, api.OpWritev:
		m := s.NeedMsg()
		m.Set(s.Op.Msg.Bufs, nil)
		if m.Len() == 0 && s.Op.Code == api.OpReadv {
			d.start(s) // see Start
			return false
		}
	case api.OpRecvMsg:
		m := s.NeedMsg()
		m.Set(s.Op.Msg.Bufs, s.Op.Msg.Control)
		m.WantAddr()
		if len(s.Op.Msg.Control) > 0 && s.FD.Kind&(ringCtl|pollCtl) == 0 {
			d.learnControl(s)
		}
	case api.OpSendMsg:
		errno = d.prepareSendMsg(s)
	case api.OpSendZC, api.OpSendMsgZC:
		if s.FD.Kind&copyFD != 0 && d.emulated.Has(plain(s.Op.Code)) {
			d.flushFirst()
			d.start(s)
			return false
		}
		if s.Op.Code == api.OpSendMsgZC {
			errno = d.prepareSendMsg(s)
		}
	case api.OpConnect:
		m := s.NeedMsg()
		m.Set(nil, nil)
		d.count.Enters++
		errno = attempt.SetAddr(&s.Op, m)
	case api.OpAccept:
		return d.prepareAccept(s)
	case api.OpWaitid:
		s.NeedExtra()
	case api.OpFutexWait, api.OpFutexWaitv:
		attempt.SetFutexes(s)
	case api.OpShutdown:
		d.shutdown(s)
		return false
	case api.OpClose:
		d.close(s)
		return false
	case api.OpFixedFDInstall:
		d.flushFirst()
		d.start(s)
		return false
	case api.OpSocket, api.OpBind, api.OpListen, api.OpUringCmd:
		return d.prepareSocket(s)
	default:
		return d.prepareArgs(s)
	}
	if errno != 0 {
		d.e.End(s, -int32(errno))
		return false
	}
	return true
}

func (d *driver) prepareSendMsg(s *core.Slot) unix.Errno {
	if !s.Op.Msg.Addr.IsZero() {
		d.count.Enters++ // the family of the socket is asked for
	}
	return attempt.SetMsg(&s.Op, s.NeedMsg())
}

func (d *driver) prepareAccept(s *core.Slot) bool {
	if s.Op.Flags&api.IntoSlot != 0 {
		// The kernel would take connections that there may be no slot for. Here each attempt has its place first (docs/DESIGN.md).
		d.flushFirst()
		d.start(s)
		return false
	}
	if s.Op.Flags&api.DontWait != 0 && !d.kern.Has(api.KernAcceptDontWait) {
		d.start(s) // the kernel has no flag for it
		return false
	}
	if s.Op.Msg != nil {
		m := s.NeedMsg()
		m.Set(nil, nil)
		m.WantAddr()
	}
	return true
}

// encode writes the present leg of s into q.
func (d *driver) encode(q *iouring.SQE, s *core.Slot) {
	switch uint64(s.Leg & legMask) {
	case kindOp:
		d.encodeOp(q, s)
		q.Personality = s.Persona
	case kindPoll:
		fd, mask := s.Op.FD, uint32(unix.POLLIN)
		if s.Leg&tried != 0 {
			fd = attempt.WaitFD(s)
		}
		if s.Leg&writes != 0 {
			mask = unix.POLLOUT
			if attempt.TwoFiles(s.Op.Code) {
				fd = s.FD2
			}
		}
		q.PrepPollAdd(fd, mask)
	case kindTimer:
		p := &d.pauses[0]
		if s.Leg>>pauseShift == 3 {
			p = &d.pauses[1]
		}
		q.PrepTimeout(p, 0, 0)
	}
	q.UserData = userDataOf(s)
	if s.FD != nil {
		byPlace(q, s)
	}
}

// encodeOp writes the operation itself into q.
func (d *driver) encodeOp(q *iouring.SQE, s *core.Slot) {
	op := &s.Op
	if s.Group != nil && !s.Group.Wired() {
		d.encodeSelected(q, s)
		return
	}
	switch op.Code {
	case api.OpNop:
		q.PrepNop()
	case api.OpRecv:
		p, n := iouring.Bytes(op.Buf[s.Done:])
		d.bytes += uint64(n)
		q.PrepRecv(op.FD, p, n, recvFlags(s))
	case api.OpSend:
		p, n := iouring.Bytes(op.Buf[s.Done:])
		d.bytes += uint64(n)
		q.PrepSend(op.FD, p, n, sendFlags(s))
	case api.OpSendZC, api.OpSendMsgZC:
		d.encodeZC(q, s)
	case api.OpRecvZC:
		d.wired[op.Group].card.Prepare(q, op.FD)
	case api.OpRead:
		p, n := iouring.Bytes(op.Buf)
		d.bytes += uint64(n)
		q.PrepRead(op.FD, p, n, uint64(op.Off))
		q.OpFlags = rwFlags(s)
	case api.OpWrite:
		p, n := iouring.Bytes(op.Buf)
		d.bytes += uint64(n)
		q.PrepWrite(op.FD, p, n, uint64(op.Off))
		q.OpFlags = rwFlags(s) | d.noSignal
	case api.OpReadv:
		p, n := s.Msg.Iovecs()
		d.bytes += uint64(s.Msg.Len())
		q.PrepReadv(op.FD, p, uint32(n), uint64(op.Off))
		q.OpFlags = rwFlags(s)
	case api.OpWritev:
		p, n := s.Msg.Iovecs()
		d.bytes += uint64(s.Msg.Len())
		q.PrepWritev(op.FD, p, uint32(n), uint64(op.Off))
		q.OpFlags = rwFlags(s) | d.noSignal
	case api.OpRecvMsg:
		s.Msg.Rearm()
		d.bytes += uint64(s.Msg.Len())
		q.PrepRecvmsg(op.FD, s.Msg.Pointer(), recvFlags(s)|unix.MSG_CMSG_CLOEXEC)
	case api.OpSendMsg:
		d.bytes += uint64(s.Msg.Len())
		q.PrepSendmsg(op.FD, s.Msg.Pointer(), sendFlags(s))
	case api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed:
		d.encodeFixed(q, s)
	case api.OpAccept:
		d.encodeAccept(q, s)
	case api.OpConnect:
		sa, n := s.Msg.RawAddr()
		// SAFETY: the address is part of the slot's MsgBuf, which is on the heap and stays there.
		q.PrepConnect(op.FD, unsafe.Pointer(sa), n)
	case api.OpPoll:
		d.encodePoll(q, op)
	case api.OpFsync:
		flags := uint32(0)
		if op.Flags&api.DataSync != 0 {
			flags = iouring.IORING_FSYNC_DATASYNC
		}
		q.PrepFsync(op.FD, 0, 0, flags)
	case api.OpSocket, api.OpBind, api.OpListen, api.OpUringCmd:
		encodeSocket(q, s)
	case api.OpWaitid:
		d.encodeWaitid(q, s)
	case api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv:
		d.encodeFutex(q, s)
	default:
		encodeArgs(q, s)
	}
}

func (d *driver) encodeAccept(q *iouring.SQE, s *core.Slot) {
	op := &s.Op
	flags := op.Arg | unix.SOCK_CLOEXEC
	switch {
	case op.Msg != nil:
		s.Msg.Rearm()
		// SAFETY: Pointer is the address of the msghdr in the slot's MsgBuf, which is on the heap and
		// stays there. Its name points into the same MsgBuf.
		h := (*unix.Msghdr)(s.Msg.Pointer())
		q.PrepAccept(op.FD, unsafe.Pointer(h.Name), &h.Namelen, flags)
	case op.Flags&api.Multishot != 0 && d.kern.Has(api.KernMultishotAccept):
		q.PrepAcceptMultishot(op.FD, flags)
	default:
		q.PrepAccept(op.FD, nil, nil, flags)
	}
	if op.Flags&api.DontWait != 0 && d.kern.Has(api.KernAcceptDontWait) {
		q.Ioprio |= iouring.IORING_ACCEPT_DONTWAIT
	}
}

func encodeCancel(q *iouring.SQE, p pending) {
	q.PrepCancel(p.target, 0)
	q.UserData = p.userData
}

// msgFlags are the MSG_* flags of a receive or send.
func msgFlags(op *api.Op) uint32 {
	flags := op.Arg
	if op.Flags&(api.WaitAll|api.DontWait) != 0 {
		if op.Flags&api.WaitAll != 0 {
			flags |= unix.MSG_WAITALL
		}
		if op.Flags&api.DontWait != 0 {
			flags |= unix.MSG_DONTWAIT
		}
	}
	return flags
}

// rwFlags are the RWF_* flags of a read or write.
func rwFlags(s *core.Slot) uint32 {
	if s.Op.Flags&api.DontWait != 0 {
		return sysx.RWFNoWait
	}
	return 0
}

// waitsFor is what the file of an operation must be ready for.
func waitsFor(op *api.Op) uint32 {
	switch op.Code {
	case api.OpSend, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC, api.OpWrite, api.OpWritev, api.OpWriteFixed, api.OpWritevFixed, api.OpConnect:
		return unix.POLLOUT
	}
	return unix.POLLIN
}
