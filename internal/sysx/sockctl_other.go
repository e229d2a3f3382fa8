//go:build !unix

package sysx

import (
	"net/netip"
	"syscall"
)

// MsgCmsgCompat is for Linux only.
const MsgCmsgCompat = 0

// Bind is not available here.
func Bind(int32, *RawSockaddrAny, uint32) syscall.Errno { return syscall.ENOSYS }

// Listen is not available here.
func Listen(int32, int32) syscall.Errno { return syscall.ENOSYS }

// Getsockopt is not available here.
func Getsockopt(int32, int32, int32, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Setsockopt is not available here.
func Setsockopt(int32, int32, int32, []byte) syscall.Errno { return syscall.ENOSYS }

// InQ is not available here.
func InQ(int32) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// OutQ is not available here.
func OutQ(int32) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// LocalAddr is not available here.
func LocalAddr(int32) (netip.AddrPort, string, syscall.Errno) {
	return netip.AddrPort{}, "", syscall.ENOSYS
}

// PeerAddr is not available here.
func PeerAddr(int32) (netip.AddrPort, string, syscall.Errno) {
	return netip.AddrPort{}, "", syscall.ENOSYS
}
