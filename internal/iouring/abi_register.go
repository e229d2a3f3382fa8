package iouring

import "structs"

// Arguments of io_uring_register(2), as of Linux 6.18.

// FilesUpdate is struct io_uring_files_update.
type FilesUpdate struct {
	_      structs.HostLayout
	Offset uint32
	Resv   uint32
	Fds    uint64
}

// RegionDesc is struct io_uring_region_desc.
type RegionDesc struct {
	_          structs.HostLayout
	UserAddr   uint64
	Size       uint64
	Flags      uint32 // IORING_MEM_REGION_TYPE_USER
	ID         uint32
	MmapOffset uint64
	Resv       [4]uint64
}

// MemRegionReg is struct io_uring_mem_region_reg.
type MemRegionReg struct {
	_          structs.HostLayout
	RegionUptr uint64
	Flags      uint64 // IORING_MEM_REGION_REG_WAIT_ARG
	Resv       [2]uint64
}

// RsrcRegister is struct io_uring_rsrc_register.
type RsrcRegister struct {
	_     structs.HostLayout
	Nr    uint32
	Flags uint32 // IORING_RSRC_REGISTER_SPARSE
	Resv2 uint64
	Data  uint64
	Tags  uint64
}

// RsrcUpdate is struct io_uring_rsrc_update.
type RsrcUpdate struct {
	_      structs.HostLayout
	Offset uint32
	Resv   uint32
	Data   uint64
}

// RsrcUpdate2 is struct io_uring_rsrc_update2.
type RsrcUpdate2 struct {
	_      structs.HostLayout
	Offset uint32
	Resv   uint32
	Data   uint64
	Tags   uint64
	Nr     uint32
	Resv2  uint32
}

// ProbeOp is struct io_uring_probe_op.
type ProbeOp struct {
	_     structs.HostLayout
	Op    uint8
	Resv  uint8
	Flags uint16 // IO_URING_OP_SUPPORTED
	Resv2 uint32
}

// probeOpsMax is the size of the table in Probe. Opcodes are one byte and ops_len is too, so 255 is the most that a
// kernel could ever report.
const probeOpsMax = 255

// Probe is struct io_uring_probe with room for every possible opcode.
type Probe struct {
	_      structs.HostLayout
	LastOp uint8
	OpsLen uint8
	Resv   uint16
	Resv2  [3]uint32
	Ops    [probeOpsMax]ProbeOp
}

// OpSupported reports whether the kernel that filled p implements op. A nil p supports nothing.
func OpSupported(p *Probe, op uint8) bool {
	return p != nil && op < p.OpsLen && p.Ops[op].Flags&IO_URING_OP_SUPPORTED != 0
}

// Restriction is struct io_uring_restriction.
type Restriction struct {
	_      structs.HostLayout
	Opcode uint16 // IORING_RESTRICTION_*
	Arg    uint8  // register_op, sqe_op or sqe_flags
	Resv   uint8
	Resv2  [3]uint32
}

// ClockRegister is struct io_uring_clock_register.
type ClockRegister struct {
	_       structs.HostLayout
	ClockID uint32
	Resv    [3]uint32
}

// CloneBuffers is struct io_uring_clone_buffers.
type CloneBuffers struct {
	_      structs.HostLayout
	SrcFd  uint32
	Flags  uint32 // IORING_REGISTER_SRC_REGISTERED, IORING_REGISTER_DST_REPLACE
	SrcOff uint32
	DstOff uint32
	Nr     uint32 // 0 means all
	Pad    [3]uint32
}

// Buf is struct io_uring_buf, an entry of a provided-buffer ring. In entry 0, Resv is the tail of the ring.
type Buf struct {
	_    structs.HostLayout
	Addr uint64
	Len  uint32
	Bid  uint16
	Resv uint16
}

// BufReg is struct io_uring_buf_reg.
type BufReg struct {
	_           structs.HostLayout
	RingAddr    uint64
	RingEntries uint32
	Bgid        uint16
	Flags       uint16 // IOU_PBUF_RING_*
	Resv        [3]uint64
}

// BufStatus is struct io_uring_buf_status.
type BufStatus struct {
	_        structs.HostLayout
	BufGroup uint32 // in
	Head     uint32 // out
	Resv     [8]uint32
}

// NAPI is struct io_uring_napi.
type NAPI struct {
	_              structs.HostLayout
	BusyPollTo     uint32 // µs
	PreferBusyPoll uint8
	Opcode         uint8 // IO_URING_NAPI_*, since 6.13
	Pad            [2]uint8
	OpParam        uint32
	Resv           uint32
}

// SyncCancelReg is struct io_uring_sync_cancel_reg.
type SyncCancelReg struct {
	_       structs.HostLayout
	Addr    uint64 // user data to match
	Fd      int32
	Flags   uint32   // IORING_ASYNC_CANCEL_*
	Timeout Timespec // -1, -1 waits for ever
	Opcode  uint8
	Pad     [7]uint8
	Pad2    [3]uint64
}

// FileIndexRange is struct io_uring_file_index_range.
type FileIndexRange struct {
	_    structs.HostLayout
	Off  uint32
	Len  uint32
	Resv uint64
}

// QueryHdr is struct io_uring_query_hdr of linux/io_uring/query.h.
type QueryHdr struct {
	_         structs.HostLayout
	NextEntry uint64
	QueryData uint64
	QueryOp   uint32 // IO_URING_QUERY_*
	Size      uint32
	Result    int32
	Resv      [3]uint32
}

// QueryOpcode is struct io_uring_query_opcode of linux/io_uring/query.h.
type QueryOpcode struct {
	_                 structs.HostLayout
	NrRequestOpcodes  uint32
	NrRegisterOpcodes uint32
	FeatureFlags      uint64
	RingSetupFlags    uint64
	EnterFlags        uint64
	SQEFlags          uint64
	NrQueryOpcodes    uint32
	Pad               uint32
}

// ZCRXRqe is struct io_uring_zcrx_rqe.
type ZCRXRqe struct {
	_   structs.HostLayout
	Off uint64
	Len uint32
	Pad uint32
}

// ZCRXCqe is struct io_uring_zcrx_cqe, the second half of a CQE32.
type ZCRXCqe struct {
	_   structs.HostLayout
	Off uint64
	Pad uint64
}

// ZCRXOffsets is struct io_uring_zcrx_offsets.
type ZCRXOffsets struct {
	_     structs.HostLayout
	Head  uint32
	Tail  uint32
	Rqes  uint32
	Resv2 uint32
	Resv  [2]uint64
}

// ZCRXAreaReg is struct io_uring_zcrx_area_reg.
type ZCRXAreaReg struct {
	_           structs.HostLayout
	Addr        uint64
	Len         uint64
	RqAreaToken uint64
	Flags       uint32
	DmabufFd    uint32
	Resv2       [2]uint64
}

// ZCRXIfqReg is struct io_uring_zcrx_ifq_reg.
type ZCRXIfqReg struct {
	_         structs.HostLayout
	IfIdx     uint32
	IfRxq     uint32
	RqEntries uint32
	Flags     uint32
	AreaPtr   uint64
	RegionPtr uint64
	Offsets   ZCRXOffsets
	ZcrxID    uint32
	Resv2     uint32
	Resv      [3]uint64
}
