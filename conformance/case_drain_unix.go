//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var drainFileCases = []Case{
	{
		ID: "DRN-1", Name: "fsync behind writes",
		Explanation: "An operation with Drain starts when all operations submitted before have ended, over all files and sockets.",
		Requires:    api.FeatDrain,
		Ops:         chainOps | chainFileOps | api.Ops(api.OpFsync),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			f := t.File("")
			for range 20 {
				var ops []api.Op
				for i := range uint64(16) {
					ops = append(ops, api.Write(f, []byte("x"), int64(i), i))
				}
				buf := make([]byte, 16)
				t.Submit(append(ops, api.Recv(a, make([]byte, 1), 16), api.Fsync(f, 17).With(api.Drain), api.Read(f, buf, 0, 18))...)
				t.Perform()
				t.Put(b, "x")
				for i := range 17 {
					if c := t.One(); c.Tag > 16 || c.Res != 1 {
						t.Fatalf("completion %d is %s", i, show(&c))
					}
				}
				t.Sequence(result{17, 0}, result{18, 16})
			}
		},
	},
	{
		ID: "DRN-2", Name: "send behind a receive",
		Explanation: "What is submitted behind an operation with Drain does nothing before that has ended.",
		Needs:       NeedStreams,
		Requires:    api.FeatDrain,
		Ops:         chainOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				c, d := t.Pair(false)
				buf := make([]byte, 4)
				t.Submit(api.Recv(a, buf, 1).With(api.Drain), api.Send(c, buf, 2))
				t.StillPending(1, 2)
				t.Put(b, "data")
				t.Sequence(result{1, 4}, result{2, 4})
				t.WantGet(d, "data")
			})
		},
	},
	{
		ID: "DRN-4", Name: "by fd",
		Explanation: "A cancel by fd finds what is held up, and no more than what was submitted before it.",
		Needs:       NeedStreams,
		Requires:    api.FeatDrain | api.FeatCancelFD,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(c, make([]byte, 1), 2).With(api.Drain), api.Recv(c, make([]byte, 1), 3), api.Recv(a, make([]byte, 1), 4))
			t.Submit(api.CancelFD(c, 5), api.Recv(c, make([]byte, 1), 6))
			t.AwaitRes(5, 2)
			t.AwaitRes(2, ecanceled)
			t.AwaitRes(3, ecanceled)
			t.StillPending(1, 4, 6)
			t.Put(b, "xy")
			t.AwaitRes(1, 1)
			t.AwaitRes(4, 1)
			t.Put(d, "z")
			t.AwaitRes(6, 1)
		},
	},
	{
		ID: "DRN-8", Name: "multishot",
		Explanation: "A drain waits for the last completion of a multishot operation.",
		Needs:       NeedStreams,
		Requires:    api.FeatDrain | bufferFeats,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Group(api.BufferGroupOptions{ID: 1, Count: 8, Size: 8})
			t.Submit(api.RecvMultishot(a, 1, 1), api.Nop(2).With(api.Drain), api.Nop(3))
			for range 3 {
				t.Put(b, "data")
				t.WantBuffer(1, "data")
				t.StillPending(2, 3)
			}
			t.EndWrites(b)
			t.Sequence(result{1, 0}, result{2, 0}, result{3, 0})
		},
	},
	{
		ID: "DRN-12", Name: "fd closed meanwhile",
		Explanation: "What is held up while a Close of its fd that was submitted before is performed completes with EBADF, and does not reach the next file with that number.",
		Requires:    api.FeatDrain | api.FeatSafeClose | api.FeatChains,
		Ops:         chainOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Nop(2).With(api.Drain))
			t.Put(b, "x")
			t.AwaitRes(1, 1)
			t.AwaitRes(2, 0)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Close(c, 3), api.Nop(4).With(api.Drain),
				api.Send(c, []byte("x"), 5).With(api.HardLink), api.Nop(6).With(api.Link), api.Send(c, []byte("y"), 7))
			t.AwaitRes(3, 0)
			t.AwaitRes(5, neg(unix.EBADF))
			t.AwaitRes(7, ecanceled)
			t.WantEnd(d)
			// The number is another file's when the drain is over.
			r, w := t.Pipe(false)
			if r != c && w != c {
				e, err := unix.Dup(r)
				t.must("dup", err)
				t.Own(e)
			}
			t.StillPending(1, 4, 6)
			t.Put(b, "x")
			t.Sequence(result{1, 1}, result{4, 0}, result{6, 0})
			t.Quiet()
		},
	},
}
