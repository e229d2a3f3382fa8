package sysx

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Recv is recv(2) without an address. It must not block: pass MsgDontWait unless
// the fd has O_NONBLOCK. 0 bytes are the end of a stream, an empty datagram,
// or an empty b. With MSG_TRUNC the result may be larger than b.
func Recv(fd int32, b []byte, flags int) (int, syscall.Errno) {
	for {
		// SAFETY: the pointer is converted in the call, which keeps b alive until it returns.
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags), 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// Send is send(2) without an address and without SIGPIPE. It must not block: pass
// MsgDontWait unless the fd has O_NONBLOCK.
func Send(fd int32, b []byte, flags int) (int, syscall.Errno) {
	for {
		// SAFETY: the pointer is converted in the call, which keeps b alive until it returns.
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags|unix.MSG_NOSIGNAL), 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// RecvMsg is recvmsg(2) into the buffers, the control data and the address of m. It must
// not block. Files that come with the message (SCM_RIGHTS) are close-on-exec.
func RecvMsg(fd int32, m *MsgBuf, flags int) (int, syscall.Errno) {
	m.rearm()
	for {
		// SAFETY: m is on the heap or pinned by its frame for the length of the call, and all
		// that its msghdr points to hangs on real pointers of m.
		n, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags|unix.MSG_CMSG_CLOEXEC))
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// SendMsg is sendmsg(2) from the buffers, the control data and the address of m, without
// SIGPIPE. It must not block.
func SendMsg(fd int32, m *MsgBuf, flags int) (int, syscall.Errno) {
	for {
		// SAFETY: as for RecvMsg.
		n, _, errno := syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags|unix.MSG_NOSIGNAL))
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// Accept takes a connection off the backlog of fd, which must be non-blocking or
// known to be ready. The new fd is close-on-exec; flags may hold SockNonblock.
// The peer's address goes to sa, unless that is nil; its length is the second result.
func Accept(fd int32, sa *RawSockaddrAny, flags int) (int, uint32, syscall.Errno) {
	for {
		var n uint32
		pn := &n
		if sa == nil {
			pn = nil
		}
		n = SockaddrLen
		// SAFETY: both pointers are converted in the call, which keeps them alive.
		nfd, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(pn)), uintptr(flags|unix.SOCK_CLOEXEC), 0, 0)
		if errno == 0 {
			if sa == nil {
				n = 0
			}
			return int(nfd), n, 0
		}
		if errno != unix.EINTR {
			return -1, 0, errno
		}
	}
}

// Connect starts, or on a blocking fd makes, a connection. It may block: even on a
// non-blocking fd the loopback does the whole handshake inside. EINTR on
// a blocking fd means that the kernel goes on connecting by itself, exactly what
// EINPROGRESS says (connect(2)), so EINPROGRESS is what it becomes; a unix socket that was
// interrupted while it waited for the backlog has not started, and tries again.
func Connect(fd int32, sa *RawSockaddrAny, n uint32) syscall.Errno {
	for {
		// SAFETY: the pointer is converted in the call, which keeps sa alive.
		_, _, errno := syscall.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(n))
		if errno != unix.EINTR {
			return errno
		}
		if sa.Addr.Family != unix.AF_UNIX {
			return unix.EINPROGRESS
		}
	}
}

// Shutdown is shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR.
func Shutdown(fd int32, how int) syscall.Errno {
	_, _, errno := syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how), 0)
	return errno
}

// Socket makes a close-on-exec socket. typ may hold SockNonblock.
func Socket(family, typ, proto int) (int, syscall.Errno) {
	fd, _, errno := syscall.RawSyscall(unix.SYS_SOCKET, uintptr(family), uintptr(typ|unix.SOCK_CLOEXEC), uintptr(proto))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), 0
}

// SoError takes the pending error of a socket: reading it clears it, so it is for
// the end of a connect and nothing else. The second result is the call's own error.
func SoError(fd int32) (soerr, errno syscall.Errno) {
	v, errno := sockopt(fd, unix.SO_ERROR)
	return syscall.Errno(v), errno
}

// SocketType is SO_TYPE: SOCK_STREAM and so on, or ENOTSOCK.
func SocketType(fd int32) (int, syscall.Errno) { return sockopt(fd, unix.SO_TYPE) }

// SocketProtocol is SO_PROTOCOL.
func SocketProtocol(fd int32) (int, syscall.Errno) { return sockopt(fd, unix.SO_PROTOCOL) }

// IsTCP says whether fd is a TCP socket: 0, ENOTSOCK, EPROTONOSUPPORT for another protocol.
func IsTCP(fd int32) syscall.Errno {
	proto, errno := SocketProtocol(fd)
	if errno != 0 {
		return errno
	}
	if typ, errno := SocketType(fd); errno != 0 || typ != unix.SOCK_STREAM || proto != unix.IPPROTO_TCP { // of raw sockets, too
		return unix.EPROTONOSUPPORT
	}
	return 0
}

// Listening is SO_ACCEPTCONN.
func Listening(fd int32) (int, syscall.Errno) { return sockopt(fd, unix.SO_ACCEPTCONN) }

// SocketFamily is the address family of a socket: AF_INET and so on, or ENOTSOCK.
func SocketFamily(fd int32) (int, syscall.Errno) { return sockopt(fd, unix.SO_DOMAIN) }

func sockopt(fd int32, opt int) (int, syscall.Errno) {
	var v int32
	n := uint32(unsafe.Sizeof(v))
	// SAFETY: both pointers are to locals of this frame, which cannot move during a raw
	// system call, and are converted in the call.
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, uintptr(opt), uintptr(unsafe.Pointer(&v)), uintptr(unsafe.Pointer(&n)), 0)
	return int(v), errno
}
