package uring

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/futexq"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
	"github.com/sluiceio/sluice/internal/workers"
)

// New opens an engine on a ring of its own. opt may be nil. An error is an *api.OptionError, or an
// *api.UnavailableError that says what would help.
func New(opt *api.Options) (api.Engine, error) {
	o, err := opt.WithDefaults()
	if err != nil {
		return nil, err
	}
	d, err := newDriver(&o)
	if err != nil {
		return nil, err
	}
	o.Ring.Attach, d.modes.Attach = nil, nil // the other engine may go
	e, err := core.New(name, o, d.features(), d)
	if err != nil {
		_ = d.Close() // the error before is the one to report
		return nil, unavailable("the fd to wake the engine with", err)
	}
	return e, nil
}

// driver implements core.Driver. The owner of the engine makes all calls.
type driver struct {
	e    *core.Engine
	ring *iouring.Ring

	// What the ring can do. kern are the optional features in use.
	kern      api.KernelFeature
	block     bool      // the strategy is Block: the ring belongs to one thread
	iopoll    *iopoll   // the ring that polls devices, or nil
	sqpoll    bool      // a thread of the kernel's takes the submissions
	deferred  bool      // completions are made in our own enters only (DEFER_TASKRUN)
	flagged   bool      // the flags in the ring tell whether entering would bring anything
	mixed     bool      // some completions are of 32 bytes
	soft      bool      // buffer groups are handed out by the core, not by the kernel
	gathers   bool      // a SendBundle is a sendmsg of the kernel's
	waitFlags uint32    // of every enter that may wait
	noSignal  uint32    // flag of every write
	clockOff  int64     // CLOCK_MONOTONIC minus api.Now
	emulated  api.OpSet // are performed here: see start
	special   api.OpSet // need prepare before they can be encoded, if they are at all
	modes     api.RingOptions

	fixed fixed
	tries attempt.Tries
	pool  workers.Pool
	futex futexq.Queue

	batch   time.Duration // how long the next Turn may wait for as much as it needs, not only for one thing
	least   uint32        // how many completions the present enter waits for,
	leastUs uint32        // and for how many microseconds, if that is not 0
	polls   bool          // queues of network cards are polled
	stalled bool          // the kernel takes no submissions at present
	skipped int           // Turns in a row that have not entered the kernel
	bytes   uint64        // that the entries since the last enter may move
	unsent  []pending     // in order; what found no place in the submission queue
	groups  []*group      // by id, grown to the largest
	dirty   []*group      // with buffers that the kernel has not been told of

	attach  attach
	wired   []*wired       // groups that network cards write into, by id; grown to the largest
	refills []*wired       // with pieces that the cards have not been told of
	spent   []card         // of groups that are closed
	piece   *iouring.CQE32 // the completion that dispatch is about, if it is a large one and wired has any

	asks     []ask   // cancels under way that somebody waits for
	freeAsks []int   // unused places in asks
	askAt    []int32 // by slot: the first ask about the operation in it, plus 1

	held []*core.Buffer // what the kernel's table of registered buffers holds

	results [64]core.Result // see plain

	pollRing [1]sysx.PollFd // what a stalled driver waits with

	armed    bool // the read of the wake fd is under way
	pollWake bool // the kernel refuses to wait in that read: poll instead

	timerAt  api.Instant // when the timeout operation of a wait ends, 0 for none
	timerSeq uint32      // tells it from earlier ones
	ts       iouring.Timespec
	pauses   [2]iouring.Timespec // constant: how long to wait where nothing tells when to try again

	count  core.Counters
	failed error // found where no error can be returned; Turn returns it
	tid    int   // of the owner, with Block

	oldWorkers [2]uint32 // the limits that the owner's thread had
	bound      bool
	closed     bool

	peers     []api.OpID // see watchPeer
	peersFrom api.Instant
}

var (
	_ core.Driver = (*driver)(nil)
	_ core.Noper  = (*driver)(nil)

	_ core.Receiver = (*driver)(nil)
)

// Attach implements core.Driver.
func (d *driver) Attach(e *core.Engine) error {
	d.e, d.tries.Engine = e, e
	d.pool.Init(e.Options().Workers, e.Notify)
	d.futex.Init(e.Notify)
	d.tries.ZC.Init(e)
	e.UsePool(optab.Pooled()&d.emulated, d.pool.Busy)
	return nil
}

// PollFD implements core.Driver.
func (d *driver) PollFD() int {
	if d.block {
		return -1
	}
	return d.ring.Fd()
}

// Counters implements core.Driver.
func (d *driver) Counters() core.Counters {
	c := d.count
	c.Enters += d.tries.Calls
	d.pool.Count(&c)
	return c
}

// Start implements core.Driver.
func (d *driver) Start(s *core.Slot) {
	if s.Group != nil {
		d.startSelected(s)
		return
	}
	if d.special>>s.Op.Code&1 != 0 && !d.prepare(s) {
		return
	}
	switch {
	case (s.Op.Code == api.OpRead || s.Op.Code == api.OpReadFixed) && len(s.Op.Buf) == 0:
		d.start(s) // it never waits, and in the ring that of an inotify fd does
		return
	case learned>>s.Op.Code&1 != 0 && s.FD != nil && (unsure(s.FD.Kind) || s.Op.Flags&api.DontWait != 0) && !d.ringDoes(s):
		return
	case s.Op.Off == api.CurrentPosition && s.Group == nil && learned>>s.Op.Code&1 != 0 && d.direct(s):
		d.start(s)
		return
	case s.FD != nil && s.FD.Kind&known == 0 && s.Op.Flags&api.WaitAll != 0:
		d.learn(s)
	}
	if d.iopoll != nil && polledOps.Has(s.Op.Code) && d.putPolled(s) {
		return
	}
	if f := s.FD; f != nil && f.Own && f.Place == 0 && d.kern.Has(api.KernFixedFiles) {
		d.fix(f)
	}
	d.put(s)
}

// StartNops implements core.Noper: there are no legs, files and fallbacks to a nop.
func (d *driver) StartNops(ids []api.OpID) int {
	if len(d.unsent) > 0 {
		return 0
	}
	ring := d.ring
	for n, id := range ids {
		q := ring.NextSQE()
		if q == nil {
			return n
		}
		q.PrepNop()
		q.UserData = kindOp<<kindShift | uint64(id.Generation())<<indexBits | uint64(id.Slot())
	}
	return len(ids)
}

// put hands the present leg of s to the kernel, or leaves it for later when there is no room.
func (d *driver) put(s *core.Slot) {
	q := d.sqe()
	if q == nil {
		s.Leg |= unsent
		d.unsent = append(d.unsent, pending{userData: userDataOf(s)})
		return
	}
	d.encode(q, s)
}

// sqe gives an entry of the submission queue, which must be filled in before the next call. It is nil when the
// kernel takes no more at present, or others wait for the same.
func (d *driver) sqe() *iouring.SQE {
	if len(d.unsent) > 0 {
		return nil
	}
	if q := d.ring.NextSQE(); q != nil {
		return q
	}
	d.flush()
	return d.ring.NextSQE()
}

// flush makes room in a full submission queue.
func (d *driver) flush() {
	d.publish()
	if d.sqpoll {
		d.sqRoom()
		return
	}
	d.bytes = 0
	d.count.Enters++
	if _, errno := d.ring.Enter(d.ring.Flush(), 0, 0); errno != 0 {
		d.note(d.enterError(errno))
	}
}

func (d *driver) note(err error) {
	if d.failed == nil && err != api.ErrNotOwner { // which is no fault of the owner's
		d.failed = err
	}
}

// pending is a submission that waits for room in the queue: a leg of the slot in userData, or a
// cancel of target.
type pending struct {
	userData uint64
	target   uint64
}

// resend moves what waits into the submission queue.
func (d *driver) resend() {
	n := 0
	for n < len(d.unsent) && d.ring.SQSpace() > 0 {
		p := d.unsent[n]
		n++
		if k := kindOf(p.userData); k == kindCancel || k == kindIgnore {
			encodeCancel(d.ring.NextSQE(), p)
			continue
		}
		if s := d.slotOf(p.userData); s != nil && s.Leg&unsent != 0 {
			s.Leg &^= unsent
			d.encode(d.ring.NextSQE(), s)
		}
	}
	d.unsent = append(d.unsent[:0], d.unsent[n:]...)
}

// slotOf is the slot that a user data names, nil when its operation is gone.
func (d *driver) slotOf(userData uint64) *core.Slot {
	return d.e.Lookup(uint32(userData&indexMask), uint32(userData>>indexBits))
}

// wakeSink is what all engines read their wake fds into, and nobody looks at. It is no part of the driver: a Wake that is under way while the engine is
// closed may end the read behind that, which must not write to memory that is another's by then.
var wakeSink [8]byte

// armWake starts the read of the fd that ends a wait, unless it is under way.
func (d *driver) armWake() {
	if d.armed {
		return
	}
	q := d.sqe()
	if q == nil {
		return // the next Turn tries again
	}
	if d.pollWake {
		q.PrepPollAdd(d.e.WakeFD(), unix.POLLIN)
	} else {
		p, n := iouring.Bytes(wakeSink[:])
		q.PrepRead(d.e.WakeFD(), p, n, 0)
	}
	q.UserData = kindWake << kindShift
	d.armed = true
}

// woken is called when that read has ended. That the wait is over is all there is to it.
func (d *driver) woken(res int32) {
	d.armed = false
	switch {
	case d.pollWake:
		d.e.Woken()
	case res == -int32(unix.EAGAIN), res == -int32(unix.EINVAL):
		// A kernel without FAST_POLL (before 5.7) does not wait where O_NONBLOCK is set.
		d.pollWake = true
	}
	d.armWake()
}
