package core

import (
	"errors"
	"time"

	"pgregory.net/rapid"

	"github.com/sluiceio/sluice/api"
)

// runModel is one life of an engine.
func runModel(t *rapid.T, fds []int) {
	m := &model{t: t, fds: fds, byID: map[api.OpID]*modelOp{}, closing: map[int32]bool{}, seen: map[api.Lease]bool{}}
	m.d = &script{m: m}
	opt, err := (&api.Options{MaxInFlight: 4 + m.n(60, "MaxInFlight")}).WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if m.e, err = New("model", opt, api.Features{}, m.d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.e.wake.fd.Close() }) // for the second time, unless a check has failed
	m.group()
	complete := func(*rapid.T) {
		w := api.Wait{}
		if m.odds(3, "waits") {
			w = api.Wait{Min: 1 + m.n(3, "Min"), Deadline: api.After(m.micros(60))}
		}
		m.complete(m.n(8, "room"), w)
	}
	t.Repeat(map[string]func(*rapid.T){
		"submit":   func(*rapid.T) { m.submit() },
		"submit2":  func(*rapid.T) { m.submit() },
		"complete": complete, "complete2": complete, "complete3": complete,
		"sleep": func(*rapid.T) { m.complete(1+m.n(8, "room"), api.Wait{Min: 1}) },
		"sync":  func(*rapid.T) { m.sync(); m.look() },
		"group": func(*rapid.T) { m.group(); m.look() },
		"wake":  func(*rapid.T) { m.wake() },
		"post":  func(*rapid.T) { m.post() },
		"late":  func(*rapid.T) { pass(m.micros(100)) },
		"release": func(t *rapid.T) {
			if len(m.leases) == 0 {
				t.Skip("no lease is out")
			}
			m.release(m.n(len(m.leases), "lease"))
			m.look()
		},
		"quiet": func(*rapid.T) { m.quiet() },
	})
	m.end()
}

// submit submits some operations, and checks how many are taken.
func (m *model) submit() {
	ops := m.batch()
	n, err := m.e.Submit(ops)
	m.note(ops[:n])
	m.look()
	switch {
	case err == nil:
		if n != len(ops) {
			m.fail("Submit has taken %d of %d", n, len(ops))
		}
		return
	case !errors.Is(err, api.ErrQueueFull):
		m.fail("Submit: %v", err)
	}
	unit := 1
	for ops[n+unit-1].Flags&(api.Link|api.HardLink) != 0 && n+unit < len(ops) {
		unit++
	}
	if in := int(m.inFlight()); in+unit <= m.e.opt.MaxInFlight {
		m.fail("Submit has no room for %d more, and %d are in flight", unit, in)
	}
	// A chain is taken whole or not at all, and what is not taken has no id.
	for i := range ops[n:] {
		if ops[n+i].ID != 0 {
			m.fail("operation %d of %d that were taken has the id %#x", n+i, n, uint64(ops[n+i].ID))
		}
	}
	if n > 0 && n < len(ops) && ops[n-1].Flags&(api.Link|api.HardLink) != 0 {
		m.fail("Submit has taken half a chain")
	}
}

// batch makes operations of all kinds.
func (m *model) batch() (ops []api.Op) {
	buf := make([]byte, 4)
	for range 1 + m.n(6, "ops") {
		fd, tag := m.fds[m.n(len(m.fds), "fd")], uint64(len(m.ops)*8+len(ops)+1)
		op := m.operation(fd, buf, tag)
		if m.odds(6, "deadline") {
			op.Deadline = api.After(m.micros(50))
		}
		for _, f := range []api.OpFlags{api.Link, api.HardLink, api.SkipSuccess} {
			if m.odds(4, "chain") {
				op.Flags |= f
			}
		}
		if m.odds(12, "drain") {
			op.Flags |= api.Drain
		}
		ops = append(ops, op)
	}
	return ops
}

func (m *model) operation(fd int, buf []byte, tag uint64) api.Op {
	switch m.pick(22, "op") {
	case 0, 1, 2:
		op := api.Recv(fd, buf, tag)
		return op.With([]api.OpFlags{0, api.DontWait, api.Unordered, api.WaitAll}[m.n(4, "flags")])
	case 3, 4:
		return api.Send(fd, buf, tag)
	case 5:
		return api.Cancel(m.anyID(), tag)
	case 6:
		return m.cancelMany(fd, tag)
	case 7:
		return api.Timeout(m.micros(50), tag)
	case 8:
		return api.LinkTimeout(m.micros(50), tag)
	case 9:
		return api.Poll(fd, api.PollIn, tag)
	case 10:
		return api.PollMultishot(fd, api.PollIn, tag)
	case 11:
		return api.Nop(tag)
	case 12:
		return api.RecvMultishot(fd, 1, tag)
	case 13:
		return api.RecvBuffer(fd, 1, tag)
	case 14:
		return api.Read(fd, buf, api.CurrentPosition*int64(m.n(2, "at")), tag)
	case 15, 19, 20:
		return api.Splice(fd, api.CurrentPosition, m.fds[m.n(len(m.fds), "fd2")], api.CurrentPosition, 4, 0, tag)
	case 16:
		return api.Timeout(time.Hour, tag)
	case 17:
		return api.SendZC(fd, buf, tag)
	case 18:
		return api.PollMultishot(fd, api.PollIn, tag).With(api.Level)
	}
	return api.Close(fd, tag)
}

// anyID is the id of one of the last operations.
func (m *model) anyID() api.OpID {
	if len(m.ops) == 0 {
		return 0
	}
	return m.ops[max(0, len(m.ops)-1-m.n(20, "back"))].op.ID
}

func (m *model) cancelMany(fd int, tag uint64) api.Op {
	op := [...]api.Op{api.CancelFD(fd, tag), api.CancelOp(api.OpRecv, tag), api.CancelAny(tag), api.CancelFD(fd, tag).With(api.ByOp)}[m.n(4, "cancel of")]
	if op.Flags&api.Any == 0 && m.odds(3, "first") {
		op.Flags |= api.First
	}
	return op
}
