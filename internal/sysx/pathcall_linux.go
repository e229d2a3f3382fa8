package sysx

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// All of these may block, and are for workers.

// Openat is openat(2) of the path, as SetOpen has said.
func Openat(dir int32, p *PathBuf) (int, syscall.Errno) {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		n, _, errno := syscall.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(p.Path()), uintptr(uint32(p.how.flags)), uintptr(uint32(p.how.mode)), 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// Openat2 is openat2(2) of the path, as SetOpen has said.
func Openat2(dir int32, p *PathBuf) (int, syscall.Errno) {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		n, _, errno := syscall.Syscall6(unix.SYS_OPENAT2, uintptr(dir), uintptr(p.Path()), uintptr(p.How()), unsafe.Sizeof(p.how), 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// Statx is statx(2) of the path.
func Statx(dir int32, p *PathBuf, flags, mask uint32, out *api.StatxBuf) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall6(unix.SYS_STATX, uintptr(dir), uintptr(p.Path()), uintptr(flags), uintptr(mask), uintptr(unsafe.Pointer(out)), 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Unlinkat is unlinkat(2) of the path.
func Unlinkat(dir int32, p *PathBuf, flags uint32) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall(unix.SYS_UNLINKAT, uintptr(dir), uintptr(p.Path()), uintptr(flags))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Mkdirat is mkdirat(2) of the path.
func Mkdirat(dir int32, p *PathBuf, mode uint32) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall(unix.SYS_MKDIRAT, uintptr(dir), uintptr(p.Path()), uintptr(mode))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Renameat is renameat2(2) of the first path to the second.
func Renameat(oldDir, newDir int32, p *PathBuf, flags uint32) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall6(unix.SYS_RENAMEAT2, uintptr(oldDir), uintptr(p.Path()), uintptr(newDir), uintptr(p.NewPath()), uintptr(flags), 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Linkat is linkat(2) of the first path to the second.
func Linkat(oldDir, newDir int32, p *PathBuf, flags uint32) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall6(unix.SYS_LINKAT, uintptr(oldDir), uintptr(p.Path()), uintptr(newDir), uintptr(p.NewPath()), uintptr(flags), 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Symlinkat is symlinkat(2): the second path becomes a link to the first.
func Symlinkat(newDir int32, p *PathBuf) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall(unix.SYS_SYMLINKAT, uintptr(p.Path()), uintptr(newDir), uintptr(p.NewPath()))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Getxattr is getxattr(2) of the path.
func Getxattr(p *PathBuf, b []byte) (int, syscall.Errno) {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		n, _, errno := syscall.Syscall6(unix.SYS_GETXATTR, uintptr(p.Path()), uintptr(p.Name()), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// Setxattr is setxattr(2) of the path.
func Setxattr(p *PathBuf, b []byte, flags uint32) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall6(unix.SYS_SETXATTR, uintptr(p.Path()), uintptr(p.Name()), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags), 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Fgetxattr is fgetxattr(2).
func Fgetxattr(fd int32, p *PathBuf, b []byte) (int, syscall.Errno) {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		n, _, errno := syscall.Syscall6(unix.SYS_FGETXATTR, uintptr(fd), uintptr(p.Name()), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// Fsetxattr is fsetxattr(2).
func Fsetxattr(fd int32, p *PathBuf, b []byte, flags uint32) syscall.Errno {
	for {
		// SAFETY: the memory is that of arguments, which keep it alive; the pointers are converted in the call.
		_, _, errno := syscall.Syscall6(unix.SYS_FSETXATTR, uintptr(fd), uintptr(p.Name()), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags), 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}
