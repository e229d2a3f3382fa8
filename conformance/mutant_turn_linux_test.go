package conformance_test

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// Engines that have operations wait for what is none of their business, or not for what is; that end them for others, or do not let
// them have their turn; and that know too much, or too little, of time, wakes and other goroutines.

// ownTag is that of operations which a mutant submits by itself.
const ownTag = 0xfa17 << 48

// own submits operations of which the case hears nothing, if there is room.
func (m *mutant) own(ops ...api.Op) {
	for i := range ops {
		ops[i].Tag = ownTag
	}
	_, _ = m.Engine.Submit(ops) // the case has all the room
}

// quiet makes a complete hook that lets the case hear nothing of those.
func quiet(f func(m *mutant, dst []api.Completion, n int) int) func(*mutant, []api.Completion, int) int {
	return func(m *mutant, dst []api.Completion, n int) int {
		n = f(m, dst, n)
		for i := 0; i < n; {
			if dst[i].Tag == ownTag {
				n = drop(dst, n, i)
			} else {
				i++
			}
		}
		return n
	}
}

// behind makes a complete hook that keeps completions back as long as there are others, of which before is true.
func behind(before func(m *mutant, c *api.Completion) bool) func(*mutant, []api.Completion, int) int {
	return func(m *mutant, dst []api.Completion, n int) int {
		all := append(m.held, dst[:n]...)
		first := slices.Clone(all)
		first = slices.DeleteFunc(first, func(c api.Completion) bool { return !before(m, &c) })
		if len(first) == 0 || len(first) > len(dst) {
			n = copy(dst, all)
			m.held = slices.Clone(all[n:])
			return n
		}
		m.held = slices.DeleteFunc(slices.Clone(all), func(c api.Completion) bool { return before(m, &c) })
		return copy(dst, first)
	}
}

// alike makes a submit hook that gives flags to operations with the code.
func alike(code api.OpCode, f api.OpFlags) func(*mutant, []api.Op) (int, error) {
	return onlyFor(code, func(op *api.Op) { op.Flags |= f })
}

// sameFD has a cancel of one operation end all on its fd.
var sameFD = mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
	asked := slices.Clone(ops)
	for i := range asked {
		if op := &asked[i]; op.Code == api.OpCancel && op.Flags&(api.ByFD|api.ByOp|api.Any) == 0 {
			if target, ok := m.seen[op.Target]; ok {
				op.FD, op.Flags = target.FD, op.Flags|api.ByFD
			}
		}
	}
	n, err := noted(nil)(m, asked)
	for i := range asked[:n] {
		ops[i].ID = asked[i].ID
	}
	return n, err
}, complete: told(api.OpCancel, func(res int32) int32 { return min(res, 0) })}

// oneBad has a failure end all that is in flight.
var oneBad = mutant{complete: quiet(func(m *mutant, dst []api.Completion, n int) int {
	for _, c := range dst[:n] {
		if c.Res < 0 && c.Res != canceled {
			m.own(api.CancelAny(0))
		}
	}
	return n
})}

// tagsInOnePlace has one table of tags for all engines of the process.
func tagsInOnePlace() mutant {
	var tags sync.Map
	return mutant{
		submit: func(m *mutant, ops []api.Op) (int, error) {
			n, err := m.Engine.Submit(ops)
			for _, op := range ops[:n] {
				tags.Store(op.ID, op.Tag)
			}
			return n, err
		},
		complete: each(func(_ *mutant, c *api.Completion) {
			if tag, ok := tags.Load(c.ID); ok {
				c.Tag = tag.(uint64)
			}
		}),
	}
}

// toldByPointer looks into the caller's slice for the tag of what has completed.
func toldByPointer() mutant {
	var mu sync.Mutex
	where := map[api.OpID]*api.Op{}
	return mutant{
		submit: func(m *mutant, ops []api.Op) (int, error) {
			n, err := m.Engine.Submit(ops)
			mu.Lock()
			defer mu.Unlock()
			clear(where)
			for i := range ops[:n] {
				where[ops[i].ID] = &ops[i]
			}
			return n, err
		},
		complete: each(func(_ *mutant, c *api.Completion) {
			mu.Lock()
			defer mu.Unlock()
			if op := where[c.ID]; op != nil {
				c.Tag = op.Tag
			}
		}),
	}
}

// fewGenerations has ids come again after eight uses of their slot.
func fewGenerations(id api.OpID) api.OpID { return api.MakeOpID(id.Slot(), id.Generation()&7|8) }

// sawSignals ends waits early now and then, as one that was interrupted.
func sawSignals() func(w api.Wait) api.Wait {
	waits := new(atomic.Int64)
	return func(w api.Wait) api.Wait {
		if waits.Add(1)%4 == 0 && w.Min > 0 {
			w.Deadline = api.Now()
		}
		return w
	}
}

// inTheWay is like onlyOne for Wake.
func inTheWay(m *mutant) error {
	defer m.wakes.Add(-1)
	if m.wakes.Add(1) > 1 {
		return syscall.EBUSY
	}
	for range 10 {
		runtime.Gosched() // it takes its time, so that they meet
	}
	return m.Engine.Wake()
}

// expiredCount has timeouts that have expired count for others: by a nop, of which nobody hears.
var expiredCount = mutant{complete: quiet(func(m *mutant, dst []api.Completion, n int) int {
	for _, c := range dst[:n] {
		if c.Code == api.OpTimeout && c.Res == timedOut {
			m.own(api.Nop(0))
		}
	}
	return n
})}

// drifting has each tick count from when the last one was delivered.
var drifting = mutant{submit: noted(nil), complete: quiet(func(m *mutant, dst []api.Completion, n int) int {
	for _, c := range dst[:n] {
		if c.Code == api.OpTimeout && c.More() {
			m.own(api.TimeoutUpdate(c.ID, time.Duration(m.seen[c.ID].Off), 0))
		}
	}
	return n
})}

// lessRoom is an engine of 64 that takes one operation fewer for each time that it has been full.
func lessRoom(m *mutant, ops []api.Op) (int, error) {
	n, err := m.Engine.Submit(ops[:min(64-m.n, len(ops))])
	if err == nil && n < len(ops) {
		err = api.ErrQueueFull
	}
	if errors.Is(err, api.ErrQueueFull) {
		m.n++
	}
	return n, err
}

// refusesOn makes a submit hook for an engine that, once it had no room for an operation with the code, never has.
func refusesOn(code api.OpCode) func(*mutant, []api.Op) (int, error) {
	return func(m *mutant, ops []api.Op) (int, error) {
		if i := slices.IndexFunc(ops, func(op api.Op) bool { return op.Code == code }); i >= 0 && m.n > 0 {
			return i, api.ErrQueueFull
		}
		n, err := m.Engine.Submit(ops)
		if errors.Is(err, api.ErrQueueFull) {
			m.n++
		}
		return n, err
	}
}

// afterFull refuses what comes next once it had no room for something.
func afterFull(m *mutant, ops []api.Op) (int, error) {
	if m.n > 0 {
		m.n = 0
		return 0, api.ErrQueueFull
	}
	n, err := m.Engine.Submit(ops)
	if errors.Is(err, api.ErrQueueFull) {
		m.n++
	}
	return n, err
}

// lateWaits has waits for futexes begin some milliseconds behind the Complete that performs them.
var lateWaits = mutant{submit: changed(func(m *mutant, op *api.Op) {
	if op.Code == api.OpFutexWait {
		m.own(api.Timeout(3*time.Millisecond, 0))
		op.Flags |= api.Drain
	}
}), complete: quiet(func(_ *mutant, _ []api.Completion, n int) int { return n })}

// looksAtThePidfd ends a waitid whose pidfd has been closed.
var looksAtThePidfd = mutant{submit: noted(nil), instead: func(m *mutant, _ []api.Completion, _ api.Wait) (bool, error) {
	for id, op := range m.seen {
		var st unix.Stat_t
		if err := unix.Fstat(int(op.FD), &st); op.Code == api.OpWaitid && (err != nil || st.Mode&unix.S_IFMT == unix.S_IFSOCK) {
			delete(m.seen, id)
			m.own(api.Cancel(id, 0))
		}
	}
	return false, nil
}, complete: quiet(func(_ *mutant, _ []api.Completion, n int) int { return n })}

// bySocketTimeout has SO_RCVTIMEO bound receives.
var bySocketTimeout = onlyFor(api.OpRecv, func(op *api.Op) {
	if tv, err := unix.GetsockoptTimeval(int(op.FD), unix.SOL_SOCKET, unix.SO_RCVTIMEO); err == nil && tv.Nano() > 0 {
		op.Deadline = api.After(time.Duration(tv.Nano()))
	}
})

// inherited has operations without a Deadline take over the one of the last that had one.
var inherited = changed(func(m *mutant, op *api.Op) {
	if op.Deadline != 0 {
		m.num()[0] = int(op.Deadline)
	} else if op.Code == api.OpRecv {
		op.Deadline = api.Instant(m.num()[0])
	}
})

// deadlineBehind tells once more, at its Deadline, of what was cancelled before.
var deadlineBehind = mutant{submit: noted(nil), complete: func(m *mutant, dst []api.Completion, n int) int {
	for i := range dst[:n] {
		c := &dst[i]
		if c.Tag == ownTag {
			*c = m.held[0]
			c.Res = timedOut
		} else if at := m.seen[c.ID].Deadline; at > 0 && c.Res == canceled {
			m.held = append(m.held[:0], *c)
			m.own(api.TimeoutAt(at, 0))
		}
	}
	return n
}}

var turnMutants = []fault{
	{"directions wait for each other", "ORD-4", mutant{submit: alike(api.OpSend, api.Drain)}},
	{"a cancel ends all on the fd", "ORD-5", sameFD},
	{"what is behind a multishot overtakes it", "ORD-6", made("", mutants, "no order").m},
	{"one failure ends all", "ERR-5", oneBad},
	{"send overtakes its connect", "CON-8", made("", mutants, "no order").m},
	{"connect to a full backlog gives up", "CON-4", mutant{submit: onlyFor(api.OpConnect, func(op *api.Op) { op.Deadline = api.Now() })}},
	{"splices out of order", "SPL-7", mutant{submit: alike(api.OpSplice, api.Unordered)}},
	{"a splice waits for those before it", "SPL-12", mutant{submit: alike(api.OpSplice, api.Drain)}},
	{"files wait for futexes", "FTX-11", mutant{submit: alike(api.OpFsync, api.Drain)}},
	{"futex wait begins late", "FTX-4", lateWaits},
	{"futex wait interrupted", "FTX-13", mutant{complete: ofCode(api.OpFutexWait, func(m *mutant, c *api.Completion) {
		if m.n++; m.n%10 == 0 {
			c.Res = -int32(syscall.EINTR)
		}
	})}},
	{"waitid does as its pidfd says", "CHD-9", mutant{submit: onlyFor(api.OpWaitid, func(op *api.Op) {
		if flags, err := unix.FcntlInt(uintptr(op.FD), unix.F_GETFL, 0); err == nil && flags&unix.O_NONBLOCK != 0 {
			op.Arg |= unix.WNOHANG
		}
	})}},
	{"waitid needs its pidfd", "CHD-10", looksAtThePidfd},
	{"kmsg does as its O_NONBLOCK says", "DEV-12", mutant{submit: onlyFor(api.OpRead, func(op *api.Op) { op.Flags |= api.DontWait })}},
	{"chain goes on behind what was short", "FIX-7", mutant{submit: instead(api.Link, api.HardLink)}},
	{"completions held up by many in flight", "CMP-15", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		if m.Engine.Stats().InFlight > 100 {
			m.held = append(m.held, dst[:n]...)
			return 0
		}
		return n
	}}},
	{"nops first", "CMP-16", mutant{complete: behind(func(_ *mutant, c *api.Completion) bool { return c.Code == api.OpNop })}},
	{"what was posted first", "MSG-8", mutant{complete: behind(func(_ *mutant, c *api.Completion) bool { return c.ID == 0 })}},
	{"multishots first", "MSH-8", mutant{complete: behind(func(_ *mutant, c *api.Completion) bool { return c.More() })}},
	{"polls with Level first", "POL-17", mutant{complete: behind(func(_ *mutant, c *api.Completion) bool { return c.Code == api.OpPoll })}},
	{"a multishot does not wait for long", "SHU-8", mutant{submit: onlyFor(api.OpRecv, func(op *api.Op) {
		if op.Flags.Has(api.Multishot) {
			op.Deadline = api.After(time.Millisecond)
		}
	})}},
	{"turns in a circle", "ENG-11", mutant{wait: func(w api.Wait) api.Wait { w.Strategy = api.Strategy{Mode: api.ModeBlock, Spin: api.MaxSpin}; return w }}},
	{"zero Wait waits", "CMP-7", mutant{wait: func(w api.Wait) api.Wait {
		if w.Min == 0 && w.Deadline == 0 {
			w.Min, w.Deadline = 1, api.After(100*time.Millisecond)
		}
		return w
	}}},
	{"interrupted wait is over", "CMP-14", mutant{wait: sawSignals()}},
	{"Batch without a Deadline", "RNG-55", mutant{wait: func(w api.Wait) api.Wait {
		if w.Batch > 0 {
			w.Deadline = 0
		}
		return w
	}}},
	{"Complete with Min 0 performs nothing", "RNG-5", mutant{instead: func(_ *mutant, dst []api.Completion, w api.Wait) (bool, error) { return w.Min == 0, nil }}},
	{"restricted engine without deadlines", "RNG-4", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Deadline = 0 })}},
	{"timeout of 0 never comes", "TMO-3", mutant{submit: onlyFor(api.OpTimeout, func(op *api.Op) {
		if op.Off == 0 {
			op.Off = int64(time.Hour)
		}
	})}},
	{"longest timeout overflows", "TMO-8", mutant{submit: onlyFor(api.OpTimeout, func(op *api.Op) {
		if op.Off > 1<<62 {
			op.Off = 0
		}
	})}},
	{"timeout wakes nobody", "TMO-9", mutant{complete: withOthers(func(c *api.Completion) bool { return c.Code == api.OpTimeout })}},
	{"Deadline inherited", "TMO-13", mutant{submit: inherited}},
	{"Deadline behind a cancel", "TMO-13", deadlineBehind},
	{"expired timeouts count", "TMO-17", expiredCount},
	{"ticks drift", "TMO-19", drifting},
	{"update forgets the Deadline", "TMO-27", mutant{submit: onlyFor(api.OpTimeout, func(op *api.Op) { op.Deadline = 0 })}},
	{"socket's own timeout", "STR-13", mutant{submit: bySocketTimeout}},
	{"operation that an engine has of another", "ENG-7", mutant{complete: told(api.OpCancel, becomes(notFound, 0))}},
	{"tags of all engines in one place", "ENG-8", tagsInOnePlace()},
	{"slice is looked at later", "SUB-5", toldByPointer()},
	{"ids come again", "SUB-7", mutant{
		submit: func(m *mutant, ops []api.Op) (int, error) {
			n, err := m.Engine.Submit(ops)
			for i := range ops[:n] {
				ops[i].ID = fewGenerations(ops[i].ID)
			}
			return n, err
		},
		complete: each(func(_ *mutant, c *api.Completion) { c.ID = fewGenerations(c.ID) }),
	}},
	{"less room behind ErrQueueFull", "OVF-3", mutant{submit: lessRoom}},
	{"nothing is taken without a worker", "WRK-2", mutant{submit: afterFull}},
	{"refused once, refused for ever", "WRK-3", mutant{submit: refusesOn(api.OpFsync)}},
	{"one Wake at a time", "WAK-4", mutant{wake: inTheWay}},
	{"Wake takes a completion", "WAK-6", mutant{wake: func(m *mutant) error {
		m.wakes.Add(1)
		return m.Engine.Wake()
	}, complete: func(m *mutant, dst []api.Completion, n int) int {
		if n > 0 && m.wakes.Load() > 20 {
			m.wakes.Store(0)
			return n - 1
		}
		return n
	}}},
	{"Wake of what is closed is EBADF", "WAK-7", mutant{wake: func(m *mutant) error {
		err := m.Engine.Wake()
		if err == api.ErrClosed {
			err = syscall.EBADF
		}
		return err
	}}},
	{"Wake lasts longer than the engine", "WAK-7", mutant{wake: func(m *mutant) error { _ = m.Engine.Wake(); return nil }}},
	{"Post to what is closed is EBADF", "MSG-9", mutant{post: func(m *mutant, tag uint64, res int32) error {
		err := m.Engine.Post(tag, res)
		if err == api.ErrClosed {
			err = syscall.EBADF
		}
		return err
	}}},
	{"no messages to itself", "MSG-5", mutant{submit: onlyTo(func(m *mutant, to api.Engine) bool { return to != m.Engine })}},
	{"messages to its own kind only", "MSG-10", mutant{submit: onlyTo(func(m *mutant, to api.Engine) bool {
		_, ok := to.(*mutant)
		return ok || to == m.Engine
	})}},
	{"Close of what is held up fails", "DRN-9", mutant{submit: changed(func(m *mutant, op *api.Op) {
		if op.Flags.Has(api.Drain) {
			m.n++
		}
	}), closing: func(m *mutant) error {
		err := m.Engine.Close()
		if err == nil && m.n > 0 {
			err = syscall.EBUSY
		}
		return err
	}}},
}

// onlyTo makes a submit hook that takes messages to some engines for ones to nobody.
func onlyTo(right func(m *mutant, to api.Engine) bool) func(*mutant, []api.Op) (int, error) {
	return changed(func(m *mutant, op *api.Op) {
		if op.Args != nil && op.Args.To != nil && !right(m, op.Args.To) {
			a := *op.Args
			a.To = nil
			op.Args = &a
		}
	})
}

// TestTurnMutants is TestMutants for whose turn it is, and when.
func TestTurnMutants(t *testing.T) { testMutants(t, turnMutants) }
