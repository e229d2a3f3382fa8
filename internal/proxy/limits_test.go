//go:build linux

package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/porttest"
	"github.com/sluiceio/sluice/reactor"
)

// An upstream that does not answer is given up after Config.DialTimeout.
func TestDialTimeout(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		cfg.DialTimeout = 100 * time.Millisecond
		run(t, cfg, "tcp://"+porttest.Silent(t).String()).wantReset(t)
	})
}

// Readers that do not read take no more memory than the watermark says, and others are served meanwhile.
func TestSlowReaders(t *testing.T) {
	const readers, most = 40, 16 << 20
	for _, backend := range []string{"uring", "epoll"} {
		t.Run(backend, func(t *testing.T) {
			var sent atomic.Int64
			piece := noise(64 << 10)
			// What the client begins with says whether it is flooded or gets an echo.
			up := tcp(t, func(c stream) {
				what := make([]byte, 1)
				if _, err := io.ReadFull(c, what); err != nil || what[0] == 'e' {
					echo(c)
					return
				}
				for range most / len(piece) {
					n, err := c.Write(piece)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			})
			cfg := reactor.Config{Backend: backend, Listen: []string{"tcp://127.0.0.1:0"}, Buffers: 64, WriteHigh: 64 << 10}
			before := heap()
			r := run(t, cfg, up)
			var clients []stream
			for range readers {
				c := r.dial(t)
				if _, err := io.WriteString(c, "f"); err != nil {
					t.Fatal(err)
				}
				clients = append(clients, c)
			}
			quiet(t, &sent)
			// The group holds 512 KiB. A reader costs the watermark, and what has come before the cancel of its receive.
			if grown := int64(heap()) - int64(before); grown > readers*(2*64<<10)+(8<<20) {
				t.Errorf("%d readers that do not read take %d KiB of heap", readers, grown>>10)
			}
			c := r.dial(t)
			if _, err := io.WriteString(c, "e"); err != nil {
				t.Fatal(err)
			}
			wantAll(t, c, piece, piece)
			for _, c := range clients {
				reset(c)
			}
		})
	}
}

// heap is how much of it is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// quiet waits until a counter does not move any more.
func quiet(t *testing.T, n *atomic.Int64) {
	t.Helper()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(watchdog)
	for last, same := int64(-1), 0; same < 20; <-tick.C {
		now := n.Load()
		if same++; now != last {
			last, same = now, 0
		}
		if time.Now().After(end) {
			t.Fatal("readers that do not read are sent more and more")
		}
	}
}

// Five hundred connections at a time work, and leave no fd.
func TestMany(t *testing.T) {
	before := fds(t)
	msg := noise(5000)
	for _, v := range []reactor.Variant{reactor.Single, reactor.MultiPool} {
		for _, b := range []string{"uring", "epoll", "poll", "select"} {
			t.Run(v.String()+"/"+b, func(t *testing.T) {
				conns := 500
				if b == "select" {
					conns = 200 // FD_SETSIZE is for all fds of this process
				}
				cfg := reactor.Config{Variant: v, Backend: b, Loops: 2, Listen: []string{"tcp://127.0.0.1:0"}}
				r := run(t, cfg, tcp(t, echo))
				list := make([]stream, conns)
				for i := range list {
					list[i] = r.dial(t)
				}
				for _, c := range list {
					ping(t, c)
				}
				var all sync.WaitGroup
				for _, c := range list {
					all.Go(func() { wantAll(t, c, msg, msg) })
				}
				all.Wait()
				for _, c := range list {
					c.Close()
				}
			})
		}
	}
	if after := fds(t); after > before {
		t.Errorf("%d fds are open, %d were before", after, before)
	}
}

// fds counts the open files of this process.
func fds(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// With MaxConns the next client waits until there is room for it.
func TestMaxConns(t *testing.T) {
	cfg := reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}, MaxConns: 4}
	r := run(t, cfg, tcp(t, echo))
	first, second := r.dial(t), r.dial(t)
	ping(t, first)
	ping(t, second)
	third := r.dial(t)
	if _, err := io.WriteString(third, "ping"); err != nil {
		t.Fatal(err)
	}
	ping(t, first) // a whole round later
	if n := r.Proxy.Stats().Clients; n != 2 {
		t.Errorf("there are %d clients, want 2", n)
	}
	first.Close()
	b := make([]byte, 4)
	if _, err := io.ReadFull(third, b); err != nil || string(b) != "ping" {
		t.Errorf("got %q, %v", b, err)
	}
}

// A shutdown lets a stream end that runs, and takes no new one; what has not ended in time is reset.
func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		r := run(t, cfg, tcp(t, echo))
		c := r.dial(t)
		ping(t, c)
		over := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), watchdog)
			defer cancel()
			over <- r.Shutdown(ctx)
		}()
		notListening(t, r)
		ping(t, c)
		wantAll(t, c, []byte("the end"), []byte("the end"))
		if err := <-over; err != nil {
			t.Errorf("shutdown: %v", err)
		}

		r = run(t, cfg, tcp(t, echo))
		c = r.dial(t)
		ping(t, c)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown: %v, want %v", err, context.Canceled)
		}
		if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a stream that was cut off ends with %v, want a reset", err)
		}
	})
}

// notListening waits until no connection is accepted any more.
func notListening(t *testing.T, r running) {
	t.Helper()
	for end := time.Now().Add(watchdog); ; {
		c, err := net.DialTimeout("tcp", r.Addrs()[0].String(), watchdog)
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("it still listens")
		}
	}
}
