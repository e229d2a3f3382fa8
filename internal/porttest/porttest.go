//go:build unix || windows

// Package porttest is for tests that need a port of which they know what a client meets there.
package porttest

import (
	"net/netip"
	"syscall"
	"testing"
)

// Refusing is an address at which clients are refused until the test ends. A socket that does not listen is bound to it: a port that is merely
// free may belong to a server of another test, or another process, by the time that the client comes, and a client of a free port may even be
// given that port for itself, and be connected with itself.
func Refusing(t testing.TB) netip.AddrPort {
	t.Helper()
	_, addr := bound(t)
	return addr
}

// bound is a socket that is bound to addr until the test ends.
func bound(t testing.TB) (fd socket, addr netip.AddrPort) {
	t.Helper()
	syscall.ForkLock.RLock() // no child is to keep the port
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeSocket(fd) }) // nothing was sent that could be lost
	ip := [4]byte{127, 0, 0, 1}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip}); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(sa.(*syscall.SockaddrInet4).Port))
}
