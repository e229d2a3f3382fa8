package conformance

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// cancelManyCases are those about cancels by code and of any, and CancelSync, that need no files.
var cancelManyCases = []Case{
	{
		ID: "CAN-17", Name: "any",
		Explanation: "CancelAny ends all operations in flight that were submitted before it, but for other cancels, and completes with their number, 0 when there are none.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			t.Want(api.CancelAny(1), 0)
			t.Submit(api.CancelAny(1), api.CancelAny(2))
			t.AwaitRes(1, 0)
			t.AwaitRes(2, 0)
			const n = 300
			ops := make([]api.Op, n)
			for i := range ops {
				ops[i] = api.Timeout(farAway, 3)
			}
			for _, look := range []bool{false, true} {
				t.Submit(ops...)
				if look {
					t.Perform()
				}
				t.Submit(api.CancelAny(4))
				for range n {
					t.AwaitRes(3, ecanceled)
				}
				t.AwaitRes(4, n)
			}
			t.Quiet()
		},
	},
	{
		ID: "CAN-17", Name: "not what comes behind",
		Explanation: "CancelAny leaves what was submitted behind it in flight, in the same batch too.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			for range 10 { // whichever slots they have
				t.Submit(api.Timeout(farAway, 1), api.CancelAny(2), api.Timeout(farAway, 3), api.CancelOp(api.OpTimeout, 4), api.Timeout(farAway, 5))
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, 1)
				t.AwaitRes(3, ecanceled)
				t.AwaitRes(4, 1)
				t.StillPending(5)
				t.Want(api.CancelAny(6), 1)
				t.AwaitRes(5, ecanceled)
			}
		},
	},
	{
		ID: "CAN-18", Name: "one of many",
		Explanation: "With First a cancel of many ends one operation and completes with 0, or with ENOENT when there is none.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			t.Want(api.CancelAny(1).With(api.First), enoent)
			t.Want(api.CancelOp(api.OpTimeout, 1).With(api.First), enoent)
			for left := range 5 {
				t.Submit(api.Timeout(farAway, uint64(left)))
			}
			for left := 4; left >= 0; left-- {
				cancel := api.CancelAny(10)
				if left%2 == 0 {
					cancel = api.CancelOp(api.OpTimeout, 10)
				}
				t.Want(cancel.With(api.First), 0)
				if c := t.One(); int(c.Res) != ecanceled || c.Code != api.OpTimeout {
					t.Fatalf("got %s", show(&c))
				}
				t.Quiet()
				t.wantInFlight(uint64(left))
			}
			t.Want(api.CancelAny(1).With(api.First), enoent)
		},
	},
	{
		ID: "CAN-19", Name: "flags that do not go together",
		Explanation: "Any together with ByFD or ByOp, and First without one of the three, are EINVAL.",
		Requires:    api.FeatCancelFD,
		Ops:         cancelOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			for _, op := range []api.Op{
				api.CancelAny(2).With(api.ByFD), api.CancelAny(2).With(api.ByOp), api.CancelAny(2).With(api.ByFD | api.ByOp | api.First),
				api.Cancel(id, 2).With(api.First), api.Cancel(0, 2).With(api.First), api.Cancel(id, 2).With(api.Multishot),
			} {
				t.Want(op, -int(eInval))
				if n, err := t.Engine.CancelSync(op, 0); n != 0 || !errors.Is(err, api.ErrInvalidOp) {
					t.Errorf("CancelSync with the flags %#x: %d, %v; want ErrInvalidOp", uint32(op.Flags), n, err)
				}
			}
			t.StillPending(1)
		},
	},
	{
		ID: "CAN-20", Name: "chains",
		Explanation: "A cancel of many does not count what waits behind another of its chain, which ends with the head, or goes on behind a HardLink.",
		Requires:    api.FeatChains,
		Ops:         cancelOps,
		Fn: func(t *T) {
			for round := range 12 { // whichever slots they have
				cancel := api.CancelAny(10)
				if round%2 == 1 {
					cancel = api.CancelOp(api.OpTimeout, 10)
				}
				t.Submit(linked(api.Link, api.Timeout(farAway, 1), api.Timeout(farAway, 2), api.Nop(3))...)
				t.Submit(linked(api.HardLink, api.Timeout(farAway, 4), api.Timeout(farAway, 5), api.Nop(6))...)
				if round%3 == 0 {
					t.Perform()
				}
				t.Want(cancel, 2)
				for tag, res := range map[uint64]int{1: ecanceled, 2: ecanceled, 3: ecanceled, 4: ecanceled} {
					t.AwaitRes(tag, res)
				}
				t.StillPending(5, 6)
				t.Want(cancel, 1)
				t.AwaitRes(5, ecanceled)
				t.AwaitRes(6, 0)
			}
		},
	},
	{
		ID: "CAN-21", Name: "timeouts",
		Explanation: "CancelSync ends what it matches, also what was only just submitted, and says how many; their completions are there for the next Complete.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.Timeout(farAway, 2), api.Timeout(farAway, 3))
			t.cancelSync(api.Cancel(ids[1], 0), 1, nil)
			t.wantThere(result{2, ecanceled})
			t.Submit(api.Timeout(farAway, 4), api.Nop(5))
			t.cancelSync(api.CancelOp(api.OpTimeout, 0), 3, nil)
			t.AwaitRes(5, 0)
			t.wantThere(result{1, ecanceled}, result{3, ecanceled}, result{4, ecanceled})
			t.Submit(api.Timeout(farAway, 6), api.Timeout(farAway, 7))
			t.cancelSync(api.CancelAny(0).With(api.First), 1, nil)
			t.cancelSync(api.CancelAny(0), 1, nil)
			t.wantThere(result{6, ecanceled}, result{7, ecanceled})
			t.cancelSync(api.CancelAny(0), 0, nil)
			t.Quiet()
		},
	},
	{
		ID: "CAN-21", Name: "chains and drains",
		Explanation: "CancelSync ends the heads of chains with what stands behind them, and what is held up by a drain.",
		Requires:    api.FeatChains | api.FeatDrain,
		Ops:         linkTimeoutOps,
		Fn: func(t *T) {
			for range 10 {
				ids := t.Chain(api.Timeout(farAway, 1), api.LinkTimeout(farAway, 2), api.Nop(3))
				t.Submit(api.Nop(4).With(api.Drain|api.Link), api.Nop(5), api.Timeout(farAway, 6).With(api.HardLink), api.Nop(7))
				t.cancelSync(api.Cancel(ids[2], 0), 0, syscall.ENOENT)
				t.cancelSync(api.CancelAny(0), 3, nil)
				t.wantThere(append(allOf(1, 6, ecanceled), result{7, 0})...)
				t.wantInFlight(0)
			}
		},
	},
	{
		ID: "CAN-22", Name: "what cannot be waited for",
		Explanation: "CancelSync returns when its limit is over: nil when all has ended, else os.ErrDeadlineExceeded.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			for _, limit := range []time.Duration{-1, 0, time.Millisecond, farAway, 1<<63 - 1} {
				id := t.Submit(api.Timeout(farAway, 1))[0]
				n, err := t.Engine.CancelSync(api.Cancel(id, 0), limit)
				if n != 1 || err != nil {
					t.Fatalf("CancelSync of a timeout with the limit %v: %d, %v", limit, n, err)
				}
				t.wantThere(result{1, ecanceled})
			}
		},
	},
	{
		ID: "CAN-23", Name: "errors",
		Explanation: "CancelSync returns ENOENT when there is no such operation, InvalidOpError for what is no cancel, and ErrClosed.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			id := t.Submit(api.Nop(1))[0]
			t.AwaitRes(1, 0)
			for _, id := range []api.OpID{id, 0, 1, 1<<64 - 1} {
				t.cancelSync(api.Cancel(id, 0), 0, syscall.ENOENT)
			}
			t.cancelSync(api.CancelAny(0).With(api.First), 0, syscall.ENOENT)
			for _, op := range []api.Op{
				{}, api.Nop(0), api.Timeout(0, 0), {Code: api.OpCount}, api.CancelAny(0).With(api.Link), api.CancelAny(0).With(api.Drain),
				api.CancelAny(0).With(api.SkipSuccess), api.CancelAny(0).With(1 << 31),
			} {
				n, err := t.Engine.CancelSync(op, -1)
				var inv *api.InvalidOpError
				if n != 0 || !errors.As(err, &inv) {
					t.Errorf("CancelSync of %v with the flags %#x: %d, %v; want an InvalidOpError", op.Code, uint32(op.Flags), n, err)
				}
			}
			t.Quiet()
			t.CloseEngine()
			t.cancelSync(api.CancelAny(0), 0, api.ErrClosed)
		},
	},
	{
		ID: "CAN-23", Name: "full queue",
		Explanation: "CancelSync works when MaxInFlight operations are in flight.",
		Ops:         cancelOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 3 },
		Fn: func(t *T) {
			for range 20 {
				ids := t.Submit(api.Timeout(farAway, 1), api.Timeout(farAway, 2), api.Timeout(farAway, 3))
				if n, err := t.Engine.Submit([]api.Op{api.CancelAny(4)}); n != 0 || !errors.Is(err, api.ErrQueueFull) {
					t.Fatalf("Submit into a full engine: %d, %v", n, err)
				}
				t.cancelSync(api.Cancel(ids[0], 0), 1, nil)
				t.cancelSync(api.CancelAny(0), 2, nil)
				t.wantThere(allOf(1, 3, ecanceled)...)
			}
		},
	},
}

// cancelSync makes a CancelSync without a limit, which must return n and an error that is want.
func (t *T) cancelSync(op api.Op, n int, want error) {
	t.tb.Helper()
	got, err := t.Engine.CancelSync(op, -1)
	if got != n || !errors.Is(err, want) {
		t.Fatalf("CancelSync: %d, %v; want %d, %v", got, err, n, want)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("CancelSync has a limit that it was not given")
	}
}

// wantThere checks that a Complete which does not wait gives completions with these tags and results.
func (t *T) wantThere(want ...result) {
	t.tb.Helper()
	t.pull(0, 0)
	if len(t.stash) < len(want) {
		t.Fatalf("%d completions are not there without waiting, but only %s", len(want), showAll(t.stash))
	}
	for _, w := range want {
		t.AwaitRes(w.tag, w.res)
	}
}
