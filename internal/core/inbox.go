package core

import (
	"errors"
	"sync"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/fifo"
)

// inbox holds the completions that Post has put there and Complete has not taken yet. mu guards all of it.
// A ring could be sent a message by IORING_OP_MSG_RING; a queue costs no system call while the owner is awake, the same
// one when it sleeps, and is the same for every backend (docs/DESIGN.md).
type inbox struct {
	mu     sync.Mutex
	list   []api.Completion
	taken  int // of list, from its beginning
	kept   int // that Complete has taken, and keeps still: they count
	limit  int
	closed bool
}

// compactAt is how many places at the beginning of the list may lie idle: moving the rest costs more than they do.
const compactAt = 4096

func (b *inbox) put(c *api.Completion) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return api.ErrClosed
	case len(b.list)-b.taken+b.kept >= b.limit:
		return api.ErrQueueFull
	}
	b.list = append(b.list, *c)
	return nil
}

// take moves what fits into dst, and says whether there is more.
func (b *inbox) take(dst []api.Completion) (n int, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = copy(dst, b.list[b.taken:])
	return n, b.advance(n)
}

// keep moves up to n to those that are kept, unless some are there still, and says whether there is more.
func (b *inbox) keep(q *fifo.Queue[api.Completion], n int) (more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept > 0 {
		return true
	}
	b.kept = min(n, len(b.list)-b.taken)
	for _, c := range b.list[b.taken : b.taken+b.kept] {
		q.Push(c)
	}
	return b.advance(b.kept)
}

// reaped is called when one that was kept goes to the program.
func (b *inbox) reaped() {
	b.mu.Lock()
	b.kept--
	b.mu.Unlock()
}

// advance is called when n have been taken, with mu held, and says whether there is more.
func (b *inbox) advance(n int) bool {
	if b.taken += n; b.taken == len(b.list) {
		b.list, b.taken = b.list[:0], 0
		return false
	}
	if b.taken >= compactAt && b.taken >= len(b.list)/2 {
		b.list = b.list[:copy(b.list, b.list[b.taken:])]
		b.taken = 0
	}
	return true
}

func (b *inbox) close() {
	b.mu.Lock()
	b.closed, b.list, b.taken = true, nil, 0
	b.mu.Unlock()
}

// Post implements api.Engine.
func (e *Engine) Post(tag uint64, res int32) error {
	if err := e.inbox.put(&api.Completion{Tag: tag, Res: res, Code: api.OpMsgRing}); err != nil {
		return err
	}
	// In this order: an owner that goes to sleep after it has looked at posted finds that it is notified. And each Post for
	// itself: one that left it to the Post before would have returned before the owner was woken, if that
	// goroutine has just lost its processor.
	e.posted.Store(true)
	e.Notify()
	return nil
}

// postedFirst delivers what has been posted before anything else in a Complete, unless that has
// filled dst in the last one: then the operations come first, or others who post all the time would starve them.
func (e *Engine) postedFirst() {
	if e.crowded {
		e.crowded = false
		return
	}
	if e.kept.Len() > 0 {
		e.keepPosted()
		return
	}
	before := e.n
	e.takePosted()
	e.crowded = e.n > before && e.n == len(e.dst)
}

// keepPosted is for when dst is full of what was kept: it puts some of what was posted behind the rest of that, or it
// would never get a turn in a program that always has some.
func (e *Engine) keepPosted() {
	if !e.posted.Load() {
		return
	}
	e.posted.Store(false)
	before := e.kept.Len()
	if e.inbox.keep(&e.kept, len(e.dst)) {
		e.posted.Store(true)
	}
	e.delivered += uint64(e.kept.Len() - before)
}

// takePosted delivers what others have posted, as far as there is room.
func (e *Engine) takePosted() {
	if e.n == len(e.dst) || !e.posted.Load() {
		return
	}
	e.posted.Store(false)
	n, more := e.inbox.take(e.dst[e.n:])
	e.delivered += uint64(n)
	e.n += n
	if more {
		e.posted.Store(true)
	}
	if e.counts.Len() > 0 {
		e.reach()
	}
}

// startMessage performs an OpMsgRing.
func (e *Engine) startMessage(s *Slot) {
	a := s.Op.Args
	if a.To == nil {
		e.End(s, -int32(syscall.EBADF))
		return
	}
	res := int32(s.Op.Arg)
	if s.Op.Flags&api.FixedFile != 0 {
		slot, errno := e.passFile(s, a.To)
		if errno != 0 {
			e.End(s, -int32(errno))
			return
		}
		res = slot
	}
	switch err := a.To.Post(a.ToTag, res); {
	case errors.Is(err, api.ErrQueueFull):
		e.End(s, -int32(syscall.EOVERFLOW))
	case err != nil:
		e.End(s, -int32(syscall.EBADF))
	case s.Op.Flags&api.FixedFile != 0:
		e.End(s, res)
	default:
		e.End(s, 0)
	}
}

// passFile puts a registered file into the table of the engine to.
func (e *Engine) passFile(s *Slot, to api.Engine) (int32, syscall.Errno) {
	fd := e.files.fixed(s.Op.FD)
	switch {
	case to == api.Engine(e):
		return 0, syscall.EINVAL
	case fd == none, s.Op.Off != int64(int32(s.Op.Off)):
		return 0, syscall.EBADF
	}
	slot, err := to.InstallFile(int(fd), int(s.Op.Off))
	var errno syscall.Errno
	switch {
	case err == nil:
		return int32(slot), 0
	case errors.As(err, &errno):
		return 0, errno
	}
	return 0, syscall.EBADF
}
