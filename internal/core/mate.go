package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// An operation on two files (a splice, a rename) stands in the lists of both: close must reach it from either, and a splice
// has its place in the order of what is read from one and written to the other. The slot of the operation is on the lists of Op.FD; a second
// slot, its shadow, on those of Args.FD2.

// pairUp gives s its shadow. There is a slot for it, which is not among MaxInFlight.
func (e *Engine) pairUp(s *Slot) {
	m := e.slots.get()
	m.shadow, m.mate, s.mate = true, s.Index, m.Index
	m.Op = api.Op{FD: s.FD2}
	if s.Op.Flags&api.FixedFD2 != 0 {
		m.Op.FD = none // until its turn has come: see resolveSecond
	}
	m.state = stateSubmitted
}

// lineMate puts the shadow of s on the lists of its file, and says whether its turn has come. An errno is that of the operation.
func (e *Engine) lineMate(s *Slot, in *optab.Info) (turn bool, errno syscall.Errno) {
	m := e.slots.at(s.mate)
	f := e.fds.get(m.Op.FD)
	if f == nil || f.closing != none {
		if in.At {
			return true, 0 // the path may be absolute; the kernel tells
		}
		return false, syscall.Errno(-e.refusal(f, s))
	}
	e.link(f, m)
	m.state = stateQueued
	if in.Dir == optab.None || s.Op.Flags&api.Unordered != 0 || s.Op.Args.Off2 != api.CurrentPosition && s.Op.Code == api.OpSplice {
		return true, 0
	}
	if s.Op.Flags&api.DontWait != 0 && f.head[optab.Write] != none {
		return false, syscall.EAGAIN
	}
	return e.enqueue(f, m, optab.Write), 0
}

// first says whether s is the first of its FIFO, or in none.
func (e *Engine) first(s *Slot) bool { return !s.inFIFO || s.FD.head[s.dir] == s.Index }

// turnOf is called when the turn of s has come in one of its queues. It begins the operation unless it has
// to wait in the other.
func (e *Engine) turnOf(s *Slot) {
	if s.Op.Code == api.OpClose {
		e.cutOn(s.Op.FD)
	}
	if s.shadow {
		s.state = stateQueued
		if s = e.slots.at(s.mate); s.state != stateQueued {
			return
		}
	}
	if e.first(s) && (s.mate == none || e.first(e.slots.at(s.mate))) {
		if !e.startEmpty(s) {
			e.begin(s)
		}
		return
	}
	s.state = stateQueued
}

// dropShadow frees the shadow of s, if it has one.
func (e *Engine) dropShadow(s *Slot) {
	if s.mate == none {
		return
	}
	m := e.slots.at(s.mate)
	e.leave(m)
	e.unhold(m)
	e.slots.put(m)
}
