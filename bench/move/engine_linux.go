package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// mover is a bare loop that moves bytes by one engine.
type mover struct {
	spec   *spec
	engine api.Engine
	ops    []api.Op
	done   []api.Completion
	lanes  []*lane
}

// lane is one direction of it: bytes go from in to out, by way of a pipe or a buffer.
type lane struct {
	tag     uint64 // and behind it that of its second half
	in, out int
	pipe    [2]int
	buf     []byte
	have    int      // bytes in the pipe
	f       *os.File // that is sent, instead of what comes from in
	off     int64
}

// onEngine serves one connection, and a second one if it is to be forwarded to.
func onEngine(s *spec, in, out net.Conn) error {
	e, err := backend.Open(s.Way.Backend, &api.Options{Strategy: strategy})
	if err != nil {
		return err
	}
	m := &mover{spec: s, engine: e, done: make([]api.Completion, 16)}
	a, err := fdOf(in)
	if err != nil {
		return err
	}
	if s.Work.Kind == "file" {
		err = m.addLane(a, a)
	} else {
		var b int
		if b, err = fdOf(out); err == nil {
			err = errors.Join(m.addLane(a, b), m.addLane(b, a))
		}
	}
	if err != nil {
		return errors.Join(err, e.Close())
	}
	for _, l := range m.lanes {
		m.take(l)
	}
	for err == nil {
		err = m.turn()
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, e.Close())
}

// fdOf is the fd of a connection, which is left to Go as far as its life is concerned. It does not block.
func fdOf(c net.Conn) (fd int, err error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(func(n uintptr) { fd = int(n) })
	}
	return fd, err
}

func (m *mover) addLane(in, out int) error {
	l := &lane{tag: uint64(2 * len(m.lanes)), in: in, out: out}
	m.lanes = append(m.lanes, l)
	size := m.spec.Way.Size
	if m.spec.Way.Kind == "copy" {
		l.buf = make([]byte, size)
		return nil
	}
	if m.spec.Work.Kind == "file" {
		l.buf = make([]byte, 1) // requests
	}
	if err := unix.Pipe2(l.pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	_, err := unix.FcntlInt(uintptr(l.pipe[1]), unix.F_SETPIPE_SZ, size)
	return os.NewSyscallError("fcntl", err)
}

func (m *mover) turn() error {
	if _, err := m.engine.Submit(m.ops); err != nil {
		return err
	}
	m.ops = m.ops[:0]
	n, err := m.engine.Complete(m.done, api.Wait{Min: 1})
	if err != nil {
		return err
	}
	for i := range m.done[:n] {
		c := &m.done[i]
		l := m.lanes[c.Tag/2]
		switch {
		case c.Res < 0:
			return fmt.Errorf("lane %d: %w", c.Tag, c.Err())
		case c.Res == 0:
			return io.EOF // a run ends by that
		case c.Tag == l.tag:
			err = m.taken(l, int(c.Res))
		default:
			m.given(l, int(c.Res))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take has more come.
func (m *mover) take(l *lane) {
	size := m.spec.Way.Size
	left := int(min(int64(m.spec.Work.Size)-l.off, int64(size)))
	switch spliced := m.spec.Way.Kind == "splice"; {
	case m.spec.Work.Kind == "file" && l.f == nil:
		m.ops = append(m.ops, api.Recv(l.in, l.buf[:1], l.tag))
	case l.f != nil && spliced:
		m.ops = append(m.ops, api.Splice(int(l.f.Fd()), l.off, l.pipe[1], api.CurrentPosition, left, 0, l.tag))
	case l.f != nil:
		m.ops = append(m.ops, api.Read(int(l.f.Fd()), l.buf[:left], l.off, l.tag))
	case spliced:
		m.ops = append(m.ops, api.Splice(l.in, api.CurrentPosition, l.pipe[1], api.CurrentPosition, size, 0, l.tag))
	default:
		m.ops = append(m.ops, api.Recv(l.in, l.buf, l.tag))
	}
}

// taken passes on what has come.
func (m *mover) taken(l *lane, n int) (err error) {
	if m.spec.Work.Kind == "file" && l.f == nil {
		l.off = 0
		if l.f, err = os.Open(m.spec.File); err == nil {
			m.take(l)
		}
		return err
	}
	l.off += int64(n)
	if m.spec.Way.Kind == "copy" {
		m.ops = append(m.ops, api.Send(l.out, l.buf[:n], l.tag+1).With(api.WaitAll))
		return nil
	}
	l.have = n
	m.give(l)
	return nil
}

func (m *mover) give(l *lane) {
	m.ops = append(m.ops, api.Splice(l.pipe[0], api.CurrentPosition, l.out, api.CurrentPosition, l.have, 0, l.tag+1))
}

// given goes on when some of it has gone.
func (m *mover) given(l *lane, n int) {
	if m.spec.Way.Kind == "splice" {
		if l.have -= n; l.have > 0 {
			m.give(l)
			return
		}
	}
	switch {
	case l.f == nil:
		l.off = 0
	case l.off == int64(m.spec.Work.Size):
		_ = l.f.Close() // it was only read
		l.f = nil
	}
	m.take(l)
}
