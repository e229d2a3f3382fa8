//go:build unix

package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
)

var batchFileCases = []Case{
	{
		ID: "RNG-54", Name: "one behind the other",
		Explanation: "A wait with a Batch also counts operations that only start when another has ended: in the order of an fd, in a chain, behind a drain.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpRecv, api.OpNop),
		Fn: func(t *T) {
			const n = 6
			t.EachStream(func(a, b int) {
				for _, batch := range []time.Duration{time.Millisecond, farAway} {
					bufs := make([]byte, n)
					t.Put(b, "abcdef")
					for i := range uint64(n) {
						t.Submit(api.Recv(a, bufs[i:i+1], i))
					}
					got := t.complete(make([]api.Completion, 8), api.Wait{Min: n, Batch: batch})
					if got != n && batch == farAway {
						t.Errorf("of %d receives of what is there %d have completed", n, got)
					}
					for ; got < n; got++ { // a machine that is late
						t.One()
					}
					if string(bufs) != "abcdef" {
						t.Errorf("%q was received", bufs)
					}
				}
			})
			for _, flag := range []api.OpFlags{api.Link, api.Drain} {
				ops := make([]api.Op, n)
				for i := range ops {
					ops[i] = api.Nop(uint64(i)).With(flag)
				}
				t.Submit(ops...)
				if got := t.complete(make([]api.Completion, 8), api.Wait{Min: n, Batch: farAway}); got != n {
					t.Errorf("of %d nops, one behind the other, %d have completed", n, got)
				}
			}
		},
	},
	{
		ID: "RNG-54", Name: "receives",
		Explanation: "A wait with a Batch returns all of the receives that have completed in that time.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpRecv),
		Fn: func(t *T) {
			const n = 8
			var fds, peers []int
			bufs := make([]byte, n)
			for range n {
				a, b := t.TCP(false)
				fds, peers = append(fds, a), append(peers, b)
			}
			for round := range 20 {
				for i := range uint64(n) {
					t.Submit(api.Recv(fds[i], bufs[i:i+1], i))
				}
				t.Perform()
				done := make(chan struct{})
				t.spawn(func() {
					defer close(done)
					for i := range n {
						t.Put(peers[i], "x")
					}
				})
				batch := time.Duration(round%4) * 400 * time.Microsecond // 0 is none
				for got := 0; got < n; {
					k := t.complete(make([]api.Completion, n), api.Wait{Min: n - got, Batch: batch})
					if k == 0 || batch == 0 && k != n {
						t.Fatalf("with a Batch of %v: %d of %d completions", batch, k, n)
					}
					got += k
				}
				<-done
			}
		},
	},
}
