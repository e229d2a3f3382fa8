package core

import (
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// FD is what the engine knows of one file descriptor number: the operations in flight on it,
// and the order of those that are in one.
type FD struct {
	N       int32
	ops     int32    // first of the list of all operations on it
	count   int32    // how many there are
	closing int32    // the close that waits for them, or none
	dropped bool     // it is the engine's own, in its table no more, and closed when nothing is in flight on it
	Own     bool     // it is the engine's own: operations on it name a registered file
	head    [2]int32 // per direction: the operation whose turn it is
	tail    [2]int32

	// Kind is for the driver and the attempts: what kind of file it is, as far as that is known. It is 0 for a number that
	// the engine has closed or been given anew; one that the program closes and opens by itself is not noticed.
	Kind uint32
	// Way is for the driver alone: how it treats the file. As Kind, 0 when the number is another file's.
	Way uint8
	// Place is for the driver: where one of the engine's own descriptors is in a table of the driver's, from 1 on; negative when it is
	// not to be used any more. The driver takes it back when it closes the descriptor.
	Place int32
}

// anew is called when the number has become another file's.
func (f *FD) anew() {
	f.closing = none
	f.Kind, f.Way, f.Own = 0, 0, false
	if f.Place > 0 { // a program has closed what is the engine's
		f.Place = -f.Place
	}
}

// fdTable grows to the largest fd that has been used. It is bounded by RLIMIT_NOFILE, for
// only open files get in.
type fdTable struct {
	fds []*FD
}

// get gives the FD of n, nil when n is not an open file.
func (t *fdTable) get(n int32) *FD {
	if uint(n) < uint(len(t.fds)) && t.fds[n] != nil {
		return t.fds[n]
	}
	return t.add(n)
}

func (t *fdTable) add(n int32) *FD {
	if n < 0 || !sysx.ValidFD(n) {
		return nil
	}
	if int(n) >= len(t.fds) {
		t.fds = append(t.fds, make([]*FD, max(int(n)+1, 2*len(t.fds))-len(t.fds))...)
	}
	f := &FD{N: n, ops: none, closing: none, head: [2]int32{none, none}, tail: [2]int32{none, none}}
	t.fds[n] = f
	return f
}

// link puts s on the list of all operations on f.
func (e *Engine) link(f *FD, s *Slot) {
	s.FD = f
	s.fdPrev, s.fdNext = none, f.ops
	if f.ops != none {
		e.slots.at(f.ops).fdPrev = s.Index
	}
	f.ops = s.Index
	f.count++
}

func (e *Engine) unlink(s *Slot) {
	f := s.FD
	if s.fdPrev == none {
		f.ops = s.fdNext
	} else {
		e.slots.at(s.fdPrev).fdNext = s.fdNext
	}
	if s.fdNext != none {
		e.slots.at(s.fdNext).fdPrev = s.fdPrev
	}
	f.count--
}

// enqueue puts s at the end of its FIFO and says whether its turn has come.
func (e *Engine) enqueue(f *FD, s *Slot, d optab.Direction) bool {
	s.dir, s.inFIFO, s.fifoNext = d, true, none
	if f.tail[d] == none {
		f.head[d], f.tail[d] = s.Index, s.Index
		return true
	}
	e.slots.at(f.tail[d]).fifoNext = s.Index
	f.tail[d] = s.Index
	e.behind++
	return false
}

// dequeue takes s out of its FIFO. When it was the first, the next one's turn has come.
func (e *Engine) dequeue(s *Slot) {
	f, d := s.FD, s.dir
	s.inFIFO = false
	if f.head[d] == s.Index {
		f.head[d] = s.fifoNext
		if s.fifoNext == none {
			f.tail[d] = none
			return
		}
		e.behind--
		next := e.slots.at(s.fifoNext)
		next.state = stateSubmitted
		e.run.Push(next.ID())
		return
	}
	e.behind--
	// Only a cancel takes one out of the middle, so that the walk is not on the way of data.
	p := e.slots.at(f.head[d])
	for p.fifoNext != s.Index {
		p = e.slots.at(p.fifoNext)
	}
	p.fifoNext = s.fifoNext
	if f.tail[d] == s.Index {
		f.tail[d] = p.Index
	}
}
