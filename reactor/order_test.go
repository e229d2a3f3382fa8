//go:build unix

package reactor_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// numbered echoes a stream of numbers, each one more than the one before, and leaves what is not a whole number.
type numbered struct {
	reactor.Base
	t *testing.T
}

func (h numbered) OnData(c *reactor.Conn) {
	next := own[uint32](c.Context())
	for c.Buffered() >= 4 {
		if got := binary.LittleEndian.Uint32(c.Peek(4)); got != *next {
			h.t.Errorf("number %d came as %d", *next, got)
			c.Abort(errors.New("out of order"))
			return
		}
		*next++
		if _, err := c.Write(c.Next(4)); err != nil {
			h.t.Error(err)
		}
	}
}

func numbers(n int) []byte { return numbersFrom(0, n) }

func numbersFrom(from, n int) []byte {
	b := make([]byte, 0, 4*n)
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(from+i))
	}
	return b
}

// TestOrder sends over many connections at once, in pieces of any size, with fewer buffers than connections.
func TestOrder(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		cfg.Buffers, cfg.BufferSize = 16, 256
		s := watch(t, cfg, numbered{t: t})
		var clients sync.WaitGroup
		for i := range 24 {
			nc := s.dial()
			clients.Go(func() {
				msg := numbers(8 << 10)
				clients.Go(func() {
					random := rand.New(rand.NewPCG(1, uint64(i)))
					for rest := msg; len(rest) > 0; {
						n := min(1+random.IntN(1<<random.IntN(12)), len(rest))
						if _, err := nc.Write(rest[:n]); err != nil {
							t.Error(err)
							return
						}
						rest = rest[n:]
					}
					nc.CloseWrite()
				})
				got, err := io.ReadAll(nc)
				if err != nil || !bytes.Equal(got, msg) {
					t.Errorf("%d bytes came back of %d, equal as far as %d; %v", len(got), len(msg), alike(got, msg), err)
				}
			})
		}
		clients.Wait()
		for range 24 {
			if err := s.ending(); err != nil {
				t.Errorf("OnClose: %v", err)
			}
		}
		s.drained()
	})
}

// alike is how many bytes are the same.
func alike(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// remotes gives the Remote of each connection to the test.
type remotes struct {
	reactor.Base
	to chan reactor.Remote
}

func (h remotes) OnOpen(c *reactor.Conn) { h.to <- c.Remote() }

// TestPostOrder posts from many goroutines: all of it is called, what one has posted in its order, and one at a time.
func TestPostOrder(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		h := remotes{to: make(chan reactor.Remote, 1)}
		s := watch(t, cfg, h)
		nc := s.dial()
		remote := <-h.to
		const posters, posts = 8, 500
		next := make([]int, posters) // guarded by that one callback is called at a time
		var running sync.WaitGroup
		for p := range posters {
			running.Go(func() {
				for i := range posts {
					err := remote.Post(func(c *reactor.Conn) {
						s.in(c.Context(), "a function", func(*seen) {
							if next[p] != i {
								t.Errorf("function %d of a goroutine is called at the place of %d", i, next[p])
							}
							next[p]++
						})
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		if err := remote.Post(func(c *reactor.Conn) { c.WriteString("all"); c.Close() }); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(nc); string(got) != "all" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := s.ending(); err != nil {
			t.Errorf("OnClose: %v", err)
		}
		for p, n := range next {
			if n != posts {
				t.Errorf("%d of %d functions of goroutine %d were called", n, posts, p)
			}
		}
		if err := remote.Post(func(*reactor.Conn) { t.Error("called behind OnClose") }); err != reactor.ErrClosed {
			t.Errorf("Post to what is closed: %v", err)
		}
	})
}

// TestPostWhileClosing posts until it is refused, while the peer closes. What was called of one goroutine is a beginning of what it has posted.
func TestPostWhileClosing(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		h := remotes{to: make(chan reactor.Remote, 1)}
		s := watch(t, cfg, h)
		for range 20 {
			nc := s.dial()
			remote := <-h.to
			var running sync.WaitGroup
			var begun sync.WaitGroup
			begun.Add(4)
			for range 4 {
				running.Go(func() {
					var called atomic.Int64
					deadline := time.Now().Add(watchdog)
					for i := int64(0); ; i++ {
						err := remote.Post(func(*reactor.Conn) {
							if !called.CompareAndSwap(i, i+1) {
								t.Errorf("function %d is called behind %d", i, called.Load())
							}
						})
						if i == 10 {
							begun.Done()
						}
						runtime.Gosched() // the connection is to be closed by somebody
						if err == reactor.ErrClosed && i >= 10 {
							return
						}
						if err != nil || time.Now().After(deadline) {
							t.Errorf("Post: %v", err)
							return
						}
					}
				})
			}
			begun.Wait()
			nc.Close()
			running.Wait()
			s.ending()
		}
	})
}

// TestManyConns has more connections at a time than anything else.
func TestManyConns(t *testing.T) {
	table(t, arrangements(), func(t *testing.T, cfg reactor.Config) {
		s := watch(t, cfg, numbered{t: t})
		const conns = 1000
		msg := numbers(16)
		var clients sync.WaitGroup
		for range conns {
			nc := s.dial()
			clients.Go(func() {
				for at := 0; at < len(msg); at += 16 {
					if _, err := nc.Write(msg[at : at+16]); err != nil {
						t.Error(err)
						return
					}
					got := make([]byte, 16)
					if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, msg[at:at+16]) {
						t.Errorf("%x, %v", got, err)
						return
					}
				}
			})
		}
		clients.Wait()
		if n := s.Stats().Open; n != conns {
			t.Errorf("%d connections are open, of %d", n, conns)
		}
	})
}
