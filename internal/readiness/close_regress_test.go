//go:build unix

package readiness

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// watchdog ends the test binary when a test hangs, with all stacks.
func watchdog(t *testing.T) {
	t.Helper()
	w := time.AfterFunc(20*time.Second, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs\n%s", t.Name(), buf[:runtime.Stack(buf, true)]))
	})
	t.Cleanup(func() { w.Stop() })
}

func pipe(t *testing.T) (r, w int32) {
	t.Helper()
	p := make([]int, 2)
	if err := unix.Pipe(p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return int32(p[0]), int32(p[1])
}

// blocks prepares s so that a worker that performs it waits for a byte in the pipe r.
func blocks(s *core.Slot, r int32) *core.Slot {
	s.Op = api.Read(int(r), make([]byte, 1), api.CurrentPosition, 1)
	s.NeedMsg().SetOne(s.Op.Buf, nil)
	return s
}

func put(t *testing.T, w int32) {
	t.Helper()
	if _, errno := sysx.Write(w, []byte("x")); errno != 0 {
		t.Error(errno)
	}
}

// wakeOnly is a Poller that watches nothing but the engine's own fd, and counts.
type wakeOnly struct {
	fd    int32
	waits int
}

func (p *wakeOnly) Arm(fd int32, _ Interest) error { p.fd = fd; return nil } // the first is the engine's
func (p *wakeOnly) Forget(int32)                   {}
func (p *wakeOnly) PollFD() int                    { return -1 }
func (p *wakeOnly) Traits() Traits                 { return Traits{} }
func (p *wakeOnly) Close() error                   { return nil }

func (p *wakeOnly) Wait(ev []Event, d time.Duration) (int, error) {
	p.waits++
	n, errno := sysx.Poll([]sysx.PollFd{{Fd: p.fd, Events: unix.POLLIN}}, d)
	if n <= 0 || errno != 0 {
		return 0, nil
	}
	ev[0] = Event{FD: p.fd, Ready: Readable}
	return 1, nil
}

// pooled is a driver that leaves every read to the workers.
type pooled struct{ *driver }

func (d pooled) Start(s *core.Slot) {
	if s.Op.Code == api.OpRead {
		s.Leg = legPooled
		d.pool.Submit(blocks(s, s.Op.FD))
		return
	}
	d.driver.Start(s)
}

// TestCloseSleepsBesideWorker: Close waits for a worker that is at work, and does not turn in a circle
// meanwhile, although there is a Wake that nobody has used up.
func TestCloseSleepsBesideWorker(t *testing.T) {
	watchdog(t)
	for _, wakes := range []int{0, 1, 2} {
		opt, err := (*api.Options)(nil).WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		poller := &wakeOnly{}
		d := &driver{p: poller, evs: make([]Event, eventBatch)}
		e, err := core.New("test", opt, Features(false), pooled{d})
		if err != nil {
			t.Fatal(err)
		}
		r, w := pipe(t)
		if n, err := e.Submit([]api.Op{api.Read(int(r), make([]byte, 1), api.CurrentPosition, 1)}); n != 1 || err != nil {
			t.Fatalf("Submit: %d, %v", n, err)
		}
		if n, err := e.Complete(make([]api.Completion, 1), api.Wait{}); n != 0 || err != nil {
			t.Fatalf("Complete: %d, %v", n, err)
		}
		for end := time.Now().Add(2 * time.Second); e.Stats().PoolDepth != 1 || e.Stats().PoolQueued != 0; runtime.Gosched() {
			if _, err := e.Complete(nil, api.Wait{}); err != nil || time.Now().After(end) {
				t.Fatalf("no worker is at work: %v, %+v", err, e.Stats())
			}
		}
		for range wakes {
			if err := e.Wake(); err != nil {
				t.Fatalf("Wake: %v", err)
			}
		}
		before := poller.waits
		const busy = 30 * time.Millisecond
		time.AfterFunc(busy, func() { put(t, w) })
		start := time.Now()
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n := poller.waits - before; n > 10 {
			t.Errorf("Close asked the Poller %d times while a worker was busy for %v, after %d Wakes", n, busy, wakes)
		}
		if took := time.Since(start); took < busy || took > 2*time.Second {
			t.Errorf("Close took %v beside a worker that was busy for %v", took, busy)
		}
	}
}

// TestCloseBeginsNothing: what waits for a worker when the engine is closed is not begun any more.
func TestCloseBeginsNothing(t *testing.T) {
	watchdog(t)
	opt, err := (&api.Options{Workers: 1}).WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{p: &wakeOnly{}, evs: make([]Event, eventBatch)}
	e, err := core.New("test", opt, Features(false), pooled{d})
	if err != nil {
		t.Fatal(err)
	}
	busy, w := pipe(t)
	r, w2 := pipe(t)
	for range 3 {
		put(t, w2)
	}
	ops := []api.Op{api.Read(int(busy), make([]byte, 1), api.CurrentPosition, 1)}
	for range 100 {
		ops = append(ops, api.Read(int(r), make([]byte, 1), api.CurrentPosition, 2).With(api.Unordered))
	}
	if n, err := e.Submit(ops); n != len(ops) || err != nil {
		t.Fatalf("Submit: %d, %v", n, err)
	}
	for end := time.Now().Add(2 * time.Second); e.Stats().PoolQueued != 100 || e.Stats().PoolDepth != 101; runtime.Gosched() {
		if _, err := e.Complete(nil, api.Wait{}); err != nil || time.Now().After(end) {
			t.Fatalf("not one at work and 100 that wait: %v, %+v", err, e.Stats())
		}
	}
	time.AfterFunc(5*time.Millisecond, func() { put(t, w) })
	if err := e.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n, err := unix.Read(int(r), make([]byte, 8)); n != 3 || err != nil {
		t.Errorf("of the 3 bytes that the jobs in the queue would have read, %d are left (%v)", n, err)
	}
}
