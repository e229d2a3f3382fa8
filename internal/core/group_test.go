package core

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// TestGroupAtRandom leases, releases and resizes in any order, and compares what the group says with what a list of buffers says. No
// buffer is lost, none is out twice, and no lease of the past fits.
func TestGroupAtRandom(t *testing.T) {
	for _, incremental := range []bool{false, true} {
		for seed := range uint64(20) {
			e, _ := open(t, nil)
			lows := 0
			bg, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 8, Max: 64, Size: 16, Incremental: incremental, LowWater: 3,
				OnLow: func(api.BufferGroup) { lows++ }})
			if err != nil {
				t.Fatal(err)
			}
			m := &groupModel{g: bg.(*Group), full: map[uint16]bool{}, count: 8, target: 8}
			r := rand.New(rand.NewPCG(seed, 1))
			for step := range 3000 {
				was := m.g.Available()
				switch k := r.IntN(100); {
				case k < 48:
					m.take(t, r)
				case k < 96:
					m.release(t, r)
				default:
					m.target = 1 + r.IntN(64)
					m.count = max(m.count, m.target)
					if err := m.g.Resize(m.target); err != nil {
						t.Fatal(err)
					}
				}
				if left := m.count - len(m.full); m.g.Count() != m.count || m.g.Available() != left {
					t.Fatalf("seed %d, step %d: %d buffers, %d available, want %d and %d", seed, step, m.g.Count(), m.g.Available(), m.count, left)
				}
				before := lows
				e.callLow()
				if fell := was >= 3 && m.g.Available() < 3; fell != (lows > before) {
					t.Fatalf("seed %d, step %d: %d were left, and %d are: OnLow called %d times", seed, step, was, m.g.Available(), lows-before)
				}
			}
			for len(m.out) > 0 {
				m.release(t, r)
			}
			if m.g.Available() != m.g.Count() {
				t.Errorf("seed %d: %d of %d buffers available when all leases are back", seed, m.g.Available(), m.g.Count())
			}
		}
	}
}

// TestWriteAfterRelease checks that a program which writes to a buffer that it has given back is found out when the buffer is used
// next, in the invariants build.
func TestWriteAfterRelease(t *testing.T) {
	e, _ := open(t, nil)
	bg, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 1, Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	g := bg.(*Group)
	again := func(touch func(b []byte)) (caught bool) {
		bid, _ := g.Take()
		b, l, _ := g.lease(bid, 8)
		if err := g.Release(l); err != nil {
			t.Fatal(err)
		}
		touch(b)
		defer func() { caught = recover() != nil }()
		bid, _ = g.Take()
		g.Rest(bid)[0] = 'x' // what is received
		_, l, _ = g.lease(bid, 1)
		return g.Release(l) != nil
	}
	for range 2 {
		if again(func([]byte) {}) {
			t.Error("a buffer that nobody has touched counts as written to")
		}
	}
	if got := again(func(b []byte) { b[7]++ }); got != invariants.Enabled {
		t.Errorf("a write after the release was found out: %v", got)
	}
}

// groupModel is what a group of buffers must be.
type groupModel struct {
	g             *Group
	out           []modelLease
	past          []api.Lease
	full          map[uint16]bool // with leases out
	count, target int
}

type modelLease struct {
	l api.Lease
	b []byte
	c byte
}

func (m *groupModel) take(t *testing.T, r *rand.Rand) {
	bid, ok := m.g.Take()
	if ok != (m.g.Available() > 0) {
		t.Fatalf("Take: %v with %d available", ok, m.g.Available())
	}
	if !ok {
		return
	}
	if r.IntN(8) == 0 {
		m.g.Untake(bid)
		return
	}
	if m.full[bid] {
		t.Fatalf("the buffer %d is out", bid)
	}
	rest := m.g.Rest(bid)
	n := 1 + r.IntN(len(rest))
	c := byte(r.Uint32())
	for i := range rest[:n] {
		rest[i] = c
	}
	b, l, more := m.g.lease(bid, int32(n))
	if more != (m.g.Incremental() && n < len(rest)) {
		t.Fatalf("%d of %d bytes, and there is more room: %v", n, len(rest), more)
	}
	if !more {
		m.full[bid] = true
	}
	m.out = append(m.out, modelLease{l, b, c})
}

func (m *groupModel) release(t *testing.T, r *rand.Rand) {
	if len(m.past) > 0 {
		if err := m.g.Release(m.past[r.IntN(len(m.past))]); err != api.ErrLease {
			t.Fatalf("Release of a lease of the past: %v", err)
		}
	}
	if len(m.out) == 0 {
		return
	}
	i := r.IntN(len(m.out))
	x := m.out[i]
	m.out = slices.Delete(m.out, i, i+1)
	m.past = append(m.past, x.l)
	for _, c := range x.b {
		if c != x.c {
			t.Fatalf("the lease %#x holds %x, want %x", uint64(x.l), x.b, x.c)
		}
	}
	if err := m.g.Release(x.l); err != nil {
		t.Fatal(err)
	}
	bid := uint16(x.l)
	if m.full[bid] && !slices.ContainsFunc(m.out, func(y modelLease) bool { return uint16(y.l) == bid }) {
		delete(m.full, bid)
		if m.count > m.target {
			m.count--
		}
	}
}
