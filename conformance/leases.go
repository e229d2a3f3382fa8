package conformance

import (
	"maps"

	"github.com/sluiceio/sluice/api"
)

// heldGroup is a group of buffers of a case, which watches the leases that the case holds.
type heldGroup struct {
	api.BufferGroup
	t           *T
	incremental bool
	closed      bool
}

// newGroup watches a group that the engine of the case has made. What OnLow is told is the group that the case has.
func (t *T) newGroup(o api.BufferGroupOptions) (api.BufferGroup, error) {
	h := &heldGroup{t: t, incremental: o.Incremental}
	if low := o.OnLow; low != nil {
		o.OnLow = func(api.BufferGroup) { low(h) }
	}
	g, err := t.Engine.NewBufferGroup(o)
	if err != nil {
		return nil, err
	}
	h.BufferGroup = g
	t.groups = append(t.groups, h)
	return h, nil
}

// Release gives a lease back.
func (h *heldGroup) Release(l api.Lease) error {
	err := h.BufferGroup.Release(l)
	if err == nil {
		delete(h.t.leases, l)
	}
	return err
}

// Get takes a buffer.
func (h *heldGroup) Get() ([]byte, api.Lease, bool) {
	b, l, ok := h.BufferGroup.Get()
	if ok {
		h.t.lease(l)
	}
	return b, l, ok
}

// Queue puts a buffer in line.
func (h *heldGroup) Queue(l api.Lease, n int) error {
	err := h.BufferGroup.Queue(l, n)
	if err == nil {
		delete(h.t.leases, l)
	}
	return err
}

// Close closes the group. Another may have its id now, so that leases that are out still do not count any more.
func (h *heldGroup) Close() error {
	err := h.BufferGroup.Close()
	if err == nil {
		h.closed = true
		maps.DeleteFunc(h.t.leases, func(l api.Lease, _ bool) bool { return l.Group() == h.ID() })
	}
	return err
}

// lease notes that the case holds a lease, which nobody else does.
func (t *T) lease(l api.Lease) {
	if t.leases[l] {
		t.Errorf("the lease %#x was given out while it was out", uint64(l))
	}
	t.leases[l] = true
}

// settleLeases checks at the end of a case that of each group as many buffers are out as the case holds leases of. What is in flight may hold one
// for itself.
func (t *T) settleLeases() {
	for id, op := range t.ops {
		if !op.ended && (op.flags&api.BufferSelect != 0 || op.code == api.OpSend && op.flags&api.Bundle != 0) {
			t.Logf("operation %#x may hold a buffer: the leases are not counted", uint64(id))
			return
		}
	}
	for _, h := range t.groups {
		if h.closed {
			continue
		}
		held := map[uint16]bool{}
		for l := range t.leases {
			if l.Group() == h.ID() {
				held[uint16(l)] = true
			}
		}
		want, out := len(held)+h.Queued(), h.Count()-h.Available()
		// A buffer that comes in pieces is out when it is full, which is not before there is one.
		if out != want && (!h.incremental || out > want) {
			t.Errorf("%d of the %d buffers of the group %d are out at the end of the case, which holds the leases of %d, and %d are in line", out, h.Count(), h.ID(), len(held), h.Queued())
		}
	}
}
