package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/tooltest"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/resp"
)

// TestAppendOnly: what was changed is there again when the server is, whatever the policy, the arrangement and the backend.
func TestAppendOnly(t *testing.T) {
	for _, policy := range []Fsync{FsyncAlways, FsyncEverySec, FsyncNo} {
		t.Run("fsync="+policy.String(), func(t *testing.T) {
			each(t, func(t *testing.T, cfg reactor.Config) {
				o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: policy, Backend: cfg.Backend}
				run := start(t, o, cfg)
				c := dial(t, run.addr)
				change(c)
				if err := run.down(); err != nil {
					t.Fatal(err)
				}
				run = start(t, o, cfg)
				changed(dial(t, run.addr))
				if got := run.srv.store.used(); got <= 0 {
					t.Errorf("%d bytes used", got)
				}
			})
		})
	}
}

// change makes one change of every kind.
func change(c *client) {
	c.t.Helper()
	for _, cmd := range [][2]string{
		{"SET k v", "+OK"}, {"SET k w KEEPTTL", "+OK"}, {"SET until v EX 1000", "+OK"}, {"SET until x KEEPTTL", "+OK"}, {"SET gone v", "+OK"}, {"DEL gone none", ":1"},
		{"MSET a 1 b 2 c 3", "+OK"}, {"MSETNX d 4 e 5", ":1"}, {"MSETNX d 6 f 7", ":0"}, {"INCR a", ":2"}, {"INCRBY a 10", ":12"}, {"DECRBY b 5", ":-3"},
		{"EXPIRE c 1000", ":1"}, {"PEXPIREAT d 99999999999999", ":1"}, {"PERSIST d", ":1"}, {"EXPIRE e -1", ":1"}, {"APPEND k x", ":2"},
		{"APPEND new y", ":1"}, {"SETNX nx 1", ":1"}, {"SETNX nx 2", ":0"}, {"SETEX sx 1000 v", "+OK"}, {"PSETEX gone 1000000 v", "+OK"}, {"GETDEL gone", "$1\r\nv"},
		{"GETSET k z", "$2\r\nwx"}, {"SET k q GET", "$1\r\nz"}, {"SET k no XX NX", "-ERR syntax error"}, {"SET past v PXAT 1", "+OK"}, {"GET past", "$-1"},
	} {
		c.want(cmd[1]+"\r\n", strings.Fields(cmd[0])...)
	}
}

// changed looks for what change has made.
func changed(c *client) {
	c.t.Helper()
	for _, cmd := range [][2]string{
		{"MGET k until a b c d e new nx sx", "*10\r\n$1\r\nq\r\n$1\r\nx\r\n$2\r\n12\r\n$2\r\n-3\r\n$1\r\n3\r\n$1\r\n4\r\n$-1\r\n$1\r\ny\r\n$1\r\n1\r\n$1\r\nv"},
		{"TTL k", ":-1"}, {"TTL d", ":-1"}, {"EXISTS past gone f", ":0"}, {"DBSIZE", ":9"},
	} {
		c.want(cmd[1]+"\r\n", strings.Fields(cmd[0])...)
	}
	for _, key := range []string{"until", "c", "sx"} {
		var n int
		if got := c.do("TTL", key); !scan(got, ":%d\r\n", &n) || n < 900 || n > 1000 {
			c.t.Errorf("TTL %s: %q", key, got)
		}
	}
}

func scan(s, format string, args ...any) bool {
	_, err := fmt.Sscanf(s, format, args...)
	return err == nil
}

// TestFlushAllIsLogged, and nothing of before comes back.
func TestFlushAllIsLogged(t *testing.T) {
	o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof")}
	run := start(t, o, reactor.Config{})
	c := dial(t, run.addr)
	c.want("+OK\r\n", "MSET", "a", "1", "b", "2")
	c.want("+OK\r\n", "FLUSHALL")
	c.want("+OK\r\n", "SET", "b", "3")
	if err := run.down(); err != nil {
		t.Fatal(err)
	}
	c = dial(t, start(t, o, reactor.Config{}).addr)
	c.want("*2\r\n$-1\r\n$1\r\n3\r\n", "MGET", "a", "b")
}

// TestExpiryIsLogged: what has expired before a later change is not there when the change is read again.
func TestExpiryIsLogged(t *testing.T) {
	o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof")}
	run := start(t, o, reactor.Config{Tick: time.Hour}) // only commands see it
	c := dial(t, run.addr)
	c.want("+OK\r\n", "SET", "n", "41", "PX", "1")
	eventually(t, "n has expired", func() bool { return c.do("GET", "n") == "$-1\r\n" })
	c.want(":1\r\n", "INCR", "n")
	if err := run.down(); err != nil {
		t.Fatal(err)
	}
	c = dial(t, start(t, o, reactor.Config{}).addr)
	c.want("$1\r\n1\r\n", "GET", "n")
}

// write makes a file.
func write(t testing.TB, b []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "aof")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load is a server with a file, that serves nobody.
func load(path string, log *slog.Logger) (*Server, error) {
	return New(Options{AppendOnly: path, Log: log}, new(reactor.Config))
}

// TestTornEnd: the beginning of an entry at the end of the file is cut off, wherever it was torn, with a line in the log; and what is written behind it is read again.
func TestTornEnd(t *testing.T) {
	whole := append(wire("SET", "a", "1"), wire("SET", "b", "\r\n")...)
	last := wire("SET", "c", "3\r\n*not an entry")
	for n := range last {
		path := write(t, append(bytes.Clone(whole), last[:n]...))
		log, lines := logged()
		srv, err := load(path, log)
		if err != nil {
			t.Fatalf("with %d bytes of the last entry: %v", n, err)
		}
		if got := len(srv.store.shards[0].keys); got != 2 {
			t.Errorf("with %d bytes of the last entry: %d keys", n, got)
		}
		if told := strings.Contains(lines.String(), fmt.Sprintf("offset=%d bytes=%d", len(whole), n)); told != (n > 0) {
			t.Errorf("with %d bytes of the last entry: the log says %q", n, lines)
		}
		srv.aof.log(wordSet, []byte("d"), []byte("4"))
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := string(whole) + string(wire("SET", "d", "4")); err != nil || string(got) != want {
			t.Fatalf("with %d bytes of the last entry: the file is %q, want %q (%v)", n, got, want, err)
		}
	}
}

// TestDamage: a file that is damaged in the middle is refused, with the place, and left as it is.
func TestDamage(t *testing.T) {
	first, second, third := wire("SET", "a", "1"), wire("SET", "b", "22"), wire("SET", "c", "3")
	at := len(first)
	for _, tc := range []struct {
		name   string
		entry  string
		reason string
	}{
		{"zeros", strings.Repeat("\x00", len(second)), "no entry begins here"},
		{"text", "SET b 22\r\n", "no entry begins here"},
		{"number of arguments", "*x\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n22\r\n", "invalid multibulk length"},
		{"more arguments", "*9\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n22\r\n", "expected '$', got '*'"},
		{"fewer arguments", "*2\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n22\r\n", "wrong number of arguments"},
		{"length", "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$9\r\n22\r\n", "does not end with CRLF"},
		{"length beyond the end", "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$999\r\n22\r\n", "has no end, and another begins at byte"},
		{"line end", "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n22xx", "does not end with CRLF"},
		{"command", "*3\r\n$3\r\nSXT\r\n$1\r\nb\r\n$2\r\n22\r\n", "changes nothing"},
		{"command that reads", "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n", "changes nothing"},
		{"value", "*3\r\n$6\r\nINCRBY\r\n$1\r\na\r\n$1\r\nx\r\n", "not an integer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := append(append(bytes.Clone(first), tc.entry...), third...)
			path := write(t, before)
			_, err := load(path, slog.New(slog.DiscardHandler))
			var damage *CorruptError
			if !errors.As(err, &damage) || damage.Offset != int64(at) || !strings.Contains(damage.Reason, tc.reason) || !strings.Contains(err.Error(), fmt.Sprint(at)) {
				t.Fatalf("%v, want a CorruptError at %d because of %q", err, at, tc.reason)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// TestLargeFile: entries may lie across the pieces in which the file is read, and be larger than one.
func TestLargeFile(t *testing.T) {
	var b []byte
	large := strings.Repeat("x", 3*loadChunk)
	for i := range 2000 {
		b = append(b, wire("SET", fmt.Sprint(i), strings.Repeat("v", 1000+i))...)
	}
	b = append(b, wire("SET", "large", large)...)
	b = append(b, wire("SET", "last", "v")...)
	srv, err := load(write(t, b), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if keys := srv.store.shards[0].keys; len(keys) != 2002 || string(keys["large"].val) != large || len(keys["1999"].val) != 2999 {
		t.Errorf("%d keys", len(keys))
	}
	if srv.aof.size() != int64(len(b)) {
		t.Errorf("the file ends at %d, want %d", srv.aof.size(), len(b))
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}

// TestRedisReadsTheFile: it is in the form of Redis.
func TestRedisReadsTheFile(t *testing.T) {
	tooltest.Find(t, "redis-server")
	o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof")}
	run := start(t, o, reactor.Config{})
	change(dial(t, run.addr))
	if err := run.down(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b, err := os.ReadFile(o.AppendOnly)
	if err != nil {
		t.Fatal(err)
	}
	// A file of before Redis 7 is taken over, if it is in the folder under its old name.
	if err := os.WriteFile(filepath.Join(dir, "appendonly.aof"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, redis(t, "--dir", dir, "--appendonly", "yes"))
	eventually(t, "Redis has read the file", func() bool { return !strings.HasPrefix(c.do("DBSIZE"), "-LOADING") })
	changed(c)
}

// TestGroupCommit: what many clients send while the disk is at work is made durable together.
func TestGroupCommit(t *testing.T) {
	for _, v := range reactor.Variants() {
		t.Run(v.String(), func(t *testing.T) {
			o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: FsyncAlways}
			run := start(t, o, reactor.Config{Variant: v})
			const clients, each = 8, 100
			var wg sync.WaitGroup
			for i := range clients {
				c := dial(t, run.addr)
				wg.Go(func() {
					var in []byte
					want := ""
					for n := range each {
						in = append(in, wire("SET", fmt.Sprint(i, ".", n), "v")...)
						in = append(in, wire("GET", fmt.Sprint(i, ".", n))...)
						want += "+OK\r\n$1\r\nv\r\n"
					}
					if _, err := c.conn.Write(in); err != nil {
						t.Error(err)
					}
					got := ""
					for range 2 * each {
						r, err := c.reply()
						if err != nil {
							t.Error(err)
							return
						}
						got += r
					}
					if got != want {
						t.Errorf("client %d: replies are not in order, or wrong", i)
					}
				})
			}
			wg.Wait()
			if n := run.srv.aof.engine.Stats().Submitted; n == 0 || n > clients*each {
				t.Errorf("%d operations for %d commands that change something", n, clients*each)
			}
			if err := run.down(); err != nil {
				t.Fatal(err)
			}
			if n := entries(t, o.AppendOnly); n != clients*each {
				t.Errorf("%d entries in the file, want %d", n, clients*each)
			}
		})
	}
}

// contents are the entries of a file that a server may have open, without the zeros that are laid out behind them.
func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return trimZeros(b)
}

func entries(t *testing.T, path string) (n int) {
	t.Helper()
	b := contents(t, path)
	var p resp.Parser
	for {
		args, used, err := p.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if args == nil {
			return n
		}
		b = b[used:]
		n++
	}
}

// TestOneAfterTheOther: with FsyncAlways a reply says that the entry is in the file.
func TestOneAfterTheOther(t *testing.T) {
	o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: FsyncAlways}
	run := start(t, o, reactor.Config{})
	c := dial(t, run.addr)
	for i := range 50 {
		c.want("+OK\r\n", "SET", "k", fmt.Sprint(i))
		if want := wire("SET", "k", fmt.Sprint(i)); !bytes.HasSuffix(contents(t, o.AppendOnly), want) {
			t.Fatalf("change %d is not at the end of the file", i)
		}
	}
	// So does the end of the stream, which comes while the reply waits.
	half := dial(t, run.addr)
	half.raw(append(wire("SET", "half", "v"), wire("GET", "half")...))
	if err := half.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := half.end(); got != "+OK\r\n$1\r\nv\r\n" {
		t.Errorf("until the end of a half-closed connection: %q", got)
	}
	// What a client has sent before it says that it sends no more is answered, too.
	c.raw(append(wire("SET", "k", "last"), wire("QUIT")...))
	if got := c.end(); got != "+OK\r\n+OK\r\n" {
		t.Errorf("until the end: %q", got)
	}
}

// TestNoReplyTooEarly: the end of a batch lets those go whose entries are in it, and not those whose entries have come since.
func TestNoReplyTooEarly(t *testing.T) {
	s := bare(t)
	a := &aof{srv: s.srv, policy: FsyncAlways, kick: make(chan struct{}, 1)}
	other := newSession(s.srv, reactor.Remote{}, 2)
	s.durable = a.log(wordDel, []byte("a"))
	if !a.await(s) || !a.take() {
		t.Fatal("the first need not wait")
	}
	other.durable = a.log(wordDel, []byte("b"))
	if !a.await(other) {
		t.Fatal("the second need not wait")
	}
	a.off += int64(len(a.batch))
	if got := a.ready(); len(got) != 1 || got[0].s != s {
		t.Errorf("the first batch lets %d go", len(got))
	}
	if a.await(s) {
		t.Error("the first waits still")
	}
	a.off = a.end
	if got := a.ready(); len(got) != 1 || got[0].s != other {
		t.Errorf("the second batch lets %d go", len(got))
	}
}

// TestBacklog: when the disk is slower than the clients, their replies wait for it with any policy, until it has caught up.
func TestBacklog(t *testing.T) {
	s := bare(t)
	a := &aof{srv: s.srv, policy: FsyncEverySec, kick: make(chan struct{}, 1)}
	large := make([]byte, backlogMax/4)
	for range 3 {
		s.durable = a.log(wordSet, []byte("k"), large)
	}
	if a.await(s) {
		t.Error("the reply waits for less than the bound")
	}
	s.durable = a.log(wordSet, []byte("k"), large)
	if !a.await(s) {
		t.Fatal("the reply does not wait for more than the bound")
	}
	if !a.take() {
		t.Fatal("nothing is to be written")
	}
	a.off += int64(len(a.batch))
	if got := a.ready(); len(got) != 1 || got[0].s != s {
		t.Errorf("%d replies go when all is written", len(got))
	}
	s.durable = a.log(wordDel, []byte("k"))
	if a.await(s) {
		t.Error("the next reply waits, and the disk has caught up")
	}
}

// TestTwoServers: a file has one server.
func TestTwoServers(t *testing.T) {
	if !locks {
		t.Skip("this system has no flock(2)")
	}
	path := write(t, nil)
	srv, err := load(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a second server: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if srv, err = load(path, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("when the first has ended: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingExpiresWhileLoading: what a change behind it has kept from expiring is there.
func TestNothingExpiresWhileLoading(t *testing.T) {
	b := append(wire("SET", "n", "41", "PXAT", "1"), wire("INCRBY", "n", "1")...)
	b = append(append(b, wire("PERSIST", "n")...), wire("SET", "gone", "v", "PXAT", "1")...)
	c := dial(t, start(t, Options{AppendOnly: write(t, b)}, reactor.Config{}).addr)
	c.want("*2\r\n$2\r\n42\r\n$-1\r\n", "MGET", "n", "gone")
}

// TestEverySec: without another change the file is made durable, and the goroutine does not go on for nothing.
func TestEverySec(t *testing.T) {
	o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: FsyncEverySec}
	run := start(t, o, reactor.Config{})
	c := dial(t, run.addr)
	c.want("+OK\r\n", "SET", "k", "v")
	a := run.srv.aof
	eventually(t, "a write and an fsync", func() bool { return a.engine.Stats().Completions == 2 })
	if _, err := io.WriteString(c.conn, "PING\r\n"); err != nil || c.next() != "+PONG\r\n" {
		t.Error(err)
	}
	if err := run.down(); err != nil {
		t.Fatal(err)
	}
	if a.synced != a.off || a.off != a.end {
		t.Errorf("durable up to %d, written up to %d, of %d", a.synced, a.off, a.end)
	}
}
