package conformance

import (
	"errors"
	"sync"

	"github.com/sluiceio/sluice/api"
)

var engineCases = []Case{
	{
		ID: "ENG-1", Name: "closed twice",
		Explanation: "Close succeeds once; a second Close returns ErrClosed.",
		Fn: func(t *T) {
			t.CloseEngine()
			for range 2 {
				if err := t.Engine.Close(); err != api.ErrClosed {
					t.Errorf("Close of a closed engine: %v", err)
				}
			}
		},
	},
	{
		ID: "ENG-2", Name: "use after close",
		Explanation: "After Close, Submit, Complete and NewBufferGroup return ErrClosed; Name, Features and Stats still answer.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.Want(api.Nop(1), 0)
			t.CloseEngine()
			e := t.Engine
			if n, err := e.Submit([]api.Op{api.Nop(1)}); n != 0 || err != api.ErrClosed {
				t.Errorf("Submit after Close: %d, %v", n, err)
			}
			if n, err := e.Complete(make([]api.Completion, 1), api.Wait{Min: 1}); n != 0 || err != api.ErrClosed {
				t.Errorf("Complete after Close: %d, %v", n, err)
			}
			if g, err := e.NewBufferGroup(api.BufferGroupOptions{}); g != nil || err != api.ErrClosed {
				t.Errorf("NewBufferGroup after Close: %v, %v", g, err)
			}
			if e.Name() == "" {
				t.Errorf("no name after Close")
			}
			if s := e.Stats(); s.Submitted != 1 || s.InFlight != 0 {
				t.Errorf("stats after Close: %+v", s)
			}
		},
	},
	{
		ID: "ENG-3", Name: "timeouts in flight",
		Explanation: "Close ends operations in flight and does not wait for their time.",
		Ops:         api.Ops(api.OpTimeout, api.OpNop),
		Fn: func(t *T) {
			for i := range uint64(100) {
				t.Submit(api.Timeout(farAway, i))
			}
			t.Perform()
			t.Submit(api.Timeout(farAway, 100), api.Nop(101)) // these are not performed before Close
			t.CloseEngine()
			if s := t.Engine.Stats(); s.InFlight != 0 {
				t.Errorf("%d operations in flight after Close", s.InFlight)
			}
		},
	},
	{
		ID: "ENG-3", Name: "completions that nobody reaped",
		Explanation: "Close drops completions that were not reaped.",
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.submitNops(100)
			t.complete(make([]api.Completion, 1), api.Wait{Min: 1})
			t.CloseEngine()
		},
	},
	{
		ID: "ENG-3", Name: "never used",
		Explanation: "An engine can be closed that never had anything to do.",
		Fn:          func(t *T) { t.CloseEngine() },
	},
	{
		ID: "ENG-4", Name: "counters",
		Explanation: "Stats counts the operations taken, the completions delivered and the operations in flight.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			before := t.Engine.Stats()
			t.submitNops(10)
			t.Submit(api.Timeout(farAway, 100))
			for i := range uint64(10) {
				t.AwaitRes(i, 0)
			}
			s := t.Engine.Stats()
			if s.Submitted-before.Submitted != 11 || s.Completions-before.Completions != 10 || s.InFlight != 1 {
				t.Errorf("after 11 operations, 10 of which have completed: %+v", s)
			}
		},
	},
	{
		ID: "ENG-5", Name: "features and name",
		Explanation: "An engine has a name, and no feature or operation is both native and emulated.",
		Fn: func(t *T) {
			if t.Engine.Name() == "" {
				t.Errorf("the name is empty")
			}
			f := t.Engine.Features()
			if both := f.Native & f.Emulated; both != 0 {
				t.Errorf("both native and emulated: %v", both)
			}
			if both := f.OpsNative & f.OpsEmulated; both != 0 {
				t.Errorf("operations both native and emulated: %#x", uint64(both))
			}
			if all := f.Native | f.Emulated; all&^api.AllFeatures != 0 {
				t.Errorf("features that do not exist: %#x", uint64(all))
			}
		},
	},
	{
		ID: "ENG-6", Name: "options out of range",
		Explanation: "Options out of range are an OptionError and open nothing.",
		Fn: func(t *T) {
			for _, o := range []api.Options{
				{MaxInFlight: -1},
				{MaxInFlight: api.MaxMaxInFlight + 1},
				{Entries: -1},
				{CQEntries: api.MaxCQEntries + 1},
				{Entries: 64, CQEntries: 32},
				{Workers: -1},
				{Workers: api.MaxWorkers + 1},
				{WorkQueue: -1},
				{WorkQueue: api.MaxMaxInFlight + 1},
				{Disable: api.KernAll + 1},
				{DisableOps: api.Ops(api.OpPoll)},
				{DisableOps: 1 << api.OpCount},
				{Strategy: api.Strategy{Mode: 99}},
				{Strategy: api.Spin(-1, api.Block())},
			} {
				e, err := t.f(&o)
				if err == nil {
					_ = e.Close() // the failure is reported below
				}
				if !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("opening with %+v: %v", o, err)
				}
			}
		},
	},
	{
		ID: "ENG-7", Name: "two engines",
		Explanation: "Engines share nothing: an id of one means nothing in another, and closing one does not disturb the other.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout, api.OpCancel),
		Fn: func(t *T) {
			other := t.Open(nil)
			ops := []api.Op{api.Nop(1), api.Nop(2), api.Timeout(farAway, 3)}
			if n, err := other.Submit(ops); n != 3 || err != nil {
				t.Fatalf("Submit to the other engine: %d, %v", n, err)
			}
			t.Want(api.Cancel(ops[2].ID, 1), enoent)
			if n, err := other.Complete(make([]api.Completion, 4), api.Wait{Min: 2, Deadline: t.deadline()}); n != 2 || err != nil {
				t.Fatalf("Complete of the other engine: %d, %v", n, err)
			}
			if err := other.Close(); err != nil {
				t.Errorf("Close of the other engine: %v", err)
			}
			t.Want(api.Nop(1), 0)
		},
	},
	{
		ID: "ENG-8", Name: "engines in many goroutines",
		Explanation: "Engines in different goroutines do not disturb one another.",
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { useEngine(t) })
			}
			t.Want(api.Nop(1), 0)
			wg.Wait()
		},
	},
}

// useEngine opens an engine in a goroutine of its own, uses it a little and closes it.
func useEngine(t *T) {
	o := t.opt
	e, err := t.f(&o)
	if err != nil {
		t.Errorf("opening another engine: %v", err)
		return
	}
	dst := make([]api.Completion, 4)
	for i := range uint64(100) {
		if n, err := e.Submit([]api.Op{api.Nop(i), api.Timeout(0, i)}); n != 2 || err != nil {
			t.Errorf("Submit: %d, %v", n, err)
		}
		if n, err := e.Complete(dst, api.Wait{Min: 2, Deadline: t.deadline()}); n != 2 || err != nil {
			t.Errorf("Complete: %d, %v", n, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
