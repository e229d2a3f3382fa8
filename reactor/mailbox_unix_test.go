//go:build unix

package reactor_test

import (
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// within takes what comes from a channel.
func within[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(watchdog):
		t.Fatal("nothing has come")
	}
	panic("unreachable")
}

// occupied starts a server with a connection whose handler is at work, in a buffer of the group, until the gate is opened.
func occupied(t *testing.T, cfg reactor.Config) (*watched, *gated, reactor.Remote) {
	t.Helper()
	h := &gated{gate: make(chan struct{}), waiting: make(chan reactor.Remote, 1)}
	s := watch(t, cfg, h)
	send(t, s.dial(), "w")
	return s, h, within(t, h.waiting)
}

// TestQuiet has an engine fail while a worker is in a callback: no other begins any more but OnClose.
func TestQuiet(t *testing.T) {
	table(t, pooledVariants(), func(t *testing.T, cfg reactor.Config) {
		s, h, remote := occupied(t, cfg)
		s.broken = true
		var late atomic.Bool
		if err := remote.Post(func(*reactor.Conn) { late.Store(true) }); err != nil {
			t.Fatal(err)
		}
		reactor.BreakEngines(s.Server)
		until(t, "the connection does not end", func() bool { return !remote.Open() })
		close(h.gate)
		if err := s.Wait(); err == nil {
			t.Error("no error though the engines have failed")
		}
		if late.Load() {
			t.Error("a function was called behind the end of the engine")
		}
		if err := s.ending(); !errors.Is(err, reactor.ErrShutdown) {
			t.Errorf("OnClose: %v", err)
		}
	})
}

// TestBehindEnd posts to a connection that has ended since the poster looked.
func TestBehindEnd(t *testing.T) {
	table(t, pooledVariants(), func(t *testing.T, cfg reactor.Config) {
		s, h, remote := occupied(t, cfg)
		close(h.gate)
		if err := remote.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.ending(); err != nil {
			t.Errorf("OnClose: %v", err)
		}
		if err := reactor.PostPast(remote, func(*reactor.Conn) { t.Error("a function was called behind OnClose") }); !errors.Is(err, reactor.ErrClosed) {
			t.Errorf("Post returned %v, want %v", err, reactor.ErrClosed)
		}
	})
}

// TestBehindPanic has several functions wait for a worker, the first of which panics: it is handled together with the others, which must not be called.
func TestBehindPanic(t *testing.T) {
	table(t, pooledVariants(), func(t *testing.T, cfg reactor.Config) {
		s, h, remote := occupied(t, cfg)
		var late atomic.Bool
		for _, fn := range []func(*reactor.Conn){func(*reactor.Conn) { panic(errFault) }, func(*reactor.Conn) { late.Store(true) }} {
			if err := remote.Post(fn); err != nil {
				t.Fatal(err)
			}
		}
		close(h.gate)
		if err := s.ending(); !errors.Is(err, errFault) {
			t.Errorf("OnClose: %v, want %v", err, errFault)
		}
		if late.Load() {
			t.Error("a function was called behind a panic")
		}
	})
}

// late is a handler that consumes its input when OnData is called for the second time.
type late struct {
	reactor.Base
	first chan reactor.Remote
	gate  chan struct{}
	again chan struct{}
}

const lateFirst, lateSecond, lateHigh = 40 << 10, 30 << 10, 64 << 10

func (h *late) OnData(c *reactor.Conn) {
	calls := own[int](c.Context())
	if *calls++; *calls == 1 {
		h.first <- c.Remote()
		<-h.gate
		c.Write(make([]byte, lateFirst))
		return
	}
	c.Discard(-1)
	h.again <- struct{}{}
}

// TestSeenUnsent has a callback see more output than Config.WriteHigh, and leave its input for that; but before it returns so much of it is sent that the
// loop never sees as much. OnData is called again all the same.
func TestSeenUnsent(t *testing.T) {
	table(t, pooledVariants(), func(t *testing.T, cfg reactor.Config) {
		cfg.Loops, cfg.WriteHigh = 1, lateHigh
		h := &late{first: make(chan reactor.Remote, 1), gate: make(chan struct{}), again: make(chan struct{}, 1)}
		s := watch(t, cfg, h)
		nc := s.dial()
		send(t, nc, "x")
		remote := within(t, h.first)
		saw := make(chan int, 1)
		err := remote.Post(func(c *reactor.Conn) {
			c.Write(make([]byte, lateSecond))
			saw <- c.Unsent()
			for end := time.Now().Add(watchdog); c.Unsent() > lateSecond && time.Now().Before(end); {
				runtime.Gosched()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		release := reactor.Hold(s.Server) // so that nothing is sent before the function has looked
		close(h.gate)
		unsent := within(t, saw)
		release()
		if unsent <= lateHigh {
			t.Errorf("%d bytes are unsent, want more than %d", unsent, lateHigh)
		}
		if _, err := io.ReadFull(nc, make([]byte, lateFirst+lateSecond)); err != nil {
			t.Fatal(err)
		}
		within(t, h.again)
	})
}
