package echo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

const watchdog = 60 * time.Second

// strategies are the ways to wait, by the name of the subtest.
var strategies = []struct {
	name string
	s    api.Strategy
}{
	{"block", api.Block()},
	{"park", api.Park()},
	{"spin", api.Spin(100, api.Block())},
}

// eachBackend runs f for every backend that this machine has. REQUIRE_BACKENDS turns a missing one into a failure.
func eachBackend(t *testing.T, f func(t *testing.T, name string)) {
	t.Helper()
	for _, s := range backend.Probe() {
		t.Run(s.Name, func(t *testing.T) {
			if !s.Available {
				if strings.Contains(os.Getenv("REQUIRE_BACKENDS"), s.Name) {
					t.Fatal(s.Err)
				}
				t.Skip(s.Err)
			}
			f(t, s.Name)
		})
	}
}

// openFDs are the file descriptors of the process, and what they are.
func openFDs(t *testing.T) map[string]string {
	t.Helper()
	// The runtime's own poller comes with the first pipe.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	fds := map[string]string{}
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	for _, e := range d {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil { // not that of ReadDir
			fds[e.Name()] = target
		}
	}
	return fds
}

// sameFDs fails the test when others are open than before.
func sameFDs(t *testing.T, before map[string]string) {
	t.Helper()
	for fd, target := range openFDs(t) {
		if before[fd] != target {
			t.Errorf("fd %s was left open: %s", fd, target)
		}
	}
}

// within fails the test when f takes longer than the watchdog.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(watchdog):
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s: no end within %v\n%s", what, watchdog, stacks[:runtime.Stack(stacks, true)])
	}
}

func start(t *testing.T, name string, s api.Strategy, o *Options) *Server {
	t.Helper()
	open := func() (api.Engine, error) { return backend.Open(name, &api.Options{Strategy: s}) }
	srv, err := Start(t.Context(), "127.0.0.1:0", open, o)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

func stopServer(t *testing.T, s *Server) {
	t.Helper()
	s.Stop()
	within(t, "stop", func() {
		if err := s.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
}

// exchange sends and receives n messages of random sizes on one connection, and then its end of stream.
func exchange(addr net.Addr, seed uint64, n, sizeMax int) error {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		out := make([]byte, 1+r.IntN(sizeMax))
		for i := range out {
			out[i] = byte(r.Uint32())
		}
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(out)
			sent <- err
		}()
		in := make([]byte, len(out))
		if _, err := io.ReadFull(c, in); err != nil {
			return err
		}
		if err := <-sent; err != nil {
			return err
		}
		if !bytes.Equal(in, out) {
			return errors.New("other bytes came back")
		}
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		return errors.Join(errors.New("no end of stream"), err, errors.New(string(rune('0'+n))))
	}
	return nil
}

func exchangeAll(t *testing.T, addr net.Addr, conns, n, sizeMax int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			if err := exchange(addr, uint64(i), n, sizeMax); err != nil {
				t.Errorf("connection %d: %v", i, err)
			}
		})
	}
	within(t, "exchange", wg.Wait)
}

func TestServer(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		for _, s := range strategies {
			t.Run(s.name, func(t *testing.T) {
				before := openFDs(t)
				srv := start(t, name, s.s, nil)
				exchangeAll(t, srv.Addr(), 50, 10, 64<<10)

				// One that is open, and one with something under way, must not hold up the end.
				idle, err := net.Dial("tcp", srv.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer idle.Close()
				if _, err := idle.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(idle, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				stopServer(t, srv)
				if n, err := idle.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Errorf("read %d bytes, %v from a server that has ended", n, err)
				}
				idle.Close()
				if st := srv.Stats(); st.Accepted != 51 || st.Engine.Enters == 0 {
					t.Errorf("stats %+v, want 51 connections", st)
				}
				sameFDs(t, before)
			})
		}
	})
}

// TestFewBuffers lets connections share two buffers, so that most of them find none.
func TestFewBuffers(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		srv := start(t, name, api.Block(), &Options{Buffers: 2, BufferSize: 512})
		exchangeAll(t, srv.Addr(), 20, 5, 16<<10)
		stopServer(t, srv)
	})
}

// TestSlowReader has a peer that sends and does not read: it must not hold all buffers, so that the others are served.
func TestSlowReader(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		srv := start(t, name, api.Block(), &Options{Buffers: 32})
		slow, err := net.Dial("tcp", srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		const total = 32 << 20 // more than the buffers of both sockets take
		wrote := make(chan error, 1)
		chunk := bytes.Repeat([]byte("sluice.."), 4096)
		go func() {
			for n := 0; n < total; n += len(chunk) {
				if _, err := slow.Write(chunk); err != nil {
					wrote <- err
					return
				}
			}
			wrote <- nil
		}()
		exchangeAll(t, srv.Addr(), 10, 5, 8<<10)
		if err := slow.SetDeadline(time.Now().Add(watchdog)); err != nil {
			t.Fatal(err)
		}
		in := make([]byte, len(chunk))
		for n := 0; n < total; n += len(chunk) {
			if _, err := io.ReadFull(slow, in); err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			if !bytes.Equal(in, chunk) {
				t.Fatalf("after %d bytes: other bytes came back", n)
			}
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		stopServer(t, srv)
	})
}

// TestResets has peers that hang up with answers under way.
func TestResets(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		before := openFDs(t)
		srv := start(t, name, api.Block(), &Options{Buffers: 16})
		for range 50 {
			c, err := net.Dial("tcp", srv.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(make([]byte, 32<<10)); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		exchangeAll(t, srv.Addr(), 5, 5, 8<<10)
		stopServer(t, srv)
		sameFDs(t, before)
	})
}

func TestLoops(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		srv := start(t, name, api.Block(), &Options{Loops: 3})
		exchangeAll(t, srv.Addr(), 30, 3, 8<<10)

		// The port is taken, also for one who would share it.
		open := func() (api.Engine, error) { return backend.Open(name, nil) }
		for _, loops := range []int{1, 2} {
			if s, err := Start(t.Context(), srv.Addr().String(), open, &Options{Loops: loops}); !errors.Is(err, syscall.EADDRINUSE) {
				if err == nil {
					stopServer(t, s)
				}
				t.Errorf("a second server with %d loops: %v, want EADDRINUSE", loops, err)
			}
		}
		stopServer(t, srv)
		if st := srv.Stats(); st.Accepted != 30 {
			t.Errorf("%d connections accepted, want 30", st.Accepted)
		}
	})
}

func TestStartErrors(t *testing.T) {
	before := openFDs(t)
	boom := errors.New("boom")
	if _, err := Start(t.Context(), "127.0.0.1:0", func() (api.Engine, error) { return nil, boom }, &Options{Loops: 2}); !errors.Is(err, boom) {
		t.Errorf("got %v, want the error of open", err)
	}
	if _, err := Start(t.Context(), "nonsense", nil, nil); err == nil {
		t.Error("no error for an address without a port")
	}
	if _, err := Start(t.Context(), "127.0.0.1:0", nil, &Options{Loops: -1}); err == nil {
		t.Error("no error for -1 loops")
	}
	open := func() (api.Engine, error) { return backend.Open("auto", nil) }
	if _, err := Start(t.Context(), "127.0.0.1:0", open, &Options{Buffers: 3}); !errors.Is(err, api.ErrInvalidOption) {
		t.Errorf("got %v, want an option error for 3 buffers", err)
	}
	sameFDs(t, before)
}

func TestServeNet(t *testing.T) {
	before := openFDs(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ServeNet(ctx, l, 4096) }()
	exchangeAll(t, l.Addr(), 10, 5, 16<<10)
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	within(t, "stop", func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	idle.Close()
	sameFDs(t, before)
}
