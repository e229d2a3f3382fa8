//go:build unix && !linux

package sysx

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// MsgCmsgCompat is for Linux only.
const MsgCmsgCompat = 0

// Bind is bind(2). It may block: the name of a unix socket is a file that is made.
func Bind(fd int32, sa *RawSockaddrAny, n uint32) syscall.Errno {
	to := toSockaddr(sa, n)
	if to == nil {
		return unix.EINVAL
	}
	_, errno := retry(func() (int, error) { return 0, unix.Bind(int(fd), to) })
	return errno
}

// Listen is listen(2).
func Listen(fd int32, backlog int32) syscall.Errno {
	return errnoOf(unix.Listen(int(fd), int(backlog)))
}

// Getsockopt reads an option that is an int, into 4 bytes. For others x/sys has no portable call: ENOSYS.
func Getsockopt(fd int32, level, name int32, b []byte) (int, syscall.Errno) {
	if len(b) != 4 {
		return 0, unix.ENOSYS
	}
	v, err := unix.GetsockoptInt(int(fd), int(level), int(name))
	if err != nil {
		return 0, errnoOf(err)
	}
	binary.NativeEndian.PutUint32(b, uint32(v))
	return 4, 0
}

// Setsockopt is setsockopt(2). It may block.
func Setsockopt(fd int32, level, name int32, b []byte) syscall.Errno {
	_, errno := retry(func() (int, error) {
		return 0, unix.SetsockoptString(int(fd), int(level), int(name), string(b))
	})
	return errno
}

// fionread is _IOR('f', 127, int), the same on every unix. x/sys does not have it.
const fionread = 0x4004667f

// InQ is how many bytes wait to be received.
func InQ(fd int32) (int, syscall.Errno) {
	if _, errno := SocketType(fd); errno != 0 {
		return 0, errno // other files know the same numbers
	}
	n, err := unix.IoctlGetInt(int(fd), fionread)
	return n, errnoOf(err)
}

// OutQ is how many bytes wait to be sent or acknowledged.
func OutQ(fd int32) (int, syscall.Errno) {
	if _, errno := SocketType(fd); errno != 0 {
		return 0, errno
	}
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
	return n, errnoOf(err)
}

// LocalAddr is getsockname(2), with the address as DecodeAddr gives it.
func LocalAddr(fd int32) (netip.AddrPort, string, syscall.Errno) {
	return decoded(unix.Getsockname(int(fd)))
}

// PeerAddr is getpeername(2), with the address as DecodeAddr gives it.
func PeerAddr(fd int32) (netip.AddrPort, string, syscall.Errno) {
	return decoded(unix.Getpeername(int(fd)))
}

func decoded(sa unix.Sockaddr, err error) (netip.AddrPort, string, syscall.Errno) {
	if err != nil {
		return netip.AddrPort{}, "", errnoOf(err)
	}
	var raw RawSockaddrAny
	n := fromSockaddr(&raw, sa)
	ap, path := DecodeAddr(&raw, n)
	return ap, path, 0
}
