package http1

import (
	"errors"
	"os"
	"strconv"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// errBegun says that the head of an answer is sent already.
var errBegun = errors.New("http1: the head of the answer is sent already")

// Response is the answer to a request. Its methods must be called in the handler, or in a function given to Later.Do, and nowhere else. What is not said is 200, with
// an empty body. Content-Length, Transfer-Encoding, Connection and Date are the server's. Once Flush has sent the head, what would change it has no effect.
type Response struct {
	s      *Server
	c      *reactor.Conn
	x      *exchange
	now    api.Instant
	status int
	fields []byte // header lines
	kind   string // Content-Type
	buf    []byte // what was written and not sent
	body   []byte // of Body
	text   string // of BodyString
	file   *os.File
	off    int64
	size   int64 // of the part of the file
	length int64 // as declared; -1: not
	sent   int64 // bytes of the body that were sent

	minor   uint8
	head    bool // the answer to HEAD
	close   bool // the connection is closed behind it
	begun   bool // the head is sent
	chunked bool
	later   bool
	enough  bool
	plain   bool // without a Content-Type
}

// prepare makes the answer to x's request. The memory of the last one is kept.
func (w *Response) prepare(s *Server, c *reactor.Conn, x *exchange, now api.Instant) {
	w.s, w.c, w.x, w.now = s, c, x, now
	w.clear()
	w.minor, w.head, w.close = x.req.minor, x.req.IsHead(), !x.req.KeepAlive()
	w.begun, w.chunked, w.later, w.enough, w.sent = false, false, false, false, 0
}

// clear forgets what was to be answered.
func (w *Response) clear() {
	w.dropFile()
	w.status, w.kind, w.plain, w.length = 200, "", false, -1
	w.fields, w.body, w.text = w.fields[:0], nil, ""
	if w.buf = w.buf[:0]; cap(w.buf) > bufferKept {
		w.buf = nil
	}
}

// touched says whether a handler has said something.
func (w *Response) touched() bool {
	return w.begun || w.status != 200 || len(w.fields) > 0 || len(w.buf) > 0 || w.body != nil || w.text != "" || w.file != nil
}

// Status sets the status, from 200 to 999.
func (w *Response) Status(code int) {
	if 200 <= code && code <= 999 && !w.begun { // whether there is a body was decided with the head
		w.status = code
	}
}

// Header adds a header. Control characters in value become spaces; a name that is none, and those that are the server's, are left out, but for
// Connection: close, which is Close, and Content-Type, which is ContentType.
func (w *Response) Header(name, value string) {
	for i := range len(name) {
		if class[name[i]]&isToken == 0 {
			return
		}
	}
	n := []byte(name) // not on the heap: it is short, and does not escape
	switch {
	case len(n) == 0, isFold(n, "content-length"), isFold(n, "transfer-encoding"), isFold(n, "date"):
		return
	case isFold(n, "connection"):
		w.close = w.close || isFold([]byte(value), "close")
		return
	case isFold(n, "content-type"):
		w.ContentType(value)
		return
	}
	w.fields = append(w.fields, name...)
	w.fields = append(w.fields, ": "...)
	w.fields = append(w.fields, clean(value)...)
	w.fields = append(w.fields, "\r\n"...)
}

// clean makes spaces of control characters.
func clean(s string) string {
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\t' || s[i] == 0x7f {
			b := []byte(s)
			for j, c := range b {
				if c < 0x20 && c != '\t' || c == 0x7f {
					b[j] = ' '
				}
			}
			return string(b)
		}
	}
	return s
}

// ContentType sets the type of the body. The empty one leaves the header out.
func (w *Response) ContentType(t string) { w.kind, w.plain = clean(t), t == "" }

// Close has the connection closed behind the answer.
func (w *Response) Close() { w.close = true }

// Length declares the length of a body that is sent by Flush, so that it is not chunked, or of one that is not sent: of an answer to HEAD, or a 304.
// A body that turns out to be of another length ends the connection.
func (w *Response) Length(n int64) {
	if !w.begun {
		w.length = n
	}
}

// Write adds to the body. It copies p, and returns no error.
func (w *Response) Write(p []byte) (int, error) {
	w.settleBody()
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// WriteString adds to the body. It returns no error.
func (w *Response) WriteString(p string) (int, error) {
	w.settleBody()
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// settleBody makes what is the body so far the beginning of it.
func (w *Response) settleBody() {
	if w.body != nil || w.text != "" {
		w.buf = append(append(w.buf, w.body...), w.text...)
		w.body, w.text = nil, ""
	}
}

// Body makes p the body, in place of what was written and not flushed. It is not copied, and must not change until the handler has returned.
func (w *Response) Body(p []byte) {
	w.dropFile()
	w.buf, w.body, w.text = w.buf[:0], p, ""
}

// BodyString is Body of a string.
func (w *Response) BodyString(p string) {
	w.dropFile()
	w.buf, w.body, w.text = w.buf[:0], nil, p
}

// SendFile makes n bytes of a file from off on the body, in place of what was written and not flushed; as many as there are if n is negative. What is written later is not
// sent, unless Body replaces the file. It takes the file over, and closes it when it is sent or not needed, and with an error too: that of Stat, if n is negative,
// and one behind Flush.
func (w *Response) SendFile(f *os.File, off, n int64) error {
	if w.begun {
		_ = f.Close() // it was only to be read
		return errBegun
	}
	w.Body(nil)
	if n < 0 {
		fi, err := f.Stat()
		if err != nil {
			_ = f.Close() // it was only to be read
			return err
		}
		n = max(fi.Size()-off, 0)
	}
	w.file, w.off, w.size = f, off, n
	return nil
}

func (w *Response) dropFile() {
	if w.file != nil {
		_ = w.file.Close() // it was only to be read
		w.file = nil
	}
}

// Error is a short answer in text: the status and what it means, and why, if that is not empty.
func (w *Response) Error(code int, why string) {
	w.Status(code)
	w.ContentType("text/plain; charset=utf-8")
	w.Body(nil)
	w.buf = strconv.AppendInt(w.buf, int64(code), 10)
	w.buf = append(w.buf, ' ')
	w.buf = append(w.buf, reasonOf(code)...)
	if why != "" {
		w.buf = append(append(w.buf, ": "...), why...)
	}
	w.buf = append(w.buf, '\n')
}

// Enough tells that a BodyFunc wants no more of the body. The answer is sent, and the connection closed.
func (w *Response) Enough() { w.enough = true }

// Unsent is how many bytes of answers the connection has not sent yet.
func (w *Response) Unsent() int {
	if w.c == nil {
		return 0
	}
	return w.c.Unsent()
}

// Conn is the connection, for RemoteAddr and other things that are the reactor's. It must not be written to, read from, or closed, and not kept, and its Context is the
// server's. It may be nil in a BodyFunc that is told that there is nobody to answer.
func (w *Response) Conn() *reactor.Conn { return w.c }

// Later puts the answer off: it is not sent when the handler returns, and requests behind it wait, until Later.Do is called, which any goroutine may do. What was
// written so far stays. The Request is not valid any more then: take what is needed of it, or a Clone.
func (w *Response) Later() Later {
	if w.c == nil { // the connection has ended
		return Later{}
	}
	w.later = true
	w.x.turn++
	return Later{w.s, w.c.Remote(), w.x, w.x.turn}
}

// Later is an answer that was put off. Its methods may be called from any goroutine.
type Later struct {
	s    *Server
	conn reactor.Remote
	x    *exchange
	turn uint64
}

// Do has fn called in the connection's turn, where it may go on with the answer, which is sent when fn has returned, unless that puts it off again. It does not wait. A
// second Do of the same Later has no effect. reactor.ErrClosed: there is nobody to answer any more.
func (l Later) Do(fn func(w *Response)) error {
	return l.conn.Post(func(c *reactor.Conn) {
		st := c.Context().(*conn)
		if st.x != l.x || !l.x.waiting || l.x.turn != l.turn {
			return
		}
		l.s.goOn(c, st, l.x, fn)
	})
}

// Open says whether the connection is not known to have ended.
func (l Later) Open() bool { return l.conn.Open() }

// Flush sends what was written so far: with the head, if that is not sent yet, and as a chunk, unless Length was called before. An HTTP/1.0 client gets a body that ends with the connection. Errors:
// those of reactor.Conn.Write.
func (w *Response) Flush() error {
	if w.c == nil { // the connection has ended
		return reactor.ErrClosed
	}
	w.settleBody()
	if w.file != nil {
		return nil // it is sent as a whole
	}
	if !w.begun {
		if err := w.start(); err != nil {
			return err
		}
	}
	return w.send()
}
