//go:build unix

package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// pingSize is the size of a message.
const pingSize = 64

// BenchmarkPingPong sends a message there and back over a pair of Unix sockets. With peer=self one engine has
// both ends, and nobody waits; with peer=net the other end is a goroutine on Go's net, which has to be woken.
func BenchmarkPingPong(b *testing.B) { measure(b, pingPongs()) }

func pingPongs() (list []scenario) {
	for _, name := range backends {
		list = append(list, scenario{
			name: "peer=self/backend=" + name, bytes: 2 * pingSize,
			steps: func(r *rig) func() error { return pingSelf(r, r.open(name, api.Block())) },
		})
		for _, w := range waits {
			list = append(list, scenario{
				name: fmt.Sprintf("peer=net/backend=%s/wait=%s", name, w.name), bytes: 2 * pingSize,
				steps: func(r *rig) func() error { return pingNet(r, name, w.how) },
			})
		}
	}
	return append(list,
		scenario{name: "peer=self/backend=net", bytes: 2 * pingSize, steps: baseSelf},
		scenario{name: "peer=net/backend=net", bytes: 2 * pingSize, steps: baseNet})
}

// message is what goes there and back, another one each time.
type message struct {
	out, in []byte
	seq     uint64
}

func newMessage(size int) *message {
	m := &message{out: make([]byte, size), in: make([]byte, size)}
	for i := range m.out {
		m.out[i] = byte(i * 11)
	}
	return m
}

func (m *message) stamp() {
	m.seq++
	binary.LittleEndian.PutUint64(m.out, m.seq)
}

func (m *message) check() error {
	if !bytes.Equal(m.in, m.out) {
		return fmt.Errorf("message %d came back changed", m.seq)
	}
	return nil
}

// pingSelf makes two exchanges per operation, one for each direction.
func pingSelf(r *rig, e api.Engine) func() error {
	a, b := socketPair(r)
	m := newMessage(pingSize)
	back := make([]byte, pingSize)
	p := newPump(e, 2, nil)
	ops := make([]api.Op, 2)
	pass := func(from, to int, out, in []byte) error {
		ops[0], ops[1] = api.Send(from, out, 1), api.Recv(to, in, 2)
		return moved(p.exchange(ops, 2))(2)
	}
	return func() error {
		m.stamp()
		if err := pass(a, b, m.out, back); err != nil {
			return err
		}
		if err := pass(b, a, back, m.in); err != nil {
			return err
		}
		return m.check()
	}
}

// moved checks that each of want operations moved a message.
func moved(done []api.Completion, err error) func(want int) error {
	return func(want int) error {
		if err != nil {
			return err
		}
		if len(done) != want {
			return fmt.Errorf("%d completions, want %d", len(done), want)
		}
		for i := range done {
			if done[i].Res != pingSize {
				return fmt.Errorf("%v of a message gave %d: %v", done[i].Code, done[i].Res, done[i].Err())
			}
		}
		return nil
	}
}

func pingNet(r *rig, name string, how api.Strategy) func() error {
	r.require(name)
	a, b := socketPair(r)
	echoOn(r, b)
	m := newMessage(pingSize)
	p := newPump(r.open(name, how), 2, nil)
	ops := make([]api.Op, 2)
	return func() error {
		m.stamp()
		ops[0], ops[1] = api.Send(a, m.out, 1), api.Recv(a, m.in, 2)
		if err := moved(p.exchange(ops, 2))(2); err != nil {
			return err
		}
		return m.check()
	}
}

func baseSelf(r *rig) func() error {
	a, b := socketPair(r)
	ca, cb := netConn(r, a), netConn(r, b)
	m := newMessage(pingSize)
	back := make([]byte, pingSize)
	return func() error {
		m.stamp()
		_, err1 := ca.Write(m.out)
		_, err2 := io.ReadFull(cb, back)
		_, err3 := cb.Write(back)
		_, err4 := io.ReadFull(ca, m.in)
		return errors.Join(err1, err2, err3, err4, m.check())
	}
}

func baseNet(r *rig) func() error {
	a, b := socketPair(r)
	echoOn(r, b)
	c := netConn(r, a)
	m := newMessage(pingSize)
	return func() error {
		m.stamp()
		_, err1 := c.Write(m.out)
		_, err2 := io.ReadFull(c, m.in)
		return errors.Join(err1, err2, m.check())
	}
}

// socketPair makes two connected Unix sockets, closed at the end.
func socketPair(r *rig) (a, b int) {
	r.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		_ = unix.Close(fds[0]) // nothing depends on it
		_ = unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

// netConn makes a connection of Go's net of a duplicate of fd, closed at the end.
func netConn(r *rig, fd int) net.Conn {
	r.Helper()
	dup, err := unix.Dup(fd)
	if err != nil {
		r.Fatal(err)
	}
	f := os.NewFile(uintptr(dup), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { c.Close() })
	return c
}

// echoOn sends back what comes in on fd, in a goroutine on Go's net that ends with the rig.
func echoOn(r *rig, fd int) {
	r.Helper()
	done := make(chan struct{})
	r.Cleanup(func() { <-done }) // runs after the connection is closed
	c := netConn(r, fd)
	go func() {
		defer close(done)
		buf := make([]byte, pingSize)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return // closed
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
}
