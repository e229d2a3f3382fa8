package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// socketOps are the operations on sockets that never wait.
const socketOps = api.OpSet(1<<api.OpSocket | 1<<api.OpBind | 1<<api.OpListen | 1<<api.OpUringCmd)

// prepareSocket is prepare for socketOps.
func (d *driver) prepareSocket(s *core.Slot) bool {
	op := &s.Op
	switch {
	case op.Code == api.OpUringCmd && !commandable(s):
		d.flushFirst()
		d.plainSocket(s)
		return false
	case op.Code == api.OpBind:
		m := s.NeedMsg()
		m.Set(nil, nil)
		d.count.Enters++
		if errno := attempt.SetAddr(op, m); errno != 0 {
			d.e.End(s, -int32(errno))
			return false
		}
	}
	return true
}

// commandable says whether a command can be left to the kernel: its file must be known to be a socket, for io_uring asks any file, and
// /dev/null for one says 0 to whatever it is asked (measured on 6.18); and options are read at the level SOL_SOCKET only.
func commandable(s *core.Slot) bool {
	return s.FD.Kind&anySocket != 0 && (s.Op.Arg != api.SockGetOpt || s.Op.Off>>32 == unix.SOL_SOCKET)
}

// plainSocket performs an operation by a system call.
func (d *driver) plainSocket(s *core.Slot) {
	res, _ := d.tries.Try(s)
	if s.Op.Code == api.OpUringCmd && res != -int32(unix.ENOTSOCK) && res != -int32(unix.EBADF) {
		s.FD.Kind |= anySocket
	}
	d.e.End(s, res)
}

// encodeSocket writes one of socketOps into q.
func encodeSocket(q *iouring.SQE, s *core.Slot) {
	op := &s.Op
	switch op.Code {
	case api.OpSocket:
		q.PrepSocket(int32(op.Off), op.Arg|unix.SOCK_CLOEXEC, uint32(op.Off>>32), 0)
	case api.OpBind:
		sa, n := s.Msg.RawAddr()
		// SAFETY: the address is part of the slot's MsgBuf, which is on the heap and stays there.
		q.PrepBind(op.FD, unsafe.Pointer(sa), n)
	case api.OpListen:
		q.PrepListen(op.FD, op.Arg)
	case api.OpUringCmd:
		p, n := iouring.Bytes(op.Buf)
		q.PrepUringCmdSock(op.FD, op.Arg, uint32(op.Off>>32), uint32(op.Off), p, n)
	}
}

// socketDone takes in the result of one of socketOps. EOPNOTSUPP of a command comes from kernels before 6.7, and from those kinds of sockets
// that io_uring does not ask (a Unix socket for SockInQ): the system call knows better.
func (d *driver) socketDone(s *core.Slot, res int32) {
	switch {
	case s.Op.Code == api.OpUringCmd && res == -int32(unix.EOPNOTSUPP):
		d.plainSocket(s)
	case (core.Interrupted(res) || res == -int32(unix.ECANCELED)) && !s.Ending():
		d.goOn(s) // see fail
	default:
		d.e.End(s, res)
	}
}

// recvFlags are the MSG_* flags of a receive. With MSG_WAITALL io_uring gathers records of a SEQPACKET socket until the buffer is full, which
// recv(2) does not: there a receive takes one.
func recvFlags(s *core.Slot) uint32 {
	flags := msgFlags(&s.Op)
	if k := s.FD.Kind; k&(packetFD|pollCtl) != 0 {
		if k&packetFD != 0 {
			flags &^= unix.MSG_WAITALL
		}
		if k&pollCtl != 0 && s.Op.Msg != nil && len(s.Op.Msg.Control) > 0 {
			flags |= unix.MSG_DONTWAIT
		}
	}
	return flags
}

// learnControl finds out whether a message with control data may wait in the ring. On a Unix stream with SO_PASSCRED it must not: an
// attempt that finds no data puts credentials of nobody into the control data, and the next one has no room left (Linux 6.18: unix_stream_read_generic
// does so for EAGAIN, too, and io_uring does not put the lengths back). So it is told not to wait, and waits here.
func (d *driver) learnControl(s *core.Slot) {
	d.count.Enters++
	kind := ringCtl
	if family, errno := sysx.SocketFamily(s.Op.FD); errno == 0 && family == unix.AF_UNIX {
		d.count.Enters++
		if typ, errno := sysx.SocketType(s.Op.FD); errno == 0 && typ == unix.SOCK_STREAM {
			kind = pollCtl
		}
	}
	s.FD.Kind |= kind
}
