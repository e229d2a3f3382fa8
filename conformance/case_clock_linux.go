package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// boottime reads the clock that goes on while the machine sleeps.
func (t *T) boottime() int64 {
	var ts unix.Timespec
	t.must("clock_gettime", unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts))
	return ts.Nano()
}

// onBoottime makes a timeout go by that clock.
func onBoottime(op api.Op) api.Op {
	op.Flags |= api.Boottime
	return op
}

// bootReached fails the case when the clock has not come to at.
func (t *T) bootReached(at int64) {
	t.tb.Helper()
	if now := t.boottime(); now < at {
		t.Errorf("%v too early", time.Duration(at-now))
	}
}

var clockCases = []Case{
	{
		ID: "TMO-21", Name: "boottime",
		Explanation: "A timeout by CLOCK_BOOTTIME completes with ETIME, not before its time by that clock.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpTimeout, api.OpTimeoutRemove),
		Fn: func(t *T) {
			for _, d := range []time.Duration{0, 1, 300 * time.Microsecond, 3 * time.Millisecond} {
				at := t.boottime() + int64(d)
				t.Want(onBoottime(api.Timeout(d, 1)), etime)
				t.bootReached(at)
				at = t.boottime() + int64(d)
				t.Want(onBoottime(api.TimeoutAt(api.Instant(at), 2)), etime)
				t.bootReached(at)
			}
			t.Want(onBoottime(api.TimeoutAt(1, 3)), etime)
			start := t.boottime()
			t.Submit(onBoottime(api.Tick(time.Millisecond, 3, 4)))
			for i := range 3 {
				t.tickAt(4, 0, i == 2)
				t.bootReached(start + int64(i+1)*int64(time.Millisecond))
			}
			t.Want(onBoottime(api.Timeout(-1, 5)), -int(eInval))
		},
	},
	{
		ID: "TMO-26", Name: "boottime",
		Explanation: "An update of a timeout by CLOCK_BOOTTIME goes by that clock.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpTimeout, api.OpTimeoutRemove),
		Fn: func(t *T) {
			ids := t.Submit(onBoottime(api.Timeout(farAway, 1)), onBoottime(api.Timeout(farAway, 2)), onBoottime(api.Timeout(0, 3)))
			at := t.boottime() + int64(period)
			t.Submit(api.TimeoutUpdate(ids[0], period, 10), api.TimeoutUpdateAt(ids[1], api.Instant(at), 11), api.TimeoutUpdate(ids[2], farAway, 12))
			for tag := range uint64(3) {
				t.AwaitRes(10+tag, 0)
			}
			t.AwaitRes(1, etime)
			t.bootReached(at)
			t.AwaitRes(2, etime)
			t.bootReached(at)
			t.StillPending(3)
			t.Want(api.TimeoutRemove(ids[2], 13), 0)
			t.AwaitRes(3, ecanceled)
		},
	},
}
