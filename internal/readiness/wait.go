package readiness

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// What has the slot, in Slot.Leg: the pool, or the kernel's asynchronous IO.
const (
	legPooled = 1 + iota
	legDirect
)

// vainMax is how many attempts in a row come to nothing before the Poller is not believed any more.
const vainMax = 8

// side is the direction whose first waiter s is, or -1 when s is in no order.
func side(s *core.Slot) int {
	if d := optab.DirectionOf(&s.Op); d != optab.None {
		return int(d)
	}
	return -1
}

// park makes s a waiter of f.
func (d *driver) park(f *file, s *core.Slot, v attempt.Verdict) {
	if v == attempt.Soon {
		d.soon.add(s)
		return
	}
	f = d.waitsFor(f, s, v)
	idle := f.first[0] == nil && f.first[1] == nil && len(f.loose) == 0
	if i := side(s); i >= 0 && !isSecond(f, s) {
		f.first[i] = s
	} else {
		f.loose = append(f.loose, s)
	}
	d.touch(f)
	if v == attempt.Writable {
		d.watchPeer(f, s)
	}
	if d.edge && idle && f.watch != 0 && !f.doubted {
		// Nobody has waited here, so that the number may meanwhile be another file's, closed and
		// opened behind the engine's back. epoll would not tell.
		f.doubted = true
		d.verify = append(d.verify, f)
	}
}

// unpark takes s off the waiters of f.
func (d *driver) unpark(f *file, s *core.Slot) {
	for i := range f.first {
		if f.first[i] == s {
			f.first[i] = nil
			d.touch(f)
			return
		}
	}
	for i, l := range f.loose {
		if l == s {
			f.loose = append(f.loose[:i], f.loose[i+1:]...)
			d.touch(f)
			return
		}
	}
}

// touch notes that the interest in f may have changed.
func (d *driver) touch(f *file) {
	if d.edge && f.watch != 0 || f.isDirty {
		return
	}
	f.isDirty = true
	d.dirty = append(d.dirty, f)
}

// interest is what the waiters of f wait for.
func (d *driver) interest(f *file) (in Interest) {
	if f.first[optab.Read] != nil {
		in |= Readable
	}
	if f.first[optab.Write] != nil {
		in |= Writable
	}
	for _, s := range f.loose {
		if isSecond(f, s) {
			in |= Writable
			continue
		}
		in |= interestOf(s)
		if s.Op.Code == api.OpPoll && d.hangupReadable {
			in |= Readable // a hang-up is for whoever polls, whatever for
		}
	}
	return in
}

// interestOf is what an operation waits for that is in no order.
func interestOf(s *core.Slot) (in Interest) {
	if s.Op.Code != api.OpPoll {
		if optab.Of(s.Op.Code).Dir == optab.Write {
			return Writable
		}
		return Readable
	}
	const room = api.PollOut | attempt.PollWrNorm | attempt.PollWrBand
	if s.Op.Arg&^(room|api.PollPri) != 0 || s.Op.Arg&room == 0 {
		in |= Readable // also for those who wait for nothing but a hang-up, which select reports so
	}
	if s.Op.Arg&room != 0 {
		in |= Writable
	}
	if s.Op.Arg&api.PollPri != 0 {
		in |= Priority
	}
	return in
}

// arm tells the Poller what has changed since the last turn: an fd that has been waited for and is not any
// more, or the other way round, costs nothing.
func (d *driver) arm() {
	for len(d.dirty) > 0 {
		list := d.dirty
		d.dirty = d.dirty[len(d.dirty):]
		for _, f := range list {
			f.isDirty = false
			d.armOne(f)
		}
		if len(d.dirty) == 0 {
			d.dirty = list[:0]
		}
	}
}

func (d *driver) armOne(f *file) {
	want := d.interest(f)
	if want == f.watch || d.edge && want == 0 {
		return
	}
	if d.edge {
		// Once and for all: the registration costs a system call.
		want = Readable | Writable | Priority
	}
	d.register(f, want)
}

func (d *driver) register(f *file, want Interest) {
	if d.edge {
		d.count.Enters++
	}
	if err := d.p.Arm(f.n, want); err != nil {
		f.watch = 0
		d.refused(f, errnoOf(err))
		return
	}
	f.watch = want
}

// renew registers again what may be another file by now.
func (d *driver) renew() {
	d.busy = 0
	for _, f := range d.verify {
		f.doubted = false
		if d.interest(f) == 0 || f.watch == 0 {
			continue
		}
		d.count.Enters++
		fresh, err := d.p.(Renewer).Renew(f.n)
		switch {
		case err != nil:
			f.watch = 0
			d.refused(f, errnoOf(err))
		case fresh:
			f.latch, f.kind = Readable|Writable, kindUnknown
		}
	}
	d.verify = d.verify[:0]
}

// refused deals with waiters whose fd cannot be watched.
func (d *driver) refused(f *file, errno syscall.Errno) {
	for _, s := range d.waiters(f) {
		d.unpark(f, s)
		if errno == syscall.EPERM {
			// The kind of file that is always ready, for epoll; and yet the attempt said otherwise.
			d.park(f, s, attempt.Soon)
			continue
		}
		d.release(s)
		d.e.End(s, -int32(errno))
	}
}

// waiters is a copy of the waiters of f. It is for what seldom happens, for it allocates.
func (d *driver) waiters(f *file) (all []*core.Slot) {
	for _, s := range f.first {
		if s != nil {
			all = append(all, s)
		}
	}
	return append(all, f.loose...)
}

// wake tries again what waits for f.
func (d *driver) wake(f *file, got Interest) {
	if s := f.first[optab.Read]; s != nil && got&Readable != 0 {
		d.retry(f, s)
	}
	if s := f.first[optab.Write]; s != nil && got&Writable != 0 {
		d.retry(f, s)
	}
	for i := 0; i < len(f.loose); {
		s := f.loose[i]
		if isSecond(f, s) && got&Writable == 0 {
			i++
			continue
		}
		d.retry(f, s)
		if i < len(f.loose) && f.loose[i] == s {
			i++
		}
	}
}

// retry tries a waiter again, which stays one if it still has to wait.
func (d *driver) retry(f *file, s *core.Slot) {
	if s.Op.Flags&api.Multishot != 0 {
		d.multishot(f, s, true)
		return
	}
	done := s.Done
	res, bid, v := d.once(f, s)
	if v == attempt.Readable && s.Done == done {
		res, bid, v = d.try.Vain(s)
	}
	if s.Op.Code == api.OpPoll && v != attempt.Done {
		if d.edge {
			return
		}
		// What holds is not what it waits for (data, when it waits for a hang-up), and would be reported
		// again and again.
		v = attempt.Soon
	} else if v == verdictOf(s) && !isSecond(f, s) || v == attempt.Writable && isSecond(f, s) {
		if s.Done != done {
			f.vain = 0
			return
		}
		if f.vain++; f.vain < vainMax {
			return
		}
		// The Poller says that it can be done, and it cannot: poll(2) reports an error queue that nobody
		// reads for ever, and knows nothing of the queue that a Unix datagram is sent to.
		f.vain, v = vainMax-1, attempt.Soon
	} else {
		f.vain = 0
	}
	d.unpark(f, s)
	d.settle(f, s, res, bid, v)
}

// run tries an operation for the first time.
func (d *driver) run(f *file, s *core.Slot) {
	if s.Op.Flags&api.Multishot != 0 {
		d.multishot(f, s, false)
		return
	}
	res, bid, v := d.once(f, s)
	if v == attempt.Readable && f.latch&Hangup != 0 {
		res, bid, v = d.try.Vain(s) // what an edge has told of once, it does not tell again
	}
	d.settle(f, s, res, bid, v)
}

// settle does what the verdict on s asks for; s is no waiter.
func (d *driver) settle(f *file, s *core.Slot, res int32, bid int, v attempt.Verdict) {
	switch {
	case v == attempt.Blocking:
		d.block(s)
	case v != attempt.Done:
		d.park(f, s, v)
	case bid >= 0:
		d.try.End(d.e, s, bid, res)
	default:
		switch {
		case s.Op.Code == api.OpWaitid:
			d.release(s)
		case s.Op.Code == api.OpShutdown && res == 0:
			// It wakes what waits on both sides. Not every Poller would tell: a socket that is shut down and whose
			// buffer is full has hung up and is not writable, which select(2) reports to readers only.
			f.latch |= Readable | Writable
			d.later(f)
		}
		d.end(s, res)
	}
}

// once makes one attempt. bid is the buffer that it filled, or -1.
func (d *driver) once(f *file, s *core.Slot) (res int32, bid int, v attempt.Verdict) {
	res, bid, v = d.try.Once(s)
	switch v {
	case attempt.Readable:
		d.waitsFor(f, s, v).latch &^= Readable
	case attempt.Writable:
		d.waitsFor(f, s, v).latch &^= Writable
	case attempt.Done:
		if receives(s) && res > 0 && int(res) < d.room(s) {
			d.drained(f, s)
		}
	}
	return res, bid, v
}

// receives says whether s is a recv.
func receives(s *core.Slot) bool { return s.Op.Code == api.OpRecv || s.Op.Code == api.OpRecvZC }

// room is how much the receive that was just tried could take.
func (d *driver) room(s *core.Slot) int {
	if s.Group != nil {
		return d.try.Asked
	}
	return len(s.Op.Buf)
}

// drained is called after a read that got less than it asked for. From a stream that was all there is, and what
// comes later makes a new event, the end of the stream too (epoll(7)); unless a hang-up has been
// reported already, for then there is none to come.
func (d *driver) drained(f *file, s *core.Slot) {
	if !d.told(f) || f.latch&(Hangup|Priority) != 0 || s.Op.Arg != 0 {
		return // MSG_PEEK takes nothing, and a receive stops short at out-of-band data
	}
	if f.kind == kindUnknown {
		f.kind = kindDatagram
		// TCP alone: a Unix stream stops at file descriptors, SCTP at messages.
		if p, errno := sysx.SocketProtocol(s.Op.FD); errno == 0 && p == syscall.IPPROTO_TCP {
			f.kind = kindStream
		}
		d.try.Calls++
	}
	if f.kind == kindStream {
		f.latch &^= Readable
	}
}

// multishot goes on with s until it would have to wait, ends, or has had its share. waits says that s
// is a waiter of f, and it is one afterwards unless it has ended.
func (d *driver) multishot(f *file, s *core.Slot, waits bool) {
	for before := d.e.Delivered(); d.e.Delivered()-before < fairShare; {
		if d.e.Room() <= 0 {
			break
		}
		res, bid, v := d.once(f, s)
		if v == attempt.Done && attempt.Last(s, res) {
			if waits {
				d.unpark(f, s)
			}
			d.try.End(d.e, s, bid, res)
			return
		}
		if v == attempt.Done {
			d.emit(s, res, bid)
			f.vain = 0
		}
		if v != attempt.Done || d.pauses(f, s) {
			d.pause(f, s, waits, v == attempt.Done)
			return
		}
	}
	if !waits {
		d.park(f, s, verdictOf(s))
	}
	d.later(f)
}

// emit delivers one completion of a multishot operation.
func (d *driver) emit(s *core.Slot, res int32, bid int) {
	if s.Op.Code == api.OpAccept {
		d.opened(res)
	}
	d.try.Emit(d.e, s, bid, res)
}

// pauses says that s, which has just completed, has to wait before it can do so again.
func (d *driver) pauses(f *file, s *core.Slot) bool {
	return s.Op.Code == api.OpPoll || receives(s) && d.told(f) && f.latch&Readable == 0
}

// pause lets a multishot operation wait for the next event. A level-triggered Poller cannot tell a new event from
// what a poll has reported already, so that there the poll looks again after a while.
func (d *driver) pause(f *file, s *core.Slot, waits, reported bool) {
	soon := s.Op.Code == api.OpPoll && !d.edge && (reported || waits)
	if waits && !reported && !d.edge {
		// As in retry: a datagram socket that has been shut down for reading is readable for ever, and has nothing.
		if f.vain++; f.vain >= vainMax {
			f.vain, soon = vainMax-1, true
		}
	}
	switch {
	case reported && s.Op.Flags&api.Level != 0:
		if waits {
			d.unpark(f, s)
		}
		d.e.Rest(s)
	case soon && waits:
		d.unpark(f, s)
		fallthrough
	case soon:
		d.soon.add(s)
	case !waits:
		d.park(f, s, verdictOf(s))
	}
}

// Cancel implements core.Driver.
func (d *driver) Cancel(s, by *core.Slot) core.CancelResult {
	if s.Leg == legPooled {
		return d.pool.Cancel(d.e, s, by)
	}
	if s.Leg == legDirect {
		if !d.direct.withdraw(s) {
			return core.Unstoppable
		}
		d.e.End(s, -int32(api.ECanceled))
		return core.Ended
	}
	if s.Op.Code == api.OpFutexWait || s.Op.Code == api.OpFutexWaitv {
		d.futex.Cancel(s, by)
		return core.Pending
	}
	if fd := attempt.WaitFD(s); fd >= 0 {
		d.unpark(d.file(fd), s)
	}
	if attempt.TwoFiles(s.Op.Code) {
		d.unpark(d.file(s.FD2), s)
	}
	d.soon.remove(s)
	d.release(s)
	d.e.End(s, -int32(api.ECanceled))
	return core.Ended
}
