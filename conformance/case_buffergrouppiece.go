//go:build unix

package conformance

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const pieceFeats = bufferFeats | api.FeatIncremental

// place is where the bytes of a completion are in memory, to be compared.
func place(b []byte) uintptr { return reflect.ValueOf(b).Pointer() }

// Piece waits for the completion with the tag, which must carry data, with BufferMore if more says so.
func (t *T) Piece(tag uint64, data string, more bool) api.Completion {
	t.tb.Helper()
	c := t.Await(tag)
	if !c.Flags.Has(api.Buffer) || string(c.Buf) != data || cap(c.Buf) != len(data) || c.Flags.Has(api.BufferMore) != more {
		t.Fatalf("got %s with %s (cap %d), want %s, BufferMore: %v", show(&c), quote(string(c.Buf)), cap(c.Buf), quote(data), more)
	}
	return c
}

// WantNext fails the case unless b comes right behind a, in the same buffer.
func (t *T) WantNext(a, b *api.Completion) {
	t.tb.Helper()
	if place(b.Buf) != place(a.Buf)+uintptr(len(a.Buf)) || uint32(a.Lease) != uint32(b.Lease) || a.Lease == b.Lease {
		t.Errorf("a piece at %#x with the lease %#x comes after one at %#x of %d bytes with the lease %#x", place(b.Buf), uint64(b.Lease), place(a.Buf), len(a.Buf), uint64(a.Lease))
	}
}

var pieceCases = []Case{
	{
		ID: "BUF-15", Name: "one behind the other",
		Explanation: "In an incremental group each piece of data goes behind the last, in the same buffer, until it is full; BufferMore says that it is not.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 2, Size: 8, Incremental: true})
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.Perform()
				t.Put(b, "abc")
				first := t.Piece(1, "abc", true)
				t.Put(b, "de")
				second := t.Piece(1, "de", true)
				t.Put(b, "fgh")
				third := t.Piece(1, "fgh", false)
				t.WantNext(&first, &second)
				t.WantNext(&second, &third)
				t.Put(b, "i")
				if c := t.Piece(1, "i", true); uint16(c.Lease) == uint16(first.Lease) || !c.More() {
					t.Errorf("%s is in a buffer that is full", show(&c))
				}
				t.must("close the group", g.Close())
				t.AwaitRes(1, ecanceled)
			})
		},
	},
	{
		ID: "BUF-15", Name: "more than the rest",
		Explanation: "A piece ends where its buffer does, and what comes behind it goes to the beginning of the next.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 16, Incremental: true})
			data := pattern(80)
			t.Put(b, data[:5])
			t.Want(api.RecvBuffer(a, 0, 1), 5)
			t.Put(b, data[5:60])
			t.Submit(api.RecvBuffer(a, 0, 2), api.RecvBuffer(a, 0, 3))
			t.Piece(2, data[5:16], false)
			t.Piece(3, data[16:32], false)
			t.Submit(api.RecvMultishot(a, 0, 4))
			t.Piece(4, data[32:48], false)
			last := t.Piece(4, data[48:60], true)
			t.Put(b, data[60:])
			next := t.Piece(4, data[60:64], false)
			t.WantNext(&last, &next)
			t.Piece(4, data[64:], false)
			t.WantCount(g, 8, 3)
		},
	},
	{
		ID: "BUF-15", Name: "nothing takes nothing",
		Explanation: "The end of a stream, an empty datagram and a failure take no piece: the next one goes where it would have gone.",
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 1, Size: 8, Incremental: true})
			a, b := t.UDP()
			t.Put(b, "a")
			t.Submit(api.RecvBuffer(a, 0, 1))
			last := t.Piece(1, "a", true)
			check := func(what string) {
				t.tb.Helper()
				t.Put(b, "+")
				t.Submit(api.RecvBuffer(a, 0, 1))
				c := t.Piece(1, "+", true)
				if t.WantNext(&last, &c); t.Failed() {
					t.Fatalf("that was after %s", what)
				}
				last = c
			}
			t.must("write", writeNothing(b))
			t.Want(api.RecvBuffer(a, 0, 2), 0)
			check("an empty datagram")
			c, d := t.TCP(false)
			t.must("shutdown", unix.Shutdown(d, unix.SHUT_WR))
			t.Want(api.RecvBuffer(c, 0, 3), 0)
			t.Want(api.RecvMultishot(c, 0, 4), 0)
			check("the end of a stream")
			t.WantErr(api.RecvBuffer(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, 5), unix.ENOTCONN)
			t.WantErr(api.RecvMultishot(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, 6), unix.ENOTCONN)
			check("a failure")
			t.WantCount(g, 1, 1)
		},
	},
	{
		ID: "BUF-16", Name: "leases of pieces",
		Explanation: "Each piece has a lease. A buffer is available until it is full, and anew when all of its pieces are back, in any order.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 1, Size: 8, Incremental: true})
				get := func(s string, more bool) api.Completion {
					t.tb.Helper()
					t.Put(b, s)
					t.Submit(api.RecvBuffer(a, 0, 1))
					return t.Piece(1, s, more)
				}
				first := get("ab", true)
				t.WantCount(g, 1, 1)
				second := get("cd", true)
				t.Release(g, first.Lease)
				if err := g.Release(first.Lease); err != api.ErrLease {
					t.Errorf("second Release of a piece: %v", err)
				}
				third := get("efgh", false)
				t.WantNext(&second, &third)
				t.WantCount(g, 1, 0)
				t.WantErr(api.RecvBuffer(a, 0, 2), unix.ENOBUFS)
				t.Release(g, third.Lease)
				t.WantBytes(second.Buf, "cd")
				t.WantCount(g, 1, 0)
				for _, l := range []api.Lease{first.Lease, third.Lease, third.Lease + 1<<32, first.Lease - 1<<32, second.Lease + 1, second.Lease ^ 1<<16, 0} {
					if err := g.Release(l); err != api.ErrLease {
						t.Errorf("Release(%#x), where %#x is out: %v", uint64(l), uint64(second.Lease), err)
					}
				}
				t.Release(g, second.Lease)
				t.WantCount(g, 1, 1)
				again := get("z", true)
				if place(again.Buf) != place(first.Buf) {
					t.Errorf("a buffer is used anew from %#x on, it begins at %#x", place(again.Buf), place(first.Buf))
				}
				for _, l := range []api.Lease{first.Lease, second.Lease, third.Lease} {
					if err := g.Release(l); err != api.ErrLease {
						t.Errorf("Release(%#x) of a piece of the past: %v", uint64(l), err)
					}
				}
				t.Release(g, again.Lease)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "BUF-16", Name: "all pieces back before it is full",
		Explanation: "A buffer that is not full goes on where it was, also when all of its pieces are back.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 64, Incremental: true})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			var last api.Completion
			for i := range 64 {
				s := pattern(64)[i : i+1]
				t.Put(b, s)
				c := t.Piece(1, s, i < 63)
				if i > 0 {
					t.WantNext(&last, &c)
				}
				t.Release(g, c.Lease)
				last = c
			}
			t.WantCount(g, 4, 4)
		},
	},
	{
		ID: "BUF-16", Name: "many pieces",
		Explanation: "A buffer has as many pieces as bytes, if need be. Each keeps its bytes until its own release, whatever becomes of the others.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			const size, rounds = 200, 12
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: size, Incremental: true})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			data := pattern(size)
			seen := map[api.Lease]bool{}
			for round := range rounds {
				var out []api.Completion
				for i := range size {
					t.Put(b, data[i:i+1])
					c := t.Piece(1, data[i:i+1], i < size-1)
					if seen[c.Lease] {
						t.Fatalf("the lease %#x was given a second time", uint64(c.Lease))
					}
					seen[c.Lease] = true
					out = append(out, c)
				}
				t.WantCount(g, 2, 1)
				for i := range out { // 37 has no factor in common with 200, so that this is all of them
					k := (i*37 + round) % size
					t.WantBytes(out[k].Buf, data[k:k+1])
					t.Release(g, out[k].Lease)
					if err := g.Release(out[k].Lease); err != api.ErrLease {
						t.Fatalf("second Release of piece %d: %v", k, err)
					}
				}
				t.WantCount(g, 2, 2)
			}
		},
	},
	{
		ID: "BUF-16", Name: "pieces outlive their group",
		Explanation: "Pieces that are out when their group is closed can still be read, and released once; they fit no new group with the same id.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for i := range 6 {
				g := t.Group(api.BufferGroupOptions{Count: 1, Size: 4, Incremental: true})
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.Perform()
				var out []api.Completion
				for i := range 4 {
					t.Put(b, "1234"[i:i+1])
					out = append(out, t.Await(1))
				}
				t.must("close the group", g.Close())
				t.AwaitRes(1, ecanceled)
				next := t.Group(api.BufferGroupOptions{Count: 1, Size: 4, Incremental: i%2 == 0})
				t.Put(b, "56")
				c := t.Do(api.RecvBuffer(a, 0, 2))
				for i := range out {
					t.WantBytes(out[i].Buf, "1234"[i:i+1])
					if err := next.Release(out[i].Lease); err != api.ErrLease {
						t.Errorf("Release of a piece of a former group: %v", err)
					}
					t.Release(g, out[i].Lease)
					if err := g.Release(out[i].Lease); err != api.ErrLease {
						t.Errorf("second Release after Close: %v", err)
					}
				}
				t.WantBytes(c.Buf, "56")
				t.Release(next, c.Lease)
				t.must("close the group", next.Close())
			}
		},
	},
	{
		ID: "BUF-16", Name: "thirty thousand pieces",
		Explanation: "Pieces can be received and released any number of times, with several buffers on the way.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 24, Incremental: true})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			data := pattern(16)
			var held []api.Lease
			for range 20000 { // of each three pieces, two have 8 bytes
				t.Put(b, data)
				for got := 0; got < len(data); {
					n, err := t.Engine.Complete(t.dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
					if n == 0 || err != nil {
						t.Fatalf("Complete: %d, %v", n, err)
					}
					for _, c := range t.dst[:n] {
						if !c.More() || string(c.Buf) != data[got:got+len(c.Buf)] {
							t.Fatalf("got %s with %q, want %q", show(&c), c.Buf, data[got:])
						}
						got += len(c.Buf)
						held = append(held, c.Lease)
					}
				}
				for len(held) > 2 {
					t.Release(g, held[1])
					held = slices.Delete(held, 1, 2)
					held[0], held[len(held)-1] = held[len(held)-1], held[0]
				}
			}
			for _, l := range held {
				t.Release(g, l)
			}
			t.WantCount(g, 4, 4)
		},
	},
	{
		ID: "BUF-17", Name: "datagrams",
		Explanation: "Of a datagram that is larger than the rest of the buffer the end is lost, as with a buffer of that size.",
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 16, Incremental: true})
			a, b := t.UDP()
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			t.Put(b, "0123456789")
			first := t.Piece(1, "0123456789", true)
			t.Put(b, "0123456789")
			second := t.Piece(1, "012345", false)
			t.WantNext(&first, &second)
			t.Put(b, strings.Repeat("0123456789", 2))
			t.Piece(1, "0123456789012345", false)
			t.WantCount(g, 2, 0)
			t.Put(b, "lost")
			t.AwaitRes(1, neg(unix.ENOBUFS))
		},
	},
	{
		ID: "BUF-18", Name: "one buffer for several sockets",
		Explanation: "Any number of operations can take from an incremental group: their pieces are one behind the other in the same buffer, and none is given twice.",
		Needs:       NeedStreams,
		Requires:    pieceFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			const n, size = 12, 64
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: size, Incremental: true})
			var peers [n]int
			for i := range n {
				a, b := t.Pair(i%2 == 0)
				peers[i] = b
				t.Submit(api.RecvMultishot(a, 0, uint64(i)))
			}
			t.Perform()
			want := func(i int) string { return strings.Repeat(string(rune('a'+i)), 1+i) }
			total := 0
			for i := range n {
				t.Put(peers[i], want(i))
				total += len(want(i))
			}
			var out []api.Completion
			for i := range n {
				got := ""
				for len(got) < len(want(i)) {
					c := t.Await(uint64(i))
					got += string(c.Buf)
					out = append(out, c)
				}
				t.WantBytes([]byte(got), want(i))
			}
			slices.SortFunc(out, func(x, y api.Completion) int { return int(int64(place(x.Buf)) - int64(place(y.Buf))) })
			for i := range out[1:] {
				if place(out[i].Buf)+uintptr(len(out[i].Buf)) > place(out[i+1].Buf) {
					t.Errorf("two pieces share memory: %q and %q", out[i].Buf, out[i+1].Buf)
				}
			}
			t.WantCount(g, 4, 4-total/size)
			for i := range out {
				t.Release(g, out[i].Lease)
			}
			t.WantCount(g, 4, 4)
		},
	},
	{
		ID: "BUF-18", Name: "resize and low water",
		Explanation: "A buffer counts as out, and goes when there are too many, when it is full and has pieces out: Resize, LowWater and Available go by that.",
		Needs:       NeedStreams,
		Requires:    pieceFeats | api.FeatGroupResize,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			calls := 0
			g := t.Group(api.BufferGroupOptions{Count: 4, Max: 8, Size: 4, Incremental: true, LowWater: 3, OnLow: func(api.BufferGroup) { calls++ }})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			put := func(s string, left, low int) api.Completion {
				t.tb.Helper()
				t.Put(b, s)
				c := t.Piece(1, s, !strings.HasSuffix(s, "."))
				if g.Available() != left || calls != low {
					t.Fatalf("%d of %d buffers are available after %q, and OnLow has been called %d times, want %d and %d", g.Available(), g.Count(), s, calls, left, low)
				}
				return c
			}
			first := put("a", 4, 0)
			second := put("bc.", 3, 0)
			third := put("d", 3, 0)
			fourth := put("ef.", 2, 1)
			t.Resize(g, 2)
			t.WantCount(g, 4, 2)
			t.Release(g, second.Lease)
			t.WantCount(g, 4, 2)
			t.Release(g, first.Lease)
			t.WantCount(g, 3, 2)
			fifth := put("g", 2, 1)
			t.Resize(g, 4)
			t.WantCount(g, 4, 3)
			put("hi.", 2, 2)
			t.Release(g, third.Lease)
			t.Release(g, fourth.Lease)
			t.Release(g, fifth.Lease)
			t.WantCount(g, 4, 3)
		},
	},
}

// writeNothing sends an empty datagram.
func writeNothing(fd int) error {
	_, err := unix.Write(fd, nil)
	return err
}
