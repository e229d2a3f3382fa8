package iouring

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ZCRX is a receive queue of a network interface that puts its data into memory of ours (Linux 6.15, IORING_REGISTER_ZCRX_IFQ). It has the
// ring that it needs, with CQE32, DEFER_TASKRUN and SINGLE_ISSUER; the goroutine that opens it must be locked to its thread.
type ZCRX struct {
	// Refill gives pieces of Area back.
	Refill RefillRing
	// Area is the memory that the interface writes into.
	Area []byte
	// ID is what RECV_ZC calls the queue.
	ID uint32

	fd     int
	region []byte
}

// OpenZCRX registers the receive queue queue of the interface with the index ifIndex, which the program has directed its flows to. entries
// is the size of the refill ring, up to 32768, and area that of the memory, in whole pages. Errors, wrapped:
//   - EOPNOTSUPP: the driver has no memory providers for its queues
//   - ERANGE: there is no such queue
//   - EINVAL: the kernel does not know the operation, or header split (tcp-data-split) is off
//   - ENODEV; EPERM: no CAP_NET_ADMIN; EEXIST: the queue has a program for XDP, or another user.
func OpenZCRX(ifIndex, queue, entries uint32, area int) (*ZCRX, error) {
	p := &Params{Flags: IORING_SETUP_CQE32 | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER}
	// SAFETY: the conversion is in the call expression; Params holds no addresses.
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	z := &ZCRX{fd: int(fd)}
	if err := z.register(ifIndex, queue, entries, area); err != nil {
		return nil, firstError(err, z.Close())
	}
	return z, nil
}

func (z *ZCRX) register(ifIndex, queue, entries uint32, area int) (err error) {
	page := os.Getpagesize()
	if area <= 0 || area%page != 0 || entries == 0 || entries > zcrxEntriesMax || entries&(entries-1) != 0 {
		return wrapRegister("ZCRX_IFQ", syscall.EINVAL)
	}
	if z.Area, err = mmapAnon(area); err != nil {
		return err
	}
	// A page for the head of the ring, which is larger than the two counters.
	size := page + (int(entries)*int(unsafe.Sizeof(ZCRXRqe{}))+page-1)/page*page
	if z.region, err = mmapAnon(size); err != nil {
		return err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	a := &ZCRXAreaReg{Len: uint64(area)}
	d := &RegionDesc{Size: uint64(size), Flags: IORING_MEM_REGION_TYPE_USER}
	reg := &ZCRXIfqReg{IfIdx: ifIndex, IfRxq: queue, RqEntries: entries}
	pin.Pin(a)
	pin.Pin(d)
	// SAFETY: both are maps of their own, which stay until Close has closed the ring.
	a.Addr, d.UserAddr = address(unsafe.Pointer(unsafe.SliceData(z.Area))), address(unsafe.Pointer(unsafe.SliceData(z.region)))
	// SAFETY: both are pinned until the call has returned.
	reg.AreaPtr, reg.RegionPtr = address(unsafe.Pointer(a)), address(unsafe.Pointer(d))
	if _, errno := registerFD(int32(z.fd), IORING_REGISTER_ZCRX_IFQ, object(reg), 1); errno != 0 {
		return wrapRegister("ZCRX_IFQ", errno)
	}
	z.ID = reg.ZcrxID
	return z.attach(&reg.Offsets, reg.RqEntries, a.RqAreaToken)
}

// zcrxEntriesMax is the most entries of a refill ring (IO_RQ_MAX_ENTRIES).
const zcrxEntriesMax = 1 << 15

// attach finds the refill ring in the region.
func (z *ZCRX) attach(o *ZCRXOffsets, entries uint32, token uint64) error {
	end := uint64(o.Rqes) + uint64(entries)*uint64(unsafe.Sizeof(ZCRXRqe{}))
	if max(uint64(o.Head)+4, uint64(o.Tail)+4, end) > uint64(len(z.region)) || o.Head%4 != 0 || o.Tail%4 != 0 || o.Rqes%8 != 0 {
		return wrapRegister("ZCRX_IFQ", syscall.EOVERFLOW) // the kernel has another layout than this package
	}
	// SAFETY: the offsets lie in the region and are aligned, which has just been checked; the region stays until Close.
	base := unsafe.Pointer(unsafe.SliceData(z.region))
	z.Refill = RefillRing{
		head: (*uint32)(unsafe.Add(base, o.Head)), tail: (*uint32)(unsafe.Add(base, o.Tail)),
		rqes: unsafe.Slice((*ZCRXRqe)(unsafe.Add(base, o.Rqes)), int(entries)), token: token,
	}
	z.Refill.next = *z.Refill.tail
	return nil
}

// Close gives the queue back and frees the memory: nothing of Area may be used any more.
func (z *ZCRX) Close() error {
	err := unix.Close(z.fd)
	z.Refill = RefillRing{}
	area, region := z.Area, z.region
	z.Area, z.region = nil, nil
	return firstError(err, firstError(munmap(area), munmap(region)))
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
