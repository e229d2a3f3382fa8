package reactor

import (
	"io"

	"github.com/sluiceio/sluice/api"
)

// fileChunk is how much of a file is read at a time. Two of them would let the disk and the network work at once; a file that
// is sent is in the page cache as a rule.
const fileChunk = 128 << 10

// send sends what there is to be sent, one item at a time, and behind all of it does what is to be done when all is sent.
func (l *loop) send(c *Conn) {
	if c.io.is(stSending | stDead) {
		return
	}
	if c.io.file.n > 0 {
		l.readFile(c)
		return
	}
	it, ok := l.up.tx(c).take()
	switch {
	case !ok:
		l.allSent(c)
	case it.file != nil:
		c.io.file = it
		c.io.flight = make([]byte, 0, min(it.n, fileChunk))
		l.readFile(c)
	default:
		c.io.flight = it.buf
		l.sendFlight(c)
	}
}

func (l *loop) sendFlight(c *Conn) {
	c.io.set(stSending)
	l.pushOn(c, api.Send(int(c.io.fd), c.io.flight, tagOf(kindSend, c.io.slot)).With(api.WaitAll))
}

// sent handles the completion of a send.
func (l *loop) sent(c *Conn, done *api.Completion) {
	c.io.clear(stSending)
	c.io.active = l.now
	if done.Res > 0 {
		l.countSent(c, int(done.Res))
	}
	if c.io.file.n > 0 {
		c.io.flight = c.io.flight[:0]
	} else {
		l.chunks.put(c.io.flight)
		c.io.flight = nil
		l.closeFile(c)
	}
	if done.Res < 0 {
		l.fail(c, done.Err())
		return
	}
	l.send(c)
	l.watermark(c)
}

func (l *loop) countSent(c *Conn, n int) {
	c.io.sentBytes += uint64(n)
	c.sent.Store(c.io.sentBytes)
}

func (l *loop) readFile(c *Conn) {
	it := &c.io.file
	b := c.io.flight[:min(it.n, int64(cap(c.io.flight)))]
	c.io.set(stSending)
	l.pushOn(c, api.Read(int(it.file.Fd()), b, it.off, tagOf(kindFile, c.io.slot)))
}

// fileRead handles the completion of reading a part of a file.
func (l *loop) fileRead(c *Conn, done *api.Completion) {
	c.io.clear(stSending)
	switch {
	case c.io.is(stDead):
	case done.Res < 0:
		l.fail(c, done.Err())
	case done.Res == 0:
		l.fail(c, io.ErrUnexpectedEOF)
	default:
		c.io.flight = c.io.flight[:done.Res]
		c.io.file.off += int64(done.Res)
		c.io.file.n -= int64(done.Res)
		l.sendFlight(c)
	}
}

func (l *loop) closeFile(c *Conn) {
	if c.io.file.file != nil {
		_ = c.io.file.file.Close() // it was only read
		c.io.file = item{}
	}
}

// allSent does what Close and CloseWrite are about.
func (l *loop) allSent(c *Conn) {
	switch {
	case c.io.is(stClosing):
		l.finish(c)
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
	unsent := int(c.io.written - c.io.sentBytes)
	switch {
	case unsent > l.cfg.WriteHigh && !c.io.is(stFull):
		c.io.set(stFull)
		l.read(c)
	case unsent <= l.cfg.WriteLow && c.io.is(stFull):
		c.io.clear(stFull)
		l.read(c)
		if !c.io.is(stClosing | stDead) {
			l.up.again(c)
		}
	}
}
