package core

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// Group implements api.BufferGroup. Its memory is on the Go heap, so that a program which
// keeps a buffer past its lease reads stale bytes and never crashes.
type Group struct {
	// Mem are the buffers, one after the other.
	Mem []byte
	// count is how many there are.
	count int

	e        *Engine
	id       uint16
	size     int
	free     []uint16 // where the driver does not hand out the buffers itself
	gens     []uint32 // odd while the buffer is out
	out      int
	users    int // operations in flight
	handsOut bool
	closing  bool // takes no more operations
	closed   bool
}

var _ api.BufferGroup = (*Group)(nil)

// The limits and defaults of a group.
const (
	maxGroupCount     = 1 << 15
	maxGroupSize      = 1 << 20
	defaultGroupCount = 256
	defaultGroupSize  = 4096
)

// NewBufferGroup implements api.Engine.
func (e *Engine) NewBufferGroup(o api.BufferGroupOptions) (api.BufferGroup, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	if o.Count == 0 {
		o.Count = defaultGroupCount
	}
	if o.Size == 0 {
		o.Size = defaultGroupSize
	}
	switch {
	case o.Count < 1 || o.Count > maxGroupCount || o.Count&(o.Count-1) != 0:
		return nil, &api.OptionError{Option: "BufferGroupOptions.Count", Reason: "must be a power of two from 1 to 32768"}
	case o.Size < 1 || o.Size > maxGroupSize:
		return nil, &api.OptionError{Option: "BufferGroupOptions.Size", Reason: "must be from 1 byte to 1 MiB"}
	case e.group(o.ID) != nil:
		return nil, &api.OptionError{Option: "BufferGroupOptions.ID", Reason: "there is a group with this id; close it first"}
	}
	g := &Group{e: e, id: o.ID, size: o.Size, count: o.Count, Mem: make([]byte, o.Count*o.Size), gens: make([]uint32, o.Count)}
	// Above all leases of former groups, so that none of them fits a group with the same id.
	for i := range g.gens {
		g.gens[i] = e.genBase
	}
	var err error
	if g.handsOut, err = e.drv.AddGroup(g); err != nil {
		return nil, err
	}
	if !g.handsOut {
		for i := o.Count - 1; i >= 0; i-- {
			g.free = append(g.free, uint16(i))
		}
	}
	if int(o.ID) >= len(e.groups) {
		e.groups = append(e.groups, make([]*Group, int(o.ID)+1-len(e.groups))...)
	}
	e.groups[o.ID] = g
	return g, nil
}

func (e *Engine) group(id uint16) *Group {
	if int(id) >= len(e.groups) {
		return nil
	}
	return e.groups[id]
}

// ID implements api.BufferGroup.
func (g *Group) ID() uint16 { return g.id }

// Size implements api.BufferGroup.
func (g *Group) Size() int { return g.size }

// Count implements api.BufferGroup.
func (g *Group) Count() int { return g.count }

// Available implements api.BufferGroup.
func (g *Group) Available() int { return g.count - g.out }

// Take takes a buffer, where the driver does not hand them out itself. The one that came back
// last goes first: its memory is still in the cache.
func (g *Group) Take() (bid uint16, ok bool) {
	n := len(g.free)
	if n == 0 {
		return 0, false
	}
	bid = g.free[n-1]
	g.free = g.free[:n-1]
	return bid, true
}

// Untake gives a buffer back that Take took and no completion carries.
func (g *Group) Untake(bid uint16) { g.free = append(g.free, bid) }

// Bytes is the memory of one buffer.
func (g *Group) Bytes(bid uint16) []byte {
	at := int(bid) * g.size
	return g.Mem[at : at+g.size : at+g.size]
}

// lease marks a buffer as out.
func (g *Group) lease(bid uint16, n int32) ([]byte, api.Lease) {
	g.gens[bid]++
	g.out++
	b := g.Bytes(bid)[:n:n]
	raceLease(b)
	return b, api.Lease(g.gens[bid])<<32 | api.Lease(g.id)<<16 | api.Lease(bid)
}

// Release implements api.BufferGroup.
func (g *Group) Release(l api.Lease) error {
	bid := uint16(l)
	gen := uint32(l >> 32)
	if l.Group() != g.id || int(bid) >= g.count || g.gens[bid] != gen || gen&1 == 0 {
		return api.ErrLease
	}
	raceRelease(g.Bytes(bid))
	invariants.Mangle(g.Bytes(bid))
	g.gens[bid]++
	g.out--
	switch {
	case g.closed:
	case g.handsOut:
		g.e.drv.Recycle(g, bid)
	default:
		g.free = append(g.free, bid)
	}
	return nil
}

// Close implements api.BufferGroup.
func (g *Group) Close() error {
	if g.closed {
		return api.ErrClosed
	}
	if err := g.e.enter(); err != nil {
		return err
	}
	e := g.e
	g.closing = true
	e.slots.each(func(s *Slot) {
		if s.Group == g {
			e.stop(s, nil, reasonCancel)
		}
	})
	var err error
	for g.users > 0 && err == nil {
		err = e.settle()
	}
	g.shut()
	return err
}

// shut forgets the group. Leases that are out may still be read, and released.
func (g *Group) shut() {
	g.closed = true
	for _, gen := range g.gens {
		g.e.genBase = max(g.e.genBase, (gen+2)&^1)
	}
	g.e.drv.RemoveGroup(g)
	g.e.groups[g.id] = nil
}
