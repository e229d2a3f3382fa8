//go:build unix

package reactor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/reactor"
)

const watchdog = 60 * time.Second

// event is a callback that was called.
type event struct {
	name   string
	err    error
	data   string
	remote reactor.Remote
}

// recorder is a handler that tells what is called, and does what the test wants.
type recorder struct {
	reactor.Base
	events         chan event
	onOpen, onData func(*reactor.Conn)
	onEOF          func(*reactor.Conn)
	onShutdown     func(*reactor.Conn)
}

func newRecorder() *recorder { return &recorder{events: make(chan event, 1<<12)} }

func (r *recorder) OnOpen(c *reactor.Conn) {
	r.events <- event{name: "open", remote: c.Remote()}
	if r.onOpen != nil {
		r.onOpen(c)
	}
}

func (r *recorder) OnData(c *reactor.Conn) {
	r.events <- event{name: "data", data: string(c.Peek(-1)), remote: c.Remote()}
	if r.onData != nil {
		r.onData(c)
		return
	}
	c.Discard(-1)
}

func (r *recorder) OnEOF(c *reactor.Conn) {
	r.events <- event{name: "eof", remote: c.Remote()}
	if r.onEOF != nil {
		r.onEOF(c)
		return
	}
	c.Close()
}

func (r *recorder) OnClose(e *reactor.Ended, err error) {
	r.events <- event{name: "close", err: err, remote: e.Remote()}
}

func (r *recorder) OnShutdown(c *reactor.Conn) {
	if r.onShutdown != nil {
		r.onShutdown(c)
		return
	}
	c.Close()
}

// wait is the next callback with this name.
func (r *recorder) wait(t *testing.T, name string) event {
	t.Helper()
	for limit := time.After(watchdog); ; {
		select {
		case e := <-r.events:
			if e.name == name {
				return e
			}
		case <-limit:
			t.Fatalf("no %s within %v", name, watchdog)
		}
	}
}

// untilClose is the next end of a connection, and whether input has come before.
func (r *recorder) untilClose(t *testing.T) (end event, data bool) {
	t.Helper()
	for limit := time.After(watchdog); ; {
		select {
		case e := <-r.events:
			if e.name == "close" {
				return e, data
			}
			data = data || e.name == "data"
		case <-limit:
			t.Fatalf("no end within %v", watchdog)
		}
	}
}

// eachVariant runs f for every variant: for those with an engine on every backend, and for those without.
func eachVariant(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	eachStrand(t, f)
	eachEngine(t, f)
}

// eachEngine runs f for every variant that has an engine, on every backend.
func eachEngine(t *testing.T, f func(t *testing.T, cfg reactor.Config)) {
	for _, a := range engineVariants() {
		t.Run(a.String(), func(t *testing.T) {
			need(t, a.backend)
			f(t, reactor.Config{Variant: a.Variant, Backend: a.backend, Loops: 2, Workers: 3, Listen: []string{"tcp://127.0.0.1:0"}})
		})
	}
}

// serve starts a server that ends with the test.
func serve(t *testing.T, cfg reactor.Config, h reactor.Handler) *reactor.Server {
	t.Helper()
	return servertest.Start(t, cfg, h)
}

// dial connects to a server. The connection ends with the test, and within the watchdog's time.
func dial(t *testing.T, s *reactor.Server) net.Conn {
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
	return c
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

// wantEnd wants the server to end the connection, orderly or by a reset, before it sends anything else.
func wantEnd(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want the end", n, err)
	}
}

func TestTimeouts(t *testing.T) {
	const soon = 30 * time.Millisecond
	for _, tc := range []struct {
		name string
		set  func(cfg *reactor.Config, r *recorder)
		send string
	}{
		{name: "idle", set: func(cfg *reactor.Config, _ *recorder) { cfg.IdleTimeout = soon }},
		{name: "idle after data", send: "x", set: func(cfg *reactor.Config, _ *recorder) { cfg.IdleTimeout = soon }},
		{name: "open", set: func(cfg *reactor.Config, _ *recorder) { cfg.OpenTimeout = soon }},
		{name: "read deadline in OnOpen", set: func(_ *reactor.Config, r *recorder) {
			r.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(soon)) }
		}},
		{name: "read deadline in OnData", send: "x", set: func(_ *reactor.Config, r *recorder) {
			r.onData = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(soon)) }
		}},
		{name: "read deadline moved forward", send: "x", set: func(_ *reactor.Config, r *recorder) {
			r.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(time.Hour)) }
			r.onData = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(soon)) }
		}},
		{name: "read deadline that has passed", set: func(_ *reactor.Config, r *recorder) {
			r.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(-time.Hour)) }
		}},
		{name: "write deadline", send: "x", set: func(_ *reactor.Config, r *recorder) {
			r.onData = func(c *reactor.Conn) {
				c.SetWriteDeadline(time.Now().Add(soon))
				c.Write(make([]byte, 32<<20)) // more than the sockets hold
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachVariant(t, func(t *testing.T, cfg reactor.Config) {
				r := newRecorder()
				tc.set(&cfg, r)
				s := serve(t, cfg, r)
				for shown := false; !shown; { // the time may be over before what is sent has come
					_, _ = dial(t, s).Write([]byte(tc.send)) // an error: it is over already
					end, data := r.untilClose(t)
					if !errors.Is(end.err, os.ErrDeadlineExceeded) {
						t.Errorf("closed by %v", end.err)
					}
					shown = data || tc.send == ""
				}
			})
		})
	}
}

// TestNothingIsKept: what a crowd was sent is not kept in memory by what has sent it.
func TestNothingIsKept(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		r := newRecorder()
		r.onData = func(c *reactor.Conn) { c.Write(c.Next(-1)) }
		s := serve(t, cfg, r)
		var all []net.Conn
		for range 20 {
			all = append(all, dial(t, s))
		}
		for range 3 {
			for _, c := range all {
				send(t, c, "x")
			}
			for _, c := range all {
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := reactor.Kept(s); n != 0 {
			t.Errorf("%d operations that were submitted are referred to", n)
		}
	})
}

// TestTimeoutsTakenBack sets deadlines that are taken back, or moved, before they pass.
func TestTimeoutsTakenBack(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.OpenTimeout = time.Hour
		r := newRecorder()
		r.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(time.Hour)) }
		r.onData = func(c *reactor.Conn) {
			// The first one was to pass now. With it gone, the connection still answers.
			c.SetReadDeadline(time.Time{})
			c.SetWriteDeadline(time.Now().Add(time.Hour))
			c.Write(c.Next(-1))
		}
		c := dial(t, serve(t, cfg, r))
		for range 3 {
			send(t, c, "x")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestMaxConns(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.MaxConns = 2
		r := newRecorder()
		r.onData = func(c *reactor.Conn) { c.Write(c.Next(-1)) }
		s := serve(t, cfg, r)
		var all []net.Conn
		for range 5 {
			all = append(all, dial(t, s))
		}
		for _, c := range all {
			send(t, c, "x")
		}
		// Two are served at a time, whichever they are, and the others when these have ended.
		open := map[reactor.Remote]bool{}
		answered := 0
		for answered < len(all) {
			e := <-r.events
			switch e.name {
			case "open":
				if open[e.remote] = true; len(open) > 2 {
					t.Fatalf("%d connections are open, MaxConns is 2", len(open))
				}
			case "close":
				delete(open, e.remote)
			case "data":
				answered++
				if err := e.remote.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, c := range all {
			if got, err := io.ReadAll(c); err != nil || string(got) != "x" {
				t.Errorf("read %q, %v", got, err)
			}
		}
	})
}

// TestLinger closes connections with input that nobody reads: the answer must reach the peer all the same.
func TestLinger(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Linger = watchdog
		r := newRecorder()
		answer := bytes.Repeat([]byte("answer. "), 32<<10)
		r.onData = func(c *reactor.Conn) {
			if c.Buffered() >= 4 {
				c.Write(answer)
				c.Close()
			}
		}
		c := dial(t, serve(t, cfg, r))
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(make([]byte, 8<<20))
			sent <- err
		}()
		got := make([]byte, len(answer))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, answer) {
			t.Fatalf("read %v", err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatalf("read %d, %v; want the end", n, err)
		}
		if err := <-sent; err != nil {
			t.Errorf("the input was not taken to the end: %v", err)
		}
		c.Close()
		if e := r.wait(t, "close"); e.err != nil {
			t.Errorf("closed by %v", e.err)
		}
	})
}

func TestInputFull(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.MaxInput = 10000
		r := newRecorder()
		r.onData = func(*reactor.Conn) {} // consumes nothing
		c := dial(t, serve(t, cfg, r))
		go c.Write(make([]byte, 1<<20)) // fails when the connection ends
		if e := r.wait(t, "close"); !errors.Is(e.err, reactor.ErrInputFull) {
			t.Errorf("closed by %v", e.err)
		}
	})
}

func TestOutputFull(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.MaxOutput, cfg.WriteHigh = 100000, 50000
		r := newRecorder()
		result := make(chan error, 4)
		r.onData = func(c *reactor.Conn) {
			c.Discard(-1)
			_, err := c.Write(make([]byte, 100001))
			result <- err
			_, err = c.Write(make([]byte, 100000))
			result <- err
			_, err = c.WriteString("x")
			result <- err
			c.Close()
			_, err = c.WriteString("x")
			result <- err
		}
		c := dial(t, serve(t, cfg, r))
		send(t, c, "x")
		if got, err := io.ReadAll(c); err != nil || len(got) != 100000 {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		for i, want := range []error{reactor.ErrOutputFull, nil, reactor.ErrOutputFull, reactor.ErrClosed} {
			if err := <-result; !errors.Is(err, want) {
				t.Errorf("write %d: %v, want %v", i, err, want)
			}
		}
	})
}

// TestAcceptRests takes all fds away, and gives them back: the listener rests longer each time that it fails, and what waits in the backlog is served then.
func TestAcceptRests(t *testing.T) {
	cfgs := map[string]reactor.Config{
		"thread-per-conn": {Variant: reactor.ThreadPerConn}, "goroutine-per-conn": {Variant: reactor.GoroutinePerConn},
	}
	for _, b := range backend.Probe() {
		cfgs[b.Name] = reactor.Config{Backend: b.Name}
	}
	for name, cfg := range cfgs {
		t.Run(name, func(t *testing.T) {
			if cfg.Backend != "" {
				need(t, cfg.Backend)
			}
			limitFDs(t) // before the server starts: a ring remembers the limit that an accept was submitted with
			r := newRecorder()
			r.onData = func(c *reactor.Conn) { c.Write(c.Next(-1)) }
			cfg.Listen = []string{"tcp://127.0.0.1:0"}
			s := serve(t, cfg, r)
			warm := dial(t, s)
			send(t, warm, "x")
			r.wait(t, "data")
			c := connectWithoutFDs(t, s)
			send(t, c, "x")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// limitFDs lowers the limit of open files until the end of the test.
func limitFDs(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 200
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// connectWithoutFDs connects to a server that has no fd left to accept with, waits until it has noticed, and lets it have some again.
func connectWithoutFDs(t *testing.T, s *reactor.Server) net.Conn {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	client := os.NewFile(uintptr(fd), "client")
	defer client.Close()
	var all []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all = append(all, f)
	}
	sa := &syscall.SockaddrInet4{Port: s.Addrs()[0].(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	began := time.Now()
	if err := syscall.Connect(fd, sa); err != nil {
		t.Fatal(err)
	}
	const enough = 5
	fails := func() int { return int(s.Stats().AcceptFailed) }
	// A file that another test has left behind may be closed meanwhile, and the connection be accepted: warm is the other one.
	for limit := began.Add(watchdog); fails() < enough && (fails() == 0 || s.Stats().Accepted == 1); {
		if time.Now().After(limit) {
			t.Fatalf("%d accepts have failed: the test shows nothing", fails())
		}
		runtime.Gosched() // the loop counts it before long
	}
	n := min(fails(), enough)
	if took, least := time.Since(began), 10*time.Millisecond<<(n-1)-10*time.Millisecond; took < least {
		t.Errorf("%d accepts or more have failed within %v: the listener does not rest", n, took)
	}
	for _, f := range all {
		f.Close()
	}
	c, err := net.FileConn(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestShutdownAborts(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		r := newRecorder()
		r.onShutdown = func(*reactor.Conn) {} // does not close
		s, err := reactor.Start(cfg, r)
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, s)
		send(t, c, "x")
		r.wait(t, "data")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown: %v", err)
		}
		if e := r.wait(t, "close"); !errors.Is(e.err, reactor.ErrShutdown) {
			t.Errorf("closed by %v", e.err)
		}
		wantEnd(t, c)
		if err := r.tooLate(); err != "" {
			t.Error(err)
		}
	})
}

// tooLate says what else was called.
func (r *recorder) tooLate() string {
	select {
	case e := <-r.events:
		return e.name + " was called behind OnClose"
	default:
		return ""
	}
}

func TestUnix(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		path := filepath.Join(t.TempDir(), "s")
		cfg.Listen = []string{"unix://" + path}
		r := newRecorder()
		r.onData = func(c *reactor.Conn) { c.Write(c.Next(-1)) }
		s, err := reactor.Start(cfg, r)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 { // for several loops
			c := dial(t, s)
			send(t, c, "x")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the file of the socket is still there: %v", err)
		}
	})
}

func TestBalance(t *testing.T) {
	for _, tc := range []struct {
		balance reactor.Balance
		want    func(n0, n1 int) bool
	}{
		{reactor.RoundRobin, func(n0, n1 int) bool { return n0 == 10 && n1 == 10 }},
		{reactor.LeastConns, func(n0, n1 int) bool { return n0 == 10 && n1 == 10 }},
		{reactor.Hash, func(n0, n1 int) bool { return n0 == 20 || n1 == 20 }},
		{reactor.ReusePort, func(n0, n1 int) bool { return n0+n1 == 20 }},
	} {
		r := &counting{recorder: newRecorder(), loops: make(chan [2]int, 1<<10)}
		s := serve(t, reactor.Config{Variant: reactor.Multi, Loops: 2, Balance: tc.balance, Listen: []string{"tcp://127.0.0.1:0"}, Tick: time.Millisecond}, r)
		for range 20 {
			dial(t, s)
			r.wait(t, "open")
		}
		var n [2]int
		for limit := time.After(watchdog); n[0]+n[1] != 20; {
			select {
			case c := <-r.loops:
				n[c[0]] = c[1]
			case <-limit:
				t.Fatalf("balance %d: counted %v", tc.balance, n)
			}
		}
		if !tc.want(n[0], n[1]) {
			t.Errorf("balance %d: the loops have %v connections", tc.balance, n)
		}
	}
}

// counting tells how many connections each loop has.
type counting struct {
	*recorder
	loops chan [2]int
}

func (c *counting) OnTick(l *reactor.Loop) {
	select {
	case c.loops <- [2]int{l.Index(), l.Conns()}:
	default: // nobody looks
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]reactor.Config{
		"Listen":     {Listen: []string{"127.0.0.1:80"}},
		"Variant":    {Variant: 99},
		"Balance":    {Balance: 99},
		"Buffers":    {Buffers: 3},
		"BufferSize": {BufferSize: 1},
		"Loops":      {Variant: reactor.Multi, Loops: -1},
		"Workers":    {Workers: -1},
		"WriteLow":   {WriteHigh: 10, WriteLow: 11},
		"MaxConns":   {MaxConns: -1},
		"Tick":       {Tick: -1},
	} {
		_, err := reactor.Start(cfg, reactor.Base{})
		if ce := (*reactor.ConfigError)(nil); !errors.As(err, &ce) || ce.Field != name || !errors.Is(err, reactor.ErrInvalidConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := reactor.Start(reactor.Config{}, nil); !errors.Is(err, reactor.ErrInvalidConfig) {
		t.Errorf("no handler: %v", err)
	}
	const want = "reactor: the Handler is nil"
	if _, err := reactor.Start(reactor.Config{}, nil); err.Error() != want {
		t.Errorf("no handler: %v, want %s", err, want)
	}
	if _, err := reactor.Start(reactor.Config{Backend: "kqueue"}, reactor.Base{}); err == nil {
		t.Error("no error for a backend that does not exist")
	}
}

// TestFewInFlight has more connections than the engine may have operations in flight for. Those that are too many are closed, and the
// others are served, though none of their peers reads.
func TestFewInFlight(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Engine = &api.Options{MaxInFlight: 8} // one to accept, two for each of three connections, and one
		cfg.Loops = 1
		cfg.Log = slog.New(slog.DiscardHandler)
		r := newRecorder()
		r.onData = bigAnswer
		s := serve(t, cfg, r)
		var list []net.Conn
		for range 3 {
			c := dial(t, s)
			r.wait(t, "open")
			send(t, c, "x")
			r.wait(t, "data") // the answer is more than the sockets hold
			list = append(list, c)
		}
		for range 3 {
			wantEnd(t, dial(t, s))
		}
		if err := s.Dial(context.Background(), "tcp://"+s.Addrs()[0].String(), r, nil); err != nil {
			t.Fatal(err)
		}
		if e := r.wait(t, "close"); !errors.Is(e.err, api.ErrQueueFull) {
			t.Errorf("a dial too many ended with %v", e.err)
		}
		for _, c := range list {
			if _, err := io.CopyN(io.Discard, c, big); err != nil {
				t.Fatal(err)
			}
		}
		list[0].Close()
		r.wait(t, "close")
		send(t, dial(t, s), "x")
		r.wait(t, "data")
	})
}

// TestTooFewInFlight wants a number of operations with which nothing could go on to be refused.
func TestTooFewInFlight(t *testing.T) {
	cfg := reactor.Config{Engine: &api.Options{MaxInFlight: 3}, Listen: []string{"tcp://127.0.0.1:0"}}
	if _, err := reactor.Start(cfg, reactor.Base{}); !errors.Is(err, reactor.ErrInvalidConfig) {
		t.Errorf("Start: %v", err)
	}
}
