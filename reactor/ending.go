package reactor

import (
	"os"

	"github.com/sluiceio/sluice/api"
)

// apply does what callbacks have asked for. Their output, and what else they have set, is in c.io and the dispatcher's txq by now.
func (l *loop) apply(c *Conn, asked asks, why error) {
	if c.io.is(stDead) {
		return
	}
	if asked&askAbort != 0 {
		l.reset(c, why)
		return
	}
	if asked&askJoin != 0 {
		l.joining(c)
	}
	if asked&askFin != 0 && !c.io.is(stJoined) {
		c.io.set(stFin)
	}
	if asked&askClose != 0 {
		if c.io.err == nil {
			c.io.err = why // of tooLate
		}
		l.closing(c)
	}
	if asked&askPause != 0 {
		c.io.set(stPaused)
	} else {
		c.io.clear(stPaused)
	}
	if asked&askAgain != 0 && !c.io.is(stJoined) {
		c.io.set(stFull) // also when so much has been sent by now that the watermark alone would not
	}
	l.send(c)
	l.watermark(c)
	l.read(c)
	l.arm(c)
}

// closing has a connection closed when all output is sent, and the one to which it is joined, too.
func (l *loop) closing(c *Conn) {
	if c.io.is(stClosing | stDead) {
		return
	}
	c.io.set(stClosing)
	c.gone.Store(true)
	if p := l.part(c); p != nil {
		l.closing(p)
		l.flushLater(p)
	}
}

// finish ends a connection all of whose output is sent.
func (l *loop) finish(c *Conn) {
	if c.io.is(stLingering) {
		return // one that is joined may come here twice, by its own Close and by the other's
	}
	if c.io.is(stEOF) || l.cfg.Linger < 0 || !l.unread(c) {
		l.kill(c)
		return
	}
	c.io.set(stLingering)
	c.io.lingerBy = api.Now().Add(l.cfg.Linger) // a handler may have taken long
	if !c.io.is(stShut) {
		l.shutdown(c)
	}
	l.read(c)
	l.arm(c)
}

// unread says whether there is input that nobody will read, because of which the kernel would reset the connection rather than close it.
func (l *loop) unread(c *Conn) bool {
	return c.io.is(stLeft|stFull|stHeld|stPaused|stStarved|stBlocked) || c.io.changesWay()
}

// fail ends a connection at once.
func (l *loop) fail(c *Conn, err error) {
	if c.io.is(stDead) {
		return
	}
	if c.io.err == nil {
		c.io.err = err
	}
	p := l.part(c)
	if p != nil {
		resetOnClose(int(c.io.fd))
	}
	l.kill(c)
	if p != nil {
		l.reset(p, err)
	}
}

// reset is fail, but the peer, if it is one of TCP, sees that the stream is not complete.
func (l *loop) reset(c *Conn, err error) {
	if !c.io.is(stDead) {
		resetOnClose(int(c.io.fd))
	}
	l.fail(c, err)
}

// kill closes the fd. What is in flight on it ends first.
func (l *loop) kill(c *Conn) {
	if c.io.is(stDead) {
		return
	}
	c.io.set(stDead)
	c.gone.Store(true)
	l.pushOn(c, api.Close(int(c.io.fd), tagOf(kindClose, c.io.slot)))
}

// arm sets the timer of a connection to the first of its deadlines. That of idleness moves with each byte: the timer is left alone, and
// set anew when it goes off too early.
func (l *loop) arm(c *Conn) {
	at := c.io.deadline(l.cfg)
	if at == 0 || c.io.alarm != 0 && c.io.alarm <= at {
		return
	}
	c.io.alarm = at
	l.timers.Push(int64(at), int32(c.io.slot))
}

// deadline is when a connection has to be looked at. 0: never.
func (s *ioState) deadline(cfg *Config) api.Instant {
	var at api.Instant
	first := func(t api.Instant) {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	if s.is(stDead) {
		return 0
	}
	if !s.is(stEOF) {
		first(s.readBy)
		if cfg.OpenTimeout > 0 && !s.is(stSeen) && s.dialled == nil {
			first(s.opened.Add(cfg.OpenTimeout))
		}
	}
	if s.unsent() != 0 {
		first(s.writeBy)
	}
	if cfg.IdleTimeout > 0 {
		first(s.active.Add(cfg.IdleTimeout))
	}
	first(s.lingerBy)
	return at
}

// late says whether the handler is to be told that a read deadline is over, which is forgotten then.
func (c *Conn) late(cfg *Config, now api.Instant) bool {
	s := &c.io
	if s.readBy == 0 || s.readBy > now || !s.is(stOpened) || s.is(stEOF|stClosing|stLingering|stJoined|stDead) {
		return false
	}
	if _, ok := c.handler.(ReadDeadliner); !ok {
		return false
	}
	by := s.readBy
	s.readBy = 0
	if at := s.deadline(cfg); at != 0 && at <= now {
		s.readBy = by
		return false
	}
	return true
}

// tooLate is the callback behind late. A worker may have moved the deadline, or closed the connection, before it comes to it.
func tooLate(c *Conn) {
	if c.asked&(askClose|askAbort|askJoin) != 0 || c.readBy == 0 || c.readBy > api.Now() {
		return
	}
	c.readBy = 0
	c.handler.(ReadDeadliner).OnReadDeadline(c)
	if c.asked&askAbort == 0 {
		c.why = os.ErrDeadlineExceeded
	}
	c.Close()
}

// runLate has tooLate called. A panic ends the connection, and not the timers behind it.
func (l *loop) runLate(c *Conn) { l.protect(func() { l.up.run(c, tooLate) }) }

// next is when the loop has to wake by itself. 0: never.
func (l *loop) next() api.Instant {
	at, ok := l.timers.Next()
	if !ok || l.tick != 0 && l.tick < api.Instant(at) {
		return l.tick
	}
	return api.Instant(at)
}

// fire ends the connections whose time is over, and ticks.
func (l *loop) fire() {
	for {
		slot, ok := l.timers.PopExpired(int64(l.now))
		if !ok {
			break
		}
		c := l.conns[slot]
		c.io.alarm = 0
		switch at := c.io.deadline(l.cfg); {
		case at == 0 || at > l.now:
			l.arm(c)
		case c.io.is(stLingering):
			l.kill(c)
		case c.late(l.cfg, l.now):
			l.arm(c)
			l.runLate(c)
		default:
			l.fail(c, os.ErrDeadlineExceeded)
		}
	}
	if l.tick != 0 && l.now >= l.tick {
		l.tick = l.now.Add(l.cfg.Tick)
		l.srv.onTick(l)
	}
}
