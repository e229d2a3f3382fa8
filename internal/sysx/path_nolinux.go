//go:build !linux

package sysx

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// Flags of splice and tee.
const (
	SpliceNonblock = 2
	SpliceFlags    = 15
)

// Openat2 is for Linux only: ENOSYS.
func Openat2(int32, *PathBuf) (int, syscall.Errno) { return -1, syscall.ENOSYS }

// Statx is for Linux only: ENOSYS.
func Statx(int32, *PathBuf, uint32, uint32, *api.StatxBuf) syscall.Errno { return syscall.ENOSYS }

// Getxattr is for Linux only: ENOSYS.
func Getxattr(*PathBuf, []byte) (int, syscall.Errno) { return -1, syscall.ENOSYS }

// Setxattr is for Linux only: ENOSYS.
func Setxattr(*PathBuf, []byte, uint32) syscall.Errno { return syscall.ENOSYS }

// Fgetxattr is for Linux only: ENOSYS.
func Fgetxattr(int32, *PathBuf, []byte) (int, syscall.Errno) { return -1, syscall.ENOSYS }

// Fsetxattr is for Linux only: ENOSYS.
func Fsetxattr(int32, *PathBuf, []byte, uint32) syscall.Errno { return syscall.ENOSYS }

// Fallocate is for Linux only: ENOSYS.
func Fallocate(int32, uint32, int64, int64) syscall.Errno { return syscall.ENOSYS }

// Fadvise is for Linux only: ENOSYS.
func Fadvise(int32, int64, int64, uint32) syscall.Errno { return syscall.ENOSYS }

// SyncFileRange is for Linux only: ENOSYS.
func SyncFileRange(int32, int64, int64, uint32) syscall.Errno { return syscall.ENOSYS }

// Splice is for Linux only: ENOSYS.
func Splice(int32, int64, int32, int64, int, uint32) (int, syscall.Errno) { return -1, syscall.ENOSYS }

// Tee is for Linux only: ENOSYS.
func Tee(int32, int32, int, uint32) (int, syscall.Errno) { return -1, syscall.ENOSYS }
