//go:build linux

package uring

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// openWide opens an engine with such completions, and skips the test where the kernel has none.
func openWide(t *testing.T, c api.RingCompletions) (api.Engine, *driver) {
	t.Helper()
	watchdog(t)
	e, err := New(&api.Options{Entries: 8, CQEntries: 8, Ring: api.RingOptions{Completions: c}})
	if errors.Is(err, api.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && err != api.ErrClosed {
			t.Errorf("Close: %v", err)
		}
	})
	return e, driverOf(e)
}

// TestWideCompletions: completions of 32 bytes, which the kernel makes for a nop that asks for them, come between those of the program.
func TestWideCompletions(t *testing.T) {
	for _, c := range []api.RingCompletions{api.CompletionsMixed, api.CompletionsWide} {
		e, d := openWide(t, c)
		submit(t, e, api.Nop(0))
		wait(t, e, 1)
		for i := range 100 {
			for range 1 + i%3 {
				if q := d.sqe(); q != nil {
					q.PrepNop()
					q.OpFlags = iouring.IORING_NOP_CQE32
					q.UserData = kindIgnore << kindShift
				}
			}
			ops := make([]api.Op, 1+i%4)
			for n := range ops {
				ops[n] = api.Nop(uint64(n))
			}
			submit(t, e, ops...)
			got := make([]bool, len(ops))
			for _, c := range wait(t, e, len(ops)) {
				if c.Res != 0 || got[c.Tag] {
					t.Fatalf("got %+v", c)
				}
				got[c.Tag] = true
			}
			if i%10 == 0 && d.kern.Has(api.KernResize) {
				if err := e.ResizeQueues(1<<(i%40/10), 1<<(i%40/10)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s := e.Stats(); s.Stale != 0 {
			t.Errorf("%d completions were of nobody", s.Stale)
		}
	}
}

func TestWideRefused(t *testing.T) {
	_, d := openWide(t, api.CompletionsMixed)
	if d.ring.Flags()&(iouring.IORING_SETUP_CQE32|iouring.IORING_SETUP_CQE_MIXED) != iouring.IORING_SETUP_CQE_MIXED {
		t.Errorf("the flags of the ring are %#x", d.ring.Flags())
	}
	err := asked(&api.Options{Ring: api.RingOptions{Completions: api.CompletionsMixed}}, os.NewSyscallError("io_uring_setup", unix.EINVAL))
	if !errors.Is(err, api.ErrUnavailable) || !strings.Contains(err.Error(), "Ring.Completions") || !strings.Contains(err.Error(), "6.18") {
		t.Errorf("a kernel without them: %v", err)
	}
}
