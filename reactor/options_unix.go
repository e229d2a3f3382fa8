//go:build unix

package reactor

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// options sets those of a new connection. It fails on one that is gone already, which the next operation will report.
func (s *Server) options(c *Conn) {
	if !inherited || c.io.dialled != nil {
		_ = s.streamOptions(int(c.io.fd))
	}
}

// streamOptions sets the options of TCP on a socket, and nothing on one that is none.
func (s *Server) streamOptions(fd int) error {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || typ != unix.SOCK_STREAM || !isInet(fd) {
		return nil
	}
	set := func(level, name, v int) {
		err = errors.Join(err, os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, name, v)))
	}
	if !s.cfg.Nagle {
		set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if s.cfg.KeepAlive > 0 {
		secs := max(1, int((s.cfg.KeepAlive+time.Second-1)/time.Second))
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		set(unix.IPPROTO_TCP, tcpKeepIdle, secs)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, secs)
	}
	return err
}

// resetOnClose has the close of a TCP connection tell the peer that it was not the regular end. It fails on one that is gone already.
func resetOnClose(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// isInet says whether a socket is one of IPv4 or IPv6.
func isInet(fd int) bool {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch sa.(type) {
	case *unix.SockaddrInet4, *unix.SockaddrInet6:
		return true
	}
	return false
}
