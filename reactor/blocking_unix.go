//go:build unix

package reactor

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// connSource opens a listening socket.
func (s *Server) connSource(network, addr string) (connSource, net.Addr, error) {
	if s.cfg.Variant == ThreadPerConn {
		return s.threadSource(network, addr)
	}
	nl, err := s.listenNet(network, addr, false, 0)
	if err != nil {
		return nil, nil, err
	}
	return &netSource{ln: nl, srv: s}, nl.Addr(), nil
}

// connect dials, and sets o.str.
func (s *Server) connect(o *runner) error {
	if s.cfg.Variant == ThreadPerConn {
		return s.connectThread(o)
	}
	return s.connectNet(o)
}

// sendFileAt sends a part of a file to a socket that must not block.
func sendFileAt(fd int, f *os.File, off, n int64) (int, error) {
	sent, err := sendFile(fd, int(f.Fd()), off, int(n))
	switch err {
	case nil:
		return sent, nil
	case unix.EAGAIN, unix.EINTR:
		return 0, errAgain
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP, unix.ESPIPE: // of files that have no pages, and of sandboxes
		return 0, errors.ErrUnsupported
	}
	return 0, err
}

// tried is the result of a system call that does not wait.
func tried(n int, errno syscall.Errno) (int, error) {
	switch errno {
	case 0:
		return n, nil
	case unix.EAGAIN, unix.EINTR:
		return 0, errAgain
	}
	return 0, errno
}
