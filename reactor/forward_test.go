//go:build linux

package reactor_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// dialTCP is dial with what only TCP has.
func dialTCP(t *testing.T, s *reactor.Server) *net.TCPConn {
	t.Helper()
	return dial(t, s).(*net.TCPConn)
}

// eachJoin runs f for every variant.
func eachJoin(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	eachEngine(t, f)
	eachStrand(t, f)
}

// relay joins each connection to one that it dials. What the client sends before is left unconsumed, but for the first byte where
// there is a greeting.
type relay struct {
	reactor.Base
	to       api.Addr
	greeting string
	unsent   atomic.Int64        // bytes that were not, of the connection with the most
	took     string              // what is consumed, and answered by greeting, before it dials
	ends     chan error          // what OnClose of either gets
	open     func(*reactor.Conn) // what is done with the dialled connection before it is joined
	joined   func(c *reactor.Conn, err error)
}

func (r *relay) OnOpen(c *reactor.Conn) {
	if r.took == "" {
		c.Pause() // else more than MaxInput may come meanwhile
		r.dial(c)
	}
}

func (r *relay) OnData(c *reactor.Conn) {
	if r.took == "" || c.Buffered() < len(r.took) || c.Context() != nil {
		return
	}
	if got := string(c.Next(len(r.took))); got != r.took {
		c.Abort(errors.New("got " + got))
		return
	}
	if _, err := c.WriteString(r.greeting); err != nil {
		c.Abort(err)
	}
	r.dial(c)
}

func (r *relay) dial(c *reactor.Conn) {
	c.SetContext(true)
	if err := c.Dial(r.to, &relayed{r: r, client: c.Remote()}, nil); err != nil {
		c.Abort(err)
	}
}

func (r *relay) OnEOF(*reactor.Conn)                 {}
func (r *relay) OnClose(e *reactor.Ended, err error) { r.end(e, err) }
func (r *relay) end(e *reactor.Ended, err error) {
	for n := int64(e.Unsent()); ; {
		if was := r.unsent.Load(); n <= was || r.unsent.CompareAndSwap(was, n) {
			break
		}
	}
	if r.ends != nil {
		r.ends <- err
	}
}

// relayed is the handler of a dialled connection.
type relayed struct {
	reactor.Base
	r      *relay
	client reactor.Remote
}

func (d *relayed) OnOpen(c *reactor.Conn) {
	if d.r.open != nil {
		d.r.open(c)
	}
	err := c.Forward(d.client)
	if d.r.joined != nil {
		d.r.joined(c, err)
	}
	if err != nil {
		c.Abort(err)
	}
}

func (d *relayed) OnData(c *reactor.Conn) { panic("input for the handler of a joined connection") }
func (d *relayed) OnEOF(c *reactor.Conn)  { panic("the end for the handler of a joined connection") }

func (d *relayed) OnClose(e *reactor.Ended, err error) {
	if !e.Opened() {
		_ = d.client.Abort(err) // ErrClosed: it has ended itself
	}
	d.r.end(e, err)
}

// upstream is a server of package net, on which serve gets each connection. It is told when that has returned.
func upstream(t *testing.T, serve func(*net.TCPConn)) api.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			_ = nc.SetDeadline(time.Now().Add(watchdog)) // what it is for fails if this does
			go func() {
				defer nc.Close()
				serve(nc.(*net.TCPConn))
			}()
		}
	}()
	return api.IPAddr(ln.Addr().(*net.TCPAddr).AddrPort())
}

// noise is n bytes that differ.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	rnd := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = rnd.Read(b) // never fails
	return b
}

// wantEnds wants n connections to end with an error that is want.
func wantEnds(t *testing.T, ends chan error, n int, want error) {
	t.Helper()
	for range n {
		select {
		case err := <-ends:
			if !errors.Is(err, want) {
				t.Errorf("OnClose got %v, want %v", err, want)
			}
		case <-time.After(watchdog):
			t.Fatal("a connection has not ended")
		}
	}
}

// echoAll sends all back when the peer has ended its stream, with an end of its own.
func echoAll(nc *net.TCPConn) {
	b, err := io.ReadAll(nc)
	if err != nil {
		return
	}
	_, _ = nc.Write(b) // the client sees what is missing
}

// Both directions carry what they get, the end of one leaves the other open, and both connections end without an error.
func TestForward(t *testing.T) {
	eachJoin(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		for _, size := range []int{0, 1, 1000, 300_000, 5_000_001} {
			cfg.Buffers, cfg.BufferSize = 8, 4096
			r := &relay{to: upstream(t, echoAll), ends: make(chan error, 2)}
			nc := dialTCP(t, serve(t, cfg, r))
			msg := noise(size, uint64(size))
			go func() {
				_, _ = nc.Write(msg) // what is missing shows in what comes back
				_ = nc.CloseWrite()
			}()
			got, err := io.ReadAll(nc)
			if err != nil || !bytes.Equal(got, msg) {
				t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
			}
			wantEnds(t, r.ends, 2, nil)
		}
	})
}

// What the handler has written comes first, then what it has not consumed, then the rest; also if the end has come before the join.
func TestForwardUnconsumed(t *testing.T) {
	eachJoin(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		for _, size := range []int{0, 1, 100, 50_000} {
			r := &relay{to: upstream(t, echoAll), took: "hello", greeting: "welcome", ends: make(chan error, 2)}
			r.open = func(c *reactor.Conn) { c.WriteString("first ") }
			nc := dialTCP(t, serve(t, cfg, r))
			msg := noise(size, 1)
			if _, err := nc.Write(append([]byte("hello"), msg...)); err != nil {
				t.Fatal(err)
			}
			if err := nc.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			want := append([]byte("welcomefirst "), msg...)
			if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: got %d %.20q, %v", size, len(got), got, err)
			}
			wantEnds(t, r.ends, 2, nil)
		}
	})
}

// A reset of one peer is a reset of the other.
func TestForwardReset(t *testing.T) {
	for _, byClient := range []bool{true, false} {
		eachJoin(t, func(t *testing.T, cfg reactor.Config) {
			t.Parallel()
			seen := make(chan error, 1)
			reset := func(nc *net.TCPConn) {
				nc.SetLinger(0)
				nc.Close()
			}
			to := upstream(t, func(nc *net.TCPConn) {
				if _, err := io.ReadFull(nc, make([]byte, 4)); err != nil {
					seen <- err
					return
				}
				if !byClient {
					reset(nc)
					return
				}
				nc.Write([]byte("pong"))
				_, err := io.ReadAll(nc)
				seen <- err
			})
			r := &relay{to: to, ends: make(chan error, 2)}
			nc := dialTCP(t, serve(t, cfg, r))
			if _, err := nc.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			if byClient {
				if _, err := io.ReadFull(nc, make([]byte, 4)); err != nil {
					t.Fatal(err)
				}
				reset(nc)
			} else {
				_, err := io.ReadAll(nc)
				seen <- err
			}
			if err := <-seen; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other peer got %v, want %v", err, syscall.ECONNRESET)
			}
			wantEnds(t, r.ends, 2, syscall.ECONNRESET)
		})
	}
}

// Abort and Close of one side end both.
func TestForwardEnded(t *testing.T) {
	why := errors.New("why")
	for _, abort := range []bool{true, false} {
		eachJoin(t, func(t *testing.T, cfg reactor.Config) {
			t.Parallel()
			seen := make(chan error, 1)
			to := upstream(t, func(nc *net.TCPConn) {
				io.ReadFull(nc, make([]byte, 4))
				nc.Write([]byte("pong"))
				_, err := io.ReadAll(nc)
				seen <- err
			})
			side := make(chan reactor.Remote, 1)
			r := &relay{to: to, ends: make(chan error, 2)}
			r.joined = func(c *reactor.Conn, _ error) { side <- c.Remote() }
			nc := dialTCP(t, serve(t, cfg, r))
			nc.Write([]byte("ping"))
			if _, err := io.ReadFull(nc, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			d := <-side
			var want, reset error
			if abort {
				want, reset = why, syscall.ECONNRESET
				d.Abort(why)
			} else {
				d.Close()
			}
			if _, err := io.ReadAll(nc); !errors.Is(err, reset) {
				t.Errorf("the client got %v, want %v", err, reset)
			}
			if err := <-seen; !errors.Is(err, reset) {
				t.Errorf("the server got %v, want %v", err, reset)
			}
			wantEnds(t, r.ends, 2, want)
		})
	}
}

// A peer that reads late gets all.
func TestForwardLate(t *testing.T) {
	eachJoin(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		const total = 40 << 20
		f := newFlood(t, cfg, total)
		f.goOn <- true
		if n := <-f.got; n != total {
			t.Errorf("%d of %d bytes came", n, total)
		}
		wantEnds(t, f.ends, 2, nil)
	})
}

// For a peer that does not read no more waits than the watermark says, and what was under way.
func TestForwardBounded(t *testing.T) {
	eachJoin(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		f := newFlood(t, cfg, 256<<20) // more than all sockets hold
		f.goOn <- false
		for range 2 {
			select {
			case <-f.ends:
			case <-time.After(watchdog):
				t.Fatal("a connection has not ended")
			}
		}
		// Little is possible: what a pipe held but for its end, which found no room.
		if n := f.unsent.Load(); n < 1 || n > 512<<10 {
			t.Errorf("%d bytes have waited to be forwarded, with a watermark of 128 KiB", n)
		}
	})
}

// flood is a client that sends, by way of a relay, to a peer that does not read before it is told to. All that there is room for has been sent.
type flood struct {
	*relay
	server *reactor.Server
	client *net.TCPConn
	goOn   chan bool  // true: it reads; false: it ends
	got    chan int64 // bytes that came at the peer
	side   chan reactor.Remote
}

// post has fn called for the connection to the peer, and waits for that.
func (f *flood) post(t *testing.T, fn func(*reactor.Conn)) {
	t.Helper()
	done := make(chan struct{})
	if err := (<-f.side).Post(func(c *reactor.Conn) { fn(c); close(done) }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(watchdog):
		t.Fatal("what was posted is not called")
	}
}

func newFlood(t *testing.T, cfg reactor.Config, total int) *flood {
	t.Helper()
	f := &flood{goOn: make(chan bool), got: make(chan int64, 1), side: make(chan reactor.Remote, 1)}
	to := upstream(t, func(nc *net.TCPConn) {
		if !<-f.goOn {
			return // which is a reset, since there is input
		}
		n, _ := io.Copy(io.Discard, nc) // the test sees what is missing
		f.got <- n
	})
	f.relay = &relay{to: to, ends: make(chan error, 2)}
	f.joined = func(c *reactor.Conn, _ error) { f.side <- c.Remote() }
	cfg.Buffers, cfg.BufferSize, cfg.WriteHigh = 16, 8192, 128<<10
	f.server = serve(t, cfg, f.relay)
	f.client = dialTCP(t, f.server)
	var sent atomic.Int64
	piece := make([]byte, 64<<10)
	go func() {
		for range total / len(piece) {
			n, err := f.client.Write(piece)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
		_ = f.client.CloseWrite() // without it the peer waits, and the test sees that
	}()
	stalled(t, &sent)
	return f
}

// stalled waits until a counter has not moved for a while.
func stalled(t *testing.T, n *atomic.Int64) {
	t.Helper()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(watchdog)
	for last, same := int64(-1), 0; same < 60; <-tick.C { // longer than TCP rests between two looks at a window that was full
		now := n.Load()
		if now == last && now > 128<<10 { // else it has not begun
			same++
		} else {
			last, same = now, 0
		}
		if time.Now().After(end) {
			t.Fatal("a peer that reads nothing is sent more and more")
		}
	}
}

// What cannot be joined is told.
func TestForwardErrors(t *testing.T) {
	eachJoin(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		got := make(chan []error, 2)
		r := &relay{to: upstream(t, echoAll), ends: make(chan error, 2)}
		r.open = func(c *reactor.Conn) { got <- []error{c.Forward(reactor.Remote{}), c.Forward(c.Remote())} }
		r.joined = func(c *reactor.Conn, err error) {
			_, werr := c.Write([]byte("x"))
			got <- []error{err, c.Forward(c.Remote()), werr}
		}
		nc := dialTCP(t, serve(t, cfg, r))
		for _, want := range [][]error{{reactor.ErrClosed, reactor.ErrNotJoinable}, {nil, reactor.ErrNotJoinable, reactor.ErrClosed}} {
			select {
			case errs := <-got:
				if !slices.Equal(errs, want) {
					t.Errorf("got %v, want %v", errs, want)
				}
			case <-time.After(watchdog):
				t.Fatal("nothing was dialled")
			}
		}
		nc.Close()
		wantEnds(t, r.ends, 2, nil)
	})
}
