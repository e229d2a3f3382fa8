//go:build linux

package reactor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor"
)

// inBulk has what comes be received in large pieces. With Park, which is the default with workers, io_uring receives at the end of each system call of a client in the same process, little by little, as a
// splice would, so that there may be no pipe.
func inBulk(cfg *reactor.Config) { cfg.Wait = api.Block() }

// eachPipe runs f for one variant with workers and one without, on each backend: for what waits.
func eachPipe(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		if cfg.Variant == reactor.SinglePool || cfg.Variant == reactor.Multi {
			return // as MultiPool and Single
		}
		inBulk(&cfg)
		f(t, cfg)
	})
}

// refuser is a backend whose splices fail where a socket or file is the input, or where a pipe is.
type refuser struct {
	name, on string
	pipes    bool
}

func (r refuser) Name() string                 { return r.name }
func (r refuser) Probe() (api.Features, error) { return api.Features{}, nil }
func (r refuser) Open(o *api.Options) (api.Engine, error) {
	e, err := backend.Open(r.on, o)
	return &refusing{e, r.pipes}, err
}

type refusing struct {
	api.Engine
	pipes bool
}

// Submit gives those splices a flag that there is not, which makes them EINVAL.
func (e *refusing) Submit(ops []api.Op) (int, error) {
	for i := range ops {
		if op := &ops[i]; op.Code == api.OpSplice && e.pipes == isPipe(op.FD) {
			op.Arg = 1 << 30
		}
	}
	return e.Engine.Submit(ops)
}

func isPipe(fd int32) bool {
	var st unix.Stat_t
	return unix.Fstat(int(fd), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// refusers registers them, once.
var refusers = sync.OnceValue(func() (names []string) {
	for _, on := range []string{"uring", "epoll"} {
		for _, r := range []refuser{{on + "-refuses-files", on, false}, {on + "-refuses-pipes", on, true}} {
			backend.Register(r)
			names = append(names, r.name)
		}
	}
	return names
})

// eachRefuser runs f for backends that refuse to splice one way or the other.
func eachRefuser(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	for _, name := range refusers() {
		for _, v := range []reactor.Variant{reactor.Single, reactor.SinglePool} {
			t.Run(v.String()+"/"+name, func(t *testing.T) {
				on, _, _ := bytes.Cut([]byte(name), []byte("-"))
				need(t, string(on))
				f(t, reactor.Config{Variant: v, Backend: name, Workers: 2, Listen: []string{"tcp://127.0.0.1:0"}})
			})
		}
	}
}

// sendAll sends msg, and the end of the stream, in the background.
func sendAll(nc *net.TCPConn, msg []byte) {
	go func() {
		_, _ = nc.Write(msg) // what is missing shows in what comes back
		_ = nc.CloseWrite()
	}()
}

// wantLanes wants a server to have made pipes, and to have all of them back.
func wantLanes(t *testing.T, s *reactor.Server) {
	t.Helper()
	until(t, "pipes are in use", func() bool { _, used := reactor.Lanes(s); return used == 0 })
	if all, _ := reactor.Lanes(s); all == 0 {
		t.Error("nothing went by a pipe")
	}
}

// echoing sends back what comes when it comes.
func echoing(nc *net.TCPConn) {
	_, _ = io.Copy(nc, nc) // the client sees what is missing
}

// A stream in bulk goes by a pipe, to the last byte, and the pipe is given back.
func TestForwardByPipe(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		inBulk(&cfg)
		for _, size := range []int{300_000, 9_000_001} {
			r := &relay{to: upstream(t, echoing), ends: make(chan error, 2)}
			s := serve(t, cfg, r)
			nc := dialTCP(t, s)
			msg := noise(size, 5)
			sendAll(nc, msg)
			got, err := io.ReadAll(nc)
			if err != nil || !bytes.Equal(got, msg) {
				t.Fatalf("got %d bytes of %d, %v; they differ at %d", len(got), size, err, differ(got, msg))
			}
			wantEnds(t, r.ends, 2, nil)
			if size > 1<<20 {
				wantLanes(t, s)
			}
		}
	})
}

// Where there are no pipes, or too few, or none of the size that it takes, all goes as it did.
func TestForwardFewPipes(t *testing.T) {
	for _, most := range []int{0, 1} {
		eachEngine(t, func(t *testing.T, cfg reactor.Config) {
			t.Parallel()
			r := &relay{to: upstream(t, echoing), ends: make(chan error, 6)}
			cfg.NoSplice = most == 0
			s := serve(t, cfg, r)
			if most > 0 {
				reactor.LimitLanes(s, most)
			}
			var wg sync.WaitGroup
			for i := range 3 {
				nc := dialTCP(t, s)
				wg.Go(func() {
					msg := noise(3_000_000, uint64(i))
					sendAll(nc, msg)
					if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, msg) {
						t.Errorf("got %d bytes, %v", len(got), err)
					}
				})
			}
			wg.Wait()
			wantEnds(t, r.ends, 6, nil)
			if all, _ := reactor.Lanes(s); all > most*max(1, cfg.Loops) {
				t.Errorf("%d pipes, of %d for each loop", all, most)
			}
		})
	}
}

// What the kernel refuses to splice, from a socket or to one, is copied, and no byte is lost.
func TestForwardRefused(t *testing.T) {
	eachRefuser(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		inBulk(&cfg)
		r := &relay{to: upstream(t, echoing), ends: make(chan error, 2)}
		s := serve(t, cfg, r)
		nc := dialTCP(t, s)
		msg := noise(5_000_000, 6)
		sendAll(nc, msg)
		got, err := io.ReadAll(nc)
		if err != nil || !bytes.Equal(got, msg) {
			t.Fatalf("got %d bytes, %v; they differ at %d", len(got), err, differ(got, msg))
		}
		wantEnds(t, r.ends, 2, nil)
		wantLanes(t, s)
	})
}

// A peer that reads nothing leaves a full pipe, whatever ends the join: a reset, the time, the program, or the server.
func TestForwardPipeEnded(t *testing.T) {
	why := errors.New("why")
	for by, want := range map[string]error{
		"reset": syscall.ECONNRESET, "idle": os.ErrDeadlineExceeded, "read deadline": os.ErrDeadlineExceeded, "write deadline": os.ErrDeadlineExceeded,
		"abort": why, "close": nil, "shutdown": reactor.ErrShutdown,
	} {
		eachPipe(t, func(t *testing.T, cfg reactor.Config) {
			cfg.Linger = watchdog
			if by == "idle" {
				cfg.IdleTimeout = 1500 * time.Millisecond
			}
			f := newFlood(t, cfg, 64<<20)
			if by != "idle" {
				until(t, "no pipe is full", func() bool { return reactor.Laden(f.server) > 0 })
			}
			end := by == "reset" || by == "close"
			switch by {
			case "reset":
				f.goOn <- false
			case "read deadline":
				f.post(t, func(c *reactor.Conn) { c.SetReadDeadline(time.Now()) })
			case "write deadline":
				f.post(t, func(c *reactor.Conn) { c.SetWriteDeadline(time.Now()) })
			case "abort":
				f.post(t, func(c *reactor.Conn) { c.Abort(why) })
			case "close":
				f.post(t, (*reactor.Conn).Close)
				f.goOn <- true // behind which it sees the end of what had come
				<-f.got
			case "shutdown":
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_ = f.server.Shutdown(ctx) // the error of ctx
			}
			wantEnds(t, f.ends, 2, want)
			if by != "shutdown" {
				wantLanes(t, f.server)
			}
			if !end {
				f.goOn <- false
			}
		})
	}
}

// A direction that has gone quiet gives its pipe back, and lets small messages through at once; when there is much again it has another.
func TestForwardPipeIdle(t *testing.T) {
	eachPipe(t, func(t *testing.T, cfg reactor.Config) {
		s := serve(t, cfg, &relay{to: upstream(t, echoing), ends: make(chan error, 2)})
		nc := dialTCP(t, s)
		for _, size := range []int{3_000_000, 10, 3_000_000} {
			msg := noise(size, 8)
			go func() { _, _ = nc.Write(msg) }() // what is missing shows
			got := make([]byte, size)
			if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, msg) {
				t.Fatalf("%d bytes: %v", size, err)
			}
			wantLanes(t, s)
		}
	})
}

// Pause stops a direction that goes by a pipe, and Resume has the rest come.
func TestForwardPipePaused(t *testing.T) {
	eachPipe(t, func(t *testing.T, cfg reactor.Config) {
		side := make(chan reactor.Remote, 1)
		r := &relay{to: upstream(t, echoing), ends: make(chan error, 2)}
		r.joined = func(c *reactor.Conn, _ error) { side <- c.Remote() }
		s := serve(t, cfg, r)
		nc := dialTCP(t, s)
		d := <-side
		msg := noise(big, 9)
		sendAll(nc, msg)
		got := make([]byte, len(msg))
		if _, err := io.ReadFull(nc, got[:1_500_000]); err != nil {
			t.Fatal(err)
		}
		if err := d.Post((*reactor.Conn).Pause); err != nil {
			t.Fatal(err)
		}
		var came atomic.Int64
		came.Store(1_500_000)
		end := make(chan error, 1)
		go func() {
			for {
				n, err := nc.Read(got[came.Load():])
				if came.Add(int64(n)); err != nil || came.Load() == int64(len(got)) {
					end <- err
					return
				}
			}
		}()
		stalled(t, &came)
		if came.Load() == int64(len(got)) {
			t.Error("all came in spite of the pause")
		}
		if n := reactor.Filling(s); n > 1 {
			t.Errorf("%d pipes are being filled, of which one is paused", n)
		}
		if err := d.Post((*reactor.Conn).Resume); err != nil {
			t.Fatal(err)
		}
		if err := <-end; err != nil || !bytes.Equal(got, msg) {
			t.Fatalf("%v; they differ at %d", err, differ(got, msg))
		}
		wantEnds(t, r.ends, 2, nil)
		wantLanes(t, s)
	})
}

// A large file goes by a pipe, between what is written around it, and so does what follows.
func TestSendFileByPipe(t *testing.T) {
	content := noise(3_000_000, 7)
	path := tempFile(t, content)
	run := func(used bool) func(t *testing.T, cfg reactor.Config) {
		return func(t *testing.T, cfg reactor.Config) {
			var want []byte
			for range 2 {
				want = append(append(append(want, "head"...), content[5:]...), content[:700_000]...)
			}
			f := &sender{ends: make(chan error, 1)}
			f.open = func(c *reactor.Conn) {
				for range 2 {
					c.WriteString("head")
					sendFile(t, c, path, 5, -1)
					sendFile(t, c, path, 0, 700_000)
				}
				c.Close()
			}
			cfg.NoSplice = !used
			s := serve(t, cfg, f)
			nc := dialTCP(t, s)
			send(t, nc, "x")
			if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes, %v; want %d; they differ at %d", len(got), err, len(want), differ(got, want))
			}
			nc.Close() // else the server lingers
			wantEnds(t, f.ends, 1, nil)
			if used {
				wantLanes(t, s)
			} else if all, _ := reactor.Lanes(s); all > 0 {
				t.Errorf("there are %d pipes", all)
			}
		}
	}
	t.Run("pipes", func(t *testing.T) { eachEngine(t, run(true)) })
	t.Run("none", func(t *testing.T) { eachEngine(t, run(false)) })
	t.Run("refused", func(t *testing.T) { eachRefuser(t, run(true)) })
}

// A peer that goes in the middle of a file leaves neither the file nor a pipe, and nothing of it to the next.
func TestSendFilePipeReset(t *testing.T) {
	content := noise(32<<20, 2)
	path := tempFile(t, content)
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		f := &sender{ends: make(chan error, 1)}
		f.open = func(c *reactor.Conn) { sendFile(t, c, path, 0, -1) }
		s := serve(t, cfg, f)
		nc := dialTCP(t, s)
		send(t, nc, "x")
		if _, err := io.ReadFull(nc, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		_ = nc.SetLinger(0) // else it would be an end, which the server does not see
		nc.Close()
		select {
		case err := <-f.ends:
			if err == nil {
				t.Error("OnClose got nil")
			}
		case <-time.After(watchdog):
			t.Fatal("the connection has not ended")
		}
		wantLanes(t, s)
		nc = dialTCP(t, s)
		send(t, nc, "x")
		got := make([]byte, len(content))
		if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the next got other bytes from %d on, %v", differ(got, content), err)
		}
	})
}

// A server leaves no pipe behind.
func TestPipesClosed(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		noneLeft(t)
		inBulk(&cfg)
		r := &relay{to: upstream(t, echoing), ends: make(chan error, 2)}
		s := serve(t, cfg, r)
		nc := dialTCP(t, s)
		msg := noise(3_000_000, 1)
		sendAll(nc, msg)
		if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, msg) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		wantEnds(t, r.ends, 2, nil)
		wantLanes(t, s)
	})
}
