//go:build unix

package conformance

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// bufferGroupCases are about groups that are more than a number of buffers.
var bufferGroupCases = slices.Concat(groupCases, pieceCases, bundleCases)

const resizeFeats = bufferFeats | api.FeatGroupResize

// WantCount fails the case unless the group has count buffers, of which available are not out.
func (t *T) WantCount(g api.BufferGroup, count, available int) {
	t.tb.Helper()
	if c, n := g.Count(), g.Available(); c != count || n != available {
		t.Errorf("the group has %d buffers, %d of them available, want %d and %d", c, n, count, available)
	}
}

// Resize changes the number of buffers of a group, which must succeed.
func (t *T) Resize(g api.BufferGroup, count int) {
	t.tb.Helper()
	if err := g.Resize(count); err != nil {
		t.Fatalf("Resize(%d): %v", count, err)
	}
}

// Leases receives n times into buffers of the group 0, each time one byte, and returns the leases.
func (t *T) Leases(a, b, n int) []api.Lease {
	leases := make([]api.Lease, n)
	for i := range leases {
		t.Put(b, "x")
		c := t.Do(api.RecvBuffer(a, 0, 1))
		t.WantRes(&c, 1)
		leases[i] = c.Lease
	}
	return leases
}

var groupCases = []Case{
	{
		ID: "BUF-11", Name: "grow",
		Explanation: "Buffers that Resize adds are there at once, also for an operation that has begun before.",
		Needs:       NeedStreams,
		Requires:    resizeFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 2, Max: 16, Size: 4})
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.Perform()
				var leases []api.Lease
				leases = append(leases, t.put4(b, 0), t.put4(b, 1))
				t.WantCount(g, 2, 0)
				t.Resize(g, 11)
				t.WantCount(g, 11, 9)
				for i := 2; i < 11; i++ {
					leases = append(leases, t.put4(b, i))
				}
				t.WantCount(g, 11, 0)
				t.Put(b, "lost")
				t.AwaitRes(1, neg(unix.ENOBUFS))
				t.WantErr(api.RecvBuffer(a, 0, 2), unix.ENOBUFS)
				t.Resize(g, 12)
				if c := t.Do(api.RecvBuffer(a, 0, 3)); string(c.Buf) != "lost" {
					t.Errorf("got %s with %q", show(&c), c.Buf)
				}
				for _, l := range leases {
					t.Release(g, l)
				}
				t.WantCount(g, 12, 11)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "BUF-11", Name: "shrink",
		Explanation: "Superfluous buffers go as they come back: none of those that are out is lost, and those that are not stay until they have been used.",
		Needs:       NeedStreams,
		Requires:    resizeFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 8, Size: 4})
				leases := t.Leases(a, b, 5)
				t.Resize(g, 3)
				t.WantCount(g, 8, 3)
				for i, l := range leases {
					t.Release(g, l)
					t.WantCount(g, 7-i, 3)
					if err := g.Release(l); err != api.ErrLease {
						t.Errorf("Release of a lease whose buffer has gone: %v", err)
					}
				}
				leases = t.Leases(a, b, 3)
				t.WantErr(api.RecvBuffer(a, 0, 2), unix.ENOBUFS)
				for i, l := range leases {
					t.Release(g, l)
					t.WantCount(g, 3, 1+i)
				}
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "BUF-11", Name: "shrink and grow",
		Explanation: "A group can be made smaller and larger again and again; each buffer can be used, and no lease of the past fits one.",
		Needs:       NeedStreams,
		Requires:    resizeFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Max: 32, Size: 8})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			var past []api.Lease
			for i := range 100 {
				want := 1 + i*7%32
				t.Resize(g, want)
				var out []api.Lease
				for g.Available() > 0 {
					out = append(out, t.put4(b, i))
				}
				for _, l := range out {
					t.Release(g, l)
				}
				t.WantCount(g, want, want)
				past = append(past, out...)
			}
			for _, l := range past {
				if err := g.Release(l); err != api.ErrLease {
					t.Fatalf("Release(%#x) of a lease of the past: %v", uint64(l), err)
				}
			}
		},
	},
	{
		ID: "BUF-11", Name: "shrink that is taken back",
		Explanation: "What counts is the last Resize: buffers that are not gone by then stay.",
		Needs:       NeedStreams,
		Requires:    resizeFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 4})
			leases := t.Leases(a, b, 8)
			t.Resize(g, 1)
			t.Release(g, leases[0])
			t.WantCount(g, 7, 0)
			t.Resize(g, 6)
			t.Release(g, leases[1])
			t.WantCount(g, 6, 0)
			t.Release(g, leases[2])
			t.WantCount(g, 6, 1)
			t.Resize(g, 8)
			t.WantCount(g, 8, 3)
			for _, l := range leases[3:] {
				t.Release(g, l)
			}
			t.WantCount(g, 8, 8)
			t.Leases(a, b, 8)
			t.WantErr(api.RecvBuffer(a, 0, 2), unix.ENOBUFS)
		},
	},
	{
		ID: "BUF-12", Name: "limits of a group",
		Explanation: "Max is a power of two from Count to 32768, LowWater at most Max, and Resize from 1 to Max; anything else is an OptionError.",
		Requires:    api.FeatGroupResize | api.FeatBufferGroups,
		Fn: func(t *T) {
			for _, o := range []api.BufferGroupOptions{
				{Count: 8, Max: 4}, {Count: 8, Max: 12}, {Count: 8, Max: -1}, {Count: 8, Max: 1 << 16},
				{Count: 8, LowWater: -1}, {Count: 8, LowWater: 9}, {Count: 8, Max: 16, LowWater: 17},
			} {
				if g, err := t.Engine.NewBufferGroup(o); g != nil || !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("NewBufferGroup(%+v): %v", o, err)
				}
			}
			t.WantCount(t.Group(api.BufferGroupOptions{ID: 1, Max: 8, Size: 4}), 8, 8)
			t.WantCount(t.Group(api.BufferGroupOptions{ID: 2, Max: 1024, Size: 4}), 256, 256)
			g := t.Group(api.BufferGroupOptions{ID: 3, Count: 2, Max: 8, Size: 4, LowWater: 8})
			for _, n := range []int{0, -1, 9, 1 << 16} {
				if err := g.Resize(n); !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("Resize(%d): %v", n, err)
				}
			}
			t.WantCount(g, 2, 2)
			t.Resize(g, 8)
			t.must("close the group", g.Close())
			if err := g.Resize(2); err != api.ErrClosed {
				t.Errorf("Resize after Close: %v", err)
			}
			t.Resize(t.Group(api.BufferGroupOptions{ID: 4, Count: 1 << 15, Size: 1}), 1<<15)
		},
	},
	{
		ID: "BUF-13", Name: "low water",
		Explanation: "OnLow is called in Complete once each time that fewer buffers than LowWater are left, and anew only after there have been as many again.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			var calls int
			var inside bool
			var g api.BufferGroup
			g = t.Group(api.BufferGroupOptions{Count: 8, Size: 4, LowWater: 4, OnLow: func(low api.BufferGroup) {
				if calls++; low != g || !inside || low.Available() >= 4 {
					t.Errorf("OnLow was called with another group, outside of a Complete, or with %d buffers available", low.Available())
				}
			}})
			want := func(n int) {
				t.tb.Helper()
				if calls != n {
					t.Fatalf("OnLow has been called %d times with %d of 8 buffers left, want %d", calls, g.Available(), n)
				}
			}
			lease := func(n int) []api.Lease {
				inside = true
				defer func() { inside = false }()
				return t.Leases(a, b, n)
			}
			held := lease(4)
			want(0)
			held = append(held, lease(1)...)
			want(1)
			held = append(held, lease(3)...)
			want(1)
			for _, l := range held[:4] {
				t.Release(g, l)
			}
			want(1)
			held = append(held[4:], lease(1)...)
			want(2)
			t.Release(g, held[0])
			lease(1)
			want(3)
		},
	},
	{
		ID: "BUF-13", Name: "low water passed in one go",
		Explanation: "However many buffers one Complete takes, OnLow is called once; without a LowWater, or an OnLow, nothing is.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			calls := 0
			count := func(api.BufferGroup) { calls++ }
			t.Group(api.BufferGroupOptions{ID: 1, Count: 8, Size: 4, LowWater: 8, OnLow: count})
			t.Group(api.BufferGroupOptions{ID: 2, Count: 8, Size: 4, OnLow: count})
			t.Group(api.BufferGroupOptions{ID: 3, Count: 8, Size: 4, LowWater: 8})
			for id := range uint16(3) {
				t.Put(b, strings.Repeat("4444", 8))
				t.Submit(api.RecvMultishot(a, id+1, uint64(id)))
				for range 8 {
					t.WantBuffer(uint64(id), "4444")
				}
				if calls != 1 {
					t.Fatalf("OnLow has been called %d times after the group %d, want 1", calls, id+1)
				}
				t.Put(b, "x")
				t.AwaitRes(uint64(id), neg(unix.ENOBUFS))
				var rest [4]byte
				if n, err := readNow(a, rest[:]); n != 1 || err != nil {
					t.Fatalf("read: %d, %v", n, err)
				}
			}
		},
	},
	{
		ID: "BUF-13", Name: "growing as needed",
		Explanation: "A group that OnLow makes larger in time never runs out.",
		Needs:       NeedStreams,
		Requires:    resizeFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Max: 64, Size: 4, LowWater: 3, OnLow: func(g api.BufferGroup) {
				t.Resize(g, min(g.Count()+4, 64))
			}})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			for i := range 60 {
				t.put4(b, i)
			}
			t.WantCount(g, 64, 4)
		},
	},
	{
		ID: "BUF-14", Name: "what OnLow may call",
		Explanation: "OnLow may submit, release, resize, make groups, wake and post; Complete, CancelSync, ResizeQueues and Close, of the engine and of groups, are ErrReentrant.",
		Needs:       NeedStreams,
		Requires:    resizeFeats | api.FeatPost,
		Ops:         recvOnly | api.Ops(api.OpNop),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			var held api.Lease
			calls := 0
			g := t.Group(api.BufferGroupOptions{Count: 2, Max: 4, Size: 4, LowWater: 1, OnLow: func(g api.BufferGroup) {
				calls++
				if n, err := t.Engine.Complete(t.dst[:], api.Wait{}); n != 0 || err != api.ErrReentrant {
					t.Errorf("Complete: %d, %v", n, err)
				}
				if n, err := t.Engine.CancelSync(api.CancelAny(0), 0); n != 0 || err != api.ErrReentrant {
					t.Errorf("CancelSync: %d, %v", n, err)
				}
				if err := t.Engine.ResizeQueues(0, 0); err != api.ErrReentrant {
					t.Errorf("ResizeQueues: %v", err)
				}
				if err := t.Engine.Close(); err != api.ErrReentrant {
					t.Errorf("Engine.Close: %v", err)
				}
				if err := g.Close(); err != api.ErrReentrant {
					t.Errorf("BufferGroup.Close: %v", err)
				}
				t.Release(g, held)
				t.Resize(g, 4)
				other := t.Group(api.BufferGroupOptions{ID: 2, Count: 1})
				t.Submit(api.Nop(5), api.RecvBuffer(a, other.ID(), 6))
				t.must("Wake", t.Engine.Wake())
				t.must("Post", t.Engine.Post(7, 77))
			}})
			held = t.Leases(a, b, 1)[0]
			t.Leases(a, b, 1)
			if calls != 1 {
				t.Errorf("OnLow has been called %d times", calls)
			}
			t.WantCount(g, 4, 3)
			t.AwaitRes(5, 0)
			if c := t.Await(7); c.Res != 77 {
				t.Errorf("posted 77, got %s", show(&c))
			}
			t.Put(b, "6")
			if c := t.Await(6); string(c.Buf) != "6" {
				t.Errorf("got %s with %q", show(&c), c.Buf)
			}
			t.must("close the group", g.Close())
		},
	},
	{
		ID: "BUF-9", Name: "groups of several engines",
		Explanation: "Groups with the same id in several engines have nothing to do with each other, nor have several groups of one engine.",
		Needs:       NeedStreams,
		Requires:    resizeFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			g, other := t.Group(api.BufferGroupOptions{ID: 3, Count: 2, Max: 8, Size: 4}), t.Group(api.BufferGroupOptions{ID: 4, Count: 2, Size: 4})
			e := t.Open(nil)
			far, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 3, Count: 1, Size: 8})
			t.must("make a group", err)
			t.Submit(api.RecvMultishot(a, 3, 1))
			t.Perform()
			l := t.put4(b, 0)
			t.Put(d, "far away")
			ops := []api.Op{api.RecvBuffer(c, 3, 1)}
			if n, err := e.Submit(ops); n != 1 || err != nil {
				t.Fatalf("Submit: %d, %v", n, err)
			}
			var dst [1]api.Completion
			if n, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()}); n != 1 || err != nil || string(dst[0].Buf) != "far away" {
				t.Fatalf("Complete: %d, %v, %q", n, err, dst[0].Buf)
			}
			t.Resize(g, 8)
			t.WantCount(g, 8, 7)
			t.WantCount(other, 2, 2)
			t.WantCount(far, 1, 0)
			t.must("close the other engine", e.Close())
			if err := g.Release(dst[0].Lease); err != api.ErrLease {
				t.Errorf("Release of a lease of another engine's: %v", err)
			}
			t.WantBytes(dst[0].Buf, "far away")
			t.must("release after Close", far.Release(dst[0].Lease))
			if err := far.Release(dst[0].Lease); err != api.ErrLease {
				t.Errorf("second Release, after Close: %v", err)
			}
			t.Release(g, l)
			t.put4(b, 1)
		},
	},
}

// put4 sends four bytes, which the multishot receive with the tag 1 must deliver, and returns the lease.
func (t *T) put4(fd, i int) api.Lease {
	t.tb.Helper()
	s := pattern(300)[i%256 : i%256+4]
	t.Put(fd, s)
	return t.WantBuffer(1, s)
}
