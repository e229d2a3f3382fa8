package halfopen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/backend"
)

const (
	watchdog = 90 * time.Second // within which all connections have ended
	lookEach = 5 * time.Millisecond
	regulars = 4 // clients that behave well

	// restMax is the resident memory of a server for what the other clients leave for the collector, and for what is kept for connections to come: 13 to 21 MiB were seen.
	// With all that 20,000 take, it would be more.
	restMax = 28 << 20
)

// Trial has a server hold half-open connections until it has ended them all, while other clients go on asking it.
type Trial struct {
	Server net.Addr
	Count  int      // of the half-open connections
	Send   []string // what they send, as for Hold
	Ask    string   // what a client that behaves well sends
	// Answer reads what it must get, and nothing more.
	Answer func(*bufio.Reader) error
	// Ends is how a half-open connection must have ended that sent this, as End tells it. nil: with nothing that came, and EOF.
	Ends func(sent string) string
	// Fold makes equal what differs from one end to the next, such as a date. nil: nothing does.
	Fold func(end string) string
	// Newcomers has clients connect anew all the time, too, which must have their turn in the end however many wait before them. They take files of this process.
	Newcomers bool
	Open      func() int // how many connections the server has
	Servers   int        // how many servers this process has that serve these clients. Default: 1
	Cost      int64      // how much resident memory of the server each may take, with as much again of what the collector has not come to
}

// Outcome is what has come of a Trial.
type Outcome struct {
	Ended    map[string]int // how many half-open connections for each End
	Anew     int            // how many had to be made anew, because the kernel had forgotten them before the server had them
	Clients  int            // connections of other clients that the server has had
	Open     int            // the most connections at a time that were seen
	Answered uint64         // answers to clients that were connected before
	Newcome  uint64         // answers to those that came meanwhile
	// Before, Most and After are the resident memory of the server, which is this process, in bytes.
	Before, Most, After int64
}

func (o Outcome) String() string {
	return fmt.Sprintf("%d connections at a time, %d made anew, %d answers to others and %d to new ones, %d KiB resident before, %d at most, %d after",
		o.Open, o.Anew, o.Answered, o.Newcome, o.Before>>10, o.Most>>10, o.After>>10)
}

// Check wants all half-open connections to have ended as tr.Ends says, and the memory to have been bounded, and to have come back.
func (o Outcome) Check(t testing.TB, tr Trial) {
	t.Helper()
	ends := tr.Ends
	if ends == nil {
		ends = func(sent string) string { return End(sent, "", "EOF") }
	}
	want := map[string]int{}
	for i := range tr.Count {
		want[ends(tr.Send[i%len(tr.Send)])]++
	}
	got := map[string]int{}
	for end, n := range o.Ended {
		if tr.Fold != nil {
			end = tr.Fold(end)
		}
		got[end] += n
	}
	if !maps.Equal(got, want) {
		t.Errorf("the connections have ended with\n%v, want\n%v", got, want)
	}
	if RaceEnabled {
		return // the detector's own memory is more
	}
	rest := restMax * int64(max(tr.Servers, 1))
	if cost := o.Most - o.Before; cost > rest+int64(o.Open)*tr.Cost {
		t.Errorf("%d connections take %d KiB", o.Open, cost>>10)
	}
	if left := o.After - o.Before; left > rest {
		t.Errorf("%d KiB are left when all have ended", left>>10)
	}
}

// NeedBackend skips a test without a backend, and fails it where REQUIRE_BACKENDS names that.
func NeedBackend(t testing.TB, name string) {
	t.Helper()
	for _, b := range backend.Probe() {
		switch {
		case b.Name != name || b.Available:
		case slices.Contains(strings.Split(os.Getenv("REQUIRE_BACKENDS"), ","), name):
			t.Fatalf("%s is required: %v", name, b.Err)
		default:
			t.Skipf("no %s here: %v", name, b.Err)
		}
	}
}

// Run runs the trial.
func (tr Trial) Run(t testing.TB) Outcome {
	t.Helper()
	mem, err := os.Open("/proc/self/statm") // now, since there may be no files left later
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	ctx, stop := context.WithCancel(context.Background())
	var o Outcome
	var answered, newcome atomic.Uint64
	var clients sync.WaitGroup
	defer clients.Wait()
	defer stop()
	for range regulars {
		c := tr.connect(t)
		clients.Go(func() {
			defer c.Close()
			tr.regular(ctx, t, c, &answered)
		})
	}
	eventually(t, "the clients are answered", func() bool { return answered.Load() > 100 })
	before := answered.Load()
	debug.FreeOSMemory()
	o.Before = resident(t, mem)

	h := Hold(t, tr.Server, tr.Count, tr.Send...)
	if tr.Newcomers {
		clients.Go(func() { tr.newcomers(ctx, t, &newcome) })
	}
	limit := time.After(watchdog)
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-h.Done():
			ended = true
		case <-tick.C:
		case <-limit:
			t.Fatalf("not all of %d connections have ended within %v: %v", tr.Count, watchdog, o)
		}
		o.Open = max(o.Open, tr.Open())
		o.Most = max(o.Most, resident(t, mem))
	}
	if o.Ended, o.Anew, err = h.Ended(watchdog); err != nil {
		t.Fatal(err)
	}
	stop()
	clients.Wait()
	eventually(t, "no connection is left", func() bool { return tr.Open() == 0 })
	debug.FreeOSMemory()
	debug.FreeOSMemory() // what lies in a sync.Pool is gone at the second time
	o.After = resident(t, mem)
	o.Answered, o.Newcome = answered.Load()-before, newcome.Load()
	o.Clients = regulars + int(o.Newcome)
	return o
}

// regular asks on one connection until ctx is done.
func (tr Trial) regular(ctx context.Context, t testing.TB, c net.Conn, answered *atomic.Uint64) {
	r := bufio.NewReader(c)
	for ctx.Err() == nil {
		if err := tr.ask(c, r); err != nil {
			t.Errorf("a client that was connected before is harmed after %d answers to such: %v", answered.Load(), err)
			return
		}
		answered.Add(1)
		pause(ctx)
	}
}

// newcomers connects and asks, again and again until ctx is done, and once at least.
func (tr Trial) newcomers(ctx context.Context, t testing.TB, answered *atomic.Uint64) {
	for {
		err := tr.newcomer()
		switch {
		case err == nil:
			answered.Add(1)
		case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE): // as for forgotten
		default:
			t.Errorf("a client that is new is harmed after %d answers to such: %v", answered.Load(), err)
			return
		}
		if ctx.Err() != nil && err == nil {
			return
		}
		pause(ctx)
	}
}

// pause leaves the processor to others, as clients do that have something to do with an answer. New ones have ports, too, that are not free at once.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Millisecond):
	}
}

func (tr Trial) newcomer() error {
	c, err := net.DialTimeout(tr.Server.Network(), tr.Server.String(), watchdog)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
		return err
	}
	return tr.ask(c, bufio.NewReader(c))
}

func (tr Trial) ask(c net.Conn, r *bufio.Reader) error {
	if _, err := io.WriteString(c, tr.Ask); err != nil {
		return err
	}
	return tr.Answer(r)
}

// connect is a client's connection.
func (tr Trial) connect(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(tr.Server.Network(), tr.Server.String(), watchdog)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(2 * watchdog)); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(watchdog)
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %v: %s", watchdog, what)
		}
	}
}

// resident is the resident memory of this process.
func resident(t testing.TB, statm *os.File) int64 {
	t.Helper()
	var b [128]byte
	n, err := statm.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(b[:n]), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
