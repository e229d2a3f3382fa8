//go:build !linux

package sysx

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// Siginfo is what waitid fills in, which this system does not have, or x/sys does not know.
type Siginfo struct{ Signo int32 }

// Child is what s tells of a process: nothing.
func (s *Siginfo) Child() api.ChildInfo { return api.ChildInfo{} }

// The options of waitid.
const (
	WNoHang    = 0
	WExited    = 0
	WStopped   = 0
	WContinued = 0
)

// Waitid fails with ENOSYS.
func Waitid(uint32, int32, *Siginfo, uint32) syscall.Errno { return syscall.ENOSYS }

// PidfdOpen fails with ENOSYS.
func PidfdOpen(int32) (int32, syscall.Errno) { return -1, syscall.ENOSYS }
