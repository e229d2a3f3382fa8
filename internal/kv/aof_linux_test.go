package kv

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// replaced puts another file in the place of the server's, behind its back, and gives the way back.
func replaced(t *testing.T, a *aof, by string) (back func()) {
	t.Helper()
	f, err := os.OpenFile(by, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(a.file.Fd())
	saved, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Dup3(int(f.Fd()), fd, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Dup3(saved, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Close(saved); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk: when the file cannot be written no reply says that it was, changes are refused, what only reads is not, and all goes on when there is room again.
func TestFullDisk(t *testing.T) {
	for _, policy := range []Fsync{FsyncAlways, FsyncEverySec} {
		each(t, func(t *testing.T, cfg reactor.Config) {
			o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: policy, Backend: cfg.Backend, retry: time.Millisecond}
			run := start(t, o, cfg)
			other := dial(t, run.addr)
			other.want("+OK\r\n", "SET", "a", "1")
			eventually(t, "the change is in the file", func() bool {
				b, err := os.ReadFile(o.AppendOnly)
				return err == nil && string(b) == string(wire("SET", "a", "1"))
			})
			back := replaced(t, run.srv.aof, "/dev/full")
			c := dial(t, run.addr)
			c.send("SET", "b", "2")
			got, err := c.reply()
			if policy == FsyncAlways && err == nil {
				t.Errorf("a change that is not on the disk has the reply %q", got)
			}
			if policy == FsyncEverySec && got != "+OK\r\n" {
				t.Errorf("the change has the reply %q (%v)", got, err)
			}
			const misconf = "-MISCONF Errors writing to the AOF file: No space left on device\r\n"
			eventually(t, "changes are refused", func() bool { return other.do("SET", "c", "3") == misconf })
			other.want(misconf, "INCR", "a")
			other.want("$1\r\n1\r\n", "GET", "a")
			if info := other.do("INFO", "persistence"); !strings.Contains(info, "aof_last_write_status:err\r\n") {
				t.Errorf("INFO: %q", info)
			}
			back()
			eventually(t, "changes are taken again", func() bool { return other.do("SET", "d", "4") == "+OK\r\n" })
			if err := run.down(); err != nil {
				t.Fatal(err)
			}
			again := dial(t, start(t, o, cfg).addr)
			again.want("*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n4\r\n", "MGET", "a", "b", "d")
		})
	}
}

// TestFsyncFails: nobody knows what is on the disk then, and nothing is changed any more. /dev/null takes every write, and no fsync.
func TestFsyncFails(t *testing.T) {
	o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: FsyncAlways}
	run := start(t, o, reactor.Config{})
	c, other := dial(t, run.addr), dial(t, run.addr)
	back := replaced(t, run.srv.aof, "/dev/null")
	c.send("SET", "a", "1")
	if got, err := c.reply(); err == nil {
		t.Errorf("a change that is not on the disk has the reply %q", got)
	}
	const misconf = "-MISCONF Errors writing to the AOF file: Invalid argument\r\n"
	other.want(misconf, "SET", "b", "2")
	back()
	other.want(misconf, "SET", "b", "2")
	if err := run.down(); err == nil || !strings.Contains(err.Error(), "fsync") {
		t.Errorf("Close: %v, want one that says fsync", err)
	}
}

// The process of TestKill is this program again.
const killEnv = "SLUICE_KV_KILL"

func TestMain(m *testing.M) {
	if path := os.Getenv(killEnv); path != "" {
		cfg := reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}}
		srv, err := New(Options{AppendOnly: path, Fsync: FsyncAlways}, &cfg)
		if err == nil {
			var r *reactor.Server
			if r, err = reactor.Start(cfg, srv); err == nil {
				fmt.Println(r.Addrs()[0])
				err = r.Wait()
			}
		}
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestKill: whatever has had a reply is there after the process was killed.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aof")
	answered := 0
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		addr, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, strings.TrimSpace(addr))
		for i := range answered {
			c.want("$1\r\nv\r\n", "GET", fmt.Sprint(i))
		}
		for i := range 100 {
			c.send("SET", fmt.Sprint(answered+i), "v")
		}
		for range 20 + 20*round {
			if got := c.next(); got != "+OK\r\n" {
				t.Fatalf("SET: %q", got)
			}
			answered++
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
}
