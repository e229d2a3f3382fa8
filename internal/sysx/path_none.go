//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package sysx

import "syscall"

type openHow struct{}

// SetOpen does nothing here.
func (p *PathBuf) SetOpen(_, _, _ uint64) {}

// Opened does nothing here.
func (p *PathBuf) Opened(int32) {}

// Waits says that there is nothing to wait for.
func (p *PathBuf) Waits() bool { return false }

// Openat is not available here.
func Openat(int32, *PathBuf) (int, syscall.Errno) { return -1, syscall.ENOSYS }

// Unlinkat is not available here.
func Unlinkat(int32, *PathBuf, uint32) syscall.Errno { return syscall.ENOSYS }

// Mkdirat is not available here.
func Mkdirat(int32, *PathBuf, uint32) syscall.Errno { return syscall.ENOSYS }

// Renameat is not available here.
func Renameat(int32, int32, *PathBuf, uint32) syscall.Errno { return syscall.ENOSYS }

// Linkat is not available here.
func Linkat(int32, int32, *PathBuf, uint32) syscall.Errno { return syscall.ENOSYS }

// Symlinkat is not available here.
func Symlinkat(int32, *PathBuf) syscall.Errno { return syscall.ENOSYS }

// Ftruncate is not available here.
func Ftruncate(int32, int64) syscall.Errno { return syscall.ENOSYS }

// Madvise is not available here.
func Madvise([]byte, uint32) syscall.Errno { return syscall.ENOSYS }

// PipeInto is not available here.
func PipeInto(*[2]int32, uint32) syscall.Errno { return syscall.ENOSYS }
