//go:build unix

package arena_test

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/arena"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/internal/offheap"
)

// eachBackend runs f with an engine of each backend that can be opened here.
func eachBackend(t *testing.T, f func(t *testing.T, e api.Engine)) {
	for _, name := range []string{"uring", "epoll", "poll", "select"} {
		t.Run(name, func(t *testing.T) {
			e, err := backend.Open(name, nil)
			if errors.Is(err, api.ErrUnavailable) && os.Getenv("REQUIRE_BACKENDS") == "" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.Close(); err != nil && !errors.Is(err, api.ErrClosed) {
					t.Errorf("closing the engine: %v", err)
				}
			})
			f(t, e)
		})
	}
}

// pair is a connected pair of sockets.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) })
	return p[0], p[1]
}

func begin(t *testing.T, e api.Engine, ops ...api.Op) {
	t.Helper()
	if n, err := e.Submit(ops); n != len(ops) || err != nil {
		t.Fatalf("Submit: %d, %v", n, err)
	}
	if n, err := e.Complete(make([]api.Completion, 1), api.Wait{}); n != 0 || err != nil {
		t.Fatalf("Complete: %d, %v", n, err)
	}
}

func end(t *testing.T, e api.Engine, n int, res int32) {
	t.Helper()
	dst := make([]api.Completion, n)
	for got := 0; got < n; {
		m, err := e.Complete(dst[:n-got], api.Wait{Min: 1, Deadline: api.After(10 * time.Second)})
		if m == 0 || err != nil {
			t.Fatalf("Complete: %d, %v", m, err)
		}
		for _, c := range dst[:m] {
			if c.Res != res {
				t.Errorf("tag %d: %d, want %d", c.Tag, c.Res, res)
			}
		}
		got += m
	}
}

// wantUses fails the test unless the arena says that it is used so many times.
func wantUses(t *testing.T, what string, a *arena.Arena, uses int) {
	t.Helper()
	for _, err := range []error{a.Close(), a.Reset()} {
		var in *arena.InUseError
		if !errors.As(err, &in) || in.Uses != uses {
			t.Fatalf("%s: %v, want an InUseError with %d uses", what, err, uses)
		}
	}
}

func TestRegistered(t *testing.T) {
	eachBackend(t, func(t *testing.T, e api.Engine) {
		a := open(t, 1<<16)
		one, two := alloc(t, a, 4096, 4096), alloc(t, a, 100, 0)
		if err := e.RegisterBuffers([][]byte{one, nil, two}); err != nil {
			t.Fatal(err)
		}
		wantUses(t, "registered", a, 2)
		if _, err := e.UpdateBuffers(0, [][]byte{make([]byte, 8)}); err != nil {
			t.Fatal(err)
		}
		wantUses(t, "one replaced", a, 1)
		s, p := pair(t)
		begin(t, e, api.ReadFixed(s, 2, two[:8], 0, 1))
		wantUses(t, "in flight", a, 2)
		if err := e.UnregisterBuffers(); err != nil {
			t.Fatal(err)
		}
		wantUses(t, "in flight, and unregistered", a, 2) // the buffer, and the operation
		if _, err := unix.Write(p, []byte("arena")); err != nil {
			t.Fatal(err)
		}
		end(t, e, 1, 5)
		if string(two[:5]) != "arena" {
			t.Errorf("it has read %q", two[:5])
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestInFlight(t *testing.T) {
	eachBackend(t, func(t *testing.T, e api.Engine) {
		a, other := open(t, 1<<16), open(t, 1)
		s, p := pair(t)
		m := &api.Msg{Bufs: [][]byte{alloc(t, a, 4, 0), make([]byte, 4), nil, alloc(t, other, 4, 0), alloc(t, a, 4, 0)}}
		begin(t, e, api.Recv(s, alloc(t, a, 4, 0), 1), api.RecvMsg(s, m, 2), api.Recv(s, make([]byte, 4), 3))
		wantUses(t, "in flight", a, 2)
		wantUses(t, "in flight, in a vector", other, 1)
		if _, err := unix.Write(p, []byte("1234")); err != nil {
			t.Fatal(err)
		}
		end(t, e, 1, 4)
		wantUses(t, "one has ended", a, 1)
		if n, err := e.CancelSync(api.CancelAny(0), -1); n != 2 || err != nil {
			t.Fatalf("CancelSync: %d, %v", n, err)
		}
		if err := other.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestRefusedBySubmit(t *testing.T) {
	eachBackend(t, func(t *testing.T, e api.Engine) {
		a := open(t, 1)
		b := alloc(t, a, 8, 0)
		ops := []api.Op{api.Recv(0, b, 1).With(api.Link), {Code: api.OpCount}}
		if n, err := e.Submit(ops); n != 0 || !errors.Is(err, api.ErrInvalidOp) {
			t.Fatalf("Submit: %d, %v", n, err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestClosingTheEngine(t *testing.T) {
	eachBackend(t, func(t *testing.T, e api.Engine) {
		a := open(t, 1<<16)
		b := alloc(t, a, 4096, 4096)
		s, _ := pair(t)
		if err := e.RegisterBuffers([][]byte{b}); err != nil {
			t.Fatal(err)
		}
		begin(t, e, api.ReadFixed(s, 0, b[:8], 0, 1), api.Recv(s, b[8:], 2))
		wantUses(t, "registered, and in flight", a, 3)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestClones(t *testing.T) {
	eachBackend(t, func(t *testing.T, e api.Engine) {
		a := open(t, 4096)
		from, err := backend.Open(e.Name(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		if err := from.RegisterBuffers([][]byte{a.Bytes()}); err != nil {
			t.Fatal(err)
		}
		if err := e.CloneBuffers(from); err != nil {
			t.Fatal(err)
		}
		if err := from.UnregisterBuffers(); err != nil {
			t.Fatal(err)
		}
		wantUses(t, "cloned", a, 1)
		if err := e.UnregisterBuffers(); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// TestForgottenInUse: the memory of an arena that was forgotten is there for as long as an engine uses it.
func TestForgottenInUse(t *testing.T) {
	eachBackend(t, func(t *testing.T, e api.Engine) {
		s, p := pair(t)
		var b []byte
		func() {
			a, err := arena.New(1<<16, nil)
			if err != nil {
				t.Fatal(err)
			}
			b = alloc(t, a, 4096, 4096)
			if err := e.RegisterBuffers([][]byte{b}); err != nil {
				t.Fatal(err)
			}
			begin(t, e, api.ReadFixed(s, 0, b[:8], 0, 1))
		}()
		if err := e.UnregisterBuffers(); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			runtime.GC()
		}
		if _, err := unix.Write(p, []byte("kept")); err != nil {
			t.Fatal(err)
		}
		held := offheap.Hold(b)
		if held == nil {
			t.Fatal("the memory is gone")
		}
		end(t, e, 1, 4)
		if got := string(b[:4]); got != "kept" {
			t.Errorf("it has read %q", got)
		}
		held.Release()
		if !collected(func() bool { return !offheap.Any() }) {
			t.Error("the memory is there still")
		}
	})
}
