package core

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/offheap"
	"github.com/sluiceio/sluice/internal/sysx"
)

// zeroCopy is what a group for RecvZC has besides. Unless a network card writes into it, it is a group like any other, whose buffers are pages.
type zeroCopy struct {
	mem   *offheap.Map // what the card writes into; nil where data is copied
	pages []page       // of mem
}

// page is a buffer of the area. The card puts packets, or parts of them, one behind the other, in an order that is its own, so that several leases are of one
// page. Their generations count on from Group.gens, as those of parts do, and begin anew when all of them are back.
type page struct {
	out    int32
	pieces []span // as many as there were since the page was last without a lease; kept for their memory
}

// span is where a piece is in its page.
type span struct {
	at, end uint32
	back    bool
}

// checkZeroCopy finds what is wrong with the options of a group for RecvZC, whose numbers are in order.
func checkZeroCopy(o *api.BufferGroupOptions) error {
	switch {
	case o.Size != os.Getpagesize():
		return &api.OptionError{Option: "BufferGroupOptions.Size", Reason: "must be 0 or the size of a page for a zero-copy group"}
	case o.Max != o.Count:
		return &api.OptionError{Option: "BufferGroupOptions.Max", Reason: "must be 0 or Count for a zero-copy group, which keeps its size"}
	case o.Incremental || o.Send:
		return &api.OptionError{Option: "BufferGroupOptions.ZeroCopy", Reason: "such a group is neither incremental nor for sending"}
	}
	if err := o.ZeroCopy.Check(); err != nil {
		return err
	}
	if name := o.ZeroCopy.Interface; name != "" {
		switch _, errno := sysx.InterfaceIndex(name); errno {
		case 0:
		case syscall.ENODEV:
			return &api.OptionError{Option: "ZeroCopyOptions.Interface", Reason: "there is no interface " + strconv.Quote(name)}
		default: // no fd to ask with, for one
			return fmt.Errorf("sluice: looking for the interface %q: %w", name, errno)
		}
	}
	return nil
}

// openArea has a network card write into the memory of g, or finds that the data has to be copied.
func (g *Group) openArea(o *api.BufferGroupOptions) error {
	g.zc = &zeroCopy{}
	err := g.addArea(o)
	if err == nil {
		return nil
	}
	g.mark = api.Copied
	if z := o.ZeroCopy; z.Require || z.Interface != "" && !errors.Is(err, api.ErrUnavailable) {
		return err
	}
	return nil
}

func (g *Group) addArea(o *api.BufferGroupOptions) error {
	r, ok := g.e.drv.(Receiver)
	switch {
	case o.ZeroCopy.Interface == "":
		return api.ErrUnavailable // nobody has asked for more
	case !ok:
		return &api.UnavailableError{Backend: g.e.name, Reason: "zero-copy receives are io_uring's",
			Hint: "open the backend uring with Options.Ring.Completions: CompletionsWide, on Linux 6.15 or later"}
	}
	// Never of the Go heap: the card may write there for some time after the ring is closed, by when the collector would have given it to somebody else.
	mem, err := offheap.NewMapped(o.Count * o.Size)
	if err != nil {
		return err
	}
	b := mem.Bytes()[:o.Count*o.Size]
	if err := r.AddArea(g, b, o.ZeroCopy); err != nil {
		mem.Abandon()
		return err
	}
	g.zc.mem, g.zc.pages = mem, make([]page, o.Count)
	g.count, g.handsOut = o.Count, true
	g.e.areas = append(g.e.areas, g)
	for i := range o.Count {
		g.bufs = append(g.bufs, b[i*o.Size:(i+1)*o.Size:(i+1)*o.Size])
		g.gens = append(g.gens, g.e.genBase)
	}
	return nil
}

// Wired says whether a network card writes into g.
func (g *Group) Wired() bool { return g.zc != nil && g.zc.mem != nil }

// letGoOfArea unmaps what a card has written into, when g is closed and no lease is out any more. The kernel has a hold of its own on the pages, for as long
// as the card may write there.
func (g *Group) letGoOfArea() {
	if !g.Wired() || !g.closed || g.out > 0 {
		return
	}
	g.zc.mem.Abandon() // operations of the program's may move some of it still
	clear(g.bufs)
	if i := slices.Index(g.e.areas, g); i >= 0 {
		g.e.areas = slices.Delete(g.e.areas, i, i+1)
	}
}

// takeBack releases a lease that no program will ever see.
func (e *Engine) takeBack(l api.Lease) {
	for _, g := range e.areas {
		if g.Release(l) == nil {
			return
		}
	}
}

// startRecvZC is startGroup for a RecvZC.
func (e *Engine) startRecvZC(s *Slot, g *Group) bool {
	errno := syscall.EINVAL
	if g != nil && !g.closing && g.zc != nil {
		errno = sysx.IsTCP(s.Op.FD)
	}
	if errno != 0 {
		e.End(s, -int32(errno))
		return false
	}
	s.Group = g
	g.users++
	return true
}

// OutOfBuffers is what an operation fails with that has data and no buffer of its group for it.
func OutOfBuffers(s *Slot) syscall.Errno {
	if s.Op.Code == api.OpRecvZC {
		return syscall.ENOMEM // as io_uring, when it has to copy (io_zcrx_copy_chunk)
	}
	return syscall.ENOBUFS
}

// EmitPiece is Emit with n bytes, more than none, that a card has put at at into a page of the operation's group. The driver has seen to it that they are within.
func (e *Engine) EmitPiece(s *Slot, bid uint16, at, n int32) {
	g := s.Group
	p := &g.zc.pages[bid]
	end := at + n
	invariants.Check(at >= 0 && n > 0 && int(end) <= g.size, "a piece of %d bytes at %d of a page", n, at)
	buf := g.bufs[bid][at:end:end]
	raceLease(buf)
	p.pieces = append(p.pieces, span{at: uint32(at), end: uint32(end)})
	if p.out++; p.out == 1 {
		g.taken()
	}
	e.deliver(&api.Completion{Tag: s.Op.Tag, ID: s.ID(), Buf: buf, Lease: g.leaseOf(bid, g.lastGen(bid)), Res: n,
		Flags: api.More | api.Buffer, Code: s.Op.Code})
}

// releaseZC is Release for a piece that a card has written.
func (g *Group) releaseZC(bid uint16, gen uint32) error {
	p := &g.zc.pages[bid]
	i := gen - g.gens[bid] - 1
	if i >= uint32(len(p.pieces)) || p.pieces[i].back {
		return api.ErrLease
	}
	piece := &p.pieces[i]
	if invariants.Enabled || raceEnabled {
		b := g.bufs[bid][piece.at:piece.end]
		raceRelease(b)
		invariants.Mangle(b)
	}
	piece.back = true
	p.out--
	if p.out == 0 {
		if g.gens[bid] += uint32(len(p.pieces)); g.gens[bid] > genMax {
			g.gens[bid] = 0
		}
		p.pieces = p.pieces[:0]
		g.out--
	}
	if g.closed {
		g.letGoOfArea()
		return nil
	}
	g.e.drv.Recycle(g, bid) // the kernel counts the pieces that are out of a page, as we do
	if p.out == 0 {
		g.rise()
	}
	return nil
}
