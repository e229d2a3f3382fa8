package core

import "github.com/sluiceio/sluice/api"

// A timeout with a count completes when the program has been given so many completions since its Submit. What counts is what
// comes out of Complete, and not what the kernel or a driver has finished, so that every backend comes to the same.

// seen is how many completions the program has been given. As in the kernel, timeouts that have expired
// or reached their count are not among them.
func (e *Engine) seen() uint64 { return e.completed + uint64(e.n) - e.timeouts }

// startCount begins to count for s. It returns false when s has ended: the completions that it was to wait for have come since
// its Submit.
func (e *Engine) startCount(s *Slot) bool {
	if e.seen() >= s.goal {
		e.End(s, 0)
		return false
	}
	s.timed |= inCounts
	e.counts.Push(int64(s.goal), s.Index)
	return true
}

// counted takes in that the program is given c.
func (e *Engine) counted(c *api.Completion) {
	if c.Code == api.OpTimeout && (c.Res == 0 || c.Res == -int32(api.ETime)) {
		e.timeouts++
	}
	e.reach()
}

// reach ends the timeouts whose count is complete. Their own completions do not count, so that one round finds all; a call
// from inside (End comes back here) has nothing to do.
func (e *Engine) reach() {
	if e.reaching {
		return
	}
	e.reaching = true
	for e.counts.Len() > 0 {
		i, ok := e.counts.PopExpired(int64(e.seen()))
		if !ok {
			break
		}
		s := e.slots.at(i)
		s.timed &^= inCounts
		e.End(s, 0)
	}
	e.reaching = false
}
