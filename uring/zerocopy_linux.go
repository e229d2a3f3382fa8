package uring

import (
	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
)

// zeroCopyOps are the sends that do not copy.
var zeroCopyOps = api.Ops(api.OpSendZC, api.OpSendMsgZC)

// encodeZC writes a zero-copy send into q, or a plain one where the socket has no other.
func (d *driver) encodeZC(q *iouring.SQE, s *core.Slot) {
	op, flags := &s.Op, sendFlags(s)
	copies := s.FD.Kind&copyFD != 0
	s.Copied = s.Copied || copies
	if op.Code == api.OpSendMsgZC {
		d.bytes += uint64(s.Msg.Len())
		if copies {
			q.PrepSendmsg(op.FD, s.Msg.Pointer(), flags)
			return
		}
		q.PrepSendmsgZC(op.FD, s.Msg.Pointer(), flags)
	} else {
		p, n := iouring.Bytes(op.Buf[s.Done:])
		d.bytes += uint64(n)
		if copies {
			q.PrepSend(op.FD, p, n, flags)
			return
		}
		if s.ByTable = op.Flags&api.FixedBuffer != 0 && n > 0 && d.inTable(s); s.ByTable {
			q.PrepSendZCFixed(op.FD, p, n, flags, 0, op.Group)
		} else {
			q.PrepSendZC(op.FD, p, n, flags, 0)
		}
	}
	if op.Flags&api.ReportUsage != 0 {
		q.Ioprio |= iouring.IORING_SEND_ZC_REPORT_USAGE
	}
}

// sentZC takes in the result of a zero-copy send. The kernel sends a notification for each that has More, also for one that has failed (measured
// on 6.18): dispatch counts them.
func (d *driver) sentZC(s *core.Slot, res int32) {
	switch {
	case res == -int32(unix.EOPNOTSUPP) && s.FD.Kind&copyFD == 0:
		// A Unix socket, netlink and others have no zero-copy sends (SOCK_SUPPORT_ZC in the kernel). If it was a flag that it does not
		// have, the plain send says so.
		s.FD.Kind |= copyFD
		if d.emulated.Has(plain(s.Op.Code)) && !s.Ending() {
			d.start(s)
			return
		}
		d.goOn(s)
	case (res == -int32(unix.ENOMEM) || res == -int32(unix.EFAULT) && s.Fixed != nil) && !s.Ending():
		// There is no memory for the notification, or RLIMIT_MEMLOCK is used up: it is sent by copying. Or the kernel's table of buffers has changed, perhaps,
		// since it was put there.
		d.start(s)
	case s.Op.Code == api.OpSendMsgZC:
		d.message(s, res)
	default:
		d.moved(s, res)
	}
}

// notified takes in a notification of the kernel's, whichever leg of s it is about.
func (d *driver) notified(s *core.Slot, res int32) {
	id, failed := s.ID(), s.Failed()
	d.e.Notified(s, uint32(res)&iouring.IORING_NOTIF_USAGE_ZC_COPIED != 0)
	if failed != 0 && len(d.asks) > len(d.freeAsks) {
		d.finished(id, failed)
	}
}
