package kv

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/internal/tooltest"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/resp"
)

// redis runs a redis-server that listens on a socket in a folder of the test.
func redis(t testing.TB, args ...string) (addr string) {
	t.Helper()
	exe := tooltest.Find(t, "redis-server")
	dir, err := os.MkdirTemp("", "kv") // t.TempDir may be longer than the address of a Unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr = filepath.Join(dir, "s")
	cmd := exec.Command(exe, append([]string{"--port", "0", "--unixsocket", addr, "--dir", dir, "--save", "", "--databases", "1", "--daemonize", "no"}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if !testing.Verbose() {
		cmd.Stdout, cmd.Stderr = nil, nil
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to save
		_ = cmd.Wait()
	})
	eventually(t, "redis-server listens", func() bool {
		c, err := net.Dial("unix", addr)
		if err == nil {
			_ = c.Close() // it was only to be seen
		}
		return err == nil
	})
	return addr
}

// TestAsRedis: what both know, both answer alike, byte by byte. The commands are in testdata, one a line, as one would type them into redis-cli.
func TestAsRedis(t *testing.T) {
	text, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	theirs := redis(t)
	ours := start(t, Options{MaxValue: 512 << 20}, reactor.Config{}).addr
	for _, hello := range []string{"2", "3"} {
		t.Run("resp="+hello, func(t *testing.T) {
			a, b := dial(t, ours), dial(t, theirs)
			a.do("HELLO", hello)
			b.do("HELLO", hello)
			var p resp.Parser
			n := 0
			for i, line := range strings.Split(string(text), "\n") {
				if line == "" || line[0] == '#' {
					continue
				}
				args, _, err := p.Next([]byte(line + "\n"))
				if err != nil || args == nil {
					t.Fatalf("line %d: %v", i+1, err)
				}
				cmd := resp.AppendCommand(nil, args...)
				a.raw(cmd)
				b.raw(cmd)
				if got, want := a.next(), b.next(); got != want && !near(string(args[0]), got, want) {
					t.Errorf("line %d: %s\n ours   %q\n theirs %q", i+1, line, got, want)
				}
				n++
			}
			if n < 300 {
				t.Errorf("there are %d commands only", n)
			}
		})
	}
}

// TestBadInputAsRedis: what is no command is answered and ended as by Redis.
func TestBadInputAsRedis(t *testing.T) {
	theirs := redis(t)
	ours := start(t, Options{MaxValue: 512 << 20}, reactor.Config{}).addr
	for _, in := range []string{
		"*2147483648\r\n", "*99999999999999999999\r\n", "*x\r\n", "*1x\r\n", "*+1\r\n", "*01\r\n", "*-0\r\n", "*\r\n", "* 1\r\n",
		"*1\r\n$-1\r\n", "*1\r\n$x\r\n", "*1\r\n$\r\n", "*1\r\n$536870913\r\n", "*1\r\n$2147483648\r\n", "*1\r\n:1\r\n", "*1\r\nPING\r\n", "*1\r\n*1\r\n", "*1\r\n\xff\r\n",
		"PING \"\r\n", "PING 'x\r\n", "PING \"x\"y\r\n", "PING 'x'y\r\n", "\"\r\n", strings.Repeat("x", 70<<10),
	} {
		in = "*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n" + in
		a, b := dial(t, ours), dial(t, theirs)
		a.raw([]byte(in))
		b.raw([]byte(in))
		if got, want := a.end(), b.end(); got != want {
			t.Errorf("%q\n ours   %q\n theirs %q", short([]string{in}), got, want)
		}
	}
}

// near says whether two replies differ by what passes of time between the two: five seconds at most.
func near(cmd, got, want string) bool {
	var unit int64
	switch strings.ToLower(cmd) {
	case "ttl", "expiretime":
		unit = 1
	case "pttl", "pexpiretime":
		unit = 1000
	default:
		return false
	}
	g, err1 := strconv.ParseInt(strings.Trim(got, ":\r\n"), 10, 64)
	w, err2 := strconv.ParseInt(strings.Trim(want, ":\r\n"), 10, 64)
	return err1 == nil && err2 == nil && g > 5*unit && w > 5*unit && g-w <= 5*unit && w-g <= 5*unit
}
