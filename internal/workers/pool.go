package workers

import (
	"sync"
	"time"

	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/fifo"
)

// idleTime is how long a worker has nothing to do before it ends. Starting one costs some microseconds, and one that is kept
// a few kilobytes of stack, so that it is only long enough for the pauses of a program that is at work.
const idleTime = 10 * time.Second

// Pool is a bounded set of workers. Init comes first. Its queue is bounded by the operations in flight, and by
// Options.WorkQueue, which the engine sees to.
type Pool struct {
	limit    int
	idleTime time.Duration
	notify   func()

	total   uint64 // jobs so far; the owner's
	fetched uint64 // of these, those that have left the pool; the owner's
	asks    []asked

	mu      sync.Mutex // guards all below
	work    sync.Cond  // there is a job, a worker too many, or the pool is closed
	jobs    queue
	results fifo.Queue[result]
	workers int
	idle    int
	running int
	spare   int // the least that idle has been since the last look
	surplus int // how many idle workers shall end
	closed  bool
	reaper  *time.Timer // looks for idle workers, while there are any
	wg      sync.WaitGroup
}

type result struct {
	s   *core.Slot
	res int32
}

// Init sets the bound on workers, and what a worker calls when it has left a result. No worker is started before there
// is something to do.
func (p *Pool) Init(limit int, notify func()) {
	p.limit, p.notify, p.idleTime = limit, notify, idleTime
	p.work.L = &p.mu
	p.jobs.init()
}

// Submit queues s, to be performed by attempt.Wait. Jobs are begun in the order in which they come.
func (p *Pool) Submit(s *core.Slot) {
	p.total++
	p.mu.Lock()
	p.jobs.push(s)
	// Some of the idle ones may have been woken already, for the jobs before.
	if p.jobs.n > p.idle && p.workers < p.limit {
		p.workers++
		p.wg.Add(1)
		go p.worker()
		if p.workers == 1 {
			p.look()
		}
	} else {
		p.work.Signal()
	}
	p.mu.Unlock()
}

// worker performs jobs until there are none for long.
func (p *Pool) worker() {
	defer p.wg.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.await() {
		s := p.jobs.pop()
		p.running++
		p.mu.Unlock()
		res := attempt.Wait(s)
		p.mu.Lock()
		p.running--
		p.results.Push(result{s, res})
		p.mu.Unlock()
		p.notify()
		p.mu.Lock()
	}
	p.workers--
}

// await waits for a job, and says whether there is one for this worker.
func (p *Pool) await() bool {
	for p.jobs.n == 0 {
		switch {
		case p.closed:
			return false
		case p.surplus > 0:
			p.surplus--
			return false
		}
		p.idle++
		p.work.Wait()
		p.idle--
		p.spare = min(p.spare, p.idle)
	}
	return true
}

// look starts the timer that looks for idle workers.
func (p *Pool) look() {
	p.spare = 0
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.idleTime, p.reap)
		return
	}
	p.reaper.Reset(p.idleTime)
}

// reap ends as many workers as have had nothing to do since the last look.
func (p *Pool) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.surplus = min(p.spare, p.idle)
	p.spare = p.idle - p.surplus
	for range p.surplus {
		p.work.Signal()
	}
	if p.workers > 0 {
		p.reaper.Reset(p.idleTime)
	}
}

// Out says whether there are jobs, done ones that have not been fetched included. It costs next to nothing.
func (p *Pool) Out() bool { return p.fetched != p.total }

// Done gives one finished job, if there is one.
func (p *Pool) Done() (*core.Slot, int32, bool) {
	if !p.Out() {
		return nil, 0, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.results.Len() == 0 {
		return nil, 0, false
	}
	p.fetched++
	r := p.results.Pop()
	return r.s, r.res, true
}

// Withdraw takes s, which Submit was given, out of the queue; false when a worker has it, or has done it.
func (p *Pool) Withdraw(s *core.Slot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.jobs.remove(s) {
		return false
	}
	p.fetched++
	return true
}

// Busy is how many jobs wait for a worker or are with one. What is done is not among them.
func (p *Pool) Busy() int {
	if !p.Out() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.jobs.n + p.running
}

// Count puts into c how many jobs there have been and how many there are.
func (p *Pool) Count(c *core.Counters) {
	c.Blocking = p.total
	if !p.Out() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.PoolQueued = uint64(p.jobs.n)
	c.PoolDepth = uint64(p.jobs.n + p.running)
}

// Close waits for the workers to end. Nothing is in flight any more.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.work.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
}
