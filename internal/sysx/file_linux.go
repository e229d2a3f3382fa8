package sysx

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offsetLoHi splits an offset the way preadv(2) takes it: two unsigned longs, of which a 64-bit
// kernel ignores the second. The two shifts keep the count below the width on 64 bits.
func offsetLoHi(off int64) (lo, hi uintptr) {
	const bits = 8 * unsafe.Sizeof(uintptr(0))
	return uintptr(off), uintptr(uint64(off) >> (bits - 1) >> 1)
}

// Read is read(2) of an fd that has O_NONBLOCK or is known to be ready.
func Read(fd int32, b []byte) (int, syscall.Errno) {
	for {
		// SAFETY: the pointer is converted in the call, which keeps b alive until it returns.
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// Write is write(2) of an fd that has O_NONBLOCK or is known to be ready.
func Write(fd int32, b []byte) (int, syscall.Errno) {
	for {
		// SAFETY: as for Read.
		n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// Preadv2 is preadv2(2): off -1 means the position of the file, and is how sockets and pipes are
// read. It must not block: RWFNoWait makes sure of it for files that support that, and
// gives EAGAIN, or a short count, where it would have to wait (EOPNOTSUPP: unsupported by
// this file; ENOSYS: by a kernel before 4.6).
func Preadv2(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return vio(unix.SYS_PREADV2, fd, v, off, flags, false)
}

// Pwritev2 is pwritev2(2); see Preadv2.
func Pwritev2(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return vio(unix.SYS_PWRITEV2, fd, v, off, flags, false)
}

// Preadv2Blocking is Preadv2 for a worker that may wait.
func Preadv2Blocking(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return vio(unix.SYS_PREADV2, fd, v, off, flags, true)
}

// Pwritev2Blocking is Pwritev2 for a worker that may wait.
func Pwritev2Blocking(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return vio(unix.SYS_PWRITEV2, fd, v, off, flags, true)
}

func vio(trap uintptr, fd int32, v *Iovecs, off int64, flags int, blocking bool) (int, syscall.Errno) {
	lo, hi := offsetLoHi(off)
	p, count := v.Pointer()
	for {
		var n uintptr
		var errno syscall.Errno
		// SAFETY: p points into v, whose iovecs hold the buffers by real pointers; it is
		// converted in the call, which keeps it alive until it returns.
		if blocking {
			n, _, errno = syscall.Syscall6(trap, uintptr(fd), uintptr(p), uintptr(count), lo, hi, uintptr(flags))
		} else {
			n, _, errno = syscall.RawSyscall6(trap, uintptr(fd), uintptr(p), uintptr(count), lo, hi, uintptr(flags))
		}
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// NoSignal is RWFNoSignal where the kernel knows it, else 0.
func NoSignal() int {
	r, w, errno := Pipe()
	if errno != 0 {
		return 0
	}
	v := new(Iovecs)
	v.SetOne(make([]byte, 1))
	_, errno = Pwritev2(w, v, -1, RWFNoSignal)
	_, _ = Close(r), Close(w) // nothing was at stake
	if errno != 0 {
		return 0
	}
	return RWFNoSignal
}

// Fsync is fsync(2). It blocks.
func Fsync(fd int32) syscall.Errno {
	for {
		_, _, errno := syscall.Syscall(unix.SYS_FSYNC, uintptr(fd), 0, 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Fdatasync is fdatasync(2). It blocks.
func Fdatasync(fd int32) syscall.Errno {
	for {
		_, _, errno := syscall.Syscall(unix.SYS_FDATASYNC, uintptr(fd), 0, 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Close is close(2). It may block (SO_LINGER, a network file system). It never tries again: on Linux the
// number is free even when the call was interrupted, and by the second call it may belong to
// somebody else (close(2)). That is why EINTR is success.
func Close(fd int32) syscall.Errno {
	_, _, errno := syscall.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	if errno == unix.EINTR {
		return 0
	}
	return errno
}

// Direct says whether the file goes around the page cache: it has O_DIRECT.
func Direct(fd int32) bool {
	flags, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	return errno == 0 && flags&unix.O_DIRECT != 0
}

// Nonblock says whether fd has O_NONBLOCK.
func Nonblock(fd int32) (bool, syscall.Errno) {
	flags, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	return flags&unix.O_NONBLOCK != 0, errno
}

// SetNonblock sets or clears O_NONBLOCK, which every fd of the same open file shares.
func SetNonblock(fd int32, on bool) syscall.Errno { return setFlag(fd, unix.O_NONBLOCK, on) }

// SetDirect sets or clears O_DIRECT, which every fd of the same open file shares: EINVAL where the file system does not have it.
func SetDirect(fd int32, on bool) syscall.Errno { return setFlag(fd, unix.O_DIRECT, on) }

func setFlag(fd int32, flag uintptr, on bool) syscall.Errno {
	flags, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	if errno != 0 || flags&flag != 0 == on {
		return errno
	}
	_, _, errno = syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_SETFL, flags^flag)
	return errno
}

// setFlags sets those file-status flags that can be set (fcntl(2), F_SETFL).
func setFlags(fd int32, flags int) syscall.Errno {
	_, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_SETFL, uintptr(flags))
	return errno
}

// ValidFD says whether fd is open.
func ValidFD(fd int32) bool {
	_, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFD, 0)
	return errno == 0
}

// Fstat gives the mode (S_IFMT and so on) and the size of a file. It may block.
func Fstat(fd int32) (mode uint32, size int64, errno syscall.Errno) {
	var st unix.Stat_t
	for {
		err := unix.Fstat(int(fd), &st)
		if err != unix.EINTR {
			return uint32(st.Mode), st.Size, errnoOf(err)
		}
	}
}

// Pipe makes a close-on-exec pipe whose both ends are non-blocking.
func Pipe() (r, w int32, errno syscall.Errno) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, -1, errnoOf(err)
	}
	return int32(p[0]), int32(p[1]), 0
}

// Eventfd makes a close-on-exec, non-blocking eventfd that counts 0.
func Eventfd() (int32, syscall.Errno) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, errnoOf(err)
	}
	return int32(fd), 0
}
