//go:build unix

package reactor_test

import (
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/reactor"
)

// failing is a handler one of whose callbacks fails, on the connections that ask for it.
type failing struct {
	reactor.Base
	in     string // the callback
	how    func()
	remote chan reactor.Remote
}

func (h *failing) fail(callback string) {
	if callback == h.in {
		h.how()
	}
}

func (h *failing) OnOpen(c *reactor.Conn) {
	h.remote <- c.Remote()
	h.fail("OnOpen")
}

func (h *failing) OnData(c *reactor.Conn) {
	if b := c.Next(-1); b[0] == '!' {
		c.WriteString("never")
		h.fail("OnData")
		return
	}
	c.WriteString("fine")
}

func (h *failing) OnEOF(c *reactor.Conn) {
	h.fail("OnEOF")
	c.Close()
}

func (h *failing) OnClose(*reactor.Ended, error) { h.fail("OnClose") }

func (h *failing) OnShutdown(c *reactor.Conn) {
	h.fail("OnShutdown")
	c.Close()
}

var errFault = errors.New("a fault")

// TestPanics has each callback panic: that ends the connection, and none else.
func TestPanics(t *testing.T) {
	for _, callback := range []string{"OnOpen", "OnData", "OnEOF", "OnClose", "OnShutdown", "Post"} {
		t.Run(callback, func(t *testing.T) {
			table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
				testFailing(t, cfg, callback, func() { panic(errFault) }, errFault)
			})
		})
	}
}

// TestGoexit has callbacks end the goroutine that they are called in. Where that is a loop there is no help; a worker is replaced.
func TestGoexit(t *testing.T) {
	for _, callback := range []string{"OnOpen", "OnData", "OnClose", "Post"} {
		t.Run(callback, func(t *testing.T) {
			table(t, pooledVariants(), func(t *testing.T, cfg reactor.Config) {
				cfg.Workers = 1
				testFailing(t, cfg, callback, runtime.Goexit, nil)
			})
		})
	}
}

// testFailing has a callback fail on each of several connections, with another beside them that must not notice. cause is what the PanicError is about, if that matters.
func testFailing(t *testing.T, cfg reactor.Config, callback string, how func(), cause error) {
	h := &failing{in: callback, how: how, remote: make(chan reactor.Remote, 1)}
	s := watch(t, cfg, h)
	for range 5 {
		nc := s.dial()
		remote := <-h.remote
		switch callback {
		case "OnData":
			send(t, nc, "!")
		case "OnEOF", "OnClose":
			nc.CloseWrite()
		case "OnShutdown":
			go s.shutdown(watchdog)
		case "Post":
			if err := remote.Post(func(c *reactor.Conn) { s.in(c.Context(), "a function", func(*seen) { how() }) }); err != nil {
				t.Error(err)
			}
		}
		if got, _ := io.ReadAll(nc); len(got) != 0 { // it ends, orderly or by a reset
			t.Errorf("%q has come from a callback that has panicked", got)
		}
		var pe *reactor.PanicError
		err := s.ending()
		switch {
		case callback == "OnClose":
			if err != nil {
				t.Errorf("OnClose: %v", err)
			}
		case !errors.As(err, &pe) || cause != nil && !errors.Is(err, cause):
			t.Errorf("OnClose: %v", err)
		}
		if callback == "OnShutdown" {
			break
		}
	}
	if callback != "OnShutdown" && callback != "OnOpen" {
		nc := s.dial()
		<-h.remote
		send(t, nc, "x")
		if _, err := io.ReadFull(nc, make([]byte, 4)); err != nil {
			t.Errorf("another connection: %v", err)
		}
		nc.Close()
		s.ending()
		s.drained()
	}
	s.shutdown(watchdog)
	if log := s.log.String(); !strings.Contains(log, "panic_test.go") {
		t.Errorf("the stack is not in the log: %q", log)
	}
}

// ticking is a handler whose OnTick panics.
type ticking struct {
	reactor.Base
	ticks chan struct{}
}

func (h *ticking) OnTick(*reactor.Loop) {
	select {
	case h.ticks <- struct{}{}:
	default:
	}
	panic("a tick")
}

// TestTickPanics shows that a panic of OnTick is logged, and nothing else.
func TestTickPanics(t *testing.T) {
	table(t, engineVariants(), func(t *testing.T, cfg reactor.Config) {
		cfg.Tick = 1
		h := &ticking{ticks: make(chan struct{})}
		s := watch(t, cfg, h)
		for range 3 {
			<-h.ticks
		}
		s.shutdown(watchdog)
		if !strings.Contains(s.log.String(), "a tick") {
			t.Error("it is not in the log")
		}
	})
}

// TestPanicInOnOpen has OnOpen panic where one connection may be open at a time: the next must be accepted all the same.
func TestPanicInOnOpen(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		cfg.MaxConns = 1
		cfg.Log = slog.New(slog.DiscardHandler)
		r := newRecorder()
		r.onOpen = func(*reactor.Conn) { panic(errFault) }
		s := serve(t, cfg, r)
		for range 4 { // some wait while others are open
			dial(t, s)
		}
		for range 4 {
			if e := r.wait(t, "close"); !errors.Is(e.err, errFault) {
				t.Errorf("OnClose got %v", e.err)
			}
		}
	})
}
