package conformance_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

// odd is a group that does some things wrongly: those whose hook is set.
type odd struct {
	api.BufferGroup
	n      int // counts what the hook wants to count
	resize func(g *odd, n int) error
	count  func(g *odd) int
	left   func(g *odd) int
}

func (g *odd) Resize(n int) error {
	if g.resize != nil {
		return g.resize(g, n)
	}
	return g.BufferGroup.Resize(n)
}

func (g *odd) Count() int {
	if g.count != nil {
		return g.count(g)
	}
	return g.BufferGroup.Count()
}

func (g *odd) Available() int {
	if g.left != nil {
		return g.left(g)
	}
	return g.BufferGroup.Available()
}

// oddly makes a group hook that makes odd groups.
func oddly(like odd) func(api.BufferGroup) api.BufferGroup {
	return func(g api.BufferGroup) api.BufferGroup {
		o := like
		o.BufferGroup = g
		return &o
	}
}

var groupMutants = []fault{
	{"Resize does nothing", "BUF-11", mutant{group: oddly(odd{resize: func(*odd, int) error { return nil }})}},
	{"Resize never makes it smaller", "BUF-11", mutant{group: oddly(odd{resize: func(g *odd, n int) error {
		return g.BufferGroup.Resize(max(n, g.BufferGroup.Count()))
	}})}},
	{"Count is what Resize was asked for", "BUF-11", mutant{group: oddly(odd{
		resize: func(g *odd, n int) error {
			g.n = n
			return g.BufferGroup.Resize(n)
		},
		count: func(g *odd) int {
			if g.n == 0 {
				return g.BufferGroup.Count()
			}
			return g.n
		},
	})}},
	{"Resize takes any count", "BUF-12", mutant{group: oddly(odd{resize: func(g *odd, n int) error {
		return g.BufferGroup.Resize(max(n, 1))
	}})}},
	{"Max rounded", "BUF-12", mutant{options: func(o *api.BufferGroupOptions) { o.Max &^= 4 }}},
	{"OnLow never called", "BUF-13", mutant{options: func(o *api.BufferGroupOptions) { o.OnLow = nil }}},
	{"OnLow called twice", "BUF-13", mutant{options: func(o *api.BufferGroupOptions) {
		if f := o.OnLow; f != nil {
			o.OnLow = func(g api.BufferGroup) { f(g); f(g) }
		}
	}}},
	{"OnLow called too early", "BUF-13", mutant{options: func(o *api.BufferGroupOptions) {
		if o.LowWater > 0 && o.LowWater < o.Count {
			o.LowWater++
		}
	}}},
	{"CancelSync within OnLow", "BUF-14", mutant{sync: func(*mutant, api.Op, time.Duration) (int, error) { return 0, nil }}},
	{"not incremental", "BUF-15", mutant{options: func(o *api.BufferGroupOptions) { o.Incremental = false }}},
	{"BufferMore left out", "BUF-15", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Flags &^= api.BufferMore })}},
	{"BufferMore always", "BUF-15", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Flags.Has(api.Buffer) {
			c.Flags |= api.BufferMore
		}
	})}},
	{"one lease for all pieces", "BUF-16", mutant{complete: each(func(m *mutant, c *api.Completion) {
		if c.Lease != 0 {
			if uint32(m.last) == uint32(c.Lease) {
				c.Lease = m.last
			}
			m.last = c.Lease
		}
	})}},
	{"a piece that is out makes its buffer unavailable", "BUF-16", mutant{group: oddly(odd{left: func(g *odd) int {
		g.n++
		return g.BufferGroup.Available() - g.n&1
	}})}},
	{"buffers larger than asked for", "BUF-17", mutant{options: func(o *api.BufferGroupOptions) { o.Size++ }}},
	{"low water of pieces", "BUF-18", mutant{options: func(o *api.BufferGroupOptions) {
		if o.LowWater > 0 {
			o.LowWater++
		}
	}}},
	{"a bundle ends a multishot", "BUF-19", mutant{complete: each(func(m *mutant, c *api.Completion) {
		if c.Flags.Has(api.Buffer) {
			if m.n++; m.n%3 == 0 {
				c.Flags &^= api.More
			}
		}
	})}},
	{"no bundles", "BUF-20", mutant{submit: without(api.Bundle)}},
	{"the last of a bundle has More", "BUF-20", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Flags.Has(api.Buffer) {
			c.Flags |= api.More
		}
	})}},
	{"a bundle hides an error", "BUF-21", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.ECONNRESET) {
			c.Res = 0
		}
	})}},
	{"a datagram in more than a buffer", "BUF-22", mutant{options: func(o *api.BufferGroupOptions) { o.Size *= 2 }}},
	{"Bundle not looked at", "BUF-23", mutant{submit: without(api.Bundle)}},
	{"bundles of whole buffers", "BUF-24", mutant{options: func(o *api.BufferGroupOptions) { o.Incremental = false }}},
}

// TestGroupMutants is TestMutants for the groups of provided buffers.
func TestGroupMutants(t *testing.T) { testMutants(t, groupMutants) }
