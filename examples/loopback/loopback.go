// Package loopback is a backend of its own: an api.Engine whose files are streams in memory. It stands on package api alone,
// as a backend of somebody else would, and docs/WRITING_A_BACKEND.md builds it step by step. Use it to learn how an engine works, or to test a
// program without a kernel. It is not made to be fast: each turn looks at all that is in flight.
//
// A Net, and the methods Wake, Post and Stats of an Engine, are for any goroutine; all else of an Engine is for its owner.
package loopback

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// Net is what a kernel is to other backends: it has the streams, by number. NewNet makes one.
type Net struct {
	mu      sync.Mutex
	ends    []*end // by fd; nil is free
	engines map[*Engine]struct{}
}

// end is one of the two ends of a connection.
type end struct{ in, out *pipe }

// pipe is one direction of a connection.
type pipe struct {
	buf    []byte // buf[off:] has been written and not read
	off    int
	ended  bool // the writer writes no more
	broken bool // the reader reads no more
}

// NewNet makes a net without streams.
func NewNet() *Net { return &Net{engines: map[*Engine]struct{}{}} }

// Pair makes two ends that are connected, and returns their numbers, the lowest that are free.
func (n *Net) Pair() (a, b int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	there, back := new(pipe), new(pipe)
	return n.open(&end{in: there, out: back}), n.open(&end{in: back, out: there}), nil
}

func (n *Net) open(e *end) int {
	fd := slices.Index(n.ends, nil)
	if fd < 0 {
		fd = len(n.ends)
		n.ends = append(n.ends, nil)
	}
	n.ends[fd] = e
	return fd
}

// Read reads what there is, and does not wait: EAGAIN says that there is nothing yet, 0 that the stream has ended.
func (n *Net) Read(fd int, p []byte) (int, error) { return result(n.recv(fd, p, false)) }

// Write writes what there is room for, and does not wait: EAGAIN says that there is none.
func (n *Net) Write(fd int, p []byte) (int, error) { return result(n.send(fd, p)) }

// CloseWrite ends the stream for the peer.
func (n *Net) CloseWrite(fd int) error { _, err := result(n.shutdown(fd, api.ShutWrite)); return err }

// Close closes an end.
func (n *Net) Close(fd int) error { _, err := result(n.close(fd)); return err }

// result makes of what an operation completes with what a method returns.
func result(res int) (int, error) {
	if res < 0 {
		return 0, syscall.Errno(-res)
	}
	return res, nil
}

// get locks the net and finds an end, nil if the number is that of none.
func (n *Net) get(fd int) *end {
	n.mu.Lock()
	if fd < 0 || fd >= len(n.ends) {
		return nil
	}
	return n.ends[fd]
}

// recv and the three below are what a kernel would do: they try once, and say what they did or a negative errno.
func (n *Net) recv(fd int, p []byte, peek bool) int {
	defer n.mu.Unlock()
	e := n.get(fd)
	switch {
	case e == nil:
		return -int(syscall.EBADF)
	case len(p) > 0 && e.in.off < len(e.in.buf):
		got := copy(p, e.in.buf[e.in.off:])
		if !peek {
			e.in.off += got
			n.changed()
		}
		return got
	case len(p) == 0, e.in.ended, e.in.broken:
		return 0
	}
	return -int(syscall.EAGAIN)
}

func (n *Net) send(fd int, p []byte) int {
	defer n.mu.Unlock()
	e := n.get(fd)
	switch {
	case e == nil:
		return -int(syscall.EBADF)
	case len(p) == 0:
		return 0
	case e.out.ended, e.out.broken:
		return -int(syscall.EPIPE)
	}
	put := min(len(p), pipeSize-(len(e.out.buf)-e.out.off))
	if put == 0 {
		return -int(syscall.EAGAIN)
	}
	if len(e.out.buf)+put > cap(e.out.buf) { // what has been read makes room before more memory does
		e.out.buf, e.out.off = e.out.buf[:copy(e.out.buf, e.out.buf[e.out.off:])], 0
	}
	e.out.buf = append(e.out.buf, p[:put]...)
	n.changed()
	return put
}

func (n *Net) shutdown(fd, how int) int {
	defer n.mu.Unlock()
	e := n.get(fd)
	switch {
	case e == nil:
		return -int(syscall.EBADF)
	case how < api.ShutRead || how > api.ShutBoth:
		return -int(syscall.EINVAL)
	}
	e.in.broken = e.in.broken || how != api.ShutWrite
	e.out.ended = e.out.ended || how != api.ShutRead
	n.changed()
	return 0
}

func (n *Net) close(fd int) int {
	res := n.shutdown(fd, api.ShutBoth)
	if res == 0 {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.ends[fd] = nil
	}
	return res
}

// changed has all engines look again. An engine that is on its way to sleep finds the word in its channel.
func (n *Net) changed() {
	for e := range n.engines {
		e.kick()
	}
}

// features are what an engine declares. What is missing here is refused, and the cases of the suite that need it are skipped.
var features = api.Features{
	Native: api.FeatWaitAll | api.FeatDontWait | api.FeatOrdered | api.FeatCancelFD | api.FeatSafeClose | api.FeatDeadlines |
		api.FeatPark | api.FeatPost,
	OpsNative: streamOps | 1<<api.OpNop | 1<<api.OpTimeout | 1<<api.OpTimeoutRemove | 1<<api.OpCancel | 1<<api.OpMsgRing,
}

// known are the flags that each operation knows. Any other is EINVAL.
var known = [api.OpCount]api.OpFlags{
	api.OpTimeout:       api.Abs | api.Multishot | api.Realtime | api.TimeoutOK,
	api.OpTimeoutRemove: api.Abs | api.Update,
	api.OpCancel:        byMany | api.First,
	api.OpRecv:          api.DontWait | api.Unordered | api.WaitAll | api.EOF,
	api.OpSend:          api.DontWait | api.Unordered | api.WaitAll,
}

const (
	streamOps = api.OpSet(1<<api.OpRecv | 1<<api.OpSend | 1<<api.OpShutdown | 1<<api.OpClose)

	byMany   = api.ByFD | api.ByOp | api.Any // of a cancel that does not go by an id
	msgPeek  = 2                             // MSG_PEEK, which has this number everywhere
	never    = api.Instant(1<<63 - 1)
	pipeSize = 1 << 16 // what a pipe holds, as on Linux
)

// slot holds one operation from Submit until it has ended.
type slot struct {
	op         api.Op
	id         api.OpID
	seq        uint64      // the order of submission; 0: the slot is free
	moved      int         // bytes, of an operation with WaitAll
	due, limit api.Instant // of a timeout, and the Deadline; 0 is none
	base       api.Instant // from which a time counts
	goal       uint64      // of Engine.counted, for a timeout with a count; 0 is none
	left       uint32      // ticks to come; 0 is without end
}

func (s *slot) free() bool { return s.seq == 0 }

// Engine implements api.Engine.
type Engine struct {
	api.Unsupported // has the methods of what we do not do
	net             *Net
	opt             api.Options
	has             api.Features

	slots   []*slot // by the lower half of their ids
	unused  []*slot
	line    []*slot          // what is in flight, in the order of submission
	counted uint64           // completions given out that count for timeouts with a count
	done    []api.Completion // done[head:] are to be given out
	head    int
	timer   *time.Timer

	// What follows is for any goroutine.
	kicked          chan struct{} // has a word for an owner that sleeps
	woken, closed   atomic.Bool
	taken, givenOut atomic.Uint64
	inFlight        atomic.Int64 // operations whose last completion has not been given out
	mu              sync.Mutex   // around the rest
	inbox           []api.Completion
	posts           int // what has been posted and not given out
}

// Open makes an engine for the streams of n. It returns an *api.OptionError for an option that is out of range.
func (n *Net) Open(o *api.Options) (api.Engine, error) {
	opt, err := o.WithDefaults() // of a nil o, too
	if err != nil {
		return nil, err
	}
	e := &Engine{net: n, opt: opt, has: features, kicked: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	if opt.Restrict != 0 {
		e.has.OpsNative &= opt.Restrict
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.engines[e] = struct{}{}
	return e, nil
}

// Name implements api.Engine.
func (e *Engine) Name() string { return "loopback" }

// Features implements api.Engine.
func (e *Engine) Features() api.Features { return e.has }

// Stats implements api.Engine.
func (e *Engine) Stats() api.Stats {
	return api.Stats{Submitted: e.taken.Load(), Completions: e.givenOut.Load(), InFlight: uint64(e.inFlight.Load())}
}

// Close implements api.Engine. Nothing but our own turns touches a buffer, so that all of them are the caller's at once.
func (e *Engine) Close() error {
	if e.closed.Swap(true) {
		return api.ErrClosed
	}
	e.Shut()
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	delete(e.net.engines, e)
	e.slots, e.unused, e.line, e.done = nil, nil, nil, nil
	e.inFlight.Store(0)
	return nil
}

// Submit implements api.Engine.
func (e *Engine) Submit(ops []api.Op) (n int, err error) {
	if e.closed.Load() {
		return 0, api.ErrClosed
	}
	now := api.Now()
	for ; n < len(ops); n++ {
		if err := e.admit(&ops[n], n); err != nil {
			return n, err
		}
		ops[n].ID = e.take(&ops[n], now)
	}
	return n, nil
}

// admit says why an operation cannot be taken. All else that is wrong with it is told by its completion.
func (e *Engine) admit(op *api.Op, i int) error {
	switch {
	case !op.Code.Valid(), !op.Flags.Known():
		return &api.InvalidOpError{Index: i, Code: op.Code, Reason: "unknown code or flags"}
	case !e.has.HasOp(op.Code):
		return &api.UnsupportedError{Op: op.Code, Reason: "it is not in Features"}
	case e.inFlight.Load() == int64(e.opt.MaxInFlight):
		return api.ErrQueueFull
	}
	return nil
}

// take puts an operation into a slot and at the end of the line, and gives it an id that none had before.
func (e *Engine) take(op *api.Op, now api.Instant) api.OpID {
	var s *slot
	if n := len(e.unused); n > 0 {
		s, e.unused = e.unused[n-1], e.unused[:n-1]
	} else {
		s = &slot{id: api.MakeOpID(uint32(len(e.slots)), 1)}
		e.slots = append(e.slots, s)
	}
	s.op, s.seq, s.base, s.limit = *op, e.taken.Add(1), now, op.Deadline
	if op.Code == api.OpTimeout {
		s.setDue()
		if s.left = op.Arg; s.left > 0 && !op.Flags.Has(api.Multishot) {
			s.goal = e.counted + uint64(s.left)
		}
	}
	e.inFlight.Add(1)
	e.line = append(e.line, s)
	return s.id
}

// lookup is the operation in flight with the id, nil if there is none.
func (e *Engine) lookup(id api.OpID) *slot {
	if i := int(id.Slot()); i < len(e.slots) && e.slots[i].id == id && !e.slots[i].free() {
		return e.slots[i]
	}
	return nil
}

// end ends an operation with its last completion, and frees its slot. Bytes that were moved count more than an error.
func (e *Engine) end(s *slot, res int) {
	if s.moved > 0 {
		res = s.moved
	}
	c := api.Completion{Tag: s.op.Tag, ID: s.id, Res: int32(res), Code: s.op.Code}
	if res == 0 && s.op.Flags.Has(api.EOF) && len(s.op.Buf) > 0 {
		c.Flags = api.AtEOF
	}
	e.done = append(e.done, c)
	*s = slot{id: api.MakeOpID(s.id.Slot(), max(s.id.Generation()+1, 1))} // lets go of the buffer, too
	e.unused = append(e.unused, s)
}

// Complete implements api.Engine.
func (e *Engine) Complete(dst []api.Completion, w api.Wait) (n int, err error) {
	if e.closed.Load() {
		return 0, api.ErrClosed
	}
	how, err := w.Resolve(e.opt.Strategy)
	if err != nil {
		return 0, err
	}
	if how.Mode == api.ModePark && e.opt.Strategy.Mode != api.ModePark {
		return 0, &api.UnsupportedError{Feature: api.FeatPark, Reason: "the engine was not opened with the strategy Park"}
	}
	want, deadline, batch := min(w.Min, len(dst)), cmp.Or(w.Deadline, never), never
	if w.Batch > 0 && want > 1 {
		batch = api.After(w.Batch)
	}
	for spin := how.Spin; ; spin-- {
		e.turn()
		n += e.give(dst[n:])
		if e.woken.Swap(false) || n >= want {
			break
		}
		now := api.Now()
		if now >= batch {
			want, batch = 1, never // from now on one is enough
		}
		if n >= want || now >= deadline {
			break
		}
		if spin <= 0 {
			e.sleep(min(deadline, batch))
		}
	}
	e.givenOut.Add(uint64(n))
	e.tidy()
	return n, nil
}

// turn performs what can be performed, until there is nothing more.
func (e *Engine) turn() {
	for again := true; again; {
		again = false
		for _, s := range e.line {
			again = !s.free() && e.try(s) || again
		}
		again = e.expire() || again
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = append(e.done, e.inbox...)
	e.inbox = e.inbox[:0]
}

// tidy takes what has ended off the line, before its slots are used again.
func (e *Engine) tidy() { e.line = slices.DeleteFunc(e.line, (*slot).free) }

// give moves completions into dst. What does not fit is there for the next call.
func (e *Engine) give(dst []api.Completion) (n int) {
	for ; n < len(dst) && e.head < len(e.done); n++ {
		dst[n] = e.done[e.head]
		e.head++
		e.given(&dst[n])
	}
	if 2*e.head >= len(e.done) {
		e.done, e.head = e.done[:copy(e.done, e.done[e.head:])], 0
	}
	return n
}

// given does what follows from a completion that the program has.
func (e *Engine) given(c *api.Completion) {
	switch {
	case c.ID == 0:
		e.mu.Lock()
		e.posts--
		e.mu.Unlock()
	case !c.More():
		e.inFlight.Add(-1)
	default: // a tick: the next is at a multiple of its time, so that one which was late moves none
		if s := e.lookup(c.ID); s != nil {
			d := max(time.Duration(s.op.Off), 1)
			s.due = s.base.Add((api.Now().Sub(s.base)/d + 1) * d)
		}
	}
	if c.Code == api.OpTimeout && (c.Res == 0 || c.Res == -int32(api.ETime)) {
		return // these do not count
	}
	e.counted++
	for _, s := range e.line {
		if s.goal != 0 && s.goal <= e.counted {
			e.end(s, 0)
		}
	}
}

// sleep waits for a word in kicked, for the next timeout, or until an instant.
func (e *Engine) sleep(until api.Instant) {
	_, next := e.next()
	e.timer.Reset(min(next, until).Sub(api.Now()))
	select {
	case <-e.kicked:
	case <-e.timer.C:
	}
}

// kick has the owner look again.
func (e *Engine) kick() {
	select {
	case e.kicked <- struct{}{}:
	default: // there is a word already
	}
}

// Wake implements api.Engine.
func (e *Engine) Wake() error {
	if e.closed.Load() {
		return api.ErrClosed
	}
	e.woken.Store(true)
	e.kick()
	return nil
}

// Post implements api.Engine.
func (e *Engine) Post(tag uint64, res int32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed.Load():
		return api.ErrClosed
	case e.posts == e.opt.MaxInFlight:
		return api.ErrQueueFull
	}
	e.posts++
	e.inbox = append(e.inbox, api.Completion{Tag: tag, Res: res, Code: api.OpMsgRing})
	e.kick()
	return nil
}

// message performs a message, which may go to any engine.
func message(op *api.Op) int {
	if op.Args.To == nil {
		return -int(syscall.EBADF)
	}
	switch err := op.Args.To.Post(op.Args.ToTag, int32(op.Arg)); {
	case err == nil:
		return 0
	case errors.Is(err, api.ErrQueueFull):
		return -int(syscall.EOVERFLOW)
	}
	return -int(syscall.EBADF)
}

// check finds what is wrong with an operation by itself.
func check(op *api.Op) syscall.Errno {
	f := op.Flags
	switch {
	case f&^known[op.Code] != 0, op.Personality != 0,
		op.Code == api.OpRecv && f.Has(api.WaitAll) && op.Arg&msgPeek != 0,
		op.Code == api.OpTimeout && (op.Off < 0 || f.Has(api.Multishot|api.Abs)),
		op.Code == api.OpTimeoutRemove && (f.Has(api.Update) && op.Off < 0 || f == api.Abs),
		op.Code == api.OpCancel && (f.Has(api.Any) && f&(api.ByFD|api.ByOp) != 0 || f == api.First):
		return syscall.EINVAL
	case op.Code == api.OpMsgRing && op.Args == nil:
		return syscall.EFAULT
	}
	return 0
}

// try has an operation go on as far as it can, and says whether something has come of it.
func (e *Engine) try(s *slot) bool {
	if errno := check(&s.op); errno != 0 {
		e.end(s, -int(errno))
		return true
	}
	switch s.op.Code {
	case api.OpTimeout:
		return false // expire ends it
	case api.OpRecv, api.OpSend:
		return e.transfer(s)
	case api.OpShutdown:
		if s.op.Arg == api.ShutWrite && e.behind(s) {
			return false
		}
		e.end(s, e.net.shutdown(int(s.op.FD), int(s.op.Arg)))
	case api.OpClose:
		e.end(s, e.close(s))
	case api.OpCancel:
		e.end(s, e.cancel(&s.op, s.seq))
	case api.OpTimeoutRemove:
		e.end(s, e.retime(s))
	case api.OpMsgRing:
		e.end(s, message(&s.op))
	default:
		e.end(s, 0) // a nop
	}
	return true
}

// transfer has a receive or send go on.
func (e *Engine) transfer(s *slot) bool {
	fd, buf, f := int(s.op.FD), s.op.Buf[s.moved:], s.op.Flags
	res := -int(syscall.EAGAIN)
	switch {
	case e.behind(s):
	case s.op.Code == api.OpRecv:
		res = e.net.recv(fd, buf, s.op.Arg&msgPeek != 0)
	default:
		res = e.net.send(fd, buf)
	}
	if res > 0 {
		s.moved += res
	}
	waits := res == -int(syscall.EAGAIN) || res > 0 && res < len(buf) && f.Has(api.WaitAll)
	if waits && !f.Has(api.DontWait) {
		return res > 0
	}
	e.end(s, res)
	return true
}

// behind says whether s has to wait for an operation in its direction that was submitted before it.
func (e *Engine) behind(s *slot) bool {
	for _, t := range e.line {
		switch {
		case t == s || s.op.Flags.Has(api.Unordered):
			return false
		case t.onFD(s.op.FD) && (t.op.Code == api.OpRecv) == (s.op.Code == api.OpRecv) && !t.op.Flags.Has(api.Unordered):
			return true
		}
	}
	return false
}

// onFD says whether s is in flight, and about the end with the number fd.
func (s *slot) onFD(fd int32) bool { return !s.free() && streamOps.Has(s.op.Code) && s.op.FD == fd }

// close performs a close: it ends what is in flight on the end first.
func (e *Engine) close(c *slot) int {
	for _, s := range e.line {
		switch {
		case s == c || !s.onFD(c.op.FD):
		case s.seq < c.seq:
			e.end(s, -int(api.ECanceled))
		default: // its number may be another's when it is looked at
			e.end(s, -int(syscall.EBADF))
		}
	}
	return e.net.close(int(c.op.FD))
}

// cancel performs a cancel of what was submitted before seq, and gives its result.
func (e *Engine) cancel(op *api.Op, seq uint64) (n int) {
	if op.Flags&byMany == 0 {
		s := e.lookup(op.Target)
		if s == nil || s.seq >= seq {
			return -int(syscall.ENOENT)
		}
		e.end(s, -int(api.ECanceled))
		return 0
	}
	for _, s := range e.line {
		if s.seq < seq && s.matches(op) {
			e.end(s, -int(api.ECanceled))
			if n++; op.Flags.Has(api.First) {
				return 0
			}
		}
	}
	switch {
	case n == 0 && op.Flags.Has(api.ByFD) && e.net.recv(int(op.FD), nil, true) < 0:
		return -int(syscall.EBADF)
	case op.Flags.Has(api.First):
		return -int(syscall.ENOENT)
	}
	return n
}

// matches says whether a cancel by fd, by code or of any is about s.
func (s *slot) matches(c *api.Op) bool {
	return !s.free() && (!c.Flags.Has(api.Any) || s.op.Code != api.OpCancel) &&
		(!c.Flags.Has(api.ByFD) || s.onFD(c.FD)) && (!c.Flags.Has(api.ByOp) || uint32(s.op.Code) == c.Arg)
}

// CancelSync implements api.Engine. There is nothing to wait for: what is cancelled here ends at once.
func (e *Engine) CancelSync(c api.Op, _ time.Duration) (int, error) {
	if e.closed.Load() {
		return 0, api.ErrClosed
	}
	if c.Code != api.OpCancel || check(&c) != 0 {
		return 0, &api.InvalidOpError{Code: c.Code, Reason: "is no cancel"}
	}
	e.turn()
	n, err := result(e.cancel(&c, e.taken.Load()+1))
	if err == nil && (c.Flags&byMany == 0 || c.Flags.Has(api.First)) {
		n = 1
	}
	e.tidy()
	return n, err
}

// retime performs the removal or update of a timeout.
func (e *Engine) retime(c *slot) int {
	s := e.lookup(c.op.Target)
	switch {
	case s == nil || s.op.Code != api.OpTimeout:
		return -int(syscall.ENOENT)
	case !c.op.Flags.Has(api.Update):
		e.end(s, -int(api.ECanceled))
		return 0
	case s.op.Flags.Has(api.Multishot) && c.op.Flags.Has(api.Abs):
		return -int(syscall.EINVAL)
	}
	s.op.Off, s.base = c.op.Off, c.base
	s.op.Flags = s.op.Flags&^api.Abs | c.op.Flags&api.Abs
	if s.due != 0 { // else it has ticked, and goes on when the program knows
		s.setDue()
	}
	return 0
}

// setDue fixes when a timeout expires.
func (s *slot) setDue() {
	switch s.due = s.base.Add(time.Duration(s.op.Off)); s.op.Flags & (api.Abs | api.Realtime) {
	case api.Abs:
		s.due = max(api.Instant(s.op.Off), 1)
	case api.Abs | api.Realtime: // the wall clock may be set: it is looked at each second
		s.due = api.After(min(time.Duration(s.op.Off-time.Now().UnixNano()), time.Second))
	}
}

// next is the operation in flight whose time comes first, nil for none, and when it comes.
func (e *Engine) next() (first *slot, at api.Instant) {
	at = never
	for _, s := range e.line {
		for _, t := range [...]api.Instant{s.due, s.limit} {
			if t != 0 && t < at {
				first, at = s, t
			}
		}
	}
	return first, at
}

// expire does what comes of the time that has passed, and says whether that was anything.
func (e *Engine) expire() (some bool) {
	for s, at := e.next(); s != nil && at <= api.Now(); s, at = e.next() {
		some = true
		switch {
		case at == s.limit:
			e.end(s, -int(api.ETime))
		case s.op.Flags.Has(api.Abs|api.Realtime) && s.op.Off > time.Now().UnixNano():
			s.setDue()
		case s.op.Flags.Has(api.Multishot) && s.left != 1:
			s.left, s.due = max(s.left, 1)-1, 0
			e.done = append(e.done, api.Completion{Tag: s.op.Tag, ID: s.id, Res: -int32(api.ETime), Flags: api.More, Code: s.op.Code})
		default:
			e.end(s, -int(api.ETime))
		}
	}
	return some
}
