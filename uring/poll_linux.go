package uring

import (
	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// unixPollRdBand is POLLRDBAND, which x/sys lacks.
const unixPollRdBand = 0x80

// vain, in the Slot.Leg of a poll, says that the last leg came to nothing that can be reported. Other operations have the bit for another thing.
const vain = writes

// restLeg is the leg of a level-triggered poll that has reported and waits for Rearm: nothing of it is with the kernel.
const restLeg = 3

func (d *driver) encodePoll(q *iouring.SQE, op *api.Op) {
	mask := pollMask(op)
	if mask&api.PollPri != 0 {
		// Nothing that names what it is about wakes a poll for POLLPRI alone (IO_ASYNC_POLL_COMMON in io_uring/poll.c). Urgent data says this, too.
		mask |= unixPollRdBand
	}
	q.PrepPollAdd(op.FD, mask)
	if op.Flags&(api.Multishot|api.Level) == api.Multishot && d.kern.Has(api.KernMultishotPoll) {
		q.Len = iouring.IORING_POLL_ADD_MULTI
	}
}

// pollMask is what a poll asks for.
func pollMask(op *api.Op) uint32 {
	if op.Arg&api.PollIn != 0 {
		return op.Arg | api.PollRDHup // it goes to whoever asks for PollIn
	}
	return op.Arg
}

// polled is for a poll.
func (d *driver) polled(s *core.Slot, res int32, flags uint32) {
	if res == -int32(unix.EINVAL) {
		d.constant(s)
		return
	}
	if res < 0 {
		d.fail(s, res)
		return
	}
	switch res = d.holds(s); {
	case res < 0 || res != 0 && s.Op.Flags&api.Multishot == 0:
		if flags&more != 0 {
			d.putCancel(kindIgnore<<kindShift, s)
		}
		d.e.End(s, res)
		return
	case res != 0 && s.Op.Flags&api.Level != 0:
		d.rest(s, res)
		return
	case res != 0:
		d.e.Emit(s, res)
		s.Leg &^= vain
	}
	if flags&more != 0 {
		return
	}
	// A poll that is armed anew reports at once what still holds: on a kernel without multishot, and of a file that is always
	// ready. The pause gives the program time to do something about it, and bounds what POLLRDBAND costs (see encodePoll).
	if res != 0 || s.Leg&vain != 0 && s.Op.Arg&api.PollPri != 0 {
		setLeg(s, kindTimer)
	}
	s.Leg |= vain
	d.goOn(s)
}

// holds asks what a poll that the kernel has completed is to report. The kernel says why it was woken, which is not always what holds: a socket
// that has data says POLLPRI and POLLRDBAND as well, and nothing of a hang-up that comes a moment later (measured, on Linux 6.18).
func (d *driver) holds(s *core.Slot) int32 {
	d.count.Enters++
	got, errno := d.tries.Holds(s.Op.FD, int16(pollMask(&s.Op)))
	switch {
	case errno != 0:
		return -int32(errno)
	case got&unix.POLLNVAL != 0:
		return -int32(unix.EBADF)
	}
	return int32(uint16(got))
}

// constant is for a poll of a file that has no queue to wait in, for what it does not report. Of a file that does not know poll at all that
// is the end. The files of /proc are not all alike, but look so to epoll, and to poll and select: they are asked again and again.
func (d *driver) constant(s *core.Slot) {
	d.count.Enters += 3
	if s.Ending() || sysx.Unpollable(s.Op.FD) {
		d.e.End(s, -int32(unix.EINVAL))
		return
	}
	setLeg(s, kindTimer)
	d.put(s)
}

// rest reports a level-triggered poll. The kernel has no such polls (Linux 6.18 refuses IORING_POLL_ADD_LEVEL), so that each report
// is a poll that completes once, and the next one is armed by Rearm.
func (d *driver) rest(s *core.Slot, res int32) {
	if s.Ending() {
		d.endEarly(s)
		return
	}
	d.e.Emit(s, res)
	setLeg(s, restLeg)
	s.Leg = s.Leg&^vain | unsent
	d.e.Rest(s)
}

// Rearm implements core.Driver. A leg that is with the kernel is cancelled, and its last completion starts the next one. If it
// has completed before, that is asked about with the new mask like any other, and the cancel finds nothing: it comes before the next leg.
func (d *driver) Rearm(s *core.Slot) {
	switch {
	case s.Leg&legMask == restLeg:
		s.Leg &^= unsent
		setLeg(s, kindOp)
		d.put(s)
	case s.Leg&unsent != 0:
		setLeg(s, kindOp)
	default:
		d.putCancel(kindIgnore<<kindShift, s)
	}
}
