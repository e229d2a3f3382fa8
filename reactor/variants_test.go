//go:build unix

package reactor_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/reactor"
)

// arrangement is a variant, and the backend that it is on, if it is on one.
type arrangement struct {
	reactor.Variant
	backend string
}

func (a arrangement) String() string {
	return strings.TrimSuffix(a.Variant.String()+"/"+a.backend, "/")
}

// engineVariants are those with an engine, on each backend.
func engineVariants() (list []arrangement) {
	for _, v := range []reactor.Variant{reactor.Single, reactor.SinglePool, reactor.Multi, reactor.MultiPool} {
		for _, b := range []string{"uring", "epoll", "poll", "select"} {
			list = append(list, arrangement{v, b})
		}
	}
	return list
}

// arrangements are all.
func arrangements() []arrangement {
	return append(engineVariants(), arrangement{Variant: reactor.ThreadPerConn}, arrangement{Variant: reactor.GoroutinePerConn})
}

// pooledVariants are those with workers.
func pooledVariants() (list []arrangement) {
	for _, a := range engineVariants() {
		if a.Pooled() {
			list = append(list, a)
		}
	}
	return list
}

// table runs a test for each of a list.
func table(t *testing.T, list []arrangement, test func(t *testing.T, cfg reactor.Config)) {
	for _, a := range list {
		t.Run(a.String(), func(t *testing.T) {
			if a.backend != "" {
				need(t, a.backend)
			}
			test(t, reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}, Variant: a.Variant, Backend: a.backend, Loops: 2, Workers: 4, Linger: watchdog})
		})
	}
}

// need skips the test when the backend cannot be opened here, unless REQUIRE_BACKENDS names it.
func need(t *testing.T, name string) {
	t.Helper()
	e, err := backend.Open(name, nil)
	switch {
	case err == nil:
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	case errors.Is(err, api.ErrUnavailable) && !strings.Contains(os.Getenv("REQUIRE_BACKENDS"), name):
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// logbook is a log that can be read.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// watched is a server in a test, and all that its handler sees is looked at: each connection has one OnOpen, first, and one
// OnClose, last, and one callback at a time.
type watched struct {
	*reactor.Server
	t     *testing.T
	inner reactor.Handler
	log   *logbook

	opened, closed atomic.Int64
	broken         bool       // the engines are made to fail
	endings        chan error // what OnClose got, as far as there is room
}

// seen is what the context of each connection is. value is that of the inner handler.
type seen struct {
	value  any
	inside atomic.Bool
	closed bool
}

// watch starts a server. At the end of the test it is shut down, unless it has been, and must have left nothing behind.
func watch(t *testing.T, cfg reactor.Config, h reactor.Handler) *watched {
	t.Helper()
	noneLeft(t)
	s := &watched{t: t, inner: h, log: new(logbook), endings: make(chan error, 4096)}
	cfg.Log = slog.New(slog.NewTextHandler(s.log, nil))
	var err error
	if s.Server, err = reactor.Start(cfg, s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.shutdown(watchdog)
		if o, c := s.opened.Load(), s.closed.Load(); o != c {
			t.Errorf("%d OnOpen and %d OnClose", o, c)
		}
	})
	return s
}

// shutdown shuts the server down within d, and waits for its end.
func (s *watched) shutdown(d time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil && d == watchdog && !s.broken {
		s.t.Errorf("Shutdown: %v", err)
	}
}

// dial connects to the server. The connection is closed at the end of the test, and nothing on it may hang.
func (s *watched) dial() *net.TCPConn {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(watchdog))
	return nc.(*net.TCPConn)
}

// ending is what the next OnClose got.
func (s *watched) ending() error {
	s.t.Helper()
	select {
	case err := <-s.endings:
		return err
	case <-time.After(watchdog):
		s.t.Fatal("no OnClose")
		return nil
	}
}

// drained waits until all buffers are back, as they are when nothing is on its way.
func (s *watched) drained() {
	s.t.Helper()
	until(s.t, "buffers are out", func() bool { return reactor.Lent(s.Server) == 0 })
}

// in calls fn as a callback of a connection.
func (s *watched) in(v any, what string, fn func(v *seen)) {
	w, ok := v.(*seen)
	if !ok {
		s.t.Errorf("%s before OnOpen", what)
		return
	}
	if !w.inside.CompareAndSwap(false, true) {
		s.t.Errorf("%s while another callback of the connection is called", what)
		return
	}
	defer w.inside.Store(false)
	if w.closed {
		s.t.Errorf("%s behind OnClose", what)
	}
	fn(w)
}

func (s *watched) OnOpen(c *reactor.Conn) {
	if c.Context() != nil {
		s.t.Error("OnOpen is not the first callback")
	}
	c.SetContext(new(seen))
	s.opened.Add(1)
	s.in(c.Context(), "OnOpen", func(*seen) { s.inner.OnOpen(c) })
}

func (s *watched) OnData(c *reactor.Conn) {
	s.in(c.Context(), "OnData", func(*seen) { s.inner.OnData(c) })
}

func (s *watched) OnEOF(c *reactor.Conn) {
	s.in(c.Context(), "OnEOF", func(*seen) { s.inner.OnEOF(c) })
}

func (s *watched) OnShutdown(c *reactor.Conn) {
	s.in(c.Context(), "OnShutdown", func(*seen) { s.inner.OnShutdown(c) })
}

func (s *watched) OnClose(e *reactor.Ended, err error) {
	s.closed.Add(1)
	s.in(e.Context(), "OnClose", func(w *seen) {
		w.closed = true
		select {
		case s.endings <- err:
		default:
		}
		s.inner.OnClose(e, err)
	})
}

func (s *watched) OnTick(l *reactor.Loop) { s.inner.OnTick(l) }

// own is the inner handler's state of a connection, made at first.
func own[T any](context any) *T {
	w := context.(*seen)
	if w.value == nil {
		w.value = new(T)
	}
	return w.value.(*T)
}

// echo sends back what comes.
type echo struct{ reactor.Base }

func (echo) OnData(c *reactor.Conn) {
	if _, err := c.Write(c.Next(-1)); err != nil {
		panic(err)
	}
}
