package conformance

import (
	"math/rand/v2"
	"time"

	"github.com/sluiceio/sluice/api"
)

var cancelOps = api.Ops(api.OpTimeout, api.OpCancel, api.OpNop)

const (
	ecanceled = -int(api.ECanceled)
	enoent    = -int(eNoEnt)
)

var cancelCases = []Case{
	{
		ID: "CAN-1", Name: "timeout",
		Explanation: "Cancelling an operation in flight completes with 0, and the operation with ErrCanceled.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			t.StillPending(1)
			t.Submit(api.Cancel(id, 2))
			t.AwaitRes(2, 0)
			t.AwaitRes(1, ecanceled)
			t.Quiet()
		},
	},
	{
		ID: "CAN-2", Name: "finished operation",
		Explanation: "Cancelling an operation that has finished completes with ENOENT.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			id := t.Submit(api.Nop(1))[0]
			t.AwaitRes(1, 0)
			t.Want(api.Cancel(id, 2), enoent)
			id = t.Submit(api.Timeout(0, 3))[0]
			t.AwaitRes(3, etime)
			t.Want(api.Cancel(id, 4), enoent)
		},
	},
	{
		ID: "CAN-2", Name: "cancelled operation",
		Explanation: "Cancelling an operation that has been cancelled completes with ENOENT.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
			t.Want(api.Cancel(id, 3), enoent)
		},
	},
	{
		ID: "CAN-3", Name: "ids that are nobody's",
		Explanation: "Cancelling the zero id, or one that this engine has not given, completes with ENOENT.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			for i, id := range []api.OpID{0, 1, 1 << 32, api.MakeOpID(12345, 1), api.MakeOpID(0, 1<<31), 1<<64 - 1} {
				t.Want(api.Cancel(id, uint64(i)), enoent)
			}
		},
	},
	{
		ID: "CAN-4", Name: "in the same batch",
		Explanation: "A cancel reaches an operation that was submitted in the same batch before it.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			ops := []api.Op{api.Timeout(farAway, 1)}
			id := t.Submit(ops...)[0]
			t.Submit(api.Cancel(id, 2), api.Nop(3))
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, 0)
			t.AwaitRes(3, 0)
		},
	},
	{
		ID: "CAN-5", Name: "stale id",
		Explanation: "An id of the past cancels no operation of the present, even one in the same slot.",
		Ops:         cancelOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 2 },
		Fn: func(t *T) {
			var old []api.OpID
			for i := range uint64(20) {
				old = append(old, t.Submit(api.Nop(i))[0])
				t.AwaitRes(i, 0)
			}
			t.Submit(api.Timeout(farAway, 100))
			for _, id := range old {
				t.Want(api.Cancel(id, 101), enoent)
			}
			t.StillPending(100)
		},
	},
	{
		ID: "CAN-6", Name: "answer and result agree",
		Explanation: "A cancel answers 0 exactly when its target ends with ErrCanceled because of it.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			for range 200 {
				id := t.Submit(api.Timeout(time.Duration(rand.IntN(60))*time.Microsecond, 1))[0]
				t.Perform()
				t.Submit(api.Cancel(id, 2))
				target, answer := t.Await(1), t.Await(2)
				canceled := int(target.Res) == ecanceled
				if canceled != (answer.Res == 0) || !canceled && int(target.Res) != etime {
					t.Fatalf("the target gave %s, the cancel %s", show(&target), show(&answer))
				}
			}
		},
	},
	{
		ID: "CAN-7", Name: "many in any order",
		Explanation: "Each of many operations can be cancelled without disturbing the others.",
		Ops:         cancelOps,
		Fn: func(t *T) {
			const n = 300
			ids := make([]api.OpID, n)
			for i := range ids {
				ids[i] = t.Submit(api.Timeout(farAway+time.Duration(i%17)*time.Second, uint64(i)))[0]
			}
			t.Perform()
			for k, i := range rand.Perm(n) {
				t.Want(api.Cancel(ids[i], n), 0)
				t.AwaitRes(uint64(i), ecanceled)
				if k%50 == 0 {
					t.Quiet()
				}
			}
			t.Quiet()
		},
	},
}
