package reactor

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
)

// filePiece bounds what is sent of a file at a time, so that a large one does not keep what was posted waiting.
const filePiece = 1 << 20

// runner is the goroutine of one connection, and its driver. It waits for everything at once: input, room for output, what others have posted, and the time; so
// that a peer which takes nothing is still read, up to Config.WriteHigh, like one of a loop.
type runner struct {
	set   *blocking
	c     *Conn
	str   stream
	to    api.Addr // to be dialled, unless it is zero
	inbox inbox
	now   api.Instant // when it last returned from a wait
	buf   []byte      // what is received into
	spare []byte      // a buffer for output

	flight []byte  // what is being sent
	whole  []byte  // the buffer that it is the rest of
	file   item    // the part of a file that is being sent
	joint  *splice // if it is joined

	asleep  atomic.Bool // it waits, or is about to, and nobody interrupts it yet
	aborted atomic.Bool // the server ends
	open    atomic.Bool // OnOpen was called
	lent    bool        // the callback's input lies in buf
	inside  bool        // a callback runs
	copies  bool        // the file cannot be sent from the page cache
}

// run serves the connection.
func (o *runner) run() {
	if o.set.cfg.Variant == ThreadPerConn {
		runtime.LockOSThread() // and not unlocked: the thread ends with the connection
	}
	defer o.end() // also when a handler ends the goroutine (runtime.Goexit)
	if err := o.begin(); err != nil {
		o.fail(err)
		return
	}
	c := o.c
	o.now = api.Now()
	c.io.opened, c.io.active = o.now, o.now
	c.io.set(stOpened)
	o.open.Store(true)
	o.call(onOpen)
	for !c.io.is(stDead) {
		o.turn()
	}
}

// begin has the stream ready.
func (o *runner) begin() error {
	if !o.to.IsZero() {
		if err := o.set.srv.connect(o); err != nil {
			if o.set.dialling.Err() != nil {
				return ErrShutdown
			}
			return err
		}
	}
	return o.str.begin(o)
}

// turn does what there is to be done, and waits for more.
func (o *runner) turn() {
	if o.aborted.Load() {
		o.fail(ErrShutdown)
	}
	o.notes()
	full := o.send()
	if o.watermark() || o.c.io.is(stDead) {
		return
	}
	o.await(full)
	o.expire()
}

// await waits, and handles input.
func (o *runner) await(full bool) {
	c := o.c
	b := o.room()
	n, err := o.sleep(b, full, c.io.deadline(o.set.cfg))
	o.now = api.Now()
	switch {
	case err == errAgain:
	case err != nil:
		o.fail(err)
	case n == 0:
		o.eof()
	default:
		c.io.active = o.now
		c.io.set(stSeen)
		if c.io.is(stClosing) {
			return // nobody wants it
		}
		if o.joint != nil {
			o.forward(b[:n])
			return
		}
		o.received(b[:n])
	}
}

// room is what to receive into, nil if the connection is not to be read.
func (o *runner) room() []byte {
	c := o.c
	switch {
	case c.io.is(stEOF):
		return nil
	case c.io.is(stLingering):
	case o.joint != nil && o.joint.out.stuck.Load() && !c.io.is(stClosing):
		return nil
	case c.io.is(stFull|stPaused) || len(c.in) >= o.set.cfg.MaxInput:
		return nil
	}
	if o.buf == nil {
		o.buf = make([]byte, o.set.cfg.BufferSize)
	}
	return o.buf
}

// sleep waits, unless there is something that nobody would wake it for any more: then it only looks for input.
func (o *runner) sleep(b []byte, full bool, until api.Instant) (int, error) {
	if !o.inbox.empty() {
		return o.glance(b)
	}
	now := o.now
	if until != 0 {
		now = api.Now() // handlers may have taken long
	}
	o.str.prepare(b, full, now, until)
	// What is put into the inbox behind the look finds asleep set, and interrupts.
	o.asleep.Store(true)
	if !o.inbox.empty() || o.aborted.Load() {
		o.asleep.Store(false)
		return o.glance(b)
	}
	n, err := o.str.wait(b, full, now, until)
	o.asleep.Store(false)
	return n, err
}

func (o *runner) glance(b []byte) (int, error) {
	if b == nil {
		return 0, errAgain
	}
	return o.str.read(b)
}

// wake ends the wait of the connection's goroutine. Any goroutine may call it.
func (o *runner) wake() {
	if o.asleep.CompareAndSwap(true, false) {
		o.str.interrupt()
	}
}

func (o *runner) received(b []byte) {
	c := o.c
	if len(c.in) > 0 {
		c.append(b)
	} else {
		c.in, o.lent = b, true
	}
	o.call(wake)
}

func (o *runner) eof() {
	c := o.c
	c.io.set(stEOF)
	switch {
	case c.io.is(stLingering):
		o.kill()
	case c.io.is(stClosing):
	case o.joint != nil:
		o.passEOF()
	default:
		o.call(onEOF)
	}
}

func onOpen(c *Conn) { c.handler.OnOpen(c) }
func onEOF(c *Conn)  { c.handler.OnEOF(c) }

// call calls a callback, and does what it has asked for.
func (o *runner) call(fn func(*Conn)) {
	defer func() {
		if !o.inside {
			return
		}
		o.inside = false
		v := recover()
		if v == nil {
			v = "runtime.Goexit" // which goes on behind the defers
		}
		if o.lent {
			o.lent, o.c.in = false, nil
		}
		o.fail(o.set.srv.panicked(v))
	}()
	o.inside = true
	fn(o.c)
	o.inside = false
	o.settle()
}

// settle takes over what a callback has left and asked for.
func (o *runner) settle() {
	c := o.c
	if o.lent {
		c.keep()
		o.lent = false
	}
	c.trim()
	c.io.written, c.io.readBy, c.io.writeBy = c.written, c.readBy, c.writeBy
	c.io.clear(stLeft | stPaused)
	if len(c.in) > 0 {
		c.io.set(stLeft)
	}
	if c.asked&askPause != 0 {
		c.io.set(stPaused)
	}
	if c.asked&askFin != 0 && o.joint == nil {
		c.io.set(stFin)
	}
	again := c.asked&askAgain != 0
	c.asked &^= askAgain
	if (again || c.io.unsent() > o.set.cfg.WriteHigh) && o.joint == nil {
		c.io.set(stFull) // before output is sent, of which there may be too little then for the watermark
	}
	if c.asked&askJoin != 0 && o.joint == nil && c.asked&askAbort == 0 {
		o.join(c.fwd.to)
	}
	switch {
	case c.asked&askAbort != 0:
		o.broken(c.why)
	case c.asked&askClose != 0:
		if c.io.err == nil {
			c.io.err = c.why // of tooLate
		}
		if o.joint != nil && !c.io.is(stClosing) {
			o.passEnd(nil)
		}
		c.io.set(stClosing)
		c.gone.Store(true)
	case len(c.in) >= o.set.cfg.MaxInput && c.stuck():
		o.fail(ErrInputFull)
	}
}

// notes does what other goroutines have posted.
func (o *runner) notes() {
	for n := o.inbox.take(); n != nil; n = n.next {
		switch {
		case !o.c.gone.Load():
			o.call(n.fn)
		case n.lost != nil:
			n.lost()
		}
	}
}

// send sends as much as there is room for, and behind all of it does what is to be done then. It returns true if there is more.
func (o *runner) send() (full bool) {
	c := o.c
	for !c.io.is(stDead) {
		if len(o.flight) == 0 && o.file.n == 0 && !o.next() {
			o.allSent()
			return false
		}
		n, err := o.push()
		if n > 0 {
			c.io.active = o.time()
			c.io.sentBytes += uint64(n)
			c.sent.Store(min(c.io.sentBytes, c.io.written))
			if o.joint != nil {
				o.passed()
			}
		}
		switch {
		case err == errAgain || err == nil && !o.inbox.empty():
			return true
		case err != nil:
			o.fail(err)
		}
	}
	return false
}

// time is when something went: handlers may have taken long since o.now.
func (o *runner) time() api.Instant {
	if o.set.cfg.IdleTimeout > 0 { // else nobody asks
		o.now = api.Now()
	}
	return o.now
}

// next takes the next item of the output.
func (o *runner) next() bool {
	if n := cap(o.whole); n >= chunkMin && n <= chunkMax {
		o.spare = o.whole[:0]
	}
	o.whole = nil
	o.closeFile()
	it, ok := o.c.tx.take()
	if !ok {
		return false
	}
	if it.file != nil {
		o.file, o.copies = it, false
	} else {
		o.flight, o.whole = it.buf, it.buf
	}
	return true
}

// push sends what there is room for of one item.
func (o *runner) push() (int, error) {
	if len(o.flight) == 0 && !o.copies {
		n, err := o.pushFile()
		if !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
		o.copies = true
	}
	if len(o.flight) == 0 {
		if err := o.readFile(); err != nil {
			o.broken(err)
			return 0, nil
		}
	}
	n, err := o.str.write(o.flight)
	o.flight = o.flight[n:]
	return n, err
}

// pushFile sends a part of a file from the page cache.
func (o *runner) pushFile() (int, error) {
	n, err := o.str.sendFile(o.file.file, o.file.off, min(o.file.n, filePiece))
	if n == 0 && err == nil {
		o.broken(io.ErrUnexpectedEOF)
	}
	o.file.off += int64(n)
	o.file.n -= int64(n)
	return n, err
}

// readFile reads a part of a file that cannot be sent by itself.
func (o *runner) readFile() error {
	b := o.whole
	if cap(b) < fileChunk {
		b = make([]byte, fileChunk)
	}
	n, err := o.file.file.ReadAt(b[:min(o.file.n, fileChunk)], o.file.off)
	if n == 0 {
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return errnoIn(err)
	}
	o.file.off += int64(n)
	o.file.n -= int64(n)
	o.flight, o.whole = b[:n], b
	return nil
}

func (o *runner) closeFile() {
	if o.file.file != nil {
		_ = o.file.file.Close() // it was only read
		o.file = item{}
	}
}

// allSent does what Close and CloseWrite are about.
func (o *runner) allSent() {
	c := o.c
	switch {
	case c.io.is(stLingering):
	case c.io.is(stClosing):
		o.finish()
	case o.joint != nil && c.io.all(stEOF|stFin):
		o.kill()
	case c.io.is(stFin) && !c.io.is(stShut):
		o.shut()
	}
}

func (o *runner) shut() {
	o.c.io.set(stShut)
	if err := o.str.closeWrite(); err != nil && !o.c.io.is(stEOF) { // ENOTCONN: the connection was reset
		o.fail(err)
	}
}

// finish ends a connection all of whose output is sent.
func (o *runner) finish() {
	c := o.c
	if c.io.is(stEOF) || o.set.cfg.Linger < 0 || !o.unread() {
		o.kill()
		return
	}
	c.io.set(stLingering)
	c.io.lingerBy = api.Now().Add(o.set.cfg.Linger) // a handler may have taken long
	if !c.io.is(stShut) {
		o.shut()
	}
}

// unread says whether there is input that nobody will read, because of which the kernel would reset the connection rather than close it. What has
// not been received yet counts, too.
func (o *runner) unread() bool {
	if o.c.io.is(stLeft | stFull | stPaused) {
		return true
	}
	n, err := o.str.read(o.room())
	return n > 0 && err == nil
}

// watermark stops the reading of a connection with too much output, and takes it up again. It says whether OnData was called.
func (o *runner) watermark() bool {
	c := o.c
	if o.joint != nil {
		return false // what is read goes elsewhere
	}
	unsent := c.io.unsent()
	if unsent > o.set.cfg.WriteHigh {
		c.io.set(stFull)
	}
	resumed := unsent <= o.set.cfg.WriteLow && c.io.is(stFull)
	if resumed {
		c.io.clear(stFull)
	}
	// With MaxInput of input it is not read, and a handler that has only waited for its output to be sent must get a chance.
	resumed = resumed || unsent == 0 && len(c.in) >= o.set.cfg.MaxInput && !c.io.is(stPaused)
	if !resumed || len(c.in) == 0 || c.io.is(stClosing|stDead) {
		return false
	}
	o.call(wake)
	return true
}

// expire ends the connection if its time is over.
func (o *runner) expire() {
	switch at := o.c.io.deadline(o.set.cfg); {
	case at == 0 || at > o.now:
	case o.c.io.is(stLingering):
		o.kill()
	case o.joint == nil && o.c.late(o.set.cfg, o.now):
		o.call(tooLate)
	default:
		o.fail(os.ErrDeadlineExceeded)
	}
}

// fail ends the connection at once.
func (o *runner) fail(err error) {
	if o.c.io.is(stDead) {
		return
	}
	if o.c.io.err == nil {
		o.c.io.err = err
	}
	if o.joint != nil {
		o.passEnd(err)
	}
	o.kill()
}

// broken is fail, but the peer, if it is one of TCP, sees that the stream is not complete.
func (o *runner) broken(err error) {
	if !o.c.io.is(stDead) {
		o.str.reset()
	}
	o.fail(err)
}

func (o *runner) kill() {
	o.c.io.set(stDead)
	o.c.gone.Store(true)
}

// end closes the socket, and tells the handler.
func (o *runner) end() {
	c := o.c
	defer o.set.ended(o)
	c.gone.Store(true)
	for n := o.inbox.close(); n != nil; n = n.next {
		if n.lost != nil {
			n.lost()
		}
	}
	if o.str != nil {
		o.str.close()
	}
	o.closeFile()
	o.set.closed.Add(1)
	defer func() {
		if v := recover(); v != nil {
			_ = o.set.srv.panicked(v) // which has logged it
		}
		c.in, c.heap = nil, nil
		c.tx.drop()
	}()
	c.handler.OnClose(&Ended{c}, c.io.err)
}

// tell posts fn. What the connection does not get to see any more is no loss.
func (o *runner) tell(fn func(*Conn)) { _ = o.post(&note{c: o.c, fn: fn}) }

func (o *runner) post(n *note) error {
	first, ok := o.inbox.put(n)
	if !ok {
		return ErrClosed
	}
	if first {
		o.wake()
	}
	return nil
}

func (o *runner) dial(to api.Addr, h Handler, value any) error { return o.set.dial(to, h, value) }

func (o *runner) grab() []byte {
	b := o.spare
	o.spare = nil
	if b == nil {
		b = make([]byte, 0, chunkMin)
	}
	return b
}

func (o *runner) addrs(*Conn) (local, remote net.Addr) { return o.str.addrs() }

func (o *runner) config() *Config { return o.set.cfg }

func (o *runner) share() { o.str.share() }
