//go:build linux

package reactor_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// sender does something with each connection when its first byte has come (a reset before would be an error of the peer's connect), and tells how it ends.
type sender struct {
	reactor.Base
	open func(*reactor.Conn)
	ends chan error
}

func (s *sender) OnData(c *reactor.Conn) {
	c.Discard(-1)
	s.open(c)
}
func (s *sender) OnEOF(*reactor.Conn)                 {}
func (s *sender) OnClose(_ *reactor.Ended, err error) { s.ends <- err }

// tempFile is a file with something in it, of which the test must leave none open.
func tempFile(t *testing.T, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := openOf(t, path); n > 0 {
			t.Errorf("%d fds of the file are left open", n)
		}
	})
	return path
}

// openOf counts the fds of this process that are open on a file. The listing changes while others open and close theirs.
func openOf(t *testing.T, path string) (n int) {
	t.Helper()
	const dir = "/proc/self/fd"
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if to, err := os.Readlink(dir + "/" + e.Name()); err == nil && to == path {
			n++
		}
	}
	return n
}

// sendFile opens a file and sends a part of it.
func sendFile(t *testing.T, c *reactor.Conn, path string, off, n int64) {
	f, err := os.Open(path)
	if err == nil {
		err = c.SendFile(f, off, n)
	}
	if err != nil {
		t.Error(err)
	}
}

// What is written and what is sent of files comes in the order of the calls, whatever the sizes.
func TestSendFile(t *testing.T) {
	content := noise(400_000, 7)
	path := tempFile(t, content)
	parts := []struct {
		name   string
		off, n int64
		want   []byte
	}{
		{"nothing", 0, 0, nil},
		{"all", 0, -1, content},
		{"from the middle", 1000, -1, content[1000:]},
		{"beyond the end", 500_000, -1, nil},
		{"one byte", 399_999, 1, content[399_999:]},
		{"a chunk less one", 1, 128<<10 - 1, content[1:][:128<<10-1]},
		{"a chunk", 1, 128 << 10, content[1:][:128<<10]},
		{"a chunk and one", 1, 128<<10 + 1, content[1:][:128<<10+1]},
		{"three chunks", 3, 3 << 17, content[3:][:3<<17]},
	}
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		for _, around := range []int{0, 10, 300_000} {
			text := noise(around, 3)
			var want []byte
			for _, p := range parts {
				want = append(append(append(want, p.name...), text...), p.want...)
			}
			s := &sender{ends: make(chan error, 1)}
			s.open = func(c *reactor.Conn) {
				for _, p := range parts {
					c.WriteString(p.name)
					c.Write(text)
					sendFile(t, c, path, p.off, p.n)
				}
				c.Close()
			}
			nc := dialTCP(t, serve(t, cfg, s))
			send(t, nc, "x")
			if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes around: got %d bytes, %v; want %d; they differ at %d", around, len(got), err, len(want), differ(got, want))
			}
			wantEnds(t, s.ends, 1, nil)
		}
	})
}

// differ is where two slices do.
func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// A file that is shorter than was said ends the connection, and the peer does not take it for complete.
func TestSendFileShort(t *testing.T) {
	for _, tc := range []struct {
		name         string
		size, off, n int64
		leaves       int64 // what is cut away to while it is being sent; -1: nothing is
	}{
		{"beyond the end", 10, 10, 1, -1},
		{"over the end", 300_000, 100, 300_000, -1},
		{"shrinks", 64 << 20, 0, -1, 0},
		{"shrinks to a part", 64 << 20, 0, 64 << 20, 60 << 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachVariant(t, func(t *testing.T, cfg reactor.Config) {
				t.Parallel()
				path := tempFile(t, nil)
				if err := os.Truncate(path, tc.size); err != nil {
					t.Fatal(err)
				}
				s := &sender{ends: make(chan error, 1)}
				s.open = func(c *reactor.Conn) {
					c.WriteString("head")
					sendFile(t, c, path, tc.off, tc.n)
					c.WriteString("behind")
					c.Close()
				}
				nc := dialTCP(t, serve(t, cfg, s))
				send(t, nc, "x")
				if tc.leaves >= 0 {
					if _, err := io.ReadFull(nc, make([]byte, 5)); err != nil {
						t.Fatal(err)
					}
					if err := os.Truncate(path, tc.leaves); err != nil {
						t.Fatal(err)
					}
				}
				if n, err := io.Copy(io.Discard, nc); err == nil {
					t.Errorf("the peer sees %d bytes and the end of the stream", n)
				}
				wantEnds(t, s.ends, 1, io.ErrUnexpectedEOF)
			})
		})
	}
}

// A peer that resets the connection in the middle of a file, or of what waits behind it, leaves nothing open.
func TestSendFileReset(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		path := tempFile(t, nil)
		if err := os.Truncate(path, 32<<20); err != nil {
			t.Fatal(err)
		}
		s := &sender{ends: make(chan error, 1)}
		s.open = func(c *reactor.Conn) {
			for range 3 {
				sendFile(t, c, path, 0, -1)
			}
			c.Close()
		}
		nc := dialTCP(t, serve(t, cfg, s))
		send(t, nc, "x")
		if _, err := io.ReadFull(nc, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		nc.SetLinger(0)
		nc.Close()
		select {
		case err := <-s.ends:
			if err == nil {
				t.Error("OnClose got no error")
			}
		case <-time.After(watchdog):
			t.Fatal("the connection has not ended")
		}
	})
}

// SendFile closes the file when it returns an error, too.
func TestSendFileClosed(t *testing.T) {
	path := tempFile(t, []byte("x"))
	cfg := reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}}
	got := make(chan error, 1)
	s := &sender{ends: make(chan error, 1)}
	s.open = func(c *reactor.Conn) {
		c.Close()
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
		}
		got <- c.SendFile(f, 0, -1)
	}
	send(t, dial(t, serve(t, cfg, s)), "x")
	wantEnds(t, s.ends, 1, nil)
	if err := <-got; !errors.Is(err, reactor.ErrClosed) {
		t.Errorf("behind Close: %v, want %v", err, reactor.ErrClosed)
	}
}

// Buffers that wait together are sent in their order, however many.
func TestGather(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		for _, sizes := range [][]int{{1, 64 << 10, 1, 64 << 10, 1}, {2_000_000, 1}, {0, 1}, make([]int, 100)} {
			want := noise(3_000_000, 9)
			s := &sender{ends: make(chan error, 1)}
			n := 0
			for i := range sizes {
				if sizes[i] == 0 {
					sizes[i] = 9000
				}
				n += sizes[i]
			}
			want = want[:n]
			s.open = func(c *reactor.Conn) {
				rest := want
				for _, k := range sizes {
					c.Write(rest[:k])
					rest = rest[k:]
				}
				c.Close()
			}
			nc := dialTCP(t, serve(t, cfg, s))
			send(t, nc, "x")
			if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(want))
			}
			wantEnds(t, s.ends, 1, nil)
		}
	})
}
