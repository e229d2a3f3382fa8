//go:build unix

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
)

const (
	messageSize  = 64
	messageDepth = 32 // in flight per connection
	messageConns = 32
)

// messageWays are the ways to receive messages, all of them multishot. The first is the baseline: a buffer for each message.
var messageWays = []struct {
	name  string
	group api.BufferGroupOptions
	flags api.OpFlags
}{
	{"multishot/buffer=64", api.BufferGroupOptions{Count: 2048, Size: messageSize}, 0},
	{"bundle/buffer=64", api.BufferGroupOptions{Count: 2048, Size: messageSize}, api.Bundle},
	{"incremental/buffer=64Ki", api.BufferGroupOptions{Count: 16, Size: 64 << 10, Incremental: true}, 0},
	{"multishot/buffer=4Ki", api.BufferGroupOptions{Count: 64, Size: 4096}, 0},
}

// BenchmarkMessages receives messages of 64 bytes, of which 32 are in flight on each connection: when all of them have come,
// the next 32 are sent, in one system call. An operation is a message.
func BenchmarkMessages(b *testing.B) { measure(b, messages()) }

func messages() (list []scenario) {
	for _, w := range messageWays {
		for _, name := range backends {
			list = append(list, scenario{
				name: fmt.Sprintf("way=%s/backend=%s", w.name, name), bytes: messageSize,
				count: func(r *rig, n int) error { return receiveMessages(r, r.open(name, api.Block()), w.group, w.flags, n) },
			})
		}
	}
	return list
}

// receiver receives on many connections.
type receiver struct {
	group api.BufferGroup
	peers []int
	got   []int // by connection: how much of the burst under way
	burst []byte
}

func receiveMessages(r *rig, e api.Engine, o api.BufferGroupOptions, flags api.OpFlags, n int) error {
	g, err := e.NewBufferGroup(o)
	if err != nil {
		return err
	}
	v := &receiver{group: g, got: make([]int, messageConns), burst: make([]byte, messageSize*messageDepth)}
	for i := range v.burst {
		v.burst[i] = byte(i * 11 >> 3)
	}
	ops := make([]api.Op, messageConns)
	for i := range ops {
		a, b, err := tcpPair(r)
		if err != nil {
			return err
		}
		v.peers = append(v.peers, b)
		ops[i] = api.RecvMultishot(a, 0, uint64(i)).With(flags)
	}
	if _, err := e.Submit(ops); err != nil {
		return err
	}
	done := make([]api.Completion, 256)
	left := 0 // bytes of the bursts under way
	r.start()
	for i := 0; n > 0 || left > 0; i++ {
		if left == 0 {
			for _, fd := range v.peers {
				if n <= 0 {
					break
				}
				if k, err := syscall.Write(fd, v.burst); err != nil || k != len(v.burst) {
					return fmt.Errorf("write: %d, %w", k, err)
				}
				left += len(v.burst)
				n -= messageDepth
			}
		}
		k, err := e.Complete(done, api.Wait{Min: 1})
		if err != nil {
			return err
		}
		for i := range done[:k] {
			if err := v.take(&done[i]); err != nil {
				return err
			}
			left -= len(done[i].Buf)
		}
	}
	r.stop()
	return g.Close()
}

// take checks one completion, and gives its buffer back.
func (v *receiver) take(c *api.Completion) error {
	if c.Res <= 0 || !c.More() {
		return fmt.Errorf("a receive ended with %d: %w", c.Res, errors.Join(c.Err(), errors.New("more was to come")))
	}
	at := v.got[c.Tag]
	if !bytes.Equal(c.Buf, v.burst[at:at+len(c.Buf)]) {
		return fmt.Errorf("connection %d: %d bytes at %d came changed", c.Tag, len(c.Buf), at)
	}
	v.got[c.Tag] = (at + len(c.Buf)) % len(v.burst)
	return v.group.Release(c.Lease)
}

// tcpPair makes two connected TCP sockets, closed at the end.
func tcpPair(r *rig) (a, b int, err error) {
	r.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		return 0, 0, err
	}
	defer server.Close()
	for _, c := range []struct {
		conn net.Conn
		fd   *int
	}{{server, &a}, {client, &b}} {
		raw, err := c.conn.(*net.TCPConn).SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { *c.fd, err = syscall.Dup(int(fd)) })
		}
		if err != nil {
			return 0, 0, err
		}
		fd := *c.fd
		r.Cleanup(func() { _ = syscall.Close(fd) }) // nothing depends on it
	}
	return a, b, nil
}
