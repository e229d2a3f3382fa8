package core

import (
	"errors"
	"flag"
	"math"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// model is what an engine over the driver script should do. The clock is that of a testing/synctest bubble: it stands still but while the
// driver sleeps.
type model struct {
	t   *rapid.T
	d   *script
	e   *Engine
	g   *Group
	fds []int

	ops   []*modelOp // in the order of submission
	byID  map[api.OpID]*modelOp
	alive int // ops[:alive] have all ended
	tick  int // counts operations submitted and calls of the engine

	order    []*modelOp // what the driver has completed, in that order, and the program has not seen
	waits    bool       // a Complete is at work
	woken    bool       // Wake has been called, and no Complete has returned since
	past     bool       // the present Complete has made a Turn since
	posted   []uint64
	leases   []leased
	seen     map[api.Lease]bool // all leases that there were
	closing  map[int32]bool     // fds that a Close has been submitted for
	released int                // leases of the present group
	mark     byte               // in the last buffer that was filled
	closed   bool               // the engine is being closed: anything may be cancelled
}

// modelOp is what the model knows of one operation.
type modelOp struct {
	op     api.Op
	at     int // in ops
	unit   int // of the first of its chain in ops
	last   int // of the last
	drain  bool
	lo, hi int         // the ticks between which it has come to the end of its queue; hi is 0 as long as it may not have
	since  api.Instant // its turn in its chain has not come before

	begun, given   bool
	refused, asked bool     // the driver has not stopped it at once; it has left the answer open
	gave, moved    int32    // what the driver has ended it with, and what it had moved
	emitted        int      // completions with More that are to come, of all kinds
	bufs           []leased // the buffers of those that are to come
	resting        int      // a level-triggered poll has reported, and has not begun anew
	began          api.Instant
	wanted         bool // somebody has asked for its end
	by             int  // the one cancel that has; -1: none, -2: several, or something else
	told           bool // its last completion has been seen
	result         bool // its result has been seen, and a notification is to come
	res            int32
	m              *model
}

// leased is a buffer that the program has, or will have.
type leased struct {
	g    *Group
	l    api.Lease
	buf  []byte
	want []byte
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf(format, args...)
}

// n draws a number below limit. The small ones are more likely, and what a failure is reduced to.
func (m *model) n(limit int, what string) int { return rapid.IntRange(0, limit-1).Draw(m.t, what) }

// odds draws something that happens once in about k times.
func (m *model) odds(k int, what string) bool { return m.n(k, what) == k-1 }

// pick draws a number below limit, all of them about as likely.
func (m *model) pick(limit int, what string) int {
	return rapid.IntRange(0, 1<<24).Draw(m.t, what) % limit
}

func (m *model) micros(limit int) time.Duration {
	return time.Duration(m.n(limit, "µs")) * time.Microsecond
}

// live says whether the engine has o still; settled whether what waits for the result of o may go on.
func (m *model) live(o *modelOp) bool    { return m.e.slots.lookup(o.op.ID) != nil }
func (m *model) settled(o *modelOp) bool { return m.e.Unsettled(o.op.ID) == nil }

// waiting says whether o waits for another of its chain, or is held up by a drain.
func (m *model) waiting(o *modelOp) bool {
	s := m.e.slots.lookup(o.op.ID)
	return s != nil && (s.state == stateChained || s.held)
}

// queues are where o stands in line.
func (o *modelOp) queues() (q [2]int32) {
	q = [2]int32{none, none}
	switch d := optab.DirectionOf(&o.op); {
	case d == optab.None:
	default:
		q[d] = o.op.FD
	}
	if o.op.Code == api.OpSplice && o.op.Flags&api.Unordered == 0 {
		q[optab.Write] = o.op.Args.FD2
	}
	return q
}

func (o *modelOp) shares(p *modelOp) bool {
	a, b := o.queues(), p.queues()
	return a[0] == b[0] && a[0] != none || a[1] == b[1] && a[1] != none
}

// isOn says whether o is about the fd n.
func (o *modelOp) isOn(n int32) bool {
	return optab.Of(o.op.Code).FD && o.op.FD == n || o.op.Code == api.OpSplice && o.op.Args.FD2 == n
}

// pending are the operations that have not ended, as far as the engine knows.
func (m *model) pending() (all []*modelOp) {
	for ; m.alive < len(m.ops) && !m.live(m.ops[m.alive]); m.alive++ {
	}
	for _, o := range m.ops[m.alive:] {
		if m.live(o) {
			all = append(all, o)
		}
	}
	return all
}

// checkStart checks that it is the turn of o.
func (m *model) checkStart(o *modelOp) {
	for _, p := range m.ops[o.unit:o.at] {
		if !m.settled(p) {
			m.fail("operation %d has been started while %d of its chain goes on", o.at, p.at)
		}
	}
	m.performable(o)
	for _, p := range m.pending() {
		switch {
		case p == o:
		case p.at < o.unit && p.drain:
			m.fail("operation %d has been started while the drain at %d goes on", o.at, p.at)
		case p.at < o.unit && o.drain:
			m.fail("the drain at %d has been started while %d goes on", o.at, p.at)
		case m.settled(p):
		case o.op.Code == api.OpClose && p.isOn(o.op.FD) && m.waiting(p):
			m.fail("fd %d is closed while operation %d, which is to be on it, waits in its chain", o.op.FD, p.at)
		case o.op.Code == api.OpClose && p.begun && p.isOn(o.op.FD):
			m.fail("fd %d is closed while operation %d is at it", o.op.FD, p.at)
		case !o.shares(p):
		case p.begun:
			m.fail("operations %d and %d have their turn at the same time", p.at, o.at)
		case p.hi != 0 && p.hi < o.lo, p.at == p.unit && o.at == o.unit && p.at < o.at:
			m.fail("operation %d has been started before %d", o.at, p.at)
		}
	}
}

// checkTurn checks that the driver may wait so long.
func (m *model) checkTurn(wait time.Duration) {
	switch {
	case !m.waits: // a Close, or a CancelSync, which a Wake does not concern
	case m.woken && m.past:
		m.fail("Complete goes on after a Wake")
	case m.woken && wait != 0:
		m.fail("Complete sleeps although there was a Wake")
	case wait != 0 && len(m.posted) > m.taken():
		m.fail("Complete sleeps although something was posted")
	}
	m.past = m.woken
	if wait == 0 {
		return
	}
	for _, o := range m.pending() {
		if at := o.due(); at != 0 && (wait < 0 || api.Now().Add(wait) > max(at, api.Now())) {
			m.fail("a wait of %v, and operation %d (%v) is due in %v", wait, o.at, o.op.Code, at.Sub(api.Now()))
		}
	}
}

// taken is how much of what was posted is in dst of the present Complete.
func (m *model) taken() (n int) {
	for i := range m.e.dst[:m.e.n] {
		if c := &m.e.dst[i]; c.Code == api.OpMsgRing && c.ID == 0 {
			n++
		}
	}
	return n
}

// due is when o must have ended, 0 if that is not certain.
func (o *modelOp) due() api.Instant {
	at := o.op.Deadline
	if o.refused || o.given || o.m.settled(o) || o.op.Code == api.OpClose || o.op.Code == api.OpCancel { // the last two cannot be stopped
		return 0
	}
	if t := o.m.target(o); t != nil && t.begun && !t.given && !t.refused {
		return t.began.Add(time.Duration(o.op.Off))
	}
	if o.op.Code == api.OpTimeout && o.hi == o.lo {
		if end := o.since.Add(time.Duration(o.op.Off)); at == 0 || end < at {
			at = end
		}
	}
	return at
}

// target is the operation that o, if it is a LinkTimeout, is about; or nil.
func (m *model) target(o *modelOp) *modelOp {
	if o.op.Code != api.OpLinkTimeout || o.at == o.unit {
		return nil
	}
	return m.ops[o.at-1]
}

// mayEnd says whether there is a reason to end o early: that of mayCancel, or its deadline.
func (o *modelOp) mayEnd() bool {
	return o.op.Deadline != 0 && o.op.Deadline <= api.Now() || o.mayCancel()
}

// mayCancel says whether somebody has asked for the end of o, or a LinkTimeout has.
func (o *modelOp) mayCancel() bool {
	m := o.m
	if o.wanted || m.closed || o.closes() {
		return true
	}
	return o.at < o.last && m.ops[o.at+1].op.Code == api.OpLinkTimeout && o.since.Add(time.Duration(m.ops[o.at+1].op.Off)) <= api.Now()
}

// closes says whether a file of o is being closed, or has been.
func (o *modelOp) closes() bool {
	return optab.Of(o.op.Code).FD && o.m.closing[o.op.FD] || o.op.Code == api.OpSplice && o.m.closing[o.op.Args.FD2]
}

// invalid says whether o is wrong by itself.
func (o *modelOp) invalid() bool {
	op := &o.op
	switch {
	case op.Code == api.OpLinkTimeout:
		return o.at == o.unit || o.m.ops[o.at-1].op.Code == api.OpLinkTimeout || op.Deadline != 0
	case op.Flags&api.SkipSuccess != 0:
		return op.Flags&api.BufferSelect != 0 || op.Code == api.OpSendZC
	}
	return false
}

// broken says whether the chain of o may have ended before o, or been refused.
func (o *modelOp) broken() bool {
	for _, p := range o.m.ops[o.unit : o.last+1] {
		if p.invalid() {
			return true
		}
	}
	for _, p := range o.m.ops[o.unit:o.at] {
		switch {
		case p.op.Flags&api.HardLink != 0 && (p.begun || p.at == p.unit): // however it ends
		case p.mayEnd() || p.refused || !o.m.live(p) && !p.succeeded():
			return true
		}
	}
	return false
}

// stops says whether nothing of its chain may be performed behind o, which has ended.
func (o *modelOp) stops() bool {
	return o.op.Flags&api.HardLink == 0 && o.op.Code != api.OpLinkTimeout && (o.given || o.told) && !o.succeeded()
}

// performable checks that o, which has been performed, is not behind an end of its chain.
func (m *model) performable(o *modelOp) {
	for _, p := range m.ops[o.unit:o.at] {
		if p.stops() {
			m.fail("operation %d has been performed behind %d of its chain, which has failed", o.at, p.at)
		}
	}
}

// succeeded says whether a chain goes on behind o. It has ended, with a completion that may not have come yet.
func (o *modelOp) succeeded() bool {
	res := o.res
	if !o.told && !o.result {
		if res = o.gave; res < 0 && o.moved > 0 {
			res = o.moved
		}
	}
	whole := o.op.Code == api.OpRead || o.op.Code == api.OpSplice || o.op.Flags&api.WaitAll != 0
	return res >= 0 && (!whole || res == 4)
}

// expect notes that a completion of o comes next of those of the driver. A zero-copy send that has failed may wait for its notifications.
func (m *model) expect(o *modelOp) {
	if !optab.Of(o.op.Code).Notifies {
		m.order = append(m.order, o)
	}
}

// inOrder checks that a completion of o is the next. Those that are left out by SkipSuccess do not come.
func (m *model) inOrder(o *modelOp) {
	if optab.Of(o.op.Code).Notifies || !o.given && o.emitted == 0 {
		return
	}
	for len(m.order) > 0 && m.order[0] != o && m.order[0].op.Flags&api.SkipSuccess != 0 {
		m.order = m.order[1:]
	}
	if len(m.order) == 0 || m.order[0] != o {
		m.fail("a completion of operation %d comes before its turn", o.at)
	}
	m.order = m.order[1:]
}

// note remembers what Submit has taken.
func (m *model) note(ops []api.Op) {
	for i := 0; i < len(ops); {
		n := 1
		for ; i+n < len(ops) && ops[i+n-1].Flags&(api.Link|api.HardLink) != 0; n++ {
		}
		unit := len(m.ops)
		drain := slices.ContainsFunc(ops[i:i+n], func(op api.Op) bool { return op.Flags&api.Drain != 0 })
		for _, op := range ops[i : i+n] {
			m.tick++
			o := &modelOp{op: op, at: len(m.ops), unit: unit, last: unit + n - 1, drain: drain, lo: m.tick, since: api.Now(), by: -1, m: m}
			if !m.waiting(o) {
				o.hi = o.lo
			}
			if op.ID == 0 || m.byID[op.ID] != nil {
				m.fail("the id %#x", uint64(op.ID))
			}
			m.t.Logf("%d is %v on %d, flags %#x, off %d, deadline %v", o.at, op.Code, op.FD, uint32(op.Flags), op.Off, op.Deadline.Sub(api.Now()))
			m.ops = append(m.ops, o)
			m.byID[op.ID] = o
			m.want(&op, op.Target, o.at)
		}
		i += n
	}
}

// want notes whose end op asks for.
func (m *model) want(op *api.Op, target api.OpID, before int) {
	if op.Code == api.OpClose {
		m.closing[op.FD] = true
	}
	for _, o := range m.ops {
		hit := false
		switch {
		case op.Code == api.OpClose:
			hit = o.isOn(op.FD) && o.at != before
		case op.Code != api.OpCancel || o.at >= before:
		case op.Flags&byMany == 0:
			hit = o.op.ID == target
		default:
			hit = (op.Flags&api.ByFD == 0 || o.isOn(op.FD)) && (op.Flags&api.ByOp == 0 || uint32(o.op.Code) == op.Arg)
		}
		if !hit {
			continue
		}
		if o.by = before; o.wanted {
			o.by = -2
		}
		o.wanted = true
	}
}

// look takes in what a call of the engine has changed, and checks what always holds.
func (m *model) look() {
	m.tick++
	for _, o := range m.ops[m.alive:] {
		switch {
		case o.hi != 0:
		case !m.waiting(o):
			o.hi = m.tick
		default:
			o.lo, o.since = m.tick, api.Now()
		}
	}
	if g := m.g; g != nil && !g.Incremental() && g.Available() != g.Count()-(m.d.handed-m.released) {
		m.fail("%d buffers are available, of %d, and %d are out", g.Available(), g.Count(), m.d.handed-m.released)
	}
	if n := m.inFlight(); n != m.e.submitted-m.e.ended || n > uint64(m.e.opt.MaxInFlight) {
		m.fail("%d are in flight, and the engine has %d, of %d", n, m.e.submitted-m.e.ended, m.e.opt.MaxInFlight)
	}
}

// turns checks that all whose turn has come have been started.
func (m *model) turns() {
	all := m.pending()
	for _, o := range all {
		if m.e.slots.lookup(o.op.ID).state != stateQueued {
			continue
		}
		first := !slices.ContainsFunc(all, func(p *modelOp) bool { return p != o && p.shares(o) && !m.settled(p) })
		if first || o.op.Flags&api.DontWait != 0 {
			m.fail("operation %d waits in a queue: is it the first %v, flags %#x", o.at, first, uint32(o.op.Flags))
		}
	}
}

// inFlight counts the operations that have not ended, or whose last completion is kept.
func (m *model) inFlight() (n uint64) {
	n = uint64(len(m.pending()))
	for i := range m.e.kept.Len() {
		if c := m.e.kept.At(i); !c.More() && c.ID != 0 {
			n++
		}
	}
	return n
}

// heard checks that the engine, which sleeps, is woken.
func (m *model) heard() {
	if got, errno := sysx.Poll1(m.e.WakeFD(), api.PollIn); errno != 0 || got == 0 {
		m.fail("the engine sleeps, and nothing wakes it (%v)", errno)
	}
	m.e.Woken()
}

func (m *model) wake() {
	m.apart(func() error { return m.e.Wake() })
	m.woken, m.past = true, false
}

// post posts something, and says whether there was room.
func (m *model) post() bool {
	tag := uint64(len(m.posted) + 1000 + m.tick*100)
	full := false
	m.apart(func() error {
		err := m.e.Post(tag, 1)
		full = errors.Is(err, api.ErrQueueFull)
		if full {
			err = nil
		}
		return err
	})
	if !full {
		m.posted = append(m.posted, tag)
	} else if len(m.posted) < m.e.opt.MaxInFlight {
		m.fail("there is no room to post, and only %d are there", len(m.posted))
	}
	return !full
}

// apart calls f in another goroutine.
func (m *model) apart(f func() error) {
	err := make(chan error)
	go func() { err <- f() }()
	if err := <-err; err != nil {
		m.fail("from another goroutine: %v", err)
	}
}

// complete calls Complete and checks what it may return.
func (m *model) complete(room int, w api.Wait) int {
	dst := make([]api.Completion, room)
	start := api.Now()
	m.waits, m.past = true, false
	n, err := m.e.Complete(dst, w)
	m.waits = false
	if err != nil {
		m.fail("Complete: %v", err)
	}
	if n < min(w.Min, room) && !m.woken && (w.Deadline == 0 || api.Now() < w.Deadline) {
		m.fail("Complete has returned %d of %d before its end", n, w.Min)
	}
	m.woken = false
	m.reaped(dst[:n])
	for _, o := range m.pending() {
		fresh := o.hi == 0 && !m.waiting(o) // its turn has come at the end of this Complete
		if at := o.due(); at != 0 && at <= start && n < room && !fresh {
			m.fail("operation %d was due at %v before a Complete that had room, and goes on", o.at, start.Sub(at))
		}
	}
	m.look()
	m.turns()
	return n
}

// quiet lets the driver end all that it has, and checks that nothing goes on without a reason.
func (m *model) quiet() {
	m.d.eager = true
	for idle, rounds := 0, 0; idle < 3 && rounds < 300; rounds++ {
		if idle++; m.complete(64, api.Wait{})+len(m.d.begun)+m.e.kept.Len()+len(m.posted)+m.e.run.Len() > 0 {
			idle = 0
		}
	}
	m.d.eager = false
	var before []*modelOp
	for _, o := range m.pending() {
		reason := o.op.Code == api.OpTimeout && (o.lo != o.hi || api.Now() < o.since.Add(time.Duration(o.op.Off))) ||
			o.at > o.unit && m.live(m.ops[o.at-1]) || o.op.Code == api.OpLinkTimeout
		for _, p := range before {
			reason = reason || p.unit != o.unit && (p.drain || o.drain)
		}
		if !reason {
			m.fail("operation %d goes on without a reason: %+v", o.at, *o)
		}
		before = append(before, o)
	}
	if m.e.kept.Len() > 0 || len(m.posted) > 0 {
		m.fail("%d completions are kept, and %d posted", m.e.kept.Len(), len(m.posted))
	}
}

// group makes the group anew.
func (m *model) group() {
	if m.g != nil {
		for _, o := range m.ops[m.alive:] {
			if o.op.Flags&api.BufferSelect != 0 {
				o.wanted, o.by = true, -2
			}
		}
		if err := m.g.Close(); err != nil || m.g.users != 0 {
			m.fail("closing a group: %v, %d users", err, m.g.users)
		}
	}
	g, err := m.e.NewBufferGroup(api.BufferGroupOptions{ID: 1, Count: 4, Size: 8, Incremental: m.odds(3, "incremental")})
	if err != nil {
		m.fail("making a group: %v", err)
	}
	m.g, m.released = g.(*Group), 0
}

// release gives back a lease, and sees that it cannot be given back twice.
func (m *model) release(i int) {
	l := m.leases[i]
	m.leases = slices.Delete(m.leases, i, i+1)
	if !slices.Equal(l.buf, l.want) {
		m.fail("a buffer has changed while it was out: %v, want %v", l.buf, l.want)
	}
	if err := l.g.Release(l.l); err != nil {
		m.fail("releasing %#x: %v", uint64(l.l), err)
	}
	if l.g == m.g {
		m.released++
	}
	if err := l.g.Release(l.l); err != api.ErrLease {
		m.fail("releasing %#x again: %v", uint64(l.l), err)
	}
}

// sync makes a CancelSync.
func (m *model) sync() {
	op := api.Cancel(m.anyID(), 0)
	if m.odds(2, "many") {
		op = m.cancelMany(m.fds[m.n(len(m.fds), "fd")], 0)
	}
	limit := time.Duration(-1)
	if m.odds(2, "limited") {
		limit = m.micros(20)
	}
	m.cancelSync(op, limit)
}

func (m *model) cancelSync(op api.Op, limit time.Duration) {
	m.want(&op, op.Target, math.MaxInt)
	start := api.Now()
	_, err := m.e.CancelSync(op, limit)
	if err == nil {
		for _, id := range m.e.sync.hit {
			if m.e.Unsettled(id) != nil {
				m.fail("CancelSync has returned, and operation %d, which it is about, goes on", m.byID[id].at)
			}
		}
	}
	var errno syscall.Errno
	switch {
	case err == nil, errors.As(err, &errno), errors.Is(err, api.ErrQueueFull):
	case !errors.Is(err, os.ErrDeadlineExceeded):
		m.fail("CancelSync: %v", err)
	case limit < 0 || api.Now().Sub(start) < limit:
		m.fail("CancelSync has given up after %v of %v", api.Now().Sub(start), limit)
	}
}

// end closes the engine at once, or when all is over.
func (m *model) end() {
	e := m.e
	atOnce := m.odds(2, "close at once")
	for turns := 0; !atOnce && e.submitted != e.ended; turns++ {
		if turns > 1000 {
			m.fail("%d operations do not end; %d held up, %d in chains", e.submitted-e.ended, e.drain.held, e.chained)
		}
		op := []api.Op{api.CancelAny(0)}
		if n, _ := e.Submit(op); n == 1 {
			m.note(op)
		} else {
			m.cancelSync(api.CancelAny(0), 0)
		}
		m.complete(16, api.Wait{})
	}
	if !atOnce {
		m.idle()
		m.checkCounts()
	}
	m.closed = true
	if err := e.Close(); err != nil {
		m.fail("Close: %v", err)
	}
	m.leftOver(atOnce)
}

// idle checks an engine in which nothing is in flight.
func (m *model) idle() {
	for len(m.leases) > 0 {
		m.release(m.n(len(m.leases), "lease"))
	}
	m.complete(1, api.Wait{}) // publishes the counters
	if s := m.e.Stats(); s.InFlight != 0 || s.Submitted != uint64(len(m.ops)) {
		m.fail("%+v after %d operations, all of which have ended", s, len(m.ops))
	}
}

// checkCounts checks that cancels of many have counted what they have ended.
func (m *model) checkCounts() {
	for _, c := range m.ops {
		if c.op.Code != api.OpCancel || c.op.Flags&byMany == 0 || c.op.Flags&api.First != 0 || !c.told || c.res < 0 {
			continue
		}
		sure := int32(0)
		for _, o := range m.ops[:c.at] {
			if o.by == c.at && o.told && o.res == -int32(api.ECanceled) && o.unit == o.last && o.op.Code != api.OpCancel && !o.closes() {
				sure++
			}
		}
		if c.res < sure || int(c.res) > c.at {
			m.fail("the cancel %d says that it has ended %d, and %d have ended because of it", c.at, c.res, sure)
		}
	}
}

// leftOver checks that a closed engine has nothing, and that what has had no completion may have none.
func (m *model) leftOver(atOnce bool) {
	e, d := m.e, m.d
	if e.chained != 0 || e.drain.held != 0 || e.slots.used != 0 || e.timers.Len() != 0 || e.behind != 0 || len(d.begun)+len(d.asked)+len(d.owed) != 0 || e.told != 0 {
		m.fail("left over: %d chained, %d held, %d slots, %d timers, %d behind, %d begun, %d cancels",
			e.chained, e.drain.held, e.slots.used, e.timers.Len(), e.behind, len(d.begun), len(d.asked))
	}
	for fd, n := range e.waiting.n {
		if n != 0 {
			m.fail("%d are counted to wait for the fd %d", n, fd)
		}
	}
	for _, f := range e.fds.fds {
		if f != nil && (f.count != 0 || f.ops != none || f.closing != none || f.head != [2]int32{none, none} || f.tail != [2]int32{none, none}) {
			m.fail("left over on an fd: %+v", *f)
		}
	}
	for _, o := range m.ops {
		if o.told || atOnce || o.op.Flags&api.SkipSuccess != 0 {
			continue
		}
		if !slices.ContainsFunc(m.ops[o.unit:o.last+1], func(p *modelOp) bool { return p.told && p.op.Flags&api.SkipSuccess != 0 }) {
			m.fail("no completion of %+v", o.op)
		}
	}
}

// TestModel lets engines do everything in any order. -rapid.checks=100000 is a long run.
func TestModel(t *testing.T) {
	fds := []int{devNull(t), devNull(t), devNull(t)}
	someChecks(t, "1000")
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) { runModel(t, fds) })
	})
}

// someChecks is how many lives there are where nobody has said.
func someChecks(t *testing.T, n string) {
	said := os.Getenv("RAPID_CHECKS") != ""
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "rapid.checks" })
	if said {
		return
	}
	v := flag.Lookup("rapid.checks").Value
	was := v.String()
	if err := v.Set(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Set(was) }) // which it was
}
