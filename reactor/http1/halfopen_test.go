//go:build linux

package http1_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/halfopen"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

func TestMain(m *testing.M) {
	halfopen.Main()
	os.Exit(m.Run())
}

const (
	// openMany is how many half-open connections there are: they send half a request, or nothing.
	openMany = 20_000
	openHalf = "GET / HTTP/1.1\r\nHo"

	// fewConns and fewFiles are bounds of the server that all of them are too many for: they are let through, one crowd after the other.
	fewConns, fewFiles = 8000, 8000

	// openFiles are those that the test needs beside the connections of the server.
	openFiles = 500
)

// TestHalfOpen has 20,000 half-open connections come at once. Those that were served before are served as before, and new ones have their turn; the
// memory is bounded and comes back; and all of them are ended, as the documentation of HeaderTimeout says, when their time is over: also those
// that had to wait for others because of MaxConns, or for want of files.
func TestHalfOpen(t *testing.T) {
	for _, name := range []string{"uring", "epoll"} {
		for _, bound := range []string{"none", "MaxConns", "files"} {
			if name == "epoll" && bound == "MaxConns" {
				continue // it is the reactor that counts, whatever the backend
			}
			t.Run(name+"/"+bound, func(t *testing.T) {
				halfopen.NeedBackend(t, name)
				cfg := reactor.Config{Backend: name, Listen: []string{"tcp://127.0.0.1:0"}, Log: quiet}
				most := openMany
				switch bound {
				case "none": // but what the system has
					if room := halfopen.FilesMax(t) - openFiles; room < most {
						cfg.MaxConns, most = room, room
					}
				case "MaxConns":
					cfg.MaxConns, most = fewConns, fewConns
				case "files":
					limitFiles(t, fewFiles)
					most = fewFiles - openFiles
				}
				testHalfOpen(t, cfg, most, bound != "files")
			})
		}
	}
}

// testHalfOpen wants most connections, or nearly so many, to have been there at a time. Whether a machine is as fast as that shows when it was tried.
func testHalfOpen(t *testing.T, cfg reactor.Config, most int, newcomers bool) {
	for timeout := 2 * time.Second; ; timeout *= 2 {
		o := &http1.Options{HeaderTimeout: timeout}
		h := &timed{ReadDeadliner: http1.New(echoes, o), timeout: timeout, opened: map[reactor.Remote]time.Time{}}
		s, err := reactor.Start(cfg, h)
		if err != nil {
			t.Fatal(err)
		}
		trial := halfopen.Trial{
			Server: s.Addrs()[0], Count: openMany, Cost: 4 << 10, Send: []string{openHalf, ""},
			Ask: "GET /other HTTP/1.1\r\nHost: h\r\n\r\n", Answer: otherAnswer,
			Ends: halfEnd, Fold: withoutDate,
			Newcomers: newcomers, Open: func() int { return s.Stats().Open },
		}
		out := trial.Run(t)
		t.Logf("HeaderTimeout %v: %v; %v", timeout, out, h)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		out.Check(t, trial)
		h.check(t, out)
		if cfg.MaxConns > 0 && out.Open > cfg.MaxConns {
			t.Errorf("%d connections were open, MaxConns is %d", out.Open, cfg.MaxConns)
		}
		if t.Failed() {
			return
		}
		if out.Open >= most-most/20 {
			return
		}
		if timeout >= 8*time.Second {
			t.Fatalf("no more than %d connections were there at a time, want nearly %d", out.Open, most)
		}
	}
}

// halfEnd is how a half-open connection must end: with a 408 if there was half a request.
func halfEnd(sent string) string {
	if sent == "" {
		return halfopen.End(sent, "", "EOF")
	}
	const body = "408 Request Timeout: the request has not come to its end in time\n"
	return halfopen.End(sent, fmt.Sprintf("HTTP/1.1 408 Request Timeout\r\nDate: then\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body), "EOF")
}

var date = regexp.MustCompile(`Date: [^\\]* GMT`)

func withoutDate(end string) string { return date.ReplaceAllString(end, "Date: then") }

// timed tells how long the connections were there that a deadline has ended, and why others have.
type timed struct {
	reactor.ReadDeadliner
	timeout time.Duration

	mu          sync.Mutex
	opened      map[reactor.Remote]time.Time
	expired     int
	first, last time.Duration // of those
}

func (h *timed) OnOpen(c *reactor.Conn) {
	h.mu.Lock()
	h.opened[c.Remote()] = time.Now() // before the deadline is set
	h.mu.Unlock()
	h.ReadDeadliner.OnOpen(c)
}

// OnReadDeadline is the server's, which an interface without it would hide.
func (h *timed) OnReadDeadline(c *reactor.Conn) { h.ReadDeadliner.OnReadDeadline(c) }

func (h *timed) OnClose(e *reactor.Ended, err error) {
	h.ReadDeadliner.OnClose(e, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	after := time.Since(h.opened[e.Remote()])
	delete(h.opened, e.Remote())
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	if h.expired++; h.expired == 1 {
		h.first = after
	}
	h.first, h.last = min(h.first, after), max(h.last, after)
}

func (h *timed) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("%d have ended by a deadline, after %v to %v", h.expired, h.first, h.last)
}

// check wants all half-open connections to have ended by their deadline: not before, and not long after. Few of them may have seen that as a
// reset, and come again: those whose half request the kernel had dropped while the backlog was full, and sent again only at their end.
func (h *timed) check(t *testing.T, out halfopen.Outcome) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	const late = 10 * time.Second // of a machine with much else to do
	if again := h.expired - openMany; again < 0 || again > min(out.Anew, openMany/20) {
		t.Errorf("%d have ended by the deadline, want %d, and of %d that were made anew few", h.expired, openMany, out.Anew)
	}
	if h.first < h.timeout || h.last > h.timeout+late {
		t.Errorf("the deadline of %v has ended connections after %v to %v", h.timeout, h.first, h.last)
	}
}

// otherAnswer reads the answer of echoes to a GET of /other.
func otherAnswer(r *bufio.Reader) error {
	res, err := http.ReadResponse(r, &http.Request{Method: "GET"})
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || string(body) != "GET /other") {
		err = fmt.Errorf("answered %s %q", res.Status, body)
	}
	return err
}

// limitFiles lowers the limit of open files until the end of the test. It comes before the server: a ring remembers the limit that an accept was submitted with.
func limitFiles(t *testing.T, n int) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = min(before.Max, uint64(n))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}
