//go:build unix

package reactor

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

const sockStream = unix.SOCK_STREAM

// family is that of the sockets which can connect to an address.
func family(a api.Addr) int {
	switch {
	case a.Path != "":
		return unix.AF_UNIX
	case a.IP.Addr().Is4():
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// listenConfig is what sockets are opened with.
func (s *Server) listenConfig(reuseport bool, index int) *net.ListenConfig {
	lc := &net.ListenConfig{KeepAlive: -1, KeepAliveConfig: s.cfg.keepAlive(), Control: func(_, _ string, raw syscall.RawConn) error {
		var serr error
		err := raw.Control(func(fd uintptr) { serr = s.prepare(int(fd), reuseport, index) })
		return errors.Join(err, serr)
	}}
	lc.SetMultipathTCP(false) // as a server in C would have it
	return lc
}

// listenNet opens a listening socket.
func (s *Server) listenNet(network, addr string, reuseport bool, index int) (net.Listener, error) {
	lc := s.listenConfig(reuseport, index)
	nl, err := lc.Listen(context.Background(), network, addr)
	if err != nil || s.cfg.Backlog == 0 {
		return nl, err
	}
	var errno syscall.Errno
	err = onFD(nl, func(fd int32) { errno = sysx.Listen(fd, int32(s.cfg.Backlog)) })
	if errno != 0 {
		err = os.NewSyscallError("listen", errno)
	}
	if err != nil {
		return nil, errors.Join(err, nl.Close())
	}
	return nl, nil
}

// onFD calls fn with the fd of a socket of package net.
func onFD(nl any, fn func(fd int32)) error {
	raw, err := nl.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { fn(int32(fd)) })
}

// open opens a listening socket for the engine of a loop.
func (s *Server) open(network, addr string, reuseport bool, index int) (listener, error) {
	if strings.HasPrefix(network, "udp") {
		return s.openUDP(network, addr, reuseport, index)
	}
	nl, err := s.listenNet(network, addr, reuseport, index)
	if err != nil {
		return listener{}, err
	}
	ln := listener{addr: nl.Addr()}
	defer nl.Close()
	if u, ok := nl.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		if name := u.Addr().String(); name != "" && name[0] != '@' {
			ln.unlink = name
		}
	}
	err = ln.duplicate(nl)
	return ln, err
}

// openUDP opens a socket of UDP for the engine of a loop.
func (s *Server) openUDP(network, addr string, reuseport bool, index int) (listener, error) {
	pc, err := s.listenConfig(reuseport, index).ListenPacket(context.Background(), network, addr)
	if err != nil {
		return listener{}, err
	}
	defer pc.Close()
	ln := listener{addr: pc.LocalAddr()}
	err = ln.duplicate(pc)
	return ln, err
}

// duplicate takes an fd of its own for the engine: package net keeps, and closes, its own.
func (ln *listener) duplicate(of any) error {
	var errno syscall.Errno
	if err := onFD(of, func(fd int32) { ln.fd, errno = sysx.Dup(fd) }); err != nil {
		return err
	}
	if errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	return nil
}

// close closes a listener that no engine has operations on.
func (ln *listener) close() {
	sysx.Close(ln.fd)
	ln.fd = -1
	ln.remove()
}

// remove removes the file of a Unix socket.
func (ln *listener) remove() {
	if ln.unlink != "" {
		_ = os.Remove(ln.unlink) // somebody may have been faster
	}
}

// prepare sets what a listening socket, and the connections that it accepts, are to have. On Linux those inherit all of it.
func (s *Server) prepare(fd int, reuseport bool, index int) error {
	if !reuseport {
		return s.prepareLoop(fd, index)
	}
	err := os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	return errors.Join(err, s.prepareLoop(fd, index))
}
