package core

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// parts are the buffers of an incremental group, in which one piece of data goes behind the other. Each piece has a lease, whose
// generation counts the pieces of its buffer. A buffer is out when it is full, and free again when all its pieces are back, too.
type parts struct {
	of      []part // by buffer
	current int32  // the one that has room, where the driver does not hand them out itself; none
}

// part is one such buffer.
type part struct {
	fill int32 // where the next piece begins
	out  int32 // how many pieces are
	cut  int32 // how much at the end is not used this time: see Cut
	// pieces are where each piece ends, and whether it is back. They are as many as there were between two uses of the buffer, and kept for their
	// memory.
	//
	//	31        1   0
	//	+---------+------+
	//	|   end   | back |
	//	+---------+------+
	pieces []uint32
}

const pieceBack = 1

// genMax is where the generations of pieces begin anew: there must be room for those of one buffer, of a byte each.
const genMax = 1<<32 - 1 - maxGroupSize

// lease gives the program the next n bytes of a buffer. more says that the buffer has room for another piece.
func (g *Group) lease(bid uint16, n int32) (b []byte, l api.Lease, more bool) {
	if g.parts != nil {
		return g.leasePiece(bid, n)
	}
	if invariants.Enabled {
		if g.spoilt[bid] && !invariants.Mangled(g.bufs[bid][n:]) {
			invariants.Check(false, "buffer %d of group %d was written to after its release", bid, g.id)
		}
		g.spoilt[bid] = false
	}
	g.gens[bid]++
	b = g.bufs[bid][:n:n]
	raceLease(b)
	g.taken()
	return b, g.leaseOf(bid, g.gens[bid]), false
}

func (g *Group) leaseOf(bid uint16, gen uint32) api.Lease {
	return api.Lease(gen)<<32 | api.Lease(g.id)<<16 | api.Lease(bid)
}

func (g *Group) leasePiece(bid uint16, n int32) (b []byte, l api.Lease, more bool) {
	p := &g.parts.of[bid]
	end := p.fill + n
	b = g.bufs[bid][p.fill:end:end]
	raceLease(b)
	p.fill = end
	p.out++
	p.pieces = append(p.pieces, uint32(end)<<1)
	switch more = int(end+p.cut) < g.size; {
	case !more:
		if g.parts.current == int32(bid) {
			g.parts.current = none
		}
		g.taken()
	case !g.handsOut:
		g.parts.current = int32(bid)
	}
	return b, g.leaseOf(bid, g.lastGen(bid)), more
}

// lastGen is the generation of the last lease of a buffer.
func (g *Group) lastGen(bid uint16) uint32 {
	switch {
	case g.zc != nil && g.zc.mem != nil:
		return g.gens[bid] + uint32(len(g.zc.pages[bid].pieces))
	case g.parts == nil:
		return g.gens[bid]
	}
	return g.gens[bid] + uint32(len(g.parts.of[bid].pieces))
}

// Release implements api.BufferGroup.
func (g *Group) Release(l api.Lease) error {
	bid, gen := uint16(l), uint32(l>>32)
	if l.Group() != g.id || int(bid) >= len(g.gens) {
		return api.ErrLease
	}
	switch {
	case g.parts != nil:
		return g.releasePiece(bid, gen)
	case g.zc != nil && g.zc.mem != nil:
		return g.releaseZC(bid, gen)
	}
	if g.gens[bid] != gen || gen&1 == 0 {
		return api.ErrLease
	}
	raceRelease(g.bufs[bid])
	invariants.Mangle(g.bufs[bid])
	if invariants.Enabled {
		g.spoilt[bid] = true
	}
	g.gens[bid]++
	g.back(bid)
	return nil
}

func (g *Group) releasePiece(bid uint16, gen uint32) error {
	p := &g.parts.of[bid]
	i := gen - g.gens[bid] - 1
	if i >= uint32(len(p.pieces)) || p.pieces[i]&pieceBack != 0 {
		return api.ErrLease
	}
	if invariants.Enabled || raceEnabled {
		at := uint32(0)
		if i > 0 {
			at = p.pieces[i-1] >> 1
		}
		b := g.bufs[bid][at : p.pieces[i]>>1]
		raceRelease(b)
		invariants.Mangle(b)
	}
	p.pieces[i] |= pieceBack
	p.out--
	if p.out > 0 || int(p.fill+p.cut) < g.size {
		return nil
	}
	g.anew(bid)
	g.back(bid)
	return nil
}

// anew begins a new use of a buffer, of which no piece is out.
func (g *Group) anew(bid uint16) {
	p := &g.parts.of[bid]
	if g.gens[bid] += uint32(len(p.pieces)); g.gens[bid] > genMax {
		g.gens[bid] = 0
	}
	p.fill, p.cut, p.pieces = 0, 0, p.pieces[:0]
}

// Cut is for a driver that hands out the buffers of an incremental group itself, and will put nothing more into this one behind the next n bytes. If n is
// 0 it is full by that.
func (g *Group) Cut(bid uint16, n int32) {
	p := &g.parts.of[bid]
	p.cut = int32(g.size) - p.fill - n
	switch {
	case n > 0:
	case p.out > 0:
		g.taken()
	default:
		g.anew(bid)
		g.recycle(bid)
	}
}

// back takes in a buffer that is out no longer.
func (g *Group) back(bid uint16) {
	g.out--
	if g.closed {
		return
	}
	if g.count > g.target {
		g.count--
		g.bufs[bid] = nil
		g.gone = append(g.gone, bid)
		return
	}
	g.recycle(bid)
	g.rise()
}

// recycle makes a buffer one that can be received into.
func (g *Group) recycle(bid uint16) {
	if g.handsOut {
		g.e.drv.Recycle(g, bid)
		return
	}
	g.free = append(g.free, bid)
}
