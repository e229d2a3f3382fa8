package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/sysx"
)

// bundleMax is how many buffers a SendBundle takes at most: as many as the kernel does (PEEK_MAX_IMPORT in io_uring/kbuf.c).
const bundleMax = 256

// line are the buffers of a group that wait to be sent. Those in front may be on their way.
type line struct {
	on    bool // the group is made for sending
	busy  bool // a SendBundle is in flight
	all   []queued
	first int      // of all; those before it have been sent
	bufs  [][]byte // of the SendBundle that begins
	asked int      // how many bytes of it
	taken int      // how many buffers
	moved int32    // its result
}

// queued is a buffer with n bytes in it.
type queued struct {
	bid uint16
	n   int32
}

// Get implements api.BufferGroup.
func (g *Group) Get() (buf []byte, l api.Lease, ok bool) {
	if !g.line.on || g.e.enter() != nil || g.closed || g.closing {
		return nil, 0, false
	}
	bid, ok := g.Take()
	if !ok {
		return nil, 0, false
	}
	buf, l, _ = g.lease(bid, int32(g.size))
	return buf, l, true
}

// Queue implements api.BufferGroup.
func (g *Group) Queue(l api.Lease, n int) error {
	bid, gen := uint16(l), uint32(l>>32)
	if err := g.e.enter(); err != nil {
		return err
	}
	if g.closed || g.closing {
		return api.ErrClosed
	}
	switch {
	case !g.line.on || l.Group() != g.id || int(bid) >= len(g.gens) || g.gens[bid] != gen || gen&1 == 0:
		return api.ErrLease
	case n < 1 || n > g.size:
		return &api.OptionError{Option: "Queue", Reason: "the number of bytes must be from 1 to BufferGroupOptions.Size"}
	}
	raceRelease(g.bufs[bid])
	g.gens[bid]++ // it stays out, and no lease fits it
	g.line.push(queued{bid, int32(n)})
	return nil
}

// Queued implements api.BufferGroup.
func (g *Group) Queued() int { return len(g.line.all) - g.line.first }

func (q *line) push(b queued) {
	if q.first > len(q.all)/2 {
		n := copy(q.all, q.all[q.first:])
		q.all, q.first = q.all[:n], 0
	}
	q.all = append(q.all, b)
}

// startBundle is startGroup for a SendBundle.
func (e *Engine) startBundle(s *Slot, g *Group) bool {
	switch {
	case g == nil || g.closing || g.Queued() == 0:
		e.End(s, -int32(syscall.ENOBUFS))
		return false
	case g.line.busy:
		e.End(s, -int32(syscall.EBUSY))
		return false
	}
	s.Op.Flags |= api.WaitAll     // what has been sent in part is not sent again
	s.Op.Arg &^= sysx.MsgZeroCopy // the buffers are used anew when it has ended
	s.Group = g
	g.users++
	g.line.busy, g.line.asked, g.line.taken, g.line.moved = true, 0, 0, 0
	return true
}

// fillBundle makes the slot's MsgBuf describe what a SendBundle sends, now that its turn has come. The driver sends it.
func (s *Slot) fillBundle() {
	g := s.Group
	q := &g.line
	q.taken = min(g.Queued(), bundleMax)
	for _, b := range q.sending() {
		q.bufs = append(q.bufs, g.bufs[b.bid][:b.n])
		q.asked += int(b.n)
	}
	s.NeedMsg().Set(q.bufs, nil)
	clear(q.bufs)
	q.bufs = q.bufs[:0]
}

// sending are the buffers of the SendBundle that is in flight.
func (q *line) sending() []queued { return q.all[q.first : q.first+q.taken] }

// sent is called when a SendBundle has ended. The buffers of which a byte has been sent are free again.
func (g *Group) sent() {
	q := &g.line
	q.busy = false
	for left := q.moved; left > 0; q.taken-- {
		invariants.Check(q.taken > 0, "more bytes were sent than there were")
		b := q.all[q.first]
		q.first++
		left -= b.n
		invariants.Mangle(g.bufs[b.bid])
		g.back(b.bid)
	}
}
