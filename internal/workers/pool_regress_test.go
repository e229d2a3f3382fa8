//go:build unix

package workers

import (
	"fmt"
	"runtime"
	"slices"
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

// reaches waits until count, which is called with the pool locked, is want, and says whether that came to be.
func (p *Pool) reaches(want int, count func() int) bool {
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); runtime.Gosched() {
		p.mu.Lock()
		n := count()
		p.mu.Unlock()
		if n == want {
			return true
		}
	}
	return false
}

func put(t *testing.T, w int32) {
	t.Helper()
	if _, errno := sysx.Write(w, []byte("x")); errno != 0 {
		t.Error(errno)
	}
}

// TestJobsRunAtATime: a worker that is idle, and has been woken for one job already, is not counted on for the next.
func TestJobsRunAtATime(t *testing.T) {
	watchdog(t)
	const n = 8
	for _, idle := range []int{0, 1, 3, n} {
		var p Pool
		p.Init(16, func() {})
		var ws []int32
		start := func(k int) {
			for range k {
				r, w := pipe(t)
				ws = append(ws, w)
				p.Submit(blocks(&core.Slot{}, r))
			}
		}
		finish := func() {
			for _, w := range ws {
				put(t, w)
			}
			ws = nil
		}
		start(idle)
		p.reaches(idle, func() int { return p.running })
		finish()
		if !p.reaches(idle, func() int { return p.idle }) {
			t.Fatalf("not all of %d workers become idle", idle)
		}
		start(n)
		if !p.reaches(n, func() int { return p.running }) {
			p.mu.Lock()
			t.Errorf("of %d jobs, with %d idle workers before and a limit of 16, %d run, %d wait; %d workers", n, idle, p.running, p.jobs.n, p.workers)
			p.mu.Unlock()
		}
		finish()
		p.Close()
	}
}

// TestWorkersAreBounded: no more jobs run at a time than the limit says.
func TestWorkersAreBounded(t *testing.T) {
	watchdog(t)
	var p Pool
	p.Init(2, func() {})
	var ws []int32
	for range 5 {
		r, w := pipe(t)
		ws = append(ws, w)
		p.Submit(blocks(&core.Slot{}, r))
	}
	if !p.reaches(2, func() int { return p.running }) {
		t.Error("two jobs do not run")
	}
	p.mu.Lock()
	if p.workers != 2 || p.running != 2 {
		t.Errorf("%d jobs run, %d workers, with a limit of 2", p.running, p.workers)
	}
	p.mu.Unlock()
	var c core.Counters
	if p.Count(&c); c.Blocking != 5 || c.PoolDepth != 5 || c.PoolQueued != 3 || p.Busy() != 5 {
		t.Errorf("of 5 jobs and 2 workers: %+v, %d busy", c, p.Busy())
	}
	for _, w := range ws {
		put(t, w)
	}
	if !p.reaches(5, func() int { return p.results.Len() }) {
		t.Error("not all of 5 jobs are done")
	}
	if p.Count(&c); c.PoolDepth != 0 || c.PoolQueued != 0 || p.Busy() != 0 {
		t.Errorf("with all jobs done: %+v, %d busy", c, p.Busy())
	}
	p.Close()
}

// TestOrderAndWithdrawal: jobs begin in the order in which they came, without those that have been withdrawn, from wherever.
func TestOrderAndWithdrawal(t *testing.T) {
	watchdog(t)
	var p Pool
	p.Init(1, func() {})
	r, first := pipe(t)
	p.Submit(blocks(&core.Slot{}, r))
	if !p.reaches(1, func() int { return p.running }) {
		t.Fatal("the worker does not begin")
	}
	const n = 10
	var slots [n]core.Slot
	for i := range slots {
		r, w := pipe(t)
		put(t, w)
		slots[i].Index = int32(i)
		p.Submit(blocks(&slots[i], r))
	}
	for _, i := range []int{0, 9, 4, 5} {
		if !p.Withdraw(&slots[i]) {
			t.Errorf("job %d, which waits, cannot be withdrawn", i)
		}
		if p.Withdraw(&slots[i]) {
			t.Errorf("job %d can be withdrawn twice", i)
		}
	}
	put(t, first)
	if !p.reaches(n-4+1, func() int { return p.results.Len() }) {
		t.Fatal("not all jobs are done")
	}
	var got []int32
	for {
		s, res, ok := p.Done()
		if !ok {
			break
		}
		if res != 1 {
			t.Errorf("job %d: %d", s.Index, res)
		}
		got = append(got, s.Index)
	}
	if want := []int32{0, 1, 2, 3, 6, 7, 8}; !slices.Equal(got, want) { // the first 0 is that of the one that blocked
		t.Errorf("the jobs were done in the order %v, want %v", got, want)
	}
	if len(p.jobs.nodes) > n+2 {
		t.Errorf("the queue has grown to %d nodes for %d jobs", len(p.jobs.nodes), n+1)
	}
	p.Close()
}

// TestIdleWorkersEnd: a worker that has had nothing to do for long ends, and one is started again for the next job.
func TestIdleWorkersEnd(t *testing.T) {
	watchdog(t)
	var p Pool
	p.Init(8, func() {})
	p.idleTime = time.Millisecond
	for round := range 3 {
		var ws []int32
		for range 5 {
			r, w := pipe(t)
			ws = append(ws, w)
			p.Submit(blocks(&core.Slot{}, r))
		}
		if !p.reaches(5, func() int { return p.running }) {
			t.Fatalf("round %d: not all jobs run", round)
		}
		for _, w := range ws[1:] {
			put(t, w)
		}
		if !p.reaches(1, func() int { return p.workers }) {
			t.Errorf("round %d: idle workers stay", round)
		}
		if !p.reaches(1, func() int { return p.running }) {
			t.Errorf("round %d: the worker that has something to do is gone", round)
		}
		put(t, ws[0])
		if !p.reaches(0, func() int { return p.workers }) {
			t.Errorf("round %d: the last worker stays", round)
		}
	}
	p.Close()
}
