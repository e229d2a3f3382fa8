package iouring

import "unsafe"

// Every Prep method overwrites the whole entry. Entries live in a ring and are recycled, and the kernel interprets
// fields which a request does not use (a stale FileIndex turns an accept into a direct accept, a stale Addr3 selects an
// attribute), so that filling in only the interesting ones would leak state from an unrelated request. UserData is
// cleared like everything else: set it, Flags and Ioprio after the Prep method.
//
// All unsafe.Pointer arguments are subject to the memory rules of the package comment: heap or mmap memory, never a
// stack, reachable until the last completion. A nil pointer is passed to the kernel as 0.

// MaxRWCount is MAX_RW_COUNT of the kernel for 4 KiB pages: a longer transfer is cut to it, as in read(2).
const MaxRWCount = 0x7ffff000

// Bytes splits b into the address and the length that the Prep methods want, cut to MaxRWCount. For an empty slice the
// address may be nil.
func Bytes(b []byte) (unsafe.Pointer, uint32) {
	// SAFETY: SliceData only takes the address of memory that b keeps alive; the caller has to keep b, see above.
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(min(uint64(len(b)), MaxRWCount))
}

// address turns a pointer into the number that the kernel reads from an SQE.
func address(p unsafe.Pointer) uint64 {
	// SAFETY: the number does not keep the object alive and would go stale if the object moved. The callers of the Prep
	// methods guarantee that it is neither a stack object nor collected before the last completion. If they do not, the
	// kernel writes into memory which belongs to something else.
	return uint64(uintptr(p))
}

// set is the common start of all Prep methods.
func (s *SQE) set(op uint8, fd int32, addr uint64, n uint32, off uint64) {
	*s = SQE{}
	s.Opcode = op
	s.Fd = fd
	s.Addr = addr
	s.Len = n
	s.Off = off
}

// SetTargetSlot makes a request that creates a descriptor (open, accept, socket, pipe) put it in slot of the registered
// files. The kernel counts from one there because zero means an ordinary descriptor.
func (s *SQE) SetTargetSlot(slot uint32) { s.FileIndex = slot + 1 }

// SetTargetSlotAlloc is SetTargetSlot with a slot picked by the kernel and reported in CQE.Res.
func (s *SQE) SetTargetSlotAlloc() { s.FileIndex = IORING_FILE_INDEX_ALLOC }

// SetBufferGroup makes a receive or read take its buffer from group.
func (s *SQE) SetBufferGroup(group uint16) {
	s.Flags |= IOSQE_BUFFER_SELECT
	s.BufIndex = group
}

// PrepNop prepares a request that completes with 0.
func (s *SQE) PrepNop() { s.set(IORING_OP_NOP, -1, 0, 0, 0) }

// PrepNopResult prepares a NOP that completes with res (Linux 6.10).
func (s *SQE) PrepNopResult(res int32) {
	s.set(IORING_OP_NOP, -1, 0, uint32(res), 0)
	s.OpFlags = IORING_NOP_INJECT_RESULT
}

// PrepPollAdd prepares a poll for events. Multishot and level modes are bits of Len, to be set afterwards.
func (s *SQE) PrepPollAdd(fd int32, events uint32) {
	s.set(IORING_OP_POLL_ADD, fd, 0, 0, 0)
	s.OpFlags = events
}

// PrepPollRemove cancels the poll with user data target.
func (s *SQE) PrepPollRemove(target uint64) { s.set(IORING_OP_POLL_REMOVE, -1, target, 0, 0) }

// PrepPollUpdate changes the poll with user data target; flags are IORING_POLL_UPDATE_* and IORING_POLL_ADD_MULTI.
func (s *SQE) PrepPollUpdate(target, newUserData uint64, events, flags uint32) {
	s.set(IORING_OP_POLL_REMOVE, -1, target, flags, newUserData)
	s.OpFlags = events
}

// PrepTimeout prepares a timer that fires at ts or after count completions, with 0 for a pure timer.
func (s *SQE) PrepTimeout(ts *Timespec, count, flags uint32) {
	// SAFETY: see address; ts must be heap memory. The kernel copies it while the SQE is consumed.
	s.set(IORING_OP_TIMEOUT, -1, address(unsafe.Pointer(ts)), 1, uint64(count))
	s.OpFlags = flags
}

// PrepTimeoutRemove cancels the timer with user data target.
func (s *SQE) PrepTimeoutRemove(target uint64, flags uint32) {
	s.set(IORING_OP_TIMEOUT_REMOVE, -1, target, 0, 0)
	s.OpFlags = flags
}

// PrepTimeoutUpdate moves the timer with user data target to ts; flags may add IORING_LINK_TIMEOUT_UPDATE.
func (s *SQE) PrepTimeoutUpdate(ts *Timespec, target uint64, flags uint32) {
	// SAFETY: see address; ts must be heap memory. The kernel copies it while the SQE is consumed.
	s.set(IORING_OP_TIMEOUT_REMOVE, -1, target, 0, address(unsafe.Pointer(ts)))
	s.OpFlags = flags | IORING_TIMEOUT_UPDATE
}

// PrepLinkTimeout limits the SQE before it, which has to carry IOSQE_IO_LINK.
func (s *SQE) PrepLinkTimeout(ts *Timespec, flags uint32) {
	// SAFETY: see address; ts must be heap memory. The kernel copies it while the SQE is consumed.
	s.set(IORING_OP_LINK_TIMEOUT, -1, address(unsafe.Pointer(ts)), 1, 0)
	s.OpFlags = flags
}

// PrepCancel cancels the request with user data target, or what flags selects.
func (s *SQE) PrepCancel(target uint64, flags uint32) {
	s.set(IORING_OP_ASYNC_CANCEL, -1, target, 0, 0)
	s.OpFlags = flags
}

// PrepCancelFD cancels by the open file behind fd.
func (s *SQE) PrepCancelFD(fd int32, flags uint32) {
	s.set(IORING_OP_ASYNC_CANCEL, fd, 0, 0, 0)
	s.OpFlags = flags | IORING_ASYNC_CANCEL_FD
}

// PrepCancelOp cancels requests with opcode op (Linux 6.6).
func (s *SQE) PrepCancelOp(op uint8, flags uint32) {
	s.set(IORING_OP_ASYNC_CANCEL, -1, 0, uint32(op), 0)
	s.OpFlags = flags | IORING_ASYNC_CANCEL_OP
}

// PrepMsgRing posts a completion with userData and res to the ring ringFD.
func (s *SQE) PrepMsgRing(ringFD int32, res uint32, userData uint64, flags uint32) {
	s.set(IORING_OP_MSG_RING, ringFD, IORING_MSG_DATA, res, userData)
	s.OpFlags = flags
}

// PrepMsgRingFD copies registered file srcSlot into a slot of the ring ringFD; SetTargetSlot or SetTargetSlotAlloc
// chooses which one.
func (s *SQE) PrepMsgRingFD(ringFD int32, srcSlot uint32, userData uint64, flags uint32) {
	s.set(IORING_OP_MSG_RING, ringFD, IORING_MSG_SEND_FD, 0, userData)
	s.Addr3 = uint64(srcSlot)
	s.OpFlags = flags
}

// PrepFilesUpdate replaces registered files from slot off on by the n descriptors (int32) at fds.
func (s *SQE) PrepFilesUpdate(fds unsafe.Pointer, n, off uint32) {
	s.set(IORING_OP_FILES_UPDATE, -1, address(fds), n, uint64(off))
}

// PrepFixedFdInstall turns registered file slot into an ordinary descriptor.
func (s *SQE) PrepFixedFdInstall(slot int32, flags uint32) {
	s.set(IORING_OP_FIXED_FD_INSTALL, slot, 0, 0, 0)
	s.Flags = IOSQE_FIXED_FILE
	s.OpFlags = flags
}

// PrepProvideBuffers gives nr buffers of n bytes each at p to group, with ids from bid on. BufRing is the faster way.
func (s *SQE) PrepProvideBuffers(p unsafe.Pointer, n uint32, nr int32, group, bid uint16) {
	s.set(IORING_OP_PROVIDE_BUFFERS, nr, address(p), n, uint64(bid))
	s.BufIndex = group
}

// PrepRemoveBuffers takes nr buffers back from group.
func (s *SQE) PrepRemoveBuffers(nr int32, group uint16) {
	s.set(IORING_OP_REMOVE_BUFFERS, nr, 0, 0, 0)
	s.BufIndex = group
}

// PrepEpollCtl is epoll_ctl(2); event points at a struct epoll_event.
func (s *SQE) PrepEpollCtl(epfd, fd int32, op uint32, event unsafe.Pointer) {
	s.set(IORING_OP_EPOLL_CTL, epfd, address(event), op, uint64(uint32(fd)))
}

// PrepEpollWait reads up to n events, each a struct epoll_event.
func (s *SQE) PrepEpollWait(epfd int32, events unsafe.Pointer, n, flags uint32) {
	s.set(IORING_OP_EPOLL_WAIT, epfd, address(events), n, 0)
	s.OpFlags = flags
}

// PrepWaitid is waitid(2); info points at a siginfo_t or is nil.
func (s *SQE) PrepWaitid(idType uint32, id int32, info unsafe.Pointer, options, flags uint32) {
	s.set(IORING_OP_WAITID, id, 0, idType, address(info))
	s.FileIndex = options
	s.OpFlags = flags
}

// PrepFutexWait waits until the word at futex is woken; futexFlags are FUTEX2_*.
func (s *SQE) PrepFutexWait(futex *uint32, val, mask uint64, futexFlags, flags uint32) {
	s.prepFutex(IORING_OP_FUTEX_WAIT, futex, val, mask, futexFlags, flags)
}

// PrepFutexWake wakes up to val waiters of the word at futex.
func (s *SQE) PrepFutexWake(futex *uint32, val, mask uint64, futexFlags, flags uint32) {
	s.prepFutex(IORING_OP_FUTEX_WAKE, futex, val, mask, futexFlags, flags)
}

func (s *SQE) prepFutex(op uint8, futex *uint32, val, mask uint64, futexFlags, flags uint32) {
	// SAFETY: see address; the word must be heap or mmap memory until the request has completed.
	s.set(op, int32(futexFlags), address(unsafe.Pointer(futex)), 0, val)
	s.Addr3 = mask
	s.OpFlags = flags
}

// PrepFutexWaitv waits for any of the n words described by the struct futex_waitv array at waiters.
func (s *SQE) PrepFutexWaitv(waiters unsafe.Pointer, n, flags uint32) {
	s.set(IORING_OP_FUTEX_WAITV, 0, address(waiters), n, 0)
	s.OpFlags = flags
}

// PrepUringCmd prepares a driver command without payload; the caller fills in the fields that cmd defines.
func (s *SQE) PrepUringCmd(fd int32, cmd uint32) { s.set(IORING_OP_URING_CMD, fd, 0, 0, uint64(cmd)) }

// PrepUringCmdSock prepares a socket command: SOCKET_URING_OP_*.
func (s *SQE) PrepUringCmdSock(fd int32, cmd, level, optname uint32, optval unsafe.Pointer, optlen uint32) {
	s.set(IORING_OP_URING_CMD, fd, uint64(level)|uint64(optname)<<32, 0, uint64(cmd))
	s.FileIndex = optlen
	s.Addr3 = address(optval)
}
