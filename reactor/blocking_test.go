//go:build unix

package reactor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/porttest"
	"github.com/sluiceio/sluice/reactor"
)

// eachBlocking runs f for the variants without an engine. Nothing may be left of a server. f must not be parallel.
func eachBlocking(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	eachStrand(t, func(t *testing.T, cfg reactor.Config) {
		noneLeft(t)
		f(t, cfg)
	})
}

// eachStrand is eachBlocking without a look at what is left.
func eachStrand(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	for _, v := range []reactor.Variant{reactor.ThreadPerConn, reactor.GoroutinePerConn} {
		t.Run(v.String(), func(t *testing.T) { f(t, reactor.Config{Variant: v, Listen: []string{"tcp://127.0.0.1:0"}}) })
	}
}

// noneLeft wants as many goroutines and files at the end of the test as now, and not many more threads.
func noneLeft(t *testing.T) {
	t.Helper()
	startPoller(t)
	goroutines, files := runtime.NumGoroutine(), entries("/proc/self/fd")
	t.Cleanup(func() {
		until(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= goroutines })
		until(t, "files are left", func() bool { return entries("/proc/self/fd") <= files })
	})
}

// startPoller has the runtime open the files of its own poller, which it does when it needs them first, and never closes.
func startPoller(t *testing.T) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
}

// entries is how many entries a directory has, 0 where there is none.
func entries(dir string) int {
	list, _ := os.ReadDir(dir)
	return len(list)
}

// until waits for something that happens by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(watchdog); !is(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Errorf("%s after %v", what, watchdog)
			return
		}
	}
}

// big is more than the sockets hold.
const big = 32 << 20

// bigAnswer writes that much when it gets one byte.
func bigAnswer(c *reactor.Conn) {
	if n := c.Discard(-1); n == 1 {
		c.Write(make([]byte, big))
	}
}

// stuffed has a server of bigAnswer write, and waits until it cannot go on.
func stuffed(t *testing.T, r *recorder, c net.Conn) reactor.Remote {
	t.Helper()
	send(t, c, "x")
	remote := r.wait(t, "data").remote
	for before := -1; ; {
		unsent := make(chan int, 1)
		if err := remote.Post(func(c *reactor.Conn) { unsent <- c.Unsent() }); err != nil {
			t.Fatal(err)
		}
		n := <-unsent
		if n == before && n > 0 { // two turns in which nothing was sent
			return remote
		}
		before = n
	}
}

// TestPostInterrupts posts to connections that wait in all the ways in which they can.
func TestPostInterrupts(t *testing.T) {
	for _, tc := range []struct {
		name string
		wait func(t *testing.T, r *recorder, c net.Conn) reactor.Remote
	}{
		{"for input", func(t *testing.T, r *recorder, _ net.Conn) reactor.Remote { return r.wait(t, "open").remote }},
		{"for nothing, paused", func(t *testing.T, r *recorder, _ net.Conn) reactor.Remote { return r.wait(t, "open").remote }},
		{"for room", func(t *testing.T, r *recorder, c net.Conn) reactor.Remote { return stuffed(t, r, c) }},
		{"behind the end of the input", func(t *testing.T, r *recorder, c net.Conn) reactor.Remote {
			c.(*net.TCPConn).CloseWrite()
			return r.wait(t, "eof").remote
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
				r := newRecorder()
				r.onData = bigAnswer
				r.onEOF = func(*reactor.Conn) {} // stays open
				if strings.Contains(tc.name, "paused") {
					r.onOpen = (*reactor.Conn).Pause
				}
				c := dial(t, serve(t, cfg, r))
				remote := tc.wait(t, r, c)
				for range 200 {
					ran := make(chan bool)
					if err := remote.Post(func(*reactor.Conn) { close(ran) }); err != nil {
						t.Fatal(err)
					}
					select {
					case <-ran:
					case <-time.After(watchdog):
						t.Fatal("what was posted is not run")
					}
				}
				cause := errors.New("enough")
				if err := remote.Abort(cause); err != nil {
					t.Fatal(err)
				}
				if e := r.wait(t, "close"); e.err != cause {
					t.Errorf("closed by %v", e.err)
				}
			})
		})
	}
}

// TestBothWays sends input to a connection whose peer takes nothing: it is read all the same, up to the watermark.
func TestBothWays(t *testing.T) {
	eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
		cfg.WriteHigh, cfg.WriteLow = 1<<30, 1
		r := newRecorder()
		r.onData = bigAnswer
		c := dial(t, serve(t, cfg, r))
		stuffed(t, r, c)
		send(t, c, "still there?")
		if e := r.wait(t, "data"); e.data != "still there?" {
			t.Errorf("got %q", e.data)
		}
		if n, err := io.CopyN(io.Discard, c, big); err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
}

// TestWatermark is the opposite: above the watermark nothing is read, and when the output is sent OnData is called for what was left.
// Also when the sockets take all of it at once.
func TestWatermark(t *testing.T) {
	t.Run("waits", func(t *testing.T) {
		eachBlocking(t, func(t *testing.T, cfg reactor.Config) { testWatermark(t, cfg, big) })
	})
	t.Run("at once", func(t *testing.T) {
		eachBlocking(t, func(t *testing.T, cfg reactor.Config) { testWatermark(t, cfg, 10_000) })
	})
}

func testWatermark(t *testing.T, cfg reactor.Config, size int) {
	cfg.WriteHigh, cfg.WriteLow = size/4, size/8
	r := newRecorder()
	calls := 0
	r.onData = func(c *reactor.Conn) {
		if calls++; calls == 1 {
			c.Next(1)
			c.Write(make([]byte, size))
			return
		}
		if c.Unsent() > cfg.WriteLow {
			t.Errorf("OnData with %d bytes unsent", c.Unsent())
		}
		c.Write(c.Next(-1))
	}
	c := dial(t, serve(t, cfg, r))
	send(t, c, "xyz")
	if _, err := io.CopyN(io.Discard, c, int64(size)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "yz" {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestEchoBlocking echoes much to several peers at once, each of which reads and writes at a time.
func TestEchoBlocking(t *testing.T) {
	eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
		r := &echo{}
		cfg.BufferSize, cfg.WriteHigh = 1000, 3000
		s := serve(t, cfg, r)
		var wg sync.WaitGroup
		for i := range 8 {
			c := dial(t, s)
			msg := bytes.Repeat([]byte{byte(i), 1, 2, 3, 4, 5, 6}, 100_000)
			wg.Go(func() {
				c.Write(msg)
				c.(*net.TCPConn).CloseWrite()
			})
			wg.Go(func() {
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, msg) {
					t.Errorf("read %d bytes of %d, %v", len(got), len(msg), err)
				}
			})
		}
		wg.Wait()
	})
}

// TestFilesBlocking sends files, between other output, and to a peer that takes its time.
func TestFilesBlocking(t *testing.T) {
	content := make([]byte, 3<<20)
	for i := range content {
		content[i] = byte(i * i >> 8)
	}
	limits, _ := os.ReadFile("/proc/self/limits") // a file that sendfile(2) does not take, where there is one
	if len(limits) < 100 {
		t.Skip("there is no /proc here")
	}
	limits = limits[:100]
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path string
		off, n     int64
		want       []byte
	}{
		{"all", path, 0, -1, content},
		{"a part", path, 1000, 2 << 20, content[1000 : 1000+2<<20]},
		{"nothing", path, 5, 0, nil},
		{"without pages", "/proc/self/limits", 0, 100, limits},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
				r := newRecorder()
				r.onData = func(c *reactor.Conn) {
					c.Discard(-1)
					f, err := os.Open(tc.path)
					if err != nil {
						t.Error(err)
						return
					}
					c.WriteString("before")
					if err := c.SendFile(f, tc.off, tc.n); err != nil {
						t.Error(err)
					}
					c.WriteString("behind")
					c.Close()
				}
				c := dial(t, serve(t, cfg, r))
				send(t, c, "x")
				want := "before" + string(tc.want) + "behind"
				if got, err := io.ReadAll(c); err != nil || string(got) != want {
					t.Errorf("read %d bytes, %v; want %d", len(got), err, len(want))
				}
				if e := r.wait(t, "close"); e.err != nil {
					t.Errorf("closed by %v", e.err)
				}
			})
		})
	}
}

// TestPanicsBlocking has a callback panic: its connection ends, and the log has the stack.
func TestPanicsBlocking(t *testing.T) {
	boom := errors.New("boom")
	for name, set := range map[string]func(r *recorder){
		"OnOpen": func(r *recorder) { r.onOpen = func(*reactor.Conn) { panic(boom) } },
		"OnData": func(r *recorder) { r.onData = func(*reactor.Conn) { panic(boom) } },
		"OnEOF":  func(r *recorder) { r.onEOF = func(*reactor.Conn) { panic(boom) } },
	} {
		t.Run(name, func(t *testing.T) {
			eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
				var log bytes.Buffer
				cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
				r := newRecorder()
				set(r)
				s := serve(t, cfg, r)
				c := dial(t, s)
				send(t, c, "x")
				c.(*net.TCPConn).CloseWrite()
				e := r.wait(t, "close")
				if pe := (*reactor.PanicError)(nil); !errors.As(e.err, &pe) || !errors.Is(e.err, boom) {
					t.Errorf("closed by %v", e.err)
				}
				if !strings.Contains(log.String(), "blocking_test.go") {
					t.Errorf("the log does not have the stack: %s", log.String())
				}
			})
		})
	}
}

// ticker wakes all connections in OnTick, which have never asked for a handle.
type ticker struct {
	reactor.Base
	woken atomic.Int32
}

func (k *ticker) OnData(c *reactor.Conn) {
	if c.Discard(-1) == 0 {
		k.woken.Add(1)
	}
}

func (*ticker) OnTick(l *reactor.Loop) {
	l.Each(func(r reactor.Remote) bool {
		_ = r.Wake() // it may have ended
		return true
	})
}

// TestTick wakes connections that nothing but OnTick and the server know.
func TestTick(t *testing.T) {
	eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Tick = time.Millisecond
		k := &ticker{}
		s := serve(t, cfg, k)
		for range 10 {
			dial(t, s)
		}
		until(t, "connections are not woken", func() bool { return k.woken.Load() > 100 })
	})
}

// TestShutdownOfStrangers ends connections that wait for input, and of which nothing has a handle.
func TestShutdownOfStrangers(t *testing.T) {
	eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
		s, err := reactor.Start(cfg, echo{})
		if err != nil {
			t.Fatal(err)
		}
		var all []net.Conn
		for range 50 {
			c := dial(t, s)
			send(t, c, "x")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		ctx, cancel := context.WithTimeout(context.Background(), watchdog)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			wantEnd(t, c)
		}
		if err := s.Dial(t.Context(), "tcp://127.0.0.1:1", echo{}, nil); !errors.Is(err, reactor.ErrClosed) {
			t.Errorf("dial behind the end: %v", err)
		}
	})
}

// quiet is a recorder that echoes, and says nothing of it.
type quiet struct{ *recorder }

func (quiet) OnData(c *reactor.Conn) { c.Write(c.Next(-1)) }

// TestIdleMoves has input come more often than the connection may be idle, for several times as long.
func TestIdleMoves(t *testing.T) {
	eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
		cfg.IdleTimeout = 2 * time.Second
		r := newRecorder()
		c := dial(t, serve(t, cfg, quiet{r}))
		last := time.Now()
		for begin := last; time.Since(begin) < cfg.IdleTimeout+cfg.IdleTimeout/2; {
			last = time.Now() // from which on the server has time, and not from when this goroutine comes to see the answer
			send(t, c, "x")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatalf("after %v, the last of them idle: %v", time.Since(begin), err)
			}
		}
		if e := r.wait(t, "close"); !errors.Is(e.err, os.ErrDeadlineExceeded) {
			t.Errorf("closed by %v", e.err)
		}
		if d := time.Since(last); d < cfg.IdleTimeout-cfg.IdleTimeout/8 {
			t.Errorf("closed after %v", d)
		}
	})
}

// TestReset has the peer break the connection while the server waits in each way.
func TestReset(t *testing.T) {
	for name, stall := range map[string]bool{"for input": false, "for room": true} {
		t.Run(name, func(t *testing.T) {
			eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
				r := newRecorder()
				r.onData = bigAnswer
				c := dial(t, serve(t, cfg, r))
				if stall {
					stuffed(t, r, c)
				} else {
					r.wait(t, "open")
				}
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
				if e := r.wait(t, "close"); !errors.Is(e.err, syscall.ECONNRESET) && !errors.Is(e.err, syscall.EPIPE) {
					t.Errorf("closed by %v", e.err)
				}
			})
		})
	}
}

// TestThreads has each connection of ThreadPerConn take a thread, that ends with it.
func TestThreads(t *testing.T) {
	if entries("/proc/self/task") == 0 {
		t.Skip("threads cannot be counted here")
	}
	const conns = 100
	before := entries("/proc/self/task")
	r := newRecorder()
	s := serve(t, reactor.Config{Variant: reactor.ThreadPerConn, Listen: []string{"tcp://127.0.0.1:0"}}, r)
	var all []net.Conn
	for range conns {
		all = append(all, dial(t, s))
		r.wait(t, "open")
	}
	until(t, "there are too few threads", func() bool { return entries("/proc/self/task") >= conns })
	for _, c := range all {
		c.Close()
		r.wait(t, "close")
	}
	// Those that the runtime keeps for later are a few.
	until(t, "threads are left", func() bool { return entries("/proc/self/task") < before+conns/2 })
}

// TestThreadLimit wants what would end the program to be refused.
func TestThreadLimit(t *testing.T) {
	limit := debug.SetMaxThreads(10_000)
	defer debug.SetMaxThreads(limit)
	_, err := reactor.Start(reactor.Config{Variant: reactor.ThreadPerConn, MaxConns: 9_001}, reactor.Base{})
	if ce := (*reactor.ConfigError)(nil); !errors.As(err, &ce) || ce.Field != "MaxConns" {
		t.Errorf("MaxConns of 9,001: %v", err)
	}
	r := newRecorder()
	s := serve(t, reactor.Config{Variant: reactor.ThreadPerConn, MaxConns: 1, Listen: []string{"tcp://127.0.0.1:0"}}, r)
	dial(t, s)
	r.wait(t, "open")
	if err := s.Dial(t.Context(), "tcp://"+s.Addrs()[0].String(), newRecorder(), nil); !errors.Is(err, reactor.ErrMaxConns) {
		t.Errorf("dial with as many connections as may be: %v", err)
	}
	if n := debug.SetMaxThreads(10_000); n != 10_000 {
		t.Errorf("the limit of threads is %d now", n)
	}
}

func TestBlockingConfig(t *testing.T) {
	eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
		for field, set := range map[string]func(cfg *reactor.Config){
			"Pin":    func(cfg *reactor.Config) { cfg.Pin = true },
			"Listen": func(cfg *reactor.Config) { cfg.Listen = append(cfg.Listen[:1:1], "udp://127.0.0.1:0") },
		} {
			wrong := cfg
			set(&wrong)
			_, err := reactor.Start(wrong, reactor.Base{})
			if ce := (*reactor.ConfigError)(nil); !errors.As(err, &ce) || ce.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}

// TestDialUnanswered has dials that fail, and end with the server.
func TestDialUnanswered(t *testing.T) {
	eachBlocking(t, func(t *testing.T, cfg reactor.Config) {
		addr := porttest.Silent(t).String()
		cfg.DialTimeout = 50 * time.Millisecond
		r := newRecorder()
		s := serve(t, cfg, r)
		if err := s.Dial(t.Context(), "tcp://"+addr, r, nil); err != nil {
			t.Fatal(err)
		}
		if e := r.wait(t, "close"); !errors.Is(e.err, os.ErrDeadlineExceeded) {
			t.Errorf("a dial that takes too long: %v", e.err)
		}
		cfg.DialTimeout = watchdog
		s, err := reactor.Start(cfg, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Dial(t.Context(), "tcp://"+addr, r, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown: %v", err)
		}
		if e := r.wait(t, "close"); !errors.Is(e.err, reactor.ErrShutdown) {
			t.Errorf("a dial when the server ends: %v", e.err)
		}
	})
}

// TestSlowHandler has a handler work for longer than the connection may be idle: its answer is the sign that it is not.
func TestSlowHandler(t *testing.T) {
	eachStrand(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		cfg.IdleTimeout = 2 * time.Second
		r := newRecorder()
		slow := true
		r.onData = func(c *reactor.Conn) {
			if slow {
				<-time.After(cfg.IdleTimeout + cfg.IdleTimeout/4) // its work
			}
			slow = false
			c.Write(c.Next(-1))
		}
		c := dial(t, serve(t, cfg, r))
		for range 2 {
			send(t, c, "x")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
