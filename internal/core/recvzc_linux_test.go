package core

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/offheap"
)

// cable is a manual driver with a network card, of which the test says what it writes.
type cable struct {
	manual
	area []byte
	back []int // by page: the pieces that the card has back
}

func (c *cable) AddArea(g *Group, mem []byte, _ *api.ZeroCopyOptions) error {
	c.area, c.back = mem, make([]int, len(mem)/g.Size())
	return nil
}

func (c *cable) Recycle(_ *Group, bid uint16) { c.back[bid]++ }

// plug opens an engine with a group of pages pages that a card writes into.
func plug(t *testing.T, o api.BufferGroupOptions) (*Engine, *Group, *cable) {
	t.Helper()
	opt, err := (*api.Options)(nil).WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{}
	e, err := New("cable", opt, api.Features{}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && err != api.ErrClosed {
			t.Error(err)
		}
	})
	o.ZeroCopy = &api.ZeroCopyOptions{Interface: "lo", Require: true}
	g, err := e.NewBufferGroup(o)
	if err != nil {
		t.Fatal(err)
	}
	return e, g.(*Group), c
}

// TestPiecesAtRandom writes, leases and releases pieces in any order, and compares the group with a list of what is out.
func TestPiecesAtRandom(t *testing.T) {
	const pages = 4
	size := os.Getpagesize()
	type piece struct {
		c   api.Completion
		bid int
	}
	for seed := range uint64(20) {
		lows := 0
		e, g, card := plug(t, api.BufferGroupOptions{Count: pages, LowWater: 2, OnLow: func(api.BufferGroup) { lows++ }})
		g.gens[1], g.gens[2] = genMax-5, math.MaxUint32-uint32(size) // they begin anew on the way
		r := rand.New(rand.NewPCG(seed, 7))
		s := &Slot{Group: g, Gen: 1, Op: api.Op{Code: api.OpRecvZC, Tag: 5}}
		var out []piece
		var past []api.Lease
		var fill, count, sent [pages]int
		for step := range 2000 {
			was, before := g.Available(), lows
			if p := r.IntN(pages); r.IntN(2) == 0 && fill[p] < size {
				n := 1 + r.IntN(min(size-fill[p], size/8))
				e.EmitPiece(s, uint16(p), int32(fill[p]), int32(n))
				at := fill[p]
				fill[p], count[p], sent[p] = at+n, count[p]+1, sent[p]+1
				got := reap(t, e)
				if len(got) != 1 || got[0].Flags != api.More|api.Buffer || len(got[0].Buf) != n || cap(got[0].Buf) != n || &got[0].Buf[0] != &card.area[p*size+at] || got[0].Lease.Group() != 0 {
					t.Fatalf("seed %d, step %d: %d bytes at %d of page %d are %+v", seed, step, n, at, p, got)
				}
				out = append(out, piece{got[0], p})
			} else if len(out) > 0 {
				i := r.IntN(len(out))
				l, p := out[i].c.Lease, out[i].bid
				if err := g.Release(l); err != nil {
					t.Fatalf("seed %d, step %d: %v", seed, step, err)
				}
				past = append(past, l)
				out = append(out[:i], out[i+1:]...)
				if count[p]--; count[p] == 0 {
					fill[p] = 0
				}
			}
			for i := max(len(past)-50, 0); i < len(past); i++ {
				if err := g.Release(past[i]); err != api.ErrLease {
					t.Fatalf("seed %d, step %d: a lease of the past fits: %v", seed, step, err)
				}
			}
			free := 0
			for p := range pages {
				if count[p] == 0 {
					free++
				}
				if card.back[p] != sent[p]-count[p] {
					t.Fatalf("seed %d, step %d: the card has %d pieces of page %d back, want %d", seed, step, card.back[p], p, sent[p]-count[p])
				}
			}
			if g.Available() != free {
				t.Fatalf("seed %d, step %d: %d pages available, want %d", seed, step, g.Available(), free)
			}
			if fell := was >= 2 && free < 2; fell != (lows > before) {
				t.Fatalf("seed %d, step %d: %d pages were left, and %d are: OnLow called %d times", seed, step, was, free, lows-before)
			}
		}
		for _, p := range out {
			if err := g.Release(p.c.Lease); err != nil {
				t.Error(err)
			}
		}
		if g.Available() != pages || lows == 0 {
			t.Errorf("seed %d: %d of %d pages available when all leases are back, OnLow called %d times", seed, g.Available(), pages, lows)
		}
	}
}

// TestPiecesOfClosedGroups: what is out is mapped, and what no program will see is taken back, from the group that it is of.
func TestPiecesOfClosedGroups(t *testing.T) {
	e, g, card := plug(t, api.BufferGroupOptions{Count: 2})
	area := card.area
	s := &Slot{Group: g, Gen: 1, Op: api.Op{Code: api.OpRecvZC}}
	e.EmitPiece(s, 0, 0, 10)
	e.EmitPiece(s, 0, 20, 10)
	held := reap(t, e)
	e.EmitPiece(s, 1, 0, 10) // is never reaped
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 2, ZeroCopy: &api.ZeroCopyOptions{Interface: "lo"}})
	if err != nil {
		t.Fatal(err)
	}
	n := len(card.back)
	if err := g.Release(held[0].Lease); err != nil || card.back[0] != 0 || n != 2 {
		t.Errorf("a release behind Close: %v, and the card has %v back", err, card.back)
	}
	if err := next.Release(held[1].Lease); err != api.ErrLease {
		t.Errorf("a release to the next group with the number: %v", err)
	}
	if err := g.Release(held[1].Lease); err != nil {
		t.Error(err)
	}
	mapped := func(b []byte) bool {
		m := offheap.Hold(b[:1])
		if m != nil {
			m.Release()
		}
		return m != nil
	}
	if !mapped(area) || len(e.areas) != 2 {
		t.Errorf("the memory is mapped: %v, while a completion waits; %d groups", mapped(area), len(e.areas))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if mapped(area) || mapped(card.area) || len(e.areas) != 0 {
		t.Errorf("mapped behind the engine's Close: %v, %v; %d groups", mapped(area), mapped(card.area), len(e.areas))
	}
}

// TestPiecesAllocateNothing counts what a piece costs from the card to its release.
func TestPiecesAllocateNothing(t *testing.T) {
	if raceEnabled || invariants.Enabled {
		t.Skip("the checks of this build allocate by themselves")
	}
	e, g, _ := plug(t, api.BufferGroupOptions{Count: 4})
	s := &Slot{Group: g, Gen: 1, Op: api.Op{Code: api.OpRecvZC}}
	var dst [8]api.Completion
	round := func() {
		for i := range int32(4) {
			e.EmitPiece(s, uint16(i%2), i*100, 100)
		}
		n, err := e.Complete(dst[:], api.Wait{})
		if n != 4 || err != nil {
			t.Fatalf("Complete: %d, %v", n, err)
		}
		for i := range dst[:n] {
			if err := g.Release(dst[i].Lease); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 50 {
		round()
	}
	if n := testing.AllocsPerRun(500, round); n != 0 {
		t.Errorf("%v allocations per four pieces", n)
	}
}
