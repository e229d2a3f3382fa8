package core

import (
	"math"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Extra is what a few operations need of a slot beside the rest.
type Extra struct {
	// Info is what the kernel writes of a waitid.
	Info sysx.Siginfo
	// Futexes are what the kernel reads of a futex wait. What they point to is kept alive by Op.Args.
	Futexes []sysx.FutexWaiter
	// FD belongs to the operation, which must close it before it ends; -1: none. It is that of the child which a waitid waits for.
	FD int32
}

// NeedExtra gives the slot its Extra, which it keeps.
func (s *Slot) NeedExtra() *Extra {
	if s.Extra == nil {
		s.Extra = &Extra{FD: -1}
	}
	return s.Extra
}

// maxFutexes is FUTEX_WAITV_MAX of linux/futex.h.
const maxFutexes = 128

// checkFutex finds what is wrong with an operation on futexes. A nil word in the list of a waitv is left to the kernel, which
// looks at the words one after the other.
func checkFutex(op *api.Op) syscall.Errno {
	list := op.Args.Futexes
	switch {
	case op.Code == api.OpFutexWaitv:
		if len(list) == 0 || len(list) > maxFutexes {
			return syscall.EINVAL
		}
		return 0
	case len(list) != 1, op.Code == api.OpFutexWake && op.Off < 0:
		return syscall.EINVAL
	case list[0].Addr == nil:
		return syscall.EFAULT
	}
	if op.Code == api.OpFutexWake {
		op.Off = min(op.Off, math.MaxInt32) // the kernel takes an int
	}
	return 0
}

// checkWaitid finds what is wrong with a waitid that an SQE has no room for. The rest the kernel tells.
func checkWaitid(op *api.Op) syscall.Errno {
	if op.Off < 0 || op.Off > math.MaxInt32 {
		return syscall.EINVAL
	}
	return 0
}
