package core

import (
	"math"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// pollBits are the conditions that there are (POLLIN to POLLMSG, POLLRDHUP). The other bits of the mask mean
// nothing to a file; POLLNVAL among them is poll's own.
const pollBits = 0x27df

// checkPoll finds what is wrong with a poll by itself.
func checkPoll(op *api.Op) syscall.Errno {
	if op.Arg > math.MaxUint16 || op.Flags&(api.Level|api.Multishot) == api.Level {
		return syscall.EINVAL
	}
	op.Arg &= pollBits
	return 0
}

// checkPollRemove finds what is wrong with the removal or update of a poll by itself: as in the kernel, what is not asked for
// must not be there.
func checkPollRemove(op *api.Op) syscall.Errno {
	switch {
	case op.Flags&api.Update == 0 && op.Arg != 0, op.Arg > math.MaxUint16,
		op.Flags&api.UpdateTag == 0 && op.Off != 0:
		return syscall.EINVAL
	}
	op.Arg &= pollBits
	return 0
}

// startPollRemove performs an OpPollRemove.
func (e *Engine) startPollRemove(c *Slot) {
	c.state = stateStarted
	t := e.slots.lookup(c.Op.Target)
	switch {
	case t == nil, t.Op.Code != api.OpPoll:
		e.End(c, -int32(syscall.ENOENT))
	case c.Op.Flags&(api.Update|api.UpdateTag) == 0:
		e.startCancel(c)
	case t.state != stateStarted, t.Ending():
		e.End(c, -int32(syscall.ENOENT))
	default:
		e.updatePoll(c, t)
	}
}

// updatePoll makes the poll t what c says. It begins anew, so that what it reports from now on is what holds from now on.
func (e *Engine) updatePoll(c, t *Slot) {
	if c.Op.Flags&api.Update != 0 {
		t.Op.Arg = c.Op.Arg
	}
	if c.Op.Flags&api.UpdateTag != 0 {
		t.Op.Tag = uint64(c.Op.Off)
	}
	e.rests.remove(t.ID())
	e.End(c, 0)
	e.drv.Rearm(t)
}

// rests are the level-triggered polls that have reported. They begin anew when the program has seen that: in a later Complete,
// so that a condition which lasts is reported once in each, and costs nothing while nobody looks.
type rests struct {
	due []api.OpID // reported in an earlier Complete
	new []api.OpID // reported in the present one
	odd bool       // counts the calls of Complete
}

// Rest is for the driver: the level-triggered poll in s has reported with Emit. The driver has nothing to do with it until Rearm,
// unless it is cancelled.
func (e *Engine) Rest(s *Slot) { e.rests.new = append(e.rests.new, s.ID()) }

// next begins a Complete. It gives the share of the places in dst that these polls may fill: half of them, so that
// neither they nor the others starve; one place belongs to the one and the other in turn.
func (r *rests) next(places int) int {
	r.due = append(r.due, r.new...)
	r.new = r.new[:0]
	r.odd = !r.odd
	if r.odd {
		places++
	}
	return places / 2
}

// remove forgets the poll id.
func (r *rests) remove(id api.OpID) {
	for _, list := range []*[]api.OpID{&r.due, &r.new} {
		for i, other := range *list {
			if other == id {
				*list = append((*list)[:i], (*list)[i+1:]...)
				return
			}
		}
	}
}

// rearm lets up to n of the polls that rest begin anew, those first that have rested longest, while there is room for what they report.
func (e *Engine) rearm(n int) {
	r := &e.rests
	i := 0
	for ; i < len(r.due) && n > 0 && e.Room() > 0; i++ {
		if s := e.slots.lookup(r.due[i]); s != nil && !s.Ending() {
			e.drv.Rearm(s)
			n--
		}
	}
	r.due = append(r.due[:0], r.due[i:]...)
}
