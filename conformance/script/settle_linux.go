package script

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// play has the peer do its step, and waits until that has arrived.
func (r *run) play(s *Step) error {
	if s.Kind == Dial {
		return r.objects[s.On].dial()
	}
	o := r.objects[r.p.peerOf(s.On).Name]
	var err error
	switch s.Kind {
	case Write:
		before := o.queued()
		r.say("  peer: %s", o.write(s.N))
		err = o.land(before, r.patience)
	case Drain:
		b, end, e := o.drain(s.N)
		r.say("  peer: %s, %s", show(b), end)
		err = e
	case DrainAll:
		return r.drainAll(o)
	case HalfClose:
		if e := unix.Shutdown(o.peer, unix.SHUT_WR); e != nil {
			r.say("  peer: %s", unix.ErrnoName(e.(unix.Errno)))
		}
	case Reset, ClosePeer:
		if r.bothWays(o) {
			r.say("  left out: which of two directions is told of a reset")
			return nil
		}
		if s.Kind == Reset {
			err = unix.SetsockoptLinger(o.peer, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		}
		if e := unix.Close(o.peer); err == nil {
			err = e
		}
		o.peer, o.broken = -1, true
	}
	if err == nil && o.Kind != UDP { // of which the engine may have to make a turn
		err = o.arrive(r.patience)
	}
	return err
}

// bothWays says whether operations wait to receive and others to send on an object. An error is told once, to either.
func (r *run) bothWays(o *object) bool {
	in, out := false, false
	for _, q := range r.pending {
		if q.on == o {
			in = in || q.Verb.info().in
			out = out || q.Verb.info().out
		}
	}
	return in && out
}

// drainAll has the peer read, and the machine send, until nothing comes any more.
func (r *run) drainAll(o *object) error {
	var all []byte
	for {
		b, end, err := o.drain(-1)
		if err != nil {
			return err
		}
		if !o.huge {
			all = append(all, b...)
		}
		if err := r.quiet(); err != nil {
			return err
		}
		if len(b) > 0 {
			continue
		}
		if o.Kind == UDP {
			end = fmt.Sprintf("%d datagrams", o.datagrams)
		}
		if a := tcpInfo(o.fd); o.Kind == TCP && end == "open" && a != nil && a.State != tcpClose && a.Notsent_bytes+a.Unacked > 0 {
			isReady(o.peer, unix.POLLIN, 1) // more is on its way
			continue
		}
		o.part = false
		if o.huge {
			r.say("  peer: all of it, %s", end)
		} else {
			r.say("  peer: %s, %s", show(all), end)
		}
		return nil
	}
}

// settle goes on until nothing can happen any more, and writes down what has.
func (r *run) settle() error {
	err := r.quiet()
	r.tell()
	return err
}

// looks is how often to look for what must not come, when all that must has.
const looks = 2

func (r *run) quiet() error {
	end := time.Now().Add(r.patience)
	for still := 0; still < looks; {
		n, err := r.turn(api.Wait{})
		if err != nil {
			return err
		}
		if n > 0 {
			still = 0
			continue
		}
		r.silent()
		why, arrived := r.moving()
		if arrived && why == "" {
			still++
			continue
		}
		still = 0
		if time.Now().After(end) {
			r.tell()
			r.say("  stuck: %s", why)
			return fmt.Errorf("%w: %s", ErrStuck, why)
		}
		if _, err := r.turn(api.Wait{Min: 1, Deadline: api.After(time.Millisecond)}); err != nil {
			return err
		}
	}
	for _, o := range r.pending {
		o.begun = o.begun || !r.held(o)
	}
	if n := r.inFlight(); n >= 0 && n != len(r.pending) {
		r.say("  wrong: Stats().InFlight is %d", n)
	}
	return nil
}

// inFlight is what the machine says of it, -1 if it does not.
func (r *run) inFlight() int {
	if s, ok := r.m.(interface{ Stats() api.Stats }); ok {
		return int(s.Stats().InFlight)
	}
	return -1
}

// silent takes operations with Skip off the list that have succeeded. Nothing tells of it but that there are fewer in flight.
func (r *run) silent() {
	for n := r.inFlight(); n >= 0 && n < len(r.pending); {
		i := slices.IndexFunc(r.pending, func(o *op) bool { return o.Flags&Skip != 0 && !r.held(o) })
		if i < 0 {
			return
		}
		r.succeeded(r.pending[i])
		r.pending = slices.Delete(r.pending, i, i+1)
	}
}

// goesOn gives the turn to what stands behind o in its chain.
func (r *run) goesOn(o *op) {
	if next := o.at + 1; next < len(o.chain.ops) {
		o.chain.ops[next].turn = r.order
		r.order++
	}
}

// succeeded notes that an operation has succeeded without a word.
func (r *run) succeeded(o *op) {
	o.done = true
	r.goesOn(o)
	switch {
	case o.on == nil:
	case o.Verb == Close:
		o.on.closed()
	case o.Verb == Shutdown:
		o.on.shut(o.How)
	case o.Verb.info().out:
		o.on.sent += o.N
		o.on.datagrams++
	case o.Verb.info().in:
		o.on.unseen = true
		if o.takesDatagram() {
			o.on.received++
		}
	}
}

// moving says what can happen still.
func (r *run) moving() (why string, arrived bool) {
	for _, o := range r.objects {
		if !o.arrived() {
			return fmt.Sprintf("what was sent over %s has not arrived", o.Name), false
		}
	}
	for _, o := range r.pending {
		if r.due(o) {
			return fmt.Sprintf("%s has not completed", o), true
		}
	}
	for _, o := range r.objects {
		if r.receives(o) && o.held() {
			return fmt.Sprintf("a worker of the kernel has what the peer of %s has sent", o.Name), true
		}
		if o.closing() && !slices.ContainsFunc(r.pending, func(q *op) bool { return q.on == o }) {
			return fmt.Sprintf("the peer of %s does not know that it has been closed", o.Name), true
		}
	}
	return "", true
}

// receives says whether something waits to receive on an object, and none of it holds what it has got until there is more.
func (r *run) receives(o *object) bool {
	some := false
	for _, q := range r.pending {
		if q.on == o && q.Flags&WaitAll != 0 {
			return false
		}
		some = some || q.on == o && q.Verb.info().in
	}
	return some
}

// held says whether the operation waits for other operations by a chain or a drain.
func (r *run) held(o *op) bool {
	if o.at > 0 && !o.chain.ops[o.at-1].done {
		return true
	}
	exempt := len(o.chain.ops) == 1 && !o.chain.drain && (o.Verb == Cancel || o.Verb == CancelFD || o.Verb == CancelAny || o.Verb == Remove)
	for _, q := range r.pending {
		if q.order >= o.order || q.chain == o.chain {
			break
		}
		if o.chain.drain || q.chain.drain && !exempt {
			return true
		}
	}
	return false
}

// due says whether the operation has to complete, or to move something, before anything else happens.
func (r *run) due(o *op) bool {
	if o.Verb == LinkTimeout && o.at > 0 {
		target := o.chain.ops[o.at-1]
		return target.done || o.Time.Fires() && !r.held(target)
	}
	if o.Deadline.Fires() || o.found || o.at > 0 && o.chain.ops[o.at-1].broke {
		return true
	}
	return !r.held(o) && r.served(o)
}

// served says whether an operation that is not held gets what it waits for.
func (r *run) served(o *op) bool {
	in := o.Verb.info()
	switch {
	case o.Verb == Timeout && o.Time == Never:
		return o.Count > 0 && r.given-o.since >= o.Count
	case o.on == nil, o.on.fd < 0, o.on.Kind == File, o.Flags&DontWait != 0:
		return true
	case !o.begun && o.Group != "" && r.out(o.Group) == r.objects[o.Group].N: // BUF-3
		return true
	case o.Verb == Shutdown && o.How == "wr":
		return r.first(o, func(v *verbInfo) bool { return v.out })
	case in.takes&takesSize != 0 && o.N == 0 && !(o.Verb == Recv && o.on.Kind == UDP) && r.first(o, func(v *verbInfo) bool { return v.in == in.in && v.out == in.out }):
		return true
	case o.Verb == PollOp && o.How == "in", in.in:
		return o.on.ready(unix.POLLIN)
	case o.Verb == PollOp, in.out:
		return o.on.ready(unix.POLLOUT)
	}
	return true
}

// first says whether no other operation of the kind stands before o on its object, where it has its place since its turn came (LNK-18).
func (r *run) first(o *op, like func(*verbInfo) bool) bool {
	for _, q := range r.pending {
		if q.turn < o.turn && q.on == o.on && like(q.Verb.info()) && !r.held(q) {
			return false
		}
	}
	return true
}

// turn makes one call of Complete.
func (r *run) turn(w api.Wait) (int, error) {
	n, err := r.m.Complete(r.dst[:], w)
	if err != nil {
		return n, fmt.Errorf("complete: %w", err)
	}
	for i := range r.dst[:n] {
		if err := r.completed(&r.dst[i]); err != nil {
			return n, err
		}
	}
	return n, nil
}

// completed takes one completion.
func (r *run) completed(c *api.Completion) error {
	o := r.ops[int(c.Tag)]
	if o == nil || o.done {
		r.say("  wrong: a completion of %d, which has ended or never was: %d", c.Tag, c.Res)
		return nil
	}
	if o.id != c.ID {
		r.say("  wrong: a completion of %d with another id", c.Tag)
	}
	if o.Verb != Timeout || c.Res != -int32(unix.ETIME) && (c.Res != 0 || o.Count == 0) {
		r.given++
	}
	text := r.result(o, c)
	if c.More() {
		text += ", more"
	}
	r.got = append(r.got, result{o, text})
	if c.Flags.Has(api.Buffer) {
		r.leases = append(r.leases, held{r.objects[o.Group].group, c.Lease})
	}
	if c.More() {
		o.begun = true
		if !o.Verb.info().multi {
			r.say("  wrong: %d is not multishot", c.Tag)
		}
		return nil
	}
	if t := r.ops[o.Of]; o.Verb == Cancel && c.Res == 0 && t != nil {
		t.found = true // CAN-6
	}
	o.broke = c.Res < 0 && o.Flags&(Link|TimeoutOK) == Link && o.Verb != LinkTimeout
	r.ended(o, o.Verb == LinkTimeout && c.Res == -int32(unix.ETIME))
	return nil
}

// ended takes an operation off the list, and with it those of its chain that will say nothing: those before it have succeeded with
// Skip, and when it has Skip and says something it has failed, so that those behind it are ended without a word. The target of a LinkTimeout
// that has fired comes behind it.
func (r *run) ended(o *op, fired bool) {
	before := o.at
	if fired {
		before = max(0, o.at-1)
	}
	for _, q := range o.chain.ops[:before] {
		if !q.done && q.Flags&Skip != 0 {
			r.succeeded(q)
		}
	}
	o.done = true
	r.goesOn(o)
	if o.Flags&Skip != 0 && o.Flags&Link != 0 {
		for _, q := range o.chain.ops[o.at+1:] {
			q.done = true
		}
	}
	r.pending = slices.DeleteFunc(r.pending, func(q *op) bool { return q.done })
}

// result is what the completion says, without what is left open.
func (r *run) result(o *op, c *api.Completion) string {
	in := o.Verb.info()
	if in.out && o.on != nil && c.Res >= 0 {
		o.on.sent += int(c.Res)
		o.on.datagrams++
	}
	if in.in && o.on != nil && c.Res >= 0 {
		o.on.got += int(c.Res)
		if o.takesDatagram() {
			o.on.received++
		}
	}
	switch {
	case o.N == Huge && in.takes&takesSize != 0:
		if c.Res == Huge {
			return "all"
		}
		o.on.part = true
		return "part"
	case o.Verb == LinkTimeout && c.Res == -int32(unix.ETIME):
		return "fired"
	case o.Verb == LinkTimeout && (c.Res == -int32(unix.ECANCELED) || c.Res == -int32(unix.EALREADY) || c.Res == -int32(unix.ENOENT)):
		return "not fired"
	case c.Res < 0:
		return unix.ErrnoName(unix.Errno(-c.Res))
	case c.Flags.Has(api.AtEOF):
		return "eof"
	case c.Flags.Has(api.Buffer):
		return show(c.Buf) + " in a buffer"
	case in.in && in.takes&takesSize != 0:
		return show(o.buf[:min(int(c.Res), len(o.buf))])
	case o.Verb == Accept || o.Verb == AcceptMulti:
		_ = unix.Close(int(c.Res)) // the connection was only counted
		return "fd"
	case o.Verb == PollOp:
		return fmt.Sprintf("%#x", c.Res)
	case o.Verb == Close:
		o.on.closed()
	case o.Verb == Shutdown && c.Res == 0:
		o.on.shut(o.How)
	}
	return fmt.Sprint(c.Res)
}

// takesDatagram says whether an operation that has received has taken a datagram, if it is on a UDP socket. A read of nothing does not look.
func (o *op) takesDatagram() bool { return o.N > 0 || o.Verb != Read }
