package conformance

import (
	"errors"
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
)

// ringPortableCases are those of how a ring works, which need no files.
func ringPortableCases() []Case { return slices.Concat(resizeCases, batchCases) }

// resize changes the sizes of the queues, which must succeed.
func (t *T) resize(entries, cqEntries int) {
	if err := t.Engine.ResizeQueues(entries, cqEntries); err != nil {
		t.Fatalf("ResizeQueues(%d, %d): %v", entries, cqEntries, err)
	}
}

var resizeCases = []Case{
	{
		ID: "RNG-50", Name: "timeouts and nops",
		Explanation: "Operations that are submitted, in flight or complete when the queues are resized complete as if nothing had been.",
		Requires:    api.FeatQueueResize,
		Ops:         api.Ops(api.OpNop, api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			late := t.Submit(api.Timeout(farAway, 1), api.Timeout(time.Millisecond, 2))[0]
			t.Perform()
			for i, size := range [][2]int{{1, 1}, {4096, 65536}, {64, 64}, {0, 128}, {2, 0}, {512, 4096}} {
				tag := uint64(100 * (i + 1))
				for n := range uint64(20) {
					t.Submit(api.Nop(tag + n))
				}
				t.resize(size[0], size[1])
				for n := range uint64(20) {
					t.AwaitRes(tag+n, 0)
				}
			}
			t.AwaitRes(2, etime)
			t.Want(api.Cancel(late, 3), 0)
			t.AwaitRes(1, ecanceled)
			t.Quiet()
		},
	},
	{
		ID: "RNG-50", Name: "before anything else",
		Explanation: "The queues can be resized before the first operation, again and again, and to the sizes that they have.",
		Requires:    api.FeatQueueResize,
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			for range 3 {
				t.resize(8, 16)
				t.resize(0, 0)
			}
			t.submitNops(100)
			for i := range uint64(100) {
				t.AwaitRes(i, 0)
			}
		},
	},
	{
		ID: "RNG-51", Name: "more than the new queue holds",
		Explanation: "Completions that nobody has reaped are not lost when the queues become too small for them.",
		Requires:    api.FeatQueueResize,
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			const n = 500
			t.submitNops(n)
			for range 3 {
				if _, err := t.Engine.Complete(nil, api.Wait{}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
			}
			t.resize(1, 1)
			t.resize(256, 256)
			for i := range uint64(n) {
				t.AwaitRes(i, 0)
			}
			t.Quiet()
		},
	},
	{
		ID: "RNG-51", Name: "what was posted",
		Explanation: "What has been posted before the queues are resized is there afterwards, and a Wake before it ends the next Complete.",
		Requires:    api.FeatQueueResize | api.FeatPost,
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			t.Perform()
			t.post(7, 8)
			if err := t.Engine.Wake(); err != nil {
				t.Errorf("Wake: %v", err)
			}
			t.resize(1, 1)
			dst := make([]api.Completion, 4)
			if n := t.complete(dst, api.Wait{Min: 2}); n != 1 {
				t.Fatalf("Complete after Post, Wake and ResizeQueues returned %d", n)
			}
			t.posted(&dst[0], 7, 8)
		},
	},
	{
		ID: "RNG-52", Name: "out of range",
		Explanation: "ResizeQueues with sizes out of range is an OptionError, and the queues are as before.",
		Ops:         api.Ops(api.OpNop),
		Tune:        func(o *api.Options) { o.Entries, o.CQEntries = 64, 128 },
		Fn: func(t *T) {
			has := t.Engine.Features().Has(api.FeatQueueResize)
			for _, size := range [][2]int{
				{-1, 0}, {0, -1}, {api.MaxEntries + 1, api.MaxCQEntries}, {1, api.MaxCQEntries + 1}, {65, 64}, {0, 63}, {129, 0},
			} {
				err := t.Engine.ResizeQueues(size[0], size[1])
				if !has && errors.Is(err, api.ErrUnsupported) {
					continue // the sizes need not be looked at
				}
				if !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("ResizeQueues(%d, %d): %v", size[0], size[1], err)
				}
			}
			t.submitNops(1000)
			for i := range uint64(1000) {
				t.AwaitRes(i, 0)
			}
		},
	},
	{
		ID: "RNG-53", Name: "as declared",
		Explanation: "ResizeQueues works where Features has FeatQueueResize, and is an UnsupportedError that names it elsewhere; after Close it is ErrClosed.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			err := t.Engine.ResizeQueues(32, 64)
			var u *api.UnsupportedError
			switch has := t.Engine.Features().Has(api.FeatQueueResize); {
			case has && err != nil:
				t.Errorf("ResizeQueues, which is declared: %v", err)
			case !has && (!errors.As(err, &u) || u.Feature != api.FeatQueueResize || u.Reason == ""):
				t.Errorf("ResizeQueues, which is not declared: %v", err)
			}
			t.Want(api.Nop(1), 0)
			t.CloseEngine()
			if err := t.Engine.ResizeQueues(32, 64); err != api.ErrClosed {
				t.Errorf("ResizeQueues after Close: %v", err)
			}
		},
	},
}
