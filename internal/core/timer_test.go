package core

import (
	"math"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

func TestNextTick(t *testing.T) {
	const last = math.MaxInt64
	for _, c := range []struct{ due, period, now, want int64 }{
		{100, 10, 100, 110},
		{100, 10, 109, 110},
		{100, 10, 110, 120}, // what is due at now comes with this one
		{100, 10, 155, 160},
		{100, 1, 1 << 40, 1<<40 + 1},
		{100, 0, 100, 101},
		{100, 0, 500, 501},
		{1 << 60, last, 1<<60 + 5, last},
		{1 << 60, 1 << 62, 1<<60 + 5, 1<<60 + 1<<62},
		{last - 5, 10, last - 1, last},
	} {
		if got := nextTick(c.due, c.period, c.now); got != c.want {
			t.Errorf("nextTick(%d, %d, %d) = %d, want %d", c.due, c.period, c.now, got, c.want)
		}
	}
}

// TestClockLook checks that a wait is bounded while a timeout of another clock is pending, and only then: this is how a clock that has been
// set is noticed.
func TestClockLook(t *testing.T) {
	e, _ := open(t, nil)
	submit(t, e, api.Timeout(time.Hour, 1))
	reap(t, e)
	if d := e.left(1, 0, 0); d < time.Hour/2 {
		t.Errorf("with a timeout of an hour a wait is %v long", d)
	}
	for _, op := range []api.Op{
		api.TimeoutWall(time.Now().Add(time.Hour), 2),
		{Code: api.OpTimeout, Off: int64(time.Hour), Flags: api.Boottime, Tag: 2},
	} {
		submit(t, e, op)
		if got := reap(t, e); len(got) > 0 {
			t.Skipf("no such clock: %v", got[0].Err())
		}
		if d := e.left(1, 0, 0); d > clockLook || d < clockLook/2 {
			t.Errorf("flags %#x: a wait is %v long, want %v", op.Flags, d, clockLook)
		}
		if d := e.left(1, api.After(time.Millisecond), 0); d > time.Millisecond {
			t.Errorf("flags %#x: a wait for a millisecond is %v long", op.Flags, d)
		}
	}
}
