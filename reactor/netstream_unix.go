//go:build unix

package reactor

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

// netStream is a stream on Go's net: a wait for input is Conn.Read, of which the runtime's poller makes a goroutine that waits. What interrupts it is a deadline
// in the past. Room for output is waited for by another goroutine, which there is only as long as there is none.
type netStream struct {
	nc     net.Conn
	raw    syscall.RawConn
	runner *runner

	at    api.Instant // the deadline that is set, 0: none
	dirty bool        // or it is not
	ping  chan struct{}

	reading atomic.Bool // a wait is in Read, or in ping
	helping atomic.Bool // there is a goroutine that waits for room
	roomy   atomic.Bool // it has found some

	// What tryRead and tryWrite work on: closures made once.
	b                 []byte
	n                 int
	errno             syscall.Errno
	tryRead, tryWrite func(uintptr)
}

func (s *Server) newNetStream(nc net.Conn) *netStream {
	if tc, ok := nc.(*net.TCPConn); ok && s.cfg.Nagle {
		_ = tc.SetNoDelay(false) // it fails on one that is gone already, which the next operation will report
	}
	return &netStream{nc: nc}
}

// keepAlive is Config.KeepAlive as package net has it.
func (c *Config) keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: c.KeepAlive > 0, Idle: c.KeepAlive, Interval: c.KeepAlive, Count: -1}
}

func (t *netStream) begin(o *runner) (err error) {
	t.runner = o
	t.ping = make(chan struct{}, 1)
	t.tryRead = func(fd uintptr) { t.n, t.errno = sysx.Recv(int32(fd), t.b, sysx.MsgDontWait) }
	t.tryWrite = func(fd uintptr) { t.n, t.errno = sysx.Send(int32(fd), t.b, sysx.MsgDontWait) }
	t.raw, err = t.nc.(syscall.Conn).SyscallConn()
	return err
}

func (t *netStream) read(b []byte) (int, error)  { return t.try(b, t.tryRead) }
func (t *netStream) write(b []byte) (int, error) { return t.try(b, t.tryWrite) }

// try makes a system call on the fd, without the poller, and without a deadline.
func (t *netStream) try(b []byte, call func(uintptr)) (int, error) {
	t.b = b
	err := t.raw.Control(call)
	t.b = nil
	if err != nil {
		return 0, err
	}
	return tried(t.n, t.errno)
}

func (t *netStream) sendFile(f *os.File, off, n int64) (sent int, err error) {
	if e := t.raw.Control(func(fd uintptr) { sent, err = sendFileAt(int(fd), f, off, n) }); e != nil {
		return 0, e
	}
	return sent, err
}

func (t *netStream) prepare(b []byte, room bool, now, until api.Instant) {
	t.reading.Store(b != nil)
	if room && t.helping.CompareAndSwap(false, true) {
		t.runner.set.work.Go(t.awaitRoom)
	}
	if b == nil {
		return
	}
	// The end of Config.IdleTimeout moves with each byte: a deadline that is not too far from it stays.
	if !t.dirty && (until == 0 && t.at == 0 || t.at != 0 && t.at <= until && t.at-now >= (until-now)/2) {
		return
	}
	at := time.Time{}
	if until != 0 {
		at = time.Now().Add(time.Duration(until - now))
	}
	if t.nc.SetReadDeadline(at) == nil { // else the read fails, too
		t.at, t.dirty = until, false
	}
}

// awaitRoom is the goroutine that waits for room.
func (t *netStream) awaitRoom() {
	// The poller tells of changes alone, and forgets those of before Write: so the look comes in it. An error says that it is closed.
	_ = t.raw.Write(func(fd uintptr) bool {
		got, errno := sysx.Poll1(int32(fd), unix.POLLOUT)
		return errno != 0 || got != 0
	})
	t.helping.Store(false) // first, since the runner starts another when it finds this false
	t.roomy.Store(true)
	t.runner.wake()
}

func (t *netStream) wait(b []byte, _ bool, now, until api.Instant) (int, error) {
	switch {
	case until != 0 && until <= now, t.roomy.Swap(false):
		if b != nil {
			return t.read(b)
		}
		return 0, errAgain
	case b == nil:
		t.pause(now, until)
		return 0, errAgain
	}
	n, err := t.nc.Read(b)
	switch {
	case n > 0:
		return n, nil
	case err == io.EOF:
		return 0, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.dirty = true
		return t.read(b) // what has come in time must not be lost because this goroutine did not run
	}
	return 0, errnoIn(err)
}

// pause waits for an interrupt or the time.
func (t *netStream) pause(now, until api.Instant) {
	if until == 0 {
		<-t.ping
		return
	}
	timer := time.NewTimer(time.Duration(until - now))
	defer timer.Stop()
	select {
	case <-t.ping:
	case <-timer.C:
	}
}

func (t *netStream) interrupt() {
	if t.reading.Load() {
		_ = t.nc.SetReadDeadline(past) // it fails when it is closed
		return
	}
	select {
	case t.ping <- struct{}{}:
	default: // it is on its way
	}
}

func (t *netStream) share() {}

func (t *netStream) closeWrite() error {
	if h, ok := t.nc.(interface{ CloseWrite() error }); ok {
		return errnoIn(h.CloseWrite())
	}
	return nil
}

func (t *netStream) addrs() (local, remote net.Addr) {
	_ = t.raw.Control(func(fd uintptr) { local, remote = addrsOf(int(fd)) }) // it is open as long as callbacks come
	return local, remote
}

func (t *netStream) reset() {
	_ = t.raw.Control(func(fd uintptr) { resetOnClose(int(fd)) }) // it is open as long as callbacks come
}

func (t *netStream) close() { _ = t.nc.Close() } // all that was to be sent is sent

// connectNet dials by package net.
func (s *Server) connectNet(o *runner) error {
	d := net.Dialer{Timeout: s.cfg.DialTimeout, KeepAlive: -1, KeepAliveConfig: s.cfg.keepAlive()}
	d.SetMultipathTCP(false)
	network, addr := "unix", o.to.Path
	if o.to.Path == "" {
		network, addr = "tcp", o.to.IP.String()
	}
	nc, err := d.DialContext(o.set.dialling, network, addr)
	if err != nil {
		return errnoIn(err)
	}
	o.str = s.newNetStream(nc)
	return nil
}

// netSource is a net.Listener.
type netSource struct {
	ln  net.Listener
	srv *Server
}

func (a *netSource) accept() (stream, error) {
	nc, err := a.ln.Accept()
	if err != nil {
		return nil, err
	}
	return a.srv.newNetStream(nc), nil
}

func (a *netSource) interrupt() { _ = a.ln.Close() } // it may be closed already
func (a *netSource) close()     { _ = a.ln.Close() }
