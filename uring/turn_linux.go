package uring

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Entries are submitted without telling Go's scheduler, for it takes the processor away from a thread that is more than 20 µs
// in the kernel, looks after such threads every 20 µs from then on, and both cost more than the calls themselves. What
// it is told of are waits, and batches that copy much. A stop of the world waits for the end of a call, so that one
// submits no more than rawBatch entries (some 2 µs each for a small send over the loopback), which move no more than rawBytes.
const (
	rawBatch = 128
	rawBytes = 512 << 10
)

// maxSkips is how many Turns in a row may leave out the look into the kernel because there are completions enough.
const maxSkips = 8

// retryEvery bounds a wait while the kernel refuses submissions: nothing tells when it takes them again.
const retryEvery = time.Millisecond

const (
	overflowed = iouring.IORING_SQ_CQ_OVERFLOW
	taskWork   = iouring.IORING_SQ_TASKRUN
)

// batchMax is the longest Batch that the kernel is told of. A Wake does not end such a wait, for it is but one completion.
const batchMax = time.Millisecond

// Batch implements core.Batcher.
func (d *driver) Batch(left time.Duration) { d.batch = left }

// setLeast works out what the wait of a Turn is for. It is for one completion, however many are needed, without a Batch: the second
// operation in a FIFO starts, and a cancelled or interrupted one goes on, only when the first has been reaped. Wake, too, is one completion.
func (d *driver) setLeast(need int, wait time.Duration) {
	left := d.batch
	d.batch, d.least, d.leastUs = 0, 1, 0
	if left <= 0 || need < 2 || wait == 0 || !d.kern.Has(api.KernMinWait|api.KernExtArg) || d.away() { // workers tell by one completion of many
		return
	}
	us := uint32(0)
	if 0 < wait && wait <= left {
		left = wait // the wait ends first, whatever there is
	} else if left <= batchMax {
		us = uint32((left + time.Microsecond - 1) / time.Microsecond)
	}
	if left <= batchMax {
		d.least, d.leastUs = uint32(min(need, int(d.ring.CQEntries()))), us
	}
}

// Turn implements core.Driver.
func (d *driver) Turn(need int, wait time.Duration) error {
	d.publish()
	if d.away() && d.fetch() {
		wait = 0
	}
	d.tries.Look()
	d.lookPeers()
	if len(d.unsent) > 0 {
		d.resend()
	}
	if !d.armed {
		d.armWake()
	}
	if d.e.Room() == 0 {
		wait = 0
	}
	d.setLeast(need, wait)
	ring := d.ring
	n := ring.Unsubmitted()
	flags := ring.SQFlags()
	before := uint32(0)
	if flags&overflowed != 0 {
		before = ring.CQReady()
	}
	d.skipped++
	if wait != 0 || n > 0 || (need >= 0 || d.skipped > maxSkips) && d.mustEnter(flags) {
		d.skipped = 0
		if err := d.enter(n, wait); err != nil {
			return err
		}
	}
	if flags&overflowed != 0 {
		d.count.Overflows += uint64(ring.CQReady() - before)
	}
	d.reap()
	if d.polling() {
		if err := d.turnPolled(); err != nil {
			return err
		}
	}
	if d.away() {
		d.fetch() // what has woken us is taken away by now
	}
	if d.stalled && wait != 0 && d.failed == nil {
		// The kernel has not waited, for it has not even submitted. Completions may come all the same.
		d.count.Enters++
		d.count.Waits++
		d.pollRing[0] = sysx.PollFd{Fd: int32(d.ring.Fd()), Events: unix.POLLIN}
		sysx.Poll(d.pollRing[:], retryEvery)
	}
	return d.failed
}

// mustEnter says whether a Turn that neither submits nor waits must enter the kernel to learn what is new.
func (d *driver) mustEnter(flags uint32) bool {
	if d.ring.CQReady() > 0 {
		return false
	}
	return !d.flagged || flags&(overflowed|taskWork) != 0
}

// enter submits n entries and waits.
func (d *driver) enter(n uint32, wait time.Duration) error {
	if d.sqpoll {
		return d.enterSQPoll(wait)
	}
	if n > 0 {
		n = d.ring.Flush()
		if d.bytes <= rawBytes {
			took, errno := d.submit(n)
			// Most of what is submitted completes at once (a send into a socket with room, say), and there
			// is nothing to wait for.
			if wait == 0 || errno != 0 || took < n || d.ring.CQReady() > 0 {
				return d.entered(n, took, errno)
			}
			n = 0
		}
		d.bytes = 0
	}
	d.count.Enters++
	var took int
	var errno unix.Errno
	switch {
	case wait < 0 && d.leastUs == 0:
		d.count.Waits++
		took, errno = d.ring.Enter(n, 1, d.waitFlags)
	case wait < 0:
		d.count.Waits++
		took, errno = d.ring.EnterWait(n, d.least, d.waitFlags, -1, false, d.leastUs)
	case wait > 0:
		d.count.Waits++
		took, errno = d.enterTimed(n, wait, 0)
	case n == 0:
		took, errno = d.ring.EnterNoWait(0, iouring.IORING_ENTER_GETEVENTS)
	default:
		took, errno = d.ring.Enter(n, 0, iouring.IORING_ENTER_GETEVENTS)
	}
	return d.entered(n, uint32(took), errno)
}

// submit submits n entries and takes in what they come to, without waiting.
func (d *driver) submit(n uint32) (took uint32, errno unix.Errno) {
	d.bytes = 0
	for n-took > rawBatch {
		d.count.Enters++
		m, errno := d.ring.EnterNoWait(rawBatch, 0)
		took += uint32(m)
		if errno != 0 || m < rawBatch {
			return took, errno
		}
	}
	d.count.Enters++
	m, errno := d.ring.EnterNoWait(n-took, iouring.IORING_ENTER_GETEVENTS)
	return took + uint32(m), errno
}

// entered looks at what an enter for n entries has returned.
func (d *driver) entered(n, took uint32, errno unix.Errno) error {
	d.stalled = false
	if errno != 0 {
		return d.enterError(errno)
	}
	if took < n {
		return d.enterRest()
	}
	return nil
}

// enterTimed is enter with a limit on the wait, and more flags.
func (d *driver) enterTimed(n uint32, wait time.Duration, flags uint32) (int, unix.Errno) {
	flags |= d.waitFlags
	switch {
	case d.kern.Has(api.KernExtArg | api.KernAbsTimer):
		// The time that the submission takes is part of the wait.
		at := int64(api.Now().Add(wait))
		return d.ring.EnterWait(n, d.least, flags, at+d.clockOff, true, d.leastUs)
	case d.kern.Has(api.KernExtArg):
		return d.ring.EnterWait(n, d.least, flags, int64(wait), false, d.leastUs)
	case !d.armTimer(wait):
		return d.ring.EnterNoWait(n, flags)
	case d.sqpoll:
		return d.ring.Enter(0, 1, flags|d.handOver())
	}
	return d.ring.Enter(d.ring.Flush(), 1, flags)
}

// armTimer sees to it that a timeout operation ends the wait, for kernels that have no other limit (before 5.11). One
// that ends earlier will do: the engine then waits again. It returns false when there is no room for it.
func (d *driver) armTimer(wait time.Duration) bool {
	at := api.After(wait)
	if d.timerAt != 0 && d.timerAt <= at {
		return true
	}
	if d.sqpoll {
		d.sqTaken() // the time of an earlier one may not have been read yet
	}
	if d.timerAt != 0 {
		q := d.sqe()
		if q == nil {
			return false
		}
		q.PrepTimeoutRemove(kindWait<<kindShift|uint64(d.timerSeq)<<indexBits, 0)
		q.UserData = kindIgnore << kindShift
		d.timerAt = 0
	}
	q := d.sqe()
	if q == nil {
		return false
	}
	d.timerSeq++
	d.timerAt = at
	// At an instant, not after a time: it may be submitted late, when the kernel is short of memory, and others rely on timerAt.
	d.ts = iouring.NsToTimespec(int64(at) + d.clockOff)
	q.PrepTimeout(&d.ts, 0, iouring.IORING_TIMEOUT_ABS)
	q.UserData = kindWait<<kindShift | uint64(d.timerSeq)<<indexBits
	return true
}

// enterRest submits what an enter has left over: without SUBMIT_ALL it stops behind each entry that is refused.
func (d *driver) enterRest() error {
	for {
		n := d.ring.Unsubmitted()
		if n == 0 {
			return nil
		}
		d.count.Enters++
		took, errno := d.ring.EnterNoWait(n, iouring.IORING_ENTER_GETEVENTS)
		if errno != 0 || took == 0 {
			return d.enterError(errno)
		}
	}
}

// plainOps are the operations whose results, if they are good ones and not in pieces, are those of the program's operations.
var plainOps = api.Ops(api.OpNop, api.OpFsync, api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev, api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed,
	api.OpRecv, api.OpSend)

// reap reports what the kernel has completed. The queue's tail is read once and its head written once.
func (d *driver) reap() {
	head, tail := d.ring.Peek()
	at := head
	var plain []core.Result // from at on
	for at != tail {
		if len(plain) == 0 {
			plain = d.plain(at, tail)
		}
		if len(plain) > 0 && len(d.asks) == len(d.freeAsks) {
			n := d.e.EndPlain(plain, plainOps)
			at += uint32(n)
			if plain = plain[n:]; len(plain) == 0 {
				continue
			}
		}
		if d.e.Room() <= 0 {
			break
		}
		c, own := d.ring.CQEAt(at), at
		at++
		if len(plain) > 0 {
			plain = plain[1:]
			d.dispatch(c.UserData, c.Res, c.Flags)
			continue
		}
		if d.mixed {
			if at = d.ring.Next(at-1, c); c.Flags&iouring.IORING_CQE_F_SKIP != 0 {
				continue
			}
		}
		if c.Flags&iouring.IORING_CQE_F_BUF_MORE != 0 && at != tail {
			at = d.reapPieces(c, at, tail)
			continue
		}
		if len(d.wired) > 0 {
			d.piece = d.ring.Wide(own)
		}
		d.dispatch(c.UserData, c.Res, c.Flags)
	}
	if at != head {
		d.ring.Advance(at - head)
	}
}

// plain is what the kernel has completed from at on, as far as it is about operations themselves, without flags that would have to be looked at.
func (d *driver) plain(at, tail uint32) []core.Result {
	n, ring := 0, d.ring
	for ; at != tail && n < len(d.results); at++ {
		c := ring.CQEAt(at)
		if kindOf(c.UserData) != kindOp || c.Flags&^iouring.IORING_CQE_F_SOCK_NONEMPTY != 0 {
			break
		}
		d.results[n] = core.Result{Index: uint32(c.UserData & indexMask), Generation: uint32(c.UserData >> indexBits), Res: c.Res}
		n++
	}
	return d.results[:n]
}

// Limit implements core.Driver. Who parks must have submitted all there is: the next leg of an operation may have
// been put into the queue by the Turn before.
func (d *driver) Limit() time.Duration {
	switch {
	case d.polling() || d.ring.CQReady() > 0 || d.ring.SQFlags()&overflowed != 0 || !d.block && d.unheard() > 0:
		return 0
	case len(d.unsent) > 0 || d.stalled:
		return retryEvery
	}
	left := d.tries.ZC.Left()
	if peers := d.peersLeft(); peers >= 0 && (left < 0 || peers < left) {
		return peers
	}
	return left
}

// polling says whether there is anything that only a look at the device completes.
func (d *driver) polling() bool { return d.iopoll != nil && d.iopoll.inFlight > 0 }

// unheard is how many entries of the submission queue the kernel does not know of.
func (d *driver) unheard() uint32 {
	if d.sqpoll {
		return d.ring.Unpublished()
	}
	return d.ring.Unsubmitted()
}

// BeforePark implements core.Driver.
func (d *driver) BeforePark() bool { return false }
