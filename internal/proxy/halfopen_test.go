//go:build linux

package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/halfopen"
	"github.com/sluiceio/sluice/reactor"
)

func TestMain(m *testing.M) {
	halfopen.Main()
	os.Exit(m.Run())
}

// greeting is what the upstream of TestHalfOpen begins with. A client that has it was joined; a reset without it may be the kernel's, which had no room for the connection.
const greeting = "!"

// greeter greets, and sends back what comes.
type greeter struct{ reactor.Base }

func (greeter) OnOpen(c *reactor.Conn) { _, _ = c.WriteString(greeting) } // the client sees what is missing

func (greeter) OnData(c *reactor.Conn) { _, _ = c.Write(c.Next(-1)) } // as above

func (greeter) OnEOF(c *reactor.Conn) { c.Close() }

// TestHalfOpen has 20,000 clients come at once that send a few bytes, or nothing. Each has a connection to an upstream, and both are reset when the time of Config.IdleTimeout is over, since the
// end of a stream would say that it is complete. The memory, with that of the upstream, is bounded and comes back, and clients that send are served all the while, new ones, too.
func TestHalfOpen(t *testing.T) {
	const (
		part  = "GE"
		files = 500 // that the test needs beside these connections
		each  = 3   // files of a client: that of the proxy for it and for the upstream, and that of the upstream, which are of this one process
	)
	many := 20_000
	if halfopen.RaceEnabled {
		many /= 4 // it takes several times the processor, and what is new with more of them, the memory, is not looked at
	}
	for _, name := range []string{"uring", "epoll"} {
		t.Run(name, func(t *testing.T) {
			halfopen.NeedBackend(t, name)
			room := min(many, (halfopen.FilesMax(t)-files)/each)
			for idle := 2 * time.Second; ; idle *= 2 {
				const most = 8 * time.Second
				hasty := func(ended map[string]int) bool { // a busy machine has not got so far as to send their bytes back
					return idle < most && ended[halfopen.End(part, greeting, "ECONNRESET")] > 0
				}
				open := testHalfOpen(t, hasty, reactor.Config{
					Backend: name, Listen: []string{"tcp://127.0.0.1:0"}, IdleTimeout: idle, MaxConns: 2 * room,
				}, halfopen.Trial{
					Count: many, Cost: 6 << 10, Send: []string{part, ""}, Ask: "hello", Answer: hello, Newcomers: true, Servers: 3,
					Ends: func(sent string) string { return halfopen.End(sent, greeting+sent, "ECONNRESET") },
				})
				if t.Failed() || open > 2*(room-room/20) {
					return
				}
				if idle >= most {
					t.Fatalf("no more than %d connections were there at a time, want nearly %d", open, 2*room)
				}
			}
		})
	}
}

// testHalfOpen says how many connections the proxy had at a time. With what is hasty it only says that there were none.
func testHalfOpen(t *testing.T, hasty func(ended map[string]int) bool, cfg reactor.Config, trial halfopen.Trial) (open int) {
	t.Helper()
	// Two, since an address has no more than some 28,000 ports to be reached from.
	up := reactor.Config{Backend: cfg.Backend}
	r := run(t, cfg, behind(t, up, greeter{}), behind(t, up, greeter{}))
	trial.Server, trial.Open = r.Addrs()[0], func() int { return r.Server.Stats().Open }
	out := trial.Run(t)
	t.Logf("IdleTimeout %v: %v", cfg.IdleTimeout, out)
	if hasty(out.Ended) {
		return 0
	}
	out.Check(t, trial)
	return out.Open
}

// hello reads the echo of hello, behind the greeting if that was not read yet.
func hello(r *bufio.Reader) error {
	const want = "hello"
	if b, err := r.Peek(1); err != nil {
		return err
	} else if string(b) == greeting {
		_, _ = r.Discard(1) // it is there
	}
	var got [len(want)]byte
	if _, err := io.ReadFull(r, got[:]); err != nil {
		return err
	}
	if string(got[:]) != want {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}
