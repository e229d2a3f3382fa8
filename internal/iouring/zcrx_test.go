package iouring

import (
	"testing"
	"unsafe"
)

func newRefill(n int, start uint32) (*RefillRing, *uint32, *uint32) {
	head, tail := start, start
	return &RefillRing{head: &head, tail: &tail, rqes: make([]ZCRXRqe, n), next: start}, &head, &tail
}

func TestRefillRing(t *testing.T) {
	for _, start := range []uint32{0, 3, 1<<32 - 2} { // the counters go round
		r, head, tail := newRefill(4, start)
		r.token = 5 << IORING_ZCRX_AREA_SHIFT
		for i := range uint64(4) {
			if !r.Put(i<<12|7<<IORING_ZCRX_AREA_SHIFT, uint32(100+i)) {
				t.Fatalf("from %d: entry %d has no room", start, i)
			}
		}
		if r.Put(1<<20, 1) || r.Room() != 0 {
			t.Errorf("from %d: a full ring has room for %d", start, r.Room())
		}
		if *tail != start {
			t.Errorf("from %d: the kernel sees entries that were not published", start)
		}
		if r.Publish(); *tail != start+4 {
			t.Errorf("from %d: the tail is %d", start, *tail)
		}
		for i := range uint64(4) {
			e := r.rqes[(start+uint32(i))&3]
			if e.Off != i<<12|5<<IORING_ZCRX_AREA_SHIFT || e.Len != uint32(100+i) {
				t.Errorf("from %d: entry %d is %+v", start, i, e)
			}
		}
		*head += 2 // the kernel has taken two
		if r.Room() != 2 || !r.Put(9<<12, 9) || r.Room() != 1 {
			t.Errorf("from %d: room for %d, want 1", start, r.Room())
		}
		if e := r.rqes[start&3]; e.Len != 9 {
			t.Errorf("from %d: the first entry is %+v, want the new one", start, e)
		}
	}
}

func TestZCRXPiece(t *testing.T) {
	const area = 1 << 16
	for _, c := range []struct {
		off uint64
		n   int32
		ok  bool
	}{
		{0, 0, true}, {0, area, true}, {4096, 100, true}, {area, 0, true}, {area - 1, 1, true},
		{area - 1, 2, false}, {area + 1, 0, false}, {1 << 40, 1, false}, {0, -1, false},
		{1 << IORING_ZCRX_AREA_SHIFT, 1, false}, {1<<IORING_ZCRX_AREA_SHIFT | 4096, 1, false},
	} {
		if off, ok := ZCRXPiece(&ZCRXCqe{Off: c.off}, c.n, area); ok != c.ok || ok && off != c.off {
			t.Errorf("%#x and %d bytes: %#x, %v", c.off, c.n, off, ok)
		}
	}
}

// TestNewRefillRing: the refill ring is where the kernel says that it is, and nowhere else.
func TestNewRefillRing(t *testing.T) {
	mem := make([]uint64, 1024)
	region := unsafe.Slice((*byte)(unsafe.Pointer(&mem[0])), 8192)
	region[4] = 9 // the kernel's ring may begin anywhere
	r, ok := NewRefillRing(region, &ZCRXOffsets{Head: 0, Tail: 4, Rqes: 64}, 64, 0)
	if !ok {
		t.Fatal("refused")
	}
	if len(r.rqes) != 64 || unsafe.Pointer(&r.rqes[0]) != unsafe.Pointer(&region[64]) || unsafe.Pointer(r.tail) != unsafe.Pointer(&region[4]) {
		t.Errorf("the ring is %+v", r)
	}
	r.Put(4096, 7)
	r.Publish()
	if region[4] != 10 || region[64+9*16+8] != 7 {
		t.Errorf("the region holds %v", region[:256])
	}
	for _, bad := range []ZCRXOffsets{{Head: 8192}, {Tail: 8190}, {Head: 2}, {Rqes: 4}, {Rqes: 8192 - 64*16 + 8}} {
		if _, ok := NewRefillRing(region, &bad, 64, 0); ok {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, n := range []uint32{0, 63, 1 << 31} {
		if _, ok := NewRefillRing(region, &ZCRXOffsets{Tail: 4, Rqes: 64}, n, 0); ok {
			t.Errorf("%d entries were taken", n)
		}
	}
}

// FuzzZCRXPiece: whatever the kernel says, nothing outside of the area is taken for data.
func FuzzZCRXPiece(f *testing.F) {
	f.Add(uint64(4096), int32(100), uint64(1<<16))
	f.Add(uint64(1)<<IORING_ZCRX_AREA_SHIFT, int32(-1), uint64(0))
	f.Add(uint64(0), int32(-1), ^uint64(0))
	f.Add(^uint64(0), int32(1<<31-1), ^uint64(0))
	f.Fuzz(func(t *testing.T, at uint64, n int32, area uint64) {
		off, ok := ZCRXPiece(&ZCRXCqe{Off: at}, n, area)
		if end := off + uint64(n); ok && (n < 0 || off != at || end < off || end > area) {
			t.Errorf("%d bytes at %#x are taken to be in an area of %#x", n, at, area)
		}
	})
}
