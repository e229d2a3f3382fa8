package conformance

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// T is a running case: its engine, what the case has submitted and reaped, and helpers that fail
// the case when something is not as it should be. It belongs to the goroutine of the case, but for Errorf
// and Logf.
type T struct {
	// Engine is the case's. Completions that the case reaps itself, with Engine.Complete, are not
	// seen by the other helpers.
	Engine api.Engine

	tb          TB
	c           *Case
	f           Factory
	opt         api.Options
	timeout     time.Duration
	memory      func(size int) ([]byte, func() error, error)
	streams     Streams // nil: sockets of the operating system
	start       api.Instant
	tunedToPark bool                       // the case, and not the Config, asks for Park, which an engine may have no feature for
	shared      atomic.Pointer[api.Engine] // for the watchdog

	mu      sync.Mutex // around tb
	muted   bool
	failed  atomic.Bool
	expired atomic.Bool
	skipped string

	ops     map[api.OpID]*tracked
	open    int // of ops
	stash   []api.Completion
	dst     [64]api.Completion
	fds     map[int]bool // to be closed at the end
	before  snapshot     // what was there before the case
	peers   map[int]int  // of TCP sockets
	later   []func()
	helpers sync.WaitGroup
	spawned bool
	over    atomic.Bool // the case is, and its helpers are to end
	groups  []*heldGroup
	leases  map[api.Lease]bool // that the case holds
	closed  bool               // the case has closed the engine itself
	untaken bool               // the case has reaped completions itself
	temp    string
	sent    []byte // of patternSent
	zeroed  []byte // of zeros
}

// opensFDs are the operations whose result is a new fd, unless it goes into a slot.
var opensFDs = api.Ops(api.OpAccept, api.OpOpenat, api.OpOpenat2, api.OpSocket, api.OpFixedFDInstall)

// tracked is what T knows of an operation that it has submitted.
type tracked struct {
	tag   uint64
	code  api.OpCode
	flags api.OpFlags
	fd    int
	ended bool
	told  bool   // of a zero-copy send: its result has come
	retag uint64 // another tag that is right too, once a PollRetag has been submitted
}

func newT(tb TB, c *Case, f Factory, cfg *Config) *T {
	t := &T{tb: tb, c: c, f: f, opt: cfg.options(), timeout: cfg.timeout(), memory: cfg.memory(), streams: cfg.streams(),
		start: api.Now(), ops: map[api.OpID]*tracked{}, fds: map[int]bool{}, peers: map[int]int{}, leases: map[api.Lease]bool{}}
	if cfg != nil && cfg.Restrict {
		t.opt.Restrict = c.Ops
	}
	if c.Tune != nil {
		c.Tune(&t.opt)
		if t.opt.Strategy.Mode == api.ModePark {
			t.tunedToPark = cfg.options().Strategy.Mode != api.ModePark
			unbindRing(&t.opt.Ring)
		}
	}
	setTimes(&t.opt)
	return t
}

// soonTime is how far ahead soon is, and lookTime how long StillPending waits for something that must not come. That need not be long: what an
// engine does wrong here, it does in the first turns. Cases run one at a time.
var soonTime, lookTime = usualSoon, usualLook

const usualSoon, usualLook = 20 * time.Millisecond, 2 * time.Millisecond

// setTimes chooses them for the engine of a case. A thread of the kernel's that takes submissions may have to wait for a processor. They are
// written only where they change: a case that was left behind may be reading them still.
func setTimes(o *api.Options) {
	soon, look := usualSoon, usualLook
	if o.Ring.SQPoll {
		soon, look = 5*usualSoon, 5*usualLook
	}
	if soon != soonTime {
		soonTime, lookTime = soon, look
	}
}

// unbindRing takes away those options of the ring that contradict Park, for a case that is about Park.
func unbindRing(r *api.RingOptions) {
	r.BoundedWorkers, r.UnboundedWorkers, r.WorkerCPUs = 0, 0, api.CPUSet{}
}

// run is the goroutine of the case.
func (t *T) run(done chan<- struct{}) {
	defer close(done)
	defer t.cleanup()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v\n%s", p, stacks())
		}
	}()
	o := t.opt
	e, err := t.f(&o)
	if err != nil {
		if t.c.Refusable && errors.Is(err, api.ErrUnavailable) || t.tunedToPark && errors.Is(err, api.ErrUnsupported) {
			t.skipped = err.Error()
			return
		}
		t.Fatalf("opening the engine: %v", err)
	}
	t.Engine = e
	t.shared.Store(&e)
	if t.skipped = t.c.missing(e.Features()); t.skipped != "" {
		return
	}
	if t.streams != nil && t.c.Needs == NeedFiles {
		t.skipped = noFiles
		return
	}
	t.c.Fn(t)
	t.settle()
}

// settle checks at the end of a case that the engine holds no more and no less than
// what is still in flight.
func (t *T) settle() {
	if t.closed || t.untaken || t.failed.Load() {
		return
	}
	for t.pull(0, 0) > 0 {
	}
	if got := t.Engine.Stats().InFlight; got != uint64(t.open) {
		t.Errorf("Stats().InFlight is %d at the end of the case, %d operations have not had their last completion", got, t.open)
	}
	t.settleLeases()
}

func (t *T) cleanup() {
	if t.Engine != nil && !t.closed {
		if err := t.Engine.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	}
	t.settleClosed()
	for i := len(t.later) - 1; i >= 0; i-- {
		t.later[i]()
	}
	if !t.helpersEnd() {
		return // their files stay open: a number that is somebody else's by now would be read from
	}
	for fd := range t.fds {
		if t.streams != nil {
			t.ownClose(fd)
		} else {
			closeFD(fd)
		}
	}
}

// settleClosed checks that an engine which has been closed has nothing in flight, and nothing with its workers.
func (t *T) settleClosed() {
	if t.Engine == nil || t.failed.Load() {
		return
	}
	if s := t.Engine.Stats(); s.InFlight != 0 || s.PoolDepth != 0 || s.PoolQueued != 0 {
		t.Errorf("the engine is closed, and has %d operations in flight, %d with its workers, of which %d wait for one", s.InFlight, s.PoolDepth, s.PoolQueued)
	}
}

// mute keeps a case that was left behind from reporting to a test that is over.
func (t *T) mute() {
	t.mu.Lock()
	t.muted = true
	t.mu.Unlock()
}

// Errorf reports a failure and goes on.
func (t *T) Errorf(format string, args ...any) {
	t.tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed.Store(true)
	if !t.muted {
		t.tb.Errorf("%s, %s: %s\n\trule: %s", t.c.ID, t.c.Name, fmt.Sprintf(format, args...), t.c.Explanation)
	}
}

// Fatalf reports a failure and ends the case. Only the goroutine of the case may call it.
func (t *T) Fatalf(format string, args ...any) {
	t.tb.Helper()
	t.Errorf(format, args...)
	runtime.Goexit()
}

// must fails the case if err is not nil.
func (t *T) must(what string, err error) {
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Logf prints something.
func (t *T) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.muted {
		t.tb.Logf(format, args...)
	}
}

// Failed says whether the case has failed.
func (t *T) Failed() bool { return t.failed.Load() }

// Skipf ends the case because the machine lacks something that has nothing to do with the engine.
func (t *T) Skipf(format string, args ...any) {
	t.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// Cleanup has f called when the case is over and the engine closed.
func (t *T) Cleanup(f func()) { t.later = append(t.later, f) }

// TempDir is a directory for the case.
func (t *T) TempDir() string {
	if t.temp == "" {
		t.temp = t.tb.TempDir()
	}
	return t.temp
}

// Options are what the engine was opened with.
func (t *T) Options() api.Options { return t.opt }

// Open opens another engine. It is closed at the end of the case, unless the case closes it.
func (t *T) Open(tune func(*api.Options)) api.Engine {
	o := t.opt
	if tune != nil {
		tune(&o)
	}
	e, err := t.f(&o)
	if err != nil {
		t.Fatalf("opening another engine: %v", err)
	}
	t.Cleanup(func() { _ = e.Close() }) // ErrClosed when the case has done it
	return e
}

// CloseEngine closes the engine, which must succeed.
func (t *T) CloseEngine() {
	t.closed = true
	if err := t.Engine.Close(); err != nil {
		t.Fatalf("Engine.Close: %v", err)
	}
}

// Submit submits the operations, all of which must be taken, and returns their ids.
func (t *T) Submit(ops ...api.Op) []api.OpID {
	n, err := t.Engine.Submit(ops)
	t.track(ops[:max(min(n, len(ops)), 0)])
	if err != nil || n != len(ops) {
		t.Fatalf("Submit of %d operations took %d: %v", len(ops), n, err)
	}
	ids := make([]api.OpID, len(ops))
	for i := range ops {
		ids[i] = ops[i].ID
	}
	return ids
}

// track remembers operations that have been submitted.
func (t *T) track(ops []api.Op) {
	for i := range ops {
		op := &ops[i]
		if op.ID == 0 {
			t.Errorf("Submit gave ops[%d] no id", i)
		}
		if _, ok := t.ops[op.ID]; ok {
			t.Errorf("Submit gave ops[%d] the id %#x a second time", i, uint64(op.ID))
		}
		t.ops[op.ID] = &tracked{tag: op.Tag, code: op.Code, flags: op.Flags, fd: int(op.FD)}
		t.open++
		if p := t.ops[op.Target]; p != nil && op.Code == api.OpPollRemove && op.Flags&api.UpdateTag != 0 {
			p.retag = uint64(op.Off)
		}
	}
}

// InFlight is how many operations of the case have not had their last completion.
func (t *T) InFlight() int { return t.open }

// pull makes one call of Complete and puts what came into the stash.
func (t *T) pull(atLeast int, deadline api.Instant) int {
	n, err := t.Engine.Complete(t.dst[:], api.Wait{Min: atLeast, Deadline: deadline})
	if err != nil {
		t.Fatalf("Complete: %v", err)
	}
	if n < 0 || n > len(t.dst) {
		t.Fatalf("Complete returned %d for %d completions", n, len(t.dst))
	}
	for i := range t.dst[:n] {
		t.check(&t.dst[i])
		t.stash = append(t.stash, t.dst[i])
	}
	clear(t.dst[:n])
	t.stopExpired()
	return n
}

// stopExpired ends a case that the watchdog has woken.
func (t *T) stopExpired() {
	if t.expired.Load() {
		t.Fatalf("the watchdog has ended the case")
	}
}

// check is what holds for every completion.
func (t *T) check(c *api.Completion) {
	const known = api.More | api.Buffer | api.BufferMore | api.Notif | api.AtEOF | api.Copied
	op := t.ops[c.ID]
	switch {
	case c.ID == 0 && c.Code == api.OpMsgRing:
		if c.Flags != 0 || c.Buf != nil || c.Lease != 0 {
			t.Errorf("posted completion with flags, a buffer or a lease: %s", show(c))
		}
		return
	case op == nil:
		t.Errorf("completion of an operation that was never submitted: %s", show(c))
		return
	case op.ended:
		t.Errorf("completion behind the last one of its operation: %s", show(c))
		return
	case c.Tag != op.tag && (c.Tag != op.retag || op.retag == 0) || c.Code != op.code:
		t.Errorf("completion %s of an operation with the tag %d and the code %v", show(c), op.tag, op.code)
	case c.Flags&^known != 0:
		t.Errorf("completion with flags that there are not, %#x: %s", c.Flags, show(c))
	case zeroCopyOps.Has(op.code):
		t.checkZeroCopy(op, c)
	case c.More() && op.flags&(api.Multishot|api.Bundle) == 0:
		t.Errorf("completion with More of an operation that is not multishot: %s", show(c))
	case c.More() && c.Res < 0 && (op.code != api.OpTimeout || int(c.Res) != etime):
		t.Errorf("completion with More of a failed operation: %s", show(c))
	case c.Flags.Has(api.Buffer) && (op.flags&api.BufferSelect == 0 || len(c.Buf) != int(c.Res) || c.Lease == 0):
		t.Errorf("completion with Buffer that has Buf of %d bytes, lease %#x: %s", len(c.Buf), uint64(c.Lease), show(c))
	case !c.Flags.Has(api.Buffer) && (c.Buf != nil || c.Lease != 0):
		t.Errorf("completion without Buffer that has Buf of %d bytes, lease %#x: %s", len(c.Buf), uint64(c.Lease), show(c))
	}
	if c.Flags.Has(api.Buffer) {
		t.lease(c.Lease)
	}
	if opensFDs.Has(op.code) && c.Res >= 0 && op.flags&api.IntoSlot == 0 {
		if t.before.has(int(c.Res)) {
			t.Fatalf("completion with an fd that was open before the case, and is not its own to close: %s", show(c))
		}
		t.fds[int(c.Res)] = true
	}
	if op.code == api.OpClose && c.Res == 0 && op.flags&api.FixedFile == 0 {
		delete(t.fds, op.fd)
	}
	if !c.More() {
		op.ended = true
		t.open--
	}
}

func (t *T) deadline() api.Instant { return t.start.Add(t.timeout) }

// spent says that the case has ended, or has no time left. Whatever goes on until something happens ends then: it may never happen. Any
// goroutine may call it.
func (t *T) spent() bool { return t.over.Load() || t.expired.Load() || api.Now() >= t.deadline() }

// more waits for at least one more completion.
func (t *T) more(what string) {
	for t.pull(1, t.deadline()) == 0 {
		if api.Now() >= t.deadline() {
			t.Fatalf("no completion within %v while waiting for %s; stashed: %s; %s", t.timeout, what, showAll(t.stash), t.state())
		}
	}
}

// Wait returns the next n completions in the order in which they came.
func (t *T) Wait(n int) []api.Completion {
	for len(t.stash) < n {
		t.more(fmt.Sprintf("%d completions", n))
	}
	out := append([]api.Completion(nil), t.stash[:n]...)
	t.stash = append(t.stash[:0], t.stash[n:]...)
	return out
}

// One returns the next completion.
func (t *T) One() api.Completion { return t.Wait(1)[0] }

// Await returns the next completion with the tag; others are kept for later.
func (t *T) Await(tag uint64) api.Completion {
	for from := 0; ; {
		for ; from < len(t.stash); from++ {
			if c := t.stash[from]; c.Tag == tag {
				t.stash = append(t.stash[:from], t.stash[from+1:]...)
				return c
			}
		}
		t.more(fmt.Sprintf("a completion with the tag %d", tag))
	}
}

// AwaitRes is Await for a last completion with the result res.
func (t *T) AwaitRes(tag uint64, res int) {
	t.tb.Helper()
	c := t.Await(tag)
	t.WantRes(&c, res)
}

// Do submits op and returns its next completion.
func (t *T) Do(op api.Op) api.Completion {
	t.Submit(op)
	return t.Await(op.Tag)
}

// Want submits op, whose only completion must have the result res.
func (t *T) Want(op api.Op, res int) {
	t.tb.Helper()
	c := t.Do(op)
	t.WantRes(&c, res)
}

// WantErr is Want with the errno that op must fail with.
func (t *T) WantErr(op api.Op, errno syscall.Errno) {
	t.tb.Helper()
	t.Want(op, -int(errno))
}

// WantRes fails the case unless c is a last completion with the result res.
func (t *T) WantRes(c *api.Completion, res int) {
	t.tb.Helper()
	if int(c.Res) != res || c.More() {
		t.Errorf("got %s, want the last completion with %s", show(c), showRes(int32(res)))
	}
}

// WantMore fails the case unless c is a completion with More and the result res.
func (t *T) WantMore(c *api.Completion, res int) {
	t.tb.Helper()
	if int(c.Res) != res || !c.More() {
		t.Errorf("got %s, want %s with More", show(c), showRes(int32(res)))
	}
}

// StillPending looks for a while whether an operation with one of the tags completes, and fails the case if so.
func (t *T) StillPending(tags ...uint64) {
	t.tb.Helper()
	t.pull(0, 0)
	for end := api.After(lookTime); api.Now() < end; {
		t.pull(1, end)
	}
	for i := range t.stash {
		for _, tag := range tags {
			if t.stash[i].Tag == tag {
				t.Fatalf("an operation that has to wait has completed: %s", show(&t.stash[i]))
			}
		}
	}
}

// Quiet fails the case if there is any completion that the case has not asked for.
func (t *T) Quiet() {
	t.tb.Helper()
	t.pull(0, 0)
	for end := api.After(lookTime); api.Now() < end; {
		t.pull(1, end)
	}
	if len(t.stash) > 0 {
		t.Fatalf("completions that should not be: %s", showAll(t.stash))
	}
}

// Perform has the engine perform what was submitted, without waiting.
func (t *T) Perform() { t.pull(0, 0) }

// showRes prints a result.
func showRes(res int32) string {
	if res >= 0 {
		return fmt.Sprint(res)
	}
	return fmt.Sprintf("%d (%v)", res, syscall.Errno(-res))
}

func show(c *api.Completion) string {
	s := fmt.Sprintf("{%v tag %d res %s", c.Code, c.Tag, showRes(c.Res))
	for _, f := range []struct {
		flag api.CompletionFlags
		name string
	}{{api.More, "More"}, {api.Buffer, "Buffer"}, {api.BufferMore, "BufferMore"}, {api.Notif, "Notif"}, {api.AtEOF, "AtEOF"}, {api.Copied, "Copied"}} {
		if c.Flags.Has(f.flag) {
			s += " " + f.name
		}
	}
	return s + "}"
}

func showAll(cs []api.Completion) string {
	s := "none"
	for i := range cs {
		if i == 0 {
			s = ""
		}
		if i == 8 {
			return fmt.Sprintf("%s and %d more", s, len(cs)-i)
		}
		s += show(&cs[i])
	}
	return s
}
