package reactor

import "github.com/sluiceio/sluice/api"

// Two connections of a loop that are joined have no handler between them. What is received on one lies in a buffer of the loop's group, and is sent
// on the other from there; the buffer goes back when it is sent. What waits is bounded three ways:
//
//   - A connection is not read while more than Config.WriteHigh bytes wait to be sent on its counterpart.
//   - All connections of a loop together hold no more than half of the buffers, so that those whose peers do not read leave
//     enough to the others. What is above that is copied.
//   - Pieces up to forwardCopy are copied, since the buffer costs more than the copy.
//
// Before a join begins, handlers may have left input unconsumed, and where they run in workers some is on the way to them. So both connections are asked, in
// their turn, for what they have (handOver), and not read meanwhile. When both have answered the join is live.

const forwardCopy = 1 << 10

// forwarding is the handler's side of a join.
type forwarding struct {
	to    *Conn
	rest  []byte // input that the handler has not consumed
	given bool   // rest is all there is
}

// joint is the loop's side of a join.
type joint struct {
	peer  *Conn  // to which it is joined
	early []item // what has come before the join was live
	given bool   // the handler's side has given all
	live  bool

	lane    *lane // by which goes what comes; nil: by buffers
	filling bool  // and it is being filled
	never   bool  // it cannot have one
	bulk    int   // bytes that have come in full buffers
	need    int   // how many there must be for a pipe, if it is more than laneAfter
	short   int   // how many times in a row little has come into the pipe
}

// joiner is a driver that can join its connections.
type joiner interface {
	// joins says why two connections cannot be joined.
	joins(c, to *Conn) error
}

// Forward joins the connection to another one of the same loop: from now on what comes in on one is sent on the other, without the handlers. Input that they have not
// consumed goes first, behind output that they have written. The end of one stream becomes the end of the other (CloseWrite); when both have ended, so
// have the connections, with a nil error. An error of one ends both with it, and so does Abort; both peers see a reset. That of a peer which is not read at
// the time, since the other takes nothing, is seen when it is read again. Close ends both when all is sent that has come.
//
// Handlers get OnClose, OnShutdown and what is posted, and no input; Write fails with ErrClosed, and CloseWrite does nothing. Pause ends, and
// stops one direction when it is called anew. Deadlines and timeouts stay.
//
// Errors: ErrClosed, if one of the two is closed or being closed; ErrNotJoinable, if they are of different loops, the same, or joined already. What turns out later ends
// the connection, as Abort with ErrClosed.
func (c *Conn) Forward(to Remote) error {
	p := to.c
	switch {
	case p == nil || p.gone.Load() || c.gone.Load() || c.asked&(askClose|askFin|askAbort) != 0:
		return ErrClosed
	case p == c || c.asked&askJoin != 0:
		return ErrNotJoinable
	}
	j, ok := c.drv.(joiner)
	if !ok {
		return ErrNotJoinable
	}
	if err := j.joins(c, p); err != nil {
		return err
	}
	c.fwd = &forwarding{to: p}
	c.asked |= askJoin
	return nil
}

func (l *loop) joins(_, to *Conn) error {
	if to.drv != driver(l) {
		return ErrNotJoinable
	}
	return nil
}

// handOver runs in the turn of a connection, as the last that its handler's side has to do with its input.
func handOver(c *Conn) {
	given := forwarding{rest: c.in, given: true}
	if c.fwd != nil {
		given.to = c.fwd.to
	}
	c.fwd = &given // the loop may be looking at the old one
	c.in, c.heap = nil, nil
	c.asked |= askJoin
	c.asked &^= askPause
}

// joining begins the join that the handler of c has asked for, and goes on with it when c has handed over.
func (l *loop) joining(c *Conn) {
	j := c.io.joint
	if j == nil {
		l.beginJoin(c, c.io.fwd.to)
		return
	}
	if j.given || !c.io.fwd.given {
		return
	}
	j.given = true
	if rest := c.io.fwd.rest; len(rest) > 0 {
		j.early = append([]item{{buf: rest}}, j.early...)
	}
	if p := l.part(c); p != nil && p.io.joint.given {
		l.link(c, p)
	}
}

func (l *loop) beginJoin(c, p *Conn) {
	if p.io.is(stDead|stClosing|stJoined|stFin) || !p.io.is(stOpened) {
		l.reset(c, ErrClosed)
		return
	}
	c.io.joint, p.io.joint = &joint{peer: p}, &joint{peer: c}
	for _, c := range []*Conn{c, p} {
		c.io.set(stJoined | stBlocked)
		c.io.clear(stFull)
		l.read(c)
	}
	l.up.run(p, handOver)
	l.up.run(c, handOver)
}

// link lets the bytes go.
func (l *loop) link(a, b *Conn) {
	for _, c := range []*Conn{a, b} {
		c.io.joint.live = true
		c.io.clear(stBlocked | stPaused)
	}
	for _, c := range []*Conn{a, b} {
		early := c.io.joint.early
		c.io.joint.early = nil
		for _, it := range early {
			l.pass(c, it)
			l.passed(c.io.joint.peer, len(it.buf))
		}
		if c.io.is(stEOF) {
			l.forwardEOF(c)
		}
		l.read(c)
	}
}

// part is the connection to which c is joined, nil if there is none, or it has ended.
func (l *loop) part(c *Conn) *Conn {
	if j := c.io.joint; j != nil && !j.peer.io.is(stDead) {
		return j.peer
	}
	return nil
}

// forward takes what was received on a connection that is joined.
func (l *loop) forward(c *Conn, buf []byte, lease api.Lease) {
	switch p := l.part(c); {
	case p == nil: // which has ended without an error, so that nobody wants it
		l.release(lease)
		return
	case !c.io.joint.live:
		c.io.joint.early = append(c.io.joint.early, l.hold(buf, lease))
		return
	case len(buf) <= forwardCopy || l.held >= l.heldMost:
		q := l.up.tx(p)
		q.room(p, len(buf))
		q.out = append(q.out, buf...)
		l.release(lease)
		l.passed(p, len(buf))
	default:
		l.held++
		l.up.tx(p).lease(buf, lease)
		l.passed(p, len(buf))
	}
	l.bulk(c, len(buf))
}

// hold keeps what was received, in its buffer or as a copy.
func (l *loop) hold(buf []byte, lease api.Lease) item {
	if l.held < l.heldMost {
		l.held++
		return item{buf: buf, lease: lease, owner: ownGroup}
	}
	it := item{buf: append(l.chunks.get(), buf...)}
	l.release(lease)
	return it
}

// pass puts what has come from c behind the output of its counterpart.
func (l *loop) pass(c *Conn, it item) {
	q := l.up.tx(c.io.joint.peer)
	q.seal()
	q.items = append(q.items, it)
}

func (l *loop) passed(p *Conn, n int) {
	p.io.forwarded += uint64(n)
	l.forwardMark(p)
	l.flushLater(p)
	if p.io.writeBy != 0 {
		l.arm(p)
	}
}

// forwardEOF passes the end of c's stream on.
func (l *loop) forwardEOF(c *Conn) {
	if !c.io.joint.live {
		return // link sees it
	}
	if p := l.part(c); p != nil {
		p.io.set(stFin)
		l.flushLater(p)
	}
	l.flushLater(c) // if all its output is sent, this was the last of it
}

// forwardDone says whether a joined connection, all of whose output is sent, has nothing to do any more.
func (l *loop) forwardDone(c *Conn) bool {
	return c.io.is(stJoined) && c.io.joint.live && c.io.all(stEOF|stFin)
}

// forwardMark stops the reading of what p is joined to when p has too much output, and takes it up again.
func (l *loop) forwardMark(p *Conn) {
	c := l.part(p)
	if c == nil || !p.io.joint.live {
		return
	}
	switch unsent := p.io.unsent(); {
	case unsent > l.cfg.WriteHigh && !c.io.is(stBlocked):
		c.io.set(stBlocked)
		l.read(c)
	case unsent <= l.cfg.WriteLow && c.io.is(stBlocked):
		c.io.clear(stBlocked)
		l.read(c)
	}
}

// dropJoint gives up what has come for a connection to which there is none joined any more.
func (l *loop) dropJoint(c *Conn) {
	if c.io.joint == nil {
		return
	}
	for i := range c.io.joint.early {
		l.giveBack(&c.io.joint.early[i])
	}
	c.io.joint.early = nil
	l.leaveLane(c)
}

// flushLater has c's output sent at the end of the turn, with all that comes in it.
func (l *loop) flushLater(c *Conn) {
	if !c.io.is(stFlush) {
		c.io.set(stFlush)
		l.flush = append(l.flush, c)
	}
}

func (l *loop) flushAll() {
	for i := 0; i < len(l.flush); i++ {
		c := l.flush[i]
		l.flush[i] = nil
		c.io.clear(stFlush)
		l.send(c)
	}
	l.flush = l.flush[:0]
}
