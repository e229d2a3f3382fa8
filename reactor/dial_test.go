//go:build unix

package reactor_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/internal/porttest"
	"github.com/sluiceio/sluice/reactor"
)

func TestDial(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		r := newRecorder()
		r.onData = func(c *reactor.Conn) { c.Write(c.Next(-1)) }
		s := serve(t, cfg, r)
		client := newRecorder()
		client.onOpen = func(c *reactor.Conn) {
			if c.Context() != "mine" || c.RemoteAddr().String() != s.Addrs()[0].String() || c.LocalAddr().String() == c.RemoteAddr().String() {
				t.Errorf("context %v, from %v to %v", c.Context(), c.LocalAddr(), c.RemoteAddr())
			}
			c.WriteString("hello")
		}
		client.onData = func(c *reactor.Conn) {
			if string(c.Peek(-1)) == "hello" {
				c.Close()
			}
		}
		if err := s.Dial(t.Context(), "tcp://"+s.Addrs()[0].String(), client, "mine"); err != nil {
			t.Fatal(err)
		}
		if e := client.wait(t, "close"); e.err != nil {
			t.Errorf("closed by %v", e.err)
		}
		if err := s.Dial(t.Context(), "tcp://"+porttest.Refusing(t).String(), client, nil); err != nil {
			t.Fatal(err)
		}
		if e := client.wait(t, "close"); !errors.Is(e.err, syscall.ECONNREFUSED) {
			t.Errorf("refused: closed by %v", e.err)
		}
	})
}

// TestDialWithoutHandler wants a dial to fail at once that nobody could be told of.
func TestDialWithoutHandler(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		r := newRecorder()
		errs := make(chan error, 1)
		r.onOpen = func(c *reactor.Conn) {
			to, err := reactor.Resolve(t.Context(), "tcp://"+c.LocalAddr().String())
			if err == nil {
				err = c.Dial(to, nil, nil)
			}
			select {
			case errs <- err:
			default: // one that was dialled
			}
		}
		s := serve(t, cfg, r)
		dial(t, s)
		if err := <-errs; !errors.Is(err, reactor.ErrInvalidConfig) {
			t.Errorf("Conn.Dial: %v", err)
		}
		if err := s.Dial(t.Context(), "tcp://"+s.Addrs()[0].String(), nil, nil); !errors.Is(err, reactor.ErrInvalidConfig) {
			t.Errorf("Server.Dial: %v", err)
		}
	})
}

// TestDialNowhere wants an address that cannot be dialled to be named, with what it should be.
func TestDialNowhere(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1:1", "udp://127.0.0.1:1", "http://127.0.0.1:1"} {
		_, err := reactor.Resolve(t.Context(), addr)
		if ae := (*net.AddrError)(nil); !errors.As(err, &ae) || ae.Addr != addr || strings.Contains(err.Error(), "Listen") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

// TestDialWhileShuttingDown wants connections that are there only when the shutdown has begun to be told of it, too.
func TestDialWhileShuttingDown(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		s := serve(t, cfg, newRecorder())
		for range 4 {
			if err := s.Dial(context.Background(), "tcp://"+ln.Addr().String(), newRecorder(), nil); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), watchdog)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}
