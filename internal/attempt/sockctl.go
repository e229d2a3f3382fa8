package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// result is that of a call that never waits: n or the errno.
func result(n int, errno syscall.Errno) (int32, Verdict) {
	if errno != 0 {
		return -int32(errno), Done
	}
	return int32(n), Done
}

// socket makes a socket. The domain is in the lower half of Off, the protocol in the upper.
func (t *Tries) socket(s *core.Slot) (int32, Verdict) {
	t.Calls++
	return result(sysx.Socket(int(int32(s.Op.Off)), int(int32(s.Op.Arg)), int(int32(s.Op.Off>>32))))
}

func (t *Tries) bind(s *core.Slot) (int32, Verdict) {
	m := s.NeedMsg()
	m.Set(nil, nil)
	t.Calls++
	if errno := SetAddr(&s.Op, m); errno != 0 {
		return -int32(errno), Done
	}
	t.Calls++
	sa, n := m.RawAddr()
	return result(0, sysx.Bind(s.Op.FD, sa, n))
}

func (t *Tries) listen(s *core.Slot) (int32, Verdict) {
	t.Calls++
	return result(0, sysx.Listen(s.Op.FD, int32(s.Op.Arg)))
}

// command performs one of the commands of OpUringCmd. The name of an option is in the lower half of Off, its level
// in the upper.
func (t *Tries) command(s *core.Slot) (int32, Verdict) {
	t.Calls++
	level, name := int32(s.Op.Off>>32), int32(s.Op.Off)
	switch s.Op.Arg {
	case api.SockGetOpt:
		return result(sysx.Getsockopt(s.Op.FD, level, name, s.Op.Buf))
	case api.SockSetOpt:
		return result(0, sysx.Setsockopt(s.Op.FD, level, name, s.Op.Buf))
	case api.SockInQ:
		t.Calls++
		return result(sysx.InQ(s.Op.FD))
	case api.SockOutQ:
		t.Calls++
		return result(sysx.OutQ(s.Op.FD))
	}
	if _, errno := sysx.SocketType(s.Op.FD); errno != 0 {
		return -int32(errno), Done
	}
	return -int32(syscall.EOPNOTSUPP), Done
}
