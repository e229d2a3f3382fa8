package iouring

import "sync/atomic"

// RefillRing is the ring through which pieces of the area of a zero-copy receive are given back to the kernel. It is shared memory without system
// calls: the program writes entries and the tail, the kernel reads them and moves the head. A RefillRing belongs to one goroutine at a time.
type RefillRing struct {
	head, tail *uint32
	rqes       []ZCRXRqe // a power of two
	next       uint32    // where the next entry goes; the kernel sees it after Publish
	token      uint64    // ZCRXAreaReg.RqAreaToken
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
