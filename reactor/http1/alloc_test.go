package http1_test

import (
	"io"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

// A request costs no memory: not in the parser, not in the handler's view of it, not in the answer.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector a sync.Pool throws part of its content away")
	}
	body := []byte("Hello, World!")
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		if cfg.Variant != reactor.Single && cfg.Variant != reactor.Multi {
			t.Skip("only loops promise it")
		}
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if string(r.Path()) != "/plain" || string(r.Header("accept")) != "*/*" || !r.IsGet() {
				w.Status(404)
			}
			w.Header("X-One", "two")
			w.Body(body)
		}, nil)
		c := dial(t, s)
		const n = 16 // of a pipeline
		in := []byte(strings.Repeat("GET /plain?x=y HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n", n))
		c.send("GET /plain HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")
		res := c.want("GET", 200, string(body))
		// The answers are of one length, which is that of their head and body.
		one := len("HTTP/1.1 200 OK\r\n\r\n") + len(body)
		for name, values := range res.Header {
			one += len(name) + len(": ") + len(values[0]) + len("\r\n")
		}
		out := make([]byte, n*one)
		turn := func() {
			if _, err := c.Write(in); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c.Conn, out); err != nil {
				t.Fatal(err)
			}
		}
		turn()
		if got := testing.AllocsPerRun(300, turn); got >= 1 {
			t.Errorf("%v allocations for %d requests, want none", got, n)
		}
		if got := strings.Count(string(out), "\r\n\r\n"+string(body)); got != n {
			t.Errorf("%d answers in %q, want %d", got, out, n)
		}
	})
}
