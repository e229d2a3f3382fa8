//go:build unix

package reactor_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// writeUntilStuck writes, to a server that does not read, as much of b as is taken before nothing has been taken for a while. That is several tries
// in a row: one alone fails, too, when something else has kept this process from running until its time was over.
func writeUntilStuck(t *testing.T, nc net.Conn, b []byte) (n int) {
	t.Helper()
	for futile := 0; n < len(b) && futile < 5; futile++ {
		nc.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		m, err := nc.Write(b[n:])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if n += m; m > 0 {
			futile = -1
		}
	}
	nc.SetWriteDeadline(time.Now().Add(watchdog))
	return n
}

// careful echoes as long as no more than Config.WriteHigh waits to be sent, and leaves the rest for later.
type careful struct {
	reactor.Base
	t             *testing.T
	high          int
	output, input atomic.Int64 // the most that has waited
}

func (h *careful) OnData(c *reactor.Conn) {
	h.input.Store(max(h.input.Load(), int64(c.Buffered())))
	for c.Buffered() > 0 && c.Unsent() <= h.high {
		if _, err := c.Write(c.Next(4096)); err != nil {
			h.t.Error(err)
		}
	}
	h.output.Store(max(h.output.Load(), int64(c.Unsent())))
	if *own[bool](c.Context()) && c.Buffered() == 0 {
		c.Close()
	}
}

func (h *careful) OnEOF(c *reactor.Conn) {
	*own[bool](c.Context()) = true
	h.OnData(c)
}

// TestSlowReader has a client that sends and does not read. Neither output nor input may grow, and nothing is lost when it reads at last.
func TestSlowReader(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		cfg.WriteHigh, cfg.MaxInput, cfg.WorkQueue, cfg.Buffers, cfg.BufferSize = 64<<10, 256<<10, 64<<10, 32, 4096
		h := &careful{t: t, high: cfg.WriteHigh}
		s := watch(t, cfg, h)
		nc := s.dial()
		if err := nc.SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		msg := numbers(3 << 20)
		n := writeUntilStuck(t, nc, msg)
		var writing sync.WaitGroup
		writing.Go(func() {
			if _, err := nc.Write(msg[n:]); err != nil {
				t.Error(err)
			}
			nc.CloseWrite()
		})
		got, err := io.ReadAll(nc)
		if err != nil || !bytes.Equal(got, msg) {
			t.Errorf("%d bytes came back of %d, equal as far as %d; %v", len(got), len(msg), alike(got, msg), err)
		}
		writing.Wait()
		if most := int(h.output.Load()); most <= cfg.WriteHigh || most > cfg.WriteHigh+4096 {
			t.Errorf("%d bytes of output have waited; WriteHigh is %d", most, cfg.WriteHigh)
		}
		// What is in buffers when the receive is cancelled still comes.
		if most, high := int(h.input.Load()), cfg.MaxInput+cfg.WorkQueue+(cfg.Buffers+1)*cfg.BufferSize; most > high {
			t.Errorf("%d bytes of input have waited, more than %d", most, high)
		}
		if err := s.ending(); err != nil {
			t.Errorf("OnClose: %v", err)
		}
		s.drained()
	})
}

// gated is a handler that waits, on connections that have sent a "w" first, and counts what has come.
type gated struct {
	reactor.Base
	gate    chan struct{}
	waiting chan reactor.Remote
	got     atomic.Int64
}

func (h *gated) OnData(c *reactor.Conn) {
	waits := own[bool](c.Context())
	if c.Peek(1)[0] == 'w' && !*waits {
		*waits = true
		h.waiting <- c.Remote()
		<-h.gate
	}
	n := c.Discard(-1)
	if *waits {
		h.got.Add(int64(n))
	} else {
		c.WriteString("fine")
	}
}

// TestWorkQueue has a handler that is stuck. Its connection must not be read without end, nor keep others from being served.
func TestWorkQueue(t *testing.T) {
	table(t, pooledVariants(), func(t *testing.T, cfg reactor.Config) {
		cfg.WorkQueue, cfg.Buffers, cfg.BufferSize, cfg.Loops = 64<<10, 8, 1024, 1
		h := &gated{gate: make(chan struct{}), waiting: make(chan reactor.Remote, 1)}
		s := watch(t, cfg, h)
		nc := s.dial()
		send(t, nc, "w")
		<-h.waiting
		msg := numbers(6 << 20)
		n := writeUntilStuck(t, nc, msg)
		if n == len(msg) {
			t.Error("all was taken")
		}
		// What is in buffers when the receive is cancelled still comes.
		if got, high := reactor.Waiting(s.Server), cfg.WorkQueue+(cfg.Buffers+1)*cfg.BufferSize; got < cfg.WorkQueue || got > high {
			t.Errorf("%d bytes wait for the worker, not %d to %d", got, cfg.WorkQueue, high)
		}
		other := s.dial()
		for range 50 {
			send(t, other, "x")
			if _, err := io.ReadFull(other, make([]byte, 4)); err != nil {
				t.Fatalf("another connection: %v", err)
			}
		}
		close(h.gate)
		if _, err := nc.Write(msg[n:]); err != nil {
			t.Fatal(err)
		}
		nc.CloseWrite()
		if _, err := io.ReadAll(nc); err != nil {
			t.Error(err)
		}
		if got := h.got.Load(); got != int64(len(msg)+1) {
			t.Errorf("%d bytes have come of %d", got, len(msg)+1)
		}
		s.drained()
	})
}

// TestPooledEngineFails takes the engines away from under connections that the workers are at. All of them end.
func TestPooledEngineFails(t *testing.T) {
	table(t, pooledVariants(), func(t *testing.T, cfg reactor.Config) {
		cfg.Workers = 2
		h := &gated{gate: make(chan struct{}), waiting: make(chan reactor.Remote, 8)}
		s := watch(t, cfg, h)
		s.broken = true
		for i := range 6 {
			nc := s.dial()
			send(t, nc, "w")
			if i < 2 { // the others wait for a worker
				<-h.waiting
			}
			send(t, nc, "more")
		}
		until(t, "connections are not open", func() bool { return s.Stats().Open == 6 })
		reactor.BreakEngines(s.Server)
		close(h.gate)
		if err := s.Wait(); err == nil {
			t.Error("no error though the engines have failed")
		}
		for range 6 {
			if err := s.ending(); !errors.Is(err, reactor.ErrShutdown) {
				t.Errorf("OnClose: %v", err)
			}
		}
	})
}

// TestShutdownUnderLoad shuts a server down in the midst of traffic, in time and out of it.
func TestShutdownUnderLoad(t *testing.T) {
	for name, limit := range map[string]time.Duration{"drains": watchdog, "aborts": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
				s := watch(t, cfg, numbered{t: t})
				msg := numbers(1 << 10)
				var clients, warm sync.WaitGroup
				for range 20 {
					nc := s.dial()
					warm.Add(1)
					clients.Go(func() {
						defer nc.Close() // else the server lingers
						got := make([]byte, len(msg))
						for i := 0; ; i++ {
							if i == 3 {
								warm.Done()
							}
							b := numbersFrom(i*len(msg)/4, len(msg)/4)
							if _, err := nc.Write(b); err != nil {
								return
							}
							n, err := io.ReadFull(nc, got)
							if !bytes.Equal(got[:n], b[:n]) {
								t.Error("wrong data")
							}
							if err != nil {
								return
							}
						}
					})
				}
				warm.Wait()
				s.shutdown(limit)
				clients.Wait()
				if got := s.closed.Load(); got != 20 {
					t.Errorf("%d connections have been closed, of 20", got)
				}
			})
		})
	}
}

// TestResets has clients reset their connections, at any time.
func TestResets(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		s := watch(t, cfg, numbered{t: t})
		for i := range 100 {
			nc := s.dial()
			nc.SetLinger(0)
			send(t, nc, string(numbers(1+i*100)))
			nc.Close()
		}
		for range 100 {
			s.ending()
		}
		s.drained()
	})
}

// TestAddrs asks for the addresses while the peer goes, and its fd may be another's.
func TestAddrs(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		h := remotes{to: make(chan reactor.Remote, 1)}
		s := watch(t, cfg, h)
		for range 50 {
			nc := s.dial()
			remote := <-h.to
			mine := nc.LocalAddr().String()
			err := remote.Post(func(c *reactor.Conn) {
				if here, there := c.LocalAddr().String(), c.RemoteAddr().String(); here != s.Addrs()[0].String() || there != mine {
					t.Errorf("from %v to %v, not from %v to %v", here, there, s.Addrs()[0], mine)
				}
				c.Close()
			})
			if err != nil {
				t.Error(err)
			}
			io.ReadAll(nc)
			nc.Close()
		}
	})
}

// TestPause pauses a connection in its first callback, and has another goroutine resume it.
func TestPause(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		h := &pausing{remote: make(chan reactor.Remote, 1)}
		s := watch(t, cfg, h)
		nc := s.dial()
		remote := <-h.remote
		msg := numbers(6 << 20)
		n := writeUntilStuck(t, nc, msg)
		if n == len(msg) {
			t.Fatal("all was taken from a connection that is paused")
		}
		if err := remote.Post((*reactor.Conn).Resume); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(msg[n:]); err != nil {
			t.Fatal(err)
		}
		nc.CloseWrite()
		if _, err := io.ReadAll(nc); err != nil {
			t.Error(err)
		}
		if got := h.got.Load(); got != int64(len(msg)) {
			t.Errorf("%d bytes have come of %d", got, len(msg))
		}
	})
}

type pausing struct {
	reactor.Base
	remote chan reactor.Remote
	got    atomic.Int64
}

func (h *pausing) OnOpen(c *reactor.Conn) {
	c.Pause()
	h.remote <- c.Remote()
}

func (h *pausing) OnData(c *reactor.Conn) { h.got.Add(int64(c.Discard(-1))) }

// sated consumes input only when no output waits, of which there is much from the beginning.
type sated struct {
	reactor.Base
	output int
	input  atomic.Int64 // the most that has waited
	got    atomic.Int64
}

func (h *sated) OnOpen(c *reactor.Conn) { c.Write(make([]byte, h.output)) }

func (h *sated) OnData(c *reactor.Conn) {
	h.input.Store(max(h.input.Load(), int64(c.Buffered())))
	if c.Unsent() == 0 {
		h.got.Add(int64(c.Discard(-1)))
	}
}

// TestMaxInput has a handler that leaves its input as long as output waits, which is less than Config.WriteHigh. Beyond Config.MaxInput it gets no more, and
// is called again when the output is sent.
func TestMaxInput(t *testing.T) {
	table(t, engineVariants(), func(t *testing.T, cfg reactor.Config) {
		cfg.WriteHigh, cfg.MaxInput, cfg.WorkQueue, cfg.Buffers, cfg.BufferSize = 64<<20, 256<<10, 64<<10, 32, 4096
		h := &sated{output: 48 << 20} // more than the sockets hold
		s := watch(t, cfg, h)
		nc := s.dial()
		msg := numbers(1 << 20)
		n := writeUntilStuck(t, nc, msg)
		var writing sync.WaitGroup
		writing.Go(func() {
			if _, err := nc.Write(msg[n:]); err != nil {
				t.Error(err)
			}
		})
		if _, err := io.CopyN(io.Discard, nc, int64(h.output)); err != nil {
			t.Error(err)
		}
		writing.Wait()
		until(t, "input is not consumed", func() bool { return h.got.Load() == int64(len(msg)) })
		// What is in buffers when the receive is cancelled still comes.
		if most, high := int(h.input.Load()), cfg.MaxInput+cfg.WorkQueue+(cfg.Buffers+1)*cfg.BufferSize; most > high {
			t.Errorf("%d bytes of input have waited, more than %d", most, high)
		}
	})
}

// lastLeft is a handler that waits while there is much output, and else echoes all but the last byte of what it has.
type lastLeft struct {
	reactor.Base
	calls atomic.Int64
}

func (h *lastLeft) OnData(c *reactor.Conn) {
	h.calls.Add(1)
	if c.Buffered() > 0 && c.Peek(1)[0] == '!' {
		c.Discard(1)
		c.Write(make([]byte, big))
	}
	if n := c.Buffered(); n > 1 && !c.Full() {
		c.Write(c.Next(n - 1))
	}
}

// TestFullOnce wants Full to ask for one more call of OnData, and not for one after the other from then on.
func TestFullOnce(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		h := &lastLeft{}
		c := dial(t, serve(t, cfg, h))
		send(t, c, "!xy")
		if _, err := io.CopyN(io.Discard, c, big+1); err != nil {
			t.Fatal(err)
		}
		const trips = 200
		for range trips {
			send(t, c, "z")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.calls.Load(); n > trips+10 {
			t.Errorf("OnData was called %d times", n)
		}
	})
}
