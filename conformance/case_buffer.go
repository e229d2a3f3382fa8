//go:build unix

package conformance

import (
	"errors"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// Group makes a group of provided buffers in the engine of the case.
func (t *T) Group(o api.BufferGroupOptions) api.BufferGroup {
	g, err := t.newGroup(o)
	if err != nil {
		t.Fatalf("NewBufferGroup(%+v): %v", o, err)
	}
	return g
}

// WantBuffer waits for the completion of a multishot receive that carries data, and returns the lease.
func (t *T) WantBuffer(tag uint64, data string) api.Lease {
	t.tb.Helper()
	c := t.Await(tag)
	if !c.More() || !c.Flags.Has(api.Buffer) || string(c.Buf) != data {
		t.Fatalf("got %s with %s, want %s with More and Buffer", show(&c), quote(string(c.Buf)), quote(data))
	}
	return c.Lease
}

// Release gives a lease back, which must succeed.
func (t *T) Release(g api.BufferGroup, l api.Lease) {
	t.tb.Helper()
	if err := g.Release(l); err != nil {
		t.Fatalf("Release(%#x): %v", uint64(l), err)
	}
}

const bufferFeats = api.FeatBufferGroups | api.FeatMultishotRecv

var recvOnly = api.Ops(api.OpRecv)

var bufferCases = []Case{
	{
		ID: "BUF-1", Name: "one receive",
		Explanation: "A receive with BufferSelect takes a buffer of its group when there is data, and delivers it with a lease.",
		Needs:       NeedStreams,
		Requires:    api.FeatBufferGroups,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{ID: 7, Count: 4, Size: 16})
				t.Submit(api.RecvBuffer(a, 7, 1))
				t.StillPending(1)
				if n := g.Available(); n != 4 {
					t.Errorf("%d of 4 buffers available before there is data", n)
				}
				t.Put(b, "data")
				c := t.Await(1)
				t.WantRes(&c, 4)
				if !c.Flags.Has(api.Buffer) || string(c.Buf) != "data" || c.Lease.Group() != 7 {
					t.Fatalf("got %s with %q, lease %#x", show(&c), c.Buf, uint64(c.Lease))
				}
				if n := g.Available(); n != 3 {
					t.Errorf("%d of 4 buffers available while one is out", n)
				}
				t.Release(g, c.Lease)
				if n := g.Available(); n != 4 {
					t.Errorf("%d of 4 buffers available after the release", n)
				}
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "BUF-1", Name: "end of stream",
		Explanation: "A receive with BufferSelect that gives 0 or fails takes no buffer.",
		Requires:    api.FeatBufferGroups,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 1, Size: 16})
			t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
			for i := range uint64(3) {
				t.Want(api.RecvBuffer(a, 0, i), 0)
			}
			t.WantErr(api.RecvBuffer(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, 9), unix.ENOTCONN)
			if n := g.Available(); n != 1 {
				t.Errorf("%d of 1 buffers available", n)
			}
		},
	},
	{
		ID: "BUF-2", Name: "size of the buffers",
		Explanation: "Each completion carries at most as many bytes as a buffer has, and all bytes come.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 4})
			if g.Size() != 4 || g.ID() != 0 {
				t.Errorf("the group says size %d, id %d", g.Size(), g.ID())
			}
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			t.Put(b, "0123456789")
			for _, s := range []string{"0123", "4567", "89"} {
				t.WantBuffer(1, s)
			}
		},
	},
	{
		ID: "BUF-3", Name: "empty group",
		Explanation: "With no buffer left a receive is ENOBUFS at once, whether or not there is data, which stays.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 1, Size: 4})
			t.Put(b, "one")
			lease := t.Do(api.RecvBuffer(a, 0, 1)).Lease
			t.WantErr(api.RecvBuffer(a, 0, 2), unix.ENOBUFS)
			t.WantErr(api.RecvMultishot(a, 0, 3), unix.ENOBUFS)
			t.Put(b, "two")
			t.WantErr(api.RecvBuffer(a, 0, 4), unix.ENOBUFS)
			t.Release(g, lease)
			if c := t.Do(api.RecvBuffer(a, 0, 5)); string(c.Buf) != "two" {
				t.Errorf("got %s with %q", show(&c), c.Buf)
			}
		},
	},
	{
		ID: "BUF-3", Name: "unknown group",
		Explanation: "A receive from a group that does not exist, or that has been closed, is ENOBUFS at once.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			for i, id := range []uint16{0, 5, 65535} {
				t.WantErr(api.RecvBuffer(a, id, uint64(i)), unix.ENOBUFS)
				t.WantErr(api.RecvMultishot(a, id, uint64(i)), unix.ENOBUFS)
			}
			t.must("close the group", t.Group(api.BufferGroupOptions{ID: 5}).Close())
			t.WantErr(api.RecvBuffer(a, 5, 9), unix.ENOBUFS)
		},
	},
	{
		ID: "BUF-4", Name: "leases hold",
		Explanation: "A leased buffer keeps its bytes until its release, whatever else is received.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 8})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			t.Put(b, "hold me")
			held := t.Await(1)
			for i := range 20 {
				s := strings.Repeat(string(rune('a'+i)), 8)
				t.Put(b, s)
				t.Release(g, t.WantBuffer(1, s))
			}
			t.WantBytes(held.Buf, "hold me")
			if cap(held.Buf) > 8 {
				t.Errorf("a buffer of 8 bytes has a capacity of %d", cap(held.Buf))
			}
			t.Release(g, held.Lease)
		},
	},
	{
		ID: "BUF-5", Name: "leases that are not out",
		Explanation: "Releasing a lease twice, one of another group, or one that never was is ErrLease and changes nothing.",
		Needs:       NeedStreams,
		Requires:    api.FeatBufferGroups,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{ID: 1, Count: 2, Size: 8})
			other := t.Group(api.BufferGroupOptions{ID: 2, Count: 2, Size: 8})
			t.Put(b, "x")
			lease := t.Do(api.RecvBuffer(a, 1, 1)).Lease
			if err := other.Release(lease); err != api.ErrLease {
				t.Errorf("Release of another group's lease: %v", err)
			}
			t.Release(g, lease)
			for _, l := range []api.Lease{lease, 0, 1 << 16, lease + 1, lease + 1<<32, 1<<64 - 1} {
				if err := g.Release(l); err != api.ErrLease {
					t.Errorf("Release(%#x) of a lease that is not out: %v", uint64(l), err)
				}
			}
			t.Put(b, "y")
			again := t.Do(api.RecvBuffer(a, 1, 2)).Lease
			if err := g.Release(lease); err != api.ErrLease {
				t.Errorf("Release of a lease of the past: %v", err)
			}
			if g.Available() != 1 || other.Available() != 2 {
				t.Errorf("available: %d and %d, want 1 and 2", g.Available(), other.Available())
			}
			t.Release(g, again)
		},
	},
	{
		ID: "BUF-5", Name: "lease of a former group",
		Explanation: "A lease of a group that has been closed does not fit a new group with the same id.",
		Needs:       NeedStreams,
		Requires:    api.FeatBufferGroups,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			get := func() (api.BufferGroup, api.Lease) {
				g := t.Group(api.BufferGroupOptions{ID: 7, Count: 1, Size: 8})
				t.Put(b, "x")
				return g, t.Do(api.RecvBuffer(a, 7, 1)).Lease
			}
			g, lease := get()
			for range 10 {
				t.must("close the group", g.Close())
				next, own := get()
				if err := next.Release(lease); err != api.ErrLease || next.Available() != 0 {
					t.Fatalf("Release of the lease %#x of a former group, where %#x is out: %v, available: %d", uint64(lease), uint64(own), err, next.Available())
				}
				t.Release(g, lease)
				g, lease = next, own
			}
		},
	},
	{
		ID: "BUF-6", Name: "group is closed",
		Explanation: "Closing a group ends the operations that use it with ErrCanceled; a second Close is ErrClosed.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{ID: 1, Count: 2, Size: 8})
			t.Group(api.BufferGroupOptions{ID: 2, Count: 2, Size: 8})
			t.Submit(api.RecvMultishot(a, 1, 1), api.RecvBuffer(a, 1, 2), api.RecvMultishot(c, 2, 3))
			t.StillPending(1, 2, 3)
			t.must("close the group", g.Close())
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, ecanceled)
			if err := g.Close(); err != api.ErrClosed {
				t.Errorf("second Close: %v", err)
			}
			t.Put(b, "x")
			t.Put(d, "y")
			t.WantBuffer(3, "y")
			t.Quiet()
		},
	},
	{
		ID: "BUF-6", Name: "leases outlive their group",
		Explanation: "A lease that is out when its group is closed can still be read, and released once.",
		Needs:       NeedStreams,
		Requires:    api.FeatBufferGroups,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{ID: 1, Count: 2, Size: 8})
			t.Put(b, "keep")
			c := t.Do(api.RecvBuffer(a, 1, 1))
			t.must("close the group", g.Close())
			again := t.Group(api.BufferGroupOptions{ID: 1, Count: 2, Size: 8})
			t.Put(b, "next")
			n := t.Do(api.RecvBuffer(a, 1, 2))
			t.WantBytes(n.Buf, "next")
			t.WantBytes(c.Buf, "keep")
			t.Release(g, c.Lease)
			if err := g.Release(c.Lease); err == nil {
				t.Errorf("second release succeeded")
			}
			t.Release(again, n.Lease)
		},
	},
	{
		ID: "BUF-7", Name: "options",
		Explanation: "Groups have a count that is a power of two up to 32768, a size up to 1 MiB, and an id that no open group has; else NewBufferGroup is an OptionError.",
		Requires:    api.FeatBufferGroups,
		Fn: func(t *T) {
			t.Group(api.BufferGroupOptions{ID: 3, Count: 2, Size: 8})
			for _, o := range []api.BufferGroupOptions{
				{Count: 3}, {Count: -1}, {Count: 1 << 16}, {Count: 2, Size: -1}, {Count: 2, Size: 1<<20 + 1}, {ID: 3},
			} {
				if g, err := t.Engine.NewBufferGroup(o); g != nil || !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("NewBufferGroup(%+v): %v", o, err)
				}
			}
			g := t.Group(api.BufferGroupOptions{ID: 65535})
			if g.Available() != 256 || g.Size() != 4096 || g.ID() != 65535 {
				t.Errorf("a group by default has %d buffers of %d bytes, id %d", g.Available(), g.Size(), g.ID())
			}
			t.Group(api.BufferGroupOptions{ID: 4, Count: 1, Size: 1})
		},
	},
	{
		ID: "BUF-8", Name: "seventy thousand times through a small group",
		Explanation: "Buffers can be used again and again, any number of times.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 64, Size: 1})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			want := pattern(48)
			for range 70000 / 48 {
				t.Put(b, want)
				for got := 0; got < 48; {
					n, err := t.Engine.Complete(t.dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
					if n == 0 || err != nil {
						t.Fatalf("Complete: %d, %v", n, err)
					}
					for _, c := range t.dst[:n] {
						if !c.More() || string(c.Buf) != want[got:got+1] {
							t.Fatalf("got %s with %q, want %q", show(&c), c.Buf, want[got:got+1])
						}
						got++
						t.Release(g, c.Lease)
					}
				}
			}
			if n := g.Available(); n != 64 {
				t.Errorf("%d of 64 buffers available", n)
			}
		},
	},
	{
		ID: "BUF-9", Name: "shared by several sockets",
		Explanation: "Any number of operations can take from one group, and no buffer is given to two of them.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			const n = 16
			t.Group(api.BufferGroupOptions{Count: n, Size: 8})
			var peers [n]int
			for i := range n {
				a, b := t.Pair(i%2 == 0)
				peers[i] = b
				t.Submit(api.RecvMultishot(a, 0, uint64(i)))
			}
			t.Perform()
			for i := range n {
				t.Put(peers[i], strings.Repeat(string(rune('a'+i)), 8))
			}
			var leases []api.Lease
			var bufs [n][]byte
			for i := range n {
				c := t.Await(uint64(i))
				bufs[i] = c.Buf
				leases = append(leases, c.Lease)
			}
			for i := range n {
				t.WantBytes(bufs[i], strings.Repeat(string(rune('a'+i)), 8))
				for k := range i {
					if leases[i] == leases[k] {
						t.Errorf("the lease %#x was given to two operations", uint64(leases[i]))
					}
				}
			}
		},
	},
	{
		ID: "BUF-10", Name: "not for groups",
		Explanation: "BufferSelect with WaitAll, and Multishot receive without BufferSelect or with WaitAll or DontWait, are EINVAL.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.Group(api.BufferGroupOptions{})
			t.WantErr(api.RecvBuffer(a, 0, 1).With(api.WaitAll), unix.EINVAL)
			t.WantErr(api.Recv(a, make([]byte, 4), 2).With(api.Multishot), unix.EINVAL)
			t.WantErr(api.RecvMultishot(a, 0, 3).With(api.WaitAll), unix.EINVAL)
			t.WantErr(api.RecvMultishot(a, 0, 4).With(api.DontWait), unix.EINVAL)
		},
	},
}
