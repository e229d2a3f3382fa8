package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
)

// skipCases are those about SkipSuccess that need no files.
var skipCases = []Case{
	{
		ID: "SKP-1", Name: "nops",
		Explanation: "An operation with SkipSuccess that succeeds has no completion, and is not in flight any more.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			ids := t.Submit(api.Nop(1).With(api.SkipSuccess), api.Nop(2), api.Nop(3).With(api.SkipSuccess))
			t.AwaitRes(2, 0)
			t.Quiet()
			t.Left(ids[0], ids[2])
			t.wantInFlight(0)
			t.Want(api.Cancel(ids[0], 4), enoent)
			id := t.Submit(api.Timeout(0, 5).With(api.SkipSuccess | api.TimeoutOK))[0]
			t.Quiet()
			t.Left(id)
			t.wantInFlight(0)
		},
	},
	{
		ID: "SKP-1", Name: "makes room",
		Explanation: "An operation that has succeeded with SkipSuccess makes room for another without being reaped.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 4 },
		Fn: func(t *T) {
			for range 50 {
				ids := t.Submit(api.Nop(1).With(api.SkipSuccess), api.Nop(2).With(api.SkipSuccess), api.Nop(3).With(api.SkipSuccess), api.Nop(4))
				t.AwaitRes(4, 0)
				for len(t.stash) == 0 && t.Engine.Stats().InFlight > 0 { // what comes behind may take another turn
					t.pull(0, 0)
				}
				t.Left(ids[:3]...)
			}
			t.Quiet()
		},
	},
	{
		ID: "SKP-1", Name: "chain with one completion",
		Explanation: "A chain with SkipSuccess on all but the last has exactly one completion when it succeeds.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for _, n := range []int{2, 3, 50} {
				ops := make([]api.Op, n)
				for i := range ops {
					ops[i] = api.Nop(uint64(i)).With(api.SkipSuccess)
				}
				ops[n-1].Flags = 0
				ids := t.Chain(ops...)
				t.AwaitRes(uint64(n-1), 0)
				t.Quiet()
				t.Left(ids[:n-1]...)
			}
			t.wantInFlight(0)
		},
	},
	{
		ID: "SKP-2", Name: "the failure is all that is told",
		Explanation: "An operation with SkipSuccess that fails has its completion, and those behind it, which are cancelled, have none, whatever their flags.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			const n = 6
			for at := range uint64(n - 1) {
				var ops []api.Op
				for i := range uint64(n) {
					op := api.Nop(i)
					if i == at {
						op = api.Cancel(0, i)
					}
					if i < n-1 {
						op.Flags |= api.SkipSuccess
					}
					ops = append(ops, op)
				}
				ids := t.Chain(ops...)
				t.AwaitRes(at, enoent)
				t.Quiet()
				t.Left(ids[:at]...)
				t.Left(ids[at+1:]...)
				t.wantInFlight(0)
			}
		},
	},
	{
		ID: "SKP-2", Name: "wrong by itself, cancelled, or out of time",
		Explanation: "What has failed with SkipSuccess has its completion however it has failed.",
		Requires:    api.FeatChains | api.FeatDeadlines,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			skip := func(op api.Op) api.Op { return op.With(api.SkipSuccess) }
			t.Want(skip(api.Nop(1).With(api.WaitAll)), -int(eInval))
			t.Want(skip(api.Timeout(0, 1)), etime)
			t.Want(skip(api.Timeout(farAway, 1)).Until(api.After(time.Millisecond)), etime)
			ids := t.Submit(skip(api.Timeout(farAway, 1).With(api.Link)), api.Nop(2))
			t.Want(api.Cancel(ids[0], 3), 0)
			t.AwaitRes(1, ecanceled)
			t.Quiet()
			t.Left(ids[1])
			ids = t.Chain(api.Nop(1), skip(api.Nop(2).With(api.WaitAll)), api.Nop(3))
			t.AwaitRes(2, -int(eInval))
			t.Quiet()
			t.Left(ids[0], ids[2])
		},
	},
	{
		ID: "SKP-3", Name: "a failure without the flag",
		Explanation: "When an operation without SkipSuccess fails, those behind it all have their ErrCanceled, those with SkipSuccess too.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			t.Chain(api.Cancel(0, 1), api.Nop(2).With(api.SkipSuccess), api.LinkTimeout(farAway, 3), api.Nop(4), api.Nop(5).With(api.SkipSuccess))
			t.Sequence(append([]result{{1, enoent}}, allOf(2, 5, ecanceled)...)...)
			t.Chain(api.Nop(1).With(api.SkipSuccess), api.Nop(2).With(api.WaitAll), api.Nop(3).With(api.SkipSuccess))
			t.Sequence(result{1, ecanceled}, result{2, -int(eInval)}, result{3, ecanceled})
			t.Quiet()
		},
	},
	{
		ID: "SKP-5", Name: "fires or not",
		Explanation: "A LinkTimeout with SkipSuccess has no completion; the ErrCanceled of its operation is told although that has SkipSuccess.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			skip := func(op api.Op) api.Op { return op.With(api.SkipSuccess) }
			ids := t.Chain(api.Nop(1), skip(api.LinkTimeout(farAway, 2)), api.Nop(3))
			t.Sequence(result{1, 0}, result{3, 0})
			t.Quiet()
			t.Left(ids[1])
			ids = t.Chain(skip(api.Nop(1)), skip(api.LinkTimeout(farAway, 2)), api.Nop(3))
			t.AwaitRes(3, 0)
			t.Quiet()
			t.Left(ids[:2]...)
			for _, d := range []time.Duration{0, time.Millisecond} {
				ids = t.Chain(api.Timeout(farAway, 1), skip(api.LinkTimeout(d, 2)), api.Nop(3))
				t.Sequence(result{1, ecanceled}, result{3, ecanceled})
				t.Quiet()
				t.Left(ids[1])
				ids = t.Chain(skip(api.Timeout(farAway, 1)), skip(api.LinkTimeout(d, 2)), api.Nop(3))
				t.AwaitRes(1, ecanceled)
				t.Quiet()
				t.Left(ids[1:]...)
			}
			t.wantInFlight(0)
		},
	},
	{
		ID: "SKP-6", Name: "HardLink",
		Explanation: "A chain of HardLinks with SkipSuccess goes on, and tells the failures and what has no SkipSuccess.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			ids := t.Submit(linked(api.HardLink|api.SkipSuccess, api.Nop(1), api.Cancel(0, 2), api.Nop(3), api.Timeout(0, 4), api.Nop(5))...)
			t.Sequence(result{2, enoent}, result{4, etime}, result{5, 0})
			t.Quiet()
			t.Left(ids[0], ids[2])
			t.Submit(api.Cancel(0, 1).With(api.HardLink|api.SkipSuccess), api.LinkTimeout(farAway, 2).With(api.Link), api.Nop(3))
			t.Sequence(result{1, enoent}, result{2, ecanceled}, result{3, 0})
			t.Quiet()
		},
	},
}

// wantInFlight checks how many operations the engine says are in flight. What ends without a completion is waited
// for: nothing else tells the case that it has ended, and a busy machine may take its time.
func (t *T) wantInFlight(n uint64) {
	t.tb.Helper()
	t.Perform()
	for t.Engine.Stats().InFlight > n && api.Now() < t.deadline() {
		t.pull(1, api.After(lookTime))
	}
	if got := t.Engine.Stats().InFlight; got != n {
		t.Errorf("Stats().InFlight is %d, want %d", got, n)
	}
}
