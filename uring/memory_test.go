//go:build linux

package uring

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// openIn opens an engine whose queues are in memory of its own, and skips the test where that cannot be.
func openIn(t *testing.T, where api.RingMemory) api.Engine {
	t.Helper()
	watchdog(t)
	e, err := New(&api.Options{Ring: api.RingOptions{Memory: where}})
	if errors.Is(err, api.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() }) // ErrClosed when the test has done it
	return e
}

func TestRingMemory(t *testing.T) {
	for _, where := range []api.RingMemory{api.RingMemoryOwn, api.RingMemoryHuge} {
		e := openIn(t, where)
		ring := driverOf(e).ring
		if ring.Flags()&iouring.IORING_SETUP_NO_MMAP == 0 || where == api.RingMemoryHuge && ring.Huge() != nil {
			t.Errorf("Memory %d: the queues are not where they should be: %v", where, ring.Huge())
		}
		for i := range 4 {
			submit(t, e, api.Nop(1), api.Nop(2))
			wait(t, e, 2)
			if err := e.ResizeQueues(16<<i, 64<<i); err != nil && !errors.Is(err, api.ErrUnsupported) {
				t.Fatal(err)
			}
		}
		if ring.Flags()&iouring.IORING_SETUP_NO_MMAP == 0 || where == api.RingMemoryHuge && ring.Huge() != nil {
			t.Errorf("Memory %d, after resizes: the queues are not where they should be: %v", where, ring.Huge())
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRingMemoryRefused: where there are no huge pages, RingMemoryHuge says so and RingMemoryOwn works.
func TestRingMemoryRefused(t *testing.T) {
	openIn(t, api.RingMemoryOwn)
	e := openIn(t, api.RingMemoryHuge)
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_THP_DISABLE, 0, 0, 0, 0) }() // it has just been set
	other, err := New(&api.Options{Ring: api.RingOptions{Memory: api.RingMemoryHuge}})
	if err == nil {
		_ = other.Close() // there are some that are set apart
		t.Skip("the system has huge pages set apart (vm.nr_hugepages)")
	}
	if !errors.Is(err, api.ErrUnavailable) || !errors.Is(err, iouring.ErrNoHugePages) || !strings.Contains(err.Error(), "Options.Ring.Memory") {
		t.Errorf("New without huge pages: %v", err)
	}
	if err := e.ResizeQueues(8, 16); !errors.Is(err, iouring.ErrNoHugePages) && !errors.Is(err, api.ErrUnsupported) {
		t.Errorf("ResizeQueues without huge pages: %v", err)
	}
	submit(t, e, api.Nop(1)) // it is as before
	wait(t, e, 1)
	own := openIn(t, api.RingMemoryOwn)
	if driverOf(own).ring.Huge() == nil {
		t.Error("RingMemoryOwn is in huge pages where there are none")
	}
	submit(t, own, api.Nop(1))
	wait(t, own, 1)
}
