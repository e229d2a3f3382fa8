package uring

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// With SQPOLL a thread of the kernel's takes entries as soon as their tail is published, begins them, and does all the rest
// that the submitting thread does otherwise. When it has had nothing to do for a while it sets NEED_WAKEUP and sleeps:
//
//	we:      publish the tail ── full barrier ──▶ look at NEED_WAKEUP
//	thread:  set NEED_WAKEUP  ── full barrier ──▶ look at the tail
//
// so that one of the two sees what the other has done. The barrier here is that of Ring.Flush.

const (
	// takenLooks is how often sqTaken looks before it gives up its processor: an entry that does not block takes some microseconds.
	takenLooks = 500
	// takenPause is for how long it does, then, which the thread may have been waiting for.
	takenPause = 50 * time.Microsecond
)

// sqpollParams adds to p what the options say of the kernel's thread.
func sqpollParams(o *api.RingOptions, p *iouring.Params) error {
	if o.Attach != nil {
		fd, err := attachFD(o)
		if err != nil {
			return err
		}
		p.Flags |= iouring.IORING_SETUP_ATTACH_WQ
		p.WQFd = uint32(fd)
	}
	if !o.SQPoll {
		return nil
	}
	p.Flags |= iouring.IORING_SETUP_SQPOLL
	p.SQThreadIdle = uint32(o.SQIdle.Milliseconds())
	for n := range cpusMax {
		if o.SQCPU.Has(n) {
			p.Flags |= iouring.IORING_SETUP_SQ_AFF
			p.SQThreadCPU = uint32(n)
		}
	}
	return nil
}

// attachFD is the ring of the engine to attach to.
func attachFD(o *api.RingOptions) (int, error) {
	wrong := func(why string) (int, error) { return 0, &api.OptionError{Option: "Ring.Attach", Reason: why} }
	e, ok := o.Attach.(*core.Engine)
	if !ok || e == nil {
		return wrong("is no engine of this library")
	}
	d, ok := e.Driver().(*driver)
	switch {
	case !ok:
		return wrong("is an engine on " + e.Name() + ", which has no ring")
	case d.closed:
		return wrong("is closed")
	case o.SQPoll && !d.sqpoll:
		return wrong("has no SQPoll, so that there is no thread to share")
	}
	return d.ring.Fd(), nil
}

// handOver publishes what is in the submission queue, and returns what a call of io_uring_enter(2) has to say for the thread to look at it,
// 0 if it does by itself.
func (d *driver) handOver() uint32 {
	d.bytes = 0
	d.ring.Flush()
	if d.ring.SQFlags()&iouring.IORING_SQ_NEED_WAKEUP != 0 && d.ring.Unsubmitted() > 0 {
		return iouring.IORING_ENTER_SQ_WAKEUP
	}
	return 0
}

// enterSQPoll is enter for a ring whose submissions a thread of the kernel's takes.
func (d *driver) enterSQPoll(wait time.Duration) error {
	wake := d.handOver()
	var took int
	var errno unix.Errno
	switch {
	case wait == 0 || d.ring.CQReady() > 0:
		if d.ring.SQFlags()&overflowed != 0 {
			wake |= iouring.IORING_ENTER_GETEVENTS // which moves what was kept back
		}
		if wake != 0 {
			d.count.Enters++
			_, errno = d.ring.EnterNoWait(0, wake)
		}
	case wait < 0 && d.leastUs != 0:
		d.count.Enters++
		d.count.Waits++
		_, errno = d.ring.EnterWait(0, d.least, d.waitFlags|wake, -1, false, d.leastUs)
	case wait < 0:
		d.count.Enters++
		d.count.Waits++
		_, errno = d.ring.Enter(0, 1, d.waitFlags|wake)
	default:
		d.count.Enters++
		d.count.Waits++
		took, errno = d.enterTimed(0, wait, wake)
	}
	if err := d.entered(0, uint32(took), errno); err != nil {
		return err
	}
	if d.e.Performs() {
		d.sqTaken()
	}
	return d.failed
}

// sqRoom waits until the thread has taken an entry of a submission queue that is full.
func (d *driver) sqRoom() {
	d.handOver()
	d.count.Enters++
	d.count.Waits++
	// A thread that is awake does not mind being woken, and one that falls asleep now would not be otherwise.
	_, errno := d.ring.Enter(0, 0, iouring.IORING_ENTER_SQ_WAKEUP|iouring.IORING_ENTER_SQ_WAIT)
	d.note(d.enterError(errno))
}

// sqTaken waits until the thread has taken, and thereby begun, all that was submitted. The kernel has no wait for that.
func (d *driver) sqTaken() {
	for looks := 0; d.failed == nil; looks++ {
		wake := d.handOver()
		switch {
		case d.ring.Unsubmitted() == 0:
			return
		case wake != 0:
			d.count.Enters++
			_, errno := d.ring.EnterNoWait(0, wake)
			d.note(d.enterError(errno))
		case looks >= takenLooks:
			d.count.Enters++
			d.count.Waits++
			sysx.Poll(nil, takenPause)
		}
	}
}
