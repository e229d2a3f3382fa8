//go:build linux

package reactor_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor"
)

// A pipe stands behind what was to be sent before it was filled, and before what comes then.
func TestForwardPipeBehind(t *testing.T) {
	first, msg := noise(12<<20, 3), noise(6_000_000, 4)
	eachPipe(t, func(t *testing.T, cfg reactor.Config) {
		cfg.WriteHigh = 64 << 20 // so that it is read while nothing goes
		goOn, got := make(chan struct{}), make(chan []byte, 1)
		to := upstream(t, func(nc *net.TCPConn) {
			_ = nc.SetReadBuffer(64 << 10) // else the sockets may hold more
			<-goOn
			b, _ := io.ReadAll(nc) // what is missing shows
			got <- b
		})
		r := &relay{to: to, ends: make(chan error, 2)}
		r.open = func(c *reactor.Conn) { c.Write(first) }
		s := serve(t, cfg, r)
		sendAll(dialTCP(t, s), msg)
		until(t, "no pipe is full", func() bool { return reactor.Laden(s) > 0 })
		close(goOn)
		want := append(first[:len(first):len(first)], msg...)
		if b := <-got; !bytes.Equal(b, want) {
			t.Errorf("got %d bytes of %d; they differ at %d", len(b), len(want), differ(b, want))
		}
		wantEnds(t, r.ends, 2, nil)
		wantLanes(t, s)
	})
}

// counter is a backend that counts the splices into pipes.
type counter struct {
	name, on string
	fills    *atomic.Int64
}

func (b counter) Name() string                 { return b.name }
func (b counter) Probe() (api.Features, error) { return api.Features{}, nil }
func (b counter) Open(o *api.Options) (api.Engine, error) {
	e, err := backend.Open(b.on, o)
	return &tallying{e, b.fills}, err
}

type tallying struct {
	api.Engine
	fills *atomic.Int64
}

func (e *tallying) Submit(ops []api.Op) (int, error) {
	n, err := e.Engine.Submit(ops)
	for i := range ops[:n] {
		if op := &ops[i]; op.Code == api.OpSplice && !isPipe(op.FD) {
			e.fills.Add(1)
		}
	}
	return n, err
}

// counters registers them, once.
var counters = sync.OnceValue(func() (list []counter) {
	for _, on := range []string{"uring", "epoll"} {
		c := counter{on + "-counts", on, new(atomic.Int64)}
		backend.Register(c)
		list = append(list, c)
	}
	return list
})

// Messages of 16 KiB to and fro seldom go by a pipe, and give back one that there is.
func TestForwardPipeShort(t *testing.T) {
	for _, b := range counters() {
		t.Run(b.on, func(t *testing.T) {
			need(t, b.on)
			cfg := reactor.Config{Backend: b.name, Listen: []string{"tcp://127.0.0.1:0"}}
			s := serve(t, cfg, &relay{to: upstream(t, echoing), ends: make(chan error, 2)})
			nc := dialTCP(t, s)
			seed := uint64(0)
			swap := func(size int) {
				seed++
				msg := noise(size, seed)
				go func() { _, _ = nc.Write(msg) }() // what is missing shows
				got := make([]byte, size)
				if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, msg) {
					t.Fatalf("%d bytes: %v; they differ at %d", size, err, differ(got, msg))
				}
			}
			before := b.fills.Load()
			for range 400 {
				swap(16 << 10)
			}
			// A pipe for four messages behind 256 KiB, 512 KiB, 1 and 2 MiB, each way; and some that come late.
			if n := b.fills.Load() - before; n > 100 {
				t.Errorf("%d of 800 small messages went by a pipe", n)
			}
			swap(9_000_000)
			if all, _ := reactor.Lanes(s); all == 0 {
				t.Error("nothing went by a pipe")
			}
			until(t, "small messages have a pipe", func() bool {
				swap(16 << 10)
				_, used := reactor.Lanes(s)
				return used == 0
			})
		})
	}
}

// What comes in large pieces is bulk, whether they fill the buffers or not.
func TestForwardPipeLargeBuffers(t *testing.T) {
	for _, on := range []string{"uring", "epoll"} {
		t.Run(on, func(t *testing.T) {
			need(t, on)
			r := &relay{to: upstream(t, echoing), ends: make(chan error, 2)}
			s := serve(t, reactor.Config{Backend: on, Buffers: 16, BufferSize: 1 << 20, Listen: []string{"tcp://127.0.0.1:0"}}, r)
			nc := dialTCP(t, s)
			msg := noise(9_000_000, 3)
			sendAll(nc, msg)
			if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, msg) {
				t.Fatalf("got %d bytes, %v; they differ at %d", len(got), err, differ(got, msg))
			}
			wantEnds(t, r.ends, 2, nil)
			wantLanes(t, s)
		})
	}
}

// Unix sockets that are joined have pipes, too, and a peer that reads no more ends them while one is full.
func TestForwardPipeUnix(t *testing.T) {
	piece := noise(64<<10, 1)
	eachPipe(t, func(t *testing.T, cfg reactor.Config) {
		dir := t.TempDir()
		cfg.Listen = []string{"unix://" + filepath.Join(dir, "s")}
		goOn := make(chan struct{})
		r := &relay{to: unixUpstream(t, filepath.Join(dir, "u"), func(nc *net.UnixConn) {
			got := make([]byte, len(piece))
			for range 32 {
				if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, piece) {
					t.Errorf("%v; the bytes differ at %d", err, differ(got, piece))
				}
			}
			<-goOn
			if err := nc.CloseRead(); err != nil {
				t.Error(err)
			}
			<-t.Context().Done()
		}), ends: make(chan error, 2)}
		s := serve(t, cfg, r)
		nc := dial(t, s)
		var sent atomic.Int64
		go func() {
			for {
				n, err := nc.Write(piece)
				if sent.Add(int64(n)); err != nil {
					return // it is closed
				}
			}
		}()
		stalled(t, &sent)
		until(t, "no pipe is full", func() bool { return reactor.Laden(s) > 0 })
		close(goOn)
		wantEnds(t, r.ends, 2, syscall.EPIPE)
		wantLanes(t, s)
	})
}

// unixUpstream is upstream on a Unix socket, for one connection.
func unixUpstream(t *testing.T, path string, serve func(*net.UnixConn)) api.Addr {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { ln.Close(); <-done })
	go func() {
		defer close(done)
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		serve(nc.(*net.UnixConn))
	}()
	return api.UnixAddr(path)
}

// A pipe that the system refuses, or refuses to make larger, leaves nothing open, and the next one is another matter.
func TestPipeRefused(t *testing.T) {
	noneLeft(t)
	s := serve(t, reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}}, reactor.Base{})
	const no = -1 // no pipe has that size
	for i, step := range []struct {
		size int
		ok   bool
		all  int
	}{{no, false, 0}, {64 << 10, true, 1}, {no, false, 1}, {128 << 10, true, 1}, {64 << 10, true, 1}} {
		ok := reactor.TakeLane(s, step.size)
		if all, used := reactor.Lanes(s); ok != step.ok || all != step.all || used != 0 {
			t.Errorf("%d: a pipe of %d bytes: %v, %d pipes, %d in use; want %v, %d, 0", i, step.size, ok, all, used, step.ok, step.all)
		}
	}
}

// cutter is a backend on which nothing comes out of a pipe, as if the file that has filled it had been made shorter (ENODATA), and less is in it than was put there.
type cutter struct{ name, on string }

func (b cutter) Name() string                 { return b.name }
func (b cutter) Probe() (api.Features, error) { return api.Features{}, nil }
func (b cutter) Open(o *api.Options) (api.Engine, error) {
	e, err := backend.Open(b.on, o)
	return &cutting{e}, err
}

type cutting struct{ api.Engine }

func (e *cutting) Submit(ops []api.Op) (int, error) {
	for i := range ops {
		if op := &ops[i]; op.Code == api.OpSplice && isPipe(op.FD) {
			_, _ = unix.Read(int(op.FD), make([]byte, 1)) // the pipe is full
			op.Arg = 1 << 30                              // which is EINVAL
		}
	}
	return e.Engine.Submit(ops)
}

func (e *cutting) Complete(dst []api.Completion, w api.Wait) (int, error) {
	n, err := e.Engine.Complete(dst, w)
	for i := range dst[:n] {
		if c := &dst[i]; c.Code == api.OpSplice && c.Res == -int32(unix.EINVAL) {
			c.Res = -int32(unix.ENODATA)
		}
	}
	return n, err
}

// cutters registers them, once.
var cutters = sync.OnceValue(func() (names []string) {
	for _, on := range []string{"uring", "epoll"} {
		backend.Register(cutter{on + "-cuts", on})
		names = append(names, on+"-cuts")
	}
	return names
})

// A pipe whose file was made shorter meanwhile ends the connection as a short file does, and is closed, since it cannot be emptied.
func TestSendFilePipeCut(t *testing.T) {
	path := tempFile(t, noise(3_000_000, 7))
	for _, name := range cutters() {
		t.Run(name, func(t *testing.T) {
			on, _, _ := bytes.Cut([]byte(name), []byte("-"))
			need(t, string(on))
			noneLeft(t)
			f := &sender{ends: make(chan error, 1)}
			f.open = func(c *reactor.Conn) { sendFile(t, c, path, 0, -1) }
			s := serve(t, reactor.Config{Backend: name, Listen: []string{"tcp://127.0.0.1:0"}}, f)
			nc := dialTCP(t, s)
			send(t, nc, "x")
			if n, err := io.Copy(io.Discard, nc); err == nil {
				t.Errorf("the peer sees %d bytes and the end of the stream", n)
			}
			wantEnds(t, f.ends, 1, io.ErrUnexpectedEOF)
			if all, used := reactor.Lanes(s); all != 0 || used != 0 {
				t.Errorf("there are %d pipes, %d in use", all, used)
			}
		})
	}
}

// What has no positions is sent from where it is, large or not.
func TestSendFileOfPipe(t *testing.T) {
	content := noise(700_000, 7)
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = out.Write(content) // what is missing shows
			_ = out.Close()
		}()
		f := &sender{ends: make(chan error, 1)}
		f.open = func(c *reactor.Conn) {
			if err := c.SendFile(in, 0, int64(len(content))); err != nil {
				t.Error(err)
			}
			c.Close()
		}
		nc := dialTCP(t, serve(t, cfg, f))
		send(t, nc, "x")
		if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, content) {
			t.Errorf("got %d bytes of %d, %v; they differ at %d", len(got), len(content), err, differ(got, content))
		}
		nc.Close() // else the server lingers
		wantEnds(t, f.ends, 1, nil)
	})
}
