//go:build unix

package reactor

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
	"github.com/sluiceio/sluice/internal/wakefd"
	"github.com/sluiceio/sluice/sock"
)

// connectSlice is how long a connect to a Unix socket waits for room in the backlog before it looks whether it is still wanted.
const connectSlice = 100 * time.Millisecond

// thread is a stream for a thread of its own: a blocking socket, that the runtime's poller does not know. A wait for input is one recv(2)
// that blocks. Only where there is more to wait for, room for output or a waker, it is poll(2).
type thread struct {
	fd     int32
	srv    *Server
	waker  atomic.Pointer[wakefd.FD] // what interrupts, once it is there
	nudged atomic.Bool               // to be interrupted otherwise
	id     nudge
	fds    [2]sysx.PollFd

	mu     sync.Mutex
	closed bool // guarded by mu
}

func (t *thread) begin(o *runner) error {
	o.c.io.fd = t.fd
	t.srv.options(o.c)
	return t.prepareThread()
}

func (t *thread) read(b []byte) (int, error) {
	return tried(sysx.Recv(t.fd, b, sysx.MsgDontWait))
}

func (t *thread) write(b []byte) (int, error) {
	return tried(sysx.Send(t.fd, b, sysx.MsgDontWait))
}

// sendFile has the socket not block meanwhile: sendfile(2) has no flag for it. Nobody else uses it.
func (t *thread) sendFile(f *os.File, off, n int64) (int, error) {
	if errno := sysx.SetNonblock(t.fd, true); errno != 0 {
		return 0, errno
	}
	sent, err := sendFileAt(int(t.fd), f, off, n)
	if errno := sysx.SetNonblock(t.fd, false); errno != 0 {
		return sent, errno
	}
	return sent, err
}

func (t *thread) prepare(b []byte, room bool, now, until api.Instant) {
	if b != nil && !room && t.waker.Load() == nil {
		t.patience(now, until)
	}
}

func (t *thread) wait(b []byte, room bool, now, until api.Instant) (int, error) {
	n, err := t.waitOnce(b, room, now, until)
	if t.nudged.Load() {
		t.nudged.Store(false)
	}
	return n, err
}

func (t *thread) waitOnce(b []byte, room bool, now, until api.Instant) (int, error) {
	waker := t.waker.Load()
	switch {
	case until != 0 && until <= now && b != nil:
		return t.read(b)
	case until != 0 && until <= now:
		return 0, errAgain
	case b != nil && !room && waker == nil:
		return t.recv(b)
	}
	fds := t.fds[:0]
	if b != nil || room {
		p := sysx.PollFd{Fd: t.fd}
		if b != nil {
			p.Events |= unix.POLLIN
		}
		if room {
			p.Events |= unix.POLLOUT
		}
		fds = append(fds, p)
	}
	d := pollMax
	if waker != nil {
		fds = append(fds, sysx.PollFd{Fd: waker.FD(), Events: unix.POLLIN})
		d = -1
	}
	if until != 0 && (d < 0 || until < now.Add(d)) {
		d = time.Duration(until - now)
	}
	if _, errno := sysx.Poll(fds, d); errno != 0 {
		return 0, tolerable(errno)
	}
	if waker != nil && fds[len(fds)-1].Revents != 0 {
		waker.Drain()
	}
	if b != nil && fds[0].Revents&^unix.POLLOUT != 0 {
		return t.read(b)
	}
	return 0, errAgain
}

// recv is the wait of a connection that only its own thread knows.
func (t *thread) recv(b []byte) (int, error) {
	n, err := unix.Read(int(t.fd), b)
	if err != nil {
		return 0, tolerable(err)
	}
	return n, nil
}

// tolerable makes errAgain of what interrupts a wait, or ends it with the time.
func tolerable(err error) error {
	if err == unix.EINTR || err == unix.EAGAIN {
		return errAgain
	}
	return err
}

func (t *thread) interrupt() {
	if w := t.waker.Load(); w != nil {
		w.Wake()
		return
	}
	t.nudged.Store(true)
	t.srv.blocking.nudges.add(t)
}

func (t *thread) share() {
	if t.waker.Load() != nil {
		return
	}
	if w, err := wakefd.New(); err == nil { // without it, interrupt goes another way
		t.waker.Store(w)
	}
}

func (t *thread) closeWrite() error {
	if errno := sysx.Shutdown(t.fd, unix.SHUT_WR); errno != 0 {
		return errno
	}
	return nil
}

func (t *thread) addrs() (local, remote net.Addr) { return addrsOf(int(t.fd)) }

func (t *thread) reset() { resetOnClose(int(t.fd)) }

func (t *thread) close() {
	t.mu.Lock()
	t.closed = true // the thread may end from here on
	t.mu.Unlock()
	if w := t.waker.Load(); w != nil {
		w.Close()
	}
	sysx.Close(t.fd)
}

// addrsOf asks the system for the addresses of a connection.
func addrsOf(fd int) (local, remote net.Addr) {
	here, _ := sock.LocalAddr(fd) // with an error they are zero
	there, _ := sock.PeerAddr(fd)
	return netAddr(here), netAddr(there)
}

// connectThread dials in the connection's thread.
func (s *Server) connectThread(o *runner) error {
	fd, errno := sysx.Socket(family(o.to), sockStream, 0)
	if errno != 0 {
		return errno
	}
	t := &thread{fd: int32(fd), srv: s}
	o.str = t
	if err := t.prepareThread(); err != nil {
		return err
	}
	var sa sysx.RawSockaddrAny
	n, errno := sysx.EncodeAddrFor(&sa, o.to.IP, o.to.Path, family(o.to))
	if errno != 0 {
		return errno
	}
	until := api.After(s.cfg.DialTimeout)
	if o.to.Path != "" {
		return t.connectUnix(o, &sa, n, until)
	}
	if errno := sysx.SetNonblock(t.fd, true); errno != 0 {
		return errno
	}
	switch errno := sysx.Connect(t.fd, &sa, n); errno {
	case 0:
	case unix.EINPROGRESS:
		if err := t.connecting(o, until); err != nil {
			return err
		}
	default:
		return errno
	}
	if errno := sysx.SetNonblock(t.fd, false); errno != 0 {
		return errno
	}
	return nil
}

// connecting waits for the end of a connect.
func (t *thread) connecting(o *runner, until api.Instant) error {
	for {
		switch got, errno := sysx.Poll1(t.fd, unix.POLLOUT); {
		case errno != 0:
			return errno
		case got != 0:
			soerr, errno := sysx.SoError(t.fd)
			if errno = max(soerr, errno); errno != 0 {
				return errno
			}
			return nil
		}
		now := api.Now()
		if now >= until {
			return os.ErrDeadlineExceeded
		}
		o.asleep.Store(true)
		if o.aborted.Load() {
			return ErrShutdown
		}
		_, err := t.wait(nil, true, now, until)
		o.asleep.Store(false)
		if err != errAgain {
			return err
		}
	}
}

// connectUnix connects to a Unix socket, whose connect waits for room in the backlog only if it may block.
func (t *thread) connectUnix(o *runner, sa *sysx.RawSockaddrAny, n uint32, until api.Instant) error {
	for {
		rest := min(time.Duration(until-api.Now()), connectSlice)
		if rest <= 0 {
			return os.ErrDeadlineExceeded
		}
		if o.aborted.Load() {
			return ErrShutdown
		}
		tv := unix.NsecToTimeval(max(int64(rest), int64(time.Microsecond)))
		if err := unix.SetsockoptTimeval(int(t.fd), unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
			return err
		}
		switch errno := sysx.Connect(t.fd, sa, n); errno {
		case 0:
			return nil
		case unix.EAGAIN:
		default:
			return errno
		}
	}
}

// threadSource is a listening socket that is polled: accept(2) alone could not be interrupted.
type threadSource struct {
	ln    listener
	srv   *Server
	waker *wakefd.FD
	over  atomic.Bool
}

func (s *Server) threadSource(network, addr string) (connSource, net.Addr, error) {
	ln, err := s.open(network, addr, false, 0)
	if err != nil {
		return nil, nil, err
	}
	w, err := wakefd.New()
	if err != nil {
		ln.close()
		return nil, nil, err
	}
	return &threadSource{ln: ln, srv: s, waker: w}, ln.addr, nil
}

func (a *threadSource) accept() (stream, error) {
	for {
		if a.over.Load() {
			return nil, ErrClosed
		}
		fd, _, errno := sysx.Accept(a.ln.fd, nil, 0)
		switch errno {
		case 0:
			return &thread{fd: int32(fd), srv: a.srv}, nil
		case unix.EAGAIN:
		default:
			return nil, errno
		}
		fds := []sysx.PollFd{{Fd: a.ln.fd, Events: unix.POLLIN}, {Fd: a.waker.FD(), Events: unix.POLLIN}}
		if _, errno := sysx.Poll(fds, -1); errno != 0 && errno != unix.EINTR {
			return nil, errno
		}
	}
}

func (a *threadSource) interrupt() {
	a.over.Store(true)
	a.waker.Wake()
}

func (a *threadSource) close() {
	a.ln.close()
	a.waker.Close()
}
