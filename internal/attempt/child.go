package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// waitid asks whether there is a child to tell of. While there is none, the end of one process is told by an fd that is
// made for it, and belongs to the operation; for all else nothing tells.
func (t *Tries) waitid(s *core.Slot) (int32, Verdict) {
	x, op := s.NeedExtra(), &s.Op
	for {
		id := op.FD
		if x.FD >= 0 && op.Off == api.WaitPIDFD {
			id = x.FD
		}
		t.Calls++
		x.Info = sysx.Siginfo{}
		if errno := sysx.Waitid(uint32(op.Off), id, &x.Info, op.Arg|sysx.WNoHang); errno != 0 {
			return -int32(errno), Done
		}
		if x.Info.Signo != 0 || op.Arg&sysx.WNoHang != 0 {
			SetChild(s)
			return 0, Done
		}
		switch {
		case x.FD >= 0 && endOnly(op):
			return 0, Readable
		case x.FD >= 0 || !t.watchChild(s, x):
			return 0, Soon
		}
		// Somebody else may have waited for the child before it was opened, and its number be that of another process. If
		// there still is such a child, it is the right one.
	}
}

// endOnly says whether op waits for the end of a child and nothing else, so that a pidfd tells all that is waited for.
func endOnly(op *api.Op) bool {
	return op.Arg&(sysx.WStopped|sysx.WContinued) == 0 && op.Arg&sysx.WExited != 0
}

// watchChild makes the fd of the child that belongs to s, and says whether there is one.
func (t *Tries) watchChild(s *core.Slot, x *core.Extra) bool {
	fd, errno := int32(-1), syscall.Errno(0)
	switch {
	case s.Op.Off == api.WaitPIDFD:
		// A duplicate, for the program may close its own, and this one is told to a Poller.
		fd, errno = sysx.Dup(s.Op.FD)
	case s.Op.Off == api.WaitPID && endOnly(&s.Op):
		fd, errno = sysx.PidfdOpen(s.Op.FD)
	default:
		return false
	}
	t.Calls++
	if errno != 0 {
		return false // no room for another file, or an old kernel
	}
	x.FD = fd
	return true
}

// SetChild puts what waitid has told into the program's ChildInfo.
func SetChild(s *core.Slot) {
	if c := s.Op.Args.Child; c != nil {
		*c = s.Extra.Info.Child()
	}
}

// WaitFD is the fd that s waits for when the verdict is Readable or Writable: its own, or the one that was made for it. It is -1
// when there is none.
func WaitFD(s *core.Slot) int32 {
	switch {
	case s.Op.Code != api.OpWaitid:
		return s.Op.FD
	case s.Extra != nil:
		return s.Extra.FD
	}
	return -1
}

// Release closes the fd that was made for s, if there is one. It is called before s ends, however that comes about, and when nothing watches the fd
// any more.
func Release(s *core.Slot) {
	if x := s.Extra; x != nil && x.FD >= 0 {
		_ = sysx.Close(x.FD) // nothing can be lost with it
		x.FD = -1
	}
}
