package conformance

import (
	"errors"
	"time"

	"github.com/sluiceio/sluice/api"
)

// linkCases are those about chains that need no files.
var linkCases = []Case{
	{
		ID: "LNK-3", Name: "after a timeout",
		Explanation: "A chain goes on behind an operation with HardLink however that ends.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Fn: func(t *T) {
			t.Submit(api.Timeout(0, 1).With(api.HardLink), api.Nop(2))
			t.Sequence(result{1, etime}, result{2, 0})
			id := t.Submit(api.Timeout(farAway, 3).With(api.HardLink), api.Timeout(farAway, 4).With(api.HardLink), api.Nop(5))[0]
			t.StillPending(3, 4, 5)
			t.Want(api.Cancel(id, 6), 0)
			t.AwaitRes(3, ecanceled)
			t.StillPending(4, 5)
			t.Submit(api.CancelOp(api.OpTimeout, 7))
			t.AwaitRes(7, 1)
			t.Sequence(result{4, ecanceled}, result{5, 0})
		},
	},
	{
		ID: "LNK-4", Name: "end of the Submit",
		Explanation: "A chain ends with the Submit: Link on its last operation has no effect on the next Submit.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Fn: func(t *T) {
			for _, f := range []api.OpFlags{api.Link, api.HardLink} {
				id := t.Submit(api.Timeout(farAway, 1).With(f))[0]
				t.Submit(api.Nop(2))
				t.AwaitRes(2, 0)
				t.StillPending(1)
				t.Want(api.Cancel(id, 3), 0)
				t.AwaitRes(1, ecanceled)
				t.Submit(api.Nop(4).With(f|api.WaitAll), api.Nop(5).With(f))
				t.Submit(api.Nop(6))
				t.Sequence(result{4, -int(eInval)}, result{5, ecanceled}, result{6, 0})
			}
		},
	},
	{
		ID: "LNK-4", Name: "chains beside each other",
		Explanation: "A chain ends behind the first operation without a link, so that its failure is nothing to the next chain.",
		Requires:    api.FeatChains,
		Ops:         timeoutOps | api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.Submit(
				api.Timeout(0, 1).With(api.Link), api.Nop(2).With(api.Link), api.Nop(3),
				api.Nop(4).With(api.Link), api.Nop(5), api.Nop(6))
			for tag, res := range map[uint64]int{1: etime, 2: ecanceled, 3: ecanceled, 4: 0, 5: 0, 6: 0} {
				t.AwaitRes(tag, res)
			}
		},
	},
	{
		ID: "LNK-8", Name: "expired timeout",
		Explanation: "A timeout that has expired breaks a chain, unless it has TimeoutOK. Its result is ETIME in either case.",
		Requires:    api.FeatChains,
		Ops:         timeoutOps | api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.Chain(api.Timeout(time.Millisecond, 1), api.Nop(2))
			t.Sequence(result{1, etime}, result{2, ecanceled})
			t.Chain(api.Timeout(time.Millisecond, 1).With(api.TimeoutOK), api.Nop(2))
			t.Sequence(result{1, etime}, result{2, 0})
		},
	},
	{
		ID: "LNK-8", Name: "delay",
		Explanation: "The time of a timeout in a chain counts from when its turn has come.",
		Requires:    api.FeatChains,
		Ops:         timeoutOps | api.Ops(api.OpNop),
		Fn: func(t *T) {
			for range 3 {
				start := api.Now()
				t.Chain(api.Timeout(4*time.Millisecond, 1).With(api.TimeoutOK), api.Timeout(4*time.Millisecond, 2).With(api.TimeoutOK),
					api.Timeout(0, 3).With(api.TimeoutOK), api.Timeout(4*time.Millisecond, 4).With(api.TimeoutOK), api.Nop(5))
				t.AwaitRes(1, etime)
				t.wantPassed(start.Add(4 * time.Millisecond))
				t.AwaitRes(2, etime)
				t.wantPassed(start.Add(8 * time.Millisecond))
				t.Sequence(result{3, etime}, result{4, etime}, result{5, 0})
				t.wantPassed(start.Add(12 * time.Millisecond))
			}
		},
	},
	{
		ID: "LNK-9", Name: "without files",
		Explanation: "An operation that is wrong by itself has its own error, and all others of its chain ErrCanceled: none of them is performed.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Fn: func(t *T) {
			for _, w := range wrong() {
				for _, f := range []api.OpFlags{api.Link, api.HardLink} {
					for at := range 3 {
						ops := []api.Op{api.Timeout(farAway, 1), api.Timeout(farAway, 2), api.Timeout(farAway, 3)}
						want := allOf(1, 3, ecanceled)
						ops[at], want[at].res = w.op, w.res
						ops[at].Tag = want[at].tag
						t.Submit(linked(f, ops...)...)
						t.Sequence(want...)
					}
				}
			}
			t.Quiet()
		},
	},
	{
		ID: "LNK-9", Name: "several wrong ones",
		Explanation: "Each operation of a chain that is wrong by itself has its own error, and the others have ErrCanceled.",
		Requires:    api.FeatChains,
		Ops:         cancelOps | api.Ops(api.OpLinkTimeout),
		Fn: func(t *T) {
			einval := -int(eInval)
			for _, f := range []api.OpFlags{api.Link, api.HardLink} {
				t.Submit(linked(f, api.Nop(1), api.Nop(2).With(api.WaitAll), api.Nop(3), api.Timeout(-1, 4), api.Nop(5))...)
				t.Sequence(result{1, ecanceled}, result{2, einval}, result{3, ecanceled}, result{4, einval}, result{5, ecanceled})
				t.Submit(linked(f, api.LinkTimeout(farAway, 6), api.LinkTimeout(farAway, 7), api.Nop(8))...)
				t.Sequence(result{6, einval}, result{7, einval}, result{8, ecanceled})
			}
			t.Quiet()
		},
	},
	{
		ID: "LNK-12", Name: "no room",
		Explanation: "Submit takes a chain whole or not at all: with too little room n is the index of its head, and its operations have no ids.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 5 },
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.Timeout(farAway, 2))
			for range 20 {
				ops := append([]api.Op{api.Timeout(farAway, 3)}, linked(api.Link, api.Nop(4), api.Nop(5), api.Nop(6))...)
				n, err := t.Engine.Submit(ops)
				t.track(ops[:min(max(n, 0), 1)])
				if n != 1 || !errors.Is(err, api.ErrQueueFull) {
					t.Fatalf("Submit of one operation and a chain of 3 with room for 3: %d, %v; want 1 and ErrQueueFull", n, err)
				}
				t.wantNoIDs(ops[1:])
				t.Perform()
				t.Quiet()
				// The room is there still, and nothing is in flight that should not be.
				t.Submit(api.Nop(7), api.Nop(8))
				t.AwaitRes(7, 0)
				t.AwaitRes(8, 0)
				if n, err := t.Engine.CancelSync(api.Cancel(ops[0].ID, 0), -1); n != 1 || err != nil {
					t.Fatalf("CancelSync: %d, %v", n, err)
				}
				t.AwaitRes(3, ecanceled)
				t.Submit(ops[1:]...)
				t.Sequence(allOf(4, 6, 0)...)
			}
			for _, id := range ids {
				t.Want(api.Cancel(id, 9), 0)
			}
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, ecanceled)
		},
	},
	{
		ID: "LNK-12", Name: "longer than the engine",
		Explanation: "A chain of more operations than MaxInFlight is ErrQueueFull, one of as many is taken.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 8 },
		Fn: func(t *T) {
			ops := make([]api.Op, 9)
			for i := range ops {
				ops[i] = api.Nop(uint64(i))
			}
			if n, err := t.Engine.Submit(linked(api.Link, ops...)); n != 0 || !errors.Is(err, api.ErrQueueFull) {
				t.Fatalf("Submit of a chain of 9 with room for 8: %d, %v", n, err)
			}
			t.wantNoIDs(ops)
			t.Chain(ops[:8]...)
			t.Sequence(allOf(0, 7, 0)...)
		},
	},
	{
		ID: "LNK-12", Name: "invalid operation inside",
		Explanation: "A chain with an operation that Submit cannot make sense of is not taken: n is the index of its head, the error tells which it was.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 6 },
		Fn: func(t *T) {
			for at := 1; at < 4; at++ {
				for _, bad := range []api.Op{{Code: api.OpCount}, {Flags: 1 << 31}} {
					ops := append([]api.Op{api.Nop(1)}, linked(api.Link, api.Nop(2), api.Nop(3), api.Nop(4))...)
					bad.Flags |= ops[at].Flags
					ops[at] = bad
					n, err := t.Engine.Submit(ops)
					t.track(ops[:min(max(n, 0), 1)])
					var inv *api.InvalidOpError
					if n != 1 || !errors.As(err, &inv) || inv.Index != at {
						t.Fatalf("Submit of a chain from 1 to 3 with an operation at %d that does not exist: %d, %v", at, n, err)
					}
					t.wantNoIDs(ops[1:])
					t.AwaitRes(1, 0)
					t.Quiet()
				}
			}
			t.Submit(linked(api.Link, api.Nop(1), api.Nop(2), api.Nop(3), api.Nop(4), api.Nop(5), api.Nop(6))...)
			t.Sequence(allOf(1, 6, 0)...)
		},
	},
	{
		ID: "LNK-12", Name: "unsupported operation inside",
		Explanation: "A chain with an operation that the engine does not do is not taken: n is the index of its head.",
		Requires:    api.FeatChains,
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			f := t.Engine.Features()
			for code := range api.OpCode(api.OpCount) {
				if f.HasOp(code) {
					continue
				}
				ops := linked(api.HardLink, api.Nop(1), api.Op{Code: code, FD: -1}, api.Nop(3))
				n, err := t.Engine.Submit(ops)
				var u *api.UnsupportedError
				if n != 0 || !errors.As(err, &u) || u.Op != code {
					t.Fatalf("Submit of the chain [nop %v nop], of which %v is not in Features: %d, %v", code, code, n, err)
				}
				t.wantNoIDs(ops)
			}
			t.Quiet()
		},
	},
	{
		ID: "LNK-13", Name: "nops",
		Explanation: "The completions of a chain come in its order, whatever comes between them.",
		Requires:    api.FeatChains,
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			var ops []api.Op
			for chain := range uint64(10) {
				for i := range uint64(20) {
					op := api.Nop(chain<<8 | i)
					if i%7 == 3 {
						op = api.Timeout(time.Duration(i)*time.Microsecond, op.Tag).With(api.TimeoutOK)
					}
					if i < 19 {
						op.Flags |= api.Link
					}
					ops = append(ops, op)
				}
				ops = append(ops, api.Nop(1<<32))
			}
			t.Submit(ops...)
			next := map[uint64]uint64{}
			for range ops {
				c := t.One()
				if c.Tag == 1<<32 {
					continue
				}
				if want := next[c.Tag>>8]; c.Tag&0xff != want {
					t.Fatalf("of the chain %d the operation %d came when it was the turn of %d", c.Tag>>8, c.Tag&0xff, want)
				}
				next[c.Tag>>8]++
			}
		},
	},
	{
		ID: "LNK-17", Name: "nop, timeout, cancel",
		Explanation: "Every operation can be part of a chain.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			t.Chain(api.Nop(2), api.Cancel(id, 3), api.Timeout(0, 4).With(api.TimeoutOK), api.CancelAny(5), api.Cancel(id, 6), api.Nop(7))
			t.AwaitRes(1, ecanceled)
			t.Sequence(result{2, 0}, result{3, 0}, result{4, etime}, result{5, 0}, result{6, enoent}, result{7, ecanceled})
		},
	},
}

// wantNoIDs checks that operations which were not taken have no ids.
func (t *T) wantNoIDs(ops []api.Op) {
	t.tb.Helper()
	for i := range ops {
		if ops[i].ID != 0 {
			t.Errorf("an operation that was not taken has the id %#x", uint64(ops[i].ID))
		}
	}
}
