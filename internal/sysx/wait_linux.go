package sysx

import (
	"math/bits"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PollFd is struct pollfd.
type PollFd = unix.PollFd

// EpollEvent is struct epoll_event. Fd and Pad are the two halves of its data.
type EpollEvent = unix.EpollEvent

// timespec64 is struct __kernel_timespec: 64 bits on every architecture.
type timespec64 struct{ sec, nsec int64 }

// timespecOf turns d ≥ 0 into the timespec of the old system calls, which on 32 bits stops at 68
// years. A wait that ends too early by that is a time-out like any other.
func timespecOf(d time.Duration) unix.Timespec {
	if bits.UintSize == 32 {
		d = min(d, (1<<31-1)*time.Second)
	}
	return unix.NsecToTimespec(int64(d))
}

// millisOf turns d ≥ 0 into milliseconds, rounded up, at most 24 days.
func millisOf(d time.Duration) int {
	const most = 1<<31 - 1
	if d >= most*time.Millisecond {
		return most
	}
	return int((d + time.Millisecond - 1) / time.Millisecond)
}

// Poll1 looks at one fd and does not wait.
func Poll1(fd int32, events int16) (int16, syscall.Errno) {
	p := PollFd{Fd: fd, Events: events}
	var ts unix.Timespec
	for {
		// SAFETY: both pointers are to locals of this frame, which cannot move during a raw
		// system call, and are converted in the call.
		_, _, errno := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		if errno != unix.EINTR {
			return p.Revents, errno
		}
	}
}

// Poll is ppoll(2) with the signal mask left alone: d < 0 waits for ever, d == 0 looks, and
// otherwise it waits for d, to the nanosecond. It returns how many of fds have Revents, and EINTR as such.
func Poll(fds []PollFd, d time.Duration) (int, syscall.Errno) {
	var ts unix.Timespec
	var p *unix.Timespec
	if d >= 0 {
		ts = timespecOf(d)
		p = &ts
	}
	var n uintptr
	var errno syscall.Errno
	// SAFETY: the pointers are converted in the call, which keeps fds alive; ts is in this frame,
	// which is not moved during a system call.
	if d == 0 {
		n, _, errno = syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(p)), 0, 0, 0)
	} else {
		n, _, errno = syscall.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(p)), 0, 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Select is pselect6(2) with the signal mask left alone, and d as in Poll. The sets are bitmaps of unsigned
// longs, bit fd%UintSize of word fd/UintSize, and must hold nfds bits each. They are
// overwritten; after an error they hold nothing of use. It returns the number of bits set.
func Select(nfds int, r, w, e []uint, d time.Duration) (int, syscall.Errno) {
	if nfds > bits.UintSize*min(len(r), len(w), len(e)) {
		return 0, unix.EINVAL
	}
	var ts unix.Timespec
	var p *unix.Timespec
	if d >= 0 {
		ts = timespecOf(d)
		p = &ts
	}
	var n uintptr
	var errno syscall.Errno
	// SAFETY: the kernel reads and writes nfds bits, rounded up to whole longs, of each set, and the check above
	// has seen that they are there. The pointers are converted in the call, which keeps the
	// sets alive; ts is in this frame, which is not moved during a system call.
	if d == 0 {
		n, _, errno = syscall.RawSyscall6(unix.SYS_PSELECT6, uintptr(nfds), uintptr(unsafe.Pointer(unsafe.SliceData(r))), uintptr(unsafe.Pointer(unsafe.SliceData(w))), uintptr(unsafe.Pointer(unsafe.SliceData(e))), uintptr(unsafe.Pointer(p)), 0)
	} else {
		n, _, errno = syscall.Syscall6(unix.SYS_PSELECT6, uintptr(nfds), uintptr(unsafe.Pointer(unsafe.SliceData(r))), uintptr(unsafe.Pointer(unsafe.SliceData(w))), uintptr(unsafe.Pointer(unsafe.SliceData(e))), uintptr(unsafe.Pointer(p)), 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// EpollCreate makes a close-on-exec epoll instance.
func EpollCreate() (int32, syscall.Errno) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, errnoOf(err)
	}
	return int32(fd), 0
}

// EpollCtl is epoll_ctl(2). It does not block.
func EpollCtl(epfd int32, op int, fd int32, ev *EpollEvent) syscall.Errno {
	// SAFETY: the pointer is converted in the call, which keeps ev alive; nil is allowed for EPOLL_CTL_DEL.
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(ev)), 0, 0)
	return errno
}

// EpollWait is epoll_pwait2(2) (Linux 5.11) with the signal mask left alone: d < 0 waits for ever,
// d == 0 looks, and otherwise it waits for d, to the nanosecond. It returns EINTR as such, and
// ENOSYS where the kernel lacks the call.
func EpollWait(epfd int32, evs []EpollEvent, d time.Duration) (int, syscall.Errno) {
	var ts timespec64
	var p *timespec64
	if d >= 0 {
		ts = timespec64{int64(d / time.Second), int64(d % time.Second)}
		p = &ts
	}
	var n uintptr
	var errno syscall.Errno
	// SAFETY: the pointers are converted in the call, which keeps evs alive; ts is in this frame,
	// which is not moved during a system call.
	if d == 0 {
		n, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(evs))), uintptr(len(evs)), uintptr(unsafe.Pointer(p)), 0, 0)
	} else {
		n, _, errno = syscall.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(evs))), uintptr(len(evs)), uintptr(unsafe.Pointer(p)), 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// EpollWaitMillis is EpollWait with the call that every kernel has: d is rounded up to a
// millisecond, and ends after 24 days.
func EpollWaitMillis(epfd int32, evs []EpollEvent, d time.Duration) (int, syscall.Errno) {
	ms := -1
	if d >= 0 {
		ms = millisOf(d)
	}
	var n uintptr
	var errno syscall.Errno
	// SAFETY: the pointer is converted in the call, which keeps evs alive.
	if ms == 0 {
		n, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(evs))), uintptr(len(evs)), 0, 0, 0)
	} else {
		n, _, errno = syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(evs))), uintptr(len(evs)), uintptr(ms), 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// MonotonicNow is CLOCK_MONOTONIC in nanoseconds, by a real system call: it is meant
// to be asked once, for the distance between the kernel's clock and that of package time.
func MonotonicNow() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("sysx: no monotonic clock: " + err.Error())
	}
	return ts.Nano()
}
