package core

import (
	"slices"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// script is a Driver that does what rapid draws, in any order that the contract of Driver allows, and checks what it is asked to do.
type script struct {
	m      *model
	e      *Engine
	begun  []*Slot
	asked  []question // cancels that are answered later
	owed   []*Slot    // of zero-copy sends, one for each notification that is to come
	owns   bool       // it hands out the buffers of groups itself
	free   []uint16   // if so: those that it may fill
	handed int        // leases of the present group that have been given out
	eager  bool       // it ends all that it can, and refuses nothing
	inTurn bool
}

// question is a cancel that has not been answered.
type question struct {
	s     *Slot
	by    api.OpID
	asker bool
}

func (d *script) Attach(e *Engine) error { d.e = e; return nil }
func (d *script) Bind() error            { return nil }
func (d *script) Limit() time.Duration   { return -1 }
func (d *script) BeforePark() bool       { return false }
func (d *script) PollFD() int            { return -1 }
func (d *script) Counters() Counters     { return Counters{} }
func (d *script) Close() error           { return nil }
func (d *script) RemoveGroup(*Group)     {}

func (d *script) AddGroup(g *Group) (bool, error) {
	d.handed = 0
	d.owns = !g.Incremental() && d.m.odds(2, "driver hands out")
	d.free = d.free[:0]
	if d.owns {
		for bid := range g.Count() {
			d.free = append(d.free, uint16(bid))
		}
	}
	return d.owns, nil
}

// Recycle takes back a buffer, which the driver must not have already.
func (d *script) Recycle(g *Group, bid uint16) {
	if !d.owns || slices.Contains(d.free, bid) || int(bid) >= g.Count() {
		d.m.fail("buffer %d comes back, and the driver has %v", bid, d.free)
	}
	d.free = append(d.free, bid)
}

func (d *script) take(g *Group) (uint16, bool) {
	if !d.owns {
		return g.Take()
	}
	if len(d.free) == 0 {
		return 0, false
	}
	bid := d.free[0]
	d.free = d.free[1:]
	return bid, true
}

func (d *script) Rearm(s *Slot) {
	if !slices.Contains(d.begun, s) {
		d.m.fail("a poll is to begin anew that the driver does not have")
	}
	d.m.byID[s.ID()].resting = 0
}

func (d *script) Start(s *Slot) {
	m := d.m
	o := m.byID[s.ID()]
	if o == nil || o.begun || o.told {
		m.fail("%v has been started, known %v", s.Op.Code, o != nil)
	}
	m.t.Logf("start %d", o.at)
	m.checkStart(o)
	o.begun, o.began = true, api.Now()
	if s.Group != nil && s.Group.closing {
		m.fail("operation %d has been started on a group that is being closed", o.at)
	}
	if d.e.ending && s.Op.Code != api.OpClose {
		m.fail("%v has been started while the engine is being closed", s.Op.Code)
	}
	if s.Op.Code == api.OpClose || m.odds(3, "at once") {
		d.finish(s)
		return
	}
	d.begun = append(d.begun, s)
}

// finish ends s with a result of its own, and answers the cancel that is about it. The answer comes before or after.
func (d *script) finish(s *Slot) {
	m := d.m
	d.begun = slices.DeleteFunc(d.begun, func(b *Slot) bool { return b == s })
	i := slices.IndexFunc(d.asked, func(q question) bool { return q.s == s })
	if i < 0 {
		d.end(s, d.result(s))
		return
	}
	q := d.asked[i]
	d.asked = slices.Delete(d.asked, i, i+1)
	answer := []int32{0, -int32(syscall.ENOENT), -int32(syscall.EALREADY)}[m.n(3, "answer")]
	before := m.odds(2, "answer first")
	if before {
		d.answer(q, answer)
	}
	if answer == 0 {
		d.stopped(s)
	} else {
		d.end(s, d.result(s))
	}
	if !before {
		d.answer(q, answer)
	}
}

func (d *script) answer(q question, res int32) {
	if !q.asker {
		d.e.CancelDone(nil, res)
		return
	}
	by := d.e.slots.lookup(q.by)
	if by == nil {
		d.m.fail("who has asked is gone before the answer")
	}
	d.e.CancelDone(by, res)
}

// stopped ends s because it was cancelled, with what has been moved until then.
func (d *script) stopped(s *Slot) {
	if o := d.m.byID[s.ID()]; s.Op.Code == api.OpRecv && s.Op.Flags&api.BufferSelect == 0 && d.m.odds(2, "moved some") {
		s.Done = 1
		o.moved = 1
	}
	d.end(s, -int32(api.ECanceled))
}

func (d *script) result(s *Slot) int32 {
	m := d.m
	switch {
	case s.Op.Code == api.OpClose:
		return 0
	case m.odds(5, "fails"):
		return -int32(syscall.ECONNRESET)
	case s.Op.Code == api.OpRead || s.Op.Code == api.OpRecv && s.Op.Flags&api.BufferSelect == 0:
		return int32(m.n(len(s.Op.Buf)+1, "res"))
	}
	return 0
}

// end gives the last result of s.
func (d *script) end(s *Slot, res int32) {
	m := d.m
	o := m.byID[s.ID()]
	if o.given {
		m.fail("the model itself ends an operation twice")
	}
	if s.Op.Flags&api.BufferSelect != 0 && res == 0 {
		if bid, n, ok := d.fill(s, o); ok {
			o.given, o.gave = true, n
			m.expect(o)
			d.e.EndBuffer(s, bid, n)
			return
		}
		res = -int32(syscall.ENOBUFS)
	}
	m.t.Logf("end %d with %d", o.at, res)
	o.given, o.gave = true, res
	m.expect(o)
	if optab.Of(s.Op.Code).Notifies {
		s.Notifs = int32(m.n(3, "notifications"))
		for range s.Notifs {
			d.owed = append(d.owed, s)
		}
	}
	d.e.End(s, res)
}

// fill puts data into a buffer of the group of s, which differs from all other data.
func (d *script) fill(s *Slot, o *modelOp) (bid uint16, n int32, ok bool) {
	if bid, ok = d.take(s.Group); !ok {
		return 0, 0, false
	}
	b := s.Group.Rest(bid)
	n = int32(1 + d.m.n(len(b), "bytes"))
	d.m.mark++
	for i := range b[:n] {
		b[i] = d.m.mark
	}
	o.bufs = append(o.bufs, leased{g: s.Group, want: slices.Clone(b[:n])})
	d.handed++
	return bid, n, true
}

// emit gives one of several results.
func (d *script) emit(s *Slot) {
	o := d.m.byID[s.ID()]
	o.emitted++
	m := d.m
	if s.Op.Flags&api.BufferSelect == 0 {
		m.expect(o)
		d.e.Emit(s, 1)
		if s.Op.Flags&api.Level != 0 {
			o.resting = 1
			d.e.Rest(s)
		}
		return
	}
	if bid, n, ok := d.fill(s, o); ok {
		m.expect(o)
		d.e.EmitBuffer(s, bid, n)
		return
	}
	o.emitted--
	d.begun = slices.DeleteFunc(d.begun, func(b *Slot) bool { return b == s })
	d.begun = append(d.begun, s)
	d.finish(s)
}

// notify lets one notification come.
func (d *script) notify() {
	i := d.m.n(len(d.owed), "notification")
	s := d.owed[i]
	d.owed = slices.Delete(d.owed, i, i+1)
	if !s.Over() {
		d.m.fail("a slot that a notification is to come for is in state %d", s.state)
	}
	d.e.Notified(s, d.m.odds(2, "copied"))
}

func (d *script) Cancel(s, by *Slot) CancelResult {
	m := d.m
	o := m.byID[s.ID()]
	m.t.Logf("cancel %d", o.at)
	switch {
	case !slices.Contains(d.begun, s):
		m.fail("the driver is to cancel %v, which it does not have", s.Op.Code)
	case slices.ContainsFunc(d.asked, func(q question) bool { return q.s == s }):
		m.fail("the driver is asked twice to cancel %v", s.Op.Code)
	case !s.Ending():
		m.fail("the driver is to cancel %v without a reason", s.Op.Code)
	case !o.mayEnd():
		m.fail("nobody wants %v to end", s.Op.Code)
	}
	how := 0
	if !d.eager {
		how = m.n(3, "cancel")
	}
	switch how {
	case 1:
		o.refused = true
		return Unstoppable
	case 2:
		o.refused, o.asked = true, true
		q := question{s: s}
		if by != nil {
			q.asker, q.by = true, by.ID()
		}
		d.asked = append(d.asked, q)
		return Pending
	}
	d.begun = slices.DeleteFunc(d.begun, func(b *Slot) bool { return b == s })
	d.stopped(s)
	return Ended
}

// Turn lets some of what may happen happen, and at least one thing if it may wait.
func (d *script) Turn(_ int, wait time.Duration) error {
	m := d.m
	if d.inTurn {
		m.fail("a Turn in a Turn")
	}
	d.inTurn = true
	defer func() { d.inTurn = false }()
	m.t.Logf("turn %v", wait)
	m.checkTurn(wait)
	n := len(d.begun)
	if !d.eager {
		n = m.n(4, "happens")
	}
	if wait != 0 {
		d.sleep(wait)
		n++
	}
	for ; n > 0 && len(d.begun) > 0; n-- {
		s := d.begun[m.n(len(d.begun), "which")]
		if d.eager && m.byID[s.ID()].resting > 0 && !s.Ending() {
			continue // it begins anew in one of the next calls of Complete, or not at all
		}
		if s.Op.Flags&api.Multishot != 0 && m.byID[s.ID()].resting == 0 && !d.eager && m.odds(2, "more") {
			d.emit(s)
			continue
		}
		d.finish(s)
	}
	for len(d.owed) > 0 && (d.eager || wait != 0 && len(d.begun) == 0 || m.odds(2, "notify")) {
		d.notify()
	}
	return nil
}

// sleep lets time pass, all of wait or some of it, and others call the engine meanwhile.
func (d *script) sleep(wait time.Duration) {
	m := d.m
	switch m.n(4, "while it sleeps") {
	case 1:
		m.wake()
		m.heard()
	case 2:
		if m.post() {
			m.heard()
		}
	case 3:
		if wait > 0 {
			pass(min(wait, time.Duration(m.n(40, "µs"))*time.Microsecond))
			return
		}
	}
	switch {
	case wait > 0 && len(d.begun) == 0:
		pass(wait)
	case wait < 0 && len(d.begun)+len(d.owed) == 0:
		m.wake() // or it would sleep for ever, as it should
	}
}

// pass lets time go by in the bubble, at once for everybody else: nothing real is waited for.
func pass(d time.Duration) { <-time.After(d) }
