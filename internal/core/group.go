package core

import (
	"math"
	"os"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// Group implements api.BufferGroup. Its memory is on the Go heap, so that a program which
// keeps a buffer past its lease reads stale bytes and never crashes.
type Group struct {
	e    *Engine
	id   uint16
	size int
	max  int

	// bufs are the buffers by their ids, nil where one has gone since the group was made smaller. Those that are made at a time are one
	// piece of memory.
	bufs [][]byte
	gone []uint16 // the ids of those that have gone
	free []uint16 // where the driver does not hand out the buffers itself; the last is the next
	gens []uint32 // by id: odd while the buffer is out. Of an incremental group: the generation before that of the first piece in it

	// spoilt are the buffers that their release has mangled, and that nobody has had since; in the invariants build.
	spoilt []bool

	count  int // how many there are
	target int // how many there shall be: count comes down to it as leases come back
	out    int
	users  int // operations in flight

	parts *parts // of an incremental group, else nil
	zc    *zeroCopy
	mark  api.CompletionFlags // of every completion with a buffer
	line  line
	low   low

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
	if err := e.checkGroup(&o); err != nil {
		return nil, err
	}
	g := &Group{e: e, id: o.ID, size: o.Size, max: o.Max, target: o.Count, low: low{water: o.LowWater, call: o.OnLow}}
	if o.Incremental {
		g.parts = &parts{current: none}
	}
	g.line.on = o.Send
	var err error
	if o.ZeroCopy != nil {
		if err = g.openArea(&o); err != nil {
			return nil, err
		}
	}
	if g.zc == nil || g.zc.mem == nil {
		g.grow(o.Count)
		if g.handsOut, err = e.drv.AddGroup(g); err != nil {
			return nil, err
		}
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

// checkGroup sets what is left open in o to its defaults, and finds what is wrong with it.
func (e *Engine) checkGroup(o *api.BufferGroupOptions) error {
	if o.Count == 0 {
		o.Count = defaultGroupCount
		if o.Max > 0 {
			o.Count = min(o.Count, o.Max)
		}
	}
	if o.Size == 0 {
		o.Size = defaultGroupSize
		if o.ZeroCopy != nil {
			o.Size = os.Getpagesize()
		}
	}
	if o.Max == 0 {
		o.Max = o.Count
	}
	switch {
	case o.Count < 1 || o.Count > maxGroupCount || o.Count&(o.Count-1) != 0:
		return &api.OptionError{Option: "BufferGroupOptions.Count", Reason: "must be a power of two from 1 to 32768"}
	case o.Max < o.Count || o.Max > maxGroupCount || o.Max&(o.Max-1) != 0:
		return &api.OptionError{Option: "BufferGroupOptions.Max", Reason: "must be a power of two from Count to 32768"}
	case o.Size < 1 || o.Size > maxGroupSize || uint64(o.Size)*uint64(o.Max) > math.MaxInt:
		return &api.OptionError{Option: "BufferGroupOptions.Size", Reason: "must be from 1 byte to 1 MiB, and Max of them must fit into memory"}
	case o.LowWater < 0 || o.LowWater > o.Max:
		return &api.OptionError{Option: "BufferGroupOptions.LowWater", Reason: "must be from 0 to Max"}
	case o.Send && o.Incremental:
		return &api.OptionError{Option: "BufferGroupOptions.Send", Reason: "an incremental group is for receiving only"}
	case e.group(o.ID) != nil:
		return &api.OptionError{Option: "BufferGroupOptions.ID", Reason: "there is a group with this id; close it first"}
	}
	if o.ZeroCopy != nil {
		return checkZeroCopy(o)
	}
	return nil
}

// grow makes n more buffers, and returns their ids, which hold until the next call.
func (g *Group) grow(n int) []uint16 {
	mem := make([]byte, n*g.size)
	ids := make([]uint16, n)
	for i := range ids {
		b := mem[i*g.size : (i+1)*g.size : (i+1)*g.size]
		if last := len(g.gone) - 1; last >= 0 {
			ids[i] = g.gone[last]
			g.gone = g.gone[:last]
			g.bufs[ids[i]] = b
			g.Touch(ids[i]) // it is other memory
			continue
		}
		ids[i] = uint16(len(g.bufs))
		g.bufs = append(g.bufs, b)
		// Above all leases of former groups, so that none of them fits a group with the same id.
		g.gens = append(g.gens, g.e.genBase)
		if invariants.Enabled {
			g.spoilt = append(g.spoilt, false)
		}
		if g.parts != nil {
			g.parts.of = append(g.parts.of, part{})
		}
	}
	g.count += n
	return ids
}

// Resize implements api.BufferGroup.
func (g *Group) Resize(count int) error {
	if err := g.e.enter(); err != nil {
		return err
	}
	if g.closed {
		return api.ErrClosed
	}
	if count < 1 || count > g.max {
		return &api.OptionError{Option: "Resize", Reason: "the count must be from 1 to BufferGroupOptions.Max"}
	}
	if g.zc != nil && count != g.count {
		return &api.OptionError{Option: "Resize", Reason: "the memory of a zero-copy group is registered once and for all"}
	}
	g.target = count
	if count <= g.count {
		return nil // those that are not out stay: a kernel that has them cannot be asked for one back
	}
	for _, bid := range g.grow(count - g.count) {
		g.recycle(bid)
	}
	g.rise()
	return nil
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

// Max is the largest count that Resize takes.
func (g *Group) Max() int { return g.max }

// Available implements api.BufferGroup.
func (g *Group) Available() int { return g.count - g.out }

// Incremental says whether one piece of data goes behind the other into the same buffer.
func (g *Group) Incremental() bool { return g.parts != nil }

// HandsOut says whether the driver hands out the buffers itself.
func (g *Group) HandsOut() bool { return g.handsOut }

// Take takes a buffer, where the driver does not hand them out itself. The one that came back
// last goes first: its memory is still in the cache. Of an incremental group it is the same one until it is full.
func (g *Group) Take() (bid uint16, ok bool) {
	if g.parts != nil && g.parts.current != none {
		return uint16(g.parts.current), true
	}
	return g.TakeNext()
}

// TakeNext takes another buffer, behind one that Take has taken: what does not fit into that one goes into this.
func (g *Group) TakeNext() (bid uint16, ok bool) {
	n := len(g.free)
	if n == 0 {
		return 0, false
	}
	bid = g.free[n-1]
	g.free = g.free[:n-1]
	return bid, true
}

// Untake gives a buffer back that Take or TakeNext took and no completion carries. Of several, the last goes first.
func (g *Group) Untake(bid uint16) {
	g.Touch(bid)
	if g.parts == nil || g.parts.current != int32(bid) {
		g.free = append(g.free, bid)
	}
}

// Touch is for a driver that has had a buffer, perhaps changed it, and delivers it in no completion.
func (g *Group) Touch(bid uint16) {
	if invariants.Enabled {
		g.spoilt[bid] = false
	}
}

// Bytes is the memory of one buffer.
func (g *Group) Bytes(bid uint16) []byte { return g.bufs[bid] }

// Rest is where the next piece of data goes in a buffer: all of it, unless the group is incremental.
func (g *Group) Rest(bid uint16) []byte {
	if g.parts == nil {
		return g.bufs[bid]
	}
	return g.bufs[bid][g.parts.of[bid].fill:]
}

// Close implements api.BufferGroup.
func (g *Group) Close() error {
	if err := g.e.enterWait(); err != nil {
		return err
	}
	if g.closed {
		return api.ErrClosed
	}
	e := g.e
	g.closing = true
	e.slots.each(func(s *Slot) {
		if s.Group == g {
			e.stop(s, nil, reasonCancel)
		}
	})
	for g.users > 0 {
		if err := e.settle(); err != nil {
			return err // an operation may be at it still: the Close of the engine is the next to look
		}
	}
	g.shut()
	return nil
}

// shut forgets the group. Leases that are out may still be read, and released.
func (g *Group) shut() {
	g.closed = true
	for bid := range g.gens {
		g.e.genBase = max(g.e.genBase, (g.lastGen(uint16(bid))+2)&^1)
	}
	g.e.drv.RemoveGroup(g)
	g.e.groups[g.id] = nil
	g.letGoOfArea()
}
