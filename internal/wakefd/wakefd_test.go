//go:build unix

package wakefd

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/sysx"
)

func readable(t *testing.T, f *FD) bool {
	t.Helper()
	re, errno := sysx.Poll1(f.FD(), unix.POLLIN)
	if errno != 0 {
		t.Fatalf("poll: %v", errno)
	}
	return re&unix.POLLIN != 0
}

func both(t *testing.T, test func(t *testing.T, make func() (*FD, error))) {
	t.Run("best", func(t *testing.T) { test(t, New) })
	t.Run("pipe", func(t *testing.T) { test(t, NewPipe) })
}

func TestWakeAndDrain(t *testing.T) {
	both(t, func(t *testing.T, make func() (*FD, error)) {
		f, err := make()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if readable(t, f) {
			t.Error("readable before the first Wake")
		}
		f.Drain() // must not block
		for _, wakes := range []int{1, 2, 100, 70000} {
			// 70000 times eight bytes are more than a pipe holds: Wake must not block either.
			for range wakes {
				f.Wake()
			}
			if !readable(t, f) {
				t.Errorf("not readable after %d Wakes", wakes)
			}
			f.Drain()
			if readable(t, f) {
				t.Errorf("readable after %d Wakes and a Drain", wakes)
			}
		}
		if got := testing.AllocsPerRun(100, func() { f.Wake(); f.Drain() }); got != 0 {
			t.Errorf("%v allocations per Wake and Drain, want 0", got)
		}
	})
}

func TestFlags(t *testing.T) {
	both(t, func(t *testing.T, make func() (*FD, error)) {
		f, err := make()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, fd := range []int32{f.r, f.w} {
			if on, errno := sysx.Nonblock(fd); !on || errno != 0 {
				t.Errorf("fd %d: Nonblock = %v, %v", fd, on, errno)
			}
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("fd %d: flags %#x, %v: not close-on-exec", fd, flags, err)
			}
		}
	})
}

func TestCloseClosesOnce(t *testing.T) {
	both(t, func(t *testing.T, make func() (*FD, error)) {
		f, err := make()
		if err != nil {
			t.Fatal(err)
		}
		r, w := f.r, f.w
		f.Close()
		f.Close()
		f.Wake()
		if sysx.ValidFD(r) || sysx.ValidFD(w) {
			t.Error("still open after Close")
		}
	})
}

// A Wake that races with Close must never write to the file that gets the number next.
func TestWakeNeverHitsReusedNumber(t *testing.T) {
	both(t, func(t *testing.T, make func() (*FD, error)) {
		for range 300 {
			f, err := make()
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			start := func() { // keeps f alive past its own Close
				defer wg.Done()
				for range 20 {
					f.Wake()
				}
			}
			wg.Add(2)
			go start()
			go start()
			f.Close()
			// These take the numbers of f as soon as they are free.
			var victims []*FD
			for range 3 {
				v, err := New()
				if err != nil {
					t.Fatal(err)
				}
				victims = append(victims, v)
			}
			wg.Wait()
			for _, v := range victims {
				if readable(t, v) {
					t.Fatal("a Wake after Close reached another file")
				}
				v.Close()
			}
		}
	})
}
