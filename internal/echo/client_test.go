package echo

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/porttest"
)

// load runs a client with an engine of its own.
func load(t *testing.T, ctx context.Context, name string, s api.Strategy, c *Client) (Result, error) {
	t.Helper()
	o := ClientOptions(c.Conns)
	o.Strategy = s
	e, err := backend.Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	c.Engine = e
	var res Result
	within(t, "load", func() {
		res, err = c.Run(ctx)
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return res, err
}

func addrPort(t *testing.T, a net.Addr) netip.AddrPort {
	t.Helper()
	return a.(*net.TCPAddr).AddrPort()
}

func TestClient(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		for _, s := range strategies {
			t.Run(s.name, func(t *testing.T) {
				before := openFDs(t)
				srv := start(t, name, s.s, nil)
				for _, size := range []int{1, 7, 64, 20000} {
					for d := 50 * time.Millisecond; testClient(t, name, s.s, srv.Addr(), size, d) == 0; d *= 2 {
						if d > watchdog/4 {
							t.Fatalf("%d bytes: no round trip within %v", size, d)
						}
					}
				}
				stopServer(t, srv)
				sameFDs(t, before)
			})
		}
	})
}

// testClient measures for d, in which the server may not have run at all, and returns how many round trips there were.
func testClient(t *testing.T, name string, s api.Strategy, to net.Addr, size int, d time.Duration) uint64 {
	t.Helper()
	recorded, ticks := 0, 0
	c := &Client{
		Addr: addrPort(t, to), Conns: 20, Size: size, Duration: d, Warmup: d / 5,
		Record: func(time.Duration) { recorded++ }, Progress: func(Result) { ticks++ },
	}
	res, err := load(t, t.Context(), name, s, c)
	if err != nil || res.Errors != 0 || res.Total < res.RoundTrips+20 {
		t.Fatalf("%d bytes: %+v, %v", size, res, err)
	}
	if uint64(recorded) != res.RoundTrips || ticks == 0 || res.Elapsed < c.Duration {
		t.Fatalf("%d bytes: %d recorded, %d ticks, %+v", size, recorded, ticks, res)
	}
	return res.RoundTrips
}

func TestClientStops(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		srv := start(t, name, api.Block(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		c := &Client{Addr: addrPort(t, srv.Addr()), Conns: 4, Size: 64, Duration: time.Hour, Progress: func(r Result) {
			if r.Total > 0 {
				cancel()
			}
		}}
		if res, err := load(t, ctx, name, api.Block(), c); err != nil || res.Errors != 0 || res.Total == 0 {
			t.Errorf("%+v, %v", res, err)
		}
		stopServer(t, srv)
	})
}

// TestClientFindsFaults runs against servers that do something else than echo.
func TestClientFindsFaults(t *testing.T) {
	for _, f := range []struct {
		name, want string
		serve      func(c net.Conn)
	}{
		{"hangs up", "hung up", func(c net.Conn) { io.ReadFull(c, make([]byte, 64)) }},
		{"hangs up halfway", "hung up", func(c net.Conn) {
			io.ReadFull(c, make([]byte, 64))
			c.Write(make([]byte, 32))
		}},
		{"last byte", "something else", func(c net.Conn) {
			b := make([]byte, 64)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				b[63]++
				c.Write(b)
			}
		}},
	} {
		t.Run(f.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						f.serve(c)
					}()
				}
			}()
			c := &Client{Addr: addrPort(t, l.Addr()), Conns: 3, Size: 64, Duration: time.Minute}
			res, err := load(t, t.Context(), "auto", api.Block(), c)
			if err != nil || res.Errors != 3 || res.First == nil || !strings.Contains(res.First.Error(), f.want) {
				t.Errorf("%+v, %v, want 3 errors with %q", res, err, f.want)
			}
		})
	}
}

func TestClientErrors(t *testing.T) {
	c := &Client{Addr: porttest.Refusing(t), Conns: 3, Size: 64, Duration: time.Minute}
	_, err := load(t, t.Context(), "auto", api.Block(), c)
	if err == nil || !strings.Contains(err.Error(), syscall.ECONNREFUSED.Error()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that says that the connection was refused", err)
	}
	for _, c := range []*Client{{Conns: 0, Size: 1, Duration: 1}, {Conns: 1, Size: 0, Duration: 1}, {Conns: 1, Size: 1}, {Conns: 1, Size: 1, Duration: 1, Warmup: -1}} {
		if _, err := load(t, t.Context(), "auto", api.Block(), c); err == nil {
			t.Errorf("no error for %+v", c)
		}
	}
}
