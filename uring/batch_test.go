//go:build linux

package uring

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// timers makes n timerfds, of which each is due a little later than the one before.
func timers(t *testing.T, n int) (fds []int) {
	t.Helper()
	for i := range n {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(i+1) * int64(50*time.Microsecond))}
		if err := unix.TimerfdSettime(fd, 0, &at, nil); err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return fds
}

// TestBatchWaitsOnce: with a Batch the kernel is asked once for all completions, or what there is at its end, and not once for each.
func TestBatchWaitsOnce(t *testing.T) {
	e := open(t, nil)
	if !ringOf(t, e).kern.Has(api.KernMinWait | api.KernExtArg) {
		t.Skip("this kernel has no minimal wait")
	}
	const n = 12
	buf := make([]byte, 8*n)
	for range 20 {
		var ops []api.Op
		fds := timers(t, n)
		for i, fd := range fds {
			ops = append(ops, api.Read(fd, buf[8*i:8*i+8], -1, uint64(i)))
		}
		submit(t, e, ops...)
		before := e.Stats().Waits
		got, err := e.Complete(make([]api.Completion, n), api.Wait{Min: n, Batch: time.Millisecond})
		if err != nil || got == 0 {
			t.Fatalf("Complete: %d, %v", got, err)
		}
		// More when a completion of the engine's own has been counted, or a signal has come.
		if waits := e.Stats().Waits - before; waits > 5 {
			t.Errorf("%d completions took %d waits", got, waits)
		}
		if got < n {
			wait(t, e, n-got)
		}
	}
}

// TestBatchLimits: what the kernel is asked for, by what is needed and how long the wait may be.
func TestBatchLimits(t *testing.T) {
	d := ringOf(t, open(t, &api.Options{Entries: 4, CQEntries: 8}))
	if !d.kern.Has(api.KernMinWait | api.KernExtArg) {
		t.Skip("this kernel has no minimal wait")
	}
	const us = time.Microsecond
	for _, c := range []struct {
		batch time.Duration
		need  int
		wait  time.Duration
		least uint32
		us    uint32
	}{
		{0, 5, -1, 1, 0},
		{100 * us, 1, -1, 1, 0},
		{100 * us, 5, 0, 1, 0},
		{100 * us, 5, -1, 5, 100},
		{100*us + 1, 5, -1, 5, 101},
		{100 * us, 500, -1, 8, 100},
		{100 * us, 5, time.Second, 5, 100},
		{100 * us, 5, 50 * us, 5, 0},
		{100 * us, 5, 100 * us, 5, 0},
		{time.Hour, 5, 50 * us, 5, 0},
		{batchMax, 5, -1, 5, 1000},
		{batchMax + 1, 5, -1, 1, 0},
		{time.Hour, 5, batchMax + 1, 1, 0},
	} {
		d.Batch(c.batch)
		d.setLeast(c.need, c.wait)
		if d.least != c.least || d.leastUs != c.us || d.batch != 0 {
			t.Errorf("%+v: %d completions, %d µs", c, d.least, d.leastUs)
		}
	}
}
