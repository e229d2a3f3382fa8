package iouring

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bufRingMax is the most entries that the kernel accepts: the indices are 16 bits and must not be ambiguous.
const bufRingMax = 1 << 15

// BufRing is a ring of provided buffers, from which the kernel takes one when data arrives (Linux 5.19). It is shared
// memory without system calls:
//
//	bytes   0        8     12    14    16
//	entry 0 [ addr  ][ len ][ bid ][TAIL]   TAIL is the 16-bit tail of the whole ring
//	entry 1 [ addr  ][ len ][ bid ][resv]   …
//
// Only the application writes the tail. The kernel's head is not in the ring: the application learns what was consumed
// from completions, and may ask with Ring.PbufStatus. A BufRing belongs to one goroutine at a time.
//
// Buffers have to stay allocated until the ring is closed and everything in flight has completed. The addresses in the
// ring do not keep Go memory alive, so a map outside the heap is the natural home.
type BufRing struct {
	bufs   []Buf
	tailAt *uint32 // bid of entry 0 and tail in one 32-bit word
	mask   uint16
	tail   uint16 // next entry to fill; the kernel sees it after Publish
	bid0   uint16 // what the low half of *tailAt has to be
	group  uint16
	ring   *Ring
	mem    []byte
	idle   uint32 // the word that tailAt leads to once the ring is closed
}

// NewBufRing makes a ring of entries buffers, a power of two up to 32768, and registers it with r as group. flags are
// IOU_PBUF_RING_*. Errors: EINVAL for a bad size or flag, EEXIST if the group exists.
func NewBufRing(r *Ring, entries, group, flags uint16) (*BufRing, error) {
	if entries == 0 || entries > bufRingMax || entries&(entries-1) != 0 {
		return nil, wrapRegister("PBUF_RING", syscall.EINVAL)
	}
	b := &BufRing{ring: r, mask: entries - 1, group: group}
	reg := BufReg{RingEntries: uint32(entries), Bgid: group, Flags: flags}
	size := int(entries) * int(unsafe.Sizeof(Buf{}))
	var err error
	if flags&IOU_PBUF_RING_MMAP != 0 {
		err = b.mapKernel(&reg, size)
	} else {
		err = b.mapOwn(&reg, size)
	}
	if err != nil {
		return nil, err
	}
	// SAFETY: the map is page aligned and has room for the entries; it stays until Close, which drops both pointers.
	b.bufs = unsafe.Slice((*Buf)(unsafe.Pointer(unsafe.SliceData(b.mem))), int(entries))
	// SAFETY: Bid is at byte 12 of the entry and followed by Resv, so this is an aligned word inside of it.
	b.tailAt = (*uint32)(unsafe.Pointer(&b.bufs[0].Bid))
	return b, nil
}

// mapOwn lets the kernel use memory of ours.
func (b *BufRing) mapOwn(reg *BufReg, size int) (err error) {
	if b.mem, err = mmapAnon(size); err != nil {
		return err
	}
	// SAFETY: mem is a map of its own and stays until Close has unregistered the ring.
	reg.RingAddr = address(unsafe.Pointer(unsafe.SliceData(b.mem)))
	if err = b.ring.RegisterBufRing(reg); err != nil {
		return firstError(err, munmap(b.mem))
	}
	return nil
}

// mapKernel maps memory of the kernel: the map is named by the group and exists only after the registration.
func (b *BufRing) mapKernel(reg *BufReg, size int) (err error) {
	if err = b.ring.RegisterBufRing(reg); err != nil {
		return err
	}
	off := int64(IORING_OFF_PBUF_RING) | int64(b.group)<<IORING_OFF_PBUF_SHIFT
	if b.mem, err = mmapRing(b.ring.Fd(), off, uint64(size)); err != nil {
		return firstError(err, b.ring.UnregisterBufRing(b.group))
	}
	return nil
}

// Entries returns the size of the ring, 0 after Close.
func (b *BufRing) Entries() int { return len(b.bufs) }

// Group returns the group for SQE.SetBufferGroup.
func (b *BufRing) Group() uint16 { return b.group }

// Tail returns the number of buffers added so far, modulo 65536. Together with Ring.PbufStatus it tells how many are
// left: uint16(Tail-head).
func (b *BufRing) Tail() uint16 { return b.tail }

// Add puts the n bytes at p into the ring as buffer bid. The kernel sees them after Publish. The caller knows which
// buffers are out, and must not add more than Entries at a time: that would overwrite entries not yet consumed.
func (b *BufRing) Add(p unsafe.Pointer, n uint32, bid uint16) {
	if b.mem == nil {
		return
	}
	i := b.tail & b.mask
	e := &b.bufs[i]
	e.Addr = address(p)
	e.Len = n
	if i == 0 {
		// The bid of entry 0 shares a word with the tail, which has to be stored as a whole. It waits for Publish.
		b.bid0 = bid
	} else {
		e.Bid = bid
	}
	b.tail++
}

// Len is how many bytes the kernel takes the buffer to have that was put into the ring as number i, counted from 0 round the ring. It is less than
// what Add said where the kernel has cut a buffer: the first of a bundle, to as much data as it expects (6.18), and any in a ring with IOU_PBUF_RING_INC.
func (b *BufRing) Len(i uint16) uint32 { return atomic.LoadUint32(&b.bufs[i&b.mask].Len) }

// Publish lets the kernel use everything added so far.
func (b *BufRing) Publish() {
	// The kernel reads the 16-bit tail with acquire semantics, and the entries after it. Go has no 16-bit atomics, so the
	// store covers the bid of entry 0 too. It may: the low half changes only if entry 0 was added anew, and then the
	// kernel is past it and does not look at it before it has seen the new tail. The store is a release (and more), which
	// makes the plain writes of Add visible first; without it the kernel could take an entry with the old address.
	// The order of the halves is that of a little-endian machine; Setup refuses others.
	atomic.StoreUint32(b.tailAt, uint32(b.bid0)|uint32(b.tail)<<16)
}

// Close unregisters the ring and frees its memory, not that of the buffers. It may be called again. If the Ring was
// closed before, the registration went with it. With IORING_SETUP_SINGLE_ISSUER it has to be the owning thread; on an
// error the memory stays mapped, because the kernel may use it still.
func (b *BufRing) Close() error {
	if b.mem == nil {
		return nil
	}
	if b.ring.Fd() >= 0 {
		if err := b.ring.UnregisterBufRing(b.group); err != nil {
			return err
		}
	}
	mem := b.mem
	b.mem, b.bufs, b.tailAt = nil, nil, &b.idle
	return wrap("munmap", unix.Munmap(mem))
}
