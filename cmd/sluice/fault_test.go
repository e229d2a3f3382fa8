package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// brokenDriver opens engines of another backend, and spoils them.
type brokenDriver struct {
	name  string
	spoil func(api.Engine, int) (api.Engine, error) // the engine and its number, from 0

	mu    sync.Mutex
	count int // engines opened; guarded by mu
}

func (d *brokenDriver) Name() string                 { return d.name }
func (d *brokenDriver) Probe() (api.Features, error) { return api.Features{}, errors.New("broken") }

func (d *brokenDriver) Open(o *api.Options) (api.Engine, error) {
	e, err := backend.Open("poll", o)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	return d.spoil(e, d.count-1)
}

// brokenEngine fails in its third wait, and ever after.
type brokenEngine struct {
	api.Engine
	waits int
}

func (e *brokenEngine) Complete(done []api.Completion, w api.Wait) (int, error) {
	if e.waits++; e.waits > 2 {
		return 0, os.NewSyscallError("broken_wait", syscall.EIO)
	}
	w.Min = 0
	return e.Engine.Complete(done, w)
}

// rottenEngine flips a bit of every tenth write, and swaps the positions of every eleventh and the one after it: the first is
// found by a checksum, the second is not.
type rottenEngine struct {
	api.Engine
	swap   bool
	writes int
}

func (e *rottenEngine) Submit(ops []api.Op) (int, error) {
	for i := range ops {
		if ops[i].Code != api.OpWrite {
			continue
		}
		e.writes++
		switch {
		case !e.swap && e.writes%10 == 0:
			ops[i].Buf[1000] ^= 4
		case e.swap && e.writes%11 == 0 && i+1 < len(ops):
			ops[i].Off, ops[i+1].Off = ops[i+1].Off, ops[i].Off
		}
	}
	return e.Engine.Submit(ops)
}

// registerBroken makes the tool have more backends: one whose engines fail when they work, two that are gone
// after the first engine, with a remedy and without, two that write wrong data, and one that gives wrong results.
func registerBroken() {
	for name, swap := range map[string]bool{"rotten": false, "muddled": true} {
		backend.Register(&brokenDriver{name: name, spoil: func(e api.Engine, _ int) (api.Engine, error) {
			return &rottenEngine{Engine: e, swap: swap}, nil
		}})
	}
	backend.Register(liarDriver{})
	backend.Register(&brokenDriver{name: "failing", spoil: func(e api.Engine, _ int) (api.Engine, error) {
		return &brokenEngine{Engine: e}, nil
	}})
	for name, hint := range map[string]string{"fickle": "feed it", "hopeless": ""} {
		backend.Register(&brokenDriver{name: name, spoil: func(e api.Engine, n int) (api.Engine, error) {
			if n == 0 {
				return e, nil
			}
			return nil, errors.Join(&api.UnavailableError{Backend: name, Reason: "it is hungry", Hint: hint}, e.Close())
		}})
	}
}

func TestEngineFails(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr := echoServer(t, func() {})
	for _, c := range []struct{ args, want string }{
		{"load echo --backend failing --conns 2 --addr " + addr, "broken_wait: input/output error"},
		{"serve raw-echo --backend failing --addr 127.0.0.1:0", "broken_wait: input/output error"},
		{"serve raw-echo --backend failing --loops 2 --addr 127.0.0.1:0", "broken_wait: input/output error"},
		{"serve raw-echo --backend fickle --addr 127.0.0.1:0", "backend fickle is unavailable: it is hungry (feed it)"},
		{"serve raw-echo --backend fickle --loops 2 --addr 127.0.0.1:0", "backend fickle is unavailable: it is hungry (feed it)"},
		{"serve raw-echo --backend hopeless --addr 127.0.0.1:0", "backend hopeless is unavailable: it is hungry (sluice probe shows which backends work here)"},
	} {
		t.Run(c.args, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), watchdog)
			defer cancel()
			cmd := exec.CommandContext(ctx, exe, strings.Fields(c.args)...)
			cmd.Env = append(os.Environ(), "SLUICE_TEST_AS_TOOL=1", "SLUICE_TEST_BROKEN=1", "GOMAXPROCS=2")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("%v, want status 1", err)
			}
			if got, want := stderr.String(), "sluice: "+c.want+"\n"; got != want {
				t.Errorf("printed %q, want %q", got, want)
			}
		})
	}
}

func TestErrorLine(t *testing.T) {
	gone := errors.New("sluice: gone")
	poor := &api.UnavailableError{Backend: "uring", Reason: "forbidden"}
	hint := &api.UnavailableError{Backend: "uring", Reason: "forbidden", Hint: "allow it"}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"one", gone, "gone"},
		{"the same twice", errors.Join(gone, gone), "gone"},
		{"the same with its place", errors.Join(fmt.Errorf("connect: %w", gone), gone), "connect: gone"},
		{"two", errors.Join(gone, errors.Join(errors.New("other"), gone)), "gone; other"},
		{"a name within", fmt.Errorf("file reads on poll: %w", gone), "file reads on poll: gone"},
		{"unavailable", hint, "backend uring is unavailable: forbidden (allow it)"},
		{"unavailable, and its consequences", errors.Join(gone, hint, hint), "backend uring is unavailable: forbidden (allow it)"},
		{"no remedy", poor, "backend uring is unavailable: forbidden (sluice probe shows which backends work here)"},
		{"the environment", &backend.EnvError{Value: "uring", Err: hint}, `backend uring is unavailable: forbidden (allow it) (SLUICE_BACKEND is "uring")`},
		{"all refused", &backend.RefusedError{Refused: []backend.Refusal{{Name: "uring", Err: hint}, {Name: "poll", Err: gone}}},
			"no backend can be used: uring: forbidden (allow it); poll: gone"},
	} {
		if got := errorLine(c.err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFlagError(t *testing.T) {
	missing := &backend.NotLinkedError{Name: "uring"}
	if err := flagError(fmt.Errorf("invalid argument: %w", missing)); err != error(missing) {
		t.Errorf("got %v: a backend that is not linked is no wrong command line", err)
	}
}

func TestVersion(t *testing.T) {
	status, stdout, stderr := sluice(t, "--version")
	if status != 0 || stderr != "" || !regexp.MustCompile(`^sluice (devel|v\d\S*)\n$`).MatchString(stdout) {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
}

// echoServer answers until the test ends. It calls seen for each connection, and after each answer.
func echoServer(t *testing.T, seen func()) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			seen()
			go func() {
				defer c.Close()
				buf := make([]byte, 64)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
					seen()
				}
			}()
		}
	}()
	return l.Addr().String()
}

// interruptedLoad runs load with one connection, and interrupts it that long after it has connected.
func interruptedLoad(t *testing.T, after time.Duration, args ...string) (stdout string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	ctx, interrupt := context.WithCancel(ctx)
	var mu sync.Mutex
	var first time.Time
	late := 0 // how many answers have come behind that time
	addr := echoServer(t, func() {
		mu.Lock()
		defer mu.Unlock()
		if first.IsZero() {
			first = time.Now()
		}
		if time.Since(first) < after {
			return
		}
		// The client may have slept: it has seen the time behind the first of these, and has counted the second before the third is there.
		if late++; late > 3 || after == 0 {
			interrupt()
		}
	})
	var out, errs bytes.Buffer
	args = append([]string{"load", "echo", "--addr", addr, "--conns", "1", "--duration", "1h"}, args...)
	if status := run(ctx, args, nil, &out, &errs); status != 0 || errs.Len() > 0 {
		t.Errorf("status %d, %s", status, errs.String())
	}
	return out.String()
}

func TestLoadInterrupted(t *testing.T) {
	const early = `^load         1 connections, 64 bytes, 0.00 s, on \w+
round trips  0, n/a
latency      n/a
errors       0
interrupted  before the measurement had begun
$`
	if out := interruptedLoad(t, 0); !regexp.MustCompile(early).MatchString(out) {
		t.Errorf("interrupted at once, it printed\n%s", out)
	}
	const late = `^load         1 connections, 64 bytes, \d+\.\d\d s, on \w+
round trips  [1-9]\d*, \d+/s
latency      p50 .* µs
errors       0
interrupted  after \d+\.\d\d s of 1h0m0s
$`
	if out := interruptedLoad(t, 2*warmupMax); !regexp.MustCompile(late).MatchString(out) {
		t.Errorf("interrupted late, it printed\n%s", out)
	}

	var res map[string]any
	if err := json.Unmarshal([]byte(interruptedLoad(t, 0, "--json")), &res); err != nil {
		t.Fatal(err)
	}
	if p50, ok := res["p50_us"]; res["interrupted"] != true || res["seconds"] != 0.0 || !ok || p50 != nil {
		t.Errorf("interrupted at once: %v", res)
	}
	if err := json.Unmarshal([]byte(interruptedLoad(t, 2*warmupMax, "--json")), &res); err != nil {
		t.Fatal(err)
	}
	if res["interrupted"] != true || res["seconds"] == 0.0 || res["p50_us"] == nil {
		t.Errorf("interrupted late: %v", res)
	}
}

// TestLoadNotInterrupted: a load that has ended by itself does not say that it was.
func TestLoadNotInterrupted(t *testing.T) {
	addr := echoServer(t, func() {})
	untilMeasured(t, 20*time.Millisecond, func(d time.Duration) bool {
		status, stdout, _ := sluice(t, "load", "echo", "--addr", addr, "--conns", "1", "--duration", d.String())
		if status != 0 || strings.Contains(stdout, "interrupted") {
			t.Fatalf("status %d\n%s", status, stdout)
		}
		return !strings.Contains(stdout, notMeasured)
	})
	_, stdout, _ := sluice(t, "load", "echo", "--addr", addr, "--conns", "1", "--duration", "20ms", "--json")
	if !strings.Contains(stdout, `"interrupted":false`) {
		t.Errorf("printed %s", stdout)
	}
}

// TestBenchNothingMeasured: a row without round trips has no latencies.
func TestBenchNothingMeasured(t *testing.T) {
	var out bytes.Buffer
	if err := printBench(&out, []benchRow{{Server: "net", Client: "poll"}}); err != nil || strings.Count(out.String(), notMeasured) != 2 {
		t.Errorf("got %v\n%s", err, out.String())
	}
	if err := printBench(io.Discard, nil); err != nil {
		t.Error(err)
	}
}
