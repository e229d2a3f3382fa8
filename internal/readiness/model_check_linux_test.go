package readiness

import (
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// waiting says whether o waits for another of its chain, or may be held up by a drain.
func (w *world) waiting(o *wop) bool {
	if o.at > o.unit && w.live(w.ops[o.at-1]) {
		return true
	}
	return w.holds // since the last Complete, or still
}

// behind says whether o certainly waits for another of its chain, or for a drain; all are pending.
func (w *world) behind(o *wop, all []*wop) bool {
	return o.at > o.unit && w.live(w.ops[o.at-1]) || slices.ContainsFunc(all, func(p *wop) bool { return p.at < o.unit && (p.drain || o.drain) })
}

// look takes in what a call of the engine has changed.
func (w *world) look() {
	w.tick++
	w.pending()
	for _, o := range w.ops[w.ended:] {
		switch {
		case o.hi != 0:
		case !w.waiting(o):
			o.hi = w.tick
		case w.behind(o, w.pending()):
			o.lo, o.since = w.tick, api.Now()
		}
	}
	w.closures()
	if n := len(w.pending()); n > w.max {
		w.fail("%d operations are in flight, of %d", n, w.max)
	}
}

// closures finds out which connections the engine has closed. What it says of that may come later, or never.
func (w *world) closures() {
	for _, p := range w.pairs {
		p.closed = p.closed || p.closing && !sysx.ValidFD(p.a)
	}
}

// misused says whether the program itself uses fd although it has been closed.
func (w *world) misused(fd int32) bool {
	return slices.ContainsFunc(w.pending(), func(o *wop) bool { return o.pr != nil && o.pr.a == fd && o.pr.closing })
}

// due is when o must have ended, 0 if that is not certain.
func (o *wop) due() api.Instant {
	at := o.op.Deadline
	if optab.Of(o.op.Code).Control || o.op.Code == api.OpClose {
		return 0 // they cannot be stopped
	}
	if o.op.Code == api.OpTimeout && o.hi == o.lo && !o.drain {
		if end := o.since.Add(time.Duration(o.op.Off)); at == 0 || end < at {
			at = end
		}
	}
	return at
}

// checkWait checks that the driver may wait so long.
func (w *world) checkWait(places int, d time.Duration) {
	w.asked++
	switch {
	case places == 0:
		w.fail("there is no place for events")
	case w.asked > 1000:
		w.fail("one Complete asks the Poller for the %dth time", w.asked)
	case !w.waits: // a Close, or a CancelSync, which a Wake does not concern
	case w.woken && w.past:
		w.fail("Complete goes on after a Wake")
	case w.woken && d != 0:
		w.fail("Complete sleeps although there was a Wake")
	}
	w.past = w.past || w.woken && d != 0
	if d == 0 || w.over {
		return
	}
	if w.waits {
		w.forever(d)
	}
	for _, o := range w.pending() {
		if at := o.due(); at != 0 && (d < 0 || api.Now().Add(d) > max(at, api.Now())) {
			w.fail("a wait of %v, and operation %d (%v) is due in %v", d, o.at, o.op.Code, at.Sub(api.Now()))
		}
	}
}

// forever checks that the driver, if it is to wait for long, will be told of all that can go on.
func (w *world) forever(d time.Duration) {
	if d >= 0 && d <= pauseMax {
		return
	}
	all := w.pending()
	for _, o := range all {
		if o.pr != nil && w.p.there(o.pr.a) == 0 && !w.stuck(o, all) {
			w.fail("a wait of %v, and nothing will tell that operation %d (%v on %d) can go on", d, o.at, o.op.Code, o.op.FD)
		}
	}
}

// keeps checks that no operation has been told of more often than there was room, but for its end.
func (w *world) keeps() {
	ended := uint64(0)
	for _, o := range w.ops {
		if !o.told && !w.live(o) {
			ended++
		}
	}
	switch kept := w.e.Delivered() - w.count; {
	case kept == 0 || !w.full:
		w.settled = false
	case kept > ended && !w.settled:
		w.fail("%d completions are kept, and %d operations have ended", kept, ended)
	}
}

// onTime checks that nothing goes on that was due when the last Complete began, which had room.
func (w *world) onTime(start api.Instant) {
	for _, o := range w.pending() {
		if at := o.due(); at != 0 && at <= start && o.hi != 0 {
			w.fail("operation %d was due %v before a Complete that had room, and goes on", o.at, start.Sub(at))
		}
	}
}

// mayCancel says whether somebody has asked for the end of o, or a LinkTimeout has.
func (o *wop) mayCancel() bool {
	if o.wanted || o.w.over || o.closes() {
		return true
	}
	return o.at < o.last && o.w.ops[o.at+1].op.Code == api.OpLinkTimeout && o.since.Add(time.Duration(o.w.ops[o.at+1].op.Off)) <= api.Now()
}

// from is when the time of a timeout has begun, at the earliest.
func (o *wop) from() api.Instant {
	if o.op.Code == api.OpLinkTimeout && o.at > o.unit {
		return o.w.ops[o.at-1].since
	}
	return o.since
}

// closes says whether the file of o is being closed, or has been.
func (o *wop) closes() bool {
	return optab.Of(o.op.Code).FD && (o.pr == nil || o.pr.closing)
}

// invalid says whether o is wrong by itself.
func (o *wop) invalid() bool {
	op := &o.op
	switch {
	case op.Code == api.OpLinkTimeout:
		return o.at == o.unit || o.w.ops[o.at-1].op.Code == api.OpLinkTimeout || op.Deadline != 0
	case op.Flags&api.SkipSuccess != 0:
		return op.Flags&api.BufferSelect != 0
	}
	return false
}

// succeeded says whether a chain goes on behind o, which has completed.
func (o *wop) succeeded() bool {
	return o.res >= 0 && (o.op.Flags&api.WaitAll == 0 || int(o.res) == len(o.op.Buf))
}

// stops says whether nothing of its chain may be performed behind o.
func (o *wop) stops() bool {
	return o.told && !o.succeeded() && o.op.Flags&api.HardLink == 0 && o.op.Code != api.OpLinkTimeout
}

// broken says whether the chain of o has ended before o, or has been refused.
func (o *wop) broken() bool {
	if slices.ContainsFunc(o.w.ops[o.unit:o.last+1], (*wop).invalid) {
		return true
	}
	return slices.ContainsFunc(o.w.ops[o.unit:o.at], func(p *wop) bool {
		return p.stops() || p.told && p.res < 0 && p.op.Code != api.OpLinkTimeout && (p.mayCancel() || p.op.Deadline != 0)
	})
}

// silent says whether o may have no completion.
func (o *wop) silent() bool {
	return slices.ContainsFunc(o.w.ops[o.unit:o.last+1], func(p *wop) bool { return p.op.Flags&api.SkipSuccess != 0 })
}

// before says whether o has certainly come to their queue before p, if they are in the same one.
func (o *wop) before(p *wop) bool {
	if o.pr == nil || o.pr != p.pr || o == p {
		return false
	}
	if d := optab.DirectionOf(&o.op); d == optab.None || d != optab.DirectionOf(&p.op) {
		return false
	}
	return o.hi != 0 && o.hi < p.lo || o.at == o.unit && p.at == p.unit && o.at < p.at
}

// reaped checks completions. kept says that some of them may have been there before.
func (w *world) reaped(cs []api.Completion, kept bool) {
	w.closures()
	polls := map[api.OpID]int{}
	for i := range cs {
		c := &cs[i]
		o := w.byID[c.ID]
		w.t.Logf("completion of %d: %d, flags %#x", int(c.Tag), c.Res, uint16(c.Flags))
		switch {
		case o == nil || o.told:
			w.fail("a completion of nothing, or behind the last: %+v", *c)
		case c.Tag != o.op.Tag || c.Code != o.op.Code:
			w.fail("%+v of %+v", *c, o.op)
		case c.More() && (o.op.Flags&api.Multishot == 0 || c.Res <= 0):
			w.fail("operation %d has completed with More: %+v", o.at, *c)
		case !c.More() && w.live(o):
			w.fail("operation %d has completed, and goes on", o.at)
		}
		if c.Res >= 0 {
			w.performable(o)
		}
		if c.Code == api.OpPoll && c.Res > 0 {
			polls[c.ID]++
			w.checkOften(o, polls[c.ID])
		}
		if !c.More() {
			o.told, o.res = true, c.Res
			w.checkResult(o, c, kept)
		}
		w.checkData(o, c)
	}
}

// checkOften checks that a poll does not complete more often in one Complete than the Poller may have told it to: one that is level-triggered
// once, and one that is not when it begins, and then at events and when what has been reported is over.
func (w *world) checkOften(o *wop, n int) {
	if limit := w.asked + 2; n > limit || n > 1 && o.op.Flags&api.Level != 0 && !w.full && !w.kept {
		w.fail("the poll %d has completed %d times in one Complete, in which the Poller was asked %d times", o.at, n, w.asked)
	}
}

// performable checks that the turn of o, which has been performed, had come.
func (w *world) performable(o *wop) {
	for _, p := range w.ops[o.unit:o.at] {
		if p.stops() {
			w.fail("operation %d has been performed behind %d of its chain, which has failed", o.at, p.at)
		}
		if !p.told && !p.silent() {
			w.fail("operation %d has been performed before %d of its chain has ended", o.at, p.at)
		}
	}
	for _, p := range w.ops[:o.unit] {
		if !p.told && !p.silent() && (p.drain || o.drain) && !optab.Of(o.op.Code).Control {
			w.fail("operation %d has been performed before %d has ended, and there is a drain", o.at, p.at)
		}
	}
	for _, p := range w.ops {
		if !p.told && !p.silent() && p.before(o) {
			w.fail("operation %d has been performed before %d", o.at, p.at)
		}
	}
}

// checkResult checks the last result of o.
func (w *world) checkResult(o *wop, c *api.Completion, kept bool) {
	late := o.op.Deadline != 0 && o.op.Deadline <= api.Now()
	p, ok := o.pr, false
	switch -o.res {
	default:
		ok = o.res >= 0 && !o.invalid()
	case int32(api.ECanceled):
		ok = o.mayCancel() || o.broken() || o.op.Code == api.OpLinkTimeout
	case int32(api.ETime):
		ok = late || (o.op.Code == api.OpTimeout || o.op.Code == api.OpLinkTimeout) && o.from().Add(time.Duration(o.op.Off)) <= api.Now()
	case int32(syscall.EBADF):
		ok = o.closes() || o.op.Code == api.OpCancel
	case int32(syscall.EINVAL):
		ok = o.invalid()
	case int32(syscall.ENOBUFS):
		ok = o.op.Flags&api.BufferSelect != 0 && (kept || w.g.Available() == 0)
	case int32(syscall.EAGAIN):
		ok = o.op.Flags&api.DontWait != 0
	case int32(syscall.ENOENT), int32(syscall.EALREADY):
		ok = o.op.Code == api.OpCancel || o.op.Code == api.OpLinkTimeout
	case int32(syscall.ENOSPC):
		ok = p != nil && p.refused
	case int32(syscall.EPIPE), int32(syscall.ECONNRESET):
		ok = p != nil && p.gone
	}
	if !ok {
		w.fail("operation %d, %v with flags %#x, has completed with %d", o.at, o.op.Code, uint32(o.op.Flags), o.res)
	}
	switch {
	case o.op.Code == api.OpClose && o.res == 0 && !p.closed:
		w.fail("operation %d has closed fd %d, which is open", o.at, p.a)
	case o.op.Code == api.OpCancel && o.op.Flags&(api.ByFD|api.ByOp|api.Any) == 0:
		w.checkAnswer(o)
	case o.op.Code == api.OpRecv && o.res == 0:
		w.checkEOF(o, c)
	case o.op.Code == api.OpPoll && o.res >= 0 && uint32(o.res)&^(o.op.Arg|api.PollErr|api.PollHup|api.PollRDHup) != 0:
		w.fail("the poll %d of %#x has completed with %#x", o.at, o.op.Arg, o.res)
	}
}

// checkEOF checks that the stream of o has ended.
func (w *world) checkEOF(o *wop, c *api.Completion) {
	p := o.pr
	if !p.eof || (c.Flags&api.AtEOF != 0) != (o.op.Flags&api.EOF != 0) {
		w.fail("operation %d tells of the end of fd %d, flags %#x", o.at, p.a, uint16(c.Flags))
	}
	for _, q := range w.ops {
		if q.pr == p && q.op.Code == api.OpRecv && !q.told && (q.silent() || q.op.Flags&api.WaitAll != 0) {
			return // which may have had bytes
		}
	}
	if i := slices.Index(p.taken, false); i >= 0 {
		w.fail("operation %d tells of the end of fd %d, and byte %d was not received", o.at, p.a, i)
	}
}

// checkAnswer checks that the cancel o has said the truth.
func (w *world) checkAnswer(o *wop) {
	t := w.byID[o.op.Target]
	switch {
	case t == nil:
		if o.res == 0 {
			w.fail("the cancel %d has ended what there is not", o.at)
		}
	case o.res == 0 && w.live(t):
		w.fail("the cancel %d has ended %d, which goes on", o.at, t.at)
	case o.res == 0 && t.told && t.res != -int32(api.ECanceled) && (t.res <= 0 || t.op.Flags&api.WaitAll == 0):
		w.fail("the cancel %d has ended %d, which has completed with %d", o.at, t.at, t.res)
	case o.res != -int32(syscall.ENOENT) && o.res != -int32(syscall.EALREADY):
	case !w.live(t), t.at >= o.at, t.at > t.unit:
	case optab.Of(t.op.Code).Control, t.op.Code == api.OpClose, t.op.Code == api.OpLinkTimeout:
	default:
		w.fail("the cancel %d says %d, and %d goes on", o.at, o.res, t.at)
	}
}

// checkData takes in what a receive has received.
func (w *world) checkData(o *wop, c *api.Completion) {
	if o.op.Code != api.OpRecv {
		return
	}
	if (c.Flags&api.Buffer != 0) != (o.op.Flags&api.BufferSelect != 0 && c.Res > 0) {
		w.fail("operation %d has completed with %+v", o.at, *c)
	}
	if c.Flags&api.Buffer != 0 {
		if len(c.Buf) != int(c.Res) {
			w.fail("operation %d has %d bytes in its buffer of %d", o.at, c.Res, len(c.Buf))
		}
		if w.seen[c.Lease] {
			w.fail("the lease %#x is given out twice", uint64(c.Lease))
		}
		w.seen[c.Lease] = true
		g := w.g
		if o.g != nil {
			g = o.g
		}
		w.leases = append(w.leases, heldLease{g, c.Lease, c.Buf, slices.Clone(c.Buf)})
		w.received(o, c.Buf)
		return
	}
	if o.copied = slices.Clone(o.op.Buf); c.Res > 0 {
		w.received(o, o.op.Buf[:c.Res])
	}
}

// received finds out which bytes of its stream o has received.
func (w *world) received(o *wop, data []byte) {
	p := o.pr
	ordered := optab.DirectionOf(&o.op) == optab.Read
	last := -1
	if ordered && !o.silent() {
		last = p.last
	}
	for i, c := range data {
		k := last + 1
		for k < p.written && (p.taken[k] || k%byteMod != int(c)) {
			k++
		}
		if k == p.written {
			w.fail("operation %d has received %v from fd %d, of which byte %d was not to be received behind %d", o.at, data, p.a, i, last)
		}
		if i > 0 && k != last+1 && o.op.Flags&api.WaitAll == 0 {
			w.fail("operation %d has received %v from fd %d, with a gap", o.at, data, p.a)
		}
		p.taken[k] = true
		last = k
	}
	if ordered && !o.silent() {
		p.last = last
	}
}

// quiet lets the Poller report all that there is, and checks that nothing goes on that could end.
func (w *world) quiet() {
	w.p.fair = true
	for range 4 {
		for idle, n := 0, 0; idle < 3 && n < 20; n++ { // a level-triggered poll may go on for ever
			if idle++; w.complete(64, api.Wait{}) > 0 {
				idle = 0
			}
		}
		// What is tried again after a pause, or looked at when the engine sleeps.
		w.complete(64, api.Wait{Min: 64, Deadline: api.After(25 * time.Millisecond)})
	}
	w.complete(64, api.Wait{})
	w.complete(64, api.Wait{})
	all := w.pending()
	for _, o := range all {
		if !w.stuck(o, all) {
			w.fail("operation %d goes on without a reason: %v on %d, flags %#x", o.at, o.op.Code, o.op.FD, uint32(o.op.Flags))
		}
	}
	if n := w.e.Stats().InFlight; n != uint64(len(all)) {
		w.fail("the engine says that %d are in flight, and %d are", n, len(all))
	}
	w.p.fair = false
}

// stuck says whether there is a reason that o, one of all, has not ended.
func (w *world) stuck(o *wop, all []*wop) bool {
	if w.behind(o, all) {
		return true
	}
	if d := optab.DirectionOf(&o.op); d != optab.None {
		for _, p := range all {
			if p != o && p.pr == o.pr && optab.DirectionOf(&p.op) == d && !o.before(p) {
				return true // it may be the first of the two
			}
		}
	}
	switch o.op.Code {
	case api.OpRecv:
		return held(o.op.FD)&(Readable|Hangup) == 0
	case api.OpSend:
		return held(o.op.FD)&Writable == 0
	case api.OpPoll:
		got, _ := sysx.Poll1(o.op.FD, int16(o.op.Arg))
		return got == 0 || o.op.Flags&api.Multishot != 0
	case api.OpTimeout:
		return o.due() == 0 || o.due() > api.Now()
	case api.OpLinkTimeout:
		return true // its operation goes on, or the check of that fails
	}
	return false
}

// drain reads what the engine has sent.
func (w *world) drain(p *pair) {
	for !p.gone && w.read(p, 4096) {
	}
}

// sent checks that p has received what the operations say.
func (w *world) sent(p *pair) {
	if p.gone && !p.drained {
		return
	}
	where := map[byte]int{}
	for i, r := range p.got {
		if r.who == 0 {
			continue
		}
		if _, ok := where[r.who]; ok {
			w.fail("what send number %d on fd %d has sent has come in pieces: %v", r.who, p.a, p.got)
		}
		where[r.who] = i
	}
	var done []*wop
	for _, o := range w.ops {
		if o.op.Code != api.OpSend || o.pr != p {
			continue
		}
		i, ok := where[o.who]
		n := 0
		if ok {
			n = p.got[i].n
		}
		switch {
		case o.told && n != int(max(o.res, 0)), !o.told && n > 0 && !o.silent():
			w.fail("the send %d has completed with %d, and %d bytes have come", o.at, o.res, n)
		case n == 0:
			continue
		}
		for _, q := range done {
			if o.before(q) && i > where[q.who] || q.before(o) && i < where[q.who] {
				w.fail("the sends %d and %d have come in the wrong order: %v", o.at, q.at, p.got)
			}
		}
		done = append(done, o)
	}
}

// end closes the engine at once, or when all is over.
func (w *world) end() {
	atOnce := w.odds(3, "close at once")
	w.p.fair = true
	for turns := 0; !atOnce && (w.e.Stats().InFlight > 0 || len(w.pending()) > 0); turns++ {
		if turns > 200 {
			w.fail("%d operations do not end", len(w.pending()))
		}
		op := []api.Op{api.CancelAny(0)}
		if w.submit(op) == 0 {
			w.want(&op[0], len(w.ops))
			if _, err := w.e.CancelSync(op[0], -1); err != nil {
				w.fail("CancelSync: %v", err)
			}
			w.full, w.settled = true, true
			w.count++
		}
		w.complete(16, api.Wait{})
	}
	if !atOnce {
		w.idle()
	}
	w.over = true
	if err := w.e.Close(); err != nil || !w.p.closed {
		w.fail("Close: %v, of the Poller %v", err, w.p.closed)
	}
	for _, o := range w.ops {
		if w.live(o) || !atOnce && !o.told && !o.silent() {
			w.fail("operation %d, %v: no completion, live %v", o.at, o.op.Code, w.live(o))
		}
		w.untouched(o)
	}
	if !atOnce {
		w.leftOver()
	}
}

// idle checks an engine in which nothing is in flight.
func (w *world) idle() {
	for range 3 {
		w.complete(64, api.Wait{}) // what is kept, and to let the Poller know, and to count
	}
	for len(w.leases) > 0 {
		w.release(w.n(len(w.leases), "lease"))
	}
	if s := w.e.Stats(); s.InFlight != 0 || s.Submitted != uint64(len(w.ops)) {
		w.fail("%+v after %d operations, all of which have ended", s, len(w.ops))
	}
	if n := w.g.Available(); n != w.g.Count() {
		w.fail("%d buffers are there of %d, and no lease is out", n, w.g.Count())
	}
	if !w.p.edge && len(w.p.order) != 1 {
		w.fail("the Poller watches %v for nobody", w.p.armed)
	}
}

// untouched checks that o has written to its buffer what it says, and no more.
func (w *world) untouched(o *wop) {
	if o.op.Code != api.OpRecv || !o.told {
		return
	}
	if !slices.Equal(o.op.Buf, o.copied) {
		w.fail("the buffer of operation %d has changed behind its end", o.at)
	}
	for _, c := range o.op.Buf[min(len(o.op.Buf), int(max(o.res, 0))):] {
		if c != untouched {
			w.fail("operation %d has completed with %d, and its buffer is %v", o.at, o.res, o.op.Buf)
		}
	}
}

// leftOver checks that no byte has been lost.
func (w *world) leftOver() {
	for _, o := range w.ops {
		if o.op.Code == api.OpRecv && !o.told && len(o.op.Buf) > 0 {
			if n := slices.Index(o.op.Buf, untouched); n != 0 {
				w.received(o, o.op.Buf[:max(n, 0)+len(o.op.Buf)*max(-n, 0)])
			}
		}
	}
	for _, p := range w.pairs {
		w.drain(p)
		if p.closed {
			continue
		}
		buf := make([]byte, 4*window)
		rest := &wop{w: w, op: api.Recv(int(p.a), nil, 0).With(api.Unordered | api.WaitAll), pr: p}
		for range 4 { // an error may come before the data
			n, _, _ := unix.Recvfrom(int(p.a), buf, unix.MSG_DONTWAIT)
			w.received(rest, buf[:max(n, 0)])
		}
		if i := slices.Index(p.taken, false); i >= 0 {
			w.fail("byte %d of fd %d has been lost", i, p.a)
		}
	}
	for _, p := range slices.Concat(w.pairs, w.old) {
		w.sent(p)
	}
}
