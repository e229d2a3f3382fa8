//go:build linux

package uring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
)

// inThread runs f in a thread of its own, which nobody else uses before or after.
func inThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		f()
	}()
	<-done
}

// inFreshThread runs f in a thread that has no workers of the kernel's. One that has served another engine has, for five seconds in which they idle,
// and neither limits nor processors change those.
func inFreshThread(t *testing.T, f func()) {
	t.Helper()
	inThread(func() {
		if len(kernelWorkers(t)) != 0 {
			inFreshThread(t, f) // in another: this one is held
			return
		}
		f()
	})
}

func driverOf(e api.Engine) *driver { return e.(*core.Engine).Driver().(*driver) }

// TestModes: each mode can be opened here, or says why not.
func TestModes(t *testing.T) {
	all := Driver{}.Modes()
	if len(all) != len(modes) {
		t.Fatalf("%d modes, want %d", len(all), len(modes))
	}
	for _, m := range all {
		if m.Err != nil && !errors.Is(m.Err, api.ErrUnavailable) && !errors.Is(m.Err, api.ErrInvalidOption) {
			t.Errorf("%s: %v", m.Name, m.Err)
		}
		t.Logf("%-30s %-5s %v", m.Name, m.MinKernel, m.Err)
	}
}

func TestTaskrun(t *testing.T) {
	for _, c := range []struct {
		mode api.Taskrun
		has  api.KernelFeature
	}{
		{api.TaskrunDefault, api.KernDeferTaskrun},
		{api.TaskrunCoop, api.KernCoopTaskrun},
		{api.TaskrunInterrupt, 0},
	} {
		e := open(t, &api.Options{Ring: api.RingOptions{Taskrun: c.mode}})
		if got := driverOf(e).kern & (api.KernDeferTaskrun | api.KernCoopTaskrun); got != c.has {
			t.Errorf("%d: the ring has %v, want %v", c.mode, got, c.has)
		}
		submit(t, e, api.Nop(1))
		want(t, wait(t, e, 1)[0], 1, 0)
	}
	_, err := New(&api.Options{Disable: api.KernCoopTaskrun, Ring: api.RingOptions{Taskrun: api.TaskrunCoop}})
	if !errors.Is(err, api.ErrUnavailable) || !strings.Contains(err.Error(), "Ring.Taskrun") {
		t.Errorf("TaskrunCoop without the kernel feature: %v", err)
	}
}

// limits are those of the calling thread's workers, as a ring on it sees them.
func limits(t *testing.T, d *driver) [2]uint32 {
	l, err := d.ring.RegisterIOWQMaxWorkers(0, 0)
	if err != nil {
		t.Error(err)
	}
	return l
}

// TestWorkerLimits: the limits are those of the owner's thread while the engine is open, and the old ones afterwards.
func TestWorkerLimits(t *testing.T) {
	open(t, nil) // skips where there is no io_uring
	e, err := New(&api.Options{Ring: api.RingOptions{BoundedWorkers: 3, UnboundedWorkers: 5}})
	if err != nil {
		t.Fatal(err)
	}
	inThread(func() { // not the one that has opened it
		other, err := New(nil)
		if err != nil {
			t.Error(err)
			return
		}
		submit(t, other, api.Nop(1))
		want(t, wait(t, other, 1)[0], 1, 0)
		before := limits(t, driverOf(other))
		submit(t, e, api.Nop(1))
		want(t, wait(t, e, 1)[0], 1, 0)
		if got := limits(t, driverOf(e)); got != [2]uint32{3, 5} {
			t.Errorf("the limits are %v, want 3 and 5", got)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if got := limits(t, driverOf(other)); got != before || before == [2]uint32{3, 5} {
			t.Errorf("the limits were %v before and are %v after", before, got)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestWorkerLimitsOfSeveral: engines of one thread may be closed in any order. The limits are those of the last that is left, and none stay behind.
func TestWorkerLimitsOfSeveral(t *testing.T) {
	open(t, nil)
	set := [...][2]uint32{{3, 5}, {4, 0}, {6, 7}} // 0 leaves a limit as it is
	for _, c := range []struct {
		order [3]int
		want  [2][2]uint32 // after the first Close, and the second
	}{
		{[3]int{0, 1, 2}, [2][2]uint32{{6, 7}, {6, 7}}},
		{[3]int{0, 2, 1}, [2][2]uint32{{6, 7}, {4, 5}}},
		{[3]int{1, 0, 2}, [2][2]uint32{{6, 7}, {6, 7}}},
		{[3]int{2, 1, 0}, [2][2]uint32{{4, 5}, {3, 5}}},
		{[3]int{2, 0, 1}, [2][2]uint32{{4, 5}, {4, 5}}},
	} {
		inThread(func() {
			other, err := New(nil)
			if err != nil {
				t.Error(err)
				return
			}
			submit(t, other, api.Nop(1))
			want(t, wait(t, other, 1)[0], 1, 0)
			before := limits(t, driverOf(other))
			var es [3]api.Engine
			for i, l := range set {
				if es[i], err = New(&api.Options{Ring: api.RingOptions{BoundedWorkers: int(l[0]), UnboundedWorkers: int(l[1]), WorkerCPUs: usableCPU()}}); err != nil {
					t.Error(err)
					return
				}
				submit(t, es[i], api.Nop(1))
				want(t, wait(t, es[i], 1)[0], 1, 0)
			}
			for i, n := range c.order {
				if err := es[n].Close(); err != nil {
					t.Error(err)
				}
				now := before
				if i < len(c.want) {
					now = c.want[i]
				}
				if got := limits(t, driverOf(other)); got != now {
					t.Errorf("closed in the order %v: the limits are %v after %d of them, want %v", c.order, got, i+1, now)
				}
			}
			if len(sharing.of) != 0 {
				t.Errorf("engines are remembered that are closed")
			}
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// kernelWorkers are the kernel's worker threads of the calling thread, with the processors that each may use.
func kernelWorkers(t *testing.T) (cpus []string) {
	name := fmt.Sprintf("iou-wrk-%d", unix.Gettid())
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range tasks {
		b, err := os.ReadFile(p)
		if err != nil || !strings.HasPrefix(string(b), "Name:\t"+name+"\n") {
			continue // it may have ended meanwhile
		}
		_, list, _ := strings.Cut(string(b), "\nCpus_allowed_list:\t")
		list, _, _ = strings.Cut(list, "\n")
		cpus = append(cpus, list)
	}
	return cpus
}

// fullBacklog is a Unix socket that accepts no more, to which each connect holds a worker of the kernel's.
func fullBacklog(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l := unixSocket(t, 0)
	if err := errors.Join(unix.Bind(l, &unix.SockaddrUnix{Name: path}), unix.Listen(l, 0)); err != nil {
		t.Fatal(err)
	}
	for unix.Connect(unixSocket(t, unix.SOCK_NONBLOCK), &unix.SockaddrUnix{Name: path}) == nil {
	}
	return path
}

func unixSocket(t *testing.T, flags int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// TestWorkersInUse: operations that hold a worker each have no more of them than the limit, and on no other processors.
func TestWorkersInUse(t *testing.T) {
	open(t, nil)
	cpu := usableCPU()
	const n = 4
	for _, c := range []struct {
		name  string
		ring  api.RingOptions
		count int
	}{
		{"no limit", api.RingOptions{}, n},
		{"limit", api.RingOptions{UnboundedWorkers: 2, WorkerCPUs: cpu}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := fullBacklog(t)
			inFreshThread(t, func() {
				e, err := New(&api.Options{Ring: c.ring})
				if err != nil {
					t.Error(err)
					return
				}
				var ops []api.Op
				for i := range n {
					ops = append(ops, api.Connect(unixSocket(t, 0), &api.Msg{Addr: api.Addr{Path: path}}, uint64(i)))
				}
				submit(t, e, ops...)
				var got []string
				most := 0
				for end := time.Now().Add(10 * time.Second); most < c.count && time.Now().Before(end); {
					complete(t, e, time.Millisecond)
					got = kernelWorkers(t)
					most = max(most, len(got))
				}
				for range 20 { // time enough for one that is too many
					complete(t, e, time.Millisecond)
					most = max(most, len(kernelWorkers(t)))
				}
				// Without a limit the kernel may start more than it comes to need.
				if limited := c.ring.UnboundedWorkers != 0; most < c.count || limited && most > c.count {
					t.Errorf("%d workers, want %d", most, c.count)
				}
				for _, cpus := range got {
					if c.ring.WorkerCPUs == cpu && cpus != cpu.String() {
						t.Errorf("a worker may run on %s, want %v", cpus, cpu)
					}
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// complete lets the engine work for d, in which nothing may complete.
func complete(t *testing.T, e api.Engine, d time.Duration) {
	t.Helper()
	var dst [1]api.Completion
	if n, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(d)}); n != 0 || err != nil {
		t.Fatalf("Complete: %d %+v, %v", n, dst, err)
	}
}

// TestRestricted: the ring of a restricted engine does nothing else, also for one who writes into its queue.
func TestRestricted(t *testing.T) {
	e := open(t, &api.Options{Restrict: api.Ops(api.OpSend)})
	submit(t, e, api.Send(-1, []byte("x"), 1))
	want(t, wait(t, e, 1)[0], 1, -int(unix.EBADF))
	r := driverOf(e).ring
	const mark = kindIgnore<<kindShift | 1 // no slot has it
	for code := range uint8(iouring.IORING_OP_LAST) {
		q := r.NextSQE()
		*q = iouring.SQE{Opcode: code, Fd: -1, UserData: mark}
		for r.Unsubmitted() > 0 {
			if _, errno := r.Enter(r.Flush(), 1, iouring.IORING_ENTER_GETEVENTS); errno != 0 {
				t.Fatal(errno)
			}
		}
		head, tail := r.Peek()
		if tail != head+1 {
			t.Fatalf("%d completions of operation %d", tail-head, code)
		}
		allowed := api.OpCode(code) == api.OpSend || api.OpCode(code).Valid() && inner.Has(api.OpCode(code))
		if res := r.CQEAt(head).Res; allowed != (res != -int32(unix.EACCES)) {
			t.Errorf("operation %d completes with %d", code, res)
		}
		r.Advance(1)
	}
	restricted := open(t, &api.Options{Restrict: api.Ops(api.OpRead), Ring: api.RingOptions{IOPoll: api.IOPollBusy}})
	submit(t, restricted, api.Read(-1, nil, 0, 1))
	wait(t, restricted, 1)
	p := driverOf(restricted).iopoll.ring
	for _, code := range []uint8{iouring.IORING_OP_NOP, iouring.IORING_OP_WRITE, iouring.IORING_OP_READV} {
		*p.NextSQE() = iouring.SQE{Opcode: code, Fd: -1, UserData: mark}
		if _, errno := p.Enter(p.Flush(), 0, iouring.IORING_ENTER_GETEVENTS); errno != 0 || p.CQReady() != 1 {
			t.Fatalf("operation %d on the polling ring: %d completions, %v", code, p.CQReady(), errno)
		}
		head, _ := p.Peek()
		if res := p.CQEAt(head).Res; res != -int32(unix.EACCES) {
			t.Errorf("operation %d on the polling ring completes with %d", code, res)
		}
		p.Advance(1)
	}
	if err := r.RegisterFiles([]int32{0}); !errors.Is(err, unix.EACCES) {
		t.Errorf("registering files: %v", err)
	}
	if _, err := r.RegisterPersonality(); !errors.Is(err, unix.EACCES) {
		t.Errorf("registering a personality: %v", err)
	}
}
