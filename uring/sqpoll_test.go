//go:build linux

package uring

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// openMode is open, and skips where the kernel refuses the mode.
func openMode(t *testing.T, o *api.Options) api.Engine {
	t.Helper()
	open(t, nil)
	e, err := New(o)
	if errors.Is(err, api.ErrUnavailable) && os.Getenv("REQUIRE_BACKENDS") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, api.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

func sqpoll(idle time.Duration) api.RingOptions { return api.RingOptions{SQPoll: true, SQIdle: idle} }

// TestSQPollMakesNoCalls: who does not wait makes no system calls, however many operations there are.
func TestSQPollMakesNoCalls(t *testing.T) {
	for _, s := range []api.Strategy{api.Spin(api.MaxSpin, api.Block()), api.Spin(api.MaxSpin, api.Park())} {
		e := openMode(t, &api.Options{Strategy: s, Ring: sqpoll(10 * time.Second)})
		a, b := pair(t)
		submit(t, e, api.Nop(1))
		want(t, wait(t, e, 1)[0], 1, 0)
		before := e.Stats().Enters
		const rounds, batch = 200, 20
		buf := make([]byte, batch)
		for range rounds {
			ops := nops(batch)
			for i := range batch / 2 {
				ops[2*i] = api.Send(a, buf[i:i+1], uint64(2*i))
				ops[2*i+1] = api.Recv(b, buf[batch/2+i:batch/2+i+1], uint64(2*i+1))
			}
			submit(t, e, ops...)
			for _, c := range wait(t, e, batch) {
				want(t, c, c.Tag, 1)
			}
		}
		// The first send asks what kind of socket it is, and a look that is not long enough on a busy machine ends in a wait.
		if enters := e.Stats().Enters - before; enters > rounds*batch/100 {
			t.Errorf("%+v: %d operations took %d system calls", s, rounds*batch, enters)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSQPollSleeps: a thread that has fallen asleep is woken.
func TestSQPollSleeps(t *testing.T) {
	for _, s := range []api.Strategy{api.Block(), api.Park()} {
		e := openMode(t, &api.Options{Strategy: s, Ring: sqpoll(time.Millisecond)})
		d := driverOf(e)
		for i := range uint64(10) {
			submit(t, e, api.Nop(i))
			want(t, wait(t, e, 1)[0], i, 0)
			for end := time.Now().Add(10 * time.Second); d.ring.SQFlags()&iouring.IORING_SQ_NEED_WAKEUP == 0; {
				if time.Now().After(end) {
					t.Fatal("the thread does not fall asleep")
				}
				complete(t, e, time.Millisecond)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSQPollPerforms: Complete that does not wait returns when all that was submitted has been begun.
func TestSQPollPerforms(t *testing.T) {
	e := openMode(t, &api.Options{Ring: sqpoll(time.Millisecond)})
	a, b := pair(t)
	if err := unix.SetNonblock(b, true); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	for i := range uint64(2000) {
		submit(t, e, api.Send(a, []byte{byte(i)}, i))
		if n, err := e.Complete(nil, api.Wait{}); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := unix.Read(b, buf); n != 1 || err != nil || buf[0] != byte(i) {
			t.Fatalf("after Complete the other end has %d, %v", n, err)
		}
		want(t, wait(t, e, 1)[0], i, 1)
	}
}

func TestSQPollFullQueue(t *testing.T) {
	e := openMode(t, &api.Options{Entries: 4, CQEntries: 64, Ring: sqpoll(time.Millisecond)})
	const n = 5000
	submit(t, e, nops(n)...)
	for i, c := range wait(t, e, n) {
		want(t, c, uint64(i), 0)
	}
}

// TestSQPollWithoutExtArg: a wait that the kernel cannot limit is ended by a timeout, whose time must not change before it is read.
func TestSQPollWithoutExtArg(t *testing.T) {
	e := openMode(t, &api.Options{Disable: api.KernAll, Ring: sqpoll(time.Millisecond)})
	for i := range 50 {
		start := api.Now()
		d := time.Duration(i%5) * time.Millisecond
		complete(t, e, d)
		if took := api.Now().Sub(start); took < d {
			t.Fatalf("a wait of %v took %v", d, took)
		}
	}
}

// sqThreads are the kernel's threads that take submissions, with the processors that each may use.
func sqThreads(t *testing.T) (cpus []string) {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range tasks {
		b, err := os.ReadFile(p)
		if err != nil || !strings.HasPrefix(string(b), "Name:\tiou-sqp-") {
			continue
		}
		_, list, _ := strings.Cut(string(b), "\nCpus_allowed_list:\t")
		list, _, _ = strings.Cut(list, "\n")
		cpus = append(cpus, list)
	}
	return cpus
}

// awaitThreads waits until there are n of them: a thread ends some time after its last engine is closed.
func awaitThreads(t *testing.T, n int) (cpus []string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		if cpus = sqThreads(t); len(cpus) == n {
			return cpus
		}
		if time.Now().After(end) {
			t.Fatalf("%d threads, want %d", len(cpus), n)
		}
		unix.Poll(nil, 1)
	}
}

func TestSQCPU(t *testing.T) {
	cpu := usableCPU()
	awaitThreads(t, 0)
	e := openMode(t, &api.Options{Ring: api.RingOptions{SQPoll: true, SQIdle: time.Millisecond, SQCPU: cpu}})
	submit(t, e, api.Nop(1))
	want(t, wait(t, e, 1)[0], 1, 0)
	if got := awaitThreads(t, 1); got[0] != cpu.String() {
		t.Errorf("the thread may run on %s, want %v", got[0], cpu)
	}
	for _, o := range []api.RingOptions{{}, {Completions: api.CompletionsMixed}, {Completions: api.CompletionsWide}, {Memory: api.RingMemoryOwn}, {Attach: e}} {
		o.SQPoll, o.SQCPU = true, api.CPUs(1023)
		_, err := New(&api.Options{Ring: o})
		if !errors.Is(err, api.ErrInvalidOption) || !strings.Contains(err.Error(), "Ring.SQCPU") {
			t.Errorf("a processor that is not there, with %+v: %v", o, err)
		}
	}
}

// TestWorkerCPUsThatAreNot: the kernel passes over numbers that it has no room for, and a set of nothing but those would leave the workers none.
func TestWorkerCPUsThatAreNot(t *testing.T) {
	for _, c := range []api.CPUSet{api.CPUs(1023), api.CPUs(0, 1023)} {
		_, err := New(&api.Options{Ring: api.RingOptions{WorkerCPUs: c}})
		if !errors.Is(err, api.ErrInvalidOption) || !strings.Contains(err.Error(), "Ring.WorkerCPUs") {
			t.Errorf("WorkerCPUs %v: %v", c, err)
		}
	}
}

// TestWorkerCPUsOfOthers: the workers may run where the thread may not, as long as the program may.
func TestWorkerCPUsOfOthers(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("it takes two processors")
	}
	inThread(func() {
		var all unix.CPUSet
		if err := unix.SchedGetaffinity(0, &all); err != nil {
			t.Error(err)
			return
		}
		first := usableCPU()
		rest := api.CPUSet{}
		one := new(unix.CPUSet)
		for n := range cpusMax {
			if first.Has(n) {
				one.Set(n)
			} else if all.IsSet(n) {
				rest = api.CPUs(n)
			}
		}
		if err := unix.SchedSetaffinity(0, one); err != nil {
			t.Error(err)
			return
		}
		e, err := New(&api.Options{Ring: api.RingOptions{WorkerCPUs: rest}})
		if err != nil {
			t.Error(err)
			return
		}
		var now unix.CPUSet
		if err := unix.SchedGetaffinity(0, &now); err != nil || now != *one {
			t.Errorf("the thread may run on %v, want %v (%v)", now, *one, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestAttach: engines that are attached share one thread, and go on whichever is closed first.
func TestAttach(t *testing.T) {
	awaitThreads(t, 0)
	for _, first := range []int{0, 1} {
		a := openMode(t, &api.Options{Ring: sqpoll(time.Millisecond)})
		ring := sqpoll(2 * time.Millisecond)
		ring.Attach = a
		b := openMode(t, &api.Options{Ring: ring})
		engines := []api.Engine{a, b}
		for _, e := range engines {
			submit(t, e, nops(100)...)
		}
		for _, e := range engines {
			wait(t, e, 100)
		}
		awaitThreads(t, 1)
		if err := engines[first].Close(); err != nil {
			t.Fatal(err)
		}
		left := engines[1-first]
		submit(t, left, nops(100)...)
		wait(t, left, 100)
		awaitThreads(t, 1)
		if err := left.Close(); err != nil {
			t.Fatal(err)
		}
		awaitThreads(t, 0)
	}
}

func TestAttachWithoutSQPoll(t *testing.T) {
	a := openMode(t, nil)
	b := openMode(t, &api.Options{Ring: api.RingOptions{Attach: a}})
	submit(t, b, api.Nop(1))
	want(t, wait(t, b, 1)[0], 1, 0)
}

// other is an engine of somebody else's.
type other struct{ api.Engine }

func TestAttachToWhatCannotBe(t *testing.T) {
	plain := openMode(t, nil)
	closed := openMode(t, &api.Options{Ring: sqpoll(0)})
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for what, e := range map[string]api.Engine{"no SQPoll": plain, "is closed": closed, "no engine of this library": other{plain}} {
		_, err := New(&api.Options{Ring: api.RingOptions{SQPoll: true, Attach: e}})
		if !errors.Is(err, api.ErrInvalidOption) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestSQPollWorkers: with SQPoll the limits and processors are those of the thread's workers, also of an engine that parks.
func TestSQPollWorkers(t *testing.T) {
	cpu := usableCPU()
	e := openMode(t, &api.Options{Strategy: api.Park(), Ring: api.RingOptions{SQPoll: true, SQIdle: time.Millisecond, BoundedWorkers: 3, WorkerCPUs: cpu}})
	submit(t, e, api.Nop(1))
	want(t, wait(t, e, 1)[0], 1, 0)
	if got := limits(t, driverOf(e)); got[iouring.IO_WQ_BOUND] != 3 {
		t.Errorf("the limits are %v, want 3 bounded", got)
	}
}
