package iouring

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RegisterBuffers registers fixed buffers. They have to stay mapped until they are unregistered and should be mmap
// memory: the kernel pins whole pages, which it charges to RLIMIT_MEMLOCK.
func (r *Ring) RegisterBuffers(iovs []unix.Iovec) error {
	return r.do("BUFFERS", IORING_REGISTER_BUFFERS, elements(iovs), uint32(len(iovs)))
}

// RegisterBuffersSparse registers an empty table of n fixed buffers (Linux 5.19).
func (r *Ring) RegisterBuffersSparse(n uint32) error {
	arg := RsrcRegister{Nr: n, Flags: IORING_RSRC_REGISTER_SPARSE}
	return r.do("BUFFERS2", IORING_REGISTER_BUFFERS2, object(&arg), uint32(unsafe.Sizeof(arg)))
}

// RegisterBuffersTags is RegisterBuffers with a tag per buffer. When a buffer is replaced or removed and its last user is
// gone, a completion with its tag as user data is posted; tag 0 posts none. tags is nil or as long as iovs.
func (r *Ring) RegisterBuffersTags(iovs []unix.Iovec, tags []uint64) error {
	_, errno := r.resource(IORING_REGISTER_BUFFERS2, elements(iovs), len(iovs), tags)
	return wrapRegister("BUFFERS2", errno)
}

// BuffersUpdate replaces buffers from slot off on and returns how many. tags is nil or as long as iovs.
func (r *Ring) BuffersUpdate(off uint32, iovs []unix.Iovec, tags []uint64) (int, error) {
	n, errno := r.update(IORING_REGISTER_BUFFERS_UPDATE, off, elements(iovs), len(iovs), tags)
	return n, wrapRegister("BUFFERS_UPDATE", errno)
}

// UnregisterBuffers removes all fixed buffers.
func (r *Ring) UnregisterBuffers() error {
	return r.do("unregister BUFFERS", IORING_UNREGISTER_BUFFERS, nil, 0)
}

// RegisterFiles registers descriptors; -1 leaves a slot empty.
func (r *Ring) RegisterFiles(fds []int32) error {
	return r.do("FILES", IORING_REGISTER_FILES, elements(fds), uint32(len(fds)))
}

// RegisterFilesSparse registers an empty table of n slots (Linux 5.19).
func (r *Ring) RegisterFilesSparse(n uint32) error {
	arg := RsrcRegister{Nr: n, Flags: IORING_RSRC_REGISTER_SPARSE}
	return r.do("FILES2", IORING_REGISTER_FILES2, object(&arg), uint32(unsafe.Sizeof(arg)))
}

// RegisterFilesTags is RegisterFiles with a tag per file, as in RegisterBuffersTags.
func (r *Ring) RegisterFilesTags(fds []int32, tags []uint64) error {
	_, errno := r.resource(IORING_REGISTER_FILES2, elements(fds), len(fds), tags)
	return wrapRegister("FILES2", errno)
}

// FilesUpdate replaces registered files from slot off on and returns how many; -1 empties a slot and
// IORING_REGISTER_FILES_SKIP leaves it. tags is nil or as long as fds.
func (r *Ring) FilesUpdate(off uint32, fds []int32, tags []uint64) (int, error) {
	n, errno := r.update(IORING_REGISTER_FILES_UPDATE2, off, elements(fds), len(fds), tags)
	return n, wrapRegister("FILES_UPDATE2", errno)
}

// noFile is what ClearFile puts into a slot.
var noFile = [1]int32{-1}

// ClearFile empties one slot of the registered files. It does not allocate.
func (r *Ring) ClearFile(slot uint32) syscall.Errno {
	// SAFETY: noFile is a global variable, which does not move.
	arg := RsrcUpdate2{Offset: slot, Nr: 1, Data: address(unsafe.Pointer(&noFile))}
	_, errno := r.register(IORING_REGISTER_FILES_UPDATE2, object(&arg), uint32(unsafe.Sizeof(arg)))
	return errno
}

// UnregisterFiles removes all registered files.
func (r *Ring) UnregisterFiles() error {
	return r.do("unregister FILES", IORING_UNREGISTER_FILES, nil, 0)
}

// RegisterFileAllocRange limits which slots IORING_FILE_INDEX_ALLOC picks, to n slots from off on (Linux 6.0).
func (r *Ring) RegisterFileAllocRange(off, n uint32) error {
	arg := FileIndexRange{Off: off, Len: n}
	return r.do("FILE_ALLOC_RANGE", IORING_REGISTER_FILE_ALLOC_RANGE, object(&arg), 0)
}

// CloneBuffers shares registered buffers of another ring (Linux 6.12).
func (r *Ring) CloneBuffers(arg *CloneBuffers) error {
	return r.do("CLONE_BUFFERS", IORING_REGISTER_CLONE_BUFFERS, object(arg), 1)
}

// RegisterBufRing registers a provided-buffer ring; BufRing does that and more. With IOU_PBUF_RING_MMAP, RingAddr is 0,
// otherwise it is page-aligned mmap memory that stays until UnregisterBufRing.
func (r *Ring) RegisterBufRing(reg *BufReg) error {
	return r.do("PBUF_RING", IORING_REGISTER_PBUF_RING, object(reg), 1)
}

// UnregisterBufRing removes the buffer ring of group.
func (r *Ring) UnregisterBufRing(group uint16) error {
	arg := BufReg{Bgid: group}
	return r.do("unregister PBUF_RING", IORING_UNREGISTER_PBUF_RING, object(&arg), 1)
}

// PbufStatus returns the kernel's head of the buffer ring of group: buffers before it were consumed (Linux 6.8).
func (r *Ring) PbufStatus(group uint16) (head uint32, err error) {
	arg := BufStatus{BufGroup: uint32(group)}
	err = r.do("PBUF_STATUS", IORING_REGISTER_PBUF_STATUS, object(&arg), 1)
	return arg.Head, err
}

// resource registers n elements at data with tags.
func (r *Ring) resource(op uint32, data unsafe.Pointer, n int, tags []uint64) (int, syscall.Errno) {
	if tags != nil && len(tags) != n {
		return 0, syscall.EINVAL // The kernel would read past the end of tags.
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := RsrcRegister{Nr: uint32(n), Data: pinned(&pin, data), Tags: pinned(&pin, elements(tags))}
	return r.register(op, object(&arg), uint32(unsafe.Sizeof(arg)))
}

// update replaces n elements from off on by those at data with tags.
func (r *Ring) update(op, off uint32, data unsafe.Pointer, n int, tags []uint64) (int, syscall.Errno) {
	if tags != nil && len(tags) != n {
		return 0, syscall.EINVAL // The kernel would read past the end of tags.
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := RsrcUpdate2{Offset: off, Nr: uint32(n)}
	arg.Data, arg.Tags = pinned(&pin, data), pinned(&pin, elements(tags))
	return r.register(op, object(&arg), uint32(unsafe.Sizeof(arg)))
}

// pinned returns the address of p, which stays valid until pin is released. Pinning also makes the object escape, so
// that it cannot be on a stack which moves between here and the system call.
func pinned(pin *runtime.Pinner, p unsafe.Pointer) uint64 {
	if p == nil {
		return 0
	}
	pin.Pin(p)
	return address(p)
}

// object returns p untyped, for the register calls.
func object[T any](p *T) unsafe.Pointer {
	// SAFETY: the result is a pointer still, which keeps *p alive and follows it if it moves. Turning it into a number is
	// left to registerFD, in the call expression, and to address, whose callers pin.
	return unsafe.Pointer(p)
}

// elements is object for the elements of s, nil for a nil slice.
func elements[T any](s []T) unsafe.Pointer {
	// SAFETY: as in object.
	return unsafe.Pointer(unsafe.SliceData(s))
}
