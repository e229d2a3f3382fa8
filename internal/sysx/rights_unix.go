//go:build unix

package sysx

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CloseRights closes the file descriptors in control data that has been received.
func CloseRights(control []byte) {
	for len(control) >= unix.SizeofCmsghdr {
		head, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return
		}
		if head.Level == unix.SOL_SOCKET && head.Type == unix.SCM_RIGHTS {
			m := unix.SocketControlMessage{Header: head, Data: data}
			if fds, err := unix.ParseUnixRights(&m); err == nil {
				for _, fd := range fds {
					_ = Close(int32(fd)) // nobody knows of it
				}
			}
		}
		control = rest
	}
}

// CopySockaddr copies the first n bytes of sa to dst, or as many as there is room for.
func CopySockaddr(dst []byte, sa *RawSockaddrAny, n uint32) {
	copy(dst, sockaddrBytes(sa)[:min(n, SockaddrLen)])
}

// sockaddrBytes are the bytes of sa.
func sockaddrBytes(sa *RawSockaddrAny) *[unix.SizeofSockaddrAny]byte {
	// SAFETY: a struct of integers seen as its own bytes, as many as it has; the pointer keeps it alive.
	return (*[unix.SizeofSockaddrAny]byte)(unsafe.Pointer(sa))
}

// ParseSockaddr is DecodeAddr of a struct sockaddr that is somewhere in memory.
func ParseSockaddr(b []byte) (netip.AddrPort, string) {
	var sa RawSockaddrAny
	n := copy(sockaddrBytes(&sa)[:], b)
	return DecodeAddr(&sa, uint32(n))
}
