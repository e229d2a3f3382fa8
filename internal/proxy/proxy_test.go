//go:build linux

package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/internal/porttest"
	"github.com/sluiceio/sluice/internal/proxy"
	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/reactor"
)

const watchdog = 60 * time.Second

// each runs f for every variant, on every backend. Those of one test run beside each other. MaxInput
// says that nothing is to be received before there is somewhere to forward it to.
func each(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	one := func(name string, v reactor.Variant, backend string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, reactor.Config{Variant: v, Backend: backend, Loops: 2, Workers: 3, MaxInput: 1, Listen: []string{"tcp://127.0.0.1:0"}})
		})
	}
	for _, v := range []reactor.Variant{reactor.Single, reactor.SinglePool, reactor.Multi, reactor.MultiPool} {
		for _, b := range backend.Probe() {
			if !b.Available {
				t.Run(v.String()+"/"+b.Name, func(t *testing.T) {
					if strings.Contains(os.Getenv("REQUIRE_BACKENDS"), b.Name) {
						t.Fatalf("%s is required: %v", b.Name, b.Err)
					}
					t.Skipf("no %s here: %v", b.Name, b.Err)
				})
				continue
			}
			one(v.String()+"/"+b.Name, v, b.Name)
		}
	}
	one("thread-per-conn", reactor.ThreadPerConn, "")
	one("goroutine-per-conn", reactor.GoroutinePerConn, "")
}

// running is a proxy that serves.
type running struct {
	*proxy.Proxy
	*reactor.Server
}

// run starts a proxy that ends with the test.
func run(t *testing.T, cfg reactor.Config, upstreams ...string) running {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	p, err := proxy.New(t.Context(), proxy.Options{Upstreams: upstreams, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = silent
	return running{p, servertest.Start(t, cfg, p)}
}

// stream is what TCP and Unix connections have.
type stream interface {
	net.Conn
	CloseWrite() error
}

func (r running) dial(t *testing.T) stream {
	t.Helper()
	a := r.Addrs()[0]
	c, err := net.DialTimeout(a.Network(), a.String(), watchdog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	return c.(stream)
}

// wantReset connects, and wants to be reset, be it before connect has returned.
func (r running) wantReset(t *testing.T) {
	t.Helper()
	c, err := net.DialTimeout("tcp", r.Addrs()[0].String(), watchdog)
	if err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(watchdog)) // the read fails if this does
		_, err = io.ReadAll(c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %v, want a reset", err)
	}
}

// upstream is a server on which serve gets each connection. It ends with the test, and serve has returned then.
func upstream(t *testing.T, network, addr string, serve func(stream)) string {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(watchdog)) // what it is for fails if this does
			all.Go(func() {
				defer c.Close()
				serve(c.(stream))
			})
		}
	})
	return network + "://" + ln.Addr().String()
}

func tcp(t *testing.T, serve func(stream)) string {
	t.Helper()
	return upstream(t, "tcp", "127.0.0.1:0", serve)
}

// noise is n bytes that differ.
func noise(n int) []byte {
	b := make([]byte, n)
	rnd := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = rnd.Read(b) // never fails
	return b
}

func echo(c stream) {
	// Not by splice, for which the runtime keeps pipes, whose fds would look like a leak.
	_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) // the client sees what is missing
	_ = c.CloseWrite()
}

// say is a server that greets with its name, and ends.
func say(name string) func(stream) {
	return func(c stream) { _, _ = io.WriteString(c, name) }
}

// wantAll sends a message through the proxy, with an end behind it, and wants what comes back.
func wantAll(t *testing.T, c stream, msg, want []byte) {
	t.Helper()
	go func() {
		_, _ = c.Write(msg) // what is missing shows in what comes back
		_ = c.CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
	}
}

// Large bodies go both ways between a client and a server of net/http, on one connection and on several.
func TestHTTP(t *testing.T) {
	body := noise(3_000_000)
	each(t, func(t *testing.T, cfg reactor.Config) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			_, _ = w.Write(b) // the client sees what is missing
		}))
		t.Cleanup(srv.Close)
		r := run(t, cfg, "tcp://"+srv.Listener.Addr().String())
		tr := &http.Transport{}
		client := &http.Client{Transport: tr, Timeout: watchdog}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for range 2 {
					post(t, client, "http://"+r.Addrs()[0].String(), body)
				}
			})
		}
		all.Wait()
		tr.CloseIdleConnections()
	})
}

func post(t *testing.T, client *http.Client, url string, body []byte) {
	res, err := client.Post(url, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Equal(got, body) {
		t.Errorf("%s, %d bytes, %v; want %d", res.Status, len(got), err, len(body))
	}
}

// A client that has ended its stream gets the answer, and so does a server that has.
func TestHalfClose(t *testing.T) {
	msg := noise(700_000)
	each(t, func(t *testing.T, cfg reactor.Config) {
		first := tcp(t, func(c stream) {
			b, err := io.ReadAll(c)
			if err == nil {
				_, _ = c.Write(b) // the client sees what is missing
			}
		})
		wantAll(t, run(t, cfg, first).dial(t), msg, msg)

		got := make(chan []byte, 1)
		ends := tcp(t, func(c stream) {
			_, _ = io.WriteString(c, "no more")
			_ = c.CloseWrite()
			b, _ := io.ReadAll(c)
			got <- b
		})
		c := run(t, cfg, ends).dial(t)
		if b, err := io.ReadAll(c); err != nil || string(b) != "no more" {
			t.Errorf("got %q, %v", b, err)
		}
		if _, err := c.Write(msg); err != nil {
			t.Error(err)
		}
		c.Close()
		if b := <-got; !bytes.Equal(b, msg) {
			t.Errorf("behind its own end the server got %d bytes, want %d", len(b), len(msg))
		}
	})
}

// A reset of one side reaches the other.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		seen := make(chan error, 1)
		r := run(t, cfg, tcp(t, func(c stream) {
			_, err := io.Copy(c, c)
			seen <- err
		}))
		c := r.dial(t)
		ping(t, c)
		reset(c)
		if err := <-seen; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server got %v, want a reset", err)
		}

		r = run(t, cfg, tcp(t, func(c stream) {
			_, _ = io.CopyN(c, c, 4) // the client sees whether it came
			_, _ = io.CopyN(io.Discard, c, 1)
			reset(c)
		}))
		c = r.dial(t)
		ping(t, c)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client got %v, want a reset", err)
		}
	})
}

// ping sends four bytes, and wants them back.
func ping(t *testing.T, c stream) {
	t.Helper()
	if _, err := io.WriteString(c, "ping"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "ping" {
		t.Fatalf("got %q, %v", b, err)
	}
}

func reset(c stream) {
	_ = c.(*net.TCPConn).SetLinger(0) // else it is no reset, which the test sees
	_ = c.Close()
}

// Both sides may be Unix sockets.
func TestUnix(t *testing.T) {
	msg := noise(900_000)
	each(t, func(t *testing.T, cfg reactor.Config) {
		dir, err := os.MkdirTemp("", "p") // that of the test is too long for a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		cfg.Listen = []string{"unix://" + filepath.Join(dir, "front")}
		up := upstream(t, "unix", filepath.Join(dir, "back"), echo)
		wantAll(t, run(t, cfg, up).dial(t), msg, msg)
	})
}

// Upstreams take turns, and one that refuses is passed over. With none left the client is reset.
func TestUpstreams(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		dead := "tcp://" + porttest.Refusing(t).String()
		r := run(t, cfg, tcp(t, say("a")), dead, tcp(t, say("b")))
		var got []string
		for range 6 {
			b, err := io.ReadAll(r.dial(t))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(b))
		}
		if s := strings.Join(got, ""); s != "abbabb" {
			t.Errorf("the answers came from %s, want abbabb", s)
		}
		if st := r.Proxy.Stats(); st != (proxy.Stats{Clients: 6, Joined: 6, Failed: 2}) {
			t.Errorf("stats: %+v", st)
		}

		r = run(t, cfg, dead, dead)
		r.wantReset(t)
		if st := r.Proxy.Stats(); st != (proxy.Stats{Clients: 1, Refused: 1, Failed: 2}) {
			t.Errorf("stats: %+v", st)
		}
	})
}

func TestNew(t *testing.T) {
	if _, err := proxy.New(t.Context(), proxy.Options{}); !errors.Is(err, proxy.ErrNoUpstream) {
		t.Errorf("without upstreams: %v", err)
	}
	for _, bad := range []string{"127.0.0.1:1", "udp://127.0.0.1:1", "tcp://127.0.0.1", "tcp://127.0.0.1:no-such-service"} {
		if _, err := proxy.New(t.Context(), proxy.Options{Upstreams: []string{bad}}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
