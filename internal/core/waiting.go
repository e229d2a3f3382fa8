package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// waiting counts, by fd, the operations that are not on the lists of their files yet, because they wait for others of their
// chains or are held up by a drain. A Close looks for them among all slots only if there are any.
type waiting struct{ n []int32 }

// waitingMax bounds the memory: fds that differ by a multiple of it share a count, which costs a look in vain.
const waitingMax = 1 << 20

func (w *waiting) add(fd, d int32) {
	if fd < 0 {
		return // never open
	}
	i := int(fd) & (waitingMax - 1)
	if i >= len(w.n) {
		w.n = append(w.n, make([]int32, i+1-len(w.n))...)
	}
	w.n[i] += d
}

// on says whether there may be some on the fd.
func (w *waiting) on(fd int32) bool {
	i := int(fd) & (waitingMax - 1)
	return fd >= 0 && i < len(w.n) && w.n[i] > 0
}

// count counts s among those that wait.
func (e *Engine) count(s *Slot) {
	if !s.counted {
		s.counted = true
		e.recount(s, 1)
	}
}

// uncount is called for a slot that waits no longer.
func (e *Engine) uncount(s *Slot) {
	if s.counted {
		s.counted = false
		e.recount(s, -1)
	}
}

func (e *Engine) recount(s *Slot, d int32) {
	if byFD(&s.Op) {
		e.waiting.add(s.Op.FD, d)
	}
	if s.mate != none {
		e.waiting.add(e.slots.at(s.mate).Op.FD, d)
	}
}

// byFD says whether op names a file by its fd.
func byFD(op *api.Op) bool { return optab.Of(op.Code).FD && op.Flags&api.FixedFile == 0 }

// isOn says whether s was submitted with the fd n.
func (e *Engine) isOn(s *Slot, n int32) bool {
	return byFD(&s.Op) && s.Op.FD == n || s.mate != none && e.slots.at(s.mate).Op.FD == n
}

// cutOn ends the operations on the fd n that wait: the file is about to be closed, and the number may be another's when their
// turn comes. What is held up was submitted behind the close.
func (e *Engine) cutOn(n int32) {
	if !e.waiting.on(n) {
		return
	}
	e.slots.each(func(s *Slot) {
		switch {
		case s.shadow || !s.counted || !e.isOn(s, n):
		case s.state == stateChained:
			e.cut(s)
		default:
			e.End(s, -int32(syscall.EBADF))
		}
	})
}

// closedOver says whether a Close is under way of a file that s is on, which was submitted before it and has waited in its chain until now. The
// Close comes first in the run queue: to s, the number would be no file's, or another's.
func (e *Engine) closedOver(s *Slot) bool {
	over := func(op *api.Op) bool {
		if !byFD(op) || !e.fds.has(op.FD) {
			return false
		}
		f := e.fds.get(op.FD)
		return f.closing != none && s.seq < e.slots.at(f.closing).seq
	}
	return over(&s.Op) || s.mate != none && over(&e.slots.at(s.mate).Op)
}

// refusal is what an operation ends with that comes to a file which is being closed, or is none. If it was submitted before the
// close, it has waited in a chain until now.
func (e *Engine) refusal(f *FD, s *Slot) int32 {
	if f != nil && s.seq < e.slots.at(f.closing).seq {
		return -int32(api.ECanceled)
	}
	return -int32(syscall.EBADF)
}
