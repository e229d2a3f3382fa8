package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/resp"
)

// TestProtocol is what every arrangement of every backend must do.
func TestProtocol(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		addr := start(t, Options{MaxValue: 8 << 20}, cfg).addr
		for _, tc := range []struct {
			name string
			fn   func(*testing.T, *client)
		}{
			{"commands", basics},
			{"version 3", version3},
			{"pipeline", pipeline},
			{"large values", largeValues},
			{"byte by byte", byteByByte},
			{"quit", quit},
			{"half closed", halfClosed},
			{"protocol error", protocolError},
		} {
			t.Run(tc.name, func(t *testing.T) {
				c := dial(t, addr)
				c.want("+OK\r\n", "FLUSHALL")
				tc.fn(t, c)
			})
		}
	})
}

func basics(_ *testing.T, c *client) {
	c.want("+PONG\r\n", "PING")
	c.want("+OK\r\n", "SET", "k", "v")
	c.want("$1\r\nv\r\n", "get", "k")
	c.want("$-1\r\n", "GET", "none")
	c.want("+OK\r\n", "MSET", "a", "1", "b", "2")
	c.want("*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n", "MGET", "a", "none", "b")
	c.want(":3\r\n", "EXISTS", "a", "b", "k")
	c.want(":2\r\n", "INCR", "a")
	c.want(":3\r\n", "DBSIZE")
	c.want(":2\r\n", "DEL", "a", "b", "none")
	c.want(":1\r\n", "DBSIZE")
	c.want("-ERR unknown command 'LPUSH', with args beginning with: 'l' 'x' \r\n", "LPUSH", "l", "x")
	c.raw([]byte("SET inline \"a b\"\r\nGET inline\r\n"))
	if got := c.next() + c.next(); got != "+OK\r\n$3\r\na b\r\n" {
		c.t.Errorf("inline: %q", got)
	}
}

func version3(_ *testing.T, c *client) {
	if got := c.do("HELLO", "3", "SETNAME", "me"); !strings.HasPrefix(got, "%7\r\n$6\r\nserver\r\n$6\r\nsluice\r\n") || !strings.Contains(got, "$5\r\nproto\r\n:3\r\n") {
		c.t.Errorf("HELLO 3: %q", got)
	}
	c.want("_\r\n", "GET", "none")
	c.want("$2\r\nme\r\n", "CLIENT", "GETNAME")
	c.want("*2\r\n_\r\n_\r\n", "MGET", "a", "b")
	if got := c.do("INFO", "server"); !strings.HasPrefix(got, "=") || !strings.Contains(got, "\r\ntxt:# Server\r\n") {
		c.t.Errorf("INFO: %q", got)
	}
	if got := c.do("HELLO", "2"); !strings.HasPrefix(got, "*14\r\n") {
		c.t.Errorf("HELLO 2: %q", got)
	}
	c.want("$-1\r\n", "GET", "none")
}

// pipeline sends thousands of commands without waiting, in pieces that end anywhere.
func pipeline(t *testing.T, c *client) {
	const n = 3000
	var in []byte
	var want strings.Builder
	for i := range n {
		v := strings.Repeat("x", i%50)
		in = append(in, wire("SET", fmt.Sprint("k", i%7), v)...)
		in = append(in, wire("GET", fmt.Sprint("k", i%7))...)
		in = append(in, wire("INCR", "n")...)
		fmt.Fprintf(&want, "+OK\r\n$%d\r\n%s\r\n:%d\r\n", len(v), v, i+1)
	}
	sent := make(chan error, 1)
	go func() {
		for piece := 1; len(in) > 0; piece = piece*3%4001 + 1 {
			p := min(piece, len(in))
			if _, err := c.conn.Write(in[:p]); err != nil {
				sent <- err
				return
			}
			in = in[p:]
		}
		sent <- nil
	}()
	var got strings.Builder
	for range 3 * n {
		got.WriteString(c.next())
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if got.String() != want.String() {
		t.Errorf("%d bytes of replies that differ from the %d that there should be", got.Len(), want.Len())
	}
}

func largeValues(t *testing.T, c *client) {
	v := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	go func() { _, _ = c.conn.Write(wire("SET", "large", string(v))) }() // the reply tells
	if got := c.next(); got != "+OK\r\n" {
		t.Fatalf("SET: %q", got)
	}
	want := string(resp.AppendBulk(nil, v))
	if got := c.do("GET", "large"); got != want {
		t.Errorf("GET: %d bytes, want %d", len(got), len(want))
	}
	if got := c.do("MGET", "large", "none", "large"); got != "*3\r\n"+want+"$-1\r\n"+want {
		t.Errorf("MGET: %d bytes", len(got))
	}
	c.want(fmt.Sprintf(":%d\r\n", len(v)+3), "APPEND", "large", "xyz")
	c.want("$1\r\nv\r\n", "ECHO", "v")
}

// byteByByte is a slow sender, without the waiting: what has come of a command is kept.
func byteByByte(t *testing.T, c *client) {
	other := dial(t, c.conn.RemoteAddr().String())
	for i, b := range wire("SET", "slow", "v\r\n") {
		c.raw([]byte{b})
		if i%8 == 0 {
			other.want("+PONG\r\n", "PING") // the server has seen the byte by now, or sees it with the next
		}
	}
	if got := c.next(); got != "+OK\r\n" {
		t.Errorf("SET: %q", got)
	}
	other.want("$3\r\nv\r\n\r\n", "GET", "slow")
}

func quit(t *testing.T, c *client) {
	c.raw(append(append(wire("PING"), wire("QUIT")...), wire("SET", "behind", "quit")...))
	if got := c.end(); got != "+PONG\r\n+OK\r\n" {
		t.Errorf("until the end: %q", got)
	}
	dial(t, c.conn.RemoteAddr().String()).want(":0\r\n", "EXISTS", "behind")
}

func halfClosed(t *testing.T, c *client) {
	c.raw(append(wire("SET", "k", "v"), wire("GET", "k")...))
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := c.end(); got != "+OK\r\n$1\r\nv\r\n" {
		t.Errorf("until the end: %q", got)
	}
}

func protocolError(t *testing.T, c *client) {
	other := dial(t, c.conn.RemoteAddr().String())
	for _, tc := range []struct{ in, want string }{
		{"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
		{"*2\r\n$3\r\nGET\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
		{"*2\r\n$3\r\nGET\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
		{"GET \"k\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
		{strings.Repeat("x", 64<<10+1), "-ERR Protocol error: too big inline request\r\n"},
	} {
		bad := dial(t, c.conn.RemoteAddr().String())
		bad.raw([]byte("PING\r\n" + tc.in))
		if got := bad.end(); got != "+PONG\r\n"+tc.want {
			t.Errorf("%q: %q, want %q", short([]string{tc.in}), got, tc.want)
		}
		other.want("+PONG\r\n", "PING")
	}
}

// TestMSetIsAtomic: who reads several keys sees all that one MSET has set, or none of it.
func TestMSetIsAtomic(t *testing.T) {
	for _, v := range reactor.Variants() {
		t.Run(v.String(), func(t *testing.T) {
			addr := start(t, Options{}, reactor.Config{Variant: v}).addr
			const keys, rounds, ahead = 200, 20, 10 // MSETs in one piece, so that the loops are busy with them
			var wg sync.WaitGroup
			for w := range 4 {
				c := dial(t, addr)
				wg.Go(func() {
					for i := range rounds {
						args := []string{"MSET"}
						for k := range keys { // in an order of its own
							args = append(args, fmt.Sprint("key", (k+5*w)%keys), fmt.Sprintf("%d.%d", w, i))
						}
						if _, err := c.conn.Write(bytes.Repeat(wire(args...), ahead)); err != nil {
							t.Error(err)
							return
						}
						for range ahead {
							if _, err := c.reply(); err != nil {
								t.Error(err)
								return
							}
						}
					}
				})
			}
			reader := dial(t, addr)
			args := []string{"MGET"}
			for k := range keys {
				args = append(args, fmt.Sprint("key", k))
			}
			for range rounds * ahead {
				got := strings.Split(strings.TrimPrefix(reader.do(args...), fmt.Sprintf("*%d\r\n", keys)), "\r\n")
				for i := range keys {
					if len(got) > 2*keys && got[0] != "$-1" && got[2*i+1] != got[1] {
						t.Fatalf("key%d is %q, and key0 %q", i, got[2*i+1], got[1])
					}
				}
			}
			wg.Wait()
		})
	}
}

// spy keeps the handles of connections.
type spy struct {
	*Server
	opened chan reactor.Remote
}

func (s spy) OnOpen(c *reactor.Conn) {
	s.Server.OnOpen(c)
	s.opened <- c.Remote()
}

// TestReaderThatNeverReads: the server stops performing commands when the replies do not leave, and goes on when they do.
func TestReaderThatNeverReads(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		cfg.WriteHigh = 100 << 10
		cfg.Listen = []string{"tcp://127.0.0.1:0"}
		srv, err := New(Options{}, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := spy{srv, make(chan reactor.Remote, 2)}
		r, err := reactor.Start(cfg, s)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { stop(t, r) }()
		c := dial(t, r.Addrs()[0].String())
		remote := <-s.opened
		const size, n = 50 << 10, 500
		value := strings.Repeat("v", size)
		c.want("+OK\r\n", "SET", "k", value)

		var in []byte
		for range n {
			in = append(in, wire("GET", "k")...)
		}
		sent := make(chan error, 1)
		go func() {
			_, err := c.conn.Write(in)
			sent <- err
		}()
		unsent := make(chan int)
		look := func() int {
			if err := remote.Post(func(c *reactor.Conn) { unsent <- c.Unsent() }); err != nil {
				t.Fatal(err)
			}
			return <-unsent
		}
		eventually(t, "replies wait", func() bool { return look() > cfg.WriteHigh/2 }) // below it the server would go on
		other := dial(t, r.Addrs()[0].String())
		for range 50 {
			other.want("+PONG\r\n", "PING")
			if got := look(); got > cfg.WriteHigh+2*size {
				t.Fatalf("%d bytes of replies wait, with a bound of %d and values of %d", got, cfg.WriteHigh, size)
			}
		}
		want := string(resp.AppendBulk(nil, []byte(value)))
		for i := range n {
			if got := c.next(); got != want {
				t.Fatalf("reply %d: %d bytes, want %d", i, len(got), len(want))
			}
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		c.want("+PONG\r\n", "PING")
	})
}

func stop(t *testing.T, r *reactor.Server) {
	t.Helper()
	ctx, cancel := contextOf(watchdog)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestCommandsAllocateNothing, from the socket to the socket, where a loop does all.
func TestCommandsAllocateNothing(t *testing.T) {
	for _, s := range backend.Probe() {
		if !s.Available {
			continue // TestProtocol says so
		}
		t.Run(s.Name, func(t *testing.T) {
			c := dial(t, start(t, Options{}, reactor.Config{Backend: s.Name, Tick: time.Hour}).addr)
			c.want("+OK\r\n", "SET", "key", "value")
			in := append(append(wire("GET", "key"), wire("SET", "key", "other")...), wire("INCR", "n")...)
			buf := make([]byte, 4096)
			turn := func() {
				c.raw(in)
				for lines := 0; lines < 4; {
					n, err := c.conn.Read(buf)
					if err != nil {
						t.Fatal(err)
					}
					lines += bytes.Count(buf[:n], []byte("\n"))
				}
			}
			for range 100 {
				turn()
			}
			const rounds = 2000
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				turn()
			}
			runtime.ReadMemStats(&after)
			if n := after.Mallocs - before.Mallocs; n > rounds/10 { // some are the runtime's
				t.Errorf("%d allocations for %d rounds of three commands", n, rounds)
			}
		})
	}
}

// TestResets: clients that reset their connection while it is written to leave nothing behind.
func TestResets(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		run := start(t, Options{}, cfg)
		other := dial(t, run.addr)
		other.want("+OK\r\n", "SET", "k", strings.Repeat("v", 100<<10))
		for i := range 20 {
			c := dial(t, run.addr)
			for range 100 {
				c.send("GET", "k")
			}
			if i%2 == 0 {
				c.next() // the server is at it
			}
			if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			if err := c.conn.Close(); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
			other.want("+PONG\r\n", "PING")
		}
		eventually(t, "one connection is left", func() bool { return run.srv.clients.Load() == 1 })
	})
}

// TestBounds: keys, values and memory have bounds, and what is beyond is refused.
func TestBounds(t *testing.T) {
	c := dial(t, start(t, Options{MaxKey: 10, MaxValue: 100, MaxMemory: 2000}, reactor.Config{}).addr)
	c.want("-ERR key exceeds the maximum size\r\n", "SET", "12345678901", "v")
	c.want("-ERR key exceeds the maximum size\r\n", "MSET", "a", "v", "12345678901", "v")
	c.want("$-1\r\n", "GET", "12345678901")
	c.want("+OK\r\n", "SET", "1234567890", strings.Repeat("v", 99))
	c.want(":100\r\n", "APPEND", "1234567890", "v")
	c.want("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n", "APPEND", "1234567890", "v")
	const oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
	n := 0
	for ; c.do("SET", fmt.Sprint(n), "v") == "+OK\r\n"; n++ {
		if n > 100 {
			t.Fatal("2000 bytes have room for more than 100 keys")
		}
	}
	if n < 5 {
		t.Errorf("2000 bytes have room for %d keys", n)
	}
	c.want(oom, "INCR", "n")
	c.want(oom, "MSET", "x", "v")
	c.want(oom, "APPEND", "0", "v")
	c.want("$1\r\nv\r\n", "GET", "0")
	c.want(":2\r\n", "DEL", "0", "1234567890")
	c.want("+OK\r\n", "SET", "0", "v")

	big := dial(t, c.conn.RemoteAddr().String())
	big.send("SET", "k", strings.Repeat("v", 101))
	if got := big.end(); got != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("a value that is too long: %q", got)
	}
}

// TestRepliesThatAreTooLarge end the connection, with a file and without, and nothing else.
func TestRepliesThatAreTooLarge(t *testing.T) {
	for _, file := range []string{"", filepath.Join(t.TempDir(), "aof")} {
		addr := start(t, Options{MaxValue: 100, MaxReply: 1000, AppendOnly: file, Fsync: FsyncAlways}, reactor.Config{}).addr
		c, other := dial(t, addr), dial(t, addr)
		c.want("+OK\r\n", "SET", "k", strings.Repeat("v", 100))
		nine := []string{"MGET", "k", "k", "k", "k", "k", "k", "k", "k", "k"}
		if got := c.do(nine...); len(got) != len("*9\r\n")+9*len("$100\r\n\r\n")+900 {
			t.Errorf("nine values: %d bytes", len(got))
		}
		c.raw(append(wire("SET", "x", "v"), wire(append(nine, "k")...)...))
		_ = c.conn.SetReadDeadline(time.Now().Add(watchdog / 4))                                       // of an open connection
		if got, err := io.ReadAll(c.conn); errors.Is(err, os.ErrDeadlineExceeded) || len(got) > 1000 { // a reset is an end, too
			t.Errorf("ten values: %d bytes, with a bound of 1000, and then %v", len(got), err)
		}
		other.want("$1\r\nv\r\n", "GET", "x")
	}
}

// TestExpiry: a key that has expired is gone for commands at once, and taken out by itself.
func TestExpiry(t *testing.T) {
	run := start(t, Options{}, reactor.Config{Tick: time.Millisecond})
	c := dial(t, run.addr)
	const n = 3 * expirePerTick
	for i := range n {
		c.send("SET", fmt.Sprint(i), "v", "PX", "1")
	}
	for range n {
		c.next()
	}
	c.want("+OK\r\n", "SET", "stays", "v", "EX", "1000")
	eventually(t, "all but one key are taken out", func() bool { return c.do("DBSIZE") == ":1\r\n" })
	c.want("$1\r\nv\r\n", "GET", "stays")
	c.want("+OK\r\n", "SET", "short", "v", "PX", "2")
	eventually(t, "the key has expired", func() bool { return c.do("EXISTS", "short") == ":0\r\n" })
	if got := run.srv.expired.Load(); got != n+1 {
		t.Errorf("%d keys have expired, want %d", got, n+1)
	}
}

// TestOptions: what makes no sense is refused.
func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Fsync: fsyncCount}, {MaxMemory: -1}, {MaxValue: -1}, {MaxValue: 513 << 20}, {MaxKey: -1}, {MaxKey: 101, MaxValue: 100}, {MaxRequest: 99, MaxValue: 100}, {MaxReply: 1},
	} {
		var want *OptionError
		if _, err := New(o, new(reactor.Config)); !errors.As(err, &want) {
			t.Errorf("%+v: %v, want an OptionError", o, err)
		}
	}
	if _, err := New(Options{AppendOnly: "/nosuch/folder/file"}, new(reactor.Config)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	for _, f := range []Fsync{FsyncEverySec, FsyncAlways, FsyncNo} {
		if got, err := ParseFsync(f.String()); got != f || err != nil {
			t.Errorf("ParseFsync(%v): %v, %v", f, got, err)
		}
	}
	if _, err := ParseFsync("never"); err == nil {
		t.Error("ParseFsync(never): no error")
	}
}
