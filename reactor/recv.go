package reactor

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// received handles the completion of a receive.
func (l *loop) received(c *Conn, done *api.Completion) {
	if !done.More() {
		c.io.clear(stReceiving | stCanceling)
	}
	switch {
	case done.Res > 0:
		c.io.active = l.now
		c.io.set(stSeen)
		switch {
		case c.io.is(stClosing | stDead):
			l.release(done.Lease)
		case c.io.is(stJoined):
			l.forward(c, done.Buf, done.Lease)
		default:
			l.up.data(c, done.Buf, done.Lease)
		}
	case done.Res == 0:
		l.ended0(c)
	case done.Res == -int32(syscall.ENOBUFS):
		l.starve(c)
	case done.Err() == api.ErrCanceled:
		// It was to be paused, or the fd is being closed.
	default:
		l.fail(c, done.Err())
	}
	l.read(c)
}

// ended0 notes that the peer sends no more.
func (l *loop) ended0(c *Conn) {
	if c.io.is(stEOF) {
		return
	}
	c.io.set(stEOF)
	switch {
	case c.io.is(stLingering):
		l.kill(c)
	case c.io.is(stClosing | stDead):
	case c.io.is(stJoined):
		l.forwardEOF(c)
	default:
		l.up.eof(c)
	}
}

// read arms the receive of a connection that is to be read, and cancels that of one that is not.
func (l *loop) read(c *Conn) {
	const never = stEOF | stDead | stStarved
	const notNow = stFull | stHeld | stPaused | stBlocked
	if c.io.is(stReceiving) {
		if (c.io.is(notNow) || c.io.changesWay()) && !c.io.is(stCanceling|stClosing|stDead) && c.io.receive != 0 {
			c.io.set(stCanceling)
			l.push(api.Cancel(c.io.receive, tagOf(kindIgnore, 0)))
		}
		return
	}
	if c.io.is(never) || !c.io.is(stOpened) || c.io.is(notNow) && !c.io.is(stLingering) {
		return
	}
	ln := l.laneOf(c)
	if ln != nil && ln.out {
		return // what is in it is to be sent first
	}
	c.io.set(stReceiving)
	c.io.receive = 0
	if ln != nil {
		l.fill(c, ln)
		return
	}
	l.pushOn(c, api.RecvMultishot(int(c.io.fd), groupID, tagOf(kindRecv, c.io.slot)))
}

// starve has c wait for a buffer.
func (l *loop) starve(c *Conn) {
	if !c.io.is(stStarved | stDead) {
		c.io.set(stStarved)
		l.starved = append(l.starved, c)
	}
}

// feed lets those that wait for a buffer receive again when there are some. Each may take one at once, the others will find none and come back.
func (l *loop) feed() {
	if len(l.starved) == 0 || l.group.Available() == 0 {
		return
	}
	n := 0
	for room := l.group.Available(); room > 0 && n < len(l.starved); n++ {
		c := l.starved[n]
		c.io.clear(stStarved)
		if l.read(c); c.io.is(stReceiving) { // else it has died meanwhile, or is not to be read, and the next has its turn: there may be no other
			room--
		}
	}
	rest := copy(l.starved, l.starved[n:])
	clear(l.starved[rest:])
	l.starved = l.starved[:rest]
}

func (l *loop) release(lease api.Lease) {
	if err := l.group.Release(lease); err != nil {
		panic("reactor: a lease was released twice: " + err.Error()) // a fault of this package
	}
}
