package core

import (
	"sort"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/fifo"
)

// drain holds up what is submitted behind an operation with Drain, and that operation itself, until their turn comes.
type drain struct {
	line    fifo.Queue[unit]
	held    int  // slots of all that is in line
	barrier bool // one with Drain is under way: all else waits until it has ended
}

// unit is one operation or chain.
type unit struct {
	head  api.OpID
	seq   uint64 // of the head that it had at first: they come in order
	drain bool
}

// hold puts the operation or chain that begins with head in line.
func (e *Engine) hold(head *Slot, drain bool) {
	e.holding = true
	for s := head; ; s = e.slots.at(s.next) {
		s.held = true
		e.drain.held++
		if s.mate != none {
			e.slots.at(s.mate).held = true
			e.drain.held++
		}
		if s.next == none {
			break
		}
	}
	e.watch(head)
	e.count(head)
	e.drain.line.Push(unit{head.ID(), head.seq, drain})
}

// succeed puts s in the place of the operation before it in its chain, which has ended while both were held up.
func (e *Engine) succeed(s *Slot) {
	line := &e.drain.line
	i := sort.Search(line.Len(), func(i int) bool { return line.At(i).seq > s.seq })
	line.At(i - 1).head = s.ID()
}

// unhold is called for a slot that is in line no more.
func (e *Engine) unhold(s *Slot) {
	if s.held {
		s.held = false
		e.drain.held--
	}
}

// release starts what is held up no longer, and says whether it has.
func (e *Engine) release() (some bool) {
	d := &e.drain
	for d.line.Len() > 0 {
		u := *d.line.At(0)
		s := e.slots.lookup(u.head)
		if s == nil { // cancelled meanwhile
			d.line.Pop()
			continue
		}
		if (d.barrier || u.drain) && e.slots.used > d.held {
			return some
		}
		d.line.Pop()
		d.barrier = u.drain
		e.letGo(s)
		some = true
	}
	if e.slots.used == 0 {
		d.barrier = false
	}
	e.holding = d.barrier
	return some
}

// letGo starts the operation or chain that begins with s.
func (e *Engine) letGo(s *Slot) {
	for t := s; ; t = e.slots.at(t.next) {
		e.unhold(t)
		if t.mate != none {
			e.unhold(e.slots.at(t.mate))
		}
		if t.next == none {
			break
		}
	}
	e.ready(s)
}
