package conformance

import (
	"math/rand/v2"
	"time"

	"github.com/sluiceio/sluice/api"
)

var timeoutOps = api.Ops(api.OpTimeout)

const etime = -int(api.ETime)

var timeoutCases = []Case{
	{
		ID: "TMO-1", Name: "never early",
		Explanation: "A timeout completes with ETIME, never before its time has passed since Submit.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			// Each length several times: a machine that is late itself hides a timeout that is early.
			lengths := []time.Duration{1, time.Microsecond, 100 * time.Microsecond, 999 * time.Microsecond, 1500 * time.Microsecond, 10 * time.Millisecond}
			for i := range 3 * len(lengths) {
				d := lengths[i%len(lengths)]
				start := api.Now()
				t.Submit(api.Timeout(d, 1))
				t.AwaitRes(1, etime)
				t.wantPassed(start.Add(d))
			}
		},
	},
	{
		ID: "TMO-1", Name: "absolute is never early",
		Explanation: "A timeout at an instant completes with ETIME, never before that instant.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			for _, d := range []time.Duration{50 * time.Microsecond, 2 * time.Millisecond, 10 * time.Millisecond} {
				at := api.After(d)
				t.Want(api.TimeoutAt(at, 1), etime)
				t.wantPassed(at)
			}
		},
	},
	{
		ID: "TMO-2", Name: "order by deadline",
		Explanation: "Timeouts complete in the order of their instants, whatever the order of submission.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			base := api.After(2 * time.Millisecond)
			order := rand.Perm(200)
			for _, i := range order {
				t.Submit(api.TimeoutAt(base.Add(time.Duration(i)*20*time.Microsecond), uint64(i)))
			}
			for i := range order {
				if c := t.One(); c.Tag != uint64(i) {
					t.Fatalf("the timeout with the number %d came when it was the turn of %d", c.Tag, i)
				}
			}
		},
	},
	{
		ID: "TMO-2", Name: "none overtakes one that has expired",
		Explanation: "A timeout of 0 does not overtake one that has expired before it was submitted.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			at := api.After(time.Millisecond)
			t.Submit(api.TimeoutAt(at, 1))
			t.complete(nil, api.Wait{})
			within(t.timeout, func() bool { return api.Now() > at })
			t.Submit(api.Timeout(0, 2))
			if c := t.One(); c.Tag != 1 {
				t.Errorf("a timeout of 0 came before one that had expired: %s", show(&c))
			}
			t.One()
		},
	},
	{
		ID: "TMO-3", Name: "zero",
		Explanation: "A timeout of 0 completes with ETIME at once.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.Submit(api.Timeout(0, 1), api.Timeout(farAway, 2))
			t.AwaitRes(1, etime)
			t.StillPending(2)
		},
	},
	{
		ID: "TMO-4", Name: "negative",
		Explanation: "A negative timeout completes with EINVAL.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.Want(api.Timeout(-1, 1), -int(eInval))
			t.Want(api.Timeout(-1<<63, 2), -int(eInval))
			t.Want(api.TimeoutAt(-1, 3), -int(eInval))
		},
	},
	{
		ID: "TMO-5", Name: "absolute in the past",
		Explanation: "A timeout at an instant that has passed completes with ETIME at once.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.Want(api.TimeoutAt(0, 0), etime)
			t.Want(api.TimeoutAt(1, 1), etime)
			t.Want(api.TimeoutAt(api.Now(), 2), etime)
		},
	},
	{
		ID: "TMO-6", Name: "a thousand",
		Explanation: "Any number of timeouts can run at a time, and each fires once.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			start := api.Now()
			d := func(i int) time.Duration { return time.Duration(i*7919%5000) * 10 * time.Microsecond }
			ops := make([]api.Op, 1000)
			for i := range ops {
				ops[i] = api.Timeout(d(i), uint64(i))
			}
			t.Submit(ops...)
			for range ops {
				c := t.One()
				t.WantRes(&c, etime)
				t.wantPassed(start.Add(d(int(c.Tag))))
			}
			t.Quiet()
		},
	},
	{
		ID: "TMO-7", Name: "counts from submit",
		Explanation: "The time of a timeout begins with Submit and not with the Complete that performs it.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			const d = 30 * time.Millisecond
			t.Submit(api.Timeout(d, 1))
			due := api.After(d)
			within(t.timeout, func() bool { return api.Now() >= due })
			// A timer that began only now would be the later one, even on a machine that is busy.
			t.Submit(api.Timeout(d/2, 2))
			if c := t.One(); c.Tag != 1 {
				t.Errorf("a timeout that was due when Complete began came behind one of %v: %s", d/2, show(&c))
			}
		},
	},
	{
		ID: "TMO-8", Name: "longer than any wait",
		Explanation: "A timeout of the longest duration, or at the last instant, stays in flight and does not disturb others.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.Submit(api.Timeout(1<<63-1, 1), api.TimeoutAt(1<<63-1, 2), api.Timeout(time.Millisecond, 3))
			t.AwaitRes(3, etime)
			t.StillPending(1, 2)
		},
	},
	{
		ID: "TMO-9", Name: "wakes a wait",
		Explanation: "A timeout ends a wait for completions that has no deadline, or one that lies later.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			dst := make([]api.Completion, 2)
			for _, deadline := range []api.Instant{0, api.After(farAway)} {
				t.Submit(api.Timeout(2*time.Millisecond, 1))
				if n := t.complete(dst, api.Wait{Min: 1, Deadline: deadline}); n != 1 {
					t.Errorf("Complete returned %d", n)
				}
			}
		},
	},
}
