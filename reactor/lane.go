package reactor

import (
	"math/bits"
	"slices"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// What comes in bulk on a connection that is joined goes to the other by way of a pipe: two splices, which move pages rather than copy bytes. A small
// message costs as much that way as the other, and a pipe is a thing of which there are few; so a direction gets one when it has received laneAfter bytes in full buffers, and
// gives it back when little comes, or nothing. The pipe is filled when it is empty, and stands in the output of the other connection as one item, behind
// what was received before. Large files go by pipes, too (sendfile.go).

const (
	laneMin   = 64 << 10    // of the size of a pipe that is of use
	laneMax   = 1 << 20     // a user may not have a larger one as a rule (pipe-max-size in proc(5))
	laneAfter = 256 << 10   // bytes
	laneLeast = 32 << 10    // a splice that moves less is no gain
	laneShort = 4           // that many in a row give the pipe back,
	laneAgain = 64 << 20    // and each time the direction has to receive twice as much for another, up to this
	laneIdle  = time.Second // without a byte does so, too
	lanesMost = 32          // of a loop. A user has 64 MiB of pipes as a rule (pipe-user-pages-soft in proc(5))
)

// lane is a pipe.
type lane struct {
	r, w int
	size int
	n    int  // bytes that are in it
	out  bool // it is in the output of a connection
	lost bool // and belongs to nobody behind that
}

// joinLane is the size of pipes for joins: what is in one is output that waits.
func (c *Config) joinLane() int {
	return 1 << (bits.Len(uint(min(c.WriteHigh, laneMax))) - 1)
}

// bulk counts what came on a direction of a join that has no pipe, and gives it one when it is time.
func (l *loop) bulk(c *Conn, n int) {
	j := c.io.joint
	if j.lane != nil || j.never || l.cfg.joinLane() < laneMin {
		return
	}
	if n < min(l.cfg.BufferSize, laneLeast) { // the end of what had come, which a message of laneLeast bytes is to make up for
		j.bulk = max(j.bulk-laneLeast, 0)
		return
	}
	if j.bulk += n; j.bulk < max(j.need, laneAfter) {
		return
	}
	j.bulk = 0
	j.lane = l.getLane(l.cfg.joinLane())
}

// changesWay says that what comes is not going into the pipe that there is for it: a receive is in flight, which is to end, or the pipe is full.
func (s *ioState) changesWay() bool { return s.joint != nil && s.joint.lane != nil && !s.joint.filling }

// laneOf is the pipe that is to be filled from c, nil if there is none. One that is being closed, and drops what comes, or has nobody to send it to, has none.
func (l *loop) laneOf(c *Conn) *lane {
	j := c.io.joint
	if j == nil || j.lane == nil {
		return nil
	}
	if c.io.is(stClosing|stDead) || l.part(c) == nil {
		l.leaveLane(c)
	}
	return j.lane
}

// fill has c's pipe filled from its socket.
func (l *loop) fill(c *Conn, ln *lane) {
	c.io.joint.filling = true
	l.pushOn(c, api.Splice(int(c.io.fd), api.CurrentPosition, ln.w, api.CurrentPosition, ln.size, 0, tagOf(kindFill, c.io.slot)).Until(l.now.Add(laneIdle)))
}

// filled handles the completion of that.
func (l *loop) filled(c *Conn, done *api.Completion) {
	j := c.io.joint
	c.io.clear(stReceiving | stCanceling)
	j.filling = false
	if done.Res > 0 {
		l.laden(c, int(done.Res))
		l.read(c)
		return
	}
	l.leaveLane(c)
	switch errno := syscall.Errno(-done.Res); {
	case done.Res == 0:
		l.ended0(c)
	case cannotSplice(errno):
		j.never = true
	case done.Err() == api.ErrCanceled, errno == api.ETime: // it was to be paused, the fd is being closed, or nothing has come
	default:
		l.fail(c, done.Err())
	}
	l.read(c)
}

// laden puts a pipe into which n bytes have come from c behind the output of the other connection.
func (l *loop) laden(c *Conn, n int) {
	j := c.io.joint
	ln := j.lane
	ln.n = n
	c.io.active = l.now
	p := l.part(c)
	if p == nil || c.io.is(stClosing|stDead) { // nobody wants it
		l.leaveLane(c)
		return
	}
	ln.out = true
	l.pass(c, item{lane: ln})
	l.passed(p, n)
	if n >= laneLeast {
		j.short = 0
		return
	}
	if j.short++; j.short == laneShort {
		j.short = 0
		j.need = min(2*max(j.need, laneAfter), laneAgain)
		l.leaveLane(c)
	}
}

// cannotSplice says whether an error means that a socket or file is none of those that can be spliced. ESPIPE is for a file without positions.
func cannotSplice(errno syscall.Errno) bool {
	return errno == syscall.EINVAL || errno == syscall.ENOSYS || errno == syscall.EOPNOTSUPP || errno == syscall.ESPIPE
}

// drain sends what is in a pipe.
func (l *loop) drain(p *Conn, it item) {
	p.io.flight = it
	p.io.set(stSending)
	l.pushOn(p, api.Splice(it.lane.r, api.CurrentPosition, int(p.io.fd), api.CurrentPosition, it.lane.n, 0, tagOf(kindDrain, p.io.slot)))
}

// drained handles the completion of that. With an error the peer gets a reset, since it has a part of what it was to get.
func (l *loop) drained(p *Conn, done *api.Completion) {
	p.io.clear(stSending)
	ln := p.io.flight.lane
	switch n := int(done.Res); {
	case n > 0:
		p.io.active = l.now
		l.countSent(p, n)
		ln.n -= n
	case p.io.is(stDead):
	case n == 0:
		l.reset(p, syscall.EPIPE) // it is not empty, so that this cannot be
	case cannotSplice(syscall.Errno(-n)):
		l.unload(p, ln)
		return
	case syscall.Errno(-n) == syscall.EPIPE && p.io.is(stReceiving):
		l.breakLater(p)
		return
	default:
		l.reset(p, laneError(done.Err()))
	}
	switch {
	case p.io.is(stDead): // which gives it back
		return
	case ln.n > 0:
		l.drain(p, p.io.flight)
	default:
		l.landed(p)
		l.send(p)
	}
	l.watermark(p)
	l.readPart(p)
}

// breakLater ends a connection to which nothing can be sent any more, behind what else the turn has brought. A reset is told once, to whoever asks first, and EPIPE to all others: the receive
// may have been told, which is performed by the kernel before the engine tries a splice, and complete behind it all the same.
func (l *loop) breakLater(p *Conn) {
	p.io.set(stSending)                                     // so that nothing else is
	_ = l.tell(func(l *loop) { l.reset(p, syscall.EPIPE) }) // ErrClosed comes behind the last turn alone
}

// unload sends a copy of what is in a pipe, since p cannot have it otherwise.
func (l *loop) unload(p *Conn, ln *lane) {
	b := make([]byte, ln.n)
	if err := ln.read(b); err != nil {
		l.reset(p, laneError(err))
		return
	}
	if f := p.io.file; f != nil && f.lane == ln {
		f.lane, f.copies, ln.lost = nil, true, true
	}
	if c := l.part(p); c != nil && c.io.joint.lane == ln {
		c.io.joint.never = true
		l.leaveLane(c)
	}
	l.landed(p)
	l.sendOne(p, item{buf: b})
	l.readPart(p)
}

// readPart reads what is joined to p again, if the pipe was in the way.
func (l *loop) readPart(p *Conn) {
	if c := l.part(p); c != nil {
		l.read(c)
	}
}

// leaveLane takes the pipe away from a direction that has one, which does not fill it at the time.
func (l *loop) leaveLane(c *Conn) {
	j := c.io.joint
	ln := j.lane
	j.lane, j.bulk = nil, 0
	switch {
	case ln == nil:
	case ln.out:
		ln.lost = true
	default:
		l.putLane(ln)
	}
}

// unladen is called when a pipe is not in anybody's output any more.
func (l *loop) unladen(ln *lane) {
	ln.out = false
	if ln.lost {
		l.putLane(ln)
	}
}

// getLane is an empty pipe of some size. It is nil when there are too many, or the system has none of that size for us.
func (l *loop) getLane(size int) *lane {
	if n := len(l.freeLanes); n > 0 {
		ln := l.freeLanes[n-1]
		if ln.resize(size) != nil {
			return nil
		}
		l.freeLanes = l.freeLanes[:n-1]
		return ln
	}
	if len(l.lanes) >= l.lanesMost {
		return nil
	}
	ln, err := newLane(size)
	if err != nil {
		return nil
	}
	l.lanes = append(l.lanes, ln)
	return ln
}

// putLane gives a pipe back. What is in it is lost.
func (l *loop) putLane(ln *lane) {
	ln.lost = false
	if !l.empty(ln) {
		// It cannot be emptied (see laneError).
		l.lanes = slices.DeleteFunc(l.lanes, func(other *lane) bool { return other == ln })
		l.push(api.Close(ln.r, tagOf(kindLane, 0)))
		l.push(api.Close(ln.w, tagOf(kindLane, 0)))
		return
	}
	l.freeLanes = append(l.freeLanes, ln)
}

// empty takes out what is in a pipe.
func (l *loop) empty(ln *lane) bool {
	if ln.n == 0 {
		return true
	}
	b := l.fileBuf(fileChunk)
	defer l.putFileBuf(b)
	for ln.n > 0 {
		if ln.read(b[:min(ln.n, len(b))]) != nil {
			return false
		}
	}
	return true
}

// closeLanes closes the pipes. The engine is closed, so that nothing refers to them.
func (l *loop) closeLanes() {
	for _, ln := range l.lanes {
		ln.close()
	}
	l.lanes, l.freeLanes = nil, nil
	for i := range l.ops { // that the engine has not got
		if op := &l.ops[i]; op.Tag == tagOf(kindLane, 0) {
			sysx.Close(op.FD)
		}
	}
}
