package reactor

import "sync/atomic"

// Two connections that have a goroutine each are joined by notes: what one has received is posted to the other, which sends it from the
// buffer that it was received into. Notes of one goroutine for another keep their order, so that there is nothing to agree upon: the first says that they are
// joined, then comes what the handler has not consumed, then the rest.

// splice is what a connection has that is joined to another.
type splice struct {
	peer    *runner
	out, in *flow
	counted uint64 // bytes of in that were sent, as far as in knows
}

// flow is what goes one way.
type flow struct {
	waiting atomic.Int64 // bytes that were posted and not sent yet
	stuck   atomic.Bool  // they are too many, and the receiver tells when that is over
}

func (o *runner) joins(_, to *Conn) error {
	if r, ok := to.drv.(*runner); !ok || r.set != o.set {
		return ErrNotJoinable
	}
	return nil
}

// join begins the join that the handler has asked for.
func (o *runner) join(to *Conn) {
	p := to.drv.(*runner)
	out, in := new(flow), new(flow)
	refused := func() { o.tell(func(*Conn) { o.broken(ErrClosed) }) }
	if p.post(&note{c: to, fn: func(*Conn) { p.joinedBy(o, in, out) }, lost: refused}) != nil {
		o.broken(ErrClosed)
		return
	}
	o.joined(&splice{peer: p, out: out, in: in})
}

// joinedBy is join in the other's turn.
func (o *runner) joinedBy(p *runner, out, in *flow) {
	const no = askClose | askFin | askAbort | askJoin
	if o.joint != nil || o.c.asked&no != 0 || o.c.io.is(stClosing|stDead) {
		p.tell(func(*Conn) { p.broken(ErrClosed) })
		return
	}
	o.joined(&splice{peer: p, out: out, in: in})
}

func (o *runner) joined(j *splice) {
	c := o.c
	o.share() // the other one interrupts it from here on
	o.joint = j
	c.asked = c.asked&^askPause | askJoin
	c.io.set(stJoined)
	c.io.clear(stFull | stPaused | stLeft)
	if rest := c.in; len(rest) > 0 {
		c.in, c.heap = nil, nil
		o.pass(rest)
	}
	if c.io.is(stEOF) {
		o.passEOF()
	}
}

// forward takes what was received into o.buf.
func (o *runner) forward(b []byte) {
	if len(b) <= forwardCopy {
		b = append([]byte(nil), b...)
	} else {
		o.buf = nil
	}
	o.pass(b)
}

// pass posts what has come to the other one, whose memory it is from here on.
func (o *runner) pass(b []byte) {
	j, cfg := o.joint, o.set.cfg
	n := j.out.waiting.Add(int64(len(b)))
	j.peer.tell(func(c *Conn) {
		c.tx.seal()
		c.tx.items = append(c.tx.items, item{buf: b})
		c.io.forwarded += uint64(len(b))
	})
	if n <= int64(cfg.WriteHigh) {
		return
	}
	j.out.stuck.Store(true)
	if j.out.waiting.Load() <= int64(cfg.WriteLow) { // it was sent before the other one could see that it has to tell
		j.out.stuck.Store(false)
	}
}

// passed tells the other one that what it has posted was sent, if it waits for that.
func (o *runner) passed() {
	j, io := o.joint, &o.c.io
	if io.sentBytes <= io.written+j.counted {
		return
	}
	n := io.sentBytes - io.written - j.counted
	j.counted += n
	if j.in.waiting.Add(-int64(n)) <= int64(o.set.cfg.WriteLow) && j.in.stuck.CompareAndSwap(true, false) {
		j.peer.tell(func(*Conn) {})
	}
}

func (o *runner) passEOF() {
	j := o.joint
	j.peer.tell(func(c *Conn) { c.io.set(stFin) })
}

// passEnd ends the other one, too: with an error, or with nil when all is sent.
func (o *runner) passEnd(err error) {
	j := o.joint
	if err == nil {
		j.peer.tell((*Conn).Close)
		return
	}
	o.str.reset()
	j.peer.tell(func(*Conn) { j.peer.broken(err) })
}
