package iouring

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ringMaps counts the maps of rings that the process has.
func ringMaps(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "io_uring")
}

// nop prepares a nop with the user data id.
func nop(t *testing.T, r *Ring, id uint64) {
	t.Helper()
	s := next(t, r)
	s.PrepNop()
	s.UserData = id
}

// sizes are the parameters of a resize.
func sizes(sq, cq uint32) *Params {
	return &Params{SQEntries: sq, CQEntries: cq, Flags: IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP}
}

// newResizable is a ring that can be resized; where the kernel cannot, the test is skipped.
func newResizable(t *testing.T, entries, flags uint32) *Ring {
	t.Helper()
	r := newOwnedRing(t, entries, IORING_SETUP_NO_SQARRAY|flags)
	if !r.KnowsRegister(IORING_REGISTER_RESIZE_RINGS, 1) {
		t.Skip("kernel without RESIZE_RINGS")
	}
	return r
}

func TestKnowsRegister(t *testing.T) {
	r := newRing(t, 8, 0)
	if !r.KnowsRegister(IORING_REGISTER_PROBE, 1) || r.KnowsRegister(1<<30, 1) {
		t.Error("PROBE is unknown, or a call that does not exist is not")
	}
	if r.KnowsRegister(IORING_REGISTER_RESIZE_RINGS, 1) {
		t.Error("a ring without DEFER_TASKRUN has RESIZE_RINGS")
	}
	if _, err := r.Probe(); err != nil {
		t.Error("after asking:", err)
	}
}

func TestResizeNeeds(t *testing.T) {
	if err := newOwnedRing(t, 8, 0).ResizeRings(sizes(32, 64)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("with an index array: got %v, want ErrUnsupported", err)
	}
	r := newResizable(t, 8, 0)
	if err := r.ResizeRings(sizes(4, 1)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a completion queue smaller than the submission queue: got %v, want EINVAL", err)
	}
	r.cqHead-- // as if the counter had wrapped behind it
	if err := r.ResizeRings(sizes(32, 64)); !errors.Is(err, syscall.EOVERFLOW) {
		t.Errorf("with entries on both sides of 2^32: got %v, want EOVERFLOW", err)
	}
	r.cqHead++
	if r.SQEntries() != 8 || r.CQEntries() != 16 {
		t.Errorf("after refusals there are %d and %d entries", r.SQEntries(), r.CQEntries())
	}
}

// TestResizeMoves resizes with entries that are handed out, that are in flight, and that nobody has read.
func TestResizeMoves(t *testing.T) {
	r := newResizable(t, 8, 0)
	maps := ringMaps(t)
	ts := &Timespec{Nsec: int64(2 * time.Millisecond)}
	next(t, r).PrepTimeout(ts, 0, 0)
	submit(t, r, 0)
	for id := range uint64(3) {
		nop(t, r, 1+id)
	}
	submit(t, r, 3)
	for id := range uint64(5) {
		nop(t, r, 4+id)
	}
	for _, size := range [][2]uint32{{32, 64}, {8, 16}, {256, 256}, {8, 8}} {
		if err := r.ResizeRings(sizes(size[0], size[1])); err != nil {
			t.Fatal(err)
		}
		if r.SQEntries() != size[0] || r.CQEntries() != size[1] || r.CQReady() != 3 || r.Unsubmitted() != 5 {
			t.Fatalf("to %v: %d, %d entries, %d ready and %d unsubmitted", size, r.SQEntries(), r.CQEntries(), r.CQReady(), r.Unsubmitted())
		}
	}
	if got := ringMaps(t); got != maps {
		t.Errorf("there were %d maps of rings, there are %d", maps, got)
	}
	for r.CQReady() < 9 {
		if r.CQReady() == 8 {
			break // full: what is left waits in the kernel
		}
		submit(t, r, 8)
	}
	got := reap(r)
	for len(got) < 9 {
		submit(t, r, 1)
		got = append(got, reap(r)...)
	}
	for i, c := range got[:8] {
		if c.UserData != uint64(i+1) || c.Res != 0 {
			t.Errorf("completion %d: got %+v", i, c)
		}
	}
	if c := got[8]; c.UserData != 0 || c.Res != -int32(syscall.ETIME) {
		t.Errorf("the timeout: got %+v", c)
	}
}

// TestResizeTooSmall checks that nothing is lost when what waits does not fit.
func TestResizeTooSmall(t *testing.T) {
	r := newResizable(t, 8, 0)
	for id := range uint64(4) {
		nop(t, r, id)
	}
	if err := r.ResizeRings(sizes(2, 16)); !errors.Is(err, syscall.EOVERFLOW) {
		t.Errorf("more submissions than the new queue holds: got %v, want EOVERFLOW", err)
	}
	submit(t, r, 4)
	if err := r.ResizeRings(sizes(2, 2)); !errors.Is(err, syscall.EOVERFLOW) {
		t.Errorf("more completions than the new queue holds: got %v, want EOVERFLOW", err)
	}
	if got := reap(r); len(got) != 4 || got[3].UserData != 3 {
		t.Errorf("after a failed resize: got %+v, want 4 completions", got)
	}
}

// TestResizeOften resizes between all sizes, with both queues at every fill.
func TestResizeOften(t *testing.T) {
	r := newResizable(t, 8, 0)
	put, took := uint64(0), uint64(0)
	sq, cq := uint32(8), uint32(16)
	take := func() {
		for _, c := range reap(r) {
			if c.UserData != took || c.Res != 0 {
				t.Fatalf("completion %d: got %+v", took, c)
			}
			took++
		}
	}
	for i := range 2000 {
		for range i % 7 {
			if r.SQSpace() > 0 {
				nop(t, r, put)
				put++
			}
		}
		if i%3 == 0 {
			submit(t, r, 0)
		}
		if i%5 == 0 {
			take()
		}
		sq, cq = 1<<(i%6), 1<<(i%6+i%4)
		err := r.ResizeRings(sizes(sq, cq))
		if fits := r.Unsubmitted() <= sq && r.CQReady() <= cq; err != nil && (fits || !errors.Is(err, syscall.EOVERFLOW)) {
			t.Fatalf("%d: to %d and %d entries with %d unsubmitted and %d ready: %v", i, sq, cq, r.Unsubmitted(), r.CQReady(), err)
		} else if err == nil && (r.SQEntries() != sq || r.CQEntries() != cq) {
			t.Fatalf("%d: asked for %d and %d entries, got %d and %d", i, sq, cq, r.SQEntries(), r.CQEntries())
		}
	}
	for took < put {
		submit(t, r, 1)
		take()
	}
}
