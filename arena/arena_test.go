//go:build unix || windows

package arena_test

import (
	"errors"
	"math"
	"os"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/arena"
	"github.com/sluiceio/sluice/internal/offheap"
)

func open(t *testing.T, size int) *arena.Arena {
	t.Helper()
	a, err := arena.New(size, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil && !errors.Is(err, api.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}

func alloc(t *testing.T, a *arena.Arena, n, align int) []byte {
	t.Helper()
	b, err := a.Alloc(n, align)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAlloc(t *testing.T) {
	page := os.Getpagesize()
	a := open(t, 4*page-1)
	if a.Size() != 4*page || a.Left() != 4*page || a.Pages() != arena.Small {
		t.Errorf("%d bytes, %d left, of %v pages", a.Size(), a.Left(), a.Pages())
	}
	for _, c := range []struct{ n, align, at int }{{1, 1, 0}, {1, 1, 1}, {3, 2, 2}, {8, 8, 8}, {10, 0, 64}, {1, 0, 128}, {512, 512, 512}, {page, page, page}, {2, page, 2 * page}, {2*page - 2, 1, 2*page + 2}} {
		b := alloc(t, a, c.n, c.align)
		if at := int(uintptr(unsafe.Pointer(&b[0])) - uintptr(unsafe.Pointer(&a.Bytes()[0]))); at != c.at || len(b) != c.n || cap(b) != c.n {
			t.Errorf("Alloc(%d, %d) gives %d bytes at %d, room for %d; want them at %d", c.n, c.align, len(b), at, cap(b), c.at)
		}
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("Alloc(%d, %d): byte %d is %d", c.n, c.align, i, b[i])
			}
			b[i] = 1
		}
	}
	if _, err := a.Alloc(1, 1); err != arena.ErrFull || a.Left() != 0 {
		t.Errorf("a full arena, %d bytes left: %v", a.Left(), err)
	}
	if err := a.Reset(); err != nil || a.Left() != a.Size() {
		t.Errorf("Reset: %v, %d bytes left", err, a.Left())
	}
	alloc(t, a, 1, 1)
	for _, c := range []struct{ n, align int }{{4*page + 1, 1}, {4 * page, 2}, {math.MaxInt, 1}, {math.MaxInt, page}} {
		if _, err := a.Alloc(c.n, c.align); err != arena.ErrFull {
			t.Errorf("Alloc(%d, %d): %v", c.n, c.align, err)
		}
	}
	for _, c := range []struct{ n, align int }{{0, 1}, {-1, 1}, {math.MinInt, 0}, {1, -1}, {1, 3}, {1, 2 * page}, {1, math.MinInt}} {
		if _, err := a.Alloc(c.n, c.align); !errors.Is(err, api.ErrInvalidOption) {
			t.Errorf("Alloc(%d, %d): %v", c.n, c.align, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	_, err := a.Alloc(1, 1)
	if err != api.ErrClosed || a.Close() != api.ErrClosed || a.Reset() != api.ErrClosed || a.Bytes() != nil || a.Size() != 0 || a.Left() != 0 || a.Pages() != arena.Small {
		t.Errorf("after Close: %v, %d bytes", err, a.Size())
	}
}

func TestNew(t *testing.T) {
	for _, n := range []int{0, -1, math.MinInt, math.MaxInt} {
		if _, err := arena.New(n, nil); !errors.Is(err, api.ErrInvalidOption) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := arena.New(1, &arena.Options{Pages: 9}); !errors.Is(err, api.ErrInvalidOption) {
		t.Errorf("pages of no kind: %v", err)
	}
	if math.MaxInt > math.MaxInt32 {
		if _, err := arena.New(math.MaxInt>>2, nil); err == nil || errors.Is(err, api.ErrInvalidOption) {
			t.Errorf("more than the system has: %v", err)
		}
	}
	a, err := arena.New(1, &arena.Options{Pages: arena.Best})
	if err != nil || a.Pages() == arena.Best {
		t.Fatalf("the best pages: %v", err)
	}
	t.Logf("the best pages are %v, %d bytes", a.Pages(), a.Size())
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	for p, want := range []string{"small", "transparent", "huge", "best", "Pages(4)"} {
		if got := arena.Pages(p).String(); got != want {
			t.Errorf("%d is %q, want %q", p, got, want)
		}
	}
}

func TestManyGoroutines(t *testing.T) {
	a := open(t, 1<<20)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for range 100 {
				b, err := a.Alloc(100, 0)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range b {
					if b[i] != 0 {
						t.Errorf("it belongs to %d already", b[i])
						return
					}
					b[i] = byte(g + 1)
				}
			}
		})
	}
	wg.Wait()
}

// collected waits until the memory of arenas that are forgotten is gone, or is not after a while.
func collected(gone func() bool) bool {
	for range 50 {
		if gone() {
			return true
		}
		runtime.GC()
		runtime.Gosched()
	}
	return gone()
}

// TestForgotten: an arena that nobody has any more is freed, but not while its memory is used.
func TestForgotten(t *testing.T) {
	if offheap.Any() {
		t.Fatal("there is memory before there is an arena")
	}
	used := func() *offheap.Map {
		a, err := arena.New(1<<16, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := arena.New(1<<16, nil); err != nil {
			t.Fatal(err)
		}
		return offheap.Hold(a.Bytes())
	}()
	for range 20 {
		runtime.GC()
	}
	if used.Uses() != 1 {
		t.Errorf("%d uses, want 1", used.Uses())
	}
	used.Bytes()[0] = 1 // or the test dies here
	used.Release()
	if !collected(func() bool { return !offheap.Any() }) {
		t.Error("an arena that was forgotten is there still")
	}
}
