package reactor

import (
	"net"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// A listener that cannot accept, for want of fds say, rests before it tries again: at first for restMin, twice as long each time
// up to restMax.
const (
	restMin = 10 * time.Millisecond
	restMax = time.Second
)

// listener is one of a loop's.
type listener struct {
	fd      int32 // -1: closed
	addr    net.Addr
	unlink  string // the file of a Unix socket, to be removed
	rest    time.Duration
	parked  []int32 // connections that wait until there are fewer than Config.MaxConns: one at most
	armed   bool
	closes  bool     // the close is in flight, or done
	given   bool     // the close has been submitted: the fd is the engine's
	packets *packets // of UDP: it accepts nothing
	hands   bool     // it hands connections over to other loops, whatever Config.Balance says, since it cannot be opened several times
}

func (l *loop) armAccept(i int) {
	ln := &l.listeners[i]
	if ln.packets != nil {
		l.armPackets(ln.packets, ln)
		return
	}
	if ln.armed || ln.fd < 0 || l.stopping || len(ln.parked) > 0 {
		return
	}
	ln.armed = true
	op := api.AcceptMultishot(int(ln.fd), tagOf(kindAccept, uint32(i)))
	if l.cfg.MaxConns > 0 {
		// One at a time, so that what is above the limit stays in the backlog.
		op = api.Accept(int(ln.fd), tagOf(kindAccept, uint32(i)))
	}
	l.push(op)
}

func (l *loop) acceptDone(i uint32, done *api.Completion) {
	ln := &l.listeners[i]
	if !done.More() {
		ln.armed = false
	}
	if done.Res < 0 {
		l.acceptFailed(ln, i, done.Err())
		return
	}
	ln.rest = 0
	switch fd := done.Res; {
	case l.stopping:
		sysx.Close(fd)
	case !l.srv.acquire():
		ln.parked = append(ln.parked, fd)
		l.srv.wanted.Add(1)
		l.unpark() // a connection may have ended between the two
	default:
		l.armAccept(int(i)) // first: OnOpen may panic, and what is behind it is not done then
		l.place(fd)
		return
	}
	l.armAccept(int(i))
}

// acceptFailed has the listener rest. No fds, no memory, a connection that was reset in the backlog: none of it is a reason to stop
// listening, and trying again at once would burn the processor.
func (l *loop) acceptFailed(ln *listener, i uint32, err error) {
	if l.stopping || ln.fd < 0 {
		return
	}
	l.failed.Add(1)
	if ln.rest == 0 {
		what := "accept"
		if ln.packets != nil {
			what = "receive"
		}
		l.cfg.Log.Warn("reactor: cannot "+what+", and will try again", "addr", ln.addr, "err", err)
	}
	ln.rest = min(max(2*ln.rest, restMin), restMax)
	l.push(api.Timeout(ln.rest, tagOf(kindRest, i)))
}

// unpark takes up connections that had to wait because of Config.MaxConns.
func (l *loop) unpark() {
	for i := range l.listeners {
		ln := &l.listeners[i]
		for len(ln.parked) > 0 && !l.stopping && l.srv.acquire() {
			l.srv.wanted.Add(-1)
			fd := ln.parked[0]
			ln.parked = ln.parked[:copy(ln.parked, ln.parked[1:])]
			l.armAccept(i) // first, as in acceptDone; listeners behind this one have their turn when the connection ends
			l.place(fd)
		}
		l.armAccept(i)
	}
}

// place gives a new connection to the loop that it belongs to.
func (l *loop) place(fd int32) {
	to := l.srv.choose(l, fd)
	if to == l {
		l.take(fd)
		return
	}
	if err := to.tell(func(to *loop) { to.take(fd) }); err != nil {
		sysx.Close(fd)
		l.srv.release()
	}
}

// take makes a connection of an fd.
func (l *loop) take(fd int32) {
	full := l.open >= l.openMost
	if full && l.failed.Add(1) == 1 {
		l.cfg.Log.Warn("reactor: connections are closed at once, for want of Config.Engine.MaxInFlight", "open", l.open)
	}
	if full || l.stopping {
		sysx.Close(fd)
		l.srv.release()
		return
	}
	c := &Conn{handler: l.srv.handler}
	l.adopt(c, fd)
	l.accepted.Add(1)
	l.opened(c)
}

// opened begins a connection that is there.
func (l *loop) opened(c *Conn) {
	c.io.set(stOpened)
	c.io.opened = l.now
	c.io.active = l.now
	l.srv.options(c)
	l.up.open(c)
	if l.stopping { // it was being dialled when stop told all others
		l.tellShutdown(c)
	}
	l.read(c)
	l.arm(c)
}

// stop begins a shutdown: no new connections, and the handlers of those that there are are told.
func (l *loop) stop() {
	if l.stopping {
		return
	}
	l.stopping = true
	for i := range l.listeners {
		ln := &l.listeners[i]
		l.srv.wanted.Add(-int32(len(ln.parked)))
		for _, fd := range ln.parked {
			sysx.Close(fd)
		}
		ln.parked = nil
		if ps := ln.packets; ps == nil || ps.unsent == 0 {
			l.unlisten(i)
		}
	}
	for _, c := range l.conns {
		if c != nil && c.io.is(stOpened) && !c.gone.Load() {
			l.tellShutdown(c)
		}
	}
	l.checkQuit()
}

func (l *loop) tellShutdown(c *Conn) {
	_ = l.post(&note{c: c, fn: onShutdown}) // ErrClosed: OnClose tells
}

func onShutdown(c *Conn) { c.handler.OnShutdown(c) }

// unlisten closes a listener, once.
func (l *loop) unlisten(i int) {
	if ln := &l.listeners[i]; !ln.closes {
		ln.closes = true
		l.push(api.Close(int(ln.fd), tagOf(kindUnlisten, uint32(i))))
	}
}

// abort ends all connections.
func (l *loop) abort() {
	for i := range l.listeners {
		l.unlisten(i)
	}
	for _, c := range l.conns {
		if c != nil {
			l.fail(c, ErrShutdown)
		}
	}
}

func (l *loop) unlistened(i uint32) {
	ln := &l.listeners[i]
	ln.fd = -1
	ln.remove()
	l.checkQuit()
}

// checkQuit ends the loop when there is nothing left of what it has had to do.
func (l *loop) checkQuit() {
	if !l.stopping || l.open > 0 || l.up.busy() {
		return
	}
	for i := range l.listeners {
		if l.listeners[i].fd >= 0 {
			return
		}
	}
	l.quit = true
}

// abandon closes the fds that are left when the engine has failed, and is closed. One whose close was submitted is the engine's: whether it
// has been performed is not known any more, and if it has, the number may be another file's.
func (l *loop) abandon() {
	for i := range l.listeners {
		ln := &l.listeners[i]
		if ln.fd >= 0 {
			if !ln.given {
				sysx.Close(ln.fd)
			}
			ln.remove()
		}
		for _, fd := range ln.parked {
			sysx.Close(fd)
		}
	}
	for _, c := range l.conns {
		if c == nil {
			continue
		}
		if !c.io.is(stGiven) {
			sysx.Close(c.io.fd)
		}
		c.gone.Store(true)
		if c.io.err == nil {
			c.io.err = ErrShutdown
		}
		l.protect(func() { l.end(c) })
	}
}
