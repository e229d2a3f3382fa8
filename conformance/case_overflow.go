package conformance

import (
	"github.com/sluiceio/sluice/api"
)

func tinyQueues(o *api.Options) { o.Entries, o.CQEntries = 4, 8 }

var overflowCases = []Case{
	{
		ID: "OVF-1", Name: "more operations than the queue has entries",
		Explanation: "The size of the submission queue bounds no batch: all operations are taken and complete.",
		Ops:         api.Ops(api.OpNop),
		Tune:        func(o *api.Options) { o.Entries = 1 },
		Fn: func(t *T) {
			t.submitNops(1000)
			for i := range uint64(1000) {
				t.AwaitRes(i, 0)
			}
			t.Quiet()
		},
	},
	{
		ID: "OVF-2", Name: "more completions than the queue has entries",
		Explanation: "No completion is lost when more happen than the completion queue holds.",
		Ops:         api.Ops(api.OpNop),
		Tune:        tinyQueues,
		Fn: func(t *T) {
			const n = 2000
			t.submitNops(n)
			for range 5 {
				if _, err := t.Engine.Complete(nil, api.Wait{}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
			}
			for i := range uint64(n) {
				t.AwaitRes(i, 0)
			}
			t.Quiet()
		},
	},
	{
		ID: "OVF-2", Name: "completions trickle into a small dst",
		Explanation: "No completion is lost when more happen than both the completion queue and dst hold.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Tune:        tinyQueues,
		Fn: func(t *T) {
			const n = 300
			for i := range uint64(n) {
				t.Submit(api.Nop(2*i), api.Timeout(0, 2*i+1))
			}
			dst := make([]api.Completion, 2)
			for got := 0; got < 2*n; {
				k := t.complete(dst, api.Wait{Min: 1})
				if k == 0 {
					t.Fatalf("Complete with Min 1 and no deadline returned nothing")
				}
				got += k
			}
			t.Quiet()
		},
	},
	{
		ID: "OVF-3", Name: "full again and again",
		Explanation: "An engine that was full works on as before.",
		Ops:         api.Ops(api.OpNop),
		Tune: func(o *api.Options) {
			tinyQueues(o)
			o.MaxInFlight = 64
		},
		Fn: func(t *T) {
			ops := make([]api.Op, 100)
			tag := uint64(0)
			for range 20 {
				for i := range ops {
					ops[i] = api.Nop(tag + uint64(i))
				}
				n, err := t.Engine.Submit(ops)
				if n != 64 || err != api.ErrQueueFull {
					t.Fatalf("Submit of 100 to an empty engine of 64: %d, %v", n, err)
				}
				t.track(ops[:n])
				for i := range uint64(n) {
					t.AwaitRes(tag+i, 0)
				}
				tag += uint64(n)
			}
		},
	},
}
