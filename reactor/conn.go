package reactor

import (
	"io"
	"math"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
)

// Conn is a connection as its own callbacks see it. Its methods must be called in these, or in a function given to Remote.Post, and nowhere
// else; the *Conn is of no use when they have returned. Remote is for all others.
type Conn struct {
	// The handler's side, used by whoever runs the callbacks.
	handler Handler
	value   any
	in      []byte // unconsumed input
	heap    []byte // where in lies, unless it is in a leased buffer
	tx      txq    // output that is not handed over to be sent yet; where callbacks run in the loop, all that is not being sent
	written uint64 // bytes of output in all
	asked   asks
	why     error       // of Abort
	fwd     *forwarding // of Forward
	readBy  api.Instant
	writeBy api.Instant

	// Read by the handler's side, written by that of the IO.
	sent atomic.Uint64 // bytes of output that are sent, or will never be
	gone atomic.Bool   // no callback but OnClose will come any more

	drv  driver
	io   ioState
	mail *mailbox // nil where callbacks run in the loop
}

// driver is what does the IO of a connection: a loop, or the goroutine or thread of the connection.
type driver interface {
	// post has n.fn called in the connection's turn. Any goroutine may call it.
	post(n *note) error
	// dial begins a connection on the same loop, or on a goroutine of its own.
	dial(to api.Addr, h Handler, value any) error
	// grab gives an empty buffer for output.
	grab() []byte
	// addrs are those of both ends.
	addrs(c *Conn) (local, remote net.Addr)
	config() *Config
	// share is called before another goroutine gets a handle on the connection.
	share()
}

// asks are what callbacks have asked for, to be done when they have returned.
type asks uint8

const (
	askClose asks = 1 << iota // when all output is sent
	askFin                    // shut down writing when all output is sent
	askAbort                  // at once
	askPause                  // do not read
	askTimes                  // deadlines have changed
	askJoin                   // join to fwd.to
	askAgain                  // call OnData when output has been sent
)

// Context is what SetContext has set, or Dial was given.
func (c *Conn) Context() any { return c.value }

// SetContext keeps v with the connection: its state, as a rule.
func (c *Conn) SetContext(v any) { c.value = v }

// LocalAddr is the address of this end. It costs a system call.
func (c *Conn) LocalAddr() net.Addr {
	a, _ := c.drv.addrs(c)
	return a
}

// RemoteAddr is the address of the peer. It costs a system call.
func (c *Conn) RemoteAddr() net.Addr {
	_, a := c.drv.addrs(c)
	return a
}

// Remote is a handle on the connection for all other goroutines, and for later.
func (c *Conn) Remote() Remote {
	c.drv.share()
	return Remote{c}
}

// Dial begins a connection to an address, on the same loop, with a handler and a context of its own: h.OnOpen is called when it is
// there, or h.OnClose with the error and without an OnOpen. Errors: *net.AddrError for the zero Addr, ErrInvalidConfig for a nil handler, ErrClosed, ErrMaxConns (ThreadPerConn alone).
func (c *Conn) Dial(to api.Addr, h Handler, context any) error {
	if h == nil {
		return errNoHandler
	}
	return c.drv.dial(to, h, context)
}

// Close closes the connection when all output has been sent. There is no more input, and no more can be written.
func (c *Conn) Close() { c.asked |= askClose }

// CloseWrite tells the peer, when all output has been sent, that there is no more. Input goes on.
func (c *Conn) CloseWrite() { c.asked |= askFin }

// Abort closes the connection at once, without sending what waits to be sent. The peer of a TCP connection sees a reset, so that it does not
// take what it has got for all there is. OnClose gets err.
func (c *Conn) Abort(err error) {
	if c.asked&askAbort == 0 {
		c.why = err
	}
	c.asked |= askAbort
}

// Pause stops the reading of input, until Resume: the peer is stopped when the buffers of the sockets are full. What has been received already still
// comes. While it is paused, the end of the stream is not seen.
func (c *Conn) Pause() { c.asked |= askPause }

// Resume lets input be read again.
func (c *Conn) Resume() { c.asked &^= askPause }

// SetReadDeadline ends the connection at t with os.ErrDeadlineExceeded, or has a ReadDeadliner end it, unless the peer has ended its stream by then, or the
// deadline has been moved. The zero time is none.
func (c *Conn) SetReadDeadline(t time.Time) {
	c.readBy = instantOf(t)
	c.asked |= askTimes
}

// SetWriteDeadline ends the connection with os.ErrDeadlineExceeded if output is not sent by t, also output that is written later. The zero time is none.
func (c *Conn) SetWriteDeadline(t time.Time) {
	c.writeBy = instantOf(t)
	c.asked |= askTimes
}

// instantOf is t on the clock of the engines.
func instantOf(t time.Time) api.Instant {
	if t.IsZero() {
		return 0
	}
	in := time.Until(t) // first: if the thread has to wait between the two clocks, it becomes later, not earlier
	return api.Now().Add(in)
}

// Buffered is how many bytes of input there are.
func (c *Conn) Buffered() int { return len(c.in) }

// Peek is up to n bytes of the input, which it does not consume; all there are if n is negative. It is valid until the callback returns, and must
// not be changed.
func (c *Conn) Peek(n int) []byte {
	if n < 0 || n > len(c.in) {
		n = len(c.in)
	}
	return c.in[:n:n]
}

// Next is Peek, and consumes what it returns.
func (c *Conn) Next(n int) []byte {
	b := c.Peek(n)
	c.in = c.in[len(b):]
	return b
}

// Discard consumes up to n bytes, all if n is negative, and says how many.
func (c *Conn) Discard(n int) int { return len(c.Next(n)) }

// Read copies input into p, and consumes it. With none at present it returns ErrNoInput, and io.EOF when the peer has ended its stream.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.in) == 0 && len(p) > 0 {
		if c.ended() {
			return 0, io.EOF
		}
		return 0, ErrNoInput
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}

// ended says whether the peer has ended its stream, and the callbacks know.
func (c *Conn) ended() bool {
	if c.mail != nil {
		return c.mail.eof // what the loop knows is for it alone
	}
	return c.io.is(stEOF)
}

// Unsent is how many bytes of output wait to be sent, or are being sent.
func (c *Conn) Unsent() int { return clamp(c.written - c.sent.Load()) }

// clamp is n as an int, which on a 32-bit machine has no room for a large file.
func clamp(n uint64) int { return int(min(n, math.MaxInt)) }

// Full says whether more than Config.WriteHigh bytes of output wait to be sent. A handler that then leaves the rest of its input alone gets OnData when Config.WriteLow
// or less do; until then there is no new input.
func (c *Conn) Full() bool {
	if c.Unsent() <= c.drv.config().WriteHigh {
		return false
	}
	c.asked |= askAgain
	return true
}

// mayWrite says why n bytes cannot be taken.
func (c *Conn) mayWrite(n int) error {
	if c.asked&(askClose|askFin|askAbort|askJoin) != 0 {
		return ErrClosed
	}
	if c.Unsent() > c.drv.config().MaxOutput-n {
		return ErrOutputFull
	}
	return nil
}

// Write copies p to the end of the output, which is sent when the callback has returned. It never waits. Errors: ErrClosed behind
// Close, CloseWrite and Abort; ErrOutputFull. Nothing of p is taken then.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.mayWrite(len(p)); err != nil {
		return 0, err
	}
	c.tx.room(c, len(p))
	c.tx.out = append(c.tx.out, p...)
	c.written += uint64(len(p))
	return len(p), nil
}

// WriteString is Write of a string.
func (c *Conn) WriteString(s string) (int, error) {
	if err := c.mayWrite(len(s)); err != nil {
		return 0, err
	}
	c.tx.room(c, len(s))
	c.tx.out = append(c.tx.out, s...)
	c.written += uint64(len(s))
	return len(s), nil
}

// Writev is Write of one slice after the other: all of them, or none.
func (c *Conn) Writev(bufs ...[]byte) (int, error) {
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	if err := c.mayWrite(n); err != nil {
		return 0, err
	}
	c.tx.room(c, n)
	for _, b := range bufs {
		c.tx.out = append(c.tx.out, b...)
	}
	c.written += uint64(n)
	return n, nil
}

// AvailableBuffer is an empty slice with room for at least n bytes at the end of the output, to be appended to and given to Write at once, which
// then copies it to where it is already.
func (c *Conn) AvailableBuffer(n int) []byte {
	c.tx.room(c, n)
	return c.tx.out[len(c.tx.out):]
}

// SendFile puts n bytes of a file from off on into the output, or as many as there are if n is negative. It does not wait, may send what is written to the file meanwhile, and takes the
// file over: it is closed when it has been sent, or the connection is closed, and with an error too. A file that turns out to be shorter than off+n ends the connection with
// io.ErrUnexpectedEOF, and the peer sees a reset, as it does when the file cannot be read. Errors: as Write, and of Stat if n is negative.
func (c *Conn) SendFile(f *os.File, off, n int64) error {
	err := c.mayWrite(0)
	if err == nil && n < 0 {
		var fi os.FileInfo
		if fi, err = f.Stat(); err == nil {
			n = max(fi.Size()-off, 0)
		}
	}
	if err != nil || n == 0 {
		_ = f.Close() // it was only to be read
		return err
	}
	c.tx.file(f, off, n)
	c.written += uint64(n)
	return nil
}
