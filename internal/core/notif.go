package core

import (
	"sync"

	"github.com/sluiceio/sluice/api"
)

// A zero-copy send has two completions: its result, and the notification that nothing reads its memory any more. With the result
// it is over for its file, its chain and for cancels. What is left is the slot, which keeps the memory alive.
//
//	started ──End, moved bytes──▶ told ──the last of Slot.Notifs──▶ free
//	   │                            ▲
//	   └────End, failed──▶ failing ─┘ (but with the failure as its only completion)

// endSend is End for an operation that notifies. res is its result.
func (e *Engine) endSend(s *Slot, res int32) {
	res = s.result(res)
	if res >= 0 {
		e.tell(s, res)
	} else if s.res = res; s.Notifs > 0 {
		// Nothing has been sent, so that the kernel lets go at once; but not before has it done so may the program have the memory.
		s.state = stateFailing
		e.told++
		return
	}
	if s.Notifs == 0 {
		e.endNotif(s)
	}
}

// tell delivers the result of s, and goes on with all that has waited for it.
func (e *Engine) tell(s *Slot, res int32) {
	if s.timed != 0 {
		e.untime(s)
	}
	on := s.succeeded(res) || s.Op.Flags&api.HardLink != 0
	e.leave(s)
	s.FD = nil
	s.state = stateTold
	e.told++
	e.deliver(&api.Completion{Tag: s.Op.Tag, ID: s.ID(), Res: res, Flags: api.More, Code: s.Op.Code})
	if next := s.next; next != none {
		s.next = none
		e.goOn(e.slots.at(next), on, false)
	}
}

// endNotif delivers the last completion of an operation that notifies.
func (e *Engine) endNotif(s *Slot) {
	c := api.Completion{Tag: s.Op.Tag, ID: s.ID(), Code: s.Op.Code}
	if s.Over() {
		e.told--
	}
	if s.state != stateTold {
		c.Res = s.res
		e.last(s, &c)
		return
	}
	c.Flags = api.Notif
	if s.Copied && s.Op.Flags&api.ReportUsage != 0 {
		c.Flags |= api.Copied
	}
	e.retire(s)
	e.deliver(&c)
}

// Notified is for the driver: one of s.Notifs has come. copied says that what it stands for was copied after all.
func (e *Engine) Notified(s *Slot, copied bool) {
	s.Notifs--
	s.Copied = s.Copied || copied
	if s.Notifs == 0 && s.Over() {
		e.endNotif(s)
	}
}

// Over says that the result of s is known. It waits for notifications only, and nothing can end it early.
func (s *Slot) Over() bool { return s.state == stateTold || s.state == stateFailing }

// Failed is the result of an operation that has failed and waits for notifications, else 0.
func (s *Slot) Failed() int32 {
	if s.state == stateFailing {
		return s.res
	}
	return 0
}

// Unsettled is Lookup, but nil also for an operation that has had its result.
func (e *Engine) Unsettled(id api.OpID) *Slot {
	if s := e.slots.lookup(id); s != nil && s.state != stateTold {
		return s
	}
	return nil
}

// held are the engines whose memory the kernel still reads although the program has closed them: see Close. Whatever becomes of the program's
// own references, that memory must not become another's, for it is on its way to a peer. That is why this is kept for the whole process.
var held struct {
	mu      sync.Mutex
	engines map[*Engine]struct{}
}

// retain keeps the engine and all memory of its operations.
func (e *Engine) retain() {
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.engines == nil {
		held.engines = map[*Engine]struct{}{}
	}
	held.engines[e] = struct{}{}
}

// unretain takes retain back.
func (e *Engine) unretain() {
	held.mu.Lock()
	defer held.mu.Unlock()
	delete(held.engines, e)
}
