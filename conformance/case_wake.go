package conformance

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
)

func (t *T) wake() {
	if err := t.Engine.Wake(); err != nil {
		t.Errorf("Wake: %v", err)
	}
}

var wakeCases = []Case{
	{
		ID: "WAK-1", Name: "before complete",
		Explanation: "A Wake before Complete makes the next Complete return without waiting.",
		Fn: func(t *T) {
			t.wake()
			end := api.After(t.timeout / 2)
			if n := t.complete(make([]api.Completion, 1), api.Wait{Min: 1, Deadline: end}); n != 0 || api.Now() >= end {
				t.Errorf("Complete returned %d after its deadline, not because of the Wake", n)
			}
		},
	},
	{
		ID: "WAK-1", Name: "during complete",
		Explanation: "A Wake during Complete makes it return without waiting further.",
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			dst := make([]api.Completion, 1)
			for i := range 40 {
				done := make(chan struct{})
				go func() {
					defer close(done)
					// Whether the owner waits already cannot be told from outside: the Wakes come ever later.
					within(time.Duration(i)*50*time.Microsecond, func() bool { return false })
					t.wake()
				}()
				end := api.After(t.timeout / 2)
				n := t.complete(dst, api.Wait{Min: 1, Deadline: end})
				<-done
				if n != 0 || api.Now() >= end {
					t.Fatalf("Complete returned %d after its deadline, not because of the Wake", n)
				}
			}
		},
	},
	{
		ID: "WAK-2", Name: "several count as one",
		Explanation: "Wakes before a Complete returns count as one: the next Complete waits again.",
		Fn: func(t *T) {
			for range 100 {
				t.wake()
			}
			dst := make([]api.Completion, 1)
			t.complete(dst, api.Wait{Min: 1, Deadline: api.After(t.timeout / 2)})
			end := api.After(5 * time.Millisecond)
			t.complete(dst, api.Wait{Min: 1, Deadline: end})
			t.wantPassed(end)
		},
	},
	{
		ID: "WAK-3", Name: "none is lost",
		Explanation: "After each Wake that begins when a Complete has returned, another Complete returns.",
		Fn: func(t *T) {
			dst := make([]api.Completion, 1)
			var told, seen atomic.Int64
			const rounds = 300
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := int64(1); i <= rounds; i++ {
					told.Store(i)
					t.wake()
					if !within(t.timeout, func() bool { return seen.Load() >= i }) {
						return
					}
				}
			}()
			for seen.Load() < rounds && !t.Failed() {
				end := t.deadline()
				t.complete(dst, api.Wait{Min: 1, Deadline: end})
				seen.Store(told.Load())
				if api.Now() >= end {
					t.Errorf("a Wake was lost: %d of %d seen", seen.Load(), rounds)
					break
				}
			}
			<-done
		},
	},
	{
		ID: "WAK-4", Name: "from many goroutines",
		Explanation: "Any number of goroutines may call Wake and Stats while the owner is at work.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(8)
			for range 8 {
				wg.Go(func() {
					for range 50 {
						t.wake()
						_ = t.Engine.Stats()
					}
					left.Add(-1)
					t.wake()
				})
			}
			for i := uint64(0); left.Load() > 0; i++ {
				t.Want(api.Nop(i), 0)
			}
			wg.Wait()
		},
	},
	{
		ID: "WAK-5", Name: "after close",
		Explanation: "Wake returns ErrClosed after Close.",
		Fn: func(t *T) {
			t.CloseEngine()
			if err := t.Engine.Wake(); err != api.ErrClosed {
				t.Errorf("Wake after Close: %v", err)
			}
		},
	},
	{
		ID: "WAK-6", Name: "takes no completion away",
		Explanation: "A Wake makes no completion come late, twice or not at all.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			for i := range uint64(200) {
				t.wake()
				t.Submit(api.Nop(2*i), api.Timeout(time.Duration(i%3)*10*time.Microsecond, 2*i+1))
				t.wake()
				t.AwaitRes(2*i, 0)
				t.AwaitRes(2*i+1, etime)
			}
			t.Quiet()
		},
	},
	{
		ID: "WAK-7", Name: "races with close",
		Explanation: "Wake and Stats may be called while Close runs.",
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			t.Perform()
			e := t.Engine
			var wg sync.WaitGroup
			begun := make(chan struct{}, 4)
			for range 4 {
				wg.Go(func() {
					begun <- struct{}{}
					err := e.Wake()
					for ; err == nil && !t.spent(); err = e.Wake() {
						_ = e.Stats()
					}
					if !errors.Is(err, api.ErrClosed) {
						t.Errorf("Wake behind Close: %v", err)
					}
				})
			}
			for range 4 {
				<-begun
			}
			t.CloseEngine()
			wg.Wait()
		},
	},
}
