package conformance

import (
	"errors"
	"time"

	"github.com/sluiceio/sluice/api"
)

// drainCases are those about Drain that need no files.
var drainCases = []Case{
	{
		ID: "DRN-1", Name: "behind timeouts",
		Explanation: "An operation with Drain starts when all operations submitted before have had their last completion.",
		Requires:    api.FeatDrain,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			t.Submit(api.Timeout(2*lookTime, 1), api.Timeout(lookTime, 2), api.Nop(3))
			t.Submit(api.Nop(4).With(api.Drain))
			t.Sequence(result{3, 0}, result{2, etime}, result{1, etime}, result{4, 0})
			t.Submit(api.Nop(5).With(api.Drain))
			t.AwaitRes(5, 0)
		},
	},
	{
		ID: "DRN-2", Name: "behind a drain",
		Explanation: "Nothing that is submitted behind an operation with Drain starts before that has ended.",
		Requires:    api.FeatDrain,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			drain := t.Submit(api.Timeout(farAway, 2).With(api.Drain), api.Nop(3))[0]
			t.Submit(api.Nop(4))
			t.StillPending(1, 2, 3, 4)
			t.Want(api.Cancel(id, 5), 0)
			t.AwaitRes(1, ecanceled)
			t.StillPending(2, 3, 4)
			t.Submit(api.Nop(6))
			t.StillPending(2, 3, 4, 6)
			t.Want(api.Cancel(drain, 7), 0)
			t.Sequence(result{2, ecanceled}, result{3, 0}, result{4, 0}, result{6, 0})
			t.Want(api.Nop(8), 0)
		},
	},
	{
		ID: "DRN-3", Name: "in a chain",
		Explanation: "Drain on any operation of a chain concerns the whole chain: it starts when all before it has ended, and what is behind it when it has, which is no drain.",
		Requires:    api.FeatDrain | api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for at := range 3 {
				id := t.Submit(api.Timeout(farAway, 1))[0]
				ops := linked(api.Link, api.Nop(2), api.Timeout(2*time.Millisecond, 3).With(api.TimeoutOK), api.Nop(4))
				ops[at].Flags |= api.Drain
				ids := t.Submit(append(ops, api.Timeout(farAway, 5), api.Nop(6))...)
				t.StillPending(1, 2, 3, 4, 5, 6)
				t.Want(api.Cancel(id, 7), 0)
				t.Sequence(result{1, ecanceled}, result{2, 0}, result{3, etime}, result{4, 0}, result{6, 0})
				t.StillPending(5)
				t.Want(api.Cancel(ids[3], 8), 0)
				t.AwaitRes(5, ecanceled)
			}
		},
	},
	{
		ID: "DRN-4", Name: "cancels",
		Explanation: "Cancels are not held up by a drain, and find what is held up: an operation, the head of a chain, one with Drain.",
		Requires:    api.FeatDrain | api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.Nop(2).With(api.Drain), api.Nop(3), api.Nop(4).With(api.Link), api.Nop(5), api.Nop(6))
			t.Submit(api.Cancel(ids[2], 10), api.Cancel(ids[3], 11), api.Cancel(ids[4], 12))
			t.AwaitRes(3, ecanceled)
			t.AwaitRes(10, 0)
			t.AwaitRes(4, ecanceled)
			t.AwaitRes(5, ecanceled)
			t.AwaitRes(11, 0)
			t.AwaitRes(12, enoent)
			t.StillPending(1, 2, 6)
			t.Want(api.Cancel(ids[1], 13), 0)
			// With the drain gone nothing holds up the last.
			t.AwaitRes(2, ecanceled)
			t.AwaitRes(6, 0)
			t.StillPending(1)
			t.Submit(api.Nop(7).With(api.Drain), api.Nop(8))
			t.StillPending(7, 8)
			t.Want(api.CancelAny(14), 3)
			for tag, res := range map[uint64]int{1: ecanceled, 7: ecanceled, 8: ecanceled} {
				t.AwaitRes(tag, res)
			}
			t.Want(api.Nop(9), 0)
		},
	},
	{
		ID: "DRN-4", Name: "cancels with a part in it",
		Explanation: "A cancel that has Drain or is in a chain is held up like any other operation.",
		Requires:    api.FeatDrain | api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			t.Submit(api.Cancel(id, 2).With(api.Drain))
			t.Submit(api.Cancel(id, 3).With(api.HardLink), api.Nop(4))
			t.StillPending(1, 2, 3, 4)
			t.Want(api.Cancel(id, 5), 0)
			t.Sequence(result{1, ecanceled}, result{2, enoent}, result{3, enoent}, result{4, 0})
		},
	},
	{
		ID: "DRN-4", Name: "head with HardLink",
		Explanation: "When the head of a chain that is held up is cancelled, what goes on behind its HardLink is held up still.",
		Requires:    api.FeatDrain | api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for _, drain := range []api.OpFlags{0, api.Drain} {
				id := t.Submit(api.Timeout(farAway, 1))[0]
				if drain == 0 {
					t.Submit(api.Nop(2).With(api.Drain))
				}
				ids := t.Submit(api.Nop(3).With(api.HardLink|drain), api.LinkTimeout(0, 4).With(api.Link),
					api.Nop(5).With(api.HardLink), api.Nop(6).With(api.Link), api.Nop(7))
				t.Submit(api.Nop(8))
				t.StillPending(1, 2, 3, 4, 5, 6, 7, 8)
				t.Submit(api.Cancel(ids[0], 9))
				t.AwaitRes(9, 0)
				t.Sequence(result{3, ecanceled}, result{4, ecanceled})
				t.Want(api.Cancel(ids[0], 9), enoent)
				t.Want(api.Cancel(ids[3], 9), enoent)
				t.Submit(api.Cancel(ids[2], 9))
				t.AwaitRes(9, 0)
				t.AwaitRes(5, ecanceled)
				t.StillPending(1, 2, 6, 7, 8)
				t.Want(api.Cancel(id, 9), 0)
				t.AwaitRes(1, ecanceled)
				if drain == 0 {
					t.AwaitRes(2, 0)
				}
				for tag := uint64(6); tag < 9; tag++ {
					t.AwaitRes(tag, 0)
				}
				t.Quiet()
			}
		},
	},
	{
		ID: "DRN-5", Name: "deadlines",
		Explanation: "The Deadline of an operation that is held up ends it with os.ErrDeadlineExceeded; the rest stays held up.",
		Requires:    api.FeatDrain | api.FeatChains | api.FeatDeadlines,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			at := api.After(4 * time.Millisecond)
			t.Submit(api.Nop(2).With(api.Drain).Until(at), api.Timeout(0, 3).Until(at), api.Nop(4).Until(api.After(farAway)),
				api.Nop(5).With(api.Drain), api.Nop(6).With(api.Link).Until(at), api.Nop(7), api.Nop(8).With(api.Link), api.Nop(9).Until(at))
			for tag, res := range map[uint64]int{2: etime, 3: etime, 6: etime, 7: ecanceled, 9: etime} {
				t.AwaitRes(tag, res)
				t.wantPassed(at)
			}
			t.AwaitRes(4, 0) // what held it up is gone
			t.StillPending(1, 5, 8)
			t.Want(api.Cancel(id, 10), 0)
			t.Sequence(result{1, ecanceled}, result{5, 0}, result{8, 0})
			t.Quiet()
		},
	},
	{
		ID: "DRN-6", Name: "one after the other",
		Explanation: "Several drains keep their order, and that of what is between them.",
		Requires:    api.FeatDrain,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			var ops []api.Op
			for i := range uint64(60) {
				op := api.Nop(i)
				if i%3 == 0 {
					op = api.Timeout(time.Duration((60-i)%7)*50*time.Microsecond, i)
				}
				if i%2 == 0 {
					op = op.With(api.Drain)
				}
				ops = append(ops, op)
			}
			t.Submit(ops[:30]...)
			t.Perform()
			t.Submit(ops[30:]...)
			for i := range uint64(60) {
				if c := t.One(); c.Tag != i {
					t.Fatalf("%s came when it was the turn of %d", show(&c), i)
				}
			}
			t.Quiet()
		},
	},
	{
		ID: "DRN-9", Name: "engine closed",
		Explanation: "An engine can be closed while operations are held up, none of which is performed.",
		Requires:    api.FeatDrain | api.FeatChains,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			e := t.Open(nil)
			ops := []api.Op{api.Timeout(farAway, 1).With(api.HardLink), api.Timeout(farAway, 2), api.Timeout(farAway, 3).With(api.Drain),
				api.Timeout(farAway, 4).With(api.HardLink), api.LinkTimeout(farAway, 5).With(api.Link), api.Timeout(farAway, 6), api.Nop(7)}
			for range 20 { // whichever slots they have
				if n, err := e.Submit(ops); n != len(ops) || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
			}
			if _, err := e.Complete(nil, api.Wait{}); err != nil {
				t.Fatalf("Complete: %v", err)
			}
			if err := e.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			if err := e.Close(); !errors.Is(err, api.ErrClosed) {
				t.Errorf("the second Close: %v", err)
			}
		},
	},
	{
		ID: "DRN-10", Name: "timeout",
		Explanation: "The time of a timeout that is held up counts from when it is let go.",
		Requires:    api.FeatDrain,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for range 3 {
				start := api.Now()
				t.Submit(api.Timeout(5*time.Millisecond, 1), api.Timeout(5*time.Millisecond, 2).With(api.Drain), api.Timeout(5*time.Millisecond, 3))
				t.Sequence(result{1, etime}, result{2, etime}, result{3, etime})
				t.wantPassed(start.Add(15 * time.Millisecond))
			}
		},
	},
	{
		ID: "DRN-11", Name: "little room",
		Explanation: "What is held up counts as in flight, and no completion is lost when there is room for one at a time.",
		Requires:    api.FeatDrain,
		Ops:         linkTimeoutOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 8 },
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 0))[0]
			var ops []api.Op
			for i := range uint64(7) {
				op := api.Nop(i + 1)
				if i%2 == 0 {
					op.Flags = api.Drain
				}
				ops = append(ops, op)
			}
			t.Submit(ops...)
			if n, err := t.Engine.Submit([]api.Op{api.Cancel(id, 101)}); n != 0 || !errors.Is(err, api.ErrQueueFull) {
				t.Fatalf("Submit into a full engine: %d, %v", n, err)
			}
			if n, err := t.Engine.CancelSync(api.Cancel(id, 0), -1); n != 1 || err != nil {
				t.Fatalf("CancelSync in a full engine: %d, %v", n, err)
			}
			one := t.dst[:1]
			for i := range uint64(8) {
				n, err := 0, error(nil)
				for n == 0 && err == nil && api.Now() < t.deadline() {
					n, err = t.Engine.Complete(one, api.Wait{Min: 1, Deadline: t.deadline()})
				}
				if n != 1 || err != nil || one[0].Tag != i {
					t.Fatalf("Complete: %d, %v, %s; want the completion of %d", n, err, show(&one[0]), i)
				}
				t.check(&one[0])
			}
		},
	},
}
