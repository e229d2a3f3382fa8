package conformance_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

// mutant is an engine with a fault. What a hook leaves nil is done rightly.
type mutant struct {
	api.Engine
	n      int              // counts what the hook wants to count, of the owner's calls
	wakes  *atomic.Int64    // counts what other goroutines do, the watchdog's among them
	target api.OpID         // of the last cancel
	held   []api.Completion // to be delivered by a later Complete
	last   api.Lease
	kept   []byte // of the first registered buffer

	submit     func(m *mutant, ops []api.Op) (int, error)
	complete   func(m *mutant, dst []api.Completion, n int) int // changes the n completions in dst, and returns how many there are now
	wait       func(w api.Wait) api.Wait
	instead    func(m *mutant, dst []api.Completion, w api.Wait) (done bool, err error) // done instead of Complete, if it says so
	wake       func(m *mutant) error
	post       func(m *mutant, tag uint64, res int32) error
	features   func(f api.Features) api.Features
	closing    func(m *mutant) error
	stats      func(s api.Stats) api.Stats
	group      func(g api.BufferGroup) api.BufferGroup
	options    func(o *api.BufferGroupOptions) // of a group
	register   func(m *mutant, bufs [][]byte) error
	update     func(m *mutant, at int, bufs [][]byte) (int, error)
	unregister func(m *mutant) error
	clone      func(m *mutant, from api.Engine) error

	sync   func(m *mutant, c api.Op, limit time.Duration) (int, error)
	resize func(m *mutant, entries, cqEntries int) error

	method string // that call and count are about
	call   func(do func() error) error
	count  func(n int) int

	opening func(o *api.Options) // changes what the engine is opened with
	seen    map[api.OpID]api.Op  // what has been submitted, where a hook wants to know

	files       func(m *mutant, fds []int) error
	updateFiles func(m *mutant, at int, fds []int) (int, error)
	fileRange   func(m *mutant, at, n int) error

	nums map[int]int // what a hook remembers of fds, or else by numbers
}

// num is the map in which a hook remembers numbers by numbers.
func (m *mutant) num() map[int]int {
	if m.nums == nil {
		m.nums = map[int]int{}
	}
	return m.nums
}

func (m *mutant) Submit(ops []api.Op) (int, error) {
	for i := range ops {
		if a := ops[i].Args; a != nil && a.To == api.Engine(m) {
			a.To = m.Engine // an engine looks whether the target is itself
		}
	}
	if m.submit != nil {
		return m.submit(m, ops)
	}
	return m.Engine.Submit(ops)
}

func (m *mutant) Complete(dst []api.Completion, w api.Wait) (int, error) {
	if m.instead != nil {
		if done, err := m.instead(m, dst, w); done {
			return 0, err
		}
	}
	if m.wait != nil {
		w = m.wait(w)
	}
	n, err := m.Engine.Complete(dst, w)
	if m.complete != nil && err == nil {
		n = m.complete(m, dst, n)
	}
	return n, err
}

func (m *mutant) Wake() error {
	if m.wake != nil {
		return m.wake(m)
	}
	return m.did("Wake", m.Engine.Wake)
}

func (m *mutant) Post(tag uint64, res int32) error {
	if m.post != nil {
		return m.post(m, tag, res)
	}
	return m.did("Post", func() error { return m.Engine.Post(tag, res) })
}

func (m *mutant) ResizeQueues(entries, cqEntries int) error {
	if m.resize != nil {
		return m.resize(m, entries, cqEntries)
	}
	return m.did("ResizeQueues", func() error { return m.Engine.ResizeQueues(entries, cqEntries) })
}

func (m *mutant) Features() api.Features {
	if m.features != nil {
		return m.features(m.Engine.Features())
	}
	return m.Engine.Features()
}

func (m *mutant) Stats() api.Stats {
	if m.stats != nil {
		return m.stats(m.Engine.Stats())
	}
	return m.Engine.Stats()
}

func (m *mutant) NewBufferGroup(o api.BufferGroupOptions) (api.BufferGroup, error) {
	if m.options != nil {
		m.options(&o)
	}
	var g api.BufferGroup
	err := m.did("NewBufferGroup", func() (err error) {
		g, err = m.Engine.NewBufferGroup(o)
		return err
	})
	switch {
	case g == nil && err == nil:
		return m.Engine.NewBufferGroup(api.BufferGroupOptions{ID: o.ID}) // a fault that hides an error: there has to be a group
	case err == nil && m.group != nil:
		g = m.group(g)
	case err == nil && m.method != "":
		g = &called{BufferGroup: g, m: m}
	}
	return g, err
}

func (m *mutant) Close() error {
	if m.closing != nil {
		return m.closing(m)
	}
	return m.did("Close", m.Engine.Close)
}

// did calls a method, wrongly if the fault is about it.
func (m *mutant) did(method string, do func() error) error {
	if m.call != nil && m.method == method {
		return m.call(do)
	}
	return do()
}

// counted is did for a method that returns a number as well.
func (m *mutant) counted(method string, do func() (int, error)) (n int, err error) {
	err = m.did(method, func() (err error) {
		n, err = do()
		return err
	})
	if m.count != nil && m.method == method && err == nil {
		n = m.count(n)
	}
	return n, err
}

// each makes a complete hook that changes one completion at a time.
func each(f func(m *mutant, c *api.Completion)) func(*mutant, []api.Completion, int) int {
	return func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			f(m, &dst[i])
		}
		return n
	}
}

// changed makes a submit hook that submits changed copies of the operations.
func changed(f func(m *mutant, op *api.Op)) func(*mutant, []api.Op) (int, error) {
	return func(m *mutant, ops []api.Op) (int, error) {
		copies := append([]api.Op(nil), ops...)
		for i := range copies {
			f(m, &copies[i])
		}
		n, err := m.Engine.Submit(copies)
		for i := range copies[:n] {
			ops[i].ID = copies[i].ID
		}
		return n, err
	}
}

// drop takes dst[i] away.
func drop(dst []api.Completion, n, i int) int {
	copy(dst[i:n], dst[i+1:n])
	return n - 1
}

// leaky is a group that gives out no lease twice, but takes one twice.
type leaky struct{ api.BufferGroup }

func (g leaky) Release(l api.Lease) error {
	_ = g.BufferGroup.Release(l) // that is the fault
	return nil
}

// deaf is a group that takes leases back and does not recycle them.
type deaf struct{ api.BufferGroup }

func (g deaf) Release(api.Lease) error { return nil }

type fault struct {
	name string
	rule string // whose cases must notice
	m    mutant
}

var mutants = []fault{
	{"completion lost", "SUB-1", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if m.n++; m.n%37 == 0 {
				return drop(dst, n, i)
			}
		}
		return n
	}}},
	{"completion twice", "CMP-1", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		if n > 0 && n < len(dst) {
			dst[n] = dst[n-1]
			n++
		}
		return n
	}}},
	{"wrong sign", "TMO-1", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpTimeout && c.Res == timedOut {
			c.Res = -c.Res
		}
	})}},
	{"More left out", "MSH-1", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Flags &^= api.More })}},
	{"More on the last", "STR-8", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpRecv && c.Res == 0 {
			c.Flags |= api.More
		}
	})}},
	{"no order", "ORD-1", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		back := append([]api.Op(nil), ops...)
		for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
			back[i], back[j] = back[j], back[i]
		}
		n, err := m.Engine.Submit(back)
		for i := range back {
			ops[len(ops)-1-i].ID = back[i].ID
		}
		return n, err
	}}},
	{"wake lost", "WAK-1", mutant{wake: func(*mutant) error { return nil }}},
	{"wake lost now and then", "WAK-3", mutant{wake: func(m *mutant) error {
		if m.wakes.Add(1)%50 == 49 {
			return nil
		}
		return m.Engine.Wake()
	}}},
	{"wrong tag", "CMP-2", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Tag &= 1<<32 - 1 })}},
	{"wrong id", "CMP-2", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.ID &= 1<<32 - 1 })}},
	{"wrong code", "VEC-1", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpReadv {
			c.Code = api.OpRead
		}
	})}},
	{"timeout too early", "TMO-1", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeout && op.Flags&api.Abs == 0 && op.Off > 0 {
			op.Off /= 2
		}
	})}},
	{"timeout rounded down to milliseconds", "TMO-1", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeout && op.Flags&api.Abs == 0 && op.Off > 0 {
			op.Off -= op.Off % int64(time.Millisecond)
		}
	})}},
	{"wait too short", "CMP-6", mutant{wait: func(w api.Wait) api.Wait {
		if w.Deadline > 1 {
			w.Deadline = w.Deadline.Add(-2 * time.Millisecond)
		}
		return w
	}}},
	{"Min not heeded", "CMP-5", mutant{wait: func(w api.Wait) api.Wait {
		w.Min = min(w.Min, 1)
		return w
	}}},
	{"cancel loses bytes", "CAN-10", mutant{
		submit: changed(func(m *mutant, op *api.Op) {
			if op.Code == api.OpCancel {
				m.target = op.Target
			}
		}),
		complete: each(func(m *mutant, c *api.Completion) {
			if c.ID == m.target && c.Res > 0 {
				c.Res = -int32(api.ECanceled)
			}
		}),
	}},
	{"deadline not heeded", "TMO-10", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Deadline = 0 })}},
	{"DontWait not heeded", "STR-4", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags &^= api.DontWait })}},
	{"waits in spite of DontWait for the rest", "STR-19", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Flags.Has(api.WaitAll | api.DontWait) {
			op.Flags &^= api.DontWait
		}
	})}},
	{"WaitAll not heeded", "STR-6", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags &^= api.WaitAll })}},
	{"EOF not reported", "CMP-4", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Flags &^= api.AtEOF })}},
	{"result one short", "FIL-4", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpRead && c.Res > 3000 {
			c.Res--
		}
	})}},
	{"reset swallowed", "STR-10", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.ECONNRESET) {
			c.Res = 0
		}
	})}},
	{"cancel always says 0", "CAN-3", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpCancel {
			c.Res = max(c.Res, 0)
		}
	})}},
	{"CancelFD counts one too few", "CAN-12", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpCancel && c.Res > 1 {
			c.Res--
		}
	})}},
	{"position moved by explicit offsets", "FIL-1", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRead && op.Off >= 0 {
			op.Off = api.CurrentPosition
		}
	})}},
	{"shutdown takes any how", "SHU-5", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpShutdown && op.Arg > 2 {
			op.Arg = api.ShutBoth
		}
	})}},
	{"lease taken back twice", "BUF-5", mutant{group: func(g api.BufferGroup) api.BufferGroup { return leaky{g} }}},
	{"lease not recycled", "BUF-1", mutant{group: func(g api.BufferGroup) api.BufferGroup { return deaf{g} }}},
	{"lease left out", "BUF-1", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Lease = 0 })}},
	{"lease of another buffer", "BUF-4", mutant{complete: each(func(m *mutant, c *api.Completion) {
		if c.Lease != 0 {
			c.Lease, m.last = m.last, c.Lease
			if c.Lease == 0 {
				c.Lease = m.last
			}
		}
	})}},
	{"completions held back", "CMP-5", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		if n > 1 {
			m.held = append(m.held, dst[n-1])
			n--
		} else if n == 0 && len(dst) > 0 && len(m.held) > 3 {
			dst[0], m.held = m.held[0], m.held[1:]
			n = 1
		}
		return n
	}}},
	{"order of completions reversed", "TMO-2", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
			dst[i], dst[j] = dst[j], dst[i]
		}
		return n
	}}},
	{"second Close succeeds", "ENG-1", mutant{closing: func(m *mutant) error {
		_ = m.Engine.Close() // that is the fault
		return nil
	}}},
	{"Close does nothing", "ENG-3", mutant{closing: func(m *mutant) error {
		if m.n++; m.n > 1 {
			return api.ErrClosed
		}
		return nil
	}}},
	{"operations in flight miscounted", "ENG-4", mutant{stats: func(s api.Stats) api.Stats { s.InFlight++; return s }}},
	{"declares everything native and emulated", "ENG-5", mutant{features: func(f api.Features) api.Features { f.Emulated |= f.Native | 1; f.Native |= 1; return f }}},
	{"declares what it was told to leave out", "RNG-3", mutant{features: func(f api.Features) api.Features { f.OpsEmulated |= api.Ops(api.OpNop) &^ f.OpsNative; return f }}},
	{"takes what it was told to leave out", "RNG-3", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		n, err := m.Engine.Submit(ops)
		if errors.Is(err, api.ErrUnsupported) {
			return len(ops), nil // that is the fault
		}
		return n, err
	}}},
	{"credentials forgotten", "RNG-8", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Personality = 0 })}},
	{"performs in Submit", "SUB-2", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		n, err := m.Engine.Submit(ops)
		_, _ = m.Engine.Complete(nil, api.Wait{}) // that is the fault
		return n, err
	}}},
	{"options not set", "SOC-11", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpUringCmd && op.Arg == api.SockSetOpt {
			op.Arg = api.SockGetOpt
		}
	})}},
	{"room for control data forgotten", "CTL-1", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRecvMsg {
			m := *op.Msg
			m.Control = nil
			op.Msg = &m
		}
	})}},
	{"flags of the system call forgotten", "FLG-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRecv || op.Code == api.OpRecvMsg {
			op.Arg = 0
		}
	})}},
	{"one address for all", "ADR-3", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpSendMsg {
			m := *op.Msg
			m.Addr = api.Addr{}
			op.Msg = &m
		}
	})}},
	{"takes no more than ten", "SUB-1", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		return m.Engine.Submit(ops[:min(len(ops), 10)])
	}}},
	{"count not heeded", "TMO-16", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeout && op.Flags&api.Multishot == 0 {
			op.Arg = 0
		}
	})}},
	{"count one too many", "TMO-16", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeout && op.Flags&api.Multishot == 0 && op.Arg > 0 {
			op.Arg++
		}
	})}},
	{"one tick too many", "TMO-18", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Flags&api.Multishot != 0 && op.Arg > 1 {
			op.Arg++
		}
	})}},
	{"ticks too early", "TMO-18", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeout && op.Flags&api.Multishot != 0 {
			op.Off -= op.Off / 8
		}
	})}},
	{"wall clock too early", "TMO-21", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeout && op.Flags.Has(api.Abs|api.Realtime) {
			op.Off -= int64(2 * time.Millisecond)
		}
	})}},
	{"removal finds everything", "TMO-25", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpTimeoutRemove {
			c.Res = 0
		}
	})}},
	{"update forgotten", "TMO-26", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeoutRemove && op.Flags&api.Abs == 0 {
			op.Off = int64(time.Hour)
		}
	})}},
	{"update too early", "TMO-26", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpTimeoutRemove && op.Flags&api.Abs == 0 {
			op.Off /= 2
		}
	})}},
	{"posted completion lost now and then", "MSG-4", mutant{post: func(m *mutant, tag uint64, res int32) error {
		if res%100 == 99 {
			return nil
		}
		return m.Engine.Post(tag, res)
	}}},
	{"posted completion twice", "MSG-1", mutant{post: func(m *mutant, tag uint64, res int32) error {
		_ = m.Engine.Post(tag, res) // that is the fault
		return m.Engine.Post(tag, res)
	}}},
	{"Post does nothing", "MSG-3", mutant{
		post: func(m *mutant, tag uint64, res int32) error { return nil },
	}},
	{"Post knows no bound", "MSG-7", mutant{post: func(m *mutant, tag uint64, res int32) error {
		_ = m.Engine.Post(tag, res) // that is the fault
		return nil
	}}},
	{"poll gives what was asked for", "POL-2", mutant{
		submit: changed(func(m *mutant, op *api.Op) {
			if op.Code == api.OpPoll {
				m.n = int(op.Arg)
			}
		}),
		complete: each(func(m *mutant, c *api.Completion) {
			if c.Code == api.OpPoll && c.Res > 0 {
				c.Res = int32(m.n)
			}
		}),
	}},
}

// TestMutants shows that the cases of a rule catch an engine that breaks it.
func TestMutants(t *testing.T) {
	testMutants(t, slices.Concat(mutants, chainMutants, bufferMutants, selectedMutants))
}
