package reactor

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// send sends what there is to be sent, as much as one operation may take, and behind all of it does what is to be done when all is sent.
func (l *loop) send(c *Conn) {
	if c.io.is(stSending | stDead) {
		return
	}
	if c.io.file != nil {
		l.sendFile(c)
		return
	}
	q := l.up.tx(c)
	it, ok := q.take()
	switch {
	case !ok:
		l.allSent(c)
	case it.file != nil:
		l.beginFile(c, it, nil)
	case it.lane != nil:
		l.drain(c, it)
	case q.empty():
		l.sendOne(c, it)
	default:
		l.sendSeveral(c, q, it)
	}
}

// sendSeveral sends it and what is behind it, up to a pipe or a file. What is before a file goes with its first chunk.
func (l *loop) sendSeveral(c *Conn, q *txq, it item) {
	g := l.newGather()
	g.add(it)
	for !g.full() {
		switch first := q.first(); {
		case first == nil:
		case first.file != nil:
			file, _ := q.take()
			l.beginFile(c, file, g)
			return
		case first.lane != nil:
			l.sendGather(c, g)
			return
		}
		it, ok := q.take()
		if !ok {
			break
		}
		g.add(it)
	}
	l.sendGather(c, g)
}

func (l *loop) sendOne(c *Conn, it item) {
	c.io.flight = it
	c.io.set(stSending)
	l.pushOn(c, api.Send(int(c.io.fd), it.buf, tagOf(kindSend, c.io.slot)).With(api.WaitAll))
}

func (l *loop) sendGather(c *Conn, g *gather) {
	if g.n == 1 {
		it := g.items[0]
		g.items[0] = item{}
		l.dropGather(g)
		l.sendOne(c, it)
		return
	}
	c.io.gather = g
	g.msg.Bufs = g.bufs[:g.n]
	c.io.set(stSending)
	l.pushOn(c, api.SendMsg(int(c.io.fd), &g.msg, tagOf(kindSend, c.io.slot)).With(api.WaitAll))
}

// sent handles the completion of a send.
func (l *loop) sent(c *Conn, done *api.Completion) {
	c.io.clear(stSending)
	c.io.active = l.now
	if done.Res > 0 {
		l.countSent(c, int(done.Res))
	}
	whole := l.landed(c)
	switch {
	case done.Res < 0:
		l.fail(c, done.Err())
		return
	case int(done.Res) < whole:
		l.fail(c, syscall.EPIPE) // a send that waits for all ends early when the stream does, and the error was for the rest
		return
	}
	l.send(c)
	l.watermark(c)
}

// landed gives back the memory of what was sent. It returns how much that was.
func (l *loop) landed(c *Conn) (n int) {
	if g := c.io.gather; g != nil {
		n = g.bytes
		c.io.gather = nil
		l.dropGather(g)
		return n
	}
	n = len(c.io.flight.buf)
	l.giveBack(&c.io.flight)
	c.io.flight = item{}
	return n
}

func (l *loop) countSent(c *Conn, n int) {
	c.io.sentBytes += uint64(n)
	c.sent.Store(min(c.io.sentBytes, c.io.written))
}

// dropOutput gives up all output of a connection of which no operation is in flight.
func (l *loop) dropOutput(c *Conn) {
	l.landed(c)
	l.dropFile(c)
	for q := l.up.tx(c); ; {
		it, ok := q.take()
		if !ok {
			break
		}
		if it.file != nil {
			_ = it.file.Close() // it was only to be read
		}
		l.giveBack(&it)
	}
	l.dropJoint(c)
}

// allSent does what Close and CloseWrite are about.
func (l *loop) allSent(c *Conn) {
	switch {
	case c.io.is(stClosing):
		l.finish(c)
	case l.forwardDone(c):
		l.kill(c)
	case c.io.is(stFin) && !c.io.is(stShut):
		l.shutdown(c)
	}
}

func (l *loop) shutdown(c *Conn) {
	c.io.set(stShut)
	l.pushOn(c, api.Shutdown(int(c.io.fd), api.ShutWrite, tagOf(kindShut, c.io.slot)))
}

func (l *loop) shut(c *Conn, done *api.Completion) {
	if done.Res < 0 && !c.io.is(stEOF) { // ENOTCONN: the connection was reset
		l.fail(c, done.Err())
	}
}

// watermark stops the reading of a connection with too much output, and takes it up again.
func (l *loop) watermark(c *Conn) {
	if c.io.is(stJoined) {
		l.forwardMark(c)
		return
	}
	unsent := c.io.unsent()
	// A handler that leaves that much input while there is output may be waiting for that to be sent, and must not get more meanwhile.
	glutted := unsent > 0 && c.io.left >= l.cfg.MaxInput
	switch {
	case (unsent > l.cfg.WriteHigh || glutted) && !c.io.is(stFull):
		c.io.set(stFull)
		l.read(c)
	case unsent <= l.cfg.WriteLow && !glutted && c.io.is(stFull):
		c.io.clear(stFull)
		if !c.io.is(stClosing | stDead) {
			l.up.again(c) // before more is read: it may not be wanted
		}
		l.read(c)
	}
}
