package uring

import (
	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
)

// ask is a cancel whose outcome somebody waits for. Its place in driver.asks is what stands in the user data of
// the kernel's answer, which comes exactly once for each time that it is sent.
type ask struct {
	by, target api.OpID
	next       int32 // the next ask about the same target, plus 1
	hit        bool  // the target has ended because of it
	cut        bool  // the target has come back with less than it was to move
	late       int32 // the kernel's answer, when the outcome is up to how the target ends
}

// Cancel implements core.Driver. The leg of s that is with the kernel is cancelled; whatever it then completes with, there is no
// next leg, because s is Ending.
func (d *driver) Cancel(s, by *core.Slot) core.CancelResult {
	if s.Leg&unsent != 0 {
		s.Leg &^= unsent
		id := s.ID()
		d.endEarly(s)
		d.finished(id, -int32(unix.ECANCELED))
		return core.Ended
	}
	if d.iopoll != nil && d.isPolled(s) {
		return core.Unstoppable
	}
	if s.Leg&legMask == legWorker {
		if d.futex.Holds(s) {
			d.futex.Cancel(s, by)
			return core.Pending
		}
		return d.pool.Cancel(d.e, s, by)
	}
	about := userData(kindIgnore, s)
	if by != nil {
		about = kindCancel<<kindShift | uint64(d.newAsk(by, s))
	}
	d.putCancel(about, s)
	return core.Pending
}

func (d *driver) putCancel(about uint64, s *core.Slot) {
	p := pending{userData: about, target: userDataOf(s)}
	if q := d.sqe(); q != nil {
		encodeCancel(q, p)
		return
	}
	d.unsent = append(d.unsent, p)
}

func (d *driver) newAsk(by, s *core.Slot) int {
	if n := int(s.Index) + 1; n > len(d.askAt) {
		d.askAt = append(d.askAt, make([]int32, n-len(d.askAt))...)
	}
	a := ask{by: by.ID(), target: s.ID(), next: d.askAt[s.Index]}
	i := len(d.asks)
	if n := len(d.freeAsks); n > 0 {
		i = d.freeAsks[n-1]
		d.freeAsks = d.freeAsks[:n-1]
		d.asks[i] = a
	} else {
		d.asks = append(d.asks, a)
	}
	d.askAt[s.Index] = int32(i) + 1
	return i
}

// endEarly ends an operation that was cancelled while its next leg was due. The kernel knows nothing of it then, and will
// answer the cancel that there is no such operation.
func (d *driver) endEarly(s *core.Slot) {
	if int(s.Index) < len(d.askAt) {
		for i := d.askAt[s.Index]; i != 0; i = d.asks[i-1].next {
			d.asks[i-1].hit = true
		}
	}
	attempt.Release(s)
	d.e.End(s, -int32(unix.ECANCELED))
}

// canceled takes in the kernel's answer to the cancel in asks[i]. EALREADY is not the last word while the target is there
// still: a worker thread has it, which has got a signal that ends what can be interrupted (a connect to a unix socket, say).
func (d *driver) canceled(i int, res int32) {
	a := &d.asks[i]
	s := d.e.Unsettled(a.target)
	switch {
	case a.hit, a.cut && res == -int32(unix.EALREADY):
		res = 0
	case s == nil || res == 0:
	case res == -int32(unix.ENOENT) && s.Leg&unsent == 0 && !s.Over():
		d.putCancel(kindCancel<<kindShift|uint64(i), s) // see missed
		return
	default:
		a.late = res
		return
	}
	if s != nil {
		at := &d.askAt[s.Index]
		for *at != int32(i)+1 {
			at = &d.asks[*at-1].next
		}
		*at = a.next
	}
	d.answer(i, res)
}

// missed takes in the kernel's answer to a cancel that nobody waits for. The kernel finds an operation that waits in a poll, in a timer or in
// a worker. It says ENOENT while the operation is between two of them, as work that the thread has yet to do: a connect to a unix
// socket whose backlog is full is tried 128 times in this way, and then blocks a worker. So it is cancelled anew.
func (d *driver) missed(about uint64, res int32) {
	if res != -int32(unix.ENOENT) {
		return
	}
	if s := d.slotOf(about); s != nil && s.Leg&unsent == 0 && !s.Over() {
		d.putCancel(about, s)
	}
}

// finished is called when the operation id, which was being cancelled, may have ended, with res in its last leg.
func (d *driver) finished(id api.OpID, res int32) {
	if int(id.Slot()) >= len(d.askAt) || d.askAt[id.Slot()] == 0 || d.e.Unsettled(id) != nil {
		return
	}
	i := d.askAt[id.Slot()]
	d.askAt[id.Slot()] = 0
	for i != 0 {
		a := &d.asks[i-1]
		at := int(i - 1)
		i = a.next
		a.hit = a.hit || core.Interrupted(res) || res == -int32(unix.ECANCELED) || a.cut && a.late == -int32(unix.EALREADY)
		switch {
		case a.late == 0: // the kernel's answer is yet to come
		case a.hit:
			d.answer(at, 0)
		default:
			d.answer(at, a.late)
		}
	}
}

// cutShort says whether s, which is being cancelled, has come back with less than it was to move. A worker thread that has moved
// something before its signal gives what that was, and no EINTR. The kernel tries a send 128 times by itself and then has a worker
// wait, when the poll reports what it was not asked for: that the peer sends no more (EPOLLRDHUP; measured on 6.18).
func cutShort(s *core.Slot, res int32) bool {
	if res <= 0 || !s.Ending() || s.Op.Flags&api.WaitAll == 0 {
		return false
	}
	if s.Op.Code == api.OpSendMsg || s.Op.Code == api.OpRecvMsg {
		return int(res) < s.Msg.Len()
	}
	return int(s.Done+res) < len(s.Op.Buf)
}

// cut notes it with those who have asked. What the kernel has not interrupted, so that its answer is another than EALREADY, is
// short for a reason of its own; but a send that would go on, if it were not being cancelled, has ended because of that. The kernel interrupts
// a worker for its own purposes, too, and then has nothing to find for the cancel (ENOENT, measured: 7 in 1,000 on a busy machine).
func (d *driver) cut(s *core.Slot) {
	if int(s.Index) >= len(d.askAt) || d.askAt[s.Index] == 0 {
		return
	}
	hit := waitsFor(&s.Op) == unix.POLLOUT && d.unfinished(s)
	for i := d.askAt[s.Index]; i != 0; i = d.asks[i-1].next {
		d.asks[i-1].cut = true
		d.asks[i-1].hit = d.asks[i-1].hit || hit
	}
}

// answer tells the one who asked, and frees the ask.
func (d *driver) answer(i int, res int32) {
	by := d.asks[i].by
	d.asks[i] = ask{}
	d.freeAsks = append(d.freeAsks, i)
	if s := d.e.Lookup(by.Slot(), by.Generation()); s != nil {
		d.e.CancelDone(s, res)
	}
}
