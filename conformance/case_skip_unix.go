//go:build unix

package conformance

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
)

var skipFileCases = slices.Concat([]Case{
	{
		ID: "SKP-1", Name: "sends and receives",
		Explanation: "An operation with SkipSuccess that succeeds has no completion, also when it had to wait.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         chainOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 4)
				id := t.Submit(api.Recv(a, buf, 1).With(api.SkipSuccess))[0]
				t.StillPending(1)
				t.wantInFlight(1)
				t.Submit(api.Send(b, []byte("data"), 2))
				t.AwaitRes(2, 4)
				t.wantInFlight(0)
				t.WantBytes(buf, "data")
				t.Quiet()
				t.Left(id)
			})
		},
	},
	{
		ID: "SKP-2", Name: "short read",
		Explanation: "A read that is short breaks its chain and so has its completion although it has SkipSuccess.",
		Requires:    api.FeatChains,
		Ops:         chainFileOps,
		Fn: func(t *T) {
			f := t.File("abc")
			ids := t.Chain(api.Read(f, make([]byte, 4), 0, 1).With(api.SkipSuccess), api.Nop(2))
			t.AwaitRes(1, 3)
			t.Quiet()
			t.Left(ids[1])
			t.Want(api.Read(f, make([]byte, 4), 0, 3).With(api.SkipSuccess), 3)
		},
	},
	{
		ID: "SKP-4", Name: "fds and buffers",
		Explanation: "SkipSuccess on an operation that gives out an fd or a buffer is EINVAL, in a chain too.",
		Requires:    api.FeatChains | bufferFeats | api.FeatMultishotAccept,
		Ops:         chainOps | api.Ops(api.OpAccept),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			l, addr := t.Listener()
			t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 8})
			t.Dial(addr)
			t.Put(b, "data")
			for _, op := range []api.Op{api.Accept(l, 2), api.AcceptMultishot(l, 2), api.RecvBuffer(a, 1, 2), api.RecvMultishot(a, 1, 2)} {
				op = op.With(api.SkipSuccess)
				t.Want(op, -int(eInval))
				ids := t.Chain(api.Send(a, []byte("x"), 1), op, api.Nop(3))
				t.AwaitRes(2, -int(eInval))
				t.Quiet()
				t.Left(ids[0], ids[2])
			}
			t.Want(api.Recv(a, make([]byte, 8), 4), 4)
			t.Put(a, "end")
			t.WantGet(b, "end")
			if c := t.Do(api.Accept(l, 5)); c.Res < 0 {
				t.Errorf("the accept gave %s", show(&c))
			}
		},
	},
	{
		ID: "SKP-7", Name: "buffers come back with a later completion",
		Explanation: "The buffers of an operation with SkipSuccess are the program's again when a later operation of its chain has completed.",
		Requires:    api.FeatChains,
		Ops:         chainFileOps,
		Fn: func(t *T) {
			f := t.File("")
			out, in := make([]byte, 8), make([]byte, 8)
			for i := range 200 {
				copy(out, fmt.Sprintf("%8d", i))
				ids := t.Chain(api.Write(f, out, 0, 1).With(api.SkipSuccess), api.Read(f, in, 0, 2))
				t.AwaitRes(2, 8)
				t.Left(ids[0])
				if string(in) != string(out) {
					t.Fatalf("read %q, want %q", in, out)
				}
				clear(out)
			}
			t.Quiet()
		},
	},
}, withStrategies(Case{
	ID: "DRN-7", Name: "what is skipped ends unseen",
	Explanation: "A drain waits for operations with SkipSuccess, and can have it itself.",
	Needs:       NeedStreams,
	Requires:    api.FeatChains | api.FeatDrain,
	Ops:         chainOps,
	Fn: func(t *T) {
		for range 20 {
			a, b := t.Pair(false)
			buf := make([]byte, 4)
			ids := t.Submit(api.Recv(a, buf, 1).With(api.SkipSuccess), api.Send(a, []byte("first"), 2).With(api.Drain|api.SkipSuccess), api.Nop(3))
			t.StillPending(1, 2, 3)
			done := make(chan struct{})
			t.spawn(func() {
				defer close(done)
				// Nothing but the end of the receive, which has no completion, lets the others go.
				within(time.Millisecond, func() bool { return false })
				t.Put(b, "data")
			})
			t.AwaitRes(3, 0)
			<-done
			t.WantBytes(buf, "data")
			t.WantGet(b, "first")
			t.Left(ids[:2]...)
		}
	},
}))
