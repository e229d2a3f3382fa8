package readiness

import (
	"errors"
	"flag"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/optab"
)

// world is an engine over the scripted Poller, with real sockets whose other ends the test has, and what should become of it. The clock is that
// of a testing/synctest bubble: it stands still but while the Poller waits.
type world struct {
	t      *rapid.T
	p      *scripted
	e      *core.Engine
	g      api.BufferGroup
	max    int // MaxInFlight
	wakeFD int32
	pairs  []*pair
	old    []*pair // that the engine has closed

	ops     []*wop
	ended   int // ops[:ended] have all ended
	byID    map[api.OpID]*wop
	tick    int
	leases  []heldLease
	seen    map[api.Lease]bool // all that there were
	full    bool               // completions may be kept
	waits   bool               // a Complete is at work
	woken   bool               // Wake has been called, and no Complete has returned since
	holds   bool               // a drain may hold up what is submitted
	count   uint64             // completions that have been reaped
	asked   int                // how often the present Complete has asked the Poller
	kept    bool               // the last Complete may have kept completions
	settled bool               // a call that is no Complete has ended operations, and what is to be told of them may be kept
	past    bool               // the present Complete has asked the Poller since
	over    bool               // the engine is being closed
}

// heldLease is a buffer that the program has.
type heldLease struct {
	g    api.BufferGroup
	l    api.Lease
	buf  []byte
	want []byte
}

// pair is a connection. The engine has a, and the test b.
type pair struct {
	a, b    int32
	written int    // bytes that b has sent; the i-th is i modulo byteMod
	taken   []bool // by number: whether an operation has had the byte
	last    int    // of those that operations in order have had
	eof     bool   // b has sent all that it will
	gone    bool   // b is closed
	drained bool   // all that came there had been read
	refused bool   // the Poller has refused to watch it
	closing bool   // a Close of a has been submitted
	closed  bool   // it has been performed
	sends   byte   // how many sends there were: each fills its buffer with its own number
	got     []run  // what b has received
}

// run is some bytes of one send.
type run struct {
	who byte
	n   int
}

// byteMod tells bytes apart that wait to be received: there are never so many.
const (
	byteMod   = 251
	window    = 200
	untouched = 0xff // in buffers; no byte is
)

// wop is what the model knows of one operation.
type wop struct {
	w      *world
	op     api.Op
	at     int // in ops
	unit   int // of the first of its chain in ops
	last   int // of the last
	drain  bool
	pr     *pair
	lo, hi int         // the ticks between which it has come to the end of its queue; hi is 0 as long as that is not certain
	since  api.Instant // its turn in its chain has not come before
	who    byte        // of a send: what is in its buffer
	wanted bool        // somebody has asked for its end
	told   bool
	res    int32
	g      api.BufferGroup // of one that had ended when its group was closed
	copied []byte          // of a receive: what was in its buffer at the end
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format, args...)
}

// n draws a number below limit. The small ones are more likely, and what a failure is reduced to.
func (w *world) n(limit int, what string) int { return rapid.IntRange(0, limit-1).Draw(w.t, what) }

// odds draws something that happens once in about k times.
func (w *world) odds(k int, what string) bool { return w.n(k, what) == k-1 }

// pick draws a number below limit, all of them about as likely.
func (w *world) pick(limit int, what string) int {
	return rapid.IntRange(0, 1<<24).Draw(w.t, what) % limit
}

func (w *world) micros(limit int) time.Duration {
	return time.Duration(w.n(limit, "µs")) * time.Microsecond
}

func (w *world) live(o *wop) bool { return w.e.Lookup(o.op.ID.Slot(), o.op.ID.Generation()) != nil }

func (w *world) open() *pair {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		w.fail("socketpair: %v", err)
	}
	p := &pair{a: int32(fds[0]), b: int32(fds[1]), last: -1}
	if err := errors.Join(unix.SetNonblock(fds[1], true), unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096)); err != nil {
		w.fail("setting up a socket: %v", err)
	}
	return p
}

// close closes what the engine has not.
func (p *pair) close() {
	if !p.closed {
		unix.Close(int(p.a))
		p.closed = true
	}
	if !p.gone {
		unix.Close(int(p.b))
		p.gone = true
	}
}

// peer lets the other end of a connection do something.
func (w *world) peer() {
	p := w.pairs[w.n(len(w.pairs), "pair")]
	if p.gone || p.closed {
		return
	}
	switch w.pick(13, "peer") {
	default:
		w.write(p, 1+w.n(30, "bytes"))
	case 7, 8, 9:
		w.read(p, 1+w.n(4000, "bytes"))
	case 12:
		w.stuff(p)
	case 10:
		if !p.eof {
			p.eof = true
			unix.Shutdown(int(p.b), unix.SHUT_WR)
		}
	case 11:
		if w.odds(3, "hangs up") {
			p.eof, p.gone = true, true
			unix.Close(int(p.b))
		}
	}
	w.p.changed(p.a)
}

func (w *world) write(p *pair, n int) {
	free := window
	for i := len(p.taken) - 1; i >= 0; i-- {
		if !p.taken[i] {
			free = window - (p.written - i) // there are never two bytes alike
		}
	}
	if n = min(n, free); n <= 0 || p.eof {
		return
	}
	buf := make([]byte, n)
	for i := range buf {
		buf[i] = byte((p.written + i) % byteMod)
	}
	if k, err := unix.Write(int(p.b), buf); k != n || err != nil {
		if p.closing {
			return
		}
		w.fail("the peer has written %d of %d: %v", k, n, err)
	}
	w.t.Logf("the peer of %d sends %d", p.a, n)
	p.written += n
	p.taken = append(p.taken, make([]bool, n)...)
}

// stuff fills the connection, so that sends have to wait, with what is of no send.
func (w *world) stuff(p *pair) {
	if slices.ContainsFunc(w.pending(), func(o *wop) bool { return o.pr == p && o.op.Code == api.OpSend }) {
		return // it may have sent some already
	}
	for {
		if err := unix.Sendto(int(p.a), make([]byte, 512), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil); err != nil {
			return
		}
	}
}

func (w *world) read(p *pair, n int) (more bool) {
	buf := make([]byte, n)
	n, _ = unix.Read(int(p.b), buf)
	for _, c := range buf[:max(n, 0)] {
		if k := len(p.got) - 1; k >= 0 && p.got[k].who == c {
			p.got[k].n++
		} else {
			p.got = append(p.got, run{c, 1})
		}
	}
	return n > 0
}

// meanwhile is called while the engine waits.
func (w *world) meanwhile() {
	if w.p.fair {
		return
	}
	switch w.n(6, "meanwhile") {
	case 3, 4:
		w.peer()
	case 5:
		w.wake()
	}
}

// wake calls Wake in another goroutine.
func (w *world) wake() {
	err := make(chan error)
	go func() { err <- w.e.Wake() }()
	if err := <-err; err != nil {
		w.fail("Wake: %v", err)
	}
	w.woken, w.past = true, false
}

// batch makes operations of all kinds.
func (w *world) batch() (ops []api.Op) {
	for range 1 + w.n(6, "ops") {
		op := w.operation(w.pairs[w.n(len(w.pairs), "pair")], uint64(len(w.ops)*8+len(ops)+1))
		if w.odds(6, "deadline") {
			op.Deadline = api.After(w.micros(50))
		}
		for _, f := range []api.OpFlags{api.Link, api.HardLink, api.SkipSuccess} {
			if w.odds(6, "chain") {
				op.Flags |= f
			}
		}
		if w.odds(16, "drain") {
			op.Flags |= api.Drain
		}
		ops = append(ops, op)
	}
	return ops
}

func (w *world) operation(p *pair, tag uint64) api.Op {
	fd := int(p.a)
	switch w.pick(18, "op") {
	case 0, 1, 2, 3:
		buf := slices.Repeat([]byte{untouched}, 1+w.n(20, "len"))
		return api.Recv(fd, buf, tag).With([]api.OpFlags{0, 0, api.EOF, api.WaitAll, api.Unordered, api.DontWait}[w.n(6, "flags")])
	case 4, 5, 6:
		return w.send(p, tag)
	case 7:
		return api.RecvBuffer(fd, 1, tag)
	case 8:
		return api.RecvMultishot(fd, 1, tag)
	case 9:
		return api.Poll(fd, []uint32{api.PollIn, api.PollOut, api.PollIn | api.PollOut}[w.n(3, "mask")], tag)
	case 10:
		return api.Timeout(w.micros(100), tag)
	case 11:
		return api.LinkTimeout(w.micros(100), tag)
	case 12:
		return api.Cancel(w.anyID(), tag)
	case 13:
		return w.cancelMany(fd, tag)
	case 14:
		return api.PollMultishot(fd, api.PollIn, tag).With([]api.OpFlags{0, api.Level}[w.n(2, "level")])
	case 15:
		return api.Nop(tag)
	case 16:
		if w.odds(2, "close") {
			return api.Close(fd, tag)
		}
	}
	return api.Recv(fd, slices.Repeat([]byte{untouched}, 8), tag).With(api.WaitAll)
}

func (w *world) send(p *pair, tag uint64) api.Op {
	n := 1 + w.n(40, "len")
	if w.odds(2, "large") {
		n *= 100
	}
	if p.sends == byteMod {
		return api.Nop(tag) // there are no more numbers
	}
	p.sends++
	return api.Send(int(p.a), slices.Repeat([]byte{p.sends}, n), tag).With([]api.OpFlags{0, 0, api.WaitAll, api.DontWait}[w.n(4, "flags")])
}

// anyID is the id of one of the last operations.
func (w *world) anyID() api.OpID {
	if len(w.ops) == 0 {
		return 0
	}
	return w.ops[max(0, len(w.ops)-1-w.n(12, "back"))].op.ID
}

func (w *world) cancelMany(fd int, tag uint64) api.Op {
	op := [...]api.Op{api.CancelFD(fd, tag), api.CancelOp(api.OpRecv, tag), api.CancelAny(tag), api.CancelFD(fd, tag).With(api.ByOp)}[w.n(4, "cancel of")]
	if op.Flags&api.Any == 0 && w.odds(3, "first") {
		op.Flags |= api.First
	}
	return op
}

// submit submits some operations, and checks how many are taken.
func (w *world) submit(ops []api.Op) int {
	n, err := w.e.Submit(ops)
	for i := 0; i < n; {
		k := 1
		for ; i+k < n && ops[i+k-1].Flags&(api.Link|api.HardLink) != 0; k++ {
		}
		w.note(ops[i : i+k])
		i += k
	}
	w.look()
	switch {
	case err == nil && n == len(ops):
	case !errors.Is(err, api.ErrQueueFull):
		w.fail("Submit has taken %d of %d: %v", n, len(ops), err)
	case n > 0 && ops[n-1].Flags&(api.Link|api.HardLink) != 0:
		w.fail("Submit has taken half a chain")
	case !w.full && len(w.pending())+len(ops)-n <= w.max:
		w.fail("Submit has no room for %d, and %d are in flight", len(ops)-n, len(w.pending()))
	}
	return n
}

// pending are the operations that have not ended, as far as the engine knows.
func (w *world) pending() (all []*wop) {
	for ; w.ended < len(w.ops) && !w.live(w.ops[w.ended]); w.ended++ {
	}
	for _, o := range w.ops[w.ended:] {
		if w.live(o) {
			all = append(all, o)
		}
	}
	return all
}

// note remembers a chain that Submit has taken.
func (w *world) note(chain []api.Op) {
	unit := len(w.ops)
	drain := slices.ContainsFunc(chain, func(op api.Op) bool { return op.Flags&api.Drain != 0 })
	for _, op := range chain {
		w.tick++
		o := &wop{w: w, op: op, at: len(w.ops), unit: unit, last: unit + len(chain) - 1, drain: drain, lo: w.tick, since: api.Now()}
		if optab.Of(op.Code).FD || op.Flags&api.ByFD != 0 {
			o.pr = w.pairOf(op.FD)
		}
		if op.Code == api.OpSend {
			o.who = op.Buf[0]
		}
		w.t.Logf("%d is %v on %d, flags %#x, %d bytes, off %d, deadline %v", o.at, op.Code, op.FD, uint32(op.Flags), len(op.Buf), op.Off, op.Deadline.Sub(api.Now()))
		w.ops = append(w.ops, o)
		w.holds = w.holds || drain
		if !w.waiting(o) {
			o.hi = o.lo
		}
		w.byID[op.ID] = o
		w.want(&op, o.at)
	}
	w.full = w.full || slices.ContainsFunc(w.ops[unit:], (*wop).invalid) // it has ended, and what is to be told of it is kept
}

func (w *world) pairOf(fd int32) *pair {
	for _, p := range w.pairs {
		if p.a == fd {
			return p
		}
	}
	return nil
}

// want notes whose end op asks for.
func (w *world) want(op *api.Op, before int) {
	for _, o := range w.ops[:before] {
		switch {
		case op.Code != api.OpCancel:
		case op.Flags&(api.ByFD|api.ByOp|api.Any) == 0:
			o.wanted = o.wanted || o.op.ID == op.Target
		default:
			on := op.Flags&api.ByFD == 0 || optab.Of(o.op.Code).FD && o.op.FD == op.FD
			o.wanted = o.wanted || on && (op.Flags&api.ByOp == 0 || uint32(o.op.Code) == op.Arg)
		}
	}
	if op.Code == api.OpClose {
		if p := w.pairOf(op.FD); p != nil {
			p.closing = true
		}
	}
}

// complete calls Complete and checks what it may return.
func (w *world) complete(room int, wait api.Wait) int {
	dst := make([]api.Completion, room)
	start := api.Now()
	w.waits, w.past, w.asked, w.kept = true, false, 0, w.full
	n, err := w.e.Complete(dst, wait)
	w.waits = false
	if err != nil {
		w.fail("Complete: %v", err)
	}
	if n < min(wait.Min, room) && !w.woken && (wait.Deadline == 0 || api.Now() < wait.Deadline) {
		w.fail("Complete has returned %d of %d before its end", n, wait.Min)
	}
	w.woken = false
	w.full = n == room
	w.count += uint64(n)
	w.reaped(dst[:n], w.kept)
	w.keeps()
	if !w.full {
		w.onTime(start)
	}
	w.holds = slices.ContainsFunc(w.pending(), func(o *wop) bool { return o.drain })
	w.look()
	return n
}

// replace closes the connections that the engine has closed, and opens others, which may have the same numbers.
func (w *world) replace() {
	if slices.ContainsFunc(w.pending(), func(o *wop) bool { return o.pr != nil && o.pr.closed }) {
		return // what comes to a closed fd must not find another file
	}
	for i, p := range w.pairs {
		if p.closed {
			w.drain(p)
			p.drained = !p.gone
			p.close()
			w.old = append(w.old, p)
			w.pairs[i] = w.open()
		}
	}
}

// swap gives the number of a connection on which nothing is in flight to another, as a program does that closes its files itself.
func (w *world) swap() {
	i := w.n(len(w.pairs), "pair")
	p := w.pairs[i]
	if slices.ContainsFunc(w.pairs, func(p *pair) bool { return p.closed }) || slices.ContainsFunc(w.pending(), func(o *wop) bool { return o.pr == p }) {
		return // what comes to a closed fd must not find another file
	}
	w.drain(p)
	p.drained = !p.gone
	q := w.open()
	if err := unix.Dup3(int(q.a), int(p.a), unix.O_CLOEXEC); err != nil {
		w.fail("dup3: %v", err)
	}
	unix.Close(int(q.a))
	q.a, p.closed = p.a, true
	w.t.Logf("fd %d is another file", q.a)
	p.close()
	w.old = append(w.old, p)
	w.pairs[i] = q
	w.p.replaced(q.a)
}

// group makes the group anew.
func (w *world) group() {
	if w.g != nil {
		for _, o := range w.ops {
			o.wanted = o.wanted || o.op.Flags&api.BufferSelect != 0
		}
		if err := w.g.Close(); err != nil {
			w.fail("closing a group: %v", err)
		}
		w.full, w.settled = true, true // what it has ended is kept
		for _, o := range w.ops {
			if !w.live(o) && o.g == nil {
				o.g = w.g
			}
		}
	}
	o := api.BufferGroupOptions{ID: 1, Count: 4, Size: 8, Incremental: w.odds(3, "incremental")}
	if w.odds(3, "many") {
		o.Count, o.Size = 64, 2
	}
	g, err := w.e.NewBufferGroup(o)
	if err != nil {
		w.fail("making a group: %v", err)
	}
	w.g = g
}

// release gives back a lease, and sees that it cannot be given back twice.
func (w *world) release(i int) {
	l := w.leases[i]
	w.leases = slices.Delete(w.leases, i, i+1)
	if !slices.Equal(l.buf, l.want) {
		w.fail("a buffer has changed while it was out: %v, want %v", l.buf, l.want)
	}
	if err := l.g.Release(l.l); err != nil {
		w.fail("releasing %#x: %v", uint64(l.l), err)
	}
	if err := l.g.Release(l.l); err != api.ErrLease {
		w.fail("releasing %#x again: %v", uint64(l.l), err)
	}
}

// run is one life of an engine.
func (w *world) run() {
	opt := &api.Options{MaxInFlight: 4 + w.n(40, "MaxInFlight")}
	w.max = opt.MaxInFlight
	w.p = &scripted{m: w, edge: w.odds(2, "edge-triggered"), armed: map[int32]Interest{}, edges: map[int32]Interest{}, lost: map[int32]bool{}, fair: true}
	e, err := New("model", opt, w.p)
	if err != nil {
		w.fail("%v", err)
	}
	w.e = e.(*core.Engine)
	w.wakeFD = w.e.WakeFD()
	w.t.Cleanup(func() {
		if !w.p.closed { // a check has failed
			unix.Close(int(w.wakeFD))
		}
		for _, p := range w.pairs {
			p.close()
		}
	})
	for range 3 {
		w.pairs = append(w.pairs, w.open())
	}
	w.group()
	w.full, w.p.fair = false, false
	complete := func(*rapid.T) {
		wait := api.Wait{}
		if w.odds(3, "waits") {
			wait = api.Wait{Min: 1 + w.n(3, "Min"), Deadline: api.After(w.micros(60))}
		}
		w.complete(w.n(8, "room"), wait)
	}
	submit := func(*rapid.T) { w.submit(w.batch()) }
	w.t.Repeat(map[string]func(*rapid.T){
		"submit": submit, "submit2": submit,
		"complete": complete, "complete2": complete, "complete3": complete,
		"sleep": func(*rapid.T) { w.complete(1+w.n(8, "room"), api.Wait{Min: 1}) },
		"peer":  func(*rapid.T) { w.peer() },
		"peer2": func(*rapid.T) { w.peer() },
		"wake":  func(*rapid.T) { w.wake() },
		"late":  func(*rapid.T) { pass(w.micros(100)) },
		"group": func(*rapid.T) { w.group(); w.look() },
		"sync": func(*rapid.T) {
			op := w.cancelMany(int(w.pairs[w.n(len(w.pairs), "pair")].a), 0)
			w.want(&op, len(w.ops))
			if _, err := w.e.CancelSync(op, -1); err != nil && !errors.As(err, new(unix.Errno)) {
				w.fail("CancelSync: %v", err)
			}
			w.full, w.settled = true, true
			w.count++ // the cancel itself
			w.look()
		},
		"release": func(t *rapid.T) {
			if len(w.leases) == 0 {
				t.Skip("no lease is out")
			}
			w.release(w.n(len(w.leases), "lease"))
		},
		"replace": func(*rapid.T) { w.replace() },
		"swap":    func(*rapid.T) { w.swap() },
		"quiet":   func(*rapid.T) { w.quiet() },
	})
	w.end()
}

// TestModel lets engines over a scripted Poller do everything in any order. -rapid.checks=100000 is a long run.
func TestModel(t *testing.T) {
	someChecks(t, "1000")
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			(&world{t: t, byID: map[api.OpID]*wop{}, seen: map[api.Lease]bool{}}).run()
		})
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
