//go:build unix

package conformance

import "github.com/sluiceio/sluice/api"

var lateFileCases = []Case{
	{
		ID: "TMO-30", Name: "deadlines of what waits for data",
		Explanation: "Operations that wait for data, and for their turn, end at their Deadline, and not later.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines | api.FeatOrdered,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.punctual("the Deadline of two receives", func(at api.Instant, b *bell) {
				t.Submit(api.Recv(a, make([]byte, 1), 1).Until(at), api.Recv(a, make([]byte, 1), 2).Until(at))
				t.reap(2, b)
				t.AwaitRes(1, etime)
				t.AwaitRes(2, etime)
			})
		},
	},
	{
		ID: "TMO-30", Name: "LinkTimeout of what waits for data",
		Explanation: "A LinkTimeout ends an operation that waits for data when it is due, and not later.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         linkTimeoutFileOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.punctual("the LinkTimeout of a receive", func(_ api.Instant, b *bell) {
				t.Chain(api.Recv(a, make([]byte, 1), 1), api.LinkTimeout(dueTime, 2))
				t.reap(2, b)
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, etime)
			})
		},
	},
}
