package reactor

import "github.com/sluiceio/sluice/api"

// inline is the dispatcher that calls handlers in the loop.
type inline struct{ *loop }

func (u inline) tx(c *Conn) *txq { return &c.tx }

func (u inline) open(c *Conn) {
	u.cur = c
	c.handler.OnOpen(c)
	u.settle(c)
}

func (u inline) data(c *Conn, buf []byte, lease api.Lease) {
	if len(c.in) > 0 {
		c.append(buf)
		u.release(lease)
	} else {
		c.in = buf
		u.curLease, u.leased = lease, true
	}
	u.cur = c
	c.handler.OnData(c)
	u.settle(c)
}

func (u inline) eof(c *Conn) {
	u.cur = c
	c.handler.OnEOF(c)
	u.settle(c)
}

func (u inline) again(c *Conn) {
	if len(c.in) == 0 {
		return
	}
	u.cur = c
	c.handler.OnData(c)
	u.settle(c)
}

func (u inline) run(c *Conn, fn func(*Conn)) {
	u.cur = c
	fn(c)
	u.settle(c)
}

func (u inline) end(c *Conn) {
	defer u.srv.release() // also when OnClose panics
	u.cur = c
	c.handler.OnClose(&Ended{c}, c.io.err)
	u.cur = nil
	c.in, c.heap = nil, nil
	c.tx.drop()
}

func (u inline) turned() {}

func (u inline) busy() bool { return false }

func (u inline) quiet() {}

func (u inline) wait() {}

// settle ends a callback: the rest of the input is kept, the lease goes back, and what was asked for is done.
func (u inline) settle(c *Conn) {
	u.cur = nil
	if u.leased {
		c.keep()
		u.leased = false
		u.release(u.curLease)
	}
	c.trim()
	c.io.written, c.io.readBy, c.io.writeBy, c.io.fwd = c.written, c.readBy, c.writeBy, c.fwd
	c.io.left = len(c.in)
	c.io.clear(stLeft)
	if len(c.in) > 0 {
		c.io.set(stLeft)
	}
	asked := c.asked
	c.asked &^= askAgain
	u.apply(c, asked, c.why)
	if len(c.in) >= u.cfg.MaxInput && c.stuck() {
		u.fail(c, ErrInputFull)
	}
}

// recovered is what happens when a callback has panicked with v.
func (l *loop) recovered(v any) {
	c := l.cur
	if c == nil {
		panic(v) // not a handler's, but a fault of this package
	}
	l.cur = nil
	if l.leased {
		l.leased = false
		c.in = nil
		l.release(l.curLease)
	}
	l.fail(c, l.srv.panicked(v))
}
