// Package futexq waits for futexes on behalf of a driver whose kernel does not (futex_waitv(2) is the one
// call that waits, and it blocks a thread). Each wait has a goroutine of its own, and with it a thread: one that waited for several
// operations could not tell which of them have been woken.
package futexq

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/fifo"
	"github.com/sluiceio/sluice/internal/sysx"
)

// MaxThreads is how many threads may wait in the process, whatever the number of engines: Go ends a program that has more than 10,000
// (debug.SetMaxThreads). One wait takes one of them, two when it is for more than 126 words.
const MaxThreads = 1024

// threads are those that there are. They are the process's, so this cannot be an engine's.
var threads atomic.Int32

// wordsMax is how many words one call can wait for, beside the two of its own: FUTEX_WAITV_MAX is 128.
const wordsMax = 128 - 2

// Queue are the waits of one driver. The owner of the engine makes all calls.
type Queue struct {
	notify func()
	waits  map[int32]*wait // by slot; made when first needed
	wg     sync.WaitGroup

	mu   sync.Mutex // guards done, and what a wait says it does
	done fifo.Queue[*wait]
}

// wait is the wait of one operation.
type wait struct {
	s, by *core.Slot
	parts []*part

	// Guarded by Queue.mu.
	left    int   // of parts
	res     int32 // when woken
	woken   bool
	stopped bool // by a cancel
	over    bool // the parts that are left are to end
	errno   syscall.Errno
}

// part is one call of futex_waitv. Its words stand between two of its own:
//
//	stop   wakes it. It is the first, for the kernel returns the last index of those that were woken: a wake of the
//	       program's that comes at the same time as a cancel has counted, and must not be lost.
//	ready  is never woken. It is the last: when somebody waits for it, the thread waits for all. FUTEX_REQUEUE, to the
//	       word moved, tells whether that is so.
//
// The kernel knows them by address, so that a part is on the heap, which the goroutine that waits keeps it on.
type part struct {
	words              []sysx.FutexWaiter
	first              int // of the operation's words, the one that is words[1]
	stop, ready, moved uint32
	ended              atomic.Bool
}

// Init prepares q. notify is called, in any goroutine, when Next has something.
func (q *Queue) Init(notify func()) { q.notify = notify }

// Start begins to wait for the words in s.Extra.Futexes. When it returns 0 whoever wakes one of them from now on
// wakes s. ENOMEM says that there are too many threads.
func (q *Queue) Start(s *core.Slot) syscall.Errno {
	list := s.Extra.Futexes
	w := &wait{s: s}
	for first, n := 0, len(list); first < n; first += wordsMax {
		w.parts = append(w.parts, newPart(list[first:min(first+wordsMax, n)], first))
	}
	w.left = len(w.parts)
	if n := int32(w.left); threads.Add(n) > MaxThreads {
		threads.Add(-n)
		return syscall.ENOMEM
	}
	if q.waits == nil {
		q.waits = map[int32]*wait{}
	}
	q.waits[s.Index] = w
	for _, p := range w.parts {
		q.wg.Add(1)
		go q.run(w, p)
	}
	for _, p := range w.parts {
		p.settle()
	}
	return 0
}

// settle returns when the thread of p waits, or has ended.
func (p *part) settle() {
	for !p.ended.Load() {
		if moved, errno := sysx.FutexMove(&p.ready, &p.moved); moved || errno != 0 { // a sandbox may forbid it
			return
		}
		runtime.Gosched()
	}
}

func newPart(list []sysx.FutexWaiter, first int) *part {
	p := &part{words: make([]sysx.FutexWaiter, len(list)+2), first: first}
	p.words[0].Set(&p.stop, 0, false)
	copy(p.words[1:], list)
	p.words[len(list)+1].Set(&p.ready, 0, false)
	return p
}

// run waits, in a goroutine of its own.
func (q *Queue) run(w *wait, p *part) {
	defer q.wg.Done()
	// A signal would end the call, and a wake that comes before it is made again would find nobody.
	runtime.LockOSThread()
	old := sysx.BlockSignals()
	n, errno := sysx.FutexWaitv(p.words)
	for errno == syscall.EINTR { // of those signals that cannot be kept away
		n, errno = sysx.FutexWaitv(p.words)
	}
	sysx.RestoreSignals(old)
	runtime.UnlockOSThread()
	threads.Add(-1)
	p.ended.Store(true)
	if q.ended(w, p, n, errno) {
		q.notify()
	}
}

// ended takes in how p has ended, and says whether that was the last part of w.
func (q *Queue) ended(w *wait, p *part, n int, errno syscall.Errno) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.left--
	switch {
	case errno == 0 && n > 0:
		w.woken, w.res = true, int32(p.first+n-1)
	case errno != 0 && !w.over:
		w.errno = errno
	}
	if w.left == 0 {
		q.done.Push(w)
		return true
	}
	w.end()
	return false
}

// end ends the parts of w that still wait, with mu held.
func (w *wait) end() {
	w.over = true
	for _, p := range w.parts {
		if !p.ended.Load() {
			atomic.StoreUint32(&p.stop, 1)
			_, _ = sysx.FutexWake(&p.stop, 1, false) // cannot fail: the word is there
		}
	}
}

// Any says whether anything waits here.
func (q *Queue) Any() bool { return len(q.waits) > 0 }

// Holds says whether s waits here.
func (q *Queue) Holds(s *core.Slot) bool {
	w := q.waits[s.Index]
	return w != nil && w.s == s
}

// Cancel ends the wait of s, which Holds. Next tells how it went; by is the cancel that wants to know, or nil.
func (q *Queue) Cancel(s, by *core.Slot) {
	w := q.waits[s.Index]
	w.by = by
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.left > 0 {
		w.stopped = true
		w.end()
	}
}

// Next ends one wait that is over, in e, and says whether there was one.
func (q *Queue) Next(e *core.Engine) bool {
	if len(q.waits) == 0 {
		return false
	}
	q.mu.Lock()
	if q.done.Len() == 0 {
		q.mu.Unlock()
		return false
	}
	w := q.done.Pop()
	q.mu.Unlock()
	delete(q.waits, w.s.Index)
	answer := -int32(syscall.ENOENT)
	switch {
	case w.woken:
		e.End(w.s, w.res)
	case w.stopped:
		answer = 0
		e.End(w.s, -int32(api.ECanceled))
	default:
		e.End(w.s, -int32(w.errno))
	}
	e.CancelDone(w.by, answer)
	return true
}

// Close waits for the goroutines to end. Nothing waits here any more.
func (q *Queue) Close() { q.wg.Wait() }
