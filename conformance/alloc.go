package conformance

import (
	"runtime"
	"time"

	"github.com/sluiceio/sluice/api"
)

// allocCase is a piece of work that allocates nothing in steady state.
type allocCase struct {
	name     string
	requires api.Feature
	ops      api.OpSet
	needs    Need
	// prepare makes what one round needs, and returns the round.
	prepare func(*T) (round func())
}

// RunAllocs checks, each in a subtest, that the engines which f opens allocate nothing per operation
// in steady state. The race detector allocates by itself, so that a race build skips them all.
func RunAllocs[R Runner[R]](t R, f Factory, cfg *Config) {
	t.Helper()
	settleProcess()
	for _, c := range AllocCases() {
		t.Run(c.Name, func(t R) {
			if why := c.Run(t, f, cfg); why != "" {
				t.Skip(why)
			}
		})
	}
}

// AllocCases are the cases of RunAllocs, for a program that runs them by Case.Run. They are not among Cases, because they take longer, and say
// nothing in a race build, where each is skipped. The slice is the caller's.
func AllocCases() []Case {
	var all []Case
	for _, a := range append(portableAllocs(), platformAllocs()...) {
		all = append(all, Case{
			ID: "ENG-9", Name: a.name, Needs: a.needs, Requires: a.requires, Ops: a.ops,
			Explanation: "An engine allocates nothing per operation in steady state.",
			Fn: func(t *T) {
				if raceBuild {
					t.Skipf("allocations cannot be counted in a race build: the race detector allocates too")
				}
				measureAllocs(t, a.prepare(t))
			},
		})
	}
	return all
}

func measureAllocs(t *T, round func()) {
	t.untaken = true
	for range 300 {
		round() // whatever grows, grows now
	}
	if n := allocsPerRun(1000, round); n != 0 {
		t.Errorf("%d allocations per operation", n)
	}
}

// allocsPerRun is how often f allocates, rounded down, since the runtime does now and then too. Nothing else may run meanwhile.
func allocsPerRun(runs int, f func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / uint64(runs)
}

// turner submits and reaps without allocating.
type turner struct {
	t   *T
	op  [1]api.Op
	dst [8]api.Completion
}

// do performs op and returns its completion.
func (u *turner) do(op api.Op) *api.Completion {
	u.op[0] = op
	if n, err := u.t.Engine.Submit(u.op[:]); n != 1 || err != nil {
		u.t.Fatalf("Submit: %d, %v", n, err)
	}
	return u.one()
}

// all submits ops.
func (u *turner) all(ops []api.Op) {
	if n, err := u.t.Engine.Submit(ops); n != len(ops) || err != nil {
		u.t.Fatalf("Submit: %d, %v", n, err)
	}
}

func (u *turner) one() *api.Completion {
	n, err := u.t.Engine.Complete(u.dst[:1], api.Wait{Min: 1, Deadline: u.t.deadline()})
	if n != 1 || err != nil {
		u.t.Fatalf("Complete: %d, %v", n, err)
	}
	return &u.dst[0]
}

// want fails the case unless the completion has the result res.
func (u *turner) want(c *api.Completion, res int32) {
	if c.Res != res {
		u.t.Fatalf("got %s, want %s", show(c), showRes(res))
	}
}

func portableAllocs() []allocCase {
	return []allocCase{
		{name: "nop", ops: api.Ops(api.OpNop), prepare: func(t *T) func() {
			u := &turner{t: t}
			return func() { u.want(u.do(api.Nop(1)), 0) }
		}},
		{name: "timeout", ops: api.Ops(api.OpTimeout), prepare: func(t *T) func() {
			u := &turner{t: t}
			return func() { u.want(u.do(api.Timeout(1, 1)), -int32(api.ETime)) }
		}},
		{name: "batch", ops: api.Ops(api.OpNop), prepare: func(t *T) func() {
			u := &turner{t: t}
			return func() {
				u.op[0] = api.Nop(1)
				if n, err := t.Engine.Submit(u.op[:]); n != 1 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				if n, err := t.Engine.Complete(u.dst[:], api.Wait{Min: 4, Batch: time.Microsecond}); n != 1 || err != nil {
					t.Fatalf("Complete: %d, %v", n, err)
				}
			}
		}},
		{name: "cancel", ops: api.Ops(api.OpTimeout, api.OpCancel), prepare: func(t *T) func() {
			u := &turner{t: t}
			return func() {
				u.op[0] = api.Timeout(farAway, 1)
				if n, err := t.Engine.Submit(u.op[:]); n != 1 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				u.do(api.Cancel(u.op[0].ID, 2))
				u.one()
			}
		}},
		{name: "timeout put off", ops: api.Ops(api.OpTimeout, api.OpTimeoutRemove), prepare: func(t *T) func() {
			u := &turner{t: t}
			id := t.Submit(api.Timeout(farAway, 1))[0]
			return func() { u.want(u.do(api.TimeoutUpdate(id, farAway, 2)), 0) }
		}},
		{name: "tick", ops: api.Ops(api.OpTimeout), prepare: func(t *T) func() {
			u := &turner{t: t}
			t.Submit(api.Tick(1, 0, 1))
			return func() { u.want(u.one(), -int32(api.ETime)) }
		}},
		{name: "timeout with a count", ops: api.Ops(api.OpTimeout, api.OpNop), prepare: func(t *T) func() {
			u := &turner{t: t}
			return func() {
				u.op[0] = api.TimeoutCount(farAway, 1, 1)
				if n, err := t.Engine.Submit(u.op[:]); n != 1 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				u.want(u.do(api.Nop(2)), 0)
				u.want(u.one(), 0)
			}
		}},
		{name: "timeout of the wall clock", ops: api.Ops(api.OpTimeout), prepare: func(t *T) func() {
			u := &turner{t: t}
			at := time.Unix(1, 0)
			return func() { u.want(u.do(api.TimeoutWall(at, 1)), -int32(api.ETime)) }
		}},
		{name: "post", requires: api.FeatPost, prepare: func(t *T) func() {
			u := &turner{t: t}
			return func() {
				t.post(1, 5)
				u.want(u.one(), 5)
			}
		}},
		{name: "message", requires: api.FeatPost, ops: messageOps, prepare: func(t *T) func() {
			u := &turner{t: t}
			op := api.Message(t.Engine, 0, 1, 2)
			return func() {
				u.want(u.do(op), 0)
				u.want(u.one(), 0)
			}
		}},
		{name: "chain and drain", requires: api.FeatChains | api.FeatDrain, ops: linkTimeoutOps, prepare: func(t *T) func() {
			u := &turner{t: t}
			var ops [4]api.Op
			return func() {
				ops = [...]api.Op{api.Nop(1).With(api.Link | api.SkipSuccess), api.Nop(2).With(api.Link),
					api.LinkTimeout(farAway, 3).With(api.SkipSuccess), api.Nop(4).With(api.Drain)}
				u.all(ops[:])
				u.want(u.one(), 0)
				u.want(u.one(), 0)
			}
		}},
		{name: "cancel of many", ops: cancelOps, prepare: func(t *T) func() {
			u := &turner{t: t}
			var ops [3]api.Op
			return func() {
				ops = [...]api.Op{api.Timeout(farAway, 1), api.Timeout(farAway, 2), api.CancelAny(3)}
				u.all(ops[:])
				u.one()
				u.one()
				u.want(u.one(), 2)
				u.all(ops[:2])
				if n, err := t.Engine.CancelSync(api.CancelOp(api.OpTimeout, 0), -1); n != 2 || err != nil {
					t.Fatalf("CancelSync: %d, %v", n, err)
				}
				u.one()
				u.one()
			}
		}},
	}
}
