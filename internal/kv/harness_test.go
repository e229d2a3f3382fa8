package kv

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/resp"
)

// watchdog is for all that may hang. Nothing waits for as long when all is well.
const watchdog = 60 * time.Second

// running is a server under test.
type running struct {
	srv  *Server
	r    *reactor.Server
	addr string
	down func() error
}

// start runs a server until the end of the test, or down.
func start(t testing.TB, o Options, cfg reactor.Config) *running {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	cfg.Listen = []string{"tcp://127.0.0.1:0"}
	if cfg.Variant == reactor.Multi || cfg.Variant == reactor.MultiPool {
		cfg.Loops = 3
	}
	srv, err := New(o, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := reactor.Start(cfg, srv)
	if err != nil {
		t.Fatal(err, srv.Close())
	}
	stopped := false
	run := &running{srv: srv, r: r, addr: r.Addrs()[0].String()}
	run.down = func() error {
		if stopped {
			return nil
		}
		stopped = true
		ctx, cancel := contextOf(watchdog)
		defer cancel()
		if err := r.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		return srv.Close()
	}
	t.Cleanup(func() { _ = run.down() }) // a test that looks at the error calls it itself
	return run
}

// client is a connection to a server, ours or another.
type client struct {
	t    testing.TB
	conn net.Conn
	in   []byte
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, addr, watchdog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(watchdog)) // of a connection that was opened just now
	return &client{t: t, conn: conn}
}

// raw sends bytes.
func (c *client) raw(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// send sends a command without waiting for its reply.
func (c *client) send(args ...string) {
	c.t.Helper()
	c.raw(wire(args...))
}

func wire(args ...string) []byte {
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	return resp.AppendCommand(nil, b...)
}

// reply is the next reply, as it was sent. err is that of the connection.
func (c *client) reply() (string, error) {
	for {
		n, err := resp.ReplyLength(c.in)
		if err != nil {
			return "", err
		}
		if n > 0 {
			r := string(c.in[:n])
			c.in = c.in[:copy(c.in, c.in[n:])]
			return r, nil
		}
		c.in = slices.Grow(c.in, 64<<10)
		m, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+m]
		if err != nil && m == 0 {
			return string(c.in), err
		}
	}
}

// do sends a command and returns its reply.
func (c *client) do(args ...string) string {
	c.t.Helper()
	c.send(args...)
	return c.next()
}

func (c *client) next() string {
	c.t.Helper()
	r, err := c.reply()
	if err != nil {
		c.t.Fatalf("reply: %v behind %q", err, clip([]byte(r), 200))
	}
	return r
}

// want fails the test unless a command has the reply.
func (c *client) want(reply string, args ...string) {
	c.t.Helper()
	if got := c.do(args...); got != reply {
		c.t.Errorf("%s: %q, want %q", short(args), clip([]byte(got), 200), clip([]byte(reply), 200))
	}
}

func short(args []string) string { return clip([]byte(strings.Join(args, " ")), 100) }

// end is what comes until the server closes the connection.
func (c *client) end() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.conn)
	if err != nil {
		c.t.Errorf("read until the end: %v behind %q", err, clip(rest, 200))
	}
	return string(c.in) + string(rest)
}

// each runs a test for each variant on each backend. The variants that have no engine run once.
func each(t *testing.T, fn func(t *testing.T, cfg reactor.Config)) {
	for _, v := range reactor.Variants() {
		for _, s := range backend.Probe() {
			t.Run(v.String()+"/"+s.Name, func(t *testing.T) {
				if !s.Available {
					if slices.Contains(strings.Split(os.Getenv("REQUIRE_BACKENDS"), ","), s.Name) {
						t.Fatalf("required, and not available: %v", s.Err)
					}
					t.Skipf("not available: %v", s.Err)
				}
				fn(t, reactor.Config{Variant: v, Backend: s.Name, Buffers: 16, BufferSize: 1024})
			})
			if v == reactor.ThreadPerConn || v == reactor.GoroutinePerConn {
				break
			}
		}
	}
}

// eventually waits until something is so, by asking again and again.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(watchdog)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within %v: %s", watchdog, what)
		}
	}
}

func contextOf(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// logged is a logger that keeps what it is told.
func logged() (*slog.Logger, *bytes.Buffer) {
	b := new(bytes.Buffer)
	return slog.New(slog.NewTextHandler(b, nil)), b
}
