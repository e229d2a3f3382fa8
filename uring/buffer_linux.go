package uring

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// What is here is for the operations that take a buffer of a group when there is data. If the kernel hands out the buffers of the group, from a
// ring, it performs the operation, whatever there is: an attempt of ours could not take one. If the core hands them out, it is all attempts.

// phasePlain in Slot.Phase, which the attempts do not use then: RWF_NOWAIT is left out, for the file does not know it.
const phasePlain = math.MaxUint8

// phaseShut in Slot.Phase says that the datagram socket of a multishot that is one receive after the other has been shut down for reading: see stopped.
const phaseShut = phasePlain - 1

// phaseSeek in Slot.Phase says that Op.Off is the position of the file, which the read moves.
const phaseSeek = phaseShut - 1

// startSelected is Start for an operation with a group.
func (d *driver) startSelected(s *core.Slot) {
	if s.Op.Code == api.OpSend && d.gathers {
		if unsure(s.FD.Kind) {
			d.learn(s)
		}
		d.put(s)
		return
	}
	if !s.Group.HandsOut() {
		d.flushFirst()
		d.start(s)
		return
	}
	switch s.Op.Code {
	case api.OpRecv:
		if s.Group.Incremental() && s.FD.Kind&known == 0 {
			d.learn(s) // whether it is a stream: see reapPieces
		}
	case api.OpRead, api.OpReadMultishot:
		if !d.readable(s) {
			return
		}
		d.hasPosition(s)
	case api.OpRecvMsg:
		m := s.NeedMsg()
		if s.Op.Flags&api.Multishot != 0 {
			m.SetRoom(api.PartsName, core.PartsHead(&s.Op)-api.PartsHead-api.PartsName)
			break
		}
		m.Set(nil, s.Op.Msg.Control)
		m.WantAddr()
		if len(s.Op.Msg.Control) > 0 && s.FD.Kind&(ringCtl|pollCtl) == 0 {
			d.learnControl(s)
		}
	}
	d.put(s)
}

// readable says whether the file of a read is one that the kernel reads. If not, s has ended. What ringDoes leaves to attempts,
// for a single buffer the kernel does the same: it asks the file's poll, and reads when that says so.
func (d *driver) readable(s *core.Slot) bool {
	multishot := s.Op.Code == api.OpReadMultishot
	if multishot {
		if errno := d.tries.Endless(s); errno != 0 {
			d.e.End(s, -int32(errno))
			return false
		}
		s.Phase = 0
	}
	if multishot || unsure(s.FD.Kind) {
		d.learn(s)
	}
	if s.FD.Kind&fileKind == deadFD {
		d.e.End(s, -int32(unix.EINVAL))
		return false
	}
	return true
}

// hasPosition is for a read at the position of a file: see direct. The buffer is the kernel's to choose, so that the read cannot be made by an attempt. It is at the
// position that the file has when it is its turn, and moves that when it has ended.
func (d *driver) hasPosition(s *core.Slot) {
	if s.Op.Code != api.OpRead || s.Op.Off != api.CurrentPosition || s.FD.Kind&(streamFD|packetFD) != 0 || !d.direct(s) {
		return
	}
	d.count.Enters++
	if at, err := unix.Seek(int(s.Op.FD), 0, unix.SEEK_CUR); err == nil {
		s.Op.Off, s.Phase = at, phaseSeek
	}
}

// encodeSelected writes an operation with a group into q. A multishot read of other than a socket or a pipe is one read after the other: where a file does not
// know RWF_NOWAIT the kernel's own (Linux 6.18) waits for ever for what poll does not report as data (EIO of a terminal's master), and for inotify.
func (d *driver) encodeSelected(q *iouring.SQE, s *core.Slot) {
	op := &s.Op
	switch {
	case op.Code == api.OpSend:
		d.bytes += uint64(s.Msg.Len())
		q.PrepSendmsg(op.FD, s.Msg.Pointer(), sendFlags(s))
		return
	case op.Code == api.OpRecvZC:
		q.PrepRecvMultishot(op.FD, op.Group, 0)
		return
	case op.Code == api.OpRecv:
		// MSG_TRUNC would report more bytes than there are in the buffer.
		q.PrepRecv(op.FD, nil, 0, msgFlags(op)&^unix.MSG_TRUNC)
		switch {
		case op.Flags&api.Multishot != 0 && !inRounds(s):
			q.Ioprio = iouring.IORING_RECV_MULTISHOT
		case s.Phase == phaseShut:
			q.OpFlags |= unix.MSG_DONTWAIT
		case op.Flags&api.DontWait == 0 && s.Group.Incremental() && !s.Holds():
			// What it remembers when it has to wait would be wrong: see reapPieces. A datagram would lose its end.
			q.Ioprio |= iouring.IORING_RECVSEND_POLL_FIRST
		}
		if op.Flags&api.Bundle != 0 {
			if d.kern.Has(api.KernBundles) && !s.Group.Incremental() { // see docs/DESIGN.md
				q.Ioprio |= iouring.IORING_RECVSEND_BUNDLE
			}
			if s.Holds() {
				q.OpFlags |= unix.MSG_DONTWAIT // see endBuffer
			}
		}
	case op.Code == api.OpRecvMsg && op.Flags&api.Multishot != 0:
		q.PrepRecvmsgMultishot(op.FD, s.Msg.Pointer(), op.Group, msgFlags(op)&^unix.MSG_TRUNC|unix.MSG_CMSG_CLOEXEC)
	case op.Code == api.OpRecvMsg:
		s.Msg.Rearm()
		q.PrepRecvmsg(op.FD, s.Msg.Pointer(), recvFlags(s)&^unix.MSG_TRUNC|unix.MSG_CMSG_CLOEXEC)
	case op.Code == api.OpReadMultishot && !d.readsInRounds(s):
		q.PrepReadMultishot(op.FD, 0, iouring.CurrentPosition, op.Group)
	default:
		n := uint32(s.Group.Size())
		d.bytes += uint64(n)
		q.PrepRead(op.FD, nil, n, uint64(op.Off))
		switch s.Phase {
		case phasePlain:
		case phaseShut:
			q.OpFlags = sysx.RWFNoWait
		default:
			q.OpFlags = rwFlags(s)
		}
	}
	q.SetBufferGroup(op.Group)
}

// inRounds says whether a multishot receive is one receive after the other: of datagrams into pieces of buffers.
func inRounds(s *core.Slot) bool { return s.Group.Incremental() && s.FD.Kind&streamFD == 0 }

// readsInRounds says the same of a multishot read.
func (d *driver) readsInRounds(s *core.Slot) bool {
	return d.emulated.Has(s.Op.Code) || s.FD.Kind&fileKind > storeFD
}

// stopped says whether a multishot that is one receive after the other has got 0 because its datagram socket has been shut down for reading, and goes on
// then, as the kernel's own does. From then on it is told not to wait, so that a 0 is an empty datagram; the first of those, if it has come by now, is taken
// for the shutdown.
func (d *driver) stopped(s *core.Slot) bool {
	if s.Op.Flags&api.Multishot == 0 || s.Phase == phaseShut || s.FD.Kind&packetFD == 0 || s.Ending() ||
		!(s.Op.Code == api.OpRecv && inRounds(s) || s.Op.Code == api.OpReadMultishot && d.readsInRounds(s)) || !d.tries.StoppedReading(s.Op.FD) {
		return false
	}
	s.Phase = phaseShut
	d.goOn(s)
	return true
}

// selected takes in the result of an operation with a group.
func (d *driver) selected(s *core.Slot, res int32, flags uint32) {
	switch {
	case s.Op.Code == api.OpSend:
		d.message(s, res)
		return
	case s.Group.Wired():
		d.receivedZC(s, res, flags)
		return
	}
	if s.Phase == phaseSeek && res > 0 {
		d.count.Enters++
		_, _ = unix.Seek(int(s.Op.FD), s.Op.Off+int64(res), unix.SEEK_SET) // it had a position when the read began
	}
	if flags&iouring.IORING_CQE_F_BUFFER == 0 {
		if res < 0 {
			d.selectFailed(s, res)
			return
		}
		if s.Op.Code == api.OpRecvMsg && s.Op.Flags&api.Multishot == 0 {
			attempt.FillMsg(s.Op.Msg, s.Msg)
		}
		d.e.End(s, res) // the end of the stream, or an empty datagram
		return
	}
	bid := uint16(flags >> iouring.IORING_CQE_BUFFER_SHIFT)
	if s.Op.Code == api.OpRecvMsg && res >= 0 {
		if s.Op.Flags&api.Multishot == 0 {
			attempt.FillMsg(s.Op.Msg, s.Msg)
		} else if int(res) == core.PartsHead(&s.Op) {
			d.selectedEmpty(s, bid, res)
			return
		}
	}
	if res > 0 && s.Holds() {
		d.e.EmitHeld(s)
	}
	if res > 0 && s.Op.Flags&api.Bundle != 0 && !s.Group.Incremental() {
		bid, res = d.spread(s, bid, res)
	}
	if s.Group.Incremental() && flags&iouring.IORING_CQE_F_BUF_MORE == 0 && int(res) < len(s.Group.Rest(bid)) && (res > 0 || d.usedUp(s.Group, bid)) {
		s.Group.Cut(bid, max(res, 0))
	}
	if invariants.Enabled && res > 0 && s.Group.Incremental() {
		full := int(res) == len(s.Group.Rest(bid))
		invariants.Check(!full || flags&iouring.IORING_CQE_F_BUF_MORE == 0, "buffer %d is full, and the kernel says otherwise", bid)
	}
	switch {
	case res > 0 && flags&more != 0:
		d.e.EmitBuffer(s, bid, res)
	case res > 0 && s.Op.Flags&api.Multishot == 0:
		d.endBuffer(s, bid, res)
	case res > 0:
		d.e.EmitBuffer(s, bid, res)
		d.goOn(s)
	default:
		if !s.Group.Incremental() { // where a buffer stays until it is full: see Cut
			s.Group.Touch(bid)
			d.Recycle(s.Group, bid) // it was taken and not used
		}
		if res < 0 {
			d.selectFailed(s, res)
			return
		}
		if !d.stopped(s) {
			d.e.End(s, 0)
		}
	}
}

// spread delivers what a bundle has filled but for the last buffer, and says which that is, and how much is in it.
func (d *driver) spread(s *core.Slot, bid uint16, n int32) (uint16, int32) {
	r := d.groups[s.Op.Group]
	for {
		room := int32(r.ring.Len(r.at[bid])) // the kernel may have cut it, for data that somebody else has taken
		if n <= room {
			return bid, n
		}
		d.e.EmitBuffer(s, bid, room)
		bid, n = r.behind(bid), n-room
	}
}

// endBuffer ends a receive that is no multishot, with n bytes in a buffer. With Bundle it goes on, without waiting, as long as there is
// data: the kernel stops before a buffer that it cannot fill, and takes one only when it does not know how much there is.
func (d *driver) endBuffer(s *core.Slot, bid uint16, n int32) {
	if s.Op.Flags&api.Bundle != 0 && int(n) == len(s.Group.Rest(bid)) && s.Group.Available() > 1 && !s.Ending() {
		d.count.Enters++
		if inq, errno := sysx.InQ(s.Op.FD); errno == 0 && inq > 0 {
			s.Hold(bid, n)
			s.Leg &^= polled
			d.put(s)
			return
		}
	}
	d.e.EndBuffer(s, bid, n)
}

// selectedEmpty ends a RecvMsgMultishot, as the kernel has done, with a message whose payload is empty, unless that is nothing but the end of the stream.
func (d *driver) selectedEmpty(s *core.Slot, bid uint16, res int32) {
	if core.Blank(s, s.Group.Bytes(bid)) {
		s.Group.Touch(bid)
		d.Recycle(s.Group, bid)
		d.e.End(s, 0)
		return
	}
	d.e.EndBuffer(s, bid, res)
}

// selectFailed is file for an operation with a group, and fail for those that are no reads.
func (d *driver) selectFailed(s *core.Slot, res int32) {
	op := &s.Op
	switch {
	case res == -int32(unix.ENOBUFS) && !s.Holds():
		d.noBuffer(s)
	case op.Code != api.OpRead:
		d.fail(s, res)
	case res == -int32(unix.ESPIPE) && op.Off > 0,
		res == -int32(unix.EINVAL) && op.Off > math.MaxInt64-int64(s.Group.Size()) && !d.tries.Positions(s):
		op.Off = 0
		d.goOn(s)
	case res == -int32(unix.EOPNOTSUPP) && op.Flags&api.DontWait != 0 && s.Phase != phasePlain:
		d.count.Enters++
		if got, errno := sysx.Poll1(op.FD, api.PollIn); errno == 0 && got == 0 {
			d.e.End(s, -int32(unix.EAGAIN))
			return
		}
		s.Phase = phasePlain
		d.goOn(s)
	default:
		d.fail(s, res)
	}
}

// noBuffer is called when the kernel has found no buffer. A multishot looks for one before it knows of data, where the socket does not tell how much there
// is (datagrams; Unix streams before Linux 6.17), and by now some may be back. It is due when there is data, and no buffer still.
func (d *driver) noBuffer(s *core.Slot) {
	if s.Ending() || !d.hasNone(s.Group) {
		d.goOn(s)
		return
	}
	d.count.Enters++
	got, errno := sysx.Poll1(s.Op.FD, api.PollIn)
	switch {
	case errno != 0 || got != 0:
		d.e.End(s, -int32(core.OutOfBuffers(s)))
	case s.Op.Flags&api.DontWait != 0:
		d.e.End(s, -int32(unix.EAGAIN))
	default:
		s.Leg &^= polled
		setLeg(s, kindPoll)
		d.put(s)
	}
}

// hasNone says whether the kernel has no buffer of a group left. Not all that it has taken are out: a read of a file on a disk has one until it ends, which may be
// long, and what asked again meanwhile would turn in a circle.
func (d *driver) hasNone(g *core.Group) bool {
	if g.Available() == 0 {
		return true
	}
	d.count.Enters++
	head, err := d.ring.PbufStatus(g.ID())
	return err == nil && uint16(head) == d.groups[g.ID()].ring.Tail()
}
