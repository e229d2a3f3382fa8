package uring

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// triesMax is how many completions a multishot operation that is tried may give in one go, so that a busy file does not
// starve the others. The kernel has the same bound (MULTISHOT_MAX_RETRY, 32).
const triesMax = 32

// start begins an operation that is performed here, by the system calls that the readiness backends make for it: the kernel's
// io_uring lacks it, Options.DisableOps names it, or the ring would do it otherwise than the contract says. It waits in the ring all the
// same, where a poll or a timeout is its next leg; what may block goes to the workers.
func (d *driver) start(s *core.Slot) {
	if s.Persona != 0 {
		d.e.End(s, -int32(unix.EOPNOTSUPP)) // a system call has the credentials of this thread
		return
	}
	s.Leg |= tried
	d.try(s)
}

// try makes an attempt at s, or several as long as each of them completes a multishot.
func (d *driver) try(s *core.Slot) {
	for range triesMax {
		done := s.Done
		res, bid, v := d.tries.Once(s)
		switch {
		case v == attempt.Blocking && d.native(s):
			return
		case v == attempt.Blocking:
			setLeg(s, uint64(legWorker))
			d.pool.Submit(s)
			return
		case v == attempt.Thread:
			setLeg(s, uint64(legWorker))
			if errno := d.futex.Start(s); errno != 0 {
				d.e.End(s, -int32(errno))
			}
			return
		case v != attempt.Done:
			if s.Done != done {
				s.Leg &^= polled // it was ready
			}
			d.wait(s, v)
			return
		case s.Op.Flags&api.Multishot == 0 || attempt.Last(s, res):
			d.endTried(s, res, bid)
			return
		default:
			d.tries.Emit(d.e, s, bid, res)
		}
		s.Leg &^= polled | 3<<pauseShift
		if d.e.Room() <= 0 || bid >= 0 && int(res) < d.tries.Asked {
			break // as a rule there is no more, and if there is, the poll says so at once
		}
	}
	d.wait(s, attempt.Readable)
}

func (d *driver) endTried(s *core.Slot, res int32, bid int) {
	attempt.Release(s)
	d.tries.End(d.e, s, bid, res)
}

// wait puts the leg that waits until s may be tried again, here or by the kernel, which says EAGAIN to an operation that may wait when
// it is older, when it cannot wait for the file (signalfd, some terminals), or when the backlog of a unix socket's
// peer is full. It waits until the file is ready, and where that is no help, for a while.
func (d *driver) wait(s *core.Slot, v attempt.Verdict) {
	if second := s.Leg&writes != 0; second != (v == attempt.Writable) {
		s.Leg &^= polled // for the other way: a splice waits for either
	}
	switch {
	case s.Ending():
		d.endEarly(s)
		return
	case v == attempt.Readable && s.Leg&(tried|polled) == tried|polled:
		if res, bid, v := d.tries.Vain(s); v == attempt.Done {
			d.endTried(s, res, bid)
			return
		}
		setLeg(s, kindTimer)
	case v == attempt.Soon || s.Leg&polled != 0:
		setLeg(s, kindTimer) // also when it is ready and says EAGAIN all the same
	default:
		setLeg(s, kindPoll)
		s.Leg &^= writes
		if v == attempt.Writable {
			s.Leg |= writes
			d.watchPeer(s)
		}
	}
	d.put(s)
}

// watchPeer is called when s begins to wait for room. Its poll is ended from time to time, and the operation tried again, where the poll may not
// tell (attempt.WaitsForPeer).
func (d *driver) watchPeer(s *core.Slot) {
	if !d.tries.WaitsForPeer(s) {
		return
	}
	if len(d.peers) == 0 {
		d.peersFrom = api.Now()
	}
	if id := s.ID(); len(d.peers) == 0 || d.peers[len(d.peers)-1] != id {
		d.peers = append(d.peers, id)
	}
}

// lookPeers does that, if it is time for it.
func (d *driver) lookPeers() {
	if d.peersLeft() != 0 {
		return
	}
	for _, id := range d.peers {
		if s := d.e.Lookup(id.Slot(), id.Generation()); s != nil && s.Leg&(legMask|writes|unsent) == uint8(kindPoll)|writes && s.Op.Code != api.OpPoll {
			d.putCancel(kindIgnore<<kindShift, s)
		}
	}
	d.peers = d.peers[:0]
}

// peersMost is how many times attempt.PeerEvery there are between two looks at the most.
const peersMost = 100

// peersLeft is how long there is until then, negative when there is nothing to do. The more wait the longer it is, for each costs three system calls.
func (d *driver) peersLeft() time.Duration {
	if len(d.peers) == 0 {
		return -1
	}
	after := attempt.PeerEvery * time.Duration(min(1+3*len(d.peers)/attempt.PeerShare, peersMost))
	return max(d.peersFrom.Add(after).Sub(api.Now()), 0)
}

// verdictOf is what an operation waits for to which the kernel says EAGAIN. Poll reports an unconnected socket ready for ever.
func verdictOf(op *api.Op) attempt.Verdict {
	switch {
	case op.Code == api.OpConnect:
		return attempt.Soon
	case waitsFor(op) == unix.POLLOUT:
		return attempt.Writable
	}
	return attempt.Readable
}

// ready is called when the wait for a file has ended.
func (d *driver) ready(s *core.Slot, res int32) {
	switch {
	case s.Ending():
		d.endEarly(s)
	case res == -int32(unix.ECANCELED): // see fail and lookPeers
		d.again(s)
	case res < 0:
		d.endTried(s, res, -1)
	case res&unix.POLLNVAL != 0:
		d.endTried(s, -int32(unix.EBADF), -1)
	default:
		s.Leg |= polled
		d.again(s)
	}
}

// paused is called when a pause is over.
func (d *driver) paused(s *core.Slot) {
	if s.Ending() {
		d.endEarly(s)
		return
	}
	if s.Leg>>pauseShift < 3 {
		s.Leg += 1 << pauseShift
	}
	s.Leg &^= polled
	d.again(s)
}

// again goes on with an operation that has waited.
func (d *driver) again(s *core.Slot) {
	setLeg(s, kindOp)
	if s.Leg&tried != 0 {
		d.try(s)
		return
	}
	d.put(s)
}

// away says whether workers or threads have operations of ours.
func (d *driver) away() bool { return d.pool.Out() || d.futex.Any() }

// fetch ends what they have done, and says whether there was anything.
func (d *driver) fetch() (any bool) {
	for d.futex.Next(d.e) {
		any = true
	}
	for {
		s, res, ok := d.pool.Done()
		if !ok {
			return any
		}
		any = true
		d.finish(s, res)
	}
}

// goesOn says whether a WaitAll that came back short has more to do. The kernel goes on by itself as a rule, and
// comes back short at the end of the stream, for an error, or when it was cancelled. The error belongs to the next operation,
// so that it must not be fetched here.
func (d *driver) goesOn(s *core.Slot) bool { return !s.Ending() && d.unfinished(s) }

// unfinished says that nothing but a cancel would keep it from going on.
func (d *driver) unfinished(s *core.Slot) bool {
	if mayFail(&s.Op) {
		return false
	}
	d.count.Enters += 2
	if typ, errno := sysx.SocketType(s.Op.FD); errno != 0 || typ != unix.SOCK_STREAM {
		return false // one datagram is all there is
	}
	got, errno := sysx.Poll1(s.Op.FD, int16(waitsFor(&s.Op)))
	return errno == 0 && got&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0
}

// shutdown is a plain system call: it never waits, and io_uring would hand it to a worker thread, which costs
// ten times as much. What was submitted before goes first, as it would in the ring.
func (d *driver) shutdown(s *core.Slot) {
	d.flushFirst()
	d.start(s)
}

// flushFirst hands over what was submitted before an operation that is performed here at once.
func (d *driver) flushFirst() {
	switch {
	case d.ring.Unsubmitted() == 0:
	case d.sqpoll:
		d.publish()
		d.sqTaken()
	default:
		d.flush()
	}
}

// close is a plain system call, too. Nothing on the file is in flight. In the ring, the program could have been given
// the number for another file before it had seen that the close is done.
func (d *driver) close(s *core.Slot) {
	if s.FD.Place != 0 {
		d.unfix(s.FD)
	}
	d.tries.Closing(s.Op.FD)
	d.count.Enters++
	d.e.End(s, -int32(sysx.Close(s.Op.FD)))
}

// sendFlags are the MSG_* flags of a send.
func sendFlags(s *core.Slot) uint32 {
	flags := msgFlags(&s.Op) | unix.MSG_NOSIGNAL
	if s.FD.Kind&packetFD != 0 {
		flags |= unix.MSG_DONTWAIT
	}
	return flags
}
