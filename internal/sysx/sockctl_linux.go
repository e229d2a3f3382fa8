package sysx

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MsgCmsgCompat is MSG_CMSG_COMPAT of linux/socket.h: the kernel's own mark of a call by a 32-bit program.
const MsgCmsgCompat = 1 << 31

// Bind is bind(2). It may block: the name of a unix socket is a file that is made.
func Bind(fd int32, sa *RawSockaddrAny, n uint32) syscall.Errno {
	for {
		// SAFETY: the pointer is converted in the call, which keeps sa alive.
		_, _, errno := syscall.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(n))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Listen is listen(2).
func Listen(fd int32, backlog int32) syscall.Errno {
	_, _, errno := syscall.RawSyscall(unix.SYS_LISTEN, uintptr(fd), uintptr(backlog), 0)
	return errno
}

// Getsockopt is getsockopt(2): it returns how much of b the option has filled.
func Getsockopt(fd int32, level, name int32, b []byte) (int, syscall.Errno) {
	n := uint32(len(b))
	// SAFETY: the pointers are converted in the call, which keeps b alive; n is a local of this frame, which
	// cannot move during a raw system call.
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Setsockopt is setsockopt(2). It may block: some options take locks that configuring the network holds (IP_ADD_MEMBERSHIP),
// or load a module (TCP_CONGESTION).
func Setsockopt(fd int32, level, name int32, b []byte) syscall.Errno {
	for {
		// SAFETY: the pointer is converted in the call, which keeps b alive.
		_, _, errno := syscall.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// InQ is how many bytes wait to be received: SIOCINQ of tcp(7), udp(7) and unix(7).
func InQ(fd int32) (int, syscall.Errno) { return queued(fd, unix.SIOCINQ) }

// OutQ is how many bytes wait to be sent or acknowledged: SIOCOUTQ.
func OutQ(fd int32) (int, syscall.Errno) { return queued(fd, unix.SIOCOUTQ) }

func queued(fd int32, req uintptr) (int, syscall.Errno) {
	// Pipes and others know the same numbers.
	if _, errno := SocketType(fd); errno != 0 {
		return 0, errno
	}
	var n int32
	// SAFETY: n is a local of this frame, which cannot move during a raw system call.
	_, _, errno := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(unsafe.Pointer(&n)))
	return int(n), errno
}

// LocalAddr is getsockname(2), with the address as DecodeAddr gives it.
func LocalAddr(fd int32) (netip.AddrPort, string, syscall.Errno) {
	return nameOf(unix.SYS_GETSOCKNAME, fd)
}

// PeerAddr is getpeername(2), with the address as DecodeAddr gives it.
func PeerAddr(fd int32) (netip.AddrPort, string, syscall.Errno) {
	return nameOf(unix.SYS_GETPEERNAME, fd)
}

func nameOf(trap uintptr, fd int32) (netip.AddrPort, string, syscall.Errno) {
	var sa RawSockaddrAny
	n := SockaddrLen
	// SAFETY: both are locals of this frame, which cannot move during a raw system call.
	_, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return netip.AddrPort{}, "", errno
	}
	ap, path := DecodeAddr(&sa, n)
	return ap, path, 0
}
