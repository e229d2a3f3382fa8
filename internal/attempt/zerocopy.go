package attempt

import (
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Sends with MSG_ZEROCOPY tell in the error queue of the socket when their memory is free. They are made where the program has set
// SO_ZEROCOPY, which nobody does by chance, and which makes that queue the engine's as far as they are concerned.

// A sender is a socket with such sends whose notifications are to come. It has a duplicate of the fd, so that the program, or another operation, may close its own: nobody
// else could tell then.
type sender struct {
	fd     int32 // the duplicate
	cookie uint64
	out    []sent // in the order of their ids
	// The kernel counts the sends of a socket and does not tell where it stands, so that the first one must be alone: its notification says what its number
	// is, and those that are sent meanwhile are copied.
	counted bool
	closing bool   // the fd has been closed, and the socket is to end when nothing is to be told any more
	next    uint32 // the kernel's number for the next one
}

// sent is one send whose memory is in use.
type sent struct {
	id uint32
	op api.OpID
}

// ZeroCopy are the senders of an engine.
type ZeroCopy struct {
	e     *core.Engine
	list  map[uint64]*sender // by cookie
	spare []*sender
	at    api.Instant // when to look for notifications that no event has told of
	pause time.Duration
}

// How often error queues are looked at that no event has told of. The pause doubles while there is nothing.
const (
	lookMin = time.Millisecond
	lookMax = 10 * time.Millisecond
)

// Init must be called before the first send.
func (z *ZeroCopy) Init(e *core.Engine) { z.e, z.list = e, map[uint64]*sender{} }

// copies, in core.FD.Kind, says that the socket has no sends with MSG_ZEROCOPY.
const copies = 1 << 17

// sender gives what the sends of s, with MSG_ZEROCOPY, belong to; nil when its data must be copied.
func (t *Tries) sender(s *core.Slot) *sender {
	z := &t.ZC
	if sysx.MsgZeroCopy == 0 || s.FD.Kind&copies != 0 || z.e == nil {
		return nil
	}
	t.Calls++
	cookie, errno := sysx.SocketCookie(s.Op.FD)
	if errno != 0 {
		return nil
	}
	if r := z.list[cookie]; r != nil {
		t.reap(r)
		switch {
		case z.list[cookie] != r: // another fd of the socket has been closed, and that was the last of its notifications
		case r.counted && t.isOn(s):
			return r
		default:
			return nil
		}
	}
	t.Calls += 6
	if !sysx.SendsZeroCopy(s.Op.FD) {
		s.FD.Kind |= copies
		return nil
	}
	t.Calls++
	fd, errno := sysx.Dup(s.Op.FD)
	if errno != 0 {
		return nil
	}
	r := &sender{}
	if n := len(z.spare); n > 0 {
		r, z.spare = z.spare[n-1], z.spare[:n-1]
	}
	*r = sender{fd: fd, cookie: cookie, out: r.out[:0]}
	t.sync(r) // what is there already is not of the first send
	if len(z.list) == 0 {
		z.pause, z.at = lookMin, api.After(lookMin)
	}
	z.list[cookie] = r
	return r
}

// isOn says whether the socket still counts sends with MSG_ZEROCOPY. The program may switch that off.
func (t *Tries) isOn(s *core.Slot) bool {
	t.Calls++
	return sysx.IsZeroCopy(s.Op.FD)
}

// sync takes all there is in the error queue, and what the next number is from a notification that is of none of the sends: a datagram that fails
// behind the place where it is counted (a firewall, UDP_SEGMENT that does not fit) has one at once.
func (t *Tries) sync(r *sender) {
	for {
		t.Calls++
		lo, hi, copied, ok, errno := sysx.ZeroCopied(r.fd)
		if errno != 0 {
			return
		}
		if ok {
			t.notified(r, lo, hi, copied)
		}
	}
}

// notified takes in that the sends from lo to hi are over.
func (t *Tries) notified(r *sender, lo, hi uint32, copied bool) {
	if !r.counted {
		if len(r.out) == 0 {
			return
		}
		r.counted, r.next, r.out[0].id = true, hi+1, hi // there is one send
	}
	if int32(hi-r.next) >= 0 {
		r.next = hi + 1
	}
	kept := r.out[:0]
	for _, o := range r.out {
		if o.id-lo > hi-lo {
			kept = append(kept, o)
			continue
		}
		if s := t.ZC.e.Lookup(o.op.Slot(), o.op.Generation()); s != nil {
			t.ZC.e.Notified(s, copied)
		}
	}
	r.out = kept
}

// add notes that a send of s has been made.
func (z *ZeroCopy) add(r *sender, s *core.Slot) {
	s.Notifs++
	r.out = append(r.out, sent{r.next, s.ID()})
	r.next++
}

// idle forgets r if none of its notifications are to come. One whose count is known is kept until the next Look, so that a stream of sends
// need not begin anew.
func (t *Tries) idle(r *sender) {
	if len(r.out) == 0 && (!r.counted || r.closing) {
		t.forget(r)
	}
}

func (t *Tries) forget(r *sender) {
	delete(t.ZC.list, r.cookie)
	t.Calls++
	sysx.Close(r.fd)
	t.ZC.spare = append(t.ZC.spare, r)
}

// reap takes the notifications of r, and says whether there were any.
func (t *Tries) reap(r *sender) (any bool) {
	for len(r.out) > 0 {
		t.Calls++
		lo, hi, copied, ok, errno := sysx.ZeroCopied(r.fd)
		if errno != 0 {
			break
		}
		if !ok {
			continue
		}
		any = true
		t.notified(r, lo, hi, copied)
	}
	t.idle(r)
	return any
}

// Left is how long there is until Look has something to do, negative when it has nothing.
func (z *ZeroCopy) Left() time.Duration {
	if len(z.list) == 0 {
		return -1
	}
	return max(z.at.Sub(api.Now()), 0)
}

// Look takes the notifications that have come, if it is time for that.
func (t *Tries) Look() {
	z := &t.ZC
	if len(z.list) == 0 || api.Now() < z.at {
		return
	}
	z.pause = min(2*z.pause, lookMax)
	for _, r := range z.list {
		switch {
		case len(r.out) == 0:
			t.forget(r)
		case t.reap(r):
			z.pause = lookMin
		}
	}
	z.at = api.After(z.pause)
}

// Closing is called when the fd is about to be closed: a socket with nothing to be told must end with it.
func (t *Tries) Closing(fd int32) {
	if r := t.senderOf(fd); r != nil {
		r.closing = true
		t.idle(r)
	}
}

func (t *Tries) senderOf(fd int32) *sender {
	if len(t.ZC.list) == 0 {
		return nil
	}
	t.Calls++
	cookie, errno := sysx.SocketCookie(fd)
	if errno != 0 {
		return nil
	}
	return t.ZC.list[cookie]
}

// Reaped takes the notifications of the socket fd, of which an error has been reported, and says whether there were any: the error may have been nothing else.
func (t *Tries) Reaped(fd int32) bool {
	r := t.senderOf(fd)
	return r != nil && t.reap(r)
}

// Close frees everything. The notifications that have not come will not be heard of.
func (z *ZeroCopy) Close() {
	for _, r := range z.list {
		sysx.Close(r.fd)
	}
	z.list = nil
}

func (t *Tries) sendZC(s *core.Slot) (int32, Verdict) {
	if s.Op.Code == api.OpSendMsgZC && s.Phase == phaseNew {
		s.Phase = phaseSet
		if errno := SetMsg(&s.Op, s.NeedMsg()); errno != 0 {
			return -int32(errno), Done
		}
	}
	r := t.sender(s)
	for {
		flags := int(s.Op.Arg) | sysx.MsgDontWait
		if r != nil {
			flags |= sysx.MsgZeroCopy
		}
		n, total, errno := t.sendPart(s, flags)
		r, errno = t.sentZC(r, s, n, errno)
		if errno == errCopy {
			continue
		}
		if errno != 0 || !t.goesOn(s, n, total) {
			return outcome(s, int(s.Done)+n, errno, Writable)
		}
		if s.Op.Code == api.OpSendMsgZC {
			s.Msg.Advance(n)
		}
	}
}

// sendPart sends once what is left of total bytes.
func (t *Tries) sendPart(s *core.Slot, flags int) (n, total int, errno syscall.Errno) {
	t.Calls++
	if s.Op.Code == api.OpSendZC {
		n, errno = sysx.Send(s.Op.FD, s.Op.Buf[s.Done:], flags)
		return n, len(s.Op.Buf), errno
	}
	n, errno = sysx.SendMsg(s.Op.FD, s.Msg, flags)
	return n, int(s.Done) + s.Msg.Len(), errno
}

// errCopy says that the send is to be made again, by copying. No system call has this errno.
const errCopy = syscall.Errno(1 << 20)

// sentZC takes in what a send of r's, or with nil one that copies, has come to. It gives who makes the next part of the same operation.
func (t *Tries) sentZC(r *sender, s *core.Slot, n int, errno syscall.Errno) (*sender, syscall.Errno) {
	switch {
	case r == nil:
		s.Copied = s.Copied || errno == 0
		return nil, errno
	case errno != 0 || n == 0: // which the kernel does not count, as a rule
		s.Copied = s.Copied || errno == 0
		if errno != 0 && errno != syscall.EAGAIN {
			t.sync(r)
		}
		t.idle(r)
		if errno == syscall.ENOBUFS || errno == syscall.EOPNOTSUPP {
			// The memory for notifications is used up (net.core.optmem_max, or RLIMIT_MEMLOCK); or the socket has another protocol on top (TLS),
			// which does not know the flag.
			return nil, errCopy
		}
		return nil, errno
	}
	t.ZC.add(r, s)
	if !r.counted {
		return nil, 0
	}
	return r, 0
}
