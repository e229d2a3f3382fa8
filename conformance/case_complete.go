package conformance

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// farAway is a duration that does not pass while a case runs.
const farAway = time.Hour

// The errnos that portable cases need.
const (
	eInval = syscall.EINVAL
	eNoEnt = syscall.ENOENT
)

// complete is one call of Engine.Complete, whose completions the case reaps itself.
func (t *T) complete(dst []api.Completion, w api.Wait) int {
	n, err := t.Engine.Complete(dst, w)
	if err != nil {
		t.Fatalf("Complete(%+v): %v", w, err)
	}
	if n < 0 || n > len(dst) {
		t.Fatalf("Complete into %d returned %d", len(dst), n)
	}
	for i := range dst[:n] {
		t.check(&dst[i])
	}
	t.stopExpired()
	return n
}

// submitNops submits n nops with the tags 0 to n-1.
func (t *T) submitNops(n int) {
	ops := make([]api.Op, n)
	for i := range ops {
		ops[i] = api.Nop(uint64(i))
	}
	t.Submit(ops...)
}

var completionCases = []Case{
	{
		ID: "CMP-1", Name: "one last completion each",
		Explanation: "Each operation has exactly one last completion.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			for i := uint64(0); i < 300; i += 3 {
				ids := t.Submit(api.Nop(i), api.Timeout(0, i+1))
				t.Submit(api.Cancel(ids[0], i+2))
			}
			t.Wait(300)
			t.Quiet()
		},
	},
	{
		ID: "CMP-2", Name: "tag id and code come back",
		Explanation: "A completion carries the tag and the code of its operation and the id that Submit gave it.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			tags := []uint64{0, 1, 1 << 32, 1 << 63, 1<<64 - 1}
			for _, tag := range tags {
				for _, op := range []api.Op{api.Nop(tag), api.Timeout(0, tag), api.Cancel(0, tag)} {
					id := t.Submit(op)[0]
					if c := t.One(); c.Tag != tag || c.ID != id || c.Code != op.Code {
						t.Errorf("got %s with the id %#x, want the tag %d and the id %#x", show(&c), uint64(c.ID), tag, uint64(id))
					}
				}
			}
		},
	},
	{
		ID: "CMP-3", Name: "errors",
		Explanation: "Err gives nil, ErrCanceled, os.ErrDeadlineExceeded or the errno for the result, the same value each time, and allocates nothing.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			ok := t.Do(api.Nop(1))
			late := t.Do(api.Timeout(0, 2))
			bad := t.Do(api.Timeout(-1, 3))
			id := t.Submit(api.Timeout(farAway, 4))[0]
			t.Want(api.Cancel(id, 5), 0)
			canceled := t.Await(4)
			for _, x := range []struct {
				c    api.Completion
				want error
			}{{ok, nil}, {late, os.ErrDeadlineExceeded}, {bad, syscall.EINVAL}, {canceled, api.ErrCanceled}} {
				if got := x.c.Err(); got != x.want {
					t.Errorf("Err of %s is %v, want %v", show(&x.c), got, x.want)
				}
				var sink error
				if n := allocsPerRun(10, func() { sink = x.c.Err() }); n != 0 || sink != x.c.Err() {
					t.Errorf("Err of %s allocates %d times", show(&x.c), n)
				}
			}
		},
	},
	{
		ID: "CMP-5", Name: "waits for as many as asked",
		Explanation: "Complete returns fewer completions than Wait.Min only when the deadline has passed or Wake was called.",
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(3*time.Millisecond, 1), api.Timeout(6*time.Millisecond, 2), api.Timeout(9*time.Millisecond, 3))
			if n := t.complete(make([]api.Completion, 8), api.Wait{Min: 3}); n != 3 {
				t.Errorf("Complete with Min 3 and no deadline returned %d", n)
			}
		},
	},
	{
		ID: "CMP-5", Name: "may return more",
		Explanation: "Complete fills dst with what is there, also beyond Wait.Min.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			// What is there when Complete returns is for the engine to say, but it is not one at a time for ever.
			most := 0
			for round := 0; most < 2 && round < 100; round++ {
				t.submitNops(8)
				for dst, got := make([]api.Completion, 16), 0; got < 8; {
					n := t.complete(dst, api.Wait{Min: 1})
					most = max(most, n)
					got += n
				}
			}
			if most < 2 {
				t.Errorf("100 times 8 completions, and each has come alone")
			}
		},
	},
	{
		ID: "CMP-6", Name: "deadline",
		Explanation: "A wait that has a deadline ends with what there is, not before the deadline.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.submitNops(1)
			end := api.After(15 * time.Millisecond)
			dst := make([]api.Completion, 8)
			if n := t.complete(dst, api.Wait{Min: 2, Deadline: end}); n != 1 {
				t.Errorf("Complete with Min 2 and one nop returned %d", n)
			}
			t.wantPassed(end)
			end = api.After(15 * time.Millisecond)
			if n := t.complete(dst, api.Wait{Min: 1, Deadline: end}); n != 0 {
				t.Errorf("Complete with nothing in flight returned %d", n)
			}
			t.wantPassed(end)
		},
	},
	{
		ID: "CMP-6", Name: "deadline shorter than a millisecond",
		Explanation: "Deadlines are not rounded down to the clock of a system call: a wait of 300 µs is not early either.",
		Fn: func(t *T) {
			for range 10 {
				end := api.After(300 * time.Microsecond)
				t.complete(make([]api.Completion, 1), api.Wait{Min: 1, Deadline: end})
				t.wantPassed(end)
			}
		},
	},
	{
		ID: "CMP-6", Name: "deadline that has passed",
		Explanation: "A wait whose deadline has passed already does not wait, and delivers what is there.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.submitNops(4)
			dst := make([]api.Completion, 8)
			past := api.Now()
			got := 0
			if !within(t.timeout, func() bool {
				got += t.complete(dst, api.Wait{Min: 5, Deadline: past})
				return got == 4
			}) {
				t.Errorf("%d completions of 4", got)
			}
		},
	},
	{
		ID: "CMP-7", Name: "zero wait",
		Explanation: "The zero Wait does not wait.",
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			start := api.Now()
			for range 20 {
				if n := t.complete(make([]api.Completion, 4), api.Wait{}); n != 0 {
					t.Errorf("Complete returned %d", n)
				}
			}
			if d := api.Now().Sub(start); d > time.Second {
				t.Errorf("20 calls that should not wait took %v", d)
			}
		},
	},
	{
		ID: "CMP-8", Name: "empty dst",
		Explanation: "Complete with an empty dst performs what was submitted and does not wait, whatever Min says.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.submitNops(3)
			for _, dst := range [][]api.Completion{nil, {}} {
				if n := t.complete(dst, api.Wait{Min: 1}); n != 0 {
					t.Errorf("Complete into nothing returned %d", n)
				}
			}
			t.Wait(3)
		},
	},
	{
		ID: "CMP-9", Name: "dst smaller than what there is",
		Explanation: "Completions that do not fit into dst are kept for the next call; none is lost and none comes twice.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.submitNops(50)
			var seen [50]bool
			dst := make([]api.Completion, 3)
			for got := 0; got < 50; {
				n := t.complete(dst, api.Wait{Min: 1})
				for _, c := range dst[:n] {
					if seen[c.Tag] {
						t.Fatalf("tag %d came twice", c.Tag)
					}
					seen[c.Tag] = true
				}
				got += n
			}
			t.Quiet()
		},
	},
	{
		ID: "CMP-9", Name: "dst smaller than what there is keeps the order",
		Explanation: "What did not fit into dst comes in the order in which it happened: timeouts by their deadlines.",
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			now := api.Now()
			for i := range 10 {
				t.Submit(api.TimeoutAt(now.Add(time.Duration(i+1)*50*time.Microsecond), uint64(i)))
			}
			within(2*time.Millisecond, func() bool { return false })
			dst := make([]api.Completion, 1)
			for i := range 10 {
				if n := t.complete(dst, api.Wait{Min: 1}); n != 1 || dst[0].Tag != uint64(i) {
					t.Fatalf("completion %d: %s", i, showAll(dst[:n]))
				}
			}
		},
	},
	{
		ID: "CMP-10", Name: "min larger than dst",
		Explanation: "A Min larger than len(dst) counts as len(dst).",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.submitNops(5)
			dst := make([]api.Completion, 2)
			if n := t.complete(dst, api.Wait{Min: 100}); n != 2 {
				t.Errorf("Complete with Min 100 into 2 returned %d", n)
			}
			t.Wait(3)
		},
	},
	{
		ID: "CMP-11", Name: "waits that make no sense",
		Explanation: "A negative Min, a negative or boundless Spin and an unknown mode are an OptionError, and the engine can still be used.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.submitNops(1)
			for _, w := range []api.Wait{
				{Min: -1},
				{Strategy: api.Strategy{Spin: -1, Mode: api.ModeBlock}},
				{Strategy: api.Strategy{Spin: api.MaxSpin + 1, Mode: api.ModeBlock}},
				{Strategy: api.Strategy{Mode: 77}},
			} {
				if n, err := t.Engine.Complete(make([]api.Completion, 1), w); n != 0 || !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("Complete(%+v): %d, %v", w, n, err)
				}
			}
			t.AwaitRes(0, 0)
		},
	},
	{
		ID: "CMP-12", Name: "strategy of one wait",
		Explanation: "Wait.Strategy overrides the engine's for one wait, with the same completions.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			ways := []api.Strategy{api.Block(), api.Spin(10, api.Block()), {Spin: 5}}
			if t.opt.Strategy.Mode == api.ModePark {
				ways = append(ways, api.Park(), api.Spin(10, api.Park()))
			}
			dst := make([]api.Completion, 4)
			for i, s := range ways {
				tag := uint64(2 * i)
				end := api.After(2 * time.Millisecond)
				t.Submit(api.Nop(tag), api.TimeoutAt(end, tag+1))
				for got := 0; got < 2; {
					got += t.complete(dst, api.Wait{Min: 2 - got, Strategy: s})
				}
				t.wantPassed(end)
			}
		},
	},
	{
		ID: "CMP-12", Name: "park without having asked for it",
		Explanation: "Park in an engine that was not opened with it is an UnsupportedError, and the engine can still be used.",
		Ops:         api.Ops(api.OpNop),
		Tune:        func(o *api.Options) { o.Strategy = api.Block() },
		Fn: func(t *T) {
			n, err := t.Engine.Complete(make([]api.Completion, 1), api.Wait{Strategy: api.Park()})
			if n != 0 || !errors.Is(err, api.ErrUnsupported) {
				t.Errorf("Complete that parks: %d, %v", n, err)
			}
			t.Want(api.Nop(1), 0)
		},
	},
	{
		ID: "CMP-13", Name: "nop",
		Explanation: "A nop completes with 0.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			for i := range uint64(10) {
				t.Want(api.Nop(i), 0)
			}
		},
	},
}

// wantPassed checks that a wait until the instant at was not early, and not late beyond all reason.
func (t *T) wantPassed(at api.Instant) {
	t.tb.Helper()
	now := api.Now()
	if now < at {
		t.Errorf("%v too early", at.Sub(now))
	}
	if late := now.Sub(at); late > t.timeout/2 {
		t.Errorf("%v late", late)
	}
}
