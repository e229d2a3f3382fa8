package iouring

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The register calls of this file are cold: they may take locks, allocate and wait for the ring to go idle.

// register calls io_uring_register(2) on the ring.
func (r *Ring) register(op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	if r.fd < 0 {
		// Descriptor -1 is not an error to the kernel but selects the calls that need no ring.
		return 0, syscall.EBADF
	}
	return registerFD(r.fd, op, arg, n)
}

func registerFD(fd int32, op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	// SAFETY: the conversion is in the call expression, so arg is alive and does not move during the call. Addresses
	// inside of *arg are the business of the callers, which pin what they lead to.
	res, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), uintptr(arg), uintptr(n), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(res), 0
}

// do is register for calls without an interesting result.
func (r *Ring) do(what string, op uint32, arg unsafe.Pointer, n uint32) error {
	_, errno := r.register(op, arg, n)
	return wrapRegister(what, errno)
}

// EnableRings starts a ring made with IORING_SETUP_R_DISABLED. With IORING_SETUP_SINGLE_ISSUER the calling thread becomes
// the only submitter.
func (r *Ring) EnableRings() error {
	return r.do("ENABLE_RINGS", IORING_REGISTER_ENABLE_RINGS, nil, 0)
}

// Probe asks which opcodes the kernel supports (Linux 5.6).
func (r *Ring) Probe() (*Probe, error) {
	p := new(Probe)
	if err := r.do("PROBE", IORING_REGISTER_PROBE, object(p), probeOpsMax); err != nil {
		return nil, err
	}
	return p, nil
}

// QueryOpcodes asks the kernel for its limits and flags, without a ring (Linux 6.18).
func QueryOpcodes() (QueryOpcode, error) {
	q := new(QueryOpcode)
	hdr := new(QueryHdr)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(q)
	// SAFETY: q is pinned, hence on the heap, until the call has returned.
	hdr.QueryData = address(object(q))
	hdr.Size = uint32(unsafe.Sizeof(*q))
	hdr.QueryOp = IO_URING_QUERY_OPCODES
	if _, errno := registerFD(-1, IORING_REGISTER_QUERY, object(hdr), 0); errno != 0 {
		return QueryOpcode{}, wrapRegister("QUERY", errno)
	}
	if hdr.Result < 0 {
		return QueryOpcode{}, wrapRegister("QUERY", syscall.Errno(-hdr.Result))
	}
	return *q, nil
}

// RegisterEventfd makes every completion signal the eventfd fd.
func (r *Ring) RegisterEventfd(fd int) error {
	arg := int32(fd)
	return r.do("EVENTFD", IORING_REGISTER_EVENTFD, object(&arg), 1)
}

// RegisterEventfdAsync is RegisterEventfd, but completions inside of an enter do not signal.
func (r *Ring) RegisterEventfdAsync(fd int) error {
	arg := int32(fd)
	return r.do("EVENTFD_ASYNC", IORING_REGISTER_EVENTFD_ASYNC, object(&arg), 1)
}

// UnregisterEventfd undoes both.
func (r *Ring) UnregisterEventfd() error {
	return r.do("unregister EVENTFD", IORING_UNREGISTER_EVENTFD, nil, 0)
}

// RegisterPersonality records the credentials of the caller and returns the id for SQE.Personality.
func (r *Ring) RegisterPersonality() (uint16, error) {
	id, errno := r.register(IORING_REGISTER_PERSONALITY, nil, 0)
	return uint16(id), wrapRegister("PERSONALITY", errno)
}

// UnregisterPersonality removes id.
func (r *Ring) UnregisterPersonality(id uint16) error {
	return r.do("unregister PERSONALITY", IORING_UNREGISTER_PERSONALITY, nil, uint32(id))
}

// RegisterRestrictions limits what the ring may do once it is enabled. The ring has to be disabled still.
func (r *Ring) RegisterRestrictions(rs []Restriction) error {
	return r.do("RESTRICTIONS", IORING_REGISTER_RESTRICTIONS, elements(rs), uint32(len(rs)))
}

// RegisterIOWQMaxWorkers limits the worker threads per IO_WQ_BOUND and IO_WQ_UNBOUND; 0 leaves a limit as it is. It
// returns the old limits. They apply per NUMA node and to all rings of the calling thread (Linux 5.15).
func (r *Ring) RegisterIOWQMaxWorkers(bound, unbound uint32) (old [2]uint32, err error) {
	old = [2]uint32{IO_WQ_BOUND: bound, IO_WQ_UNBOUND: unbound}
	err = r.do("IOWQ_MAX_WORKERS", IORING_REGISTER_IOWQ_MAX_WORKERS, object(&old), 2)
	return old, err
}

// RegisterIOWQAff binds the worker threads to the processors in set (Linux 5.14).
func (r *Ring) RegisterIOWQAff(set *unix.CPUSet) error {
	return r.do("IOWQ_AFF", IORING_REGISTER_IOWQ_AFF, object(set), uint32(unsafe.Sizeof(*set)))
}

// UnregisterIOWQAff undoes RegisterIOWQAff.
func (r *Ring) UnregisterIOWQAff() error {
	return r.do("unregister IOWQ_AFF", IORING_UNREGISTER_IOWQ_AFF, nil, 0)
}

// SyncCancel cancels what reg matches and waits until that is done (Linux 6.0). It returns the number of requests with
// IORING_ASYNC_CANCEL_ALL, otherwise 0. Timeout is part of reg; NoTimeout waits for ever. ENOENT means no match.
func (r *Ring) SyncCancel(reg *SyncCancelReg) (int, error) {
	n, errno := r.register(IORING_REGISTER_SYNC_CANCEL, object(reg), 1)
	return n, wrapRegister("SYNC_CANCEL", errno)
}

// RegisterNAPI sets busy polling of network queues; reg is overwritten with the old settings (Linux 6.9).
func (r *Ring) RegisterNAPI(reg *NAPI) error {
	return r.do("NAPI", IORING_REGISTER_NAPI, object(reg), 1)
}

// UnregisterNAPI stops busy polling; reg, if not nil, is overwritten with the old settings.
func (r *Ring) UnregisterNAPI(reg *NAPI) error {
	return r.do("unregister NAPI", IORING_UNREGISTER_NAPI, object(reg), 1)
}

// RegisterClock chooses the clock of wait timeouts: unix.CLOCK_MONOTONIC or unix.CLOCK_BOOTTIME (Linux 6.12).
func (r *Ring) RegisterClock(clock uint32) error {
	arg := ClockRegister{ClockID: clock}
	return r.do("CLOCK", IORING_REGISTER_CLOCK, object(&arg), 0)
}

// ResizeRings changes the sizes of a ring with IORING_SETUP_DEFER_TASKRUN (Linux 6.13). In p the caller sets SQEntries,
// CQEntries and, out of CQSIZE and CLAMP, Flags. Entries that were handed out and not yet consumed by the kernel move along, as
// do completions not yet read; requests in flight notice nothing. All pointers got from NextSQE and CQEAt become invalid. Errors,
// after which the ring is as before:
//   - ErrUnsupported: the ring has no IORING_SETUP_NO_SQARRAY
//   - EOVERFLOW: more entries, or completions, wait than the new queue can hold; or they are such as the kernel does not move rightly
//   - EINVAL: the kernel does not know the call, or the ring has no IORING_SETUP_DEFER_TASKRUN
//   - ErrNoHugePages, for a ring with HugeMemory; ENOMEM
//
// If mapping the new rings fails, the ring is of no use any more and has been closed.
func (r *Ring) ResizeRings(p *Params) error {
	if r.flags&IORING_SETUP_NO_SQARRAY == 0 {
		// Linux 6.18 makes a new index array but leaves sq_off.array at 0, where the head of the queue is. The offset
		// depends on the cache line size of the kernel, so guessing it could overwrite the counters.
		return fmt.Errorf("%w: RESIZE_RINGS with an index array", ErrUnsupported)
	}
	r.Flush()
	if cqTail := atomic.LoadUint32(r.kcqTail); atomic.LoadUint32(r.ksqHead) > r.sqeTail || r.cqHead > cqTail {
		// The kernel copies from head up to tail, and nothing where the counter has wrapped between them.
		return wrapRegister("RESIZE_RINGS", syscall.EOVERFLOW)
	}
	if (r.cqShift != 0 || r.mixed) && r.CQReady() > 0 {
		// It copies 16 bytes for each, and does not mind where the queue ends.
		return wrapRegister("RESIZE_RINGS", syscall.EOVERFLOW)
	}
	var mem *ringMem
	if r.where != KernelMemory {
		var err error
		if mem, err = ownMemory(r.where, p.SQEntries, p.CQEntries); err != nil {
			return err
		}
		mem.give(p)
	}
	if err := r.do("RESIZE_RINGS", IORING_REGISTER_RESIZE_RINGS, object(p), 1); err != nil {
		return firstError(err, mem.free())
	}
	// The kernel fills in the offsets but does not repeat the flags of the ring.
	np := *p
	np.Flags = r.flags
	old := r.mem
	mem, err := r.memory(mem, &np)
	if err != nil {
		return firstError(err, r.Close())
	}
	// The old maps go last, so that no pointer of r ever leads to unmapped memory.
	r.attach(mem, &np)
	return old.free()
}

// KnowsRegister reports whether the kernel, and this ring, have the call op of io_uring_register(2), one that takes n
// arguments: an address that leads nowhere is EFAULT then, and nothing has been done.
func (r *Ring) KnowsRegister(op, n uint32) bool {
	const nowhere = ^uintptr(4095) // the last page, which no process has
	_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), uintptr(op), nowhere, uintptr(n), 0, 0)
	return errno == unix.EFAULT
}

// RegisterMemRegion registers memory with the ring (Linux 6.13). Memory of IORING_MEM_REGION_TYPE_USER has to be mmap
// memory that outlives the ring.
func (r *Ring) RegisterMemRegion(desc *RegionDesc, flags uint64) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(desc)
	// SAFETY: desc is pinned, hence on the heap, until the call has returned.
	arg := MemRegionReg{RegionUptr: address(object(desc)), Flags: flags}
	return r.do("MEM_REGION", IORING_REGISTER_MEM_REGION, object(&arg), 1)
}

// RegisterWaitRegion makes room for n entries of RegWaits (Linux 6.13). The ring has to be disabled still, and has only
// one region for its lifetime.
func (r *Ring) RegisterWaitRegion(n int) error {
	const size = int(unsafe.Sizeof(RegWait{}))
	page := unix.Getpagesize()
	if n <= 0 || n > 1<<16 || r.waits != nil {
		return wrapRegister("MEM_REGION", syscall.EINVAL)
	}
	mem, err := mmapAnon((n*size + page - 1) / page * page)
	if err != nil {
		return err
	}
	desc := &RegionDesc{Size: uint64(len(mem)), Flags: IORING_MEM_REGION_TYPE_USER}
	// SAFETY: mem is a map of its own, which stays until Close.
	desc.UserAddr = address(elements(mem))
	if err := r.RegisterMemRegion(desc, IORING_MEM_REGION_REG_WAIT_ARG); err != nil {
		return firstError(err, munmap(mem))
	}
	r.waitMap = mem
	// SAFETY: the map is page aligned and has room for n entries.
	r.waits = unsafe.Slice((*RegWait)(elements(mem)), n)
	return nil
}

// RegWaits returns the entries of the registered wait region, for EnterRegWait. They are invalid after Close.
func (r *Ring) RegWaits() []RegWait { return r.waits }

// SendMsgRing posts a completion with userData and res to the ring behind fd, from any thread and without a ring of its
// own (Linux 6.13). It is the cheapest way to wake a loop which waits in Enter, and does not allocate.
func SendMsgRing(fd int, res int32, userData uint64) syscall.Errno {
	var s SQE
	s.PrepMsgRing(int32(fd), uint32(res), userData, 0)
	// SAFETY: the SQE holds no addresses, and the conversion is in the call expression. The kernel never waits here, so
	// the scheduler need not be told.
	const noRing = ^uintptr(0)
	_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, noRing, IORING_REGISTER_SEND_MSG_RING,
		uintptr(unsafe.Pointer(&s)), 1, 0, 0)
	return errno
}

// NoTimeout is the value of SyncCancelReg.Timeout that waits for ever.
var NoTimeout = Timespec{Sec: -1, Nsec: -1}
