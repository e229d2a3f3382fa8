package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

// An answer that is put off holds up those behind it, and nothing else.
func TestLater(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		put := make(chan http1.Later, 10)
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) == "/later" {
				w.WriteString("first ")
				put <- w.Later()
				return
			}
			echoes(w, r)
		}, nil)
		c, other := dial(t, s), dial(t, s)
		c.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /behind HTTP/1.1\r\nHost: h\r\n\r\n")
		l := <-put
		other.send("GET /other HTTP/1.1\r\nHost: h\r\n\r\n")
		other.want("GET", 200, "GET /other")

		do := func(l http1.Later, fn func(w *http1.Response)) {
			t.Helper()
			if err := l.Do(fn); err != nil {
				t.Error(err)
			}
		}
		do(l, func(w *http1.Response) {
			w.WriteString("second ")
			put <- w.Later()
		})
		again := <-put
		do(l, func(w *http1.Response) { t.Error("a Later was used twice") })
		do(again, func(w *http1.Response) { w.WriteString("third") })
		c.want("GET", 200, "first second third")
		c.want("GET", 200, "GET /behind")

		// A body in parts, from a goroutine.
		c.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
		l = <-put
		for range 3 {
			do(l, func(w *http1.Response) {
				w.WriteString("part ")
				if err := w.Flush(); err != nil {
					t.Error(err)
				}
				put <- w.Later()
			})
			l = <-put
		}
		do(l, func(w *http1.Response) {})
		c.want("GET", 200, "first part part part ")

		// The peer is gone.
		c.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
		l = <-put
		if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.Close()
		for limit := time.Now().Add(watchdog); l.Open(); runtime.Gosched() {
			if time.Now().After(limit) {
				t.Fatal("the server does not notice a reset")
			}
		}
		if err := l.Do(func(*http1.Response) { t.Error("called without a connection") }); !errors.Is(err, reactor.ErrClosed) {
			t.Errorf("Do without a connection: %v", err)
		}
	})
}

// An answer that is put off has all the time it needs: the timeouts are for the client.
func TestLaterTakesLong(t *testing.T) {
	const timeout = 300 * time.Millisecond
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		asked := make(chan bool, 100)
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			l := w.Later()
			time.AfterFunc(3*timeout, func() { l.Do(func(w *http1.Response) { w.WriteString("late") }) })
			asked <- true
		}, &http1.Options{HeaderTimeout: timeout, IdleTimeout: timeout, BodyTimeout: timeout})
		for {
			c := dial(t, s)
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n") // an error: it has come too late for the server
			select {
			case <-asked:
				c.want("GET", 200, "late")
				return
			case <-time.After(10 * timeout):
			}
		}
	})
}

// A body that is too long to be collected is handed over in pieces.
func TestStream(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		broken := make(chan error, 10)
		s := start(t, cfg, echoes, &http1.Options{
			Limits: http1.Limits{MaxBody: 1 << 30}, BufferBody: 10,
			Stream: func(w *http1.Response, r *http1.Request) http1.BodyFunc {
				switch string(r.Path()) {
				case "/refused":
					return nil
				case "/forbidden":
					w.Error(403, "")
					return nil
				}
				var sum, n int
				return func(w *http1.Response, piece []byte, err error) {
					if err != nil && err != io.EOF {
						broken <- err
						return
					}
					for _, b := range piece {
						sum += int(b)
					}
					n += len(piece)
					if string(r.Path()) == "/enough" {
						w.Enough()
					}
					if err == io.EOF {
						fmt.Fprintf(w, "%s %d %d %s", r.Path(), n, sum, r.Trailer("T"))
					}
					if string(r.Path()) == "/slow" {
						l := w.Later()
						go l.Do(func(*http1.Response) {})
					}
				}
			},
		})
		const n = 1 << 20
		sum := n * int('x')
		body := strings.Repeat("x", n)
		cl := client(t)
		for _, path := range []string{"/", "/slow"} {
			for _, chunked := range []bool{false, true} {
				var r io.Reader = strings.NewReader(body)
				if chunked {
					r = struct{ io.Reader }{r}
				}
				res, err := cl.Post(urlOf(s)+path, "", r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if want := fmt.Sprintf("%s %d %d ", path, n, sum); string(got) != want || err != nil {
					t.Errorf("%s, chunked %v: %q, want %q, %v", path, chunked, got, want, err)
				}
			}
		}
		c := dial(t, s)
		c.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789")
		c.want("POST", 200, "POST /a 10:0123456789")
		c.send("POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nxxxxxxxx\r\n8\r\nxxxxxxxx\r\n0\r\nT: u\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n")
		c.want("POST", 200, fmt.Sprintf("/b 16 %d u", 16*'x'))
		c.want("GET", 200, "GET /c")
		c.send("POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\nExpect: 100-continue\r\n\r\n")
		c.want("POST", 100, "")
		c.send("xxxxxxxxxxxxxxxx")
		c.want("POST", 200, fmt.Sprintf("/d 16 %d ", 16*'x'))

		for path, want := range map[string]int{"/refused": 413, "/forbidden": 403, "/enough": 200} {
			c := dial(t, s)
			c.send("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nxxx")
			if res, _ := c.answer("POST"); res.StatusCode != want || !res.Close {
				t.Errorf("%s: %s, close %v", path, res.Status, res.Close)
			}
			c.wantEnd()
		}
		for _, body := range []string{"Content-Length: 1000000\r\n\r\nxxx", "Transfer-Encoding: chunked\r\n\r\nb\r\nxxxxxxxxxxx\r\nbroken"} {
			c := dial(t, s)
			c.send("POST /e HTTP/1.1\r\nHost: h\r\n" + body)
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-broken:
				if err != io.ErrUnexpectedEOF {
					t.Errorf("a body that is broken off: %v", err)
				}
			case <-time.After(watchdog):
				t.Error("a BodyFunc is not told that there will be no more")
			}
		}
	})
}
