package iouring

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memory says where the rings are that a Ring and the kernel share.
type Memory uint8

// The places where rings can be.
const (
	// KernelMemory is pages of the kernel's, which are mapped.
	KernelMemory Memory = iota
	// OwnMemory is memory of the process's (IORING_SETUP_NO_MMAP, Linux 6.5): in huge pages, where they can be had, else in normal ones.
	OwnMemory
	// HugeMemory is OwnMemory in huge pages only.
	HugeMemory
)

// ErrNoHugePages says that the process can have no huge pages.
var ErrNoHugePages = errors.New("iouring: no huge pages")

// hugeSize is the size of a huge page, on amd64 and on arm64 with pages of 4 KiB. Where it is another, there are none for us.
const hugeSize = 2 << 20

// headMax bounds what stands before the completions in the memory of the rings: the counters, some 200 bytes on a machine with cache lines
// of 64, more where they are longer. setupOwn checks that it is enough.
const headMax = 1024

// The largest queues that the kernel makes; IORING_SETUP_CLAMP cuts others to them.
const (
	sqEntriesMax = 1 << 15
	cqEntriesMax = 1 << 16
)

// ringMem is the memory of both rings: two maps of the kernel's memory, or one of our own.
//
//	own: [ counters, completions, index array ... | submissions ... ]
//	     ^ rings                                   ^ sqes, at a page
type ringMem struct {
	rings, sqes []byte
	maps        [2][]byte // what is to be unmapped
	why         error     // why own memory is not in huge pages, nil if it is
}

func (m *ringMem) free() error {
	if m == nil {
		return nil
	}
	return firstError(munmap(m.maps[0]), munmap(m.maps[1]))
}

// Huge returns nil if the rings are in huge pages, or else why not.
func (r *Ring) Huge() error {
	if r.flags&IORING_SETUP_NO_MMAP == 0 {
		return errors.New("the memory of the rings is the kernel's")
	}
	return r.mem.why
}

// pow2 is n rounded up to a power of two, as the kernel does with sizes of queues.
func pow2(n uint32) uint32 {
	p := uint32(1)
	for p < n {
		p *= 2
	}
	return p
}

// ownMemory makes room for rings of at least these sizes. cqEntries is 0 for the default.
func ownMemory(where Memory, entries, cqEntries uint32) (*ringMem, error) {
	entries = pow2(min(entries, sqEntriesMax))
	if cqEntries == 0 {
		cqEntries = 2 * entries
	}
	cqEntries = pow2(min(cqEntries, cqEntriesMax))
	// Room for a completion of 32 bytes and an index for each, whatever the flags.
	rings := pages(headMax + int(cqEntries)*int(unsafe.Sizeof(CQE32{})) + int(entries)*4)
	sqes := pages(int(entries) * int(unsafe.Sizeof(SQE128{})))
	size, at := rings+sqes, rings
	if size > hugeSize {
		// Neither shall have a part in the other's page: the kernel of before 6.14 takes no memory that is not in one piece.
		at = (rings + hugeSize - 1) / hugeSize * hugeSize
		size = at + (sqes+hugeSize-1)/hugeSize*hugeSize
	}
	whole, mem, why := hugePages((size + hugeSize - 1) / hugeSize * hugeSize)
	if why != nil && where == HugeMemory {
		return nil, why
	}
	if why != nil {
		var err error
		if whole, err = mmapAnon(size); err != nil {
			return nil, err
		}
		mem = whole
	}
	return &ringMem{rings: mem[:at:at], sqes: mem[at:size:size], maps: [2][]byte{whole, nil}, why: why}, nil
}

func pages(n int) int {
	page := unix.Getpagesize()
	return (n + page - 1) / page * page
}

// hugePages maps size bytes, a multiple of hugeSize, in huge pages: of those that are set apart for it (vm.nr_hugepages), or transparent
// ones. mem is the part of whole that is in them.
func hugePages(size int) (whole, mem []byte, err error) {
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON
	const rw = unix.PROT_READ | unix.PROT_WRITE
	if whole, err = unix.Mmap(-1, 0, size, rw, flags|unix.MAP_HUGETLB|unix.MAP_POPULATE|21<<unix.MAP_HUGE_SHIFT); err == nil {
		return dontFork(whole, whole)
	}
	set := err
	if whole, err = unix.Mmap(-1, 0, size+hugeSize, rw, flags|unix.MAP_NORESERVE); err != nil {
		return nil, nil, wrap("mmap", err)
	}
	// SAFETY: the address is used as a number, to find the first huge page in the map.
	at := int(-uintptr(unsafe.Pointer(unsafe.SliceData(whole))) & (hugeSize - 1))
	mem = whole[at : at+size]
	if err = unix.Madvise(mem, unix.MADV_HUGEPAGE); err == nil {
		for i := 0; i < size; i += hugeSize {
			mem[i] = 0 // a page fault, which brings a whole huge page if there is one
		}
		// Says whether they are huge, and makes them so if they are not (Linux 6.1).
		if err = unix.Madvise(mem, unix.MADV_COLLAPSE); err == nil {
			return dontFork(whole, mem)
		}
	}
	// Not to be taken for the errno of another call.
	err = fmt.Errorf("%w: none is set apart (%v), and there is no transparent one (%v)", ErrNoHugePages, wrap("mmap", set), wrap("madvise", err))
	return nil, nil, firstError(munmap(whole), err)
}

func dontFork(whole, mem []byte) ([]byte, []byte, error) {
	if err := unix.Madvise(mem, unix.MADV_DONTFORK); err != nil {
		return nil, nil, firstError(wrap("madvise", err), munmap(whole))
	}
	return whole, mem, nil
}

// give tells the kernel where its rings shall be.
func (m *ringMem) give(p *Params) {
	// SAFETY: the memory is mapped, outside the heap, and stays until the ring, or the next resize, frees it.
	p.CQOff.UserAddr = address(unsafe.Pointer(unsafe.SliceData(m.rings)))
	// SAFETY: the same.
	p.SQOff.UserAddr = address(unsafe.Pointer(unsafe.SliceData(m.sqes)))
}

// memory is where the rings are that the kernel has made and p describes: own, unless that is nil. On an error it frees own.
func (r *Ring) memory(own *ringMem, p *Params) (*ringMem, error) {
	if own == nil {
		return r.mapKernel(p)
	}
	if err := own.holds(p); err != nil {
		return nil, firstError(err, own.free())
	}
	return own, nil
}

// holds checks that the rings that p describes are as large as m has room for. They would lie in each other, else.
func (m *ringMem) holds(p *Params) error {
	rings, sqes := p.ringBytes()
	if rings > uint64(len(m.rings)) || sqes > uint64(len(m.sqes)) {
		return fmt.Errorf("%w: the rings take %d and %d bytes, there is room for %d and %d", ErrUnsupported, rings, sqes, len(m.rings), len(m.sqes))
	}
	return nil
}

// ringBytes are the sizes of both rings as the kernel has described them in p.
func (p *Params) ringBytes() (rings, sqes uint64) {
	cqe, sqe := unsafe.Sizeof(CQE{}), unsafe.Sizeof(SQE{})
	if p.Flags&IORING_SETUP_CQE32 != 0 {
		cqe = unsafe.Sizeof(CQE32{})
	}
	if p.Flags&IORING_SETUP_SQE128 != 0 {
		sqe = unsafe.Sizeof(SQE128{})
	}
	sqEnd := uint64(p.SQOff.Array) + uint64(p.SQEntries)*4 // Array is 0 with NO_SQARRAY
	cqEnd := uint64(p.CQOff.CQEs) + uint64(p.CQEntries)*uint64(cqe)
	return max(sqEnd, cqEnd), uint64(p.SQEntries) * uint64(sqe)
}

// mapKernel maps the rings that p describes out of the kernel's memory.
func (r *Ring) mapKernel(p *Params) (*ringMem, error) {
	rings, sqes := p.ringBytes()
	ringMap, err := mmapRing(int(r.fd), IORING_OFF_SQ_RING, rings)
	if err != nil {
		return nil, err
	}
	sqeMap, err := mmapRing(int(r.fd), IORING_OFF_SQES, sqes)
	if err != nil {
		return nil, firstError(err, munmap(ringMap))
	}
	return &ringMem{rings: ringMap, sqes: sqeMap, maps: [2][]byte{ringMap, sqeMap}}, nil
}
