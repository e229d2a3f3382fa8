package kv

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/halfopen"
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
				return string(contents(t, o.AppendOnly)) == string(wire("SET", "a", "1"))
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

// TestWrittenAgain: what was logged while a batch could not be written has its turn when that one is written, and so has all behind it.
func TestWrittenAgain(t *testing.T) {
	for _, policy := range []Fsync{FsyncAlways, FsyncEverySec, FsyncNo} {
		t.Run("fsync="+policy.String(), func(t *testing.T) {
			o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: policy, retry: 10 * time.Millisecond}
			run := start(t, o, reactor.Config{Tick: time.Millisecond})
			a := run.srv.aof
			other := dial(t, run.addr)
			back := replaced(t, a, "/dev/full")
			c := dial(t, run.addr)
			c.send("SET", "a", "1")
			eventually(t, "changes are refused", func() bool { return a.failed() != nil })
			// What expires is logged still, and has its own poke, which finds the batch before it.
			a.log(wordDel, []byte("expired"))
			a.start()
			_, _ = c.reply() // with FsyncAlways the connection ends
			eventually(t, "the poke is taken", func() bool { return len(a.kick) == 0 && !a.pending.Load() })
			tries := a.engine.Stats().Submitted
			eventually(t, "and what it has tried is over", func() bool { return a.engine.Stats().Submitted > tries+4 })
			back()
			eventually(t, "changes are taken again", func() bool { return a.failed() == nil })
			other.want("+OK\r\n", "SET", "b", "2")
			eventually(t, "all is in the file", func() bool { return entries(t, o.AppendOnly) == 3 })
		})
	}
}

// TestFsyncFails: where writes are followed by an fsync, nobody knows what is on the disk then, and nothing is changed any more. /dev/null takes every write, and no fsync: a reply would be one that did not wait for it.
func TestFsyncFails(t *testing.T) {
	each(t, func(t *testing.T, cfg reactor.Config) {
		o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: FsyncAlways, Backend: cfg.Backend, byFsync: true}
		run := start(t, o, cfg)
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
	})
}

// The process of TestKill is this program again.
const (
	killEnv    = "SLUICE_KV_KILL"
	variantEnv = "SLUICE_KV_VARIANT"
)

func TestMain(m *testing.M) {
	halfopen.Main()
	if path := os.Getenv(killEnv); path != "" {
		fmt.Println(serveUntilKilled(path, os.Getenv(variantEnv)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serveUntilKilled(path, variant string) error {
	v, err := reactor.ParseVariant(variant)
	if err != nil {
		return err
	}
	cfg := reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}, Variant: v}
	srv, err := New(Options{AppendOnly: path, Fsync: FsyncAlways}, &cfg)
	if err != nil {
		return err
	}
	r, err := reactor.Start(cfg, srv)
	if err != nil {
		return err
	}
	fmt.Println(r.Addrs()[0])
	return r.Wait()
}

// TestKill: whatever has had a reply is there after the process was killed in the middle of the load of several clients.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aof")
	const clients = 4
	var answered [clients]int
	for round, v := range append(reactor.Variants(), reactor.Single) {
		addr, kill := serverToKill(t, path, v)
		check := dial(t, addr)
		for i, n := range answered {
			for k := range n {
				check.want("$1\r\nv\r\n", "GET", fmt.Sprint(i, ".", k))
			}
		}
		var wg sync.WaitGroup
		var total atomic.Int64
		for i := range clients {
			c := dial(t, addr)
			from := answered[i]
			wg.Go(func() {
				for k := range 1000 {
					if _, err := c.conn.Write(wire("SET", fmt.Sprint(i, ".", from+k), "v")); err != nil {
						return // it was killed
					}
				}
			})
			wg.Go(func() {
				for {
					got, err := c.reply()
					if err != nil {
						return // it was killed
					}
					if got != "+OK\r\n" {
						t.Errorf("%v: SET: %q", v, got)
						return
					}
					answered[i]++
					total.Add(1)
				}
			})
		}
		eventually(t, "some are answered", func() bool { return total.Load() > int64(20+20*round) })
		kill()
		wg.Wait()
	}
}

// serverToKill starts a process with a server, and gives what kills it.
func serverToKill(t *testing.T, path string, v reactor.Variant) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+path, variantEnv+"="+v.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it has ended otherwise
		_ = cmd.Wait()         // it was killed
	})
	t.Cleanup(kill)
	addr, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %q, %v", v, addr, err)
	}
	return strings.TrimSpace(addr), kill
}
