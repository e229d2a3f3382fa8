package iouring

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ring is one io_uring instance: its descriptor and the two rings shared with the kernel.
//
// Submission side, owned by the submitter:
//
//	sqHead ──▶ consumed by the kernel … published tail … sqeTail: entries handed out by NextSQE
//
// Completion side, owned by the reaper:
//
//	cqHead: read by us … *kcqTail: written by the kernel
//
// Both pairs are free-running 32-bit counters, so differences stay right when they wrap, and an index is counter&mask.
// The words in shared memory are touched through sync/atomic only. What never changes after setup (masks, sizes) is
// copied into the struct: it saves a cache line on every call, and a corrupted mapping cannot make an index leave it.
//
// Make one with Setup; the zero value is of no use, and a copy is not a ring. A closed ring behaves like one that is full
// and has no completions.
type Ring struct {
	// Submission side.
	sqes    []SQE
	ksqHead *uint32 // kernel writes, we acquire: entries before it may be overwritten
	ksqTail *uint32 // we release, kernel acquires: entries before it are complete
	ksqFlag *uint32 // kernel writes
	sqeTail uint32
	sqMask  uint32
	sqSize  uint32

	// Completion side.
	cqMask  uint32
	cqHead  uint32
	cqSize  uint32
	cqShift uint32 // 1 if each completion takes the room of two (CQE32)
	mixed   bool   // some do (CQE_MIXED)
	cqes    []CQE
	kcqTail *uint32 // kernel writes, we acquire: entries before it are complete
	kcqHead *uint32 // we release, kernel acquires: entries before it may be overwritten

	// Enter. enterFD is the descriptor or, with IORING_ENTER_REGISTERED_RING in enterFlags, its index.
	enterFD    int32
	enterFlags uint32

	// Arg and TS are the argument block of the waits with a timeout. They are part of the Ring because the kernel
	// follows Arg.TS as a number: the Ring is heap memory and does not move, a local variable would with its stack.
	// Arg.TS is set up for TS; MinWaitUsec and Sigmask are for the caller to use.
	Arg GetEventsArg
	TS  Timespec

	// Cold.
	ksqDrop  *uint32
	kcqOver  *uint32
	kcqFlag  *uint32
	mem      *ringMem // nil once the ring is closed
	where    Memory
	waitMap  []byte // registered wait region, if any
	waits    []RegWait
	fd       int32
	regTID   int // thread that registered the ring descriptor
	flags    uint32
	features uint32
	dead     [6]uint32 // the words that the pointers above lead to once the ring is closed
}

// Fd returns the descriptor, or -1 after Close.
func (r *Ring) Fd() int { return int(r.fd) }

// Flags returns the IORING_SETUP_* flags in effect.
func (r *Ring) Flags() uint32 { return r.flags }

// Features returns the IORING_FEAT_* bits reported by the kernel.
func (r *Ring) Features() uint32 { return r.features }

// SQEntries returns the size of the submission queue.
func (r *Ring) SQEntries() uint32 { return r.sqSize }

// CQEntries returns the size of the completion queue.
func (r *Ring) CQEntries() uint32 { return r.cqSize }

// NextSQE hands out the next free submission entry, or nil if the queue is full. The entry holds the remains of an older
// request, so the caller has to overwrite it whole, which every Prep method does. The kernel sees it after Flush.
func (r *Ring) NextSQE() *SQE {
	// The acquire orders our writes to the entry after the kernel's last read of it.
	if r.sqeTail-atomic.LoadUint32(r.ksqHead) >= r.sqSize {
		return nil
	}
	s := &r.sqes[r.sqeTail&r.sqMask]
	r.sqeTail++
	return s
}

// Unsubmitted returns how many entries were handed out and not yet consumed by the kernel, published or not.
func (r *Ring) Unsubmitted() uint32 { return r.sqeTail - atomic.LoadUint32(r.ksqHead) }

// Unpublished returns how many entries were handed out and not yet published by Flush.
func (r *Ring) Unpublished() uint32 { return r.sqeTail - atomic.LoadUint32(r.ksqTail) }

// SQSpace returns how many times NextSQE can succeed now. Linked requests have to be submitted together, so their
// producer asks here before it starts a chain.
func (r *Ring) SQSpace() uint32 { return r.sqSize - r.Unsubmitted() }

// Flush publishes all entries handed out so far and returns the number that an enter has to submit, which includes
// entries left over from an enter that stopped early. With IORING_SETUP_SQPOLL the kernel may take them from now on, and
// SQFlags tells whether it has to be woken.
func (r *Ring) Flush() uint32 {
	// A release is enough to make the entries visible before the tail. The sequentially consistent store that Go has also
	// orders it before a following SQFlags, without which an SQPOLL thread going to sleep could be missed.
	atomic.StoreUint32(r.ksqTail, r.sqeTail)
	return r.sqeTail - atomic.LoadUint32(r.ksqHead)
}

// SQFlags returns IORING_SQ_NEED_WAKEUP, IORING_SQ_CQ_OVERFLOW and IORING_SQ_TASKRUN.
func (r *Ring) SQFlags() uint32 { return atomic.LoadUint32(r.ksqFlag) }

// SQDropped returns how many submissions the kernel dropped because of an index outside the queue. It stays zero with
// this package, which never writes such an index.
func (r *Ring) SQDropped() uint32 { return atomic.LoadUint32(r.ksqDrop) }

// CQReady returns the number of completions that can be read now.
func (r *Ring) CQReady() uint32 { return atomic.LoadUint32(r.kcqTail) - r.cqHead }

// Peek returns the range of completions that can be read now, for CQEAt. It reads the kernel's tail once, so a loop over
// the range sees a batch of fixed size however fast the kernel adds to it. head == tail means that there are none.
func (r *Ring) Peek() (head, tail uint32) { return r.cqHead, atomic.LoadUint32(r.kcqTail) }

// CQEAt returns the completion with the counter idx, which has to be in the range given by Peek. The entry is shared
// memory: it stays valid until Advance has passed it.
func (r *Ring) CQEAt(idx uint32) *CQE { return &r.cqes[idx&r.cqMask<<(r.cqShift&1)] }

// Next returns the counter of the completion behind c, whose own is idx. It is not idx+1 behind one of 32 bytes in a ring with
// IORING_SETUP_CQE_MIXED. There, one with IORING_CQE_F_SKIP is none, and fills the room up to the end of the queue.
func (r *Ring) Next(idx uint32, c *CQE) uint32 {
	if r.mixed && c.Flags&IORING_CQE_F_32 != 0 {
		return idx + 2
	}
	return idx + 1
}

// Wide returns the completion with the counter idx in full, or nil if it has 16 bytes only.
func (r *Ring) Wide(idx uint32) *CQE32 {
	c := r.CQEAt(idx)
	at := int(idx & r.cqMask << r.cqShift)
	if r.cqShift == 0 && (!r.mixed || c.Flags&IORING_CQE_F_32 == 0) || at+1 >= len(r.cqes) {
		return nil
	}
	// SAFETY: the entry is followed by another, which belongs to it; both are in the map that r.cqes is of.
	return (*CQE32)(unsafe.Pointer(c))
}

// Advance gives the first n completions back to the kernel; n must not exceed CQReady.
func (r *Ring) Advance(n uint32) {
	if r.mixed {
		r.blank(r.cqHead, n)
	}
	r.cqHead += n
	// The release orders our reads of the entries before the kernel's next writes to them.
	atomic.StoreUint32(r.kcqHead, r.cqHead)
}

// blank makes the n entries from head on such as are passed over. Linux 6.18 counts an entry that it has not written: when the last entry before the end of
// the queue is skipped for a completion of 32 bytes, and there is no room for that at the start, a small one that comes next is written to the entry
// that was skipped, and counted as the one behind it. What was in that one before must not be taken for a completion; TestMixedFull shows it.
func (r *Ring) blank(head, n uint32) {
	for i := range n {
		r.CQEAt(head + i).Flags = IORING_CQE_F_SKIP
	}
}

// CQOverflow returns how many completions were lost because the kernel had no memory to keep them. That is not the same
// as IORING_SQ_CQ_OVERFLOW, where they are safe and wait for room.
func (r *Ring) CQOverflow() uint32 { return atomic.LoadUint32(r.kcqOver) }

// SetEventfdDisabled stops or resumes the signals of a registered eventfd. It does not enter the kernel.
func (r *Ring) SetEventfdDisabled(disabled bool) {
	if disabled {
		atomic.OrUint32(r.kcqFlag, IORING_CQ_EVENTFD_DISABLED)
	} else {
		atomic.AndUint32(r.kcqFlag, ^uint32(IORING_CQ_EVENTFD_DISABLED))
	}
}

// Close unmaps the rings and closes the descriptor. It may be called again. Neither side of the ring may be in use
// meanwhile. Requests in flight are cancelled by the kernel some time after Close has returned, so their memory has to
// stay allocated; a caller that must know reaps everything first.
//
// If the descriptor was registered by a thread other than the calling one, the registration keeps the ring alive in the
// kernel until that thread exits.
func (r *Ring) Close() error {
	if r.mem == nil { // closed, or never set up
		return nil
	}
	if r.enterFlags&IORING_ENTER_REGISTERED_RING != 0 && unix.Gettid() == r.regTID {
		_ = r.UnregisterRingFD() // The thread's table keeps the slot if it fails; there is nothing left to try.
	}
	fd, mem, waitMap := int(r.fd), r.mem, r.waitMap
	r.detach() // First, so that no pointer into the maps is left once they are gone.
	// The kernel keeps memory of ours until it has done with the ring.
	return firstError(wrap("close", unix.Close(fd)), mem.free(), munmap(waitMap))
}

// detach lets every pointer lead to a private word and every size be zero, so that a late call on a closed ring finds a
// full submission queue and no completions in place of unmapped memory.
func (r *Ring) detach() {
	r.fd, r.enterFD, r.enterFlags = -1, -1, 0
	r.dead = [6]uint32{}
	d := &r.dead
	r.ksqHead, r.ksqTail, r.ksqFlag, r.ksqDrop = &d[0], &d[0], &d[1], &d[2]
	// One word is both head and tail, so that even an Advance leaves the queue empty.
	r.kcqHead, r.kcqTail, r.kcqFlag, r.kcqOver = &d[3], &d[3], &d[4], &d[5]
	r.sqeTail, r.sqMask, r.sqSize = 0, 0, 0
	r.cqHead, r.cqMask, r.cqSize, r.cqShift, r.mixed = 0, 0, 0, 0, false
	r.sqes, r.cqes = make([]SQE, 1), make([]CQE, 1)
	r.mem, r.waitMap, r.waits = nil, nil, nil
}

// attach points r at the rings in m, which p describes, and reads what never changes.
func (r *Ring) attach(m *ringMem, p *Params) {
	r.mem = m
	// SAFETY: the kernel promises that the offsets in p lie inside the map, whose size was computed from them, and the
	// map is page aligned. Indexing panics rather than leaves the map should the promise be broken. The pointers are not
	// heap pointers, so the collector ignores them; detach or the next attach replaces them before munmap.
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&m.rings[off])) }
	r.ksqHead, r.ksqTail = word(p.SQOff.Head), word(p.SQOff.Tail)
	r.ksqFlag, r.ksqDrop = word(p.SQOff.Flags), word(p.SQOff.Dropped)
	r.kcqHead, r.kcqTail = word(p.CQOff.Head), word(p.CQOff.Tail)
	r.kcqFlag, r.kcqOver = &r.dead[4], word(p.CQOff.Overflow)
	if p.CQOff.Flags != 0 { // Kernels before 5.8 have no such word, and offset 0 is a different one.
		r.kcqFlag = word(p.CQOff.Flags)
	}
	r.sqSize, r.sqMask = p.SQEntries, p.SQEntries-1
	r.cqSize, r.cqMask = p.CQEntries, p.CQEntries-1
	r.cqShift, r.mixed = p.Flags&IORING_SETUP_CQE32/IORING_SETUP_CQE32, p.Flags&IORING_SETUP_CQE_MIXED != 0
	// SAFETY: the maps have room for this many elements, which ringBytes has reckoned, and live as long as the slices are used.
	r.sqes = unsafe.Slice((*SQE)(unsafe.Pointer(unsafe.SliceData(m.sqes))), p.SQEntries)
	r.cqes = unsafe.Slice((*CQE)(unsafe.Pointer(&m.rings[p.CQOff.CQEs])), int(p.CQEntries)<<r.cqShift)
	r.sqeTail = atomic.LoadUint32(r.ksqTail)
	r.cqHead = atomic.LoadUint32(r.kcqHead)
	if r.mixed { // there are no completions in a new ring, and none in one that has been resized
		r.blank(r.cqHead, r.cqSize)
	}
	if p.Flags&IORING_SETUP_NO_SQARRAY == 0 {
		// The index array is written once: entry i of the queue is always SQE i, so the hot path need not touch it.
		for i := range p.SQEntries {
			*word(p.SQOff.Array + i*4) = i
		}
	}
}

// mmapRing maps size bytes of the ring descriptor and keeps them out of forked children: a child that shares a ring but
// not the counters of its owner can only corrupt it.
func mmapRing(fd int, off int64, size uint64) ([]byte, error) {
	b, err := unix.Mmap(fd, off, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, wrap("mmap", err)
	}
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
		return nil, firstError(wrap("madvise", err), munmap(b))
	}
	return b, nil
}

// mmapAnon maps size bytes of zeroed memory outside the Go heap, likewise kept out of forked children.
func mmapAnon(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	if err != nil {
		return nil, wrap("mmap", err)
	}
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
		return nil, firstError(wrap("madvise", err), munmap(b))
	}
	return b, nil
}

func munmap(b []byte) error {
	if b == nil {
		return nil
	}
	return wrap("munmap", unix.Munmap(b))
}

// enterRaw is the system call without the scheduler being told.
func enterRaw(fd int32, toSubmit, minComplete, flags uint32, arg unsafe.Pointer, size uint32) (int, syscall.Errno) {
	// SAFETY: the conversion is in the call expression, so arg is alive and does not move during the call.
	n, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(toSubmit), uintptr(minComplete),
		uintptr(flags), uintptr(arg), uintptr(size))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
