package echo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

const (
	// batchMax is how many completions a turn takes. More would only push what the turn works on out of
	// the processor's cache.
	batchMax = 256

	// groupID is the one buffer group of a loop.
	groupID = 0

	// A listener that cannot accept, for want of fds say, rests before it tries again: at first for
	// backoffMin, twice as long each time up to backoffMax.
	backoffMin = 10 * time.Millisecond
	backoffMax = time.Second

	// drainMax bounds how long a loop that has been stopped waits for its connections to be closed.
	drainMax = 5 * time.Second
)

// loop serves the connections of one listener by one engine, in one goroutine.
type loop struct {
	engine   api.Engine
	group    api.BufferGroup
	listener int32
	fixed    api.OpFlags // FixedFile if connections are in slots
	sendsMax uint32      // per connection; bounds the buffers that a peer which does not read can hold

	ops       []api.Op // to be submitted
	done      []api.Completion
	conns     []conn      // by fd, or slot
	leases    []api.Lease // by buffer: those that sends have
	spares    [][]byte    // buffers outside of the group
	spareFree []uint16    // those of them that are not in use

	one       [4]byte // the value of an option that is set: the int 1
	open      int     // connections
	backoff   time.Duration
	stopping  bool
	stopAsked atomic.Bool

	accepted, rearmed, failed atomic.Uint64
}

func newLoop(e api.Engine, listener int32, o *Options) (*loop, error) {
	g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: groupID, Count: o.Buffers, Size: o.BufferSize})
	if err != nil {
		return nil, err
	}
	var fixed api.OpFlags
	if o.FixedFiles {
		if err := e.RegisterFiles(slices.Repeat([]int{-1}, o.Slots)); err != nil {
			return nil, fmt.Errorf("echo: a table of %d files: %w", o.Slots, err)
		}
		fixed = api.FixedFile
	}
	l := &loop{
		engine:   e,
		group:    g,
		listener: listener,
		fixed:    fixed,
		sendsMax: uint32(max(2, o.Buffers/8)),
		ops:      make([]api.Op, 0, 2*batchMax),
		done:     make([]api.Completion, batchMax),
		conns:    make([]conn, 1024),
		leases:   make([]api.Lease, o.Buffers),
		backoff:  backoffMin,
	}
	binary.NativeEndian.PutUint32(l.one[:], 1)
	return l, nil
}

// stop makes run end. Any goroutine may call it.
func (l *loop) stop() {
	l.stopAsked.Store(true)
	_ = l.engine.Wake() // ErrClosed: it has ended already
}

// run serves until stop is called, then closes the listener and the connections. It leaves the
// engine to its caller, and nothing else when err is nil.
func (l *loop) run() error {
	l.armAccept()
	for !l.stopAsked.Load() {
		if err := l.turn(0); err != nil {
			return err
		}
	}
	return l.drain()
}

// drain closes everything by way of the engine, so that no accepted connection is forgotten.
func (l *loop) drain() error {
	l.stopping = true
	l.push(api.Close(int(l.listener), tagOf(kindUnlisten, 0, 0, l.listener)))
	for fd := range l.conns {
		if c := &l.conns[fd]; c.is(isOpen) {
			l.close(c, int32(fd))
		}
	}
	deadline := api.After(drainMax)
	for l.open > 0 || l.listener >= 0 {
		if err := l.turn(deadline); err != nil {
			return err
		}
		if api.Now() >= deadline {
			return fmt.Errorf("echo: %d connections were not closed within %v", l.open, drainMax)
		}
	}
	return nil
}

// abandon closes the fds that are left when the engine has failed. The engine must be closed.
func (l *loop) abandon() {
	if l.listener >= 0 {
		CloseFD(l.listener)
	}
	if l.fixed != 0 {
		return // the engine has closed what was in its table
	}
	for fd := range l.conns {
		if l.conns[fd].is(isOpen) {
			CloseFD(int32(fd))
		}
	}
}

// turn submits what has been collected, and handles what has completed. It waits for one completion,
// no longer than until the deadline, if there is one.
func (l *loop) turn(deadline api.Instant) error {
	if len(l.ops) > 0 {
		n, err := l.engine.Submit(l.ops)
		if err != nil && !errors.Is(err, api.ErrQueueFull) {
			return err
		}
		// What was not taken goes first next time: completions make room.
		l.ops = l.ops[:copy(l.ops, l.ops[n:])]
	}
	n, err := l.engine.Complete(l.done, api.Wait{Min: 1, Deadline: deadline})
	if err != nil {
		return err
	}
	for i := range l.done[:n] {
		l.handle(&l.done[i])
	}
	return nil
}

func (l *loop) push(op api.Op) { l.ops = append(l.ops, op) }

// pushOn is push for an operation on a connection, whose FD is its fd or slot.
func (l *loop) pushOn(op api.Op) { l.ops = append(l.ops, op.With(l.fixed)) }

func (l *loop) handle(c *api.Completion) {
	fd := tagFD(c.Tag)
	switch tagKind(c.Tag) {
	case kindSend:
		l.release(l.leases[tagBuffer(c.Tag)])
		l.sent(c, fd)
	case kindRecv:
		l.received(c, fd)
	case kindSendSpare:
		l.spareFree = append(l.spareFree, tagBuffer(c.Tag))
		l.sent(c, fd)
	case kindRecvSpare:
		l.receivedSpare(c, fd)
	case kindAccept:
		l.acceptDone(c)
	case kindBackoff:
		if !l.stopping {
			l.armAccept()
		}
	case kindClose:
		l.closed(tagGen(c.Tag), fd)
	case kindUnlisten:
		l.listener = -1
	case kindCancel, kindOption:
		// The receive has its own last completion. A connection without the option works, too.
	}
}

func (l *loop) armAccept() {
	op := api.AcceptMultishot(int(l.listener), tagOf(kindAccept, 0, 0, l.listener))
	if l.fixed != 0 {
		op = op.Into(api.AnySlot)
	}
	l.push(op)
}

func (l *loop) acceptDone(c *api.Completion) {
	if c.Res >= 0 {
		l.backoff = backoffMin
		l.accept(c.Res)
	}
	if c.More() || l.stopping {
		return
	}
	if c.Res >= 0 {
		l.armAccept()
		return
	}
	// No fds or slots, no memory, a connection that was reset in the backlog: none of it is a reason
	// to stop listening, and trying again at once would burn the processor.
	l.failed.Add(1)
	l.push(api.Timeout(l.backoff, tagOf(kindBackoff, 0, 0, 0)))
	l.backoff = min(2*l.backoff, backoffMax)
}

// accept takes up a new connection.
func (l *loop) accept(fd int32) {
	if fd > fdMax {
		CloseFD(fd)
		return
	}
	for int(fd) >= len(l.conns) {
		l.conns = append(l.conns, make([]conn, len(l.conns))...)
	}
	c := &l.conns[fd]
	*c = conn{gen: c.gen + 1, state: isOpen}
	l.open++
	l.accepted.Add(1)
	if l.stopping {
		l.close(c, fd)
		return
	}
	if l.fixed != 0 {
		// There is no fd to do it with.
		l.pushOn(api.Setsockopt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, l.one[:], tagOf(kindOption, 0, 0, fd)))
	} else {
		noDelay(fd)
	}
	l.receive(c, fd)
}

// receive arms the multishot receive of a connection. It holds no buffer until there is data.
func (l *loop) receive(c *conn, fd int32) {
	c.state = c.state&^paused | receiving
	l.pushOn(api.RecvMultishot(int(fd), groupID, tagOf(kindRecv, c.gen, 0, fd)))
}

// receiveSpare receives once, into a buffer outside of the group. It is for a connection that has found
// the group empty: to wait until buffers come back would let peers which do not read what they are sent stop
// all others. At most one spare per connection is in use.
func (l *loop) receiveSpare(c *conn, fd int32) {
	i, ok := l.takeSpare()
	if !ok {
		l.close(c, fd)
		return
	}
	c.state |= receiving
	l.pushOn(api.Recv(int(fd), l.spares[i], tagOf(kindRecvSpare, c.gen, i, fd)))
}

// takeSpare finds, or makes, a spare buffer. There are none when each number that fits into a tag is in use.
func (l *loop) takeSpare() (i uint16, ok bool) {
	if n := len(l.spareFree); n > 0 {
		i = l.spareFree[n-1]
		l.spareFree = l.spareFree[:n-1]
		return i, true
	}
	if len(l.spares) > 1<<bufferBits-1 {
		return 0, false
	}
	l.spares = append(l.spares, make([]byte, l.group.Size()))
	return uint16(len(l.spares) - 1), true
}

// peer is the connection that a completion is of, nil if that is no more.
func (l *loop) peer(done *api.Completion, fd int32) *conn {
	c := &l.conns[fd]
	if tagGen(done.Tag) != c.gen&genMask || !c.is(isOpen) {
		return nil
	}
	return c
}

// received handles a completion of the multishot receive of a connection.
func (l *loop) received(done *api.Completion, fd int32) {
	c := l.peer(done, fd)
	if c == nil {
		l.giveBack(done)
		return
	}
	if !done.More() {
		c.state &^= receiving
	}
	switch {
	case done.Res > 0:
		l.echo(c, done, fd)
	case c.is(closing):
	case c.is(paused) && (done.Res == -int32(api.ECanceled) || done.Res == -int32(syscall.ENOBUFS)):
		// The pause has taken effect. If all was sent meanwhile, nothing else will end it.
		l.resume(c, fd)
	case done.Res == -int32(syscall.ENOBUFS):
		l.rearmed.Add(1)
		if l.group.Available() > 0 { // by now
			l.receive(c, fd)
		} else {
			l.receiveSpare(c, fd)
		}
	default:
		l.ended(c, done.Res, fd)
	}
}

// receivedSpare handles the completion of a receive into a spare buffer.
func (l *loop) receivedSpare(done *api.Completion, fd int32) {
	i := tagBuffer(done.Tag)
	c := l.peer(done, fd)
	if c != nil {
		c.state &^= receiving
	}
	if c == nil || c.is(closing) || done.Res <= 0 {
		l.spareFree = append(l.spareFree, i)
		if c != nil && !c.is(closing) {
			l.ended(c, done.Res, fd)
		}
		return
	}
	c.sends++
	l.pushOn(api.Send(int(fd), l.spares[i][:done.Res], tagOf(kindSendSpare, c.gen, i, fd)).With(api.WaitAll))
}

// ended handles the end of the stream, or an error, of a receive.
func (l *loop) ended(c *conn, res, fd int32) {
	if res == 0 {
		c.state |= atEOF
	}
	if res < 0 || c.sends == 0 {
		l.close(c, fd)
	}
}

// echo sends back what was received, and sees to it that more is.
func (l *loop) echo(c *conn, done *api.Completion, fd int32) {
	if c.is(closing) {
		l.giveBack(done)
		return
	}
	buffer := bufferOf(done.Lease)
	l.leases[buffer] = done.Lease
	c.sends++
	l.pushOn(api.Send(int(fd), done.Buf, tagOf(kindSend, c.gen, buffer, fd)).With(api.WaitAll))
	switch {
	case c.sends >= l.sendsMax && !c.is(paused):
		c.state |= paused
		if c.is(receiving) {
			l.push(api.Cancel(done.ID, tagOf(kindCancel, 0, 0, fd)))
		}
	case !c.is(receiving) && !c.is(paused):
		l.rearmed.Add(1)
		l.receive(c, fd)
	}
}

// sent handles the completion of a send, whose buffer has been given back.
func (l *loop) sent(done *api.Completion, fd int32) {
	c := l.peer(done, fd)
	if c == nil {
		return
	}
	c.sends--
	switch {
	case c.is(closing):
	case done.Res <= 0:
		l.close(c, fd)
	case c.is(atEOF):
		if c.sends == 0 {
			l.close(c, fd)
		}
	case c.is(paused):
		l.resume(c, fd)
	case !c.is(receiving):
		// What was received into the spare buffer is sent. If the group is empty still, the
		// receive will say so when there is data.
		l.receive(c, fd)
	}
}

// resume lets a paused connection receive again when half of its sends are done.
func (l *loop) resume(c *conn, fd int32) {
	if !c.is(receiving) && c.sends <= l.sendsMax/2 {
		l.receive(c, fd)
	}
}

func (l *loop) giveBack(c *api.Completion) {
	if c.Flags.Has(api.Buffer) {
		l.release(c.Lease)
	}
}

func (l *loop) release(lease api.Lease) {
	if err := l.group.Release(lease); err != nil {
		panic("echo: a lease was released twice: " + err.Error()) // a fault of this file
	}
}

// close ends a connection. The engine ends what is in flight on it first.
func (l *loop) close(c *conn, fd int32) {
	if c.is(closing) {
		return
	}
	c.state |= closing
	l.pushOn(api.Close(int(fd), tagOf(kindClose, c.gen, 0, fd)))
}

func (l *loop) closed(gen uint32, fd int32) {
	l.open--
	if c := &l.conns[fd]; gen == c.gen&genMask { // else the slot has been filled anew meanwhile
		c.state = 0
	}
}
