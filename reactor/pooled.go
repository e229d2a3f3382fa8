package reactor

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/sock"
)

// pooled is the dispatcher that has workers call the handlers. It is the loop's; what the workers use of it is marked.
type pooled struct {
	*loop
	pool  *pool    // and the workers'
	ready mailList // have something for the workers, and are handed over at the end of the turn
	live  int      // connections whose OnClose has not been called yet
	lent  int      // leases that the workers have
	low   int      // with fewer buffers left, input is copied rather than lent

	spare shared                  // and the workers'
	done  atomic.Pointer[mailbox] // and the workers': those with an outcome, the last first
	last  atomic.Bool             // and the workers': the engine is not to be woken any more, but bell rung
	bell  chan struct{}
}

// shared are buffers for output that workers take, and the loop gives back; and for copies of input.
type shared struct {
	mu sync.Mutex
	chunks
}

func (k *shared) get() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.chunks.get()
}

func (k *shared) put(b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.chunks.put(b)
}

// takeFrom takes all of the loop's own.
func (k *shared) takeFrom(own *chunks) {
	if len(own.free) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(own.free) > 0 {
		k.chunks.put(own.get())
	}
}

func newPooled(l *loop, p *pool) *pooled {
	return &pooled{loop: l, pool: p, low: max(l.cfg.Buffers/4, 1), bell: make(chan struct{}, 1)}
}

func (u *pooled) tx(c *Conn) *txq {
	if c.mail == nil { // it was never opened, so that there is none
		return &c.tx
	}
	return &c.mail.tx
}

func (u *pooled) mailbox(c *Conn) *mailbox {
	u.live++
	c.drv = u
	c.mail = &mailbox{c: c, u: u}
	return c.mail
}

func (u *pooled) open(c *Conn) {
	m := u.mailbox(c)
	m.local, _ = sock.LocalAddr(int(c.io.fd)) // with an error they are zero
	m.remote, _ = sock.PeerAddr(int(c.io.fd))
	u.give(m, event{kind: evOpen})
}

// give hands an event to the workers.
func (u *pooled) give(m *mailbox, e event) {
	if idle, _ := m.put(e); idle {
		u.ready.push(m)
	}
}

func (u *pooled) data(c *Conn, buf []byte, lease api.Lease) {
	m := c.mail
	m.waiting += len(buf)
	if m.waiting >= u.cfg.WorkQueue {
		c.io.set(stHeld)
	}
	if u.group.Available() >= u.low {
		u.lent++
		u.give(m, event{kind: evData, buf: buf, lease: lease})
		return
	}
	// Workers that are behind must not keep all other connections from receiving.
	if !m.extend(buf) {
		u.give(m, event{kind: evCopy, buf: append(u.spare.get(), buf...)})
	}
	u.release(lease)
}

func (u *pooled) eof(c *Conn) { u.give(c.mail, event{kind: evEOF}) }

// again counts as input: there is no more until the worker has looked at what there is.
func (u *pooled) again(c *Conn) {
	c.mail.waiting += u.cfg.WorkQueue
	c.io.set(stHeld)
	u.give(c.mail, event{kind: evAgain})
}

func (u *pooled) run(c *Conn, fn func(*Conn)) { u.give(c.mail, event{kind: evRun, fn: fn}) }

func (u *pooled) end(c *Conn) {
	m := c.mail
	if m == nil { // it was dialled, and never was
		m = u.mailbox(c)
	}
	m.over = true
	m.tx.drop()
	u.give(m, event{kind: evEnd})
}

// turned hands over what has come, and takes what has come out of it.
func (u *pooled) turned() {
	u.flush()
	u.collect()
	u.flush()
	u.spare.takeFrom(&u.chunks)
}

func (u *pooled) flush() {
	if u.ready.head != nil {
		u.pool.add(u.ready)
		u.ready = mailList{}
	}
}

// collect does what the workers' turns have led to.
func (u *pooled) collect() {
	if u.done.Load() == nil { // which costs less than a swap
		return
	}
	var first *mailbox
	for m := u.done.Swap(nil); m != nil; {
		next := m.nextDone
		m.nextDone = first
		first, m = m, next
	}
	for first != nil {
		m := first
		first = m.nextDone // before take, behind which it may be in the list anew
		u.outcome(m)
	}
}

func (u *pooled) outcome(m *mailbox) {
	o := m.take()
	for _, lease := range o.leases {
		u.release(lease)
	}
	u.lent -= len(o.leases)
	m.waiting -= o.handled
	if m.over {
		m.tx.drop()
		if o.ended {
			u.live--
			u.checkQuit()
		}
		return
	}
	c := m.c
	c.io.written, c.io.readBy, c.io.writeBy, c.io.fwd = o.written, o.readBy, o.writeBy, o.fwd
	c.io.left = o.left
	c.io.clear(stLeft)
	if o.left > 0 || m.waiting > 0 {
		c.io.set(stLeft)
	}
	if m.waiting <= u.cfg.WorkQueue/2 {
		c.io.clear(stHeld)
	}
	if o.blocked {
		c.io.set(stFull) // if it need not be any more, watermark sees it
	}
	switch {
	case o.failed != nil:
		u.fail(c, o.failed)
	case !c.io.is(stLingering): // which Close has begun, behind which no callback can have asked for anything
		u.apply(c, o.asked, o.why)
	}
}

// tell puts a connection into the list of those with an outcome. It is for the workers.
func (u *pooled) tell(m *mailbox) {
	for {
		head := u.done.Load()
		m.nextDone = head
		if !u.done.CompareAndSwap(head, m) {
			continue
		}
		if head == nil {
			u.rouse()
		}
		return
	}
}

// rouse wakes the loop. It is for the workers.
func (u *pooled) rouse() {
	if !u.last.Load() {
		_ = u.engine.Wake() // ErrClosed: it has been closed just now, and the loop looks by itself
		return
	}
	select {
	case u.bell <- struct{}{}:
	default:
	}
}

func (u *pooled) busy() bool { return u.live > 0 }

// quiet has no callback called any more but OnClose, and waits until no worker has a lease.
func (u *pooled) quiet() {
	u.last.Store(true)
	for _, c := range u.conns {
		if c != nil {
			c.gone.Store(true)
		}
	}
	for u.turned(); u.lent > 0; u.turned() {
		<-u.bell
	}
}

// wait waits until all OnClose have returned.
func (u *pooled) wait() {
	for u.turned(); u.live > 0; u.turned() {
		<-u.bell
	}
}

// post has a function called by a worker. Any goroutine may call it; the loop has nothing to do with it.
func (u *pooled) post(n *note) error {
	m := n.c.mail
	idle, ok := m.put(event{kind: evRun, fn: n.fn})
	if !ok {
		return ErrClosed
	}
	if idle {
		u.pool.add(mailList{m, m})
	}
	return nil
}

// joins is for the workers.
func (u *pooled) joins(_, to *Conn) error {
	if to.drv != driver(u) {
		return ErrNotJoinable
	}
	return nil
}

// grab is for the workers.
func (u *pooled) grab() []byte { return u.spare.get() }

// addrs is for the workers.
func (u *pooled) addrs(c *Conn) (local, remote net.Addr) {
	return netAddr(c.mail.local), netAddr(c.mail.remote)
}
