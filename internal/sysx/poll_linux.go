package sysx

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Unpollable says whether fd is of a kind that does not know poll(2) and is always ready: epoll refuses to watch it.
func Unpollable(fd int32) bool {
	epfd, errno := EpollCreate()
	if errno != 0 {
		return false
	}
	errno = EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &EpollEvent{Events: unix.EPOLLIN})
	_ = Close(epfd) // it has served its purpose
	return errno == unix.EPERM
}

// Unreadable says whether fd is of a kind that has neither reads nor writes: read(2) says EINVAL, whatever else there is to say.
// Where there is nothing to be moved, preadv2(2) looks at that and nothing else.
func Unreadable(fd int32) bool {
	_, errno := Preadv2(fd, new(Iovecs), -1, 0)
	return errno == unix.EINVAL
}

// PipeNoWait says whether a pipe knows RWF_NOWAIT: those that pipe(2) makes do, FIFOs do not. The transfer of one byte at the address 0 fails
// with EFAULT before it moves anything.
func PipeNoWait(fd int32, write bool) bool {
	trap, flags := uintptr(unix.SYS_PREADV2), uintptr(RWFNoWait)
	if write {
		trap, flags = unix.SYS_PWRITEV2, flags|RWFNoSignal
	}
	v := unix.Iovec{Len: 1}
	for {
		// SAFETY: v is in this frame, which does not move during a raw system call, and holds no pointer. Nothing is mapped at
		// the address 0 (vm.mmap_min_addr), and Go has nothing there.
		_, _, errno := syscall.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&v)), 1, ^uintptr(0), ^uintptr(0), flags)
		switch errno {
		case unix.EINTR:
		case unix.EOPNOTSUPP:
			if flags&RWFNoSignal == 0 {
				return false
			}
			flags &^= RWFNoSignal // which older kernels do not know
		default:
			return true
		}
	}
}
