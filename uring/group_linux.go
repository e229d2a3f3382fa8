package uring

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
)

// group is a buffer group that the kernel hands out, from a ring.
type group struct {
	g     *core.Group // keeps the memory alive, which the ring does not
	ring  *iouring.BufRing
	at    []uint16 // by buffer: where in the ring it was put last
	order []uint16 // the ring: which buffer was put there last
	dirty bool     // it is in driver.dirty
}

// behind is the buffer that the kernel takes after bid.
func (r *group) behind(bid uint16) uint16 { return r.order[(int(r.at[bid])+1)&(len(r.order)-1)] }

// usedUp says whether the kernel has done with a buffer of an incremental group into which it has put nothing. A worker of the kernel's takes all that is left of
// one, whatever it needs (measured on 6.18).
func (d *driver) usedUp(g *core.Group, bid uint16) bool {
	d.count.Enters++
	head, err := d.ring.PbufStatus(g.ID())
	r := d.groups[g.ID()]
	tail := r.ring.Tail()
	behind := (tail - r.at[bid] - 1) & uint16(len(r.order)-1) // how many were put there later
	return err == nil && tail-uint16(head) <= behind
}

// AddGroup implements core.Driver.
func (d *driver) AddGroup(g *core.Group) (handsOut bool, err error) {
	flags := uint16(0)
	if g.Incremental() {
		flags = iouring.IOU_PBUF_RING_INC
	}
	if d.soft || g.Sends() || g.Incremental() && !d.kern.Has(api.KernIncremental) {
		return false, nil
	}
	ring, err := iouring.NewBufRing(d.ring, uint16(g.Max()), g.ID(), flags)
	if errors.Is(err, unix.EEXIST) {
		return false, api.ErrNotOwner // the core has seen that there is no such group
	}
	if err != nil {
		return false, err
	}
	if n := int(g.ID()) + 1; n > len(d.groups) {
		d.groups = append(d.groups, make([]*group, n-len(d.groups))...)
	}
	d.groups[g.ID()] = &group{g: g, ring: ring, at: make([]uint16, g.Max()), order: make([]uint16, g.Max())}
	for bid := range g.Count() {
		d.Recycle(g, uint16(bid))
	}
	d.publish()
	return true, nil
}

// RemoveGroup implements core.Driver.
func (d *driver) RemoveGroup(g *core.Group) {
	if g.Wired() {
		d.unwire(g)
		return
	}
	if !g.HandsOut() || int(g.ID()) >= len(d.groups) || d.groups[g.ID()] == nil {
		return
	}
	d.publish()
	err := d.groups[g.ID()].ring.Close()
	d.groups[g.ID()] = nil
	if err != nil {
		d.note(os.NewSyscallError("io_uring_register", err))
	}
}

// Recycle implements core.Driver.
func (d *driver) Recycle(g *core.Group, bid uint16) {
	if g.Wired() {
		d.refill(g, bid)
		return
	}
	r := d.groups[g.ID()]
	p, n := iouring.Bytes(g.Bytes(bid))
	i := r.ring.Tail() & uint16(len(r.order)-1)
	r.at[bid], r.order[i] = i, bid
	r.ring.Add(p, n, bid)
	if !d.deferred {
		// The kernel receives at any time, not only while we are in it.
		r.ring.Publish()
		return
	}
	if !r.dirty {
		r.dirty = true
		d.dirty = append(d.dirty, r)
	}
}

// reapPieces dispatches c, a completion with a piece that does not fill its buffer, as one with those that follow it from the same stream into the
// same buffer, and says where the queue goes on. A multishot receive that has to wait remembers how much room there was (Linux 6.18 leaves it in sr->len), and
// receives no more than that when there is data, although others have gone on to the next buffer meanwhile; what it has left comes right behind.
func (d *driver) reapPieces(c *iouring.CQE, at, tail uint32) uint32 {
	const same = iouring.IORING_CQE_F_BUFFER | 0xffff<<iouring.IORING_CQE_BUFFER_SHIFT
	res, flags := c.Res, c.Flags
	if s := d.slotOf(c.UserData); s != nil && kindOf(c.UserData) == kindOp && s.FD != nil && s.FD.Kind&streamFD != 0 && s.Op.Code == api.OpRecv {
		for at != tail && flags&iouring.IORING_CQE_F_BUF_MORE != 0 {
			next := d.ring.CQEAt(at)
			if next.UserData != c.UserData || next.Res <= 0 || (next.Flags^flags)&same != 0 {
				break
			}
			res, flags = res+next.Res, next.Flags
			at++
		}
	}
	d.dispatch(c.UserData, res, flags)
	return at
}

// publish tells the kernel of the buffers that have come back.
func (d *driver) publish() {
	if len(d.refills) > 0 {
		d.publishRefills()
	}
	if len(d.dirty) == 0 {
		return
	}
	for _, r := range d.dirty {
		r.ring.Publish()
		r.dirty = false
	}
	clear(d.dirty)
	d.dirty = d.dirty[:0]
}

// enterError is what an errno of io_uring_enter(2) means for the engine, nil for what is not an error.
func (d *driver) enterError(errno unix.Errno) error {
	switch errno {
	case 0:
	case unix.ETIME: // the wait is over
	case unix.EINTR: // a signal; the engine works out how long is left
	case unix.EAGAIN, unix.ENOMEM, unix.EBUSY:
		// Short of memory, or completions are kept back for want of room: what was not taken is tried
		// again by the next Turn, when they have been reaped.
		d.stalled = true
	default:
		return d.fatal(errno)
	}
	return nil
}

func (d *driver) fatal(errno unix.Errno) error {
	if errno == unix.EEXIST || d.block && unix.Gettid() != d.tid {
		// The ring belongs to another thread. If it is registered there, this one finds
		// nothing under its number.
		return api.ErrNotOwner
	}
	return os.NewSyscallError("io_uring_enter", errno)
}
