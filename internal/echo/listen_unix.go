//go:build unix

package echo

import (
	"context"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/sysx"
)

// Listen opens a listening TCP socket for an engine, with the backlog that the system allows. The caller
// closes fd, by the engine or by CloseFD. With reuseport several may listen on the same address, and
// the kernel spreads the connections over them.
func Listen(addr string, reuseport bool) (fd int32, bound net.Addr, err error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if !reuseport {
			return nil
		}
		var serr error
		err := c.Control(func(fd uintptr) {
			serr = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		})
		if err != nil {
			return err
		}
		return serr
	}}
	lc.SetMultipathTCP(false) // as a server in C would have it
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return -1, nil, err
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return -1, nil, err
	}
	// The duplicate is the engine's: package net keeps, and closes, its own.
	var errno syscall.Errno
	if err := raw.Control(func(n uintptr) { fd, errno = sysx.Dup(int32(n)) }); err != nil {
		return -1, nil, err
	}
	if errno != 0 {
		return -1, nil, os.NewSyscallError("fcntl", errno)
	}
	return fd, l.Addr(), nil
}

// CloseFD closes an fd that no engine has operations on.
func CloseFD(fd int32) { _ = sysx.Close(fd) } // nobody could do anything about an error

// noDelay makes the kernel send at once what is written. It fails on a connection that is gone
// already, which the next operation will report.
func noDelay(fd int32) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// newSocket makes a TCP socket for a connection to the address.
func newSocket(ipv6 bool) (int32, error) {
	family := unix.AF_INET
	if ipv6 {
		family = unix.AF_INET6
	}
	fd, errno := sysx.Socket(family, unix.SOCK_STREAM, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("socket", errno)
	}
	noDelay(int32(fd))
	return int32(fd), nil
}
