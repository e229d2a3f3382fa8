package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

const watchdog = 60 * time.Second

// eachVariant runs f for every variant: on every backend, or once if it uses none. REQUIRE_BACKENDS turns a missing one into a failure.
func eachVariant(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	for _, v := range reactor.Variants() {
		cfg := reactor.Config{Variant: v, Loops: 2, Workers: 3, Listen: []string{"tcp://127.0.0.1:0"}}
		if v == reactor.ThreadPerConn || v == reactor.GoroutinePerConn {
			t.Run(v.String(), func(t *testing.T) { f(t, cfg) })
			continue
		}
		for _, b := range backend.Probe() {
			t.Run(v.String()+"/"+b.Name, func(t *testing.T) {
				if !b.Available {
					if strings.Contains(os.Getenv("REQUIRE_BACKENDS"), b.Name) {
						t.Fatalf("%s is required: %v", b.Name, b.Err)
					}
					t.Skipf("no %s here: %v", b.Name, b.Err)
				}
				cfg.Backend = b.Name
				f(t, cfg)
			})
		}
	}
}

// start starts a server that ends with the test.
func start(t *testing.T, cfg reactor.Config, h http1.Handler, o *http1.Options) *reactor.Server {
	t.Helper()
	return servertest.Start(t, cfg, http1.New(h, o))
}

func urlOf(s *reactor.Server) string { return "http://" + s.Addrs()[0].String() }

// client is a net/http client for one test.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{ExpectContinueTimeout: watchdog, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: watchdog}
}

// raw is a connection whose bytes the test writes itself.
type raw struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, s *reactor.Server) *raw {
	t.Helper()
	a := s.Addrs()[0]
	c, err := net.DialTimeout(a.Network(), a.String(), watchdog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	return &raw{t, c, bufio.NewReader(c)}
}

// small bounds what the connection holds of the output of the server.
func (c *raw) small() {
	c.t.Helper()
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		c.t.Fatal(err)
	}
}

func (c *raw) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads a response to a request with that method.
func (c *raw) answer(method string) (*http.Response, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("%s, and of the body %d bytes: %v", res.Status, len(body), err)
	}
	return res, string(body)
}

func (c *raw) want(method string, status int, body string) *http.Response {
	c.t.Helper()
	res, got := c.answer(method)
	if res.StatusCode != status || got != body {
		c.t.Fatalf("answered %s %q, want %d %q", res.Status, got, status, body)
	}
	return res
}

// wantEnd wants the server to end the connection, without another byte.
func (c *raw) wantEnd() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("read %q, %v; want the end", b, err)
	}
	c.Close() // the server waits for it, when it has not read all
}

// echoes tells what it has got.
func echoes(w *http1.Response, r *http1.Request) {
	fmt.Fprintf(w, "%s %s", r.Method(), r.Target())
	if b := r.Body(); len(b) > 0 {
		fmt.Fprintf(w, " %d:", len(b))
		w.Write(b)
	}
	for i := range r.Trailers() {
		name, value := r.TrailerAt(i)
		fmt.Fprintf(w, " %s=%s", name, value)
	}
}

// A server without a handler is noticed where it is made, and not by the clients.
func TestNoHandler(t *testing.T) {
	defer func() {
		if v := recover(); v != "http1: New without a Handler" {
			t.Errorf("recovered %v", v)
		}
	}()
	http1.New(nil, nil)
}

func TestClient(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<14) // 256 KiB
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) == "/big" {
				w.BodyString(big)
				return
			}
			echoes(w, r)
		}, &http1.Options{Name: "test"})
		cl := client(t)
		for i := range 3 {
			for _, c := range []struct {
				method, path string
				body         io.Reader
				want         string
			}{
				{"GET", "/", nil, "GET /"},
				{"GET", "/a?b=c", nil, "GET /a?b=c"},
				{"HEAD", "/", nil, ""},
				{"GET", "/big", nil, big},
				{"PUT", "/x", strings.NewReader("abc"), "PUT /x 3:abc"},
				{"POST", "/x", struct{ io.Reader }{strings.NewReader("chunked")}, "POST /x 7:chunked"},
				{"POST", "/x", strings.NewReader(big), "POST /x 262144:" + big},
				{"POST", "/x", struct{ io.Reader }{strings.NewReader(big)}, "POST /x 262144:" + big},
			} {
				req, err := http.NewRequest(c.method, urlOf(s)+c.path, c.body)
				if err != nil {
					t.Fatal(err)
				}
				if i == 1 {
					req.Header.Set("Expect", "100-continue")
				}
				req.Close = i == 2
				res, err := cl.Do(req)
				if err != nil {
					t.Fatalf("%s %s: %v", c.method, c.path, err)
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || string(got) != c.want || res.StatusCode != 200 {
					t.Fatalf("%s %s: %s, %d bytes, want %d, %v", c.method, c.path, res.Status, len(got), len(c.want), err)
				}
				if res.Header.Get("Server") != "test" || res.Close != req.Close {
					t.Errorf("%s %s: close %v, want %v; headers %v", c.method, c.path, res.Close, req.Close, res.Header)
				}
				checkDate(t, res)
			}
		}
	})
}

func checkDate(t *testing.T, res *http.Response) {
	t.Helper()
	d, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil || time.Since(d).Abs() > watchdog {
		t.Errorf("the date is %q, and it is %v: %v", res.Header.Get("Date"), time.Now(), err)
	}
}

func TestPipeline(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		c := dial(t, start(t, cfg, echoes, nil))
		const n = 1000
		var in strings.Builder
		for i := range n {
			switch i % 3 {
			case 0:
				fmt.Fprintf(&in, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
			case 1:
				fmt.Fprintf(&in, "POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", i)
			case 2:
				fmt.Fprintf(&in, "PUT /%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n", i)
			}
		}
		// In parts that end anywhere, and beside the reading: nobody has room for all of it.
		go func() {
			for rest := in.String(); rest != ""; {
				part := min(len(rest), 1+len(rest)%1777)
				if _, err := io.WriteString(c, rest[:part]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[part:]
			}
		}()
		for i := range n {
			c.want("GET", 200, fmt.Sprintf([]string{"GET /%d", "POST /%d 3:abc", "PUT /%d 3:abc T=u"}[i%3], i))
		}
		c.send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /behind HTTP/1.1\r\nHost: h\r\n\r\n")
		if res := c.want("GET", 200, "GET /last"); !res.Close {
			t.Error("no Connection: close")
		}
		c.wantEnd()
	})
}

// A request that comes a byte at a time is answered like any other, and what is half there when the peer ends is dropped.
func TestByteByByte(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		c := dial(t, start(t, cfg, echoes, nil))
		for _, b := range []byte("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /c") {
			c.send(string(b))
		}
		c.want("POST", 200, "POST /a 3:abc")
		c.want("POST", 200, "POST /b 3:abc")
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c.wantEnd()
	})
}

func TestKeepAlive(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) == "/close" {
				w.Close()
			}
			echoes(w, r)
		}, nil)
		for _, tc := range []struct {
			in    string
			keeps bool
		}{
			{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
			{"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
			{"GET /close HTTP/1.1\r\nHost: h\r\n\r\n", false},
			{"GET / HTTP/1.0\r\n\r\n", false},
			{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
		} {
			c := dial(t, s)
			c.send(tc.in)
			res, _ := c.answer("GET")
			if res.Close == tc.keeps || strings.Contains(tc.in, "1.0") && tc.keeps && res.Header.Get("Connection") != "keep-alive" {
				t.Errorf("%q: close is %v, headers %v", tc.in, res.Close, res.Header)
			}
			if !tc.keeps {
				c.wantEnd()
				continue
			}
			c.send(tc.in)
			c.answer("GET")
		}
	})
}

// What the peer has sent before it ends its stream is answered.
func TestHalfClose(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		c := dial(t, start(t, cfg, echoes, nil))
		c.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c.want("GET", 200, "GET /1")
		c.want("GET", 200, "GET /2")
		c.wantEnd()
	})
}

func TestContinue(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := start(t, cfg, echoes, &http1.Options{Limits: http1.Limits{MaxBody: 100}})
		c := dial(t, s)
		for _, body := range []string{"Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"} {
			head, rest, _ := strings.Cut(body, "\r\n\r\n")
			c.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n" + head + "\r\n\r\n")
			c.want("POST", 100, "")
			c.send(rest)
			c.want("POST", 200, "POST / 3:abc")
		}
		// There is nothing to be told when the body is there already, or there is none.
		c.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")
		c.want("POST", 200, "POST / 3:abc")
		c.send("GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n")
		c.want("GET", 200, "GET /")
		c.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n")
		if res, _ := c.answer("POST"); res.StatusCode != 413 {
			t.Errorf("a body that is too long: %s", res.Status)
		}
		c.wantEnd()
	})
}

// What a handler may say, and what comes of it.
func TestResponse(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			switch string(r.Path()) {
			case "/headers":
				w.Header("A", "b\r\nInjected: c")
				w.Header("bad name", "x")
				w.Header("Content-Length", "77")
				w.Header("Content-Type", "text/x")
				w.BodyString("x")
			case "/204":
				w.Status(204)
				w.BodyString("never")
			case "/304":
				w.Status(304)
				w.Header("ETag", `"x"`)
				w.BodyString("never")
			case "/mixed":
				w.BodyString("a")
				w.WriteString("b")
				w.Write([]byte("c"))
			case "/replaced":
				w.WriteString("never")
				w.Body([]byte("new"))
			case "/error":
				w.Error(503, "tired")
			case "/flush":
				w.WriteString("one")
				w.Flush()
				w.Flush()
				w.WriteString("two")
				w.Flush()
				w.WriteString("three")
			case "/declared":
				w.Length(6)
				w.WriteString("one")
				w.Flush()
				w.WriteString("two")
			}
		}, nil)
		c := dial(t, s)
		get := func(method, path string) { c.send(method + " " + path + " HTTP/1.1\r\nHost: h\r\n\r\n") }

		get("GET", "/headers")
		res := c.want("GET", 200, "x")
		if h := res.Header; h.Get("A") != "b  Injected: c" || h.Get("Injected") != "" || h.Get("Content-Length") != "1" || h.Get("Content-Type") != "text/x" || len(h) != 4 {
			t.Errorf("headers %v", h)
		}
		get("GET", "/204")
		if res := c.want("GET", 204, ""); res.Header.Get("Content-Length") != "" || res.Header.Get("Content-Type") != "" {
			t.Errorf("204 with %v", res.Header)
		}
		get("GET", "/304")
		if res := c.want("GET", 304, ""); res.Header.Get("Content-Length") != "" || res.Header.Get("ETag") != `"x"` {
			t.Errorf("304 with %v", res.Header)
		}
		get("GET", "/mixed")
		c.want("GET", 200, "abc")
		get("GET", "/replaced")
		c.want("GET", 200, "new")
		get("GET", "/error")
		c.want("GET", 503, "503 Service Unavailable: tired\n")
		get("GET", "/empty")
		if res := c.want("GET", 200, ""); res.ContentLength != 0 {
			t.Errorf("an empty body has the length %d", res.ContentLength)
		}
		get("HEAD", "/mixed")
		if res := c.want("HEAD", 200, ""); res.ContentLength != 3 {
			t.Errorf("HEAD gives the length %d, want 3", res.ContentLength)
		}
		get("GET", "/flush")
		if res := c.want("GET", 200, "onetwothree"); res.ContentLength != -1 {
			t.Errorf("a body in parts has the length %d", res.ContentLength)
		}
		get("HEAD", "/flush")
		c.want("HEAD", 200, "")
		get("GET", "/declared")
		if res := c.want("GET", 200, "onetwo"); res.ContentLength != 6 {
			t.Errorf("a declared length of 6 is %d", res.ContentLength)
		}
		c.send("GET /flush HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if res := c.want("GET", 200, "onetwothree"); !res.Close {
			t.Error("a body that ends with the connection, and that is to be kept")
		}
		c.wantEnd()
	})
}

// leaver tells of calls of OnShutdown.
type leaver struct {
	reactor.Handler
	told chan bool
}

func (l leaver) OnShutdown(c *reactor.Conn) {
	l.Handler.OnShutdown(c)
	l.told <- true
}

func TestShutdown(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		put := make(chan http1.Later, 1)
		srv := http1.New(func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) == "/later" {
				put <- w.Later()
				return
			}
			echoes(w, r)
		}, nil)
		told := make(chan bool, 3)
		s, err := reactor.Start(cfg, leaver{srv, told})
		if err != nil {
			t.Fatal(err)
		}
		idle, half, busy := dial(t, s), dial(t, s), dial(t, s)
		idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		idle.want("GET", 200, "GET /")
		half.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /half HT")
		half.want("GET", 200, "GET /")
		busy.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /behind HTTP/1.1\r\nHost: h\r\n\r\n")
		l := <-put

		ended := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), watchdog)
			defer cancel()
			ended <- s.Shutdown(ctx)
		}()
		idle.wantEnd()
		for range 3 {
			<-told
		}
		half.send("TP/1.1\r\nHost: h\r\n\r\n")
		if res := half.want("GET", 200, "GET /half"); !res.Close {
			t.Error("the request under way is answered without Connection: close")
		}
		half.wantEnd()
		if err := l.Do(func(w *http1.Response) { w.WriteString("late") }); err != nil {
			t.Error(err)
		}
		if res := busy.want("GET", 200, "late"); !res.Close {
			t.Error("an answer that was put off is sent without Connection: close")
		}
		busy.wantEnd()
		if err := <-ended; err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
}

// A client that sends requests and reads no answers does not make the server collect them.
func TestNeverReads(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.MaxOutput = 4 << 20
		body := bytes.Repeat([]byte("x"), 100<<10)
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if n := w.Unsent(); n > 256<<10+len(body)+1000 {
				t.Errorf("%d bytes of answers wait, and another is asked for", n)
			}
			w.Body(body)
		}, nil)
		c := dial(t, s)
		c.small()
		const n = 120 // 12 MB of answers, more than the sockets hold and MaxOutput together
		c.send(strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", n))
		other := dial(t, s)
		other.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		other.want("GET", 200, string(body))
		// And when it does read, it gets all of them.
		for range n {
			c.want("GET", 200, string(body))
		}
	})
}
