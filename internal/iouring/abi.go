package iouring

import "structs"

// The structs of this file mirror include/uapi/linux/io_uring.h as of Linux 6.18. Fields that the kernel requires to be
// zero are unexported or named Resv; a zero value followed by setting the named fields is always a valid argument.

// SQE is a submission queue entry: struct io_uring_sqe, 64 bytes. The C unions are one field each, named after the
// commonest member; the other members are listed beside it.
type SQE struct {
	_           structs.HostLayout
	Opcode      uint8
	Flags       uint8  // IOSQE_*
	Ioprio      uint16 // and the flags of the recv, send and accept family
	Fd          int32
	Off         uint64 // off, addr2; cmd_op in the low half
	Addr        uint64 // addr, splice_off_in; level and optname
	Len         uint32
	OpFlags     uint32 // rw_flags, msg_flags, poll32_events, …
	UserData    uint64
	BufIndex    uint16 // buf_index, buf_group
	Personality uint16
	FileIndex   uint32 // file_index, splice_fd_in, optlen, zcrx_ifq_idx, addr_len in the low half
	Addr3       uint64 // addr3, attr_ptr, optval
	Pad2        uint64 // attr_type_mask, otherwise zero
}

// CQE is a completion queue entry: struct io_uring_cqe, 16 bytes.
type CQE struct {
	_        structs.HostLayout
	UserData uint64
	Res      int32 // result, or a negated errno
	Flags    uint32
}

// BufferID returns the id of the provided buffer; it is meaningful only if Flags has IORING_CQE_F_BUFFER.
func (c *CQE) BufferID() uint16 { return uint16(c.Flags >> IORING_CQE_BUFFER_SHIFT) }

// CQE32 is the completion of a ring with IORING_SETUP_CQE32: struct io_uring_cqe with big_cqe, 32 bytes.
type CQE32 struct {
	CQE
	BigCQE [2]uint64
}

// SQE128 is the submission of a ring with IORING_SETUP_SQE128: struct io_uring_sqe with 80 bytes of command, of which
// the first 16 overlay SQE.Addr3 and SQE.Pad2.
type SQE128 struct {
	SQE
	Cmd [64]byte
}

// SQRingOffsets is struct io_sqring_offsets.
type SQRingOffsets struct {
	_           structs.HostLayout
	Head        uint32
	Tail        uint32
	RingMask    uint32
	RingEntries uint32
	Flags       uint32
	Dropped     uint32
	Array       uint32
	Resv1       uint32
	UserAddr    uint64
}

// CQRingOffsets is struct io_cqring_offsets.
type CQRingOffsets struct {
	_           structs.HostLayout
	Head        uint32
	Tail        uint32
	RingMask    uint32
	RingEntries uint32
	Overflow    uint32
	CQEs        uint32
	Flags       uint32
	Resv1       uint32
	UserAddr    uint64
}

// Params is struct io_uring_params, 120 bytes.
type Params struct {
	_            structs.HostLayout
	SQEntries    uint32
	CQEntries    uint32
	Flags        uint32 // IORING_SETUP_*
	SQThreadCPU  uint32
	SQThreadIdle uint32 // ms
	Features     uint32 // IORING_FEAT_*, set by the kernel
	WQFd         uint32
	Resv         [3]uint32
	SQOff        SQRingOffsets
	CQOff        CQRingOffsets
}

// Timespec is struct __kernel_timespec: 64-bit on every architecture, unlike unix.Timespec.
type Timespec struct {
	_    structs.HostLayout
	Sec  int64
	Nsec int64
}

// Nanoseconds per second, for NsToTimespec.
const nsPerSec = 1_000_000_000

// NsToTimespec converts nanoseconds. A negative value becomes zero, because the kernel would refuse it and a deadline
// that has passed means "do not wait".
func NsToTimespec(ns int64) Timespec {
	if ns <= 0 {
		return Timespec{}
	}
	return Timespec{Sec: ns / nsPerSec, Nsec: ns % nsPerSec}
}

// GetEventsArg is struct io_uring_getevents_arg, the argument of an enter with IORING_ENTER_EXT_ARG.
type GetEventsArg struct {
	_           structs.HostLayout
	Sigmask     uint64 // address of a kernel sigset_t, or 0
	SigmaskSz   uint32
	MinWaitUsec uint32
	TS          uint64 // address of a Timespec in heap or mmap memory, or 0
}

// RegWait is struct io_uring_reg_wait, an entry of a registered wait region.
type RegWait struct {
	_           structs.HostLayout
	TS          Timespec
	MinWaitUsec uint32
	Flags       uint32 // IORING_REG_WAIT_TS
	Sigmask     uint64
	SigmaskSz   uint32
	Pad         [3]uint32
	Pad2        [2]uint64
}

// AttrPI is struct io_uring_attr_pi.
type AttrPI struct {
	_      structs.HostLayout
	Flags  uint16
	AppTag uint16
	Len    uint32
	Addr   uint64
	Seed   uint64
	Rsvd   uint64
}

// RecvmsgOut is struct io_uring_recvmsg_out, which heads each buffer filled by a multishot RECVMSG.
type RecvmsgOut struct {
	_          structs.HostLayout
	NameLen    uint32
	ControlLen uint32
	PayloadLen uint32
	Flags      uint32
}

// IOTimespec is struct io_timespec, the payload of a TX timestamp completion.
type IOTimespec struct {
	_    structs.HostLayout
	Sec  uint64
	Nsec uint64
}
