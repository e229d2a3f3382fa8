package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

// unharmed wants another connection to be served.
func unharmed(t *testing.T, s *reactor.Server) {
	t.Helper()
	c := dial(t, s)
	c.send("GET /other HTTP/1.1\r\nHost: h\r\n\r\n")
	c.want("GET", 200, "GET /other")
}

// Each refusal is answered with its status and ends the connection, whatever is sent behind it.
func TestBadRequests(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := start(t, cfg, echoes, &http1.Options{Limits: http1.Limits{MaxBody: 1000}})
		for _, tc := range []struct {
			name, in string
			status   int
		}{
			{"garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400},
			{"HTTP/2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
			{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
			{"folded", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400},
			{"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
			{"length and coding", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
			{"unknown coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
			{"connect", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
			{"long target", "GET /" + strings.Repeat("x", 10<<10), 414},
			{"many headers", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", 431},
			{"long body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413},
			{"long chunk", head + "3e9\r\n", 413},
			{"broken size", head + "x\r\n", 400},
			{"broken end of a chunk", head + "1\r\nabc", 400},
			{"huge size", head + "ffffffffffffffff\r\n", 400},
			{"broken trailer", head + "0\r\nA b\r\n\r\n", 400},
			{"tea", "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417},
		} {
			c := dial(t, s)
			// One that is good goes before, and one that must not be seen behind.
			c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n" + tc.in + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
			c.want("GET", 200, "GET /")
			if res, body := c.answer("GET"); res.StatusCode != tc.status || !res.Close || strings.Contains(body, "smuggled") {
				t.Errorf("%s: %s, close %v, %q; want %d", tc.name, res.Status, res.Close, body, tc.status)
			}
			c.wantEnd()
		}
		unharmed(t, s)
	})
}

// A header line of 10 MB is refused long before its end, the answer reaches a client that is still sending, and it is not kept: all that is allocated meanwhile, by
// whomever and of whatever size at a time, is a part of it. (With workers much may come until one has seen that it is too long: Config.WorkQueue, and what it has grown through.)
func TestHugeHeader(t *testing.T) {
	size := 10 << 20
	if raceEnabled {
		size = 1 << 20 // the detector looks at each byte
	}
	const allocMax = 4 << 20
	huge := []byte("GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("x", size))
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Linger = watchdog
		s := start(t, cfg, echoes, nil)
		unharmed(t, s) // what a first request needs is there
		c := dial(t, s)
		sent := make(chan int, 1)
		before := servertest.Allocated()
		go func() {
			n, _ := c.Write(huge) // an error is as good as none
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			sent <- n
		}()
		if res, _ := c.answer("GET"); res.StatusCode != 431 || !res.Close {
			t.Errorf("%s, close %v, want 431", res.Status, res.Close)
		}
		n := <-sent
		c.wantEnd()
		if took := servertest.Allocated() - before; !raceEnabled && took > allocMax {
			t.Errorf("%d bytes of a header take %d KiB, want %d at most", n, took>>10, allocMax>>10)
		}
		unharmed(t, s)
	})
}

// trickle sends one byte after the other until the server ends the connection, and wants it to answer with status before, or with nothing if that is 0.
func trickle(t *testing.T, c *raw, begin string, each time.Duration, status int) {
	t.Helper()
	c.send(begin)
	type end struct {
		got []byte
		err error
	}
	ended := make(chan end, 1)
	go func() {
		got, err := io.ReadAll(c.r)
		ended <- end{got, err}
	}()
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		select {
		case e := <-ended:
			want := "" // and the end, be it a reset: bytes may have come behind it
			if status != 0 {
				want = fmt.Sprintf("HTTP/1.1 %d ", status)
			}
			got := string(e.got)
			if errors.Is(e.err, os.ErrDeadlineExceeded) || !strings.HasPrefix(got, want) || status == 0 && got != "" ||
				strings.Contains(got, "408") != (status == 408) ||
				status != 0 && (strings.Count(got, "HTTP/1.1") != 1 || !strings.Contains(got, "\r\nConnection: close\r\n")) {
				t.Errorf("%q, and then bytes one by one: %q, %v; want %q and the end", begin, got, e.err, want)
			}
			return
		case <-tick.C:
			_, _ = c.Write([]byte("1")) // an error is as good as none
		}
	}
}

// A request that does not come to its end in time is answered with 408, and silence with silence. What is sent behind the answer is dropped, so that the client can read it.
func TestSlowSenders(t *testing.T) {
	const soon = 50 * time.Millisecond
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		for _, tc := range []struct {
			name, in string
			o        http1.Options
			status   int
		}{
			{"head", "GET / HTTP/1.1\r\nHost: ", http1.Options{HeaderTimeout: soon}, 408},
			{"method", "H", http1.Options{HeaderTimeout: soon}, 408},
			{"body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", http1.Options{BodyTimeout: soon}, 408},
			{"chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n", http1.Options{BodyTimeout: soon}, 408},
		} {
			t.Run(tc.name, func(t *testing.T) {
				s := start(t, cfg, echoes, &tc.o)
				trickle(t, dial(t, s), tc.in, 5*time.Millisecond, tc.status)
			})
		}
		for _, in := range []string{"", "\r\n", "\r"} {
			t.Run(fmt.Sprintf("silence %q", in), func(t *testing.T) {
				s := start(t, cfg, echoes, &http1.Options{HeaderTimeout: soon})
				trickle(t, dial(t, s), in, time.Hour, 0)
			})
		}
		t.Run("begun", func(t *testing.T) {
			s := start(t, cfg, echoes, &http1.Options{BodyTimeout: soon, BufferBody: 1, Stream: func(w *http1.Response, r *http1.Request) http1.BodyFunc {
				w.WriteString("begun")
				_ = w.Flush() // the client sees what is missing
				return func(*http1.Response, []byte, error) {}
			}})
			trickle(t, dial(t, s), "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n", 5*time.Millisecond, 200)
		})
		t.Run("idle", func(t *testing.T) {
			s := start(t, cfg, echoes, &http1.Options{IdleTimeout: soon, HeaderTimeout: time.Hour})
			c := dial(t, s)
			c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			c.want("GET", 200, "GET /")
			c.wantEnd()
		})
		t.Run("second head", func(t *testing.T) {
			s := start(t, cfg, echoes, &http1.Options{HeaderTimeout: 2 * time.Second, IdleTimeout: time.Hour})
			c := dial(t, s)
			c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if res, _ := c.answer("GET"); res.StatusCode != 200 {
				t.Fatal(res.Status)
			}
			trickle(t, c, "GET / HTTP/1.1\r\nHost: ", 5*time.Millisecond, 408)
		})
	})
}

// A client that is slow, but not too slow, is served.
func TestSlowEnough(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := start(t, cfg, echoes, &http1.Options{BodyTimeout: time.Millisecond, MinRate: 1})
		c := dial(t, s)
		// The first bytes come with the head, and give a second each.
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 62\r\n\r\n" + strings.Repeat("x", 60))
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range 2 {
			<-tick.C
			c.send("x")
		}
		c.want("POST", 200, "POST / 62:"+strings.Repeat("x", 62))
	})
}

// A client that does not read loses its connection when the time for it is over.
func TestStalledReader(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		closed := make(chan error, 10)
		srv := http1.New(func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) != "/big" {
				echoes(w, r)
				return
			}
			w.Body(make([]byte, 8<<20)) // more than the sockets hold
		}, &http1.Options{WriteTimeout: 50 * time.Millisecond, MinRate: 1 << 30})
		s, err := reactor.Start(cfg, watched{srv, closed})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Shutdown(t.Context())
		c := dial(t, s)
		c.small()
		c.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
		select {
		case err := <-closed:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("closed by %v", err)
			}
		case <-time.After(watchdog):
			t.Error("still open")
		}
	})
}

// watched tells why connections have ended.
type watched struct {
	reactor.Handler
	closed chan error
}

func (w watched) OnClose(e *reactor.Ended, err error) {
	w.Handler.OnClose(e, err)
	w.closed <- err
}

// Connections that are reset while they are answered do no harm.
func TestResets(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) != "/big" {
				echoes(w, r)
				return
			}
			w.Body(make([]byte, 1<<20))
		}, nil)
		for range 5 {
			c := dial(t, s)
			c.small()
			c.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\n\r\n")
			if _, err := c.r.ReadByte(); err != nil {
				t.Fatal(err)
			}
			if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		unharmed(t, s)
	})
}

// halfOpen is how many connections have sent half a request. They need two files each, of this one process.
const halfOpen = 50

func TestHalfRequests(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		t.Parallel()
		s := start(t, cfg, echoes, &http1.Options{HeaderTimeout: 2 * time.Second})
		conns := make([]*raw, halfOpen)
		for i := range conns {
			conns[i] = dial(t, s)
			_, _ = io.WriteString(conns[i], "GET / HTTP/1.1\r\nHo") // an error: its time is over already
		}
		unharmed(t, s)
		for _, c := range conns {
			if res, _ := c.answer("GET"); res.StatusCode != 408 || !res.Close {
				t.Errorf("%s, close %v, want 408", res.Status, res.Close)
			}
			c.wantEnd()
		}
	})
}

// A panic of a handler ends its connection, and nothing else.
func TestPanic(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Log = quiet
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) == "/panic" {
				panic("on purpose")
			}
			echoes(w, r)
		}, nil)
		c := dial(t, s)
		c.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n")
		c.wantEnd()
		unharmed(t, s)
	})
}
