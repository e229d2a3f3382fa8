package iouring

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// arena is a set of buffers outside the heap for a buffer ring.
type arena struct {
	mem  []byte
	size int
}

func newArena(tb testing.TB, n, size int) *arena {
	tb.Helper()
	mem, err := mmapAnon(n * size)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := munmap(mem); err != nil {
			tb.Error(err)
		}
	})
	return &arena{mem, size}
}

func (a *arena) buf(bid uint16) []byte { return a.mem[int(bid)*a.size:][:a.size] }

func (a *arena) add(b *BufRing, bid uint16) {
	buf := a.buf(bid)
	b.Add(unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)), bid)
}

func newBufRing(tb testing.TB, r *Ring, entries, group, flags uint16) *BufRing {
	tb.Helper()
	b, err := NewBufRing(r, entries, group, flags)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error("BufRing.Close:", err)
		}
	})
	return b
}

// TestBufRingRecycle receives so many messages that the 16-bit tail wraps, and with it entry 0 is rewritten, whose bid
// shares a word with the tail. The ids rotate against the entries so that a stale id of entry 0 would be noticed.
func TestBufRingRecycle(t *testing.T) {
	const (
		entries  = 8
		messages = 70_000 // more than 1<<16
		group    = 3
	)
	for _, flags := range []uint16{0, IOU_PBUF_RING_MMAP} {
		t.Run(map[uint16]string{0: "own memory", IOU_PBUF_RING_MMAP: "kernel memory"}[flags], func(t *testing.T) {
			r := newOwnedRing(t, 16, 0)
			b := newBufRing(t, r, entries, group, flags)
			a := newArena(t, entries, 64)
			for bid := range uint16(entries - 1) {
				a.add(b, bid)
			}
			b.Publish()
			spare := uint16(entries - 1) // One buffer is always out: it keeps ids and entries from being the same.
			rx, tx := socketPair(t, unix.SOCK_SEQPACKET)
			next(t, r).PrepRecvMultishot(rx, group, 0)
			submit(t, r, 0)
			msg := make([]byte, 8)
			for i := range messages {
				for k := range msg {
					msg[k] = byte(i >> (8 * (k % 4)))
				}
				if _, err := unix.Write(int(tx), msg); err != nil {
					t.Fatal(err)
				}
				c := run(t, r, 1)[0]
				if c.Res != int32(len(msg)) || c.Flags&IORING_CQE_F_BUFFER == 0 || c.Flags&IORING_CQE_F_MORE == 0 {
					t.Fatalf("message %d: got %+v", i, c)
				}
				bid := c.BufferID()
				if got := a.buf(bid)[:c.Res]; bid >= entries || !bytes.Equal(got, msg) {
					t.Fatalf("message %d: buffer %d holds %x, want %x", i, bid, got, msg)
				}
				clear(a.buf(bid)[:c.Res])
				a.add(b, spare)
				b.Publish()
				spare = bid
			}
			head, err := r.PbufStatus(group)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Tail() - uint16(head); got != entries-1 {
				t.Errorf("got %d buffers left, want %d", got, entries-1)
			}
			if err := unix.Shutdown(int(tx), unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			if c := run(t, r, 1)[0]; c.Res != 0 || c.Flags&IORING_CQE_F_MORE != 0 {
				t.Errorf("end of stream: got %+v", c)
			}
		})
	}
}

// TestBufRingRunsDry checks that nothing is visible before Publish, and that all of it is after.
func TestBufRingRunsDry(t *testing.T) {
	r := newRing(t, 8, 0)
	b := newBufRing(t, r, 4, 1, 0)
	a := newArena(t, 4, 16)
	rx, tx := socketPair(t, unix.SOCK_STREAM)
	if _, err := unix.Write(int(tx), []byte("data")); err != nil {
		t.Fatal(err)
	}
	recv := func() CQE {
		s := next(t, r)
		s.PrepRecv(rx, nil, 0, 0)
		s.SetBufferGroup(b.Group())
		return run(t, r, 1)[0]
	}
	a.add(b, 2)
	if c := recv(); c.Res != -int32(unix.ENOBUFS) {
		t.Errorf("before Publish: got %+v, want ENOBUFS", c)
	}
	b.Publish()
	if c := recv(); c.Res != 4 || c.BufferID() != 2 || string(a.buf(2)[:4]) != "data" {
		t.Errorf("after Publish: got %+v with %q", c, a.buf(2)[:4])
	}
}

// TestBufRingIncremental lets several receives share one buffer.
func TestBufRingIncremental(t *testing.T) {
	r := newRing(t, 8, 0)
	b, err := NewBufRing(r, 4, 1, IOU_PBUF_RING_INC)
	if errors.Is(err, syscall.EINVAL) {
		t.Skip("kernel without IOU_PBUF_RING_INC")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a := newArena(t, 1, 8)
	a.add(b, 0)
	b.Publish()
	rx, tx := socketPair(t, unix.SOCK_STREAM)
	for i, want := range []uint32{IORING_CQE_F_BUFFER | IORING_CQE_F_BUF_MORE, IORING_CQE_F_BUFFER} {
		if _, err := unix.Write(int(tx), []byte("abcd")); err != nil {
			t.Fatal(err)
		}
		s := next(t, r)
		s.PrepRecv(rx, nil, 0, 0)
		s.SetBufferGroup(1)
		if c := run(t, r, 1)[0]; c.Res != 4 || c.Flags != want {
			t.Errorf("receive %d: got %+v, want flags %#x", i, c, want)
		}
	}
	if got := string(a.buf(0)); got != "abcdabcd" {
		t.Errorf("got %q", got)
	}
}

func TestBufRingErrors(t *testing.T) {
	r := newRing(t, 8, 0)
	for _, entries := range []uint16{0, 3, 1<<15 + 1, 0xffff} {
		if b, err := NewBufRing(r, entries, 1, 0); b != nil || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d entries: got %v, %v, want EINVAL", entries, b, err)
		}
	}
	if b, err := NewBufRing(r, 8, 1, 0x8000); b != nil || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("unknown flag: got %v, %v, want EINVAL", b, err)
	}
	b := newBufRing(t, r, 1<<15, 1, 0)
	if _, err := NewBufRing(r, 8, 1, 0); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("second ring of a group: got %v, want EEXIST", err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b.Add(nil, 0, 0)
	b.Publish()
	if b.Entries() != 0 {
		t.Error("a closed ring has entries")
	}
	newBufRing(t, r, 8, 1, 0) // The group is free again.
}

func TestBufRingNoAllocs(t *testing.T) {
	r := newRing(t, 8, 0)
	b := newBufRing(t, r, 8, 1, 0)
	a := newArena(t, 1, 8)
	if got := testing.AllocsPerRun(4, func() { a.add(b, 0); b.Publish() }); got != 0 {
		t.Errorf("got %v allocations", got)
	}
}
