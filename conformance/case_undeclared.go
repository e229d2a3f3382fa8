package conformance

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// undeclared is a try at a feature that the engine does not declare.
type undeclared struct {
	feat  api.Feature
	among api.Feature // what the try needs besides
	ops   api.OpSet   // the operations that it submits
	// op makes an operation that asks for the feature. Or:
	op func(t *T) []api.Op
	// call asks for it by a call of the engine.
	call func(t *T) error
}

// undeclaredOps ask for a feature by an operation. Not among them are the features that are no more than a promise about operations: FeatOrdered,
// FeatSafeClose and FeatAsyncFiles. What is undeclared there may well come true, and nobody can rely on it.
func undeclaredOps() []undeclared {
	nops := api.Ops(api.OpNop)
	return append([]undeclared{
		{feat: api.FeatChains, ops: nops, op: func(*T) []api.Op { return []api.Op{api.Nop(1).With(api.Link), api.Nop(2)} }},
		{feat: api.FeatChains, ops: nops, op: func(*T) []api.Op { return []api.Op{api.Nop(1).With(api.HardLink), api.Nop(2)} }},
		{feat: api.FeatChains, ops: nops, op: func(*T) []api.Op { return []api.Op{api.Nop(1).With(api.SkipSuccess)} }},
		{feat: api.FeatDrain, ops: nops, op: func(*T) []api.Op { return []api.Op{api.Nop(1).With(api.Drain)} }},
		{feat: api.FeatDeadlines, ops: api.Ops(api.OpTimeout), op: func(*T) []api.Op {
			return []api.Op{api.Timeout(farAway, 1).Until(api.After(time.Millisecond))}
		}},
		{feat: api.FeatCancelFD, ops: api.Ops(api.OpCancel), op: func(*T) []api.Op { return []api.Op{api.CancelFD(0, 1)} }},
		{feat: api.FeatPost, ops: messageOps, op: func(t *T) []api.Op { return []api.Op{api.Message(t.Engine, 0, 2, 1)} }},
	}, undeclaredFileOps()...)
}

// undeclaredCalls ask for a feature by a call. The calls of FeatPersonality and FeatQueueResize have rules of their own, RNG-8 and RNG-53.
func undeclaredCalls() []undeclared {
	group := func(o api.BufferGroupOptions) func(*T) error {
		return func(t *T) error {
			o.Count, o.Size = 2, 16
			g, err := t.Engine.NewBufferGroup(o)
			if err == nil {
				err = g.Close()
			}
			return err
		}
	}
	return []undeclared{
		{feat: api.FeatPost, call: func(t *T) error { return t.Engine.Post(1, 2) }},
		{feat: api.FeatBufferGroups, call: group(api.BufferGroupOptions{})},
		{feat: api.FeatIncremental, among: api.FeatBufferGroups, call: group(api.BufferGroupOptions{Incremental: true})},
		{feat: api.FeatZeroCopyRecv, call: func(t *T) error {
			g, err := t.Engine.NewBufferGroup(api.BufferGroupOptions{Count: 2, ZeroCopy: &api.ZeroCopyOptions{}})
			if err == nil {
				err = g.Close()
			}
			return err
		}},
		{feat: api.FeatGroupResize, among: api.FeatBufferGroups, call: func(t *T) error {
			g, err := t.Engine.NewBufferGroup(api.BufferGroupOptions{Count: 2, Size: 16, Max: 4})
			if err != nil {
				return err
			}
			return errors.Join(g.Resize(4), g.Close())
		}},
		{feat: api.FeatFixedFiles, call: func(t *T) error { return t.Engine.RegisterFiles([]int{-1}) }},
		{feat: api.FeatDirectFiles, among: api.FeatFixedFiles, call: func(t *T) error {
			t.must("RegisterFiles", t.Engine.RegisterFiles([]int{-1, -1}))
			return t.Engine.SetFileRange(0, 1)
		}},
		{feat: api.FeatFixedBuffers, call: func(t *T) error { return t.Engine.RegisterBuffers([][]byte{make([]byte, 64)}) }},
		{feat: api.FeatCloneBuffers, among: api.FeatFixedBuffers, call: func(t *T) error {
			from := t.Open(nil)
			t.must("RegisterBuffers", from.RegisterBuffers([][]byte{make([]byte, 64)}))
			return t.Engine.CloneBuffers(from)
		}},
		{feat: api.FeatPark, call: func(t *T) error {
			_, err := t.Engine.Complete(nil, api.Wait{Strategy: api.Park()})
			return err
		}},
	}
}

// undeclared are the tries that the engine has to refuse, and can be asked for.
func (t *T) undeclared(all []undeclared) []undeclared {
	f := t.Engine.Features()
	var out []undeclared
	for _, u := range all {
		if !f.Has(u.feat) && f.Has(u.among) && u.ops&^(f.OpsNative|f.OpsEmulated) == 0 {
			out = append(out, u)
		}
	}
	return out
}

var undeclaredCases = []Case{
	{
		ID: "SUB-11", Name: "every feature that is not declared",
		Explanation: "An operation that asks for a feature which Features does not name is refused, by Submit with an UnsupportedError or by completing with EINVAL or EOPNOTSUPP.",
		Fn: func(t *T) {
			for _, u := range t.undeclared(undeclaredOps()) {
				t.wantRefused(u.feat, u.op(t))
			}
		},
	},
	{
		ID: "ENG-12", Name: "every feature that is not declared",
		Explanation: "A call that asks for a feature which Features does not name is an UnsupportedError.",
		Fn: func(t *T) {
			for _, u := range t.undeclared(undeclaredCalls()) {
				if err := u.call(t); !errors.Is(err, api.ErrUnsupported) {
					t.Errorf("the feature %v is not declared, and the call that asks for it gives %v", u.feat, err)
				}
			}
			for t.pull(0, 0) > 0 { // an engine that posts in spite of it
			}
		},
	},
	{
		ID: "ENG-12", Name: "engine that parks",
		Explanation: "An engine whose Features have no FeatPark cannot be opened with the strategy Park.",
		Fn: func(t *T) {
			if t.Engine.Features().Has(api.FeatPark) {
				return
			}
			o := t.opt
			o.Strategy = api.Park()
			unbindRing(&o.Ring)
			e, err := t.f(&o)
			switch {
			case err == nil && e.Features().Has(api.FeatPark): // it is declared where it was asked for
				t.must("Close", e.Close())
			case err == nil:
				t.must("Close", e.Close())
				t.Errorf("the feature park is not declared, and an engine can be opened with it")
			case !errors.Is(err, api.ErrUnsupported) && !errors.Is(err, api.ErrUnavailable):
				t.Errorf("opening an engine with Park, which is not declared: %v", err)
			}
		},
	},
}

// wantRefused fails the case unless the first of ops is refused.
func (t *T) wantRefused(feat api.Feature, ops []api.Op) {
	n, err := t.Engine.Submit(ops)
	t.track(ops[:max(min(n, len(ops)), 0)])
	if n == 0 && errors.Is(err, api.ErrUnsupported) {
		return
	}
	what := fmt.Sprintf("the feature %v is not declared, and an operation that asks for it, %v with the flags %#x,", feat, ops[0].Code, uint32(ops[0].Flags))
	if n != len(ops) || err != nil {
		t.Fatalf("%s gives %d, %v", what, n, err)
	}
	tag := ops[0].Tag
	for end := api.After(refusalTime); api.Now() < end; t.pull(1, end) {
		for i := range t.stash {
			if c := t.stash[i]; c.Tag == tag {
				if res := int(c.Res); c.More() || res != -int(eInval) && res != -int(syscall.EOPNOTSUPP) {
					t.Fatalf("%s completes with %s", what, show(&c))
				}
				for t.open > 0 { // the rest of a chain
					t.more("the rest of what was refused")
				}
				t.stash = t.stash[:0]
				return
			}
		}
	}
	t.Fatalf("%s is taken, and not refused", what)
}

// refusalTime is how long an operation may take to say that it is refused, which needs no more than a turn of the engine.
const refusalTime = 500 * time.Millisecond
