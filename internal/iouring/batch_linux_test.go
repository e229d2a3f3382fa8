package iouring

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// waiting makes a ring for the tests of EnterWait, with a registered wait region or without.
func waiting(tb testing.TB, region bool) *Ring {
	tb.Helper()
	if !region {
		return newOwnedRing(tb, 8, 0)
	}
	runtime.LockOSThread()
	tb.Cleanup(runtime.UnlockOSThread)
	r := newRing(tb, 8, ownedFlags)
	if ProbeEnterFlags(IORING_ENTER_EXT_ARG|IORING_ENTER_EXT_ARG_REG) != nil {
		tb.Skip("kernel without IORING_ENTER_EXT_ARG_REG")
	}
	if err := r.RegisterWaitRegion(1); err != nil {
		tb.Fatal(err)
	}
	if err := r.EnableRings(); err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestEnterWait(t *testing.T) {
	for _, region := range []bool{false, true} {
		t.Run(fmt.Sprintf("region=%t", region), func(t *testing.T) {
			r := waiting(t, region)
			if ProbeEnterFlags(IORING_ENTER_ABS_TIMER) != nil || r.Features()&IORING_FEAT_MIN_TIMEOUT == 0 {
				t.Skip("kernel without IORING_ENTER_ABS_TIMER or IORING_FEAT_MIN_TIMEOUT")
			}
			const ms = int64(time.Millisecond)
			late := &Timespec{Nsec: 5 * ms}
			for _, c := range []struct {
				name    string
				prepare func()
				limit   int64 // from now on, negative for none
				minUs   uint32
				atLeast int64 // that it takes
				want    int
				errno   syscall.Errno
			}{
				{"a limit and nothing", nil, 3 * ms, 0, 3 * ms, 0, syscall.ETIME},
				{"a limit and too few", func() { next(t, r).PrepNop() }, 3 * ms, 0, 3 * ms, 1, 0},
				{"one after the minimum", func() { next(t, r).PrepNop() }, int64(time.Hour), 2000, 2 * ms, 1, 0},
				{"no limit", func() { next(t, r).PrepNop() }, -1, 2000, 2 * ms, 1, 0},
				{"enough at once", func() { next(t, r).PrepNop(); next(t, r).PrepNop() }, -1, 1 << 30, 0, 2, 0},
				{"the first after the minimum", func() { next(t, r).PrepTimeout(late, 0, 0) }, int64(time.Hour), 1000, 5 * ms, 1, 0},
				{"a minimum and nothing", nil, -1, 1000, ms, 0, syscall.ETIME},
			} {
				for _, absolute := range []bool{false, true} {
					if absolute && c.limit < 0 {
						continue
					}
					if c.prepare != nil {
						c.prepare()
					}
					start := monotonic(t)
					errno := syscall.EINTR
					for n := r.Flush(); errno == syscall.EINTR; n = r.Flush() {
						limit := c.limit
						if absolute {
							limit += monotonic(t)
						}
						_, errno = r.EnterWait(n, 2, 0, limit, absolute, c.minUs)
					}
					took := monotonic(t) - start
					if got := len(reap(r)); errno != c.errno || got != c.want || took < c.atLeast {
						t.Errorf("%s (absolute %t): %d completions and %v after %v, want %d and %v, not before %v", c.name, absolute, got, errno,
							time.Duration(took), c.want, c.errno, time.Duration(c.atLeast))
					}
				}
			}
			if r.Arg.MinWaitUsec != 0 || r.Arg.TS == 0 {
				t.Errorf("EnterWait has left %+v behind", r.Arg)
			}
		})
	}
}

// BenchmarkEnterWait measures what the kernel saves when the argument of a wait is in memory that is registered.
func BenchmarkEnterWait(b *testing.B) {
	for _, region := range []bool{false, true} {
		b.Run(fmt.Sprintf("region=%t", region), func(b *testing.B) {
			r := waiting(b, region)
			if err := r.RegisterRingFD(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.NextSQE().PrepNop()
				if _, errno := r.EnterWait(r.Flush(), 1, 0, int64(time.Second), false, 0); errno != 0 {
					b.Fatal(errno)
				}
				r.Advance(r.CQReady())
			}
		})
	}
}
