package http1

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// Handler answers a request. It is called in the turn of the connection, in the loop or in a worker as the variant has it, and must not wait there: Response.Later lets
// it answer another time. The answer is sent when it has returned. Both arguments must not be used after that.
type Handler func(w *Response, r *Request)

// BodyFunc gets the body of a request as it comes, piece by piece. The last call has io.EOF, and a piece that may be empty; when it has returned, the answer is sent.
// With another error, and no piece, there will never be more of the body, and there is nobody to answer. piece is valid until the function returns. As long as
// Response.Later puts the exchange off, no more pieces come.
type BodyFunc func(w *Response, piece []byte, err error)

// Options of a server.
type Options struct {
	// Limits bound a request. Default: those of Limits.
	Limits Limits
	// BufferBody is up to how many bytes of a body are collected for the Handler. What is longer goes to Stream. Default: 64 KiB, and Limits.MaxBody when Stream is nil.
	BufferBody int64
	// Stream is called for a request whose body is longer than BufferBody, when its head has come. The BodyFunc that it returns gets the body; with nil the body is not wanted, what
	// was written to w is the answer, 413 if that is nothing, and the connection is closed. The Request is valid until the answer is sent. Default: nil, every body is collected.
	Stream func(w *Response, r *Request) BodyFunc
	// HeaderTimeout is how long a request may take from its first byte to the end of its headers, and the first one from the accept. A connection that has sent a part of a request when its time is over, this or
	// BodyTimeout, is answered with 408 and closed, unless the answer has begun; one that has sent nothing, or does not take its answers, is closed without a word. Default: 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout and WriteTimeout are how long a body may take to come, and the answers to go, each a second longer for MinRate bytes. Default: 30 s.
	BodyTimeout, WriteTimeout time.Duration
	// MinRate is in bytes a second. Default: 16 KiB.
	MinRate int
	// IdleTimeout is how long a connection is kept open between two requests, up to a sixteenth less. Default: 2 min.
	IdleTimeout time.Duration
	// Name is the value of the header Server. Default: there is none.
	Name string
	// ContentType is that of an answer which has a body and no other. Default: "text/plain; charset=utf-8".
	ContentType string
}

const (
	defaultBufferBody    = 64 << 10
	defaultHeaderTimeout = 10 * time.Second
	defaultTimeout       = 30 * time.Second
	defaultIdleTimeout   = 2 * time.Minute
	defaultMinRate       = 16 << 10
	defaultContentType   = "text/plain; charset=utf-8"

	// A deadline that is to move by less than this part of it stays, so that a busy connection does not set it for each request.
	slackPart = 16
	slackMax  = time.Second

	// heldMax is how much input is let come while an answer is put off.
	heldMax = 64 << 10
)

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.Limits = d.Limits.withDefaults()
	switch {
	case d.Stream == nil:
		d.BufferBody = d.Limits.MaxBody
	case d.BufferBody <= 0:
		d.BufferBody = defaultBufferBody
	}
	for _, t := range []struct {
		p   *time.Duration
		def time.Duration
	}{
		{&d.HeaderTimeout, defaultHeaderTimeout},
		{&d.BodyTimeout, defaultTimeout},
		{&d.WriteTimeout, defaultTimeout},
		{&d.IdleTimeout, defaultIdleTimeout},
	} {
		if *t.p <= 0 {
			*t.p = t.def
		}
	}
	if d.MinRate <= 0 {
		d.MinRate = defaultMinRate
	}
	d.Name = clean(d.Name)
	if d.ContentType = clean(d.ContentType); d.ContentType == "" {
		d.ContentType = defaultContentType
	}
	return d
}

// Server is the reactor.Handler that speaks HTTP. It may be given to several reactors.
type Server struct {
	opt     Options
	handler Handler
	dates   atomic.Pointer[dates]
	free    sync.Pool // of *exchange
}

var _ reactor.ReadDeadliner = (*Server)(nil)

// New makes a server. nil options are the defaults. It panics without a handler, which would else do so for each request.
func New(h Handler, o *Options) *Server {
	if h == nil {
		panic("http1: New without a Handler")
	}
	s := &Server{opt: o.withDefaults(), handler: h}
	s.free.New = func() any { return &exchange{} }
	return s
}

// conn is what a connection has, also when it is idle.
type conn struct {
	x       *exchange   // one that is under way and waits for its body or its answer
	readBy  api.Instant // the deadlines that are set
	writeBy api.Instant
	looked  int // bytes of an incomplete head that were looked at
	phase   phase
	over    bool // closed, or about to be
	eof     bool // the peer sends no more
	full    bool // the next request waits for answers to be sent
	leaving bool // the server is to end
	paused  bool
}

// phase is what a connection waits for, which its deadline depends on.
type phase uint8

const (
	phaseOpen  phase = iota // the first request
	phaseIdle               // the next request
	phaseHead               // the rest of a head
	phaseBody               // the rest of a body
	phaseLater              // the handler
)

// OnOpen prepares the connection.
func (s *Server) OnOpen(c *reactor.Conn) {
	st := &conn{}
	c.SetContext(st)
	s.readBy(c, st, api.Now().Add(s.opt.HeaderTimeout))
}

// OnData answers the requests that have come.
func (s *Server) OnData(c *reactor.Conn) {
	s.serve(c, c.Context().(*conn))
}

// OnEOF answers what is left, and closes.
func (s *Server) OnEOF(c *reactor.Conn) {
	st := c.Context().(*conn)
	st.eof = true
	s.serve(c, st)
}

// OnReadDeadline answers a request that does not come to its end. The reactor closes the connection.
func (s *Server) OnReadDeadline(c *reactor.Conn) {
	st := c.Context().(*conn)
	if st.over {
		return
	}
	now := api.Now()
	unsent := c.Unsent()
	switch x := st.x; {
	case x == nil && st.looked > 0:
		s.lateHead(c, st, now)
	case x != nil && !x.waiting && !x.w.begun:
		x.w.c, x.w.now = c, now
		s.refuse(c, st, x, errLate)
		s.put(x)
	}
	st.over = true
	s.outgoing(c, st, now, unsent)
}

// lateHead answers a head of which a part has come. RFC 9112, 2.2: an empty line is none.
func (s *Server) lateHead(c *reactor.Conn, st *conn, now api.Instant) {
	x := s.free.Get().(*exchange)
	x.req = Request{fields: x.req.fields[:0], trailers: x.req.trailers[:0]}
	if _, _ = x.req.parse(c.Peek(-1), &s.opt.Limits); len(x.req.buf) > 0 { // ErrMore, as before: only the method is wanted
		x.w.prepare(s, c, x, now)
		s.refuse(c, st, x, errLate)
	}
	s.put(x)
}

// OnShutdown closes an idle connection. Of one that is not, the request under way is the last.
func (s *Server) OnShutdown(c *reactor.Conn) {
	st := c.Context().(*conn)
	st.leaving = true
	if st.x == nil && c.Buffered() == 0 {
		s.close(c, st)
	}
}

// OnClose drops what was under way.
func (s *Server) OnClose(e *reactor.Ended, _ error) {
	st, ok := e.Context().(*conn)
	if !ok || st.x == nil {
		return
	}
	// It is not used anew: a Later may point to it.
	x := st.x
	st.x = nil
	x.w.c = nil
	s.lost(x)
	x.w.dropFile()
}

// OnTick does nothing.
func (s *Server) OnTick(*reactor.Loop) {}

// serve goes on as far as the input lets it.
func (s *Server) serve(c *reactor.Conn, st *conn) {
	if st.over {
		return
	}
	now := api.Now()
	unsent := c.Unsent()
	in := c.Peek(-1)
	used := 0
	x := st.x
	if x == nil {
		x = s.free.Get().(*exchange)
	}
	st.full = false
	for !st.over && !x.waiting {
		var n int
		var ok bool
		if st.x != nil {
			n, ok = s.more(c, st, in[used:], now)
		} else if st.full = used < len(in) && c.Full(); !st.full {
			n, ok = s.begin(c, st, x, in[used:], now)
		}
		used += n
		if !ok {
			break
		}
	}
	if st.x == nil {
		s.put(x)
	}
	c.Discard(used) // with what is left behind a Close the reactor waits until the peer has read the answer
	if !st.over {
		s.settle(c, st, now)
	}
	s.outgoing(c, st, now, unsent)
}

func (s *Server) put(x *exchange) {
	x.reset()
	s.free.Put(x)
}

// begin takes a request off the input and answers it, if it is complete. ok is false when there is nothing to go on with.
func (s *Server) begin(c *reactor.Conn, st *conn, x *exchange, in []byte, now api.Instant) (n int, ok bool) {
	if len(in) == 0 || st.looked > 0 && !s.worthwhile(in, st.looked) {
		return 0, false
	}
	n, err := x.req.parse(in, &s.opt.Limits)
	if err == ErrMore {
		st.looked = len(in)
		return 0, false
	}
	st.looked = 0
	x.w.prepare(s, c, x, now)
	if err != nil {
		s.refuse(c, st, x, err)
		return 0, false
	}
	if x.req.length == 0 {
		s.whole(c, st, x)
		return n, true
	}
	return s.beginBody(c, st, x, in, n)
}

// worthwhile says whether it makes sense to look at an incomplete head again, now that it has become longer. Somebody who sends it a byte at a time would
// have all of it looked at for each: so it is when its end has come, or it has doubled, or is too long.
func (s *Server) worthwhile(in []byte, looked int) bool {
	return len(in) >= 2*looked || len(in) > s.opt.Limits.MaxHeaderBytes || hasEnd(in[max(0, looked-3):])
}

func (s *Server) close(c *reactor.Conn, st *conn) {
	st.over = true
	c.Close()
}

// settle decides, when all has been done that can be, what the connection waits for now.
func (s *Server) settle(c *reactor.Conn, st *conn, now api.Instant) {
	x := st.x
	waiting := x != nil && x.waiting
	if st.eof && !waiting && !st.full {
		s.close(c, st)
		return
	}
	s.hold(c, st, waiting)
	switch {
	case waiting, st.full:
		st.phase = phaseLater
		s.readBy(c, st, 0)
	case x != nil:
		st.phase = phaseBody
		s.lazily(c, st, x.began.Add(s.opt.BodyTimeout+s.worth(x.read)), s.opt.BodyTimeout)
	case st.looked > 0:
		if st.phase != phaseOpen && st.phase != phaseHead {
			s.readBy(c, st, now.Add(s.opt.HeaderTimeout))
		}
		st.phase = phaseHead
	case st.phase != phaseOpen:
		st.phase = phaseIdle
		s.lazily(c, st, now.Add(s.opt.IdleTimeout), s.opt.IdleTimeout)
	}
}

// hold stops the reading of a connection that sends requests while one is put off, and takes it up again.
func (s *Server) hold(c *reactor.Conn, st *conn, waiting bool) {
	switch much := waiting && c.Buffered() > heldMax; {
	case much && !st.paused:
		c.Pause()
	case !much && st.paused:
		c.Resume()
	default:
		return
	}
	st.paused = !st.paused
}

// outgoing moves the deadline of the output, if there was some.
func (s *Server) outgoing(c *reactor.Conn, st *conn, now api.Instant, before int) {
	unsent := c.Unsent()
	if unsent == 0 {
		return
	}
	by := now.Add(s.opt.WriteTimeout + s.worth(int64(unsent)))
	slack := slackOf(s.opt.WriteTimeout)
	if by > st.writeBy.Add(slack) || before == 0 && by < st.writeBy {
		st.writeBy = by
		c.SetWriteDeadline(timeOf(by))
	}
}

// worth is the time that n bytes may take, up to some 34 years.
func (s *Server) worth(n int64) time.Duration {
	return time.Duration(min(float64(n)/float64(s.opt.MinRate), 1<<30) * float64(time.Second))
}

func slackOf(timeout time.Duration) time.Duration { return min(timeout/slackPart, slackMax) }

// lazily moves the deadline of the input, if it is worth it.
func (s *Server) lazily(c *reactor.Conn, st *conn, by api.Instant, timeout time.Duration) {
	if by > st.readBy.Add(slackOf(timeout)) || by < st.readBy || st.readBy == 0 {
		s.readBy(c, st, by)
	}
}

// readBy sets the deadline of the input. 0: none.
func (s *Server) readBy(c *reactor.Conn, st *conn, by api.Instant) {
	if by == st.readBy {
		return
	}
	st.readBy = by
	c.SetReadDeadline(timeOf(by))
}

// timeOf is an instant as a time. 0 is the zero time.
func timeOf(t api.Instant) time.Time {
	if t == 0 {
		return time.Time{}
	}
	in := t.Sub(api.Now()) // first: if the thread has to wait between the two clocks, it becomes later, not earlier
	return time.Now().Add(in)
}
