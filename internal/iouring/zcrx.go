package iouring

import (
	"sync/atomic"
	"unsafe"
)

// RefillRing is the ring through which pieces of the area of a zero-copy receive are given back to the kernel. It is shared memory without system
// calls: the program writes entries and the tail, the kernel reads them and moves the head. A RefillRing belongs to one goroutine at a time.
type RefillRing struct {
	head, tail *uint32
	rqes       []ZCRXRqe // a power of two
	next       uint32    // where the next entry goes; the kernel sees it after Publish
	token      uint64    // ZCRXAreaReg.RqAreaToken
}

// NewRefillRing is the ring of entries entries, a power of two, that the kernel has laid out in region as o says. region stays for as long as the ring is used. ok is
// false when it would not lie within, or not be aligned: the kernel has another layout than this package.
func NewRefillRing(region []byte, o *ZCRXOffsets, entries uint32, token uint64) (r RefillRing, ok bool) {
	end := uint64(o.Rqes) + uint64(entries)*uint64(unsafe.Sizeof(ZCRXRqe{}))
	if max(uint64(o.Head)+4, uint64(o.Tail)+4, end) > uint64(len(region)) || o.Head%4 != 0 || o.Tail%4 != 0 || o.Rqes%8 != 0 ||
		entries == 0 || entries&(entries-1) != 0 {
		return r, false
	}
	// SAFETY: the offsets lie in the region and are aligned, which has just been checked; the region stays, as the comment asks.
	base := unsafe.Pointer(unsafe.SliceData(region))
	r = RefillRing{
		head: (*uint32)(unsafe.Add(base, o.Head)), tail: (*uint32)(unsafe.Add(base, o.Tail)),
		rqes: unsafe.Slice((*ZCRXRqe)(unsafe.Add(base, o.Rqes)), int(entries)), token: token,
	}
	r.next = *r.tail
	return r, true
}

// Put gives back n bytes at off in the area. The kernel sees them after Publish. ok is false when the ring is full, and nothing is given back
// then: that many pieces are not out, unless one has been given back twice.
func (r *RefillRing) Put(off uint64, n uint32) (ok bool) {
	if r.Room() == 0 {
		return false
	}
	e := &r.rqes[r.next&uint32(len(r.rqes)-1)]
	e.Off, e.Len, e.Pad = off&^zcrxAreaMask|r.token, n, 0
	r.next++
	return true
}

// Room is how many entries the kernel has left to be filled. Acquire: what it has read may be overwritten.
func (r *RefillRing) Room() int { return len(r.rqes) - int(r.next-atomic.LoadUint32(r.head)) }

// Publish lets the kernel use everything put so far. Release: the entries are visible first.
func (r *RefillRing) Publish() { atomic.StoreUint32(r.tail, r.next) }

// zcrxAreaMask are the bits of an offset that say which area it is in.
const zcrxAreaMask = uint64(IORING_ZCRX_AREA_MASK)

// ZCRXPiece is where in the area a completion of RECV_ZC has put n bytes; ok is false for an area that is not there, or for what lies outside of it.
func ZCRXPiece(c *ZCRXCqe, n int32, areaLen uint64) (off uint64, ok bool) {
	off = c.Off &^ zcrxAreaMask
	return off, c.Off&zcrxAreaMask == 0 && n >= 0 && off <= areaLen && uint64(n) <= areaLen-off
}
