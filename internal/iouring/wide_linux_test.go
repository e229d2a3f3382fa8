package iouring

import (
	"errors"
	"syscall"
	"testing"
)

// wideRing is a ring with larger completions, or skips the test where the kernel has none.
func wideRing(t *testing.T, flags uint32) *Ring {
	t.Helper()
	q, err := Setup(8, &Params{Flags: flags})
	if errors.Is(err, syscall.EINVAL) {
		t.Skip(err)
	}
	if err == nil {
		err = q.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return newResizable(t, 8, flags)
}

// wideNop prepares a nop whose completion has 32 bytes, with two words more.
func wideNop(t *testing.T, r *Ring, id uint64) {
	t.Helper()
	s := next(t, r)
	s.PrepNop()
	s.UserData, s.OpFlags, s.Off, s.Addr = id, IORING_NOP_CQE32, id+1, id+2
}

// takeWide reaps what is ready: completions in their order from *took on, of which every third is of 32 bytes.
func takeWide(t *testing.T, r *Ring, took *uint64) {
	t.Helper()
	head, tail := r.Peek()
	for at := head; at != tail; {
		c := r.CQEAt(at)
		w := r.Wide(at)
		at = r.Next(at, c)
		if c.Flags&IORING_CQE_F_SKIP != 0 {
			continue
		}
		if c.UserData != *took || c.Res != 0 {
			t.Fatalf("got %+v, want completion %d", c, *took)
		}
		switch wide := *took%3 == 0; {
		case wide && (w == nil || w.BigCQE != [2]uint64{*took + 1, *took + 2}):
			t.Fatalf("completion %d: got %+v", *took, w)
		case !wide && r.mixed && w != nil:
			t.Fatalf("completion %d has 32 bytes", *took)
		}
		*took++
	}
	r.Advance(tail - head)
}

// TestWide goes round rings with completions of 32 bytes, and of both sizes, at every fill.
func TestWide(t *testing.T) {
	for name, flags := range map[string]uint32{"CQE32": IORING_SETUP_CQE32, "CQE_MIXED": IORING_SETUP_CQE_MIXED} {
		t.Run(name, func(t *testing.T) {
			r := wideRing(t, flags)
			put, took := uint64(0), uint64(0)
			for i := range 400 {
				for range 1 + i%5 {
					if put%3 == 0 {
						wideNop(t, r, put)
					} else {
						nop(t, r, put)
					}
					put++
				}
				submit(t, r, 1)
				takeWide(t, r, &took)
			}
			for took < put {
				submit(t, r, 1)
				takeWide(t, r, &took)
			}
			if r.CQOverflow() != 0 {
				t.Errorf("%d completions were lost", r.CQOverflow())
			}
		})
	}
	if r := newRing(t, 8, 0); r.Wide(0) != nil {
		t.Error("a ring of small completions has large ones")
	}
}

// TestWideResize: the kernel does not move large completions as it should, so that nothing is moved.
func TestWideResize(t *testing.T) {
	for _, flags := range []uint32{IORING_SETUP_CQE32, IORING_SETUP_CQE_MIXED} {
		r := wideRing(t, flags)
		took := uint64(0)
		for round := range uint64(40) {
			wideNop(t, r, 3*round)
			submit(t, r, 1)
			if err := r.ResizeRings(sizes(8, 32)); !errors.Is(err, syscall.EOVERFLOW) {
				t.Fatalf("with a completion that waits: got %v, want EOVERFLOW", err)
			}
			takeWide(t, r, &took)
			nop(t, r, 3*round+1)
			if err := r.ResizeRings(sizes(2<<(round%4), 16<<(round%3))); err != nil {
				t.Fatal(err)
			}
			nop(t, r, 3*round+2)
			submit(t, r, 2)
			takeWide(t, r, &took)
		}
		if took != 120 {
			t.Errorf("%d completions, want 120", took)
		}
	}
}

// TestMixedFull fills a queue of both sizes again and again, so that large ones do not fit where it ends, nor where it begins.
func TestMixedFull(t *testing.T) {
	for _, size := range []uint32{2, 4, 8} {
		r := wideRing(t, IORING_SETUP_CQE_MIXED)
		if err := r.ResizeRings(sizes(16, 16)); err != nil {
			t.Fatal(err)
		}
		if err := r.ResizeRings(sizes(size, size)); err != nil {
			t.Fatal(err)
		}
		var put, took uint64
		seen := map[uint64]bool{}
		take := func() {
			head, tail := r.Peek()
			for at := head; at != tail; {
				c := r.CQEAt(at)
				at = r.Next(at, c)
				if c.Flags&IORING_CQE_F_SKIP != 0 {
					continue
				}
				id := c.UserData >> 1
				if id >= put || seen[id] || c.UserData&1 != 0 != (c.Flags&IORING_CQE_F_32 != 0) {
					t.Fatalf("with %d entries: got %+v after %d of %d", size, c, took, put)
				}
				seen[id] = true // in no order: a small one overtakes a large one that has found no room
				took++
			}
			r.Advance(tail - head)
		}
		for i := range 300 {
			for n := range 2 + i%7 {
				if r.SQSpace() == 0 {
					submit(t, r, 0)
				}
				if n < 1+i%3 { // a large one, whose user data is odd
					wideNop(t, r, put<<1|1)
				} else {
					nop(t, r, put<<1)
				}
				put++
			}
			submit(t, r, 0)
			for take(); took < put; take() {
				submit(t, r, 1)
			}
		}
	}
}
