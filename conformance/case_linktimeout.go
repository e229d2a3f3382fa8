package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
)

var linkTimeoutOps = api.Ops(api.OpNop, api.OpTimeout, api.OpCancel, api.OpLinkTimeout)

// linkTimeoutCases are those about LinkTimeout that need no files.
var linkTimeoutCases = []Case{
	{
		ID: "LTO-1", Name: "timeout",
		Explanation: "A LinkTimeout that fires ends its operation with ErrCanceled and completes with ETIME, and never before its time.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for i := range 12 {
				d := []time.Duration{0, 100 * time.Microsecond, 999 * time.Microsecond, 5 * time.Millisecond}[i%4]
				start := api.Now()
				t.Chain(api.Timeout(farAway, 1), api.LinkTimeout(d, 2))
				t.AwaitRes(1, ecanceled)
				t.wantPassed(start.Add(d))
				t.AwaitRes(2, etime)
			}
			t.Quiet()
		},
	},
	{
		ID: "LTO-2", Name: "nop",
		Explanation: "When its operation ends first, well or badly, a LinkTimeout completes with ErrCanceled behind it.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			t.Chain(api.Nop(1), api.LinkTimeout(farAway, 2))
			t.Sequence(result{1, 0}, result{2, ecanceled})
			t.Chain(api.Timeout(time.Millisecond, 1), api.LinkTimeout(farAway, 2))
			t.Sequence(result{1, etime}, result{2, ecanceled})
			t.Chain(api.Cancel(0, 1), api.LinkTimeout(farAway, 2))
			t.Sequence(result{1, enoent}, result{2, ecanceled})
			t.Quiet()
		},
	},
	{
		ID: "LTO-3", Name: "nothing to be about",
		Explanation: "A LinkTimeout that is the first of a chain, or stands behind another, or alone, completes with EINVAL.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			einval := -int(eInval)
			t.Want(api.LinkTimeout(0, 1), einval)
			t.Want(api.LinkTimeout(0, 1).With(api.SkipSuccess), einval)
			t.Submit(api.Nop(1), api.LinkTimeout(0, 2))
			t.AwaitRes(1, 0)
			t.AwaitRes(2, einval)
			t.Submit(api.Nop(1).With(api.Link))
			t.Submit(api.LinkTimeout(0, 2))
			t.AwaitRes(1, 0)
			t.AwaitRes(2, einval)
			t.Chain(api.LinkTimeout(0, 1), api.Timeout(farAway, 2))
			t.Sequence(result{1, einval}, result{2, ecanceled})
			t.Chain(api.Timeout(farAway, 1), api.LinkTimeout(0, 2), api.LinkTimeout(0, 3), api.Nop(4))
			t.Sequence(result{1, ecanceled}, result{2, ecanceled}, result{3, einval}, result{4, ecanceled})
			t.Quiet()
		},
	},
	{
		ID: "LTO-3", Name: "wrong by itself",
		Explanation: "A LinkTimeout with a negative time, a Deadline or an unknown flag is EINVAL, and fails its chain before any of it is performed.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for _, lt := range []api.Op{
				api.LinkTimeout(-1, 2), api.LinkTimeout(-1<<63, 2), api.LinkTimeout(0, 2).Until(1), api.LinkTimeout(0, 2).Until(api.After(farAway)),
				api.LinkTimeout(0, 2).With(api.WaitAll), api.LinkTimeout(0, 2).With(api.TimeoutOK),
			} {
				t.Chain(api.Timeout(farAway, 1), lt, api.Nop(3))
				t.Sequence(result{1, ecanceled}, result{2, -int(eInval)}, result{3, ecanceled})
				ids := t.Chain(api.Timeout(farAway, 1), lt.With(api.SkipSuccess), api.Nop(3))
				t.AwaitRes(2, -int(eInval))
				t.Quiet()
				t.Left(ids[0], ids[2])
			}
		},
	},
	{
		ID: "LTO-4", Name: "in the middle",
		Explanation: "With Link, a LinkTimeout is passed over: the chain goes on behind it as its operation has ended.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			t.Chain(api.Nop(1), api.LinkTimeout(farAway, 2), api.Nop(3), api.LinkTimeout(farAway, 4), api.Nop(5))
			t.Sequence(result{1, 0}, result{2, ecanceled}, result{3, 0}, result{4, ecanceled}, result{5, 0})
			t.Chain(api.Timeout(farAway, 1), api.LinkTimeout(time.Millisecond, 2), api.Nop(3), api.Nop(4))
			for tag, res := range map[uint64]int{1: ecanceled, 2: etime, 3: ecanceled, 4: ecanceled} {
				t.AwaitRes(tag, res)
			}
			// One that fires lets the chain go on behind a HardLink.
			t.Submit(api.Timeout(farAway, 1).With(api.HardLink), api.LinkTimeout(time.Millisecond, 2).With(api.Link), api.Nop(3).With(api.Link), api.Nop(4))
			for tag, res := range map[uint64]int{1: ecanceled, 2: etime, 3: 0, 4: 0} {
				t.AwaitRes(tag, res)
			}
			// One that does not break what its operation breaks.
			t.Submit(api.Timeout(0, 1).With(api.Link), api.LinkTimeout(farAway, 2).With(api.HardLink), api.Nop(3))
			t.Sequence(result{1, etime}, result{2, ecanceled}, result{3, ecanceled})
			t.Quiet()
		},
	},
	{
		ID: "LTO-5", Name: "counts from the start of its operation",
		Explanation: "The time of a LinkTimeout counts from when its operation has started, not from Submit.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for range 3 {
				start := api.Now()
				t.Chain(api.Timeout(8*time.Millisecond, 1).With(api.TimeoutOK), api.Timeout(farAway, 2), api.LinkTimeout(8*time.Millisecond, 3))
				t.AwaitRes(1, etime)
				t.AwaitRes(3, etime)
				t.wantPassed(start.Add(16 * time.Millisecond))
				t.AwaitRes(2, ecanceled)
			}
		},
	},
	{
		ID: "LTO-6", Name: "cancelled",
		Explanation: "A cancel does not find a LinkTimeout; when its operation is cancelled it ends with ErrCanceled.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for _, look := range []bool{false, true} {
				ids := t.Chain(api.Timeout(farAway, 1), api.LinkTimeout(farAway, 2))
				if look {
					t.StillPending(1, 2)
				}
				t.Want(api.Cancel(ids[1], 3), enoent)
				t.Want(api.CancelOp(api.OpLinkTimeout, 3), 0)
				t.StillPending(1, 2)
				t.Submit(api.Cancel(ids[0], 4))
				t.AwaitRes(4, 0)
				t.Sequence(result{1, ecanceled}, result{2, ecanceled})
			}
		},
	},
	{
		ID: "LTO-7", Name: "at an instant",
		Explanation: "With Abs a LinkTimeout fires at an instant, at once if that has passed when its operation starts.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			at := func(i api.Instant) api.Op { return api.LinkTimeout(time.Duration(i), 2).With(api.Abs) }
			for range 3 {
				i := api.After(5 * time.Millisecond)
				t.Chain(api.Timeout(farAway, 1), at(i))
				t.AwaitRes(2, etime)
				t.wantPassed(i)
				t.AwaitRes(1, ecanceled)
			}
			for _, i := range []api.Instant{0, 1, api.Now()} {
				t.Chain(api.Timeout(farAway, 1), at(i))
				t.AwaitRes(2, etime)
				t.AwaitRes(1, ecanceled)
			}
			id := t.Chain(api.Timeout(farAway, 1), at(1<<63-1))[0]
			t.StillPending(1, 2)
			t.Want(api.Cancel(id, 3), 0)
			t.Sequence(result{1, ecanceled}, result{2, ecanceled})
			id = t.Chain(api.Timeout(farAway, 1), api.LinkTimeout(1<<63-1, 2))[0]
			t.StillPending(1, 2)
			t.Want(api.Cancel(id, 3), 0)
			t.Sequence(result{1, ecanceled}, result{2, ecanceled})
		},
	},
}
