package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
)

// A period that is much longer than a turn takes, and short enough for a case.
const period = 4 * time.Millisecond

// busyUntil lets time go by, without the engine.
func (t *T) busyUntil(at api.Instant) {
	if !within(t.timeout, func() bool { return api.Now() >= at }) {
		t.Fatalf("the clock stands still")
	}
}

// tickAt waits for a tick, which must have come behind its instant; 0: any.
func (t *T) tickAt(tag uint64, at api.Instant, last bool) {
	c := t.Await(tag)
	if last {
		t.WantRes(&c, etime)
	} else {
		t.WantMore(&c, etime)
	}
	if at != 0 {
		t.wantPassed(at)
	}
}

var timerCases = []Case{
	{
		ID: "TMO-16", Name: "count reached",
		Explanation: "A timeout with a count completes with 0 when the program has been given as many other completions.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			for count := uint32(1); count <= 5; count++ {
				t.Submit(api.TimeoutCount(farAway, count, 1))
				for i := range count - 1 {
					t.Want(api.Nop(uint64(10+i)), 0)
				}
				t.StillPending(1)
				t.Submit(api.Nop(2))
				if c := t.One(); c.Tag != 2 {
					t.Errorf("it came before the completion that it waited for: %s", show(&c))
				}
				c := t.One()
				t.WantRes(&c, 0)
			}
		},
	},
	{
		ID: "TMO-16", Name: "time first",
		Explanation: "A timeout with a count completes with ETIME when its time comes first, and never before.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			start := api.Now()
			t.Submit(api.TimeoutCount(period, 3, 1), api.Nop(2), api.Nop(3))
			t.AwaitRes(1, etime)
			t.wantPassed(start.Add(period))
			at := api.After(period)
			op := api.TimeoutAt(at, 4)
			op.Arg = 2
			t.Submit(op)
			t.AwaitRes(4, etime)
			t.wantPassed(at)
			t.Await(2)
			t.Await(3)
			t.Quiet()
		},
	},
	{
		ID: "TMO-16", Name: "from submit",
		Explanation: "The count begins with Submit: what was submitted before and completes afterwards is counted.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			t.Submit(api.Nop(1), api.Nop(2), api.TimeoutCount(farAway, 2, 3))
			for want := range uint64(3) {
				if c := t.One(); c.Tag != want+1 || c.Res != 0 {
					t.Errorf("got %s, want the tag %d", show(&c), want+1)
				}
			}
		},
	},
	{
		ID: "TMO-16", Name: "several, one at a time",
		Explanation: "Timeouts with a count complete in the order of what they wait for, the first submitted first, whatever the size of dst.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			t.untaken = true
			t.Submit(api.TimeoutCount(farAway, 3, 33), api.TimeoutCount(farAway, 2, 22), api.TimeoutCount(farAway, 3, 34), api.TimeoutCount(farAway, 1, 11))
			t.Submit(api.Nop(1), api.Nop(2), api.Nop(3), api.Nop(4))
			place := map[uint64]int{}
			dst := make([]api.Completion, 1)
			for i := range 8 {
				if n := t.complete(dst, api.Wait{Min: 1, Deadline: t.deadline()}); n != 1 || dst[0].Res != 0 {
					t.Fatalf("got %d completions, %s", n, show(&dst[0]))
				}
				place[dst[0].Tag] = i
			}
			nops := 0
			for i := range 8 {
				for tag, at := range place {
					switch {
					case at != i:
					case tag < 10:
						nops++
					case int(tag)/11 > nops:
						t.Errorf("the timeout %d came behind %d completions", tag, nops)
					}
				}
			}
			if place[11] > place[22] || place[22] > place[33] || place[33] > place[34] {
				t.Errorf("they came in the places %v", place)
			}
		},
	},
	{
		ID: "TMO-16", Name: "a thousand at once",
		Explanation: "Any number of timeouts with a count can be reached by one completion.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			for i := range uint64(1000) {
				t.Submit(api.TimeoutCount(farAway, 1, 10+i))
			}
			t.Submit(api.Nop(1))
			t.Await(1)
			for i := range uint64(1000) {
				if c := t.One(); c.Tag != 10+i || c.Res != 0 {
					t.Fatalf("got %s, want the timeout %d", show(&c), i)
				}
			}
		},
	},
	{
		ID: "TMO-17", Name: "expired ones do not count",
		Explanation: "Timeouts that have expired or reached their count do not count for others.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			t.Submit(api.TimeoutCount(farAway, 2, 1), api.TimeoutCount(farAway, 1, 2), api.Timeout(0, 3), api.Tick(time.Microsecond, 3, 4))
			for _, last := range []bool{false, false, true} {
				t.tickAt(4, 0, last)
			}
			t.AwaitRes(3, etime)
			t.StillPending(1, 2)
			t.Want(api.Nop(5), 0)
			t.AwaitRes(2, 0)
			t.StillPending(1)
			t.Want(api.Nop(5), 0)
			t.AwaitRes(1, 0)
		},
	},
	{
		ID: "TMO-17", Name: "cancelled and failed ones count",
		Explanation: "A timeout that was cancelled counts, and so does one that has failed, and the cancel.",
		Ops:         api.Ops(api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.TimeoutCount(farAway, 3, 2))
			t.Want(api.Timeout(-1, 3), -int(eInval))
			t.StillPending(2)
			t.Want(api.Cancel(ids[0], 4), 0)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, 0)
		},
	},
	{
		ID: "TMO-18", Name: "ticks",
		Explanation: "A multishot timeout completes with ETIME and More at each multiple of its time and not before, the last without More.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			for _, times := range []uint32{1, 2, 7} {
				start := api.Now()
				t.Submit(api.Tick(time.Millisecond, times, 1))
				for i := range times {
					t.tickAt(1, start.Add(time.Duration(i+1)*time.Millisecond), i+1 == times)
				}
				t.StillPending(1)
			}
		},
	},
	{
		ID: "TMO-18", Name: "without end",
		Explanation: "With 0 times a multishot timeout goes on until it is cancelled.",
		Ops:         api.Ops(api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			for _, d := range []time.Duration{0, 1, 50 * time.Microsecond} {
				id := t.Submit(api.Tick(d, 0, 1))[0]
				for range 100 {
					t.tickAt(1, 0, false)
				}
				t.Submit(api.Cancel(id, 2))
				t.AwaitRes(2, 0)
				for c := t.Await(1); c.More(); c = t.Await(1) {
				}
				t.Quiet()
			}
		},
	},
	{
		ID: "TMO-18", Name: "longest",
		Explanation: "A multishot timeout of the longest duration does not overflow.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.Submit(api.Tick(1<<63-1, 0, 1), api.Tick(1<<62, 2, 2), api.Timeout(period, 3))
			t.AwaitRes(3, etime)
			t.StillPending(1, 2)
		},
	},
	{
		ID: "TMO-19", Name: "a late one moves none",
		Explanation: "A tick that comes late moves none behind it, and those that were missed are left out.",
		Ops:         timeoutOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			for range 100 {
				t0 := api.Now()
				id := t.Submit(api.Tick(period, 0, 1))[0]
				t1 := api.Now()
				t.busyUntil(t1.Add(5*period + period/2))
				before := api.Now()
				t.tickAt(1, t0.Add(5*period), false)
				after := api.Now()
				// The next is due a whole number of periods after Submit, unless the machine was so slow that it cannot be told which.
				k := before.Sub(t1)/period + 1
				if after.Sub(t0)/period+1 == k {
					t.Submit(api.TimeoutAt(t1.Add(k*period+period/4), 2))
					first := t.One()
					if first.Tag != 1 {
						t.Errorf("a timeout a quarter of a period behind the next tick came first: %s", show(&first))
					}
					t.wantPassed(t0.Add(k * period))
					if first.Tag == 1 {
						t.AwaitRes(2, etime)
					}
					return
				}
				t.Submit(api.Cancel(id, 3))
				t.AwaitRes(3, 0)
				for c := t.Await(1); c.More(); c = t.Await(1) {
				}
			}
			t.Skipf("the machine is too busy: no tick came within a period in a hundred attempts")
		},
	},
	{
		ID: "TMO-20", Name: "not reaped",
		Explanation: "Of the ticks that are not reaped one is kept, and none is lost from the number of times.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.untaken = true
			t.Submit(api.Tick(100*time.Microsecond, 5, 1), api.Tick(100*time.Microsecond, 0, 2))
			for end := api.After(5 * period); api.Now() < end; {
				t.complete(nil, api.Wait{})
			}
			dst := make([]api.Completion, 64)
			n := t.complete(dst, api.Wait{})
			// One of each was kept, and one more may be due by now.
			if n < 2 || n > 4 {
				t.Errorf("%d ticks of 2 timeouts had been kept", n)
			}
			got, ended := 0, false
			for !ended {
				for i := range dst[:n] {
					if dst[i].Tag == 1 {
						got++
						ended = !dst[i].More()
					}
				}
				if !ended {
					n = t.complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})
					if n == 0 {
						t.Fatalf("no tick any more after %d", got)
					}
				}
			}
			if got != 5 {
				t.Errorf("%d ticks, want 5", got)
			}
		},
	},
	{
		ID: "TMO-20", Name: "beside others",
		Explanation: "Ticks come although others fill dst each time.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			t.untaken = true
			t.Submit(api.Tick(10*time.Microsecond, 0, 1))
			dst := make([]api.Completion, 2)
			ticks := 0
			for end := t.deadline(); ticks < 20; {
				if api.Now() >= end {
					t.Fatalf("%d ticks of 10 µs", ticks)
				}
				t.Submit(api.Nop(2), api.Nop(2))
				for i := range t.complete(dst, api.Wait{Min: 1}) {
					if dst[i].Tag == 1 {
						ticks++
					}
				}
			}
		},
	},
	{
		ID: "TMO-21", Name: "wall clock",
		Explanation: "A timeout at a time of the wall clock completes with ETIME, not before that time by that clock.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			for _, d := range []time.Duration{-time.Hour, 0, 300 * time.Microsecond, 3 * time.Millisecond} {
				at := time.Now().Add(d).Round(0)
				t.Want(api.TimeoutWall(at, 1), etime)
				if now := time.Now().Round(0); now.Before(at) {
					t.Errorf("a timeout at %v came at %v", at, now)
				}
			}
			t.Submit(api.TimeoutWall(time.Now().Add(farAway), 1), api.Timeout(0, 2))
			t.AwaitRes(2, etime)
			t.StillPending(1)
		},
	},
	{
		ID: "TMO-21", Name: "relative wall clock",
		Explanation: "A relative timeout of the wall clock is like any other: it never comes early.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			start := api.Now()
			op := api.Timeout(2*time.Millisecond, 1)
			op.Flags |= api.Realtime
			t.Want(op, etime)
			t.wantPassed(start.Add(2 * time.Millisecond))
		},
	},
	{
		ID: "TMO-21", Name: "clocks beside each other",
		Explanation: "Timeouts of different clocks, and waits with a deadline, do not disturb each other.",
		Ops:         api.Ops(api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			start := api.Now()
			ids := t.Submit(api.TimeoutWall(time.Now().Add(farAway), 1), api.TimeoutWall(time.Now().Add(2*time.Millisecond), 2), api.Timeout(time.Millisecond, 3), api.Timeout(3*time.Millisecond, 4))
			t.AwaitRes(3, etime)
			t.wantPassed(start.Add(time.Millisecond))
			t.AwaitRes(2, etime)
			t.AwaitRes(4, etime)
			t.wantPassed(start.Add(3 * time.Millisecond))
			at := api.After(time.Millisecond)
			t.pull(1, at)
			t.wantPassed(at)
			t.StillPending(1)
			t.Want(api.Cancel(ids[0], 5), 0)
			t.AwaitRes(1, ecanceled)
			t.Quiet()
		},
	},
	{
		ID: "TMO-22", Name: "combinations",
		Explanation: "Two clocks at once, an instant for a multishot timeout, and flags that a timeout does not know are EINVAL.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			for i, f := range []api.OpFlags{api.Boottime | api.Realtime, api.Multishot | api.Abs, api.Boottime | api.Realtime | api.Abs,
				api.Multishot | api.Abs | api.Realtime, api.Update, api.DontWait, api.Shared, api.First} {
				op := api.Timeout(1, uint64(i))
				op.Flags = f
				t.Want(op, -int(eInval))
			}
			for _, f := range []api.OpFlags{api.Multishot, api.Realtime, api.Realtime | api.Abs} {
				op := api.Timeout(-1, 50)
				op.Flags = f
				t.Want(op, -int(eInval))
			}
			op := api.Timeout(1, 51)
			op.Flags = api.TimeoutOK
			t.Want(op, etime)
		},
	},
	{
		ID: "TMO-23", Name: "deadline",
		Explanation: "A Deadline ends a timeout of whatever kind with ETIME, when it comes first, and not before.",
		Requires:    api.FeatDeadlines,
		Ops:         timeoutOps,
		Fn: func(t *T) {
			at := api.After(period)
			t.Submit(
				api.Timeout(farAway, 1).Until(at),
				api.TimeoutCount(farAway, 100, 2).Until(at),
				api.Tick(farAway, 0, 3).Until(at),
				api.TimeoutWall(time.Now().Add(farAway), 4).Until(at),
			)
			for tag := range uint64(4) {
				t.AwaitRes(tag+1, etime)
				t.wantPassed(at)
			}
			t.Submit(api.Tick(time.Millisecond, 0, 5).Until(api.After(5 * time.Millisecond)))
			ticks := 0
			for c := t.Await(5); c.More(); c = t.Await(5) {
				ticks++
			}
			if ticks > 5 {
				t.Errorf("%d ticks of 1 ms within 5 ms", ticks)
			}
			// The time of the timeout comes first.
			late := api.After(farAway)
			t.Submit(api.Timeout(0, 6).Until(late), api.TimeoutWall(time.Now(), 7).Until(late), api.Tick(0, 1, 8).Until(late))
			for tag := uint64(6); tag <= 8; tag++ {
				t.AwaitRes(tag, etime)
			}
			t.Quiet()
		},
	},
}
