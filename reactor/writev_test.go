//go:build unix

package reactor_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// TestWritev has slices come one behind the other, between what was written before and behind them. They are copied, all of them or none.
func TestWritev(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	pieces := func() [][]byte {
		return [][]byte{nil, []byte("a"), bytes.Clone(text[:70_001]), {}, []byte("b"), bytes.Clone(text[:5000]), bytes.Clone(text)}
	}
	whole := slices.Concat(pieces()...)
	want := slices.Concat([]byte("first"), whole, []byte("between"), whole, []byte("last"))
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.MaxOutput = len(want) + 10
		r := newRecorder()
		writev := func(c *reactor.Conn, n int, want error, bufs ...[]byte) {
			if got, err := c.Writev(bufs...); got != n || !errors.Is(err, want) {
				t.Errorf("Writev of %d slices: %d, %v, want %d, %v", len(bufs), got, err, n, want)
			}
			for _, b := range bufs {
				clear(b) // they are the program's again
			}
		}
		r.onData = func(c *reactor.Conn) {
			c.Discard(-1)
			c.WriteString("first")
			writev(c, len(whole), nil, pieces()...)
			writev(c, 0, nil)
			c.WriteString("between")
			writev(c, len(whole), nil, pieces()...)
			writev(c, 0, reactor.ErrOutputFull, []byte("12345678"), make([]byte, len(want)))
			c.WriteString("last")
			c.Close()
			writev(c, 0, reactor.ErrClosed, []byte("x"))
		}
		c := dial(t, serve(t, cfg, r))
		send(t, c, "x")
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came of %d, equal as far as %d; %v", len(got), len(want), alike(got, want), err)
		}
	})
}

// leaving is a handler that consumes two bytes.
type leaving struct {
	reactor.Base
	left chan string
}

func (h *leaving) OnData(c *reactor.Conn) {
	if c.Context() == nil && c.Buffered() >= 2 {
		c.SetContext(true)
		c.Discard(2)
	}
}

func (h *leaving) OnClose(e *reactor.Ended, _ error) { h.left <- string(e.Unread()) }

// TestUnread wants OnClose to see the input that nobody has consumed.
func TestUnread(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		h := &leaving{left: make(chan string, 1)}
		c := dial(t, serve(t, cfg, h)).(*net.TCPConn)
		send(t, c, "abcde")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := within(t, h.left); got != "cde" {
			t.Errorf("%q is unread, want cde", got)
		}
	})
}

// addressed is a handler that tells the addresses of each connection, and sends back what comes.
type addressed struct {
	reactor.Base
	addrs chan [2]string
}

func (h *addressed) OnOpen(c *reactor.Conn) {
	h.addrs <- [2]string{c.LocalAddr().String(), c.RemoteAddr().String()}
}

func (h *addressed) OnData(c *reactor.Conn) { c.Write(c.Next(-1)) }

// TestIPv6 has connections of IPv6, to one address, to all of them and by IPv4 to those, and dials by it.
func TestIPv6(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		for _, balance := range []reactor.Balance{reactor.ReusePort, reactor.Hash} {
			cfg.Balance = balance
			cfg.Listen = []string{"tcp://[::1]:0", "tcp6://[::1]:0", "tcp://[::]:0"}
			h := &addressed{addrs: make(chan [2]string, 1)}
			s := serve(t, cfg, h)
			if len(s.Addrs()) != 3 {
				t.Fatalf("it listens at %v", s.Addrs())
			}
			_, port, err := net.SplitHostPort(s.Addrs()[2].String())
			if err != nil {
				t.Fatal(err)
			}
			first := s.Addrs()[0].String()
			for _, addr := range []string{first, s.Addrs()[1].String(), "[::1]:" + port, "127.0.0.1:" + port} {
				c, err := net.DialTimeout("tcp", addr, watchdog)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
					t.Fatal(err)
				}
				want := [2]string{c.RemoteAddr().String(), c.LocalAddr().String()}
				if got := within(t, h.addrs); got != want {
					t.Errorf("%s: the connection is of %v, want %v", addr, got, want)
				}
				send(t, c, addr)
				wantBytes(t, c, addr)
			}
			for _, network := range []string{"tcp", "tcp6"} {
				r := newRecorder()
				r.onOpen = func(c *reactor.Conn) {
					if got := c.RemoteAddr().String(); got != first {
						t.Errorf("%s: dialled %s, want %s", network, got, first)
					}
					c.WriteString("dialled")
				}
				if err := s.Dial(t.Context(), network+"://"+first, r, nil); err != nil {
					t.Fatal(err)
				}
				within(t, h.addrs)
				for got := ""; got != "dialled"; {
					got += r.wait(t, "data").data
				}
			}
		}
	})
}
