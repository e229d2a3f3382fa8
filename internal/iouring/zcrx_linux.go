package iouring

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// ZCRX is a receive queue of a network interface that puts its data into memory of the program's (Linux 6.15, IORING_REGISTER_ZCRX_IFQ).
type ZCRX struct {
	RefillRing
	// ID is what RECV_ZC calls the queue.
	ID uint32

	region []byte
	area   uint64 // how many bytes
}

// RegisterZCRX has the receive queue queue of the interface with the index ifIndex put its data into area, whole pages, until r is closed: there is no way to end it
// before. r has CQE32 or CQE_MIXED, and DEFER_TASKRUN. entries is the size of the refill ring, a power of two up to 32768. Errors, wrapped:
//   - EOPNOTSUPP: the driver has no memory providers for its queues
//   - ERANGE: there is no such queue
//   - EINVAL: the kernel does not know the operation, the ring is none of those, or header split (tcp-data-split) is off
//   - ENOMEM: RLIMIT_MEMLOCK
//   - ENODEV; EPERM: no CAP_NET_ADMIN; EEXIST: the queue has a program for XDP, or another user.
func RegisterZCRX(r *Ring, ifIndex, queue, entries uint32, area []byte) (*ZCRX, error) {
	page := os.Getpagesize()
	if len(area) == 0 || len(area)%page != 0 || entries == 0 || entries > zcrxEntriesMax || entries&(entries-1) != 0 {
		return nil, wrapRegister("ZCRX_IFQ", syscall.EINVAL)
	}
	// A page for the head of the ring, which is larger than the two counters.
	size := page + (int(entries)*int(unsafe.Sizeof(ZCRXRqe{}))+page-1)/page*page
	region, err := mmapAnon(size)
	if err != nil {
		return nil, err
	}
	z := &ZCRX{region: region, area: uint64(len(area))}
	if err := z.register(r, ifIndex, queue, entries, area); err != nil {
		return nil, firstError(err, z.Free())
	}
	return z, nil
}

func (z *ZCRX) register(r *Ring, ifIndex, queue, entries uint32, area []byte) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	a := &ZCRXAreaReg{Len: z.area}
	d := &RegionDesc{Size: uint64(len(z.region)), Flags: IORING_MEM_REGION_TYPE_USER}
	reg := &ZCRXIfqReg{IfIdx: ifIndex, IfRxq: queue, RqEntries: entries}
	pin.Pin(a)
	pin.Pin(d)
	// SAFETY: the region is a map of its own, which stays until Free, and the area is one of the caller's. The kernel has its own hold on the pages of both.
	a.Addr, d.UserAddr = address(unsafe.Pointer(unsafe.SliceData(area))), address(unsafe.Pointer(unsafe.SliceData(z.region)))
	// SAFETY: both are pinned until the call has returned.
	reg.AreaPtr, reg.RegionPtr = address(unsafe.Pointer(a)), address(unsafe.Pointer(d))
	if _, errno := r.register(IORING_REGISTER_ZCRX_IFQ, object(reg), 1); errno != 0 {
		return wrapRegister("ZCRX_IFQ", errno)
	}
	z.ID = reg.ZcrxID
	var ok bool
	if z.RefillRing, ok = NewRefillRing(z.region, &reg.Offsets, reg.RqEntries, a.RqAreaToken); !ok {
		return wrapRegister("ZCRX_IFQ", syscall.EOVERFLOW)
	}
	return nil
}

// zcrxEntriesMax is the most entries of a refill ring (IO_RQ_MAX_ENTRIES).
const zcrxEntriesMax = 1 << 15

// Prepare makes s a receive of the queue from the TCP socket fd.
func (z *ZCRX) Prepare(s *SQE, fd int32) { s.PrepRecvZC(fd, 0, z.ID) }

// Piece is where in the area the completion c of such a receive has put its n bytes; ok is false for what lies outside.
func (z *ZCRX) Piece(c *CQE32, n int32) (off uint64, ok bool) {
	return ZCRXPiece(&ZCRXCqe{Off: c.BigCQE[0], Pad: c.BigCQE[1]}, n, z.area)
}

// Free gives the memory of the refill ring back. The ring that it was registered with is closed by then, or was never told of it.
func (z *ZCRX) Free() error {
	region := z.region
	z.RefillRing, z.region = RefillRing{}, nil
	return munmap(region)
}

// ProbeZCRX is RegisterZCRX with a ring and an area of its own, which are gone when it returns.
func ProbeZCRX(ifIndex, queue uint32) error {
	r, err := Setup(8, &Params{Flags: IORING_SETUP_CQE32 | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER})
	if err != nil {
		return err
	}
	area, err := mmapAnon(os.Getpagesize())
	if err != nil {
		return firstError(err, r.Close())
	}
	z, err := RegisterZCRX(r, ifIndex, queue, 8, area)
	err = firstError(err, r.Close())
	if z != nil {
		err = firstError(err, z.Free())
	}
	return firstError(err, munmap(area))
}

// HasRecvZC says whether the kernel has zero-copy receives at all.
func HasRecvZC() bool {
	r, err := Setup(1, nil)
	if err != nil {
		return false
	}
	defer func() { _ = r.Close() }() // nothing was at stake
	p, err := r.Probe()
	return err == nil && OpSupported(p, IORING_OP_RECV_ZC)
}
