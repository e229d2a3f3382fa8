package sysx

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// Siginfo is the kernel's siginfo_t, 128 bytes, as waitid(2) fills it in.
type Siginfo unix.Siginfo

// The options of waitid that a program's own are compared with.
const (
	WNoHang    = unix.WNOHANG
	WExited    = unix.WEXITED
	WStopped   = unix.WSTOPPED
	WContinued = unix.WCONTINUED
)

// childInfo is what follows the head of a siginfo_t that tells of a child.
type childInfo struct {
	pid    int32
	uid    uint32
	status int32
}

// childAt is where it begins: a union that is aligned as a pointer is, behind three ints.
const childAt = (3*4 + unsafe.Sizeof(uintptr(0)) - 1) / unsafe.Sizeof(uintptr(0)) * unsafe.Sizeof(uintptr(0))

// Child is what s tells of a process. It is zero when nothing has happened.
func (s *Siginfo) Child() (c api.ChildInfo) {
	if s.Signo == 0 {
		return c
	}
	// SAFETY: childAt plus the 12 bytes of a childInfo are within the 128 of a siginfo_t on every architecture,
	// as TestSiginfo checks, and aligned to 4.
	k := (*childInfo)(unsafe.Add(unsafe.Pointer(s), childAt))
	return api.ChildInfo{PID: k.pid, UID: k.uid, Signo: s.Signo, Status: k.status, Code: s.Code}
}

// Waitid is waitid(2). It does not wait when options have WNoHang.
func Waitid(kind uint32, id int32, s *Siginfo, options uint32) syscall.Errno {
	for {
		err := unix.Waitid(int(kind), int(id), (*unix.Siginfo)(s), int(int32(options)), nil)
		if err != unix.EINTR {
			return errnoOf(err)
		}
	}
}

// PidfdOpen makes a close-on-exec fd that becomes readable when the process ends.
func PidfdOpen(pid int32) (int32, syscall.Errno) {
	fd, err := unix.PidfdOpen(int(pid), 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	return int32(fd), 0
}
