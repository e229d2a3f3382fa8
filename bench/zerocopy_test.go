//go:build linux

package bench

import (
	"fmt"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// The sizes of what is sent at a time, and how many sends are in flight: enough that none waits for the acknowledgement of the one before.
var zeroCopySizes = []int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}

const zeroCopyDepth = 32

// sendHow is a way to send. All of them send with WaitAll, and use a buffer again when it is free.
type sendHow struct {
	name string
	op   func(fd, i int, buf []byte) api.Op
	zero bool // there is a notification
	sock bool // with SO_ZEROCOPY
}

var sendHows = []sendHow{
	{name: "send", op: func(fd, i int, buf []byte) api.Op { return api.Send(fd, buf, uint64(i)) }},
	{name: "zc", zero: true, op: func(fd, i int, buf []byte) api.Op { return api.SendZC(fd, buf, uint64(i)) }},
	{name: "zcfixed", zero: true, op: func(fd, i int, buf []byte) api.Op { return api.SendZCFixed(fd, i, buf, uint64(i)) }},
	{name: "zcsock", zero: true, sock: true, op: func(fd, i int, buf []byte) api.Op { return api.SendZC(fd, buf, uint64(i)) }},
}

// BenchmarkSendZC sends to a peer that reads and throws away. how=zcsock is SendZC on a socket with SO_ZEROCOPY, which matters to the backends
// without io_uring; the metric copied/op says how many sends were copied after all.
func BenchmarkSendZC(b *testing.B) { measure(b, zeroCopies(zeroCopySizes...)) }

func zeroCopies(sizes ...int) (list []scenario) {
	for _, name := range backends {
		for _, how := range sendHows {
			if how.sock && name == "uring" {
				continue
			}
			for _, size := range sizes {
				list = append(list, scenario{
					name: fmt.Sprintf("how=%s/size=%d/backend=%s", how.name, size, name), bytes: int64(size),
					steps: func(r *rig) func() error { return sendAll(r, name, how, size) },
				})
			}
		}
	}
	return list
}

// sendAll returns what waits until one buffer is free again, and sends from it anew.
func sendAll(r *rig, name string, how sendHow, size int) func() error {
	r.require(name)
	fd := sink(r)
	if how.sock {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1); err != nil {
			r.Fatal(err)
		}
	}
	e := r.open(name, api.Block())
	bufs := make([][]byte, zeroCopyDepth)
	for i := range bufs {
		bufs[i] = make([]byte, size)
	}
	if how.name == "zcfixed" {
		if err := e.RegisterBuffers(bufs); err != nil {
			r.Skip(err)
		}
	}
	copied, freed := 0, 0
	free := false
	p := newPump(e, 2*zeroCopyDepth, nil)
	send := func(i int) {
		op := how.op(fd, i, bufs[i]).With(api.WaitAll)
		if how.zero {
			op = op.With(api.ReportUsage)
		}
		p.ops = append(p.ops, op)
	}
	p.handle = func(_ *pump, c *api.Completion) error {
		switch {
		case c.Flags.Has(api.Notif):
			freed++
			if c.Flags.Has(api.Copied) {
				copied++
			}
		case int(c.Res) != size || c.More() != how.zero:
			return fmt.Errorf("send of %d bytes: %+v, %v", size, c, c.Err())
		case c.More():
			return nil
		}
		free = true
		send(int(c.Tag))
		return nil
	}
	for i := range bufs {
		send(i)
	}
	r.Cleanup(func() {
		unix.Close(fd) // so that the engine need not wait for what is in flight
		if r.b != nil && freed > 0 {
			r.b.ReportMetric(float64(copied)/float64(freed), "copied/op")
		}
	})
	return func() error {
		for free = false; !free; {
			if err := p.next(); err != nil {
				return err
			}
		}
		return nil
	}
}

// sink is a TCP socket whose peer reads and throws away.
func sink(r *rig) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	peer, err := l.Accept()
	if err != nil {
		r.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// SO_LINGER is not set: what is in the queue when the sender closes still comes.
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{peer}, make([]byte, 1<<18)) // until the end
		peer.Close()
	}()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { peer.Close(); <-done })
	return fd
}
