package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
)

// Once is Try for any operation, those that take a buffer of their group included, where the engine hands the
// buffers out. bid is the buffer that it filled, or -1.
func (t *Tries) Once(s *core.Slot) (res int32, bid int, v Verdict) {
	if s.Op.Flags&api.BufferSelect == 0 {
		res, v = t.Try(s)
		return res, -1, v
	}
	switch s.Op.Code {
	case api.OpRecv, api.OpRecvZC:
		return t.recvBuffer(s)
	case api.OpSend:
		res, v = t.sendRest(s)
		return res, -1, v
	case api.OpRecvMsg:
		return t.recvMsgBuffer(s)
	case api.OpRead, api.OpReadMultishot:
		return t.readBuffer(s)
	}
	return -int32(syscall.EINVAL), -1, Done
}

// Last says whether the result of an attempt is the last of a multishot operation.
func Last(s *core.Slot, res int32) bool {
	if res <= 0 {
		return res < 0 || s.Group != nil
	}
	return s.Op.Code == api.OpRecvMsg && int(res) == core.PartsHead(&s.Op) // an empty datagram
}

// recvBuffer receives once into a buffer of the operation's group, with Bundle into as many as it takes.
func (t *Tries) recvBuffer(s *core.Slot) (int32, int, Verdict) {
	g := s.Group
	bid, ok := g.Take()
	if !ok {
		res, v := t.noBuffer(s)
		return res, -1, v
	}
	if s.Op.Flags&api.Bundle != 0 {
		return t.recvBundle(s, bid)
	}
	b := g.Rest(bid)
	t.Asked = len(b)
	n, errno := t.RecvInto(s, b)
	if errno == 0 && n > 0 {
		return int32(min(n, len(b))), int(bid), Done // MSG_TRUNC tells of more than there is in the buffer
	}
	g.Untake(bid)
	res, v := outcome(s, 0, errno, Readable)
	return res, -1, v
}
