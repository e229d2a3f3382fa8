package kv

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/reactor"
)

// TestSlowSenders has clients announce commands as large as they may be, and then send them byte by byte: what they take is by what has come, and not by what is
// announced, and others are served.
func TestSlowSenders(t *testing.T) {
	const (
		senders, bytes = 50, 30
		eachMax        = 16 << 10 // bytes that one may take
		claim          = "*100000\r\n$3\r\nSET\r\n$1\r\nk\r\n$536000000\r\n"
	)
	each(t, func(t *testing.T, cfg reactor.Config) {
		run := start(t, Options{MaxValue: 512 << 20}, cfg)
		other := dial(t, run.addr)
		other.want("+PONG\r\n", "PING")
		var slow []*client
		for range senders {
			slow = append(slow, dial(t, run.addr))
		}
		eventually(t, "all are connected", func() bool { return run.srv.clients.Load() == senders+1 })
		before := servertest.Allocated()
		for _, c := range slow {
			c.raw([]byte(claim))
		}
		for range bytes {
			for _, c := range slow {
				c.raw([]byte("v"))
			}
			other.want("+PONG\r\n", "PING")
		}
		if took := servertest.Allocated() - before; took > senders*eachMax {
			t.Errorf("%d clients that have sent %d bytes each take %d KiB", senders, len(claim)+bytes, took>>10)
		}
		if n := run.srv.clients.Load(); n != senders+1 {
			t.Errorf("%d connections are left, want all %d", n, senders+1)
		}
	})
}

// TestEndlessCommand: a client that never comes to the end of a command is told so when it has sent what the bound allows for, and takes no more than that.
func TestEndlessCommand(t *testing.T) {
	const most = 256 << 10
	each(t, func(t *testing.T, cfg reactor.Config) {
		run := start(t, Options{MaxValue: most / 4, MaxRequest: most}, cfg)
		other := dial(t, run.addr)
		other.want("+PONG\r\n", "PING")
		c := dial(t, run.addr)
		one := wire(strings.Repeat("v", 1000))[len("*1\r\n"):]
		go func() {
			_, _ = c.conn.Write([]byte("*30000\r\n")) // an error shows in what comes
			for range 100 * most / len(one) {
				if _, err := c.conn.Write(one); err != nil {
					return
				}
			}
		}()
		// The client is still sending: what comes behind the error may be a reset.
		const want = "-ERR Protocol error: too big request\r\n"
		got := make([]byte, len(want))
		if n, err := io.ReadFull(c.conn, got); string(got) != want {
			t.Errorf("the endless command: %q, %v, want %q", got[:n], err, want)
		}
		other.want("+PONG\r\n", "PING")
	})
}

// TestIdleTimeout: Config.IdleTimeout ends a client that has stopped in the middle of a command, and not one that goes on, however slowly. (Redis does the same with timeout.)
func TestIdleTimeout(t *testing.T) {
	for _, v := range []reactor.Variant{reactor.Single, reactor.ThreadPerConn, reactor.GoroutinePerConn} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			for idle := time.Second; !idleTimeout(t, reactor.Config{Variant: v, IdleTimeout: idle}); idle *= 2 {
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
	addr := start(t, Options{}, cfg).addr
	c := dial(t, addr)
	in := wire("SET", "slow", strings.Repeat("v", 1000))
	tick := time.NewTicker(cfg.IdleTimeout / 50)
	defer tick.Stop()
	begun := time.Now()
	for last := begun; time.Since(begun) < 2*cfg.IdleTimeout; <-tick.C {
		if time.Since(last) > cfg.IdleTimeout/2 {
			return false
		}
		last = time.Now()
		c.raw(in[:1])
		in = in[1:]
	}
	c.raw(in)
	if got := c.next(); got != "+OK\r\n" {
		t.Errorf("a command that took %v: %q", 2*cfg.IdleTimeout, got)
	}
	c.raw(wire("GET", "slow")[:10])
	if got := c.end(); got != "" {
		t.Errorf("a command that does not go on: %q, want the end", got)
	}
	dial(t, addr).want("$1000\r\n"+strings.Repeat("v", 1000)+"\r\n", "GET", "slow")
	return true
}
