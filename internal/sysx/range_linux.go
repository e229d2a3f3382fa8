package sysx

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Flags of splice and tee.
const (
	SpliceNonblock = unix.SPLICE_F_NONBLOCK
	SpliceFlags    = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK | unix.SPLICE_F_MORE | unix.SPLICE_F_GIFT
)

// retryErr makes a call until it is not interrupted.
func retryErr(f func() error) syscall.Errno {
	for {
		if err := f(); err != unix.EINTR {
			return errnoOf(err)
		}
	}
}

// Ftruncate is ftruncate(2), without SIGXFSZ. It blocks.
func Ftruncate(fd int32, size int64) syscall.Errno {
	q := quiet(unix.SIGXFSZ)
	errno := retryErr(func() error { return unix.Ftruncate(int(fd), size) })
	q.end(errno == unix.EFBIG)
	return errno
}

// Fallocate is fallocate(2), without SIGXFSZ. It blocks.
func Fallocate(fd int32, mode uint32, off, n int64) syscall.Errno {
	q := quiet(unix.SIGXFSZ)
	errno := retryErr(func() error { return unix.Fallocate(int(fd), mode, off, n) })
	q.end(errno == unix.EFBIG)
	return errno
}

// Fadvise is posix_fadvise(2). It blocks.
func Fadvise(fd int32, off, n int64, advice uint32) syscall.Errno {
	return retryErr(func() error { return unix.Fadvise(int(fd), off, n, int(int32(advice))) })
}

// SyncFileRange is sync_file_range(2). It blocks.
func SyncFileRange(fd int32, off, n int64, flags uint32) syscall.Errno {
	return retryErr(func() error { return unix.SyncFileRange(int(fd), off, n, int(int32(flags))) })
}

// Madvise is madvise(2). It blocks.
func Madvise(b []byte, advice uint32) syscall.Errno {
	for {
		// SAFETY: b keeps the memory alive; the pointer is converted in the call.
		_, _, errno := syscall.Syscall(unix.SYS_MADVISE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(advice))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Splice is splice(2), without SIGPIPE; -1 as a position means none. Of pipes SpliceNonblock keeps it from waiting, of other
// files their O_NONBLOCK.
func Splice(in int32, offIn int64, out int32, offOut int64, n int, flags uint32) (int, syscall.Errno) {
	var pin, pout *int64
	if offIn != -1 {
		pin = &offIn
	}
	if offOut != -1 {
		pout = &offOut
	}
	q := quiet(unix.SIGPIPE)
	for {
		// Not unix.Splice, whose result differs in type between machines.
		// SAFETY: both are variables of this function, and are converted in the call.
		n, _, errno := syscall.Syscall6(unix.SYS_SPLICE, uintptr(in), uintptr(unsafe.Pointer(pin)), uintptr(out),
			uintptr(unsafe.Pointer(pout)), uintptr(n), uintptr(flags))
		if errno != unix.EINTR {
			q.end(errno == unix.EPIPE)
			return int(n), errno
		}
	}
}

// Tee is tee(2), without SIGPIPE. SpliceNonblock keeps it from waiting.
func Tee(in, out int32, n int, flags uint32) (int, syscall.Errno) {
	q := quiet(unix.SIGPIPE)
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_TEE, uintptr(in), uintptr(out), uintptr(n), uintptr(flags), 0, 0)
		if errno != unix.EINTR {
			q.end(errno == unix.EPIPE)
			return int(n), errno
		}
	}
}

// PipeInto is pipe2(2). The ends are close-on-exec.
func PipeInto(p *[2]int32, flags uint32) syscall.Errno {
	// SAFETY: p is converted in the call, which keeps it alive.
	_, _, errno := syscall.RawSyscall(unix.SYS_PIPE2, uintptr(unsafe.Pointer(p)), uintptr(flags|unix.O_CLOEXEC), 0)
	return errno
}
