//go:build unix

package conformance

import (
	"errors"
	"os"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
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
		Needs:       NeedStreams,
		Fn: func(t *T) {
			for what, tune := range map[string]func(*api.RingOptions){
				"an unknown Taskrun":            func(r *api.RingOptions) { r.Taskrun = 99 },
				"BoundedWorkers below 0":        func(r *api.RingOptions) { r.BoundedWorkers = -1 },
				"too many BoundedWorkers":       func(r *api.RingOptions) { r.BoundedWorkers = api.MaxRingWorkers + 1 },
				"UnboundedWorkers below 0":      func(r *api.RingOptions) { r.UnboundedWorkers = -1 },
				"too many UnboundedWorkers":     func(r *api.RingOptions) { r.UnboundedWorkers = api.MaxRingWorkers + 1 },
				"a BusyPoll below 0":            func(r *api.RingOptions) { r.BusyPoll = -1 },
				"too long a BusyPoll":           func(r *api.RingOptions) { r.BusyPoll = api.MaxBusyPoll + 1 },
				"unknown Completions":           func(r *api.RingOptions) { r.Completions = 99 },
				"an unknown Memory":             func(r *api.RingOptions) { r.Memory = 99 },
				"processors that cannot be":     func(r *api.RingOptions) { r.WorkerCPUs = api.CPUs(0, -1) },
				"an SQIdle below 0":             func(r *api.RingOptions) { r.SQPoll, r.SQIdle = true, -1 },
				"a short SQIdle":                func(r *api.RingOptions) { r.SQPoll, r.SQIdle = true, time.Microsecond },
				"a long SQIdle":                 func(r *api.RingOptions) { r.SQPoll, r.SQIdle = true, api.SQIdleMax+1 },
				"two processors for one thread": func(r *api.RingOptions) { r.SQPoll, r.SQCPU = true, api.CPUs(0, 1) },
				"a processor that cannot be":    func(r *api.RingOptions) { r.SQPoll, r.SQCPU = true, api.CPUs(-1) },
				"an unknown IOPoll":             func(r *api.RingOptions) { r.IOPoll = 99 },
				"processors with large numbers": func(r *api.RingOptions) { r.WorkerCPUs = api.CPUs(1024) },
			} {
				t.refuses(what, func(o *api.Options) { o.Strategy, o.Ring = api.Block(), api.RingOptions{}; tune(&o.Ring) })
			}
			t.refuses("Restrict with bits that are no operation", func(o *api.Options) { o.Restrict = 1 << api.OpCount })
		},
	},
	{
		ID: "RNG-1", Name: "modes that contradict each other",
		Explanation: "Options of the ring that contradict another option are an OptionError on every backend.",
		Needs:       NeedStreams,
		Fn: func(t *T) {
			t.refuses("PreferBusyPoll without BusyPoll", func(o *api.Options) { o.Ring = api.RingOptions{PreferBusyPoll: true} })
			t.refuses("BusyPollIDs without BusyPoll", func(o *api.Options) { o.Ring.BusyPoll, o.Ring.BusyPollIDs[1] = 0, 1<<30 })
			for what, tune := range map[string]func(*api.RingOptions){
				"Park and BoundedWorkers":   func(r *api.RingOptions) { r.BoundedWorkers = 1 },
				"Park and UnboundedWorkers": func(r *api.RingOptions) { r.UnboundedWorkers = 1 },
				"SQIdle without SQPoll":     func(r *api.RingOptions) { r.SQIdle = time.Second },
				"SQCPU without SQPoll":      func(r *api.RingOptions) { r.SQCPU = api.CPUs(0) },
				"SQCPU and Attach":          func(r *api.RingOptions) { r.SQPoll, r.SQCPU, r.Attach = true, api.CPUs(0), t.Engine },
				"SQPoll and Taskrun":        func(r *api.RingOptions) { r.SQPoll, r.Taskrun = true, api.TaskrunCoop },
				"Park and WorkerCPUs":       func(r *api.RingOptions) { r.WorkerCPUs = api.CPUs(0) },
			} {
				t.refuses(what, func(o *api.Options) { o.Strategy, o.Ring = api.Park(), api.RingOptions{}; tune(&o.Ring) })
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
	{
		ID: "RNG-3", Name: "restricted",
		Explanation: "An engine restricted to some operations does those, and Submit refuses the others with an UnsupportedError that names them.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpSend, api.OpRecv),
		Tune:        func(o *api.Options) { o.Restrict = api.Ops(api.OpSend, api.OpRecv) },
		Refusable:   true,
		Fn: func(t *T) {
			f := t.Engine.Features()
			for c := range api.OpCode(api.OpCount) {
				if allowed := c == api.OpSend || c == api.OpRecv; f.HasOp(c) != allowed {
					t.Errorf("Features has %v: %v", c, f.HasOp(c))
				} else if allowed {
					continue
				}
				var u *api.UnsupportedError
				if n, err := t.Engine.Submit([]api.Op{{Code: c, FD: -1}}); n != 0 || !errors.As(err, &u) || u.Op != c || u.Reason == "" {
					t.Errorf("Submit of %v: %d, %v", c, n, err)
				}
			}
			a, b := t.Pair(false)
			buf := make([]byte, 3)
			t.Want(api.Send(b, []byte("abc"), 1), 3)
			t.Want(api.Recv(a, buf, 2), 3)
			t.WantBytes(buf, "abc")
		},
	},
	{
		ID: "RNG-3", Name: "chain with one that is left out",
		Explanation: "A chain with an operation that Restrict leaves out is not taken; what stands before the chain is.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         api.Ops(api.OpSend, api.OpRecv),
		Tune:        func(o *api.Options) { o.Restrict = api.Ops(api.OpSend, api.OpRecv) },
		Refusable:   true,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			ops := []api.Op{api.Recv(a, make([]byte, 3), 1), api.Send(b, []byte("abc"), 2).With(api.Link), api.Nop(3)}
			n, err := t.Engine.Submit(ops)
			t.track(ops[:min(n, 1)])
			if n != 1 || !errors.Is(err, api.ErrUnsupported) {
				t.Errorf("Submit: %d, %v", n, err)
			}
			t.StillPending(1)
			t.Want(api.Send(b, []byte("abc"), 2), 3)
			t.AwaitRes(1, 3)
		},
	},
	{
		ID: "RNG-4", Name: "what a restricted engine does by itself",
		Explanation: "Waits, deadlines, wakes, buffer groups and Close work whatever Restrict leaves out.",
		Needs:       NeedStreams,
		Requires:    bufferFeats | api.FeatDeadlines,
		Ops:         api.Ops(api.OpSend, api.OpRecv),
		Tune:        func(o *api.Options) { o.Restrict = api.Ops(api.OpSend, api.OpRecv) },
		Refusable:   true,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			late := api.Recv(a, make([]byte, 1), 1)
			late.Deadline = api.After(5 * time.Millisecond)
			t.Submit(late)
			c := t.Await(1)
			if !errors.Is(c.Err(), os.ErrDeadlineExceeded) {
				t.Errorf("a receive with a deadline: %v", c.Err())
			}
			t.Want(api.Recv(a, nil, 2), 0)
			t.wake()
			if n, err := t.Engine.Complete(make([]api.Completion, 1), api.Wait{Min: 1, Deadline: t.deadline()}); n != 0 || err != nil {
				t.Errorf("Complete after Wake: %d, %v", n, err)
			}
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 16})
			t.Submit(api.RecvMultishot(a, g.ID(), 3))
			t.Want(api.Send(b, []byte("abc"), 4), 3)
			t.Release(g, t.WantBuffer(3, "abc"))
			t.Submit(api.Recv(b, make([]byte, 1), 5))
			t.Perform()
			t.CloseEngine()
		},
	},
	{
		ID: "RNG-5", Name: "a thread that submits",
		Explanation: "With SQPoll, too, Complete with Min 0 has begun what was submitted when it returns.",
		Ops:         api.Ops(api.OpWrite, api.OpRecv, api.OpNop),
		Tune:        func(o *api.Options) { o.Ring = api.RingOptions{SQPoll: true, SQIdle: time.Millisecond} },
		Refusable:   true,
		Fn: func(t *T) {
			r, w := t.Pipe(true)
			a, b := t.Pair(false)
			for i := range 100 {
				t.Submit(api.Recv(a, make([]byte, 1), 3), api.Nop(2), api.Write(w, []byte("x"), api.CurrentPosition, 1))
				t.Perform()
				var x [1]byte
				if n, err := unix.Read(r, x[:]); n != 1 || err != nil {
					t.Fatalf("round %d: the pipe has %d bytes after Complete, %v", i, n, err)
				}
				t.Put(b, "y")
				t.AwaitRes(1, 1)
				t.AwaitRes(2, 0)
				t.AwaitRes(3, 1)
			}
		},
	},
}
