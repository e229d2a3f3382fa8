package conformance

import (
	"errors"
	"time"

	"github.com/sluiceio/sluice/api"
)

var batchCases = []Case{
	{
		ID: "RNG-54", Name: "one is enough afterwards",
		Explanation: "A wait that has lasted as long as Batch returns what there is, if there is anything, and not before.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			for i, batch := range []time.Duration{time.Nanosecond, 200 * time.Microsecond, time.Millisecond, 3 * time.Millisecond} {
				tag := uint64(i) + 2
				for _, op := range []api.Op{api.Nop(tag), api.Timeout(batch/2, tag)} {
					t.Submit(op)
					start := api.Now()
					dst := make([]api.Completion, 4)
					n := t.complete(dst, api.Wait{Min: 2, Batch: batch})
					if n != 1 || dst[0].Tag != tag {
						t.Fatalf("with a Batch of %v and one %v: %d completions, the first is %s", batch, op.Code, n, show(&dst[0]))
					}
					if took := api.Now().Sub(start); took < batch {
						t.Errorf("with a Batch of %v the wait ends after %v", batch, took)
					}
				}
			}
		},
	},
	{
		ID: "RNG-54", Name: "enough before",
		Explanation: "A wait ends as soon as there are Min completions, however long Batch is.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			for _, batch := range []time.Duration{time.Millisecond, farAway} {
				dst := make([]api.Completion, 4)
				t.submitNops(4)
				if n := t.complete(dst, api.Wait{Min: 4, Batch: batch}); n != 4 {
					t.Errorf("of 4 nops, with a Batch of %v, %d are there", batch, n)
				}
			}
			t.Submit(api.Nop(1), api.Timeout(time.Millisecond, 2), api.Timeout(2*time.Millisecond, 3))
			if n := t.complete(make([]api.Completion, 8), api.Wait{Min: 3, Batch: farAway}); n != 3 {
				t.Errorf("of a nop and two timeouts %d are there", n)
			}
		},
	},
	{
		ID: "RNG-54", Name: "the first after it",
		Explanation: "When there is nothing at the end of Batch, the first completion ends the wait.",
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			for _, batch := range []time.Duration{time.Microsecond, time.Millisecond} {
				start := api.Now() // from here on the time counts, whenever Complete begins
				t.Submit(api.Timeout(4*time.Millisecond, 2))
				if n := t.complete(make([]api.Completion, 4), api.Wait{Min: 3, Batch: batch}); n != 1 {
					t.Errorf("with a Batch of %v: %d completions", batch, n)
				}
				if took := api.Now().Sub(start); took < 4*time.Millisecond {
					t.Errorf("with a Batch of %v the wait ends after %v", batch, took)
				}
			}
		},
	},
	{
		ID: "RNG-55", Name: "deadline and wake",
		Explanation: "The deadline of a wait ends it also with a Batch, before and after it is over, and so do Wake and Post.",
		Requires:    api.FeatPost,
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			dst := make([]api.Completion, 4)
			for _, batch := range []time.Duration{time.Microsecond, time.Millisecond, farAway} {
				end := api.After(2 * time.Millisecond)
				if n := t.complete(dst, api.Wait{Min: 3, Batch: batch, Deadline: end}); n != 0 || api.Now() < end {
					t.Errorf("with a Batch of %v and a deadline: %d completions, %v early", batch, n, end.Sub(api.Now()))
				}
				woken := make(chan error, 1)
				go func() { woken <- t.Engine.Wake() }()
				if n := t.complete(dst, api.Wait{Min: 3, Batch: batch}); n != 0 {
					t.Errorf("with a Batch of %v and a Wake: %d completions", batch, n)
				}
				if err := <-woken; err != nil {
					t.Errorf("Wake: %v", err)
				}
				go func() {
					_ = t.Engine.Post(5, 1) // it would be missing below
					woken <- t.Engine.Post(5, 2)
				}()
				for got := 0; got < 2; {
					got += t.complete(dst, api.Wait{Min: 2, Batch: min(batch, time.Millisecond)})
				}
				if err := <-woken; err != nil {
					t.Errorf("Post: %v", err)
				}
			}
		},
	},
	{
		ID: "RNG-55", Name: "nothing to wait for",
		Explanation: "Batch does not make a wait of one that has no Min or an empty dst, and is of no account where Min is 1; a negative one is an OptionError.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			if n := t.complete(make([]api.Completion, 1), api.Wait{Batch: farAway}); n != 0 {
				t.Errorf("with nothing submitted: %d completions", n)
			}
			t.Submit(api.Timeout(time.Millisecond, 1), api.Timeout(farAway, 2))
			if n := t.complete(nil, api.Wait{Min: 2, Batch: farAway}); n != 0 {
				t.Errorf("with an empty dst: %d completions", n)
			}
			for _, w := range []api.Wait{{Min: 1, Batch: farAway}, {Min: 5, Batch: farAway}} {
				if n := t.complete(make([]api.Completion, 1), w); n != 1 {
					t.Errorf("with %+v: %d completions", w, n)
				}
				t.Submit(api.Nop(1))
			}
			if n, err := t.Engine.Complete(make([]api.Completion, 2), api.Wait{Min: 2, Batch: -1}); n != 0 || !errors.Is(err, api.ErrInvalidOption) {
				t.Errorf("with a negative Batch: %d, %v", n, err)
			}
			t.AwaitRes(1, 0)
		},
	},
}
