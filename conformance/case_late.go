package conformance

import (
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
)

const (
	// dueTime is how far ahead lies what must not come late.
	dueTime = 20 * time.Millisecond
	// lateMargin is how much later the program's own timer rings. A thread may have to wait so long for a processor; an engine has no reason to.
	lateMargin = 50 * time.Millisecond
)

// bell is a timer of the program's own, which wakes the engine.
type bell struct {
	timer *time.Timer
	rung  atomic.Bool
	done  chan struct{}
}

// bellAt starts one that rings at the instant, or behind it.
func (t *T) bellAt(at api.Instant) *bell {
	b := &bell{done: make(chan struct{})}
	e := t.Engine
	b.timer = time.AfterFunc(at.Sub(api.Now()), func() {
		defer close(b.done)
		b.rung.Store(true)
		_ = e.Wake() // of an engine that a failed case has closed meanwhile nobody waits
	})
	return b
}

// stop ends it, and what it has done to the engine.
func (b *bell) stop(t *T) {
	if !b.timer.Stop() {
		<-b.done
		t.pull(0, 0) // uses up the Wake
	}
}

// punctual has attempt wait for something that is due at the instant which it is given, and fails the case if the program's own timer, which
// rings lateMargin later, is each time the first. No clock judges how late something was: a machine that is busy keeps the timer
// waiting, too, and another attempt from being the last.
func (t *T) punctual(what string, attempt func(at api.Instant, b *bell)) {
	for n := 1; ; n++ {
		at := api.After(dueTime)
		b := t.bellAt(at.Add(lateMargin))
		attempt(at, b)
		late := b.rung.Load()
		b.stop(t)
		if !late {
			return
		}
		if n >= 3 && api.Now().Sub(t.start) > t.timeout/2 {
			t.Fatalf("%s came later than a timer that rings %v behind it, each of %d times", what, lateMargin, n)
		}
	}
}

// reap waits for n completions, as long as the bell has not rung.
func (t *T) reap(n int, b *bell) {
	for len(t.stash) < n && !b.rung.Load() {
		t.pull(n-len(t.stash), t.deadline())
	}
}

// overdue waits, without the engine, until the instant has passed. What was due then has to be there for a Complete that does not wait.
func (t *T) overdue(what string, at api.Instant) api.Completion {
	t.busyUntil(at + 1)
	t.pull(0, 0)
	if len(t.stash) == 0 {
		t.Fatalf("%s was due, and a Complete that began behind that has not delivered it", what)
	}
	return t.One()
}

var lateCases = []Case{
	{
		ID: "TMO-29", Name: "timeouts",
		Explanation: "A timeout whose instant has passed when Complete is called is delivered by it, without waiting.",
		Ops:         api.Ops(api.OpTimeout, api.OpTimeoutRemove),
		Fn: func(t *T) {
			for _, d := range []time.Duration{1, 50 * time.Microsecond, time.Millisecond, period} {
				t.Submit(api.Timeout(d, 1))
				c := t.overdue("a timeout", api.After(d))
				t.WantRes(&c, etime)
				at := api.After(d)
				t.Submit(api.TimeoutAt(at, 2))
				c = t.overdue("a timeout at an instant", at)
				t.WantRes(&c, etime)
				id := t.Submit(api.Timeout(farAway, 3))[0]
				t.Want(api.TimeoutUpdate(id, d, 4), 0)
				c = t.overdue("a timeout that was updated", api.After(d))
				t.WantRes(&c, etime)
			}
		},
	},
	{
		ID: "TMO-29", Name: "deadlines of timeouts",
		Explanation: "A timeout whose Deadline has passed when Complete is called is delivered by it, without waiting.",
		Requires:    api.FeatDeadlines,
		Ops:         timeoutOps,
		Fn: func(t *T) {
			for _, d := range []time.Duration{1, 50 * time.Microsecond, time.Millisecond, period} {
				at := api.After(d)
				t.Submit(api.Timeout(farAway, 1).Until(at))
				c := t.overdue("the Deadline of a timeout", at)
				t.WantRes(&c, etime)
			}
		},
	},
	{
		ID: "TMO-29", Name: "several",
		Explanation: "All timeouts whose instants have passed when Complete is called are delivered by it, as far as there is room.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			at := api.After(period)
			for i := range 40 {
				t.Submit(api.TimeoutAt(at.Add(-time.Duration(i)*50*time.Microsecond), uint64(i)))
			}
			t.Perform()
			t.busyUntil(at + 1)
			t.pull(0, 0)
			if len(t.stash) != 40 {
				t.Errorf("of 40 timeouts that were due there are %d", len(t.stash))
			}
		},
	},
	{
		ID: "TMO-29", Name: "ticks",
		Explanation: "A tick whose instant has passed when Complete is called is delivered by it, without waiting, and none moves those behind it.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			const times = 4
			t.Submit(api.Tick(period, times, 1))
			for i := range times {
				c := t.overdue("a tick", api.After(period)) // there is one in any time of that length
				if int(c.Res) != etime || c.More() != (i < times-1) {
					t.Errorf("tick %d of %d: %s", i+1, times, show(&c))
				}
			}
		},
	},
	{
		ID: "TMO-30", Name: "timeout",
		Explanation: "A timeout ends a wait when it is due, and not later.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.punctual("a timeout", func(_ api.Instant, b *bell) {
				t.Submit(api.Timeout(dueTime, 1))
				t.reap(1, b)
				t.AwaitRes(1, etime)
			})
			t.punctual("a timeout at an instant", func(at api.Instant, b *bell) {
				t.Submit(api.TimeoutAt(at, 1))
				t.reap(1, b)
				t.AwaitRes(1, etime)
			})
		},
	},
	{
		ID: "TMO-30", Name: "by the wall clock",
		Explanation: "A timeout by another clock ends a wait when it is due, and not later.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.punctual("a timeout by the wall clock", func(_ api.Instant, b *bell) {
				t.Submit(api.TimeoutWall(time.Now().Add(dueTime), 1))
				t.reap(1, b)
				t.AwaitRes(1, etime)
			})
		},
	},
	{
		ID: "TMO-30", Name: "tick",
		Explanation: "A tick ends a wait when it is due, and not later.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.punctual("a tick", func(_ api.Instant, b *bell) {
				t.Submit(api.Tick(dueTime/2, 2, 1))
				t.reap(2, b)
				t.tickAt(1, 0, false)
				t.tickAt(1, 0, true)
			})
		},
	},
	{
		ID: "TMO-30", Name: "update",
		Explanation: "A timeout that was updated ends a wait when it is due by then, and not later.",
		Ops:         api.Ops(api.OpTimeout, api.OpTimeoutRemove),
		Fn: func(t *T) {
			t.punctual("a timeout that was updated", func(_ api.Instant, b *bell) {
				id := t.Submit(api.Timeout(farAway, 1))[0]
				t.Submit(api.TimeoutUpdate(id, dueTime, 2))
				t.reap(2, b)
				t.AwaitRes(2, 0)
				t.AwaitRes(1, etime)
			})
		},
	},
	{
		ID: "TMO-30", Name: "deadline of an operation",
		Explanation: "An operation ends at its Deadline, and not later.",
		Requires:    api.FeatDeadlines,
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.punctual("the Deadline of a timeout", func(at api.Instant, b *bell) {
				t.Submit(api.Timeout(farAway, 1).Until(at))
				t.reap(1, b)
				t.AwaitRes(1, etime)
			})
		},
	},
	{
		ID: "TMO-30", Name: "LinkTimeout",
		Explanation: "A LinkTimeout ends its operation when it is due, and not later.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			t.punctual("a LinkTimeout", func(_ api.Instant, b *bell) {
				t.Chain(api.Timeout(farAway, 1), api.LinkTimeout(dueTime, 2))
				t.reap(2, b)
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, etime)
			})
		},
	},
	{
		ID: "TMO-30", Name: "deadline of a wait",
		Explanation: "A wait for completions that do not come ends at its Deadline, and not later.",
		Ops:         timeoutOps,
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			t.punctual("the end of a wait", func(at api.Instant, _ *bell) { t.pull(1, at) })
		},
	},
	{
		ID: "TMO-30", Name: "Batch of a wait",
		Explanation: "A wait for several completions, of which there is one, ends when its Batch is over, and not later.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			t.punctual("the end of a Batch", func(api.Instant, *bell) {
				t.Submit(api.Nop(2))
				if n := t.complete(make([]api.Completion, 4), api.Wait{Min: 2, Batch: dueTime}); n != 1 {
					t.Errorf("of one nop %d are there", n)
				}
			})
		},
	},
}
