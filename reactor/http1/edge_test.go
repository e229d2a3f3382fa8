package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

// What a handler says when the head has been sent must not change where the answer ends.
func TestBehindFlush(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			w.WriteString("abc")
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
			switch string(r.Path()) {
			case "/204":
				w.Status(204)
			case "/304":
				w.Status(304)
			case "/length":
				w.Length(7)
			case "/file":
				f, err := os.Open(file)
				if err != nil {
					t.Error(err)
					return
				}
				if w.SendFile(f, 0, 10) == nil {
					t.Error("SendFile behind Flush has no error")
				}
				if err := f.Close(); !errors.Is(err, os.ErrClosed) {
					t.Errorf("SendFile behind Flush has not closed the file: %v", err)
				}
			}
		}, nil)
		c := dial(t, s)
		for _, path := range []string{"/204", "/304", "/length", "/file", "/"} {
			c.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
			c.want("GET", 200, "abc")
		}
	})
}

// An answer that has begun has no 100 in it, and who does not want the body does not ask for it.
func TestNoContinue(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		put := make(chan http1.Later, 1)
		s := start(t, cfg, echoes, &http1.Options{BufferBody: 10, Stream: func(w *http1.Response, r *http1.Request) http1.BodyFunc {
			if string(r.Path()) == "/unwanted" {
				w.Error(403, "")
				put <- w.Later()
				return nil
			}
			w.WriteString("begun ")
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
			return func(w *http1.Response, piece []byte, _ error) { w.Write(piece) }
		}})
		const head = " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n"
		c := dial(t, s)
		c.send("POST /begun" + head)
		if line, err := c.r.Peek(12); err != nil || string(line) != "HTTP/1.1 200" {
			t.Fatalf("%q, %v", line, err)
		}
		c.send("0123456789ab")
		c.want("POST", 200, "begun 0123456789ab")

		c.send("POST /unwanted" + head)
		l := <-put
		if err := l.Do(func(*http1.Response) {}); err != nil {
			t.Error(err)
		}
		c.want("POST", 403, "403 Forbidden\n")
		c.wantEnd()
	})
}

// What is given to Body is read before the handler's call is over, and the trailers of a body in pieces are valid as long as the request is, though the input that both lie in is
// received into anew.
func TestPutOffKeeps(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Buffers, cfg.BufferSize = 4, 4096 // soon used again
		put := make(chan http1.Later, 1)
		later := func(w *http1.Response) { put <- w.Later() }
		handle := func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) == "/body" {
				w.Body(r.Body())
				later(w)
			}
		}
		var request *http1.Request
		s := start(t, cfg, handle, &http1.Options{BufferBody: 10, Stream: func(_ *http1.Response, r *http1.Request) http1.BodyFunc {
			path := string(r.Path())
			request = r
			return func(w *http1.Response, piece []byte, err error) {
				switch {
				case path == "/pieces" && len(piece) > 0:
					w.Body(piece)
					if err == nil {
						later(w)
					}
				case path == "/trailer" && err == io.EOF:
					later(w)
				}
			}
		}})
		c, other := dial(t, s), dial(t, s)
		// over uses the memory of the input again, that of this connection and that of others.
		over := func() {
			c.send(strings.Repeat("GET /overrrrrrrrrrrrrrrrrrrr HTTP/1.1\r\nHost: h\r\n\r\n", 30))
			for range 20 {
				other.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nPad: " + strings.Repeat("x", 3000) + "\r\n\r\nxxxxxxxxxx")
				other.want("POST", 200, "")
			}
		}
		rest := func() {
			for range 30 {
				c.want("GET", 200, "")
			}
		}
		do := func(l http1.Later, fn func(w *http1.Response)) {
			if err := l.Do(fn); err != nil {
				t.Error(err)
			}
		}
		c.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789")
		l := <-put
		over()
		do(l, func(*http1.Response) {})
		c.want("POST", 200, "0123456789")
		rest()

		c.send("POST /trailer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n0123456789ab\r\n0\r\nT: trailer\r\n\r\n")
		l = <-put
		over()
		do(l, func(w *http1.Response) { fmt.Fprintf(w, "%s", request.Trailer("T")) })
		c.want("POST", 200, "trailer")
		rest()

		c.send("POST /pieces HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n0123456789ab\r\n")
		l = <-put
		for range 20 {
			other.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nPad: " + strings.Repeat("x", 3000) + "\r\n\r\nxxxxxxxxxx")
			other.want("POST", 200, "")
		}
		c.send("0\r\nPad: " + strings.Repeat("x", 3000) + "\r\n\r\n")
		do(l, func(*http1.Response) {})
		c.want("POST", 200, "0123456789ab")
	})
}

// A BodyFunc that is told that its client is gone may call all that it may call at other times.
func TestNobodyToAnswer(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		told, got := make(chan string, 1), make(chan bool, 1)
		s := start(t, cfg, echoes, &http1.Options{BufferBody: 10, Stream: func(_ *http1.Response, r *http1.Request) http1.BodyFunc {
			waits := string(r.Path()) == "/waits"
			return func(w *http1.Response, _ []byte, err error) {
				if err == nil {
					if waits {
						w.Later()
					}
					got <- true
					return
				}
				f, ferr := os.Open(os.DevNull)
				if ferr != nil {
					t.Error(ferr)
				}
				w.Error(500, "")
				l := w.Later()
				told <- fmt.Sprint(err, w.Unsent(), l.Do(func(*http1.Response) {}), w.Flush(), w.SendFile(f, 0, 1))
			}
		}})
		for _, path := range []string{"/waits", "/reads"} {
			c := dial(t, s)
			c.send("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\nabc")
			<-got
			if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			c.Close()
			select {
			case what := <-told:
				if want := fmt.Sprint(io.ErrUnexpectedEOF, 0, reactor.ErrClosed, reactor.ErrClosed, nil); what != want {
					t.Errorf("%s: %s, want %s", path, what, want)
				}
			case <-time.After(watchdog):
				t.Fatal("a BodyFunc has not been told, or has panicked")
			}
		}
	})
}

// The time that a handler lets a body wait is not the client's.
func TestBodyWaits(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel() // it waits
		const timeout = time.Second
		goesOn := make(chan error, 1)
		s := start(t, cfg, echoes, &http1.Options{BodyTimeout: timeout, BufferBody: 10, Stream: func(*http1.Response, *http1.Request) http1.BodyFunc {
			first := true
			return func(w *http1.Response, piece []byte, err error) {
				if first {
					first = false
					l := w.Later()
					time.AfterFunc(timeout+timeout/5, func() {
						if err := l.Do(func(*http1.Response) { goesOn <- nil }); err != nil {
							goesOn <- err
						}
					})
				}
			}
		}})
		c := dial(t, s)
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\nabc")
		if err := <-goesOn; err != nil {
			t.Fatal(err)
		}
		c.send("0123456789abcdefg")
		c.want("POST", 200, "")
	})
}

// The time that many bytes may take at the slowest of rates is more than an int64 of nanoseconds holds.
func TestSlowestRate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sparse")
	const size = 10e9
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
	s := start(t, reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}}, func(w *http1.Response, _ *http1.Request) {
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		if err := w.SendFile(f, 0, -1); err != nil {
			t.Error(err)
		}
	}, &http1.Options{MinRate: 1})
	c := dial(t, s)
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if n, err := io.CopyN(io.Discard, c.r, 64<<20); err != nil { // more than sockets hold
		t.Errorf("the answer ends behind %d bytes: %v", n, err)
	}
	if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
}
