//go:build unix

package conformance

import (
	"runtime"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// arena is memory that an engine must keep while it uses it.
type arena struct {
	t     *T
	mem   []byte
	free  func() error
	freed bool
}

// arena gives the case such memory.
func (t *T) arena(size int) *arena {
	t.tb.Helper()
	if t.memory == nil {
		t.Skipf("Config.Memory gives none")
	}
	mem, free, err := t.memory(size)
	if err != nil || len(mem) < size {
		t.Fatalf("Config.Memory: %d bytes, %v", len(mem), err)
	}
	a := &arena{t: t, mem: mem[:size], free: free}
	t.Cleanup(func() {
		if !a.freed {
			a.end()
		}
	})
	return a
}

// used fails the case if the memory can be freed.
func (a *arena) used(what string) {
	a.t.tb.Helper()
	if err := a.free(); err == nil {
		a.freed = true
		a.t.Fatalf("%s: the memory has been freed", what)
	}
}

// end frees the memory, which must succeed.
func (a *arena) end() {
	a.t.tb.Helper()
	a.freed = true
	if err := a.free(); err != nil {
		a.t.Errorf("the memory cannot be freed: %v", err)
	}
}

var arenaCases = []Case{
	{
		ID: "ARN-1", Name: "registered",
		Explanation: "Memory of an arena is not freed while it is registered, and can be when it is not.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			a := t.arena(1 << 14)
			heap := make([]byte, 8)
			t.registerBuffers(t.Engine, nil, a.mem[4096:8192], a.mem[:100], heap)
			a.used("registered")
			t.updateBuffers(1, heap)
			a.used("one is left")
			t.Want(api.ReadFixed(t.File("content"), 2, a.mem[:100], 0, 1), 7)
			t.updateBuffers(2, nil)
			a.end()
			b := t.arena(100)
			t.updateBuffers(0, b.mem)
			t.unregisterBuffers()
			b.end()
		},
	},
	{
		ID: "ARN-1", Name: "refused",
		Explanation: "What was not registered does not keep the memory of an arena.",
		Requires:    fixedBuffers,
		Fn: func(t *T) {
			a := t.arena(1 << 14)
			t.wantErrno("an empty buffer", t.Engine.RegisterBuffers([][]byte{a.mem, {}}), syscall.EINVAL)
			t.registerBuffers(t.Engine, nil)
			t.wantErrno("a second table", t.Engine.RegisterBuffers([][]byte{a.mem}), syscall.EBUSY)
			_, err := t.Engine.UpdateBuffers(1, [][]byte{a.mem})
			t.wantErrno("beyond the end", err, syscall.EINVAL)
			a.end()
		},
	},
	{
		ID: "ARN-1", Name: "cloned",
		Explanation: "Memory of an arena is not freed while any engine has it registered.",
		Requires:    fixedBuffers | api.FeatCloneBuffers,
		Fn: func(t *T) {
			a, from := t.arena(1<<14), t.Open(nil)
			t.registerBuffers(from, a.mem)
			t.must("clone", t.Engine.CloneBuffers(from))
			t.must("close the other engine", from.Close())
			a.used("cloned")
			t.unregisterBuffers()
			a.end()
		},
	},
	{
		ID: "ARN-2", Name: "in flight on a registered buffer",
		Explanation: "Memory of an arena is not freed while an operation on a registered buffer is in flight, though it is registered no more.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			m, n := t.arena(1<<14), t.arena(1<<14)
			t.registerBuffers(t.Engine, m.mem, n.mem)
			a, b := t.Pair(false)
			t.Submit(api.ReadFixed(a, 0, m.mem[:4], api.CurrentPosition, 1),
				api.ReadvFixed(a, 1, &api.Msg{Bufs: [][]byte{n.mem[:2], n.mem[10:12]}}, api.CurrentPosition, 2))
			t.StillPending(1, 2)
			t.unregisterBuffers()
			m.used("in flight")
			n.used("behind another")
			t.Put(b, "over")
			t.AwaitRes(1, 4)
			t.WantBytes(m.mem[:4], "over")
			m.end()
			n.used("in flight")
			t.Put(b, "done")
			t.AwaitRes(2, 4)
			n.end()
		},
	},
	{
		ID: "ARN-2", Name: "in flight, and not registered",
		Explanation: "Memory of an arena is not freed while any operation uses it, from Submit until its last completion.",
		Ops:         streamOps | msgOps | api.Ops(api.OpCancel, api.OpRead),
		Fn: func(t *T) {
			m, n, o := t.arena(100), t.arena(5000), t.arena(1)
			a, b := t.Pair(false)
			msg := &api.Msg{Bufs: [][]byte{make([]byte, 1), n.mem[4000:4003]}, Control: o.mem}
			ids := t.Submit(api.Recv(a, m.mem, 1))
			m.used("submitted")
			ids = append(ids, t.Submit(api.RecvMsg(a, msg, 2), api.Read(a, m.mem[50:], api.CurrentPosition, 3))...)
			t.StillPending(1, 2, 3)
			runtime.GC()
			for _, a := range []*arena{m, n, o} {
				a.used("in flight")
			}
			t.Put(b, "1")
			t.AwaitRes(1, 1)
			m.used("one has ended")
			t.Want(api.Cancel(ids[2], 4), 0)
			t.AwaitRes(3, ecanceled)
			m.end()
			n.used("the last")
			t.Put(b, "1234")
			t.AwaitRes(2, 4)
			n.end()
			o.end()
		},
	},
	{
		ID: "ARN-2", Name: "sending",
		Explanation: "Memory of an arena is not freed while it is being sent.",
		Ops:         api.Ops(api.OpWrite),
		Fn: func(t *T) {
			m := t.arena(1 << 14)
			r, w := t.Pipe(false)
			full := t.Fill(w)
			copy(m.mem, "last")
			t.Submit(api.Write(w, m.mem[:4], api.CurrentPosition, 1))
			t.StillPending(1)
			m.used("in flight")
			t.Get(r, full)
			t.AwaitRes(1, 4)
			m.end()
			t.WantGet(r, "last")
		},
	},
	{
		ID: "ARN-2", Name: "sending without a copy",
		Explanation: "Memory of an arena is not freed before the notification of a zero-copy send that uses it.",
		Requires:    zeroCopy,
		Ops:         sendZC,
		Fn: func(t *T) {
			m := t.arena(inQueue)
			a, b := t.TCP(false)
			t.Submit(api.SendZC(a, m.mem, 1))
			m.used("submitted")
			c := t.Await(1)
			if c.Res <= 0 || !c.More() {
				t.Fatalf("the result: %s", show(&c))
			}
			if t.Perform(); len(t.stash) == 0 {
				m.used("sent, and not notified")
			}
			t.Get(b, int(c.Res))
			if c = t.Await(1); c.Res != 0 || !c.Flags.Has(api.Notif) || c.More() {
				t.Errorf("the notification: %s", show(&c))
			}
			m.end()
		},
	},
	{
		ID: "ARN-2", Name: "not taken",
		Explanation: "An operation that Submit does not take does not keep the memory of an arena.",
		Requires:    api.FeatChains,
		Ops:         streamOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 2 },
		Fn: func(t *T) {
			m, n := t.arena(100), t.arena(100)
			a, _ := t.Pair(false)
			t.Submit(api.Recv(a, m.mem, 1))
			chain := []api.Op{api.Recv(a, n.mem, 2).With(api.Link), api.Recv(a, n.mem, 3)}
			if k, err := t.Engine.Submit(chain); k != 0 || err == nil {
				t.Fatalf("Submit: %d, %v", k, err)
			}
			n.end()
			m.used("in flight")
			t.CloseEngine()
			m.end()
		},
	},
	{
		ID: "ARN-3", Name: "closing the engine",
		Explanation: "An engine that is closed keeps no memory of an arena.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | streamOps,
		Fn: func(t *T) {
			m, n := t.arena(1<<14), t.arena(1<<14)
			t.registerBuffers(t.Engine, m.mem, m.mem[:10])
			a, b := t.Pair(false)
			t.Submit(api.ReadFixed(a, 0, m.mem[:8], 0, 1), api.Recv(a, n.mem, 2), api.Recv(b, m.mem[100:], 3))
			t.StillPending(1, 2, 3)
			m.used("registered, and in flight")
			n.used("in flight")
			t.CloseEngine()
			m.end()
			n.end()
			t.must("write", errOf(unix.Write(b, []byte("late"))))
			t.WantGet(a, "late")
		},
	},
}

func errOf(_ int, err error) error { return err }
