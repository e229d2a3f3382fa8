package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// RecvInto receives once into b, on behalf of s.
func (t *Tries) RecvInto(s *core.Slot, b []byte) (int, syscall.Errno) {
	t.Calls++
	flags := int(s.Op.Arg) | sysx.MsgDontWait
	if s.Group != nil {
		flags &^= sysx.MsgTrunc // it would report more bytes than there are in the buffer, or leave it as it was
	}
	return sysx.Recv(s.Op.FD, b, flags)
}

func (t *Tries) recv(s *core.Slot) (int32, Verdict) {
	for {
		n, errno := t.RecvInto(s, s.Op.Buf[s.Done:])
		if errno != 0 || !t.goesOn(s, n, len(s.Op.Buf)) {
			return outcome(s, int(s.Done)+n, errno, Readable)
		}
	}
}

func (t *Tries) send(s *core.Slot) (int32, Verdict) {
	for {
		t.Calls++
		n, errno := sysx.Send(s.Op.FD, s.Op.Buf[s.Done:], int(s.Op.Arg)|sysx.MsgDontWait)
		if errno != 0 || !t.goesOn(s, n, len(s.Op.Buf)) {
			return outcome(s, int(s.Done)+n, errno, Writable)
		}
	}
}

// goesOn says whether a WaitAll that has just moved n bytes has more to do, and if so counts them. On
// other than stream sockets one datagram, or record, is all there is. With DontWait it has not: what is short has met the end, no room, or an
// error, and another attempt would take that error from the next operation (STR-19).
func (t *Tries) goesOn(s *core.Slot, n, total int) bool {
	if s.Op.Flags&(api.WaitAll|api.DontWait) != api.WaitAll || n <= 0 || int(s.Done)+n >= total || n+int(s.Done) > total {
		return false
	}
	t.Calls++
	if typ, errno := sysx.SocketType(s.Op.FD); errno != 0 || typ != syscall.SOCK_STREAM {
		return false
	}
	s.Done += int32(n)
	return true
}

func (t *Tries) recvMsg(s *core.Slot) (int32, Verdict) {
	m := s.NeedMsg()
	if s.Phase == phaseNew {
		s.Phase = phaseSet
		m.Set(s.Op.Msg.Bufs, s.Op.Msg.Control)
		m.WantAddr()
	}
	for {
		t.Calls++
		total := int(s.Done) + m.Len()
		n, errno := sysx.RecvMsg(s.Op.FD, m, int(s.Op.Arg)|sysx.MsgDontWait)
		switch {
		case errno == 0 && s.Done == 0:
			FillMsg(s.Op.Msg, m)
		case errno == 0:
			AddFlags(s.Op.Msg, m)
		}
		if errno != 0 || !t.goesOn(s, n, total) {
			return outcome(s, int(s.Done)+n, errno, Readable)
		}
		m.Advance(n)
	}
}

// FillMsg puts what a recvmsg has left in m into the program's Msg.
func FillMsg(msg *api.Msg, m *sysx.MsgBuf) {
	msg.Addr.IP, msg.Addr.Path = m.Addr()
	msg.ControlLen = m.ControlLen()
	msg.Flags = 0
	AddFlags(msg, m)
}

// AddFlags puts the flags of a later part of a WaitAll into the program's Msg. Address and control data are those of the first; other
// control data has been lost, which is in the flags.
func AddFlags(msg *api.Msg, m *sysx.MsgBuf) {
	msg.Flags |= m.Flags() &^ sysx.MsgCmsgCloexec // which we have asked for, and the program has not
}

// SetMsg fills m with what a sendmsg sends and where to.
func SetMsg(op *api.Op, m *sysx.MsgBuf) syscall.Errno {
	m.Set(op.Msg.Bufs, op.Msg.Control)
	if op.Msg.Addr.IsZero() {
		return 0
	}
	return SetAddr(op, m)
}

// SetAddr puts the address of op into m, in the family of its socket.
func SetAddr(op *api.Op, m *sysx.MsgBuf) syscall.Errno {
	family, errno := sysx.SocketFamily(op.FD)
	if errno != 0 {
		return errno
	}
	return m.SetAddr(op.Msg.Addr.IP, op.Msg.Addr.Path, family)
}

func (t *Tries) sendMsg(s *core.Slot) (int32, Verdict) {
	m := s.NeedMsg()
	if s.Phase == phaseNew {
		s.Phase = phaseSet
		if errno := SetMsg(&s.Op, m); errno != 0 {
			return -int32(errno), Done
		}
	}
	return t.sendRest(s)
}

// sendRest sends what is left in the slot's MsgBuf: of a message, or of a bundle, which the core has put there.
func (t *Tries) sendRest(s *core.Slot) (int32, Verdict) {
	m := s.Msg
	for {
		t.Calls++
		total := int(s.Done) + m.Len()
		n, errno := sysx.SendMsg(s.Op.FD, m, int(s.Op.Arg)|sysx.MsgDontWait)
		if errno != 0 || !t.goesOn(s, n, total) {
			return outcome(s, int(s.Done)+n, errno, Writable)
		}
		m.Advance(n)
	}
}

func (t *Tries) accept(s *core.Slot) (int32, Verdict) {
	if s.Phase == phaseNew {
		if errno := t.unblock(s.Op.FD); errno != 0 {
			return -int32(errno), Done
		}
		s.Phase = phaseSet
	}
	if s.Op.Flags&api.IntoSlot == 0 {
		return t.acceptOnce(s)
	}
	if errno := t.Engine.Claim(s); errno != 0 {
		return -int32(errno), Done
	}
	res, v := t.acceptOnce(s)
	if v != Done || res < 0 {
		t.Engine.Unclaim()
	}
	return res, v
}

func (t *Tries) acceptOnce(s *core.Slot) (int32, Verdict) {
	t.Calls++
	if s.Op.Msg == nil {
		n, _, errno := sysx.Accept(s.Op.FD, nil, int(s.Op.Arg))
		return outcome(s, n, errno, Readable)
	}
	sa, _ := s.NeedMsg().RawAddr()
	n, size, errno := sysx.Accept(s.Op.FD, sa, int(s.Op.Arg))
	if errno == 0 {
		s.Op.Msg.Addr.IP, s.Op.Msg.Addr.Path = sysx.DecodeAddr(sa, size)
	}
	return outcome(s, n, errno, Readable)
}

// unblock makes a listening socket non-blocking, for accept has no flag that does it for one call.
func (t *Tries) unblock(fd int32) syscall.Errno {
	t.Calls++
	if on, errno := sysx.Nonblock(fd); on || errno != 0 {
		return errno
	}
	t.Calls += 2
	if on, errno := sysx.Listening(fd); errno != 0 || on == 0 {
		return errno // accept says what is wrong with it, and does not wait
	}
	return sysx.SetNonblock(fd, true)
}

func (t *Tries) connect(s *core.Slot) (int32, Verdict) {
	if s.Phase == phaseStarted {
		return t.connected(s)
	}
	m := s.NeedMsg()
	if s.Phase == phaseNew {
		m.Set(nil, nil)
		if errno := SetAddr(&s.Op, m); errno != 0 {
			return -int32(errno), Done
		}
		s.Phase = phaseSet
	}
	errno := t.connectOnce(s.Op.FD, m)
	switch errno {
	case 0:
		return 0, Done
	case syscall.EINPROGRESS:
		s.Phase = phaseStarted
		return 0, Writable
	case syscall.EAGAIN:
		// The backlog of a Unix socket is full. Poll says that the socket is writable all the
		// while, so that there is nothing to wait for but time.
		return 0, Soon
	}
	return -int32(errno), Done
}

func (t *Tries) connectOnce(fd int32, m *sysx.MsgBuf) syscall.Errno {
	sa, n := m.RawAddr()
	t.Calls += 2
	on, errno := sysx.Nonblock(fd)
	if errno != 0 {
		return errno
	}
	if on {
		return sysx.Connect(fd, sa, n)
	}
	t.Calls += 2
	if errno := sysx.SetNonblock(fd, true); errno != 0 {
		return errno
	}
	errno = sysx.Connect(fd, sa, n)
	if e := sysx.SetNonblock(fd, false); e != 0 && errno == 0 {
		return e
	}
	return errno
}

// connected asks how a connect ended that was under way. SO_ERROR is read here only: it takes
// the error away, which anywhere else belongs to the operation that comes next.
func (t *Tries) connected(s *core.Slot) (int32, Verdict) {
	t.Calls += 2
	got, errno := sysx.Poll1(s.Op.FD, api.PollOut)
	if errno != 0 {
		return -int32(errno), Done
	}
	if got == 0 {
		return 0, Writable
	}
	soerr, errno := sysx.SoError(s.Op.FD)
	if errno != 0 || soerr != 0 {
		return -int32(max(errno, soerr)), Done
	}
	// The connection is there, but until connect(2) is called again the socket counts as
	// connecting, and the next connect of the program would succeed instead of saying EISCONN.
	t.Calls++
	sa, n := s.Msg.RawAddr()
	if errno := sysx.Connect(s.Op.FD, sa, n); errno != 0 && errno != syscall.EISCONN {
		return -int32(errno), Done
	}
	return 0, Done
}
