package http1

import (
	"bytes"
	"io"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// exchange is a request and its answer.
type exchange struct {
	req     Request
	w       Response
	body    bodyReader
	read    int64       // bytes of the body so far
	head    []byte      // a copy of the head, when the body comes later
	buf     []byte      // bytes of the body that no handler has had yet
	fn      BodyFunc    // gets the body
	began   api.Instant // when the head was there, later by the time that the handler has let the body wait
	since   api.Instant // when it was put off
	turn    uint64      // which Later is valid
	waiting bool        // put off by Later
	due     bool        // the handler has all of the request
}

// bufferKept is the size beyond which a buffer is not kept for the next exchange.
const bufferKept = 64 << 10

// reset prepares an exchange for another connection.
func (x *exchange) reset() {
	x.turn++
	x.fn = nil
	x.req.buf, x.req.body, x.req.tail = nil, nil, nil
	if cap(x.buf) > bufferKept {
		x.buf = nil
	}
	x.w.clear()
	x.w.c = nil
}

var headEnd = []byte("\r\n\r\n")

func hasEnd(b []byte) bool { return bytes.Contains(b, headEnd) }

const continue100 = "HTTP/1.1 100 Continue\r\n\r\n"

// beginBody goes on with a request that has a body. It says how much of in was used, with the head, and whether there is something to go on with.
func (s *Server) beginBody(c *reactor.Conn, st *conn, x *exchange, in []byte, head int) (used int, ok bool) {
	// The usual: a body that has come with its head, and is not copied.
	if rest := in[head:]; x.req.length > 0 && int64(len(rest)) >= x.req.length && x.req.length <= s.opt.BufferBody {
		n := int(x.req.length)
		x.req.body = rest[:n:n]
		s.whole(c, st, x)
		return head + n, true
	}
	x.body.begin(&x.req)
	x.read, x.fn, x.buf, x.due = 0, nil, x.buf[:0], false
	x.began = x.w.now
	x.head = append(x.head[:0], x.req.buf...)
	x.req.buf = x.head
	st.x = x
	if x.req.length > s.opt.BufferBody {
		s.stream(c, st, x)
	}
	if x.req.seen&sawContinue != 0 && len(in) == head && !st.over && !x.due && !x.w.begun {
		s.write(c, st, continue100)
	}
	return head, !st.over
}

func (s *Server) write(c *reactor.Conn, st *conn, text string) {
	if _, err := c.WriteString(text); err != nil {
		c.Abort(err)
		st.over = true
	}
}

// whole calls the handler with a request that is complete.
func (s *Server) whole(c *reactor.Conn, st *conn, x *exchange) {
	x.body = bodyReader{}
	x.due = true
	s.handler(&x.w, &x.req)
	s.handled(c, st, x)
}

// stream asks for the function that is to get the body. Without one the answer is sent, and the connection closed.
func (s *Server) stream(c *reactor.Conn, st *conn, x *exchange) {
	x.fn = s.opt.Stream(&x.w, &x.req)
	if x.fn == nil {
		x.due = true
		if !x.w.touched() {
			x.w.Error(errBodyLong.Status, errBodyLong.Reason)
		}
	}
	s.handled(c, st, x)
}

// more takes a step with the body of the exchange under way.
func (s *Server) more(c *reactor.Conn, st *conn, in []byte, now api.Instant) (used int, ok bool) {
	x := st.x
	x.w.c, x.w.now = c, now
	var piece []byte
	// What a BodyFunc has put off comes first.
	if x.fn == nil || len(x.buf) == 0 && x.body.state != bodyDone {
		var err error
		if piece, used, err = x.body.next(&x.req, in, &s.opt.Limits); err != nil {
			if err != ErrMore {
				s.refuse(c, st, x, err)
			}
			return used, false
		}
		x.read += int64(len(piece))
		if x.fn != nil && x.body.state == bodyDone && len(x.req.trailers) > 0 {
			x.req.tail = bytes.Clone(x.req.tail[:used]) // the request stays valid when the answer is put off
		}
	}
	if x.fn == nil {
		x.buf = append(x.buf, piece...)
		if x.read <= s.opt.BufferBody {
			if x.body.state == bodyDone {
				x.req.body = x.buf
				s.whole(c, st, x)
			}
			return used, true
		}
		// A chunked body of which it turns out only now that it is long.
		if s.stream(c, st, x); st.x == nil || x.waiting {
			return used, true
		}
	}
	s.deliver(c, st, x, piece)
	return used, true
}

// deliver hands a piece to the BodyFunc, or what is left of earlier ones.
func (s *Server) deliver(c *reactor.Conn, st *conn, x *exchange, piece []byte) {
	if len(x.buf) > 0 {
		piece = x.buf
	}
	var err error
	if x.body.state == bodyDone {
		x.due, err = true, io.EOF
	}
	if len(piece) > 0 || err != nil {
		x.fn(&x.w, piece, err)
		x.buf = x.buf[:0]
		s.handled(c, st, x)
	}
}

// handled is what follows a call of a handler: the answer, unless it is put off or the rest of the body comes first. Then what was given to Body is copied, since it
// may be of the input, and need not outlive the call in any case.
func (s *Server) handled(c *reactor.Conn, st *conn, x *exchange) {
	switch {
	case x.w.later:
		x.w.settleBody()
		x.w.later = false
		x.waiting, x.since = true, x.w.now
		x.w.c = nil
		st.x = x
		return
	case !x.due && !x.w.enough:
		x.w.settleBody()
		return
	case x.body.state != bodyDone:
		x.w.close = true // where the next request begins is not known
	}
	x.fn = nil
	x.w.close = x.w.close || st.leaving
	st.x, st.phase = nil, phaseIdle
	if err := x.w.finish(); err != nil {
		c.Abort(err)
		st.over = true
	} else if x.w.close {
		s.close(c, st)
	}
}

// goOn calls fn with an answer that was put off, and goes on with the requests behind it.
func (s *Server) goOn(c *reactor.Conn, st *conn, x *exchange, fn func(*Response)) {
	x.waiting = false
	x.turn++
	x.w.c, x.w.now = c, api.Now()
	x.began = x.began.Add(x.w.now.Sub(x.since)) // it was not the client that the body has waited for
	unsent := c.Unsent()
	fn(&x.w)
	s.handled(c, st, x)
	if st.x == nil {
		s.put(x)
	}
	s.outgoing(c, st, api.Now(), unsent)
	s.serve(c, st)
}

// refuse answers what is not HTTP, or more than there may be. Where the next request begins is not known after that.
func (s *Server) refuse(c *reactor.Conn, st *conn, x *exchange, err error) {
	s.lost(x)
	st.x = nil
	if x.w.begun { // too late
		c.Abort(err)
		st.over = true
		return
	}
	e := err.(*ProtocolError) // ErrMore is not refused
	x.w.clear()
	x.w.Error(e.Status, e.Reason)
	x.w.close = true
	if err := x.w.finish(); err != nil {
		c.Abort(err)
		st.over = true
		return
	}
	s.close(c, st)
}

// lost tells a BodyFunc that there will be no more of the body.
func (s *Server) lost(x *exchange) {
	if x.fn != nil && !x.due {
		x.due = true
		x.fn(&x.w, nil, io.ErrUnexpectedEOF)
	}
	x.fn = nil
}
