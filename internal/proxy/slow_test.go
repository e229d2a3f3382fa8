//go:build linux

package proxy_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/halfopen"
	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/reactor"
)

// Slow senders are served byte by byte, hold nothing for it, and keep nobody waiting.
func TestSlowSenders(t *testing.T) {
	const (
		senders, bytes = 30, 30
		eachMax        = 16 << 10 // bytes that one may take, with its upstream and the client
	)
	for _, name := range []string{"uring", "epoll"} {
		t.Run(name, func(t *testing.T) {
			halfopen.NeedBackend(t, name)
			r := run(t, reactor.Config{Backend: name, Listen: []string{"tcp://127.0.0.1:0"}, Buffers: 16}, tcp(t, echo))
			other := r.dial(t)
			var slow []stream
			for range senders {
				c := r.dial(t)
				ping(t, c)
				slow = append(slow, c)
			}
			b := make([]byte, 1)
			before := servertest.Allocated()
			for range bytes {
				for _, c := range slow {
					if _, err := c.Write([]byte("x")); err != nil {
						t.Fatal(err)
					}
				}
				ping(t, other)
				for _, c := range slow {
					if _, err := io.ReadFull(c, b); err != nil || b[0] != 'x' {
						t.Fatalf("got %q, %v", b, err)
					}
				}
			}
			if took := servertest.Allocated() - before; took > senders*eachMax {
				t.Errorf("%d clients that have sent %d bytes each take %d KiB", senders, bytes, took>>10)
			}
		})
	}
}

// Config.IdleTimeout ends a client that never reads what it gets, and one that says nothing, both ends of them by a reset; and not one that goes on, however slowly.
func TestIdleTimeout(t *testing.T) {
	for _, v := range []reactor.Variant{reactor.Single, reactor.ThreadPerConn, reactor.GoroutinePerConn} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			for idle := time.Second; !idleTimeout(t, reactor.Config{Variant: v, Listen: []string{"tcp://127.0.0.1:0"}, IdleTimeout: idle}); idle *= 2 {
				if idle > 8*time.Second {
					t.Fatalf("the machine has not let a client send a byte within %v", idle/2)
				}
			}
		})
	}
}

// idleTimeout says whether the client came to send as often as it had to.
func idleTimeout(t *testing.T, cfg reactor.Config) bool {
	t.Helper()
	ended := make(chan error, 1) // how it is for the upstream of the one that never reads
	r := run(t, cfg, tcp(t, func(c stream) {
		what := make([]byte, 1)
		if _, err := io.ReadFull(c, what); err != nil || what[0] != 'f' {
			echo(c)
			return
		}
		piece := make([]byte, 64<<10)
		for {
			if _, err := c.Write(piece); err != nil {
				ended <- err
				return
			}
		}
	}))
	silent, stalled, slow := r.dial(t), r.dial(t), r.dial(t)
	for c, what := range map[stream]string{silent: "e", stalled: "f", slow: "e"} {
		if _, err := io.WriteString(c, what); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(cfg.IdleTimeout / 50)
	defer tick.Stop()
	begun, b := time.Now(), []byte("x")
	for last := begun; time.Since(begun) < 2*cfg.IdleTimeout; <-tick.C {
		if time.Since(last) > cfg.IdleTimeout/2 {
			return false
		}
		last = time.Now()
		if _, err := slow.Write(b); err != nil {
			t.Fatalf("one that goes on: %v", err)
		}
		if _, err := io.ReadFull(slow, b); err != nil {
			t.Fatalf("one that goes on: %v", err)
		}
	}
	if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the upstream of one that never reads got %v, want a reset", err)
	}
	if got, err := io.ReadAll(silent); len(got) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("one that says nothing got %q, %v; want a reset", got, err)
	}
	wantAll(t, slow, []byte("the end"), []byte("the end"))
	return true
}
