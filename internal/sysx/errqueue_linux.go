package sysx

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MsgZeroCopy is MSG_ZEROCOPY of send(2).
const MsgZeroCopy = unix.MSG_ZEROCOPY

// SendsZeroCopy says whether MSG_ZEROCOPY has an effect on a socket whose error queue has nothing but notifications of it: it is TCP or UDP, the program
// has set SO_ZEROCOPY, and has asked neither for time stamps nor for ICMP errors, which would come the same way. It makes up to 6 system calls.
func SendsZeroCopy(fd int32) bool {
	if !IsZeroCopy(fd) {
		return false
	}
	if proto, errno := SocketProtocol(fd); errno != 0 || proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_UDP {
		return false
	}
	if on, errno := sockopt(fd, unix.SO_TIMESTAMPING); errno != 0 || on != 0 {
		return false
	}
	family, errno := SocketFamily(fd)
	// A socket of IPv6 has the errors of IPv4, too, when it is connected by that.
	return errno == 0 && !isOn(fd, unix.IPPROTO_IP, unix.IP_RECVERR) && (family != unix.AF_INET6 || !isOn(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR))
}

// isOn says whether an option of a socket is on, or cannot be read.
func isOn(fd, level, name int32) bool {
	var v int32
	// SAFETY: v is a local of this frame, as large as the slice says.
	_, errno := Getsockopt(fd, level, name, unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v)))
	return errno != 0 || v != 0
}

// IsZeroCopy says whether the program has set SO_ZEROCOPY.
func IsZeroCopy(fd int32) bool {
	on, errno := sockopt(fd, unix.SO_ZEROCOPY)
	return errno == 0 && on != 0
}

// SocketCookie is SO_COOKIE: a number that no other socket has while the machine runs.
func SocketCookie(fd int32) (cookie uint64, errno syscall.Errno) {
	// SAFETY: cookie is a local of this frame, as large as the slice says.
	_, errno = Getsockopt(fd, unix.SOL_SOCKET, unix.SO_COOKIE, unsafe.Slice((*byte)(unsafe.Pointer(&cookie)), unsafe.Sizeof(cookie)))
	return cookie, errno
}

// eeOriginZeroCopy and eeCodeCopied are SO_EE_ORIGIN_ZEROCOPY and SO_EE_CODE_ZEROCOPY_COPIED of linux/errqueue.h.
const (
	eeOriginZeroCopy = 5
	eeCodeCopied     = 1
)

// ZeroCopied takes one message off the error queue of a socket: the sends from lo to hi, by the kernel's count of those with MSG_ZEROCOPY, need their memory
// no longer, and copied says that they were copied. ok is false for a message about something else. EAGAIN: there is none.
func ZeroCopied(fd int32) (lo, hi uint32, copied, ok bool, errno syscall.Errno) {
	var control [128]byte
	h := unix.Msghdr{Control: &control[0]}
	for {
		h.SetControllen(len(control))
		// SAFETY: h and what it points to are locals of this frame, which cannot move during a raw system call.
		_, _, errno = syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errno != unix.EINTR {
			break
		}
	}
	n := int(h.Controllen)
	if errno != 0 || n < unix.CmsgLen(int(unsafe.Sizeof(unix.SockExtendedErr{}))) {
		return 0, 0, false, false, errno
	}
	// SAFETY: the kernel has written a header and as much behind it as has been compared; the array is on the stack of this frame.
	c := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if !(c.Level == unix.SOL_IP && c.Type == unix.IP_RECVERR || c.Level == unix.SOL_IPV6 && c.Type == unix.IPV6_RECVERR) {
		return 0, 0, false, false, 0
	}
	var ee unix.SockExtendedErr
	// SAFETY: as above; it is copied byte by byte, whatever the alignment.
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&ee)), unsafe.Sizeof(ee)), control[unix.CmsgLen(0):])
	if ee.Origin != eeOriginZeroCopy || ee.Errno != 0 {
		return 0, 0, false, false, 0
	}
	return ee.Info, ee.Data, ee.Code&eeCodeCopied != 0, true, 0
}
