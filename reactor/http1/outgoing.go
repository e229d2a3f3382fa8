package http1

import (
	"errors"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/api"
)

// errLengthBroken ends a connection on which a handler has sent another number of bytes than it had declared.
var errLengthBroken = errors.New("http1: a handler has not sent as many bytes as it had declared")

// dates is the part of a head that is the same for all answers of a second.
type dates struct {
	until api.Instant
	ok    []byte // the status line of 200, and what follows
	other []byte // what follows any other status line
}

const dateLayout = "Mon, 02 Jan 2006 15:04:05 GMT"

// stamp gives the dates of now.
func (s *Server) stamp(now api.Instant) *dates {
	if d := s.dates.Load(); d != nil && now < d.until {
		return d
	}
	t := time.Now()
	other := "\r\nDate: " + t.UTC().Format(dateLayout)
	if s.opt.Name != "" {
		other = "\r\nServer: " + s.opt.Name + other
	}
	d := &dates{
		until: api.Now().Add(t.Truncate(time.Second).Add(time.Second).Sub(t)),
		ok:    []byte("HTTP/1.1 200 OK" + other),
		other: []byte(other),
	}
	s.dates.Store(d)
	return d
}

// headRoom is what a head has beside the headers of the handler: the longest status line, Server and Date, Content-Type, Content-Length and Connection.
const headRoom = 256

// bodyless says whether an answer has no body whatever is written.
func (w *Response) bodyless() bool { return w.status == 204 || w.status == 304 }

// appendHead appends the head. length is that of the body, -1 for one that is chunked or ends with the connection.
func (w *Response) appendHead(b []byte, length int64) []byte {
	d := w.s.stamp(w.now)
	if w.status == 200 {
		b = append(b, d.ok...)
	} else {
		b = append(b, "HTTP/1.1 "...)
		b = strconv.AppendInt(b, int64(w.status), 10)
		b = append(b, ' ')
		b = append(b, reasonOf(w.status)...)
		b = append(b, d.other...)
	}
	switch {
	case w.kind != "":
		b = append(b, "\r\nContent-Type: "...)
		b = append(b, w.kind...)
	case length != 0 && !w.plain && !w.bodyless():
		b = append(b, "\r\nContent-Type: "...)
		b = append(b, w.s.opt.ContentType...)
	}
	switch {
	case w.bodyless() && (w.status == 204 || w.length < 0):
		// RFC 9110, 8.6: none for 204, and for 304 that of the 200, if it is known
	case length >= 0:
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, length, 10)
	case w.minor == 1:
		b = append(b, "\r\nTransfer-Encoding: chunked"...)
	}
	if w.close {
		b = append(b, "\r\nConnection: close"...)
	} else if w.minor == 0 {
		b = append(b, "\r\nConnection: keep-alive"...)
	}
	b = append(b, "\r\n"...)
	b = append(b, w.fields...)
	return append(b, "\r\n"...)
}

func (w *Response) headSize() int {
	return headRoom + len(w.fields) + len(w.kind) + len(w.s.opt.Name) + len(w.s.opt.ContentType)
}

// inlineMax is up to which size a body is written together with its head.
const inlineMax = 16 << 10

// finish sends the answer, or the end of it.
func (w *Response) finish() error {
	if w.begun {
		return w.end()
	}
	if w.file != nil {
		return w.finishFile()
	}
	n := len(w.buf) + len(w.body) + len(w.text) // two of them are empty
	length := int64(n)
	silent := w.head || w.bodyless()
	if w.length >= 0 {
		if !silent && w.length != length {
			return errLengthBroken
		}
		length = w.length
	}
	if silent {
		n = 0
	}
	size := w.headSize()
	if n <= inlineMax {
		size += n
	}
	b := w.appendHead(w.c.AvailableBuffer(size), length)
	if n <= inlineMax && n > 0 {
		b = append(append(append(b, w.buf...), w.body...), w.text...)
	}
	_, err := w.c.Write(b)
	if n <= inlineMax || err != nil {
		return err
	}
	if w.text != "" {
		_, err = w.c.WriteString(w.text)
		return err
	}
	_, err = w.c.Writev(w.buf, w.body)
	return err
}

func (w *Response) finishFile() error {
	b := w.appendHead(w.c.AvailableBuffer(w.headSize()), w.size)
	if _, err := w.c.Write(b); err != nil {
		w.dropFile()
		return err
	}
	if w.head || w.bodyless() {
		w.dropFile()
		return nil
	}
	f := w.file
	w.file = nil
	return w.c.SendFile(f, w.off, w.size)
}

// start sends the head of a body that follows in parts.
func (w *Response) start() error {
	length := w.length
	if length < 0 && w.minor == 0 {
		w.close = true
	}
	w.begun = true
	w.chunked = length < 0 && w.minor == 1 && !w.bodyless()
	_, err := w.c.Write(w.appendHead(w.c.AvailableBuffer(w.headSize()), length))
	return err
}

// send sends what was written, as a part of the body.
func (w *Response) send() error {
	p := w.buf
	w.buf = w.buf[:0]
	if len(p) == 0 || w.head || w.bodyless() {
		return nil
	}
	w.sent += int64(len(p))
	if w.length >= 0 && w.sent > w.length {
		return errLengthBroken
	}
	if !w.chunked {
		_, err := w.c.Write(p)
		return err
	}
	var line [18]byte
	size := append(strconv.AppendInt(line[:0], int64(len(p)), 16), "\r\n"...)
	_, err := w.c.Writev(size, p, crlf)
	return err
}

var crlf = []byte("\r\n")

// end sends what is left of a body in parts, and its end.
func (w *Response) end() error {
	w.settleBody()
	if err := w.send(); err != nil {
		return err
	}
	if w.head || w.bodyless() {
		return nil
	}
	if w.length >= 0 && w.sent != w.length {
		return errLengthBroken
	}
	if !w.chunked {
		return nil
	}
	_, err := w.c.WriteString("0\r\n\r\n")
	return err
}
