//go:build unix

package sysx

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Dup makes a close-on-exec duplicate of fd, which shares its file-status flags.
func Dup(fd int32) (int32, syscall.Errno) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return int32(n), errnoOf(err)
}
