package uring

import (
	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// A ring with IOPOLL does reads and writes of files with O_DIRECT and nothing else, and completes them when it is entered, by asking the
// device. So it is a second ring. While anything is in it, no Turn waits: the engine makes one after the other until it has what it
// was asked for, and each of them looks into both rings.
type iopoll struct {
	ring     *iouring.Ring
	inFlight uint32 // bounded by the completion queue, so that none is kept back
	hybrid   bool
}

// polledOps are the operations that may go there, at positions of their own (see driver.direct). Those on registered buffers do without the kernel's table there.
var polledOps = api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev) | fixedOps

// pollLeg, in the Slot.Leg of such an operation that is not tried, says that the polling ring has it. Of one that is tried it is legWorker.
const pollLeg = legWorker

func (d *driver) isPolled(s *core.Slot) bool {
	return s.Leg&(legMask|tried) == pollLeg && polledOps.Has(s.Op.Code)
}

// What core.FD.Way says: whether reads and writes of the file are polled for. 0 is not known.
const (
	wayPolled uint8 = iota + 1
	wayPlain
)

// openPolled sets the polling ring up, with what the main ring has.
func (d *driver) openPolled(o *api.Options) error {
	if o.Ring.IOPoll == api.IOPollOff {
		return nil
	}
	const same = iouring.IORING_SETUP_CLAMP | iouring.IORING_SETUP_CQSIZE | iouring.IORING_SETUP_SUBMIT_ALL | iouring.IORING_SETUP_COOP_TASKRUN |
		iouring.IORING_SETUP_SINGLE_ISSUER | iouring.IORING_SETUP_DEFER_TASKRUN | iouring.IORING_SETUP_NO_SQARRAY | iouring.IORING_SETUP_R_DISABLED
	p := iouring.Params{Flags: d.ring.Flags()&same | iouring.IORING_SETUP_IOPOLL, CQEntries: uint32(o.CQEntries)}
	option, minKernel := "Options.Ring.IOPoll: IOPollBusy", "5.6"
	if o.Ring.IOPoll == api.IOPollHybrid {
		p.Flags |= iouring.IORING_SETUP_HYBRID_IOPOLL
		option, minKernel = "Options.Ring.IOPoll: IOPollHybrid", "6.13"
	}
	ring, err := iouring.Setup(uint32(o.Entries), &p)
	if err != nil {
		return refused(option, minKernel, err)
	}
	d.iopoll = &iopoll{ring: ring, hybrid: o.Ring.IOPoll == api.IOPollHybrid}
	return nil
}

// putPolled hands s to the polling ring, if it is for that and there is room.
func (d *driver) putPolled(s *core.Slot) bool {
	p := d.iopoll
	if s.FD == nil || s.FD.Kind&fileKind != storeFD || s.FD.Way == wayPlain || s.Op.Off < 0 || s.Op.Flags&api.DontWait != 0 {
		return false
	}
	if s.FD.Way == 0 {
		d.count.Enters++
		s.FD.Way = wayPlain
		if !sysx.Direct(s.Op.FD) {
			return false
		}
		s.FD.Way = wayPolled
	}
	if p.inFlight >= p.ring.CQEntries() {
		return false
	}
	q := p.ring.NextSQE()
	if q == nil {
		return false
	}
	s.Leg, s.ByPlace = s.Leg&^legMask|pollLeg, false
	d.encodeOp(q, s)
	q.UserData = userData(kindOp, s)
	p.inFlight++
	return true
}

// turnPolled submits to the polling ring, and takes in what is done.
func (d *driver) turnPolled() error {
	p := d.iopoll
	d.count.Enters++
	var errno unix.Errno
	if p.hybrid || p.ring.Unsubmitted() > rawBatch { // the kernel sleeps for half of the time that it takes as a rule; or has much to do
		_, errno = p.ring.Enter(p.ring.Flush(), 0, iouring.IORING_ENTER_GETEVENTS)
	} else {
		_, errno = p.ring.EnterNoWait(p.ring.Flush(), iouring.IORING_ENTER_GETEVENTS)
	}
	switch errno {
	case 0, unix.EINTR, unix.EAGAIN, unix.EBUSY, unix.ENOMEM: // what was not taken is, in one of the next Turns
	default:
		return d.fatal(errno)
	}
	head, tail := p.ring.Peek()
	at := head
	for at != tail && d.e.Room() > 0 {
		c := p.ring.CQEAt(at)
		at++
		p.inFlight--
		d.polledEnd(c.UserData, c.Res)
	}
	if at != head {
		p.ring.Advance(at - head)
	}
	return nil
}

// polledEnd takes in a completion of the polling ring.
func (d *driver) polledEnd(userData uint64, res int32) {
	s := d.slotOf(userData)
	if s == nil {
		d.count.Stale++
		return
	}
	setLeg(s, kindOp)
	switch {
	case res == -int32(unix.EOPNOTSUPP):
		// Neither the file system nor the device need know how to be polled, and the number may have become another file's. The
		// kernel looks at the device for each request: some it can complete all the same.
		if s.FD != nil {
			s.FD.Way = wayPlain
		}
		d.put(s)
	case res == -int32(unix.EAGAIN), res == -int32(unix.ECANCELED), core.Interrupted(res):
		d.put(s)
	default:
		d.ended(s, res, 0)
	}
}

// bindPolled and closePolled are Bind and Close for the polling ring.
func (d *driver) bindPolled() error {
	if d.iopoll == nil || d.iopoll.ring.Flags()&iouring.IORING_SETUP_R_DISABLED == 0 {
		return nil
	}
	return d.iopoll.ring.EnableRings()
}

func (d *driver) closePolled() error {
	if d.iopoll == nil {
		return nil
	}
	return d.iopoll.ring.Close()
}
