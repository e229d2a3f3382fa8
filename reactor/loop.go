package reactor

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/timerq"
	"github.com/sluiceio/sluice/sock"
)

const (
	// batchMax is how many completions a turn takes. More would only push what the turn works on out of the processor's cache.
	batchMax = 256

	// groupID is the one buffer group of a loop.
	groupID = 0
)

// A tag says what has completed, of which connection or listener:
//
//	63  60 59      32 31         0
//	+-----+----------+-----------+
//	|kind |    0     |   slot    |
//	+-----+----------+-----------+
//
// A slot is used anew when no operation of the connection is in flight any more.
type kind uint8

const (
	kindIgnore kind = iota // nobody waits for it
	kindRecv
	kindSend
	kindAccept
	kindClose
	kindShut
	kindConnect
	kindFile     // the reading of a file that is sent
	kindRest     // a listener has rested
	kindUnlisten // the close of a listener
	kindPacket   // the receive of a socket of UDP, whose slot is that of the listener
	kindFill     // a splice from a connection into a pipe
	kindDrain    // and from that to another
	kindLane     // the close of a pipe
	kindReply    // a send of such a socket, whose slot is that of the train
)

func tagOf(k kind, slot uint32) uint64 { return uint64(k)<<60 | uint64(slot) }

// dispatcher calls the handlers: in the loop, or by way of workers. All is called in the loop.
type dispatcher interface {
	open(c *Conn)
	// data hands over input, and the lease that it lies in.
	data(c *Conn, buf []byte, lease api.Lease)
	eof(c *Conn)
	// again calls OnData without new input, if there is old.
	again(c *Conn)
	run(c *Conn, fn func(*Conn))
	// end calls OnClose, and is the last; then, also if that panics, it calls Server.release.
	end(c *Conn)
	// tx is where the output is that is to be sent.
	tx(c *Conn) *txq
	// turned is called at the end of each turn.
	turned()
	// busy says whether an OnClose is still to be called, or to return.
	busy() bool
	// quiet is called when there are no turns any more. When it returns, all leases are back, and no callback is called but OnClose.
	quiet()
	// wait returns when each OnClose has.
	wait()
}

// loop serves connections by one engine, in one goroutine.
type loop struct {
	cfg    *Config
	srv    *Server
	index  int
	engine api.Engine
	group  api.BufferGroup
	up     dispatcher

	ops         []api.Op // to be submitted
	done        []api.Completion
	conns       []*Conn  // by slot
	free        []uint32 // slots without a connection
	open        int      // connections that have a slot
	openMost    int      // with more, operations that peers can hold up may keep all others from being submitted
	listeners   []listener
	starved     []*Conn // that found no buffer
	timers      timerq.Queue
	tick        api.Instant
	now         api.Instant
	chunks      chunks
	fileBufs    [][]byte  // that files are read into
	fileBufsOut int       // how many are in use
	gathers     []*gather // that are not in use
	flush       []*Conn   // that have more to send since the last turn
	heldMost    int       // buffers of the group that wait to be forwarded at most
	held        int       // those that do
	lanes       []*lane   // all that there are
	freeLanes   []*lane   // that are not in use
	lanesMost   int
	inbox       inbox
	cur         *Conn // whose callback runs
	curLease    api.Lease
	leased      bool // the callback's input lies in curLease
	hands       bool // there is one that has to hand connections over, since it cannot be opened several times
	stopping    bool // no new connections
	quit        bool // all that was to be done is done

	packetGroup api.BufferGroup // nil without sockets of UDP
	trains      []*train        // by slot
	freeTrains  []*train        // that are not in use

	accepted, closed, failed              atomic.Uint64
	packetsIn, packetsOut, packetsDropped atomic.Uint64
	openNow                               atomic.Int64
}

// newLoop opens an engine and makes what a loop needs. It must be called in the goroutine of the loop. With an error the listeners are closed.
func newLoop(s *Server, index int, listeners []listener) (*loop, error) {
	cfg := &s.cfg
	opt := cfg.engineOptions()
	if least := len(listeners) + 3; opt.MaxInFlight > 0 && opt.MaxInFlight < least { // one below 0 is the engine's to refuse
		closeAll(listeners)
		return nil, &ConfigError{"Engine", fmt.Sprintf("MaxInFlight is %d, must be at least %d", opt.MaxInFlight, least)}
	}
	e, err := backend.Open(s.backend, &opt)
	if err != nil {
		closeAll(listeners)
		return nil, err
	}
	g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: groupID, Count: cfg.Buffers, Size: cfg.BufferSize})
	if err != nil {
		closeAll(listeners)
		return nil, errors.Join(fmt.Errorf("reactor: the buffers of a loop: %w", err), e.Close())
	}
	l := &loop{
		cfg: cfg, srv: s, index: index, engine: e, group: g, listeners: listeners,
		ops:  make([]api.Op, 0, 2*batchMax),
		done: make([]api.Completion, batchMax),
	}
	for i := range listeners {
		l.hands = l.hands || listeners[i].hands
	}
	for i := range listeners {
		if err := l.openPackets(i); err != nil {
			closeAll(listeners)
			return nil, errors.Join(err, e.Close())
		}
	}
	l.up = inline{l}
	if cfg.Variant.pooled() {
		l.up = newPooled(l, s.pool)
	}
	l.heldMost = cfg.Buffers / 2
	if e.Features().HasOp(api.OpSplice) && !cfg.NoSplice {
		l.lanesMost = lanesMost
	}
	l.openMost = (opt.MaxInFlight - len(listeners) - 1) / 2
	return l, nil
}

// run serves until all is done after a shutdown, or the engine fails.
func (l *loop) run() error {
	if l.cfg.Pin {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		unpin, err := pinThread(l.index)
		if err != nil {
			return err
		}
		defer unpin()
	}
	l.now = api.Now()
	if l.cfg.Tick > 0 {
		l.tick = l.now.Add(l.cfg.Tick)
	}
	for i := range l.listeners {
		l.armAccept(i)
	}
	for !l.quit {
		if err := l.turn(); err != nil {
			return err
		}
	}
	return nil
}

// turn submits what has been collected, waits, and handles what has come.
func (l *loop) turn() error {
	l.flushAll()
	l.flushPackets()
	if len(l.ops) > 0 {
		n, err := l.engine.Submit(l.ops)
		if err != nil && !errors.Is(err, api.ErrQueueFull) {
			return err
		}
		l.submitted(l.ops[:n])
		// What was not taken goes first next time: completions make room.
		rest := copy(l.ops, l.ops[n:])
		clear(l.ops[rest:]) // else the output of what was a crowd once stays in memory
		l.ops = l.ops[:rest]
	}
	n, err := l.engine.Complete(l.done, api.Wait{Min: 1, Deadline: l.next()})
	l.now = api.Now()
	for i := 0; i < n; { // also with an error: fds may have come, and gone
		i = l.handleAll(i, n)
	}
	if err != nil {
		return err
	}
	l.notes()
	l.fire()
	l.up.turned()
	l.feed()
	return nil
}

// submitted keeps the ids of the receives, which may have to be cancelled, and what the engine has been told to close.
func (l *loop) submitted(ops []api.Op) {
	for i := range ops {
		switch op := &ops[i]; kind(op.Tag >> 60) {
		case kindRecv, kindFill:
			l.conns[uint32(op.Tag)].io.receive = op.ID
		case kindClose:
			l.conns[uint32(op.Tag)].io.set(stGiven)
		case kindUnlisten:
			l.listeners[uint32(op.Tag)].given = true
		}
	}
}

func (l *loop) push(op api.Op) { l.ops = append(l.ops, op) }

// pushOn is push for an operation that refers to c's slot.
func (l *loop) pushOn(c *Conn, op api.Op) {
	c.io.ops++
	l.ops = append(l.ops, op)
}

// handleAll handles completions from i on. It returns the index of the next one: n, or that behind one whose handler has panicked.
func (l *loop) handleAll(i, n int) (next int) {
	defer func() {
		if next == 0 { // which only a panic leaves
			l.recovered(recover())
			next = i + 1
		}
	}()
	for ; i < n; i++ {
		l.handle(&l.done[i])
	}
	return n
}

func (l *loop) handle(done *api.Completion) {
	slot := uint32(done.Tag)
	k := kind(done.Tag >> 60)
	switch k {
	case kindIgnore, kindLane:
		return
	case kindAccept:
		l.acceptDone(slot, done)
		return
	case kindRest:
		l.armAccept(int(slot))
		return
	case kindUnlisten:
		l.unlistened(slot)
		return
	case kindPacket:
		l.packetDone(slot, done)
		return
	case kindReply:
		l.replied(slot, done)
		return
	}
	c := l.conns[slot]
	if !done.More() {
		c.io.ops--
	}
	switch k {
	case kindRecv:
		l.received(c, done)
	case kindSend:
		l.sent(c, done)
	case kindFile:
		l.fileRead(c, done)
	case kindFill:
		l.filled(c, done)
	case kindDrain:
		l.drained(c, done)
	case kindShut:
		l.shut(c, done)
	case kindConnect:
		l.connected(c, done)
	case kindClose:
		c.io.set(stClosed)
	}
	if c.io.all(stDead|stClosed) && c.io.ops == 0 {
		l.end(c)
	}
}

// notes does what other goroutines have posted.
func (l *loop) notes() {
	for n := l.inbox.take(); n != nil; {
		n = l.doNotes(n)
	}
}

// doNotes does what is in a list. It returns what is left: nothing, or what is behind one that has panicked.
func (l *loop) doNotes(n *note) (rest *note) {
	done := false
	defer func() {
		if !done {
			l.recovered(recover())
			rest = n.next
		}
	}()
	for ; n != nil; n = n.next {
		switch {
		case n.do != nil:
			n.do(l)
		case !n.c.gone.Load():
			l.up.run(n.c, n.fn)
		}
	}
	done = true
	return nil
}

// tell has do called in the loop. Any goroutine may call it.
func (l *loop) tell(do func(*loop)) error { return l.post(&note{do: do}) }

func (l *loop) post(n *note) error {
	first, ok := l.inbox.put(n)
	if !ok {
		return ErrClosed
	}
	if first {
		_ = l.engine.Wake() // ErrClosed: the loop looks at its inbox once more behind the engine's Close
	}
	return nil
}

func (l *loop) grab() []byte { return l.chunks.get() }

func (l *loop) config() *Config { return l.cfg }

func (l *loop) share() {}

// addrs asks the system. The fd is open as long as callbacks come.
func (l *loop) addrs(c *Conn) (local, remote net.Addr) {
	here, _ := sock.LocalAddr(int(c.io.fd)) // with an error they are zero
	there, _ := sock.PeerAddr(int(c.io.fd))
	return netAddr(here), netAddr(there)
}

// adopt gives a connection a slot.
func (l *loop) adopt(c *Conn, fd int32) {
	if n := len(l.free); n > 0 {
		c.io.slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		c.io.slot = uint32(len(l.conns))
		l.conns = append(l.conns, nil)
	}
	l.conns[c.io.slot] = c
	c.io.fd = fd
	c.io.active = l.now
	c.drv = l
	l.open++
	l.openNow.Store(int64(l.open))
}

// end takes a connection out, of which no operation is in flight, and tells its handler.
func (l *loop) end(c *Conn) {
	if c.io.alarm != 0 {
		l.timers.Remove(int32(c.io.slot))
	}
	l.conns[c.io.slot] = nil
	l.free = append(l.free, c.io.slot)
	l.open--
	l.openNow.Store(int64(l.open))
	l.closed.Add(1)
	l.dropOutput(c)
	l.checkQuit()
	l.up.end(c)
}
