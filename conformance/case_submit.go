package conformance

import (
	"errors"

	"github.com/sluiceio/sluice/api"
)

var submitCases = []Case{
	{
		ID: "SUB-1", Name: "all are taken and have ids",
		Explanation: "Submit takes all operations that it has room for, in order, and sets in each an id that is not zero and not that of another.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			ops := make([]api.Op, 100)
			for i := range ops {
				ops[i] = api.Nop(uint64(i))
			}
			t.Submit(ops...)
			for i := range ops {
				t.AwaitRes(uint64(i), 0)
			}
		},
	},
	{
		ID: "SUB-1", Name: "none",
		Explanation: "Submitting no operations takes none and is no error.",
		Fn: func(t *T) {
			for _, ops := range [][]api.Op{nil, {}} {
				if n, err := t.Engine.Submit(ops); n != 0 || err != nil {
					t.Errorf("Submit of none: %d, %v", n, err)
				}
			}
		},
	},
	{
		ID: "SUB-3", Name: "unknown code",
		Explanation: "An operation with a code that does not exist is an InvalidOpError with its index; those before it are taken, those behind it are not.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			for _, code := range []api.OpCode{api.OpCount, 255} {
				wantInvalid(t, api.Op{Code: code, Tag: 3})
			}
		},
	},
	{
		ID: "SUB-3", Name: "unknown flags",
		Explanation: "An operation with flags that do not exist is an InvalidOpError with its index; those before it are taken, those behind it are not.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			wantInvalid(t, api.Nop(3).With(1<<31))
			wantInvalid(t, api.Nop(3).With(1<<30))
		},
	},
	{
		ID: "SUB-4", Name: "operation that the engine does not do",
		Explanation: "An operation that Features does not name is an UnsupportedError that names it; those before it are taken, those behind it are not.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			f := t.Engine.Features()
			for code := range api.OpCode(api.OpCount) {
				if f.HasOp(code) {
					continue
				}
				ops := []api.Op{api.Nop(1), {Code: code, FD: -1, Tag: 2}, api.Nop(3)}
				n, err := t.Engine.Submit(ops)
				t.track(ops[:max(min(n, 3), 0)])
				var u *api.UnsupportedError
				if n != 1 || !errors.As(err, &u) || u.Op != code || !errors.Is(err, errors.ErrUnsupported) {
					t.Fatalf("Submit of [nop %v nop], of which %v is not in Features: %d, %v", code, code, n, err)
				}
				t.AwaitRes(1, 0)
			}
			t.Quiet()
		},
	},
	{
		ID: "SUB-5", Name: "the slice is the caller's again",
		Explanation: "Submit copies the operations: what the program does to the slice afterwards changes nothing.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			ops := []api.Op{api.Nop(1), api.Timeout(0, 2), api.Nop(3)}
			t.Submit(ops...)
			for i := range ops {
				ops[i] = api.Op{Code: api.OpCount, Tag: 99, Flags: 1 << 31}
			}
			t.AwaitRes(1, 0)
			t.AwaitRes(2, -int(api.ETime))
			t.AwaitRes(3, 0)
		},
	},
	{
		ID: "SUB-6", Name: "queue full",
		Explanation: "With MaxInFlight operations in flight Submit takes no more and returns ErrQueueFull with the number of those that it took.",
		Ops:         api.Ops(api.OpTimeout, api.OpCancel),
		Tune:        func(o *api.Options) { o.MaxInFlight = 4 },
		Fn: func(t *T) {
			ops := make([]api.Op, 6)
			for i := range ops {
				ops[i] = api.Timeout(farAway, uint64(i))
			}
			n, err := t.Engine.Submit(ops)
			t.track(ops[:max(min(n, 6), 0)])
			if n != 4 || err != api.ErrQueueFull {
				t.Fatalf("Submit of 6 with MaxInFlight 4: %d, %v", n, err)
			}
			if n, err := t.Engine.Submit(ops[4:]); n != 0 || err != api.ErrQueueFull {
				t.Fatalf("Submit to a full engine: %d, %v", n, err)
			}
			t.StillPending(0, 1, 2, 3)
		},
	},
	{
		ID: "SUB-6", Name: "room again after reaping",
		Explanation: "Each last completion that has been reaped makes room for one operation, and none of those taken is lost.",
		Ops:         api.Ops(api.OpNop),
		Tune:        func(o *api.Options) { o.MaxInFlight = 4 },
		Fn: func(t *T) {
			const total = 1000
			ops := make([]api.Op, total)
			for i := range ops {
				ops[i] = api.Nop(uint64(i))
			}
			for rest := ops; len(rest) > 0; {
				n, err := t.Engine.Submit(rest)
				if n < 1 || n > 4 || err != nil && err != api.ErrQueueFull || err == nil && n < len(rest) {
					t.Fatalf("Submit to an empty engine of 4: %d, %v", n, err)
				}
				t.track(rest[:n])
				for _, c := range t.Wait(n) {
					t.WantRes(&c, 0)
				}
				rest = rest[n:]
			}
			t.Quiet()
		},
	},
	{
		ID: "SUB-7", Name: "ids are not given twice",
		Explanation: "Each operation has an id that no other had before it.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			for i := range 3000 {
				t.Want(api.Nop(uint64(i)), 0) // track compares the ids
			}
		},
	},
	{
		ID: "SUB-8", Name: "zero operation",
		Explanation: "The zero Op is a nop.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.Want(api.Op{}, 0)
		},
	},
	{
		ID: "SUB-9", Name: "flag that the operation does not know",
		Explanation: "A flag that exists, on an operation that does not know it, makes it complete with EINVAL.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			t.Want(api.Nop(1).With(api.Multishot), -int(eInval))
			t.Want(api.Nop(2).With(api.WaitAll), -int(eInval))
			t.Want(api.Timeout(0, 3).With(api.EOF), -int(eInval))
			t.Want(api.Timeout(0, 4).With(api.Level), -int(eInval))
			t.Want(api.Cancel(0, 5).With(api.DontWait), -int(eInval))
		},
	},
}

// wantInvalid submits bad between two nops.
func wantInvalid(t *T, bad api.Op) {
	ops := []api.Op{api.Nop(1), bad, api.Nop(4)}
	n, err := t.Engine.Submit(ops)
	t.track(ops[:max(min(n, 3), 0)])
	var e *api.InvalidOpError
	if n != 1 || !errors.As(err, &e) || e.Index != 1 || e.Code != bad.Code || !errors.Is(err, api.ErrInvalidOp) {
		t.Fatalf("Submit of [nop bad nop]: %d, %v", n, err)
	}
	t.AwaitRes(1, 0)
	t.Quiet()
}
