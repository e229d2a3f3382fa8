//go:build unix

package conformance

import (
	"errors"

	"github.com/sluiceio/sluice/api"
)

// refuses checks that no engine can be opened with an option of the ring.
func (t *T) refuses(what string, tune func(*api.Options)) {
	o := t.opt
	tune(&o)
	e, err := t.f(&o)
	if err == nil {
		_ = e.Close() // the failure is reported below
	}
	if !errors.Is(err, api.ErrInvalidOption) {
		t.Errorf("opening with %s: %v", what, err)
	}
}

// someModes asks for modes that any recent kernel has.
func someModes(o *api.Options) {
	o.Strategy = api.Block() // the kernel's workers belong to a thread
	o.Ring = api.RingOptions{Taskrun: api.TaskrunCoop, BoundedWorkers: 1, UnboundedWorkers: 2}
}

var ringCases = []Case{
	{
		ID: "RNG-1", Name: "modes out of range",
		Explanation: "Options of the ring that are out of range are an OptionError on every backend.",
		Fn: func(t *T) {
			for what, tune := range map[string]func(*api.RingOptions){
				"an unknown Taskrun":            func(r *api.RingOptions) { r.Taskrun = 99 },
				"BoundedWorkers below 0":        func(r *api.RingOptions) { r.BoundedWorkers = -1 },
				"too many BoundedWorkers":       func(r *api.RingOptions) { r.BoundedWorkers = api.MaxRingWorkers + 1 },
				"UnboundedWorkers below 0":      func(r *api.RingOptions) { r.UnboundedWorkers = -1 },
				"too many UnboundedWorkers":     func(r *api.RingOptions) { r.UnboundedWorkers = api.MaxRingWorkers + 1 },
				"processors that cannot be":     func(r *api.RingOptions) { r.WorkerCPUs = api.CPUs(0, -1) },
				"processors with large numbers": func(r *api.RingOptions) { r.WorkerCPUs = api.CPUs(1024) },
			} {
				t.refuses(what, func(o *api.Options) { o.Strategy = api.Block(); tune(&o.Ring) })
			}
		},
	},
	{
		ID: "RNG-1", Name: "modes that contradict each other",
		Explanation: "Options of the ring that contradict another option are an OptionError on every backend.",
		Fn: func(t *T) {
			for what, tune := range map[string]func(*api.RingOptions){
				"Park and BoundedWorkers":   func(r *api.RingOptions) { r.BoundedWorkers = 1 },
				"Park and UnboundedWorkers": func(r *api.RingOptions) { r.UnboundedWorkers = 1 },
				"Park and WorkerCPUs":       func(r *api.RingOptions) { r.WorkerCPUs = api.CPUs(0) },
			} {
				t.refuses(what, func(o *api.Options) { o.Strategy = api.Park(); tune(&o.Ring) })
			}
		},
	},
	{
		ID: "RNG-2", Name: "few workers",
		Explanation: "However few workers the kernel may have, everything is done in the end.",
		Ops:         api.Ops(api.OpFsync, api.OpNop),
		Tune:        someModes,
		Refusable:   true,
		Fn: func(t *T) {
			const n = 100
			fd := t.File("abc")
			for i := range uint64(n) {
				t.Submit(api.Fsync(fd, i), api.Nop(n+i))
			}
			for i := range uint64(2 * n) {
				t.AwaitRes(i, 0)
			}
		},
	},
}
