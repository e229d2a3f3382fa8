package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// What is here takes a buffer of a group, where the engine hands them out, and is no receive.

// readBuffer reads once into a buffer of the operation's group. A regular file that has to be waited for keeps the buffer, in
// Slot.Held, while a worker goes on with it.
func (t *Tries) readBuffer(s *core.Slot) (int32, int, Verdict) {
	multishot := s.Op.Flags&api.Multishot != 0
	if s.Phase == phaseNew {
		errno := t.kind(s, multishot)
		if errno == 0 && multishot {
			errno = t.endless(s)
		}
		if errno != 0 {
			return -int32(errno), -1, Done
		}
	}
	bid, ok := s.Group.Take()
	if !ok {
		res, v := t.noBuffer(s)
		return res, -1, v
	}
	s.Op.Buf = s.Group.Bytes(bid)
	t.Asked = len(s.Op.Buf)
	setVectors(s)
	res, v := t.known(s, false)
	s.Op.Buf = nil
	switch {
	case v == Blocking && !multishot:
		s.Held = int32(bid)
		return 0, -1, v
	case v == Blocking: // the number is another file's by now
		res, v = -int32(sysx.EBadFD), Done
	case v == Done && res > 0:
		return res, int(bid), v
	}
	s.Group.Untake(bid)
	return res, -1, v
}

// noBuffer is what an operation comes to whose group has no buffer left: it fails when there is something to put into one, and waits else.
func (t *Tries) noBuffer(s *core.Slot) (int32, Verdict) {
	if t.Ready(s.Op.FD) {
		return -int32(core.OutOfBuffers(s)), Done
	}
	return outcome(s, 0, syscall.EAGAIN, Readable)
}

// recvMsgBuffer receives a message once into a buffer of the operation's group, with what comes with it if there is more to come.
func (t *Tries) recvMsgBuffer(s *core.Slot) (int32, int, Verdict) {
	bid, ok := s.Group.Take()
	if !ok {
		res, v := t.noBuffer(s)
		return res, -1, v
	}
	m, b := s.NeedMsg(), s.Group.Bytes(bid)
	control, payload, head := s.Op.Msg.Control, b, 0
	if s.Op.Flags&api.Multishot != 0 {
		control, payload = core.SplitParts(b, &s.Op)
		head = core.PartsHead(&s.Op)
	}
	t.Asked = len(b)
	m.SetOne(payload, control)
	m.WantAddr()
	t.Calls++
	n, errno := sysx.RecvMsg(s.Op.FD, m, int(s.Op.Arg)&^sysx.MsgTrunc|sysx.MsgDontWait)
	switch {
	case errno != 0:
	case head > 0:
		core.PutParts(b, m, n)
		if n > 0 || !core.Blank(s, b) {
			return int32(head + n), int(bid), Done
		}
	default:
		FillMsg(s.Op.Msg, m)
		if n > 0 {
			return int32(n), int(bid), Done
		}
	}
	s.Group.Untake(bid)
	res, v := outcome(s, 0, errno, Readable)
	return res, -1, v
}

// Endless says whether the file of a ReadMultishot is one that is waited for again and again, and if not what the operation
// ends with. All backends ask it, when the operation begins.
func (t *Tries) Endless(s *core.Slot) syscall.Errno {
	if errno := t.kind(s, true); errno != 0 {
		return errno
	}
	return t.endless(s)
}

// Positions says whether the file of s is of a kind that is read at positions. It is for a driver that makes no attempt at s.
func (t *Tries) Positions(s *core.Slot) bool {
	errno := t.kind(s, true)
	kind := s.Phase
	s.Phase = phaseNew
	return errno != 0 || hasPositions(kind)
}

func (t *Tries) endless(s *core.Slot) syscall.Errno {
	switch s.Phase {
	default:
		return 0
	case kindChar:
		t.Calls += 3
		if !sysx.Unpollable(s.Op.FD) {
			return 0
		}
	case kindRegular:
	}
	// What its mode forbids comes first.
	t.Calls++
	if _, errno := sysx.Preadv2(s.Op.FD, new(sysx.Iovecs), api.CurrentPosition, 0); errno == syscall.EBADF {
		return errno
	}
	return sysx.EBadFD
}
