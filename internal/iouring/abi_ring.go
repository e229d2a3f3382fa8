package iouring

// Constants of the ring itself: setup, features, enter, register and the mapped areas.

// io_uring_setup(2) flags: Params.Flags.
const (
	IORING_SETUP_IOPOLL             = 1 << 0
	IORING_SETUP_SQPOLL             = 1 << 1
	IORING_SETUP_SQ_AFF             = 1 << 2
	IORING_SETUP_CQSIZE             = 1 << 3
	IORING_SETUP_CLAMP              = 1 << 4
	IORING_SETUP_ATTACH_WQ          = 1 << 5
	IORING_SETUP_R_DISABLED         = 1 << 6
	IORING_SETUP_SUBMIT_ALL         = 1 << 7
	IORING_SETUP_COOP_TASKRUN       = 1 << 8
	IORING_SETUP_TASKRUN_FLAG       = 1 << 9
	IORING_SETUP_SQE128             = 1 << 10
	IORING_SETUP_CQE32              = 1 << 11
	IORING_SETUP_SINGLE_ISSUER      = 1 << 12
	IORING_SETUP_DEFER_TASKRUN      = 1 << 13
	IORING_SETUP_NO_MMAP            = 1 << 14
	IORING_SETUP_REGISTERED_FD_ONLY = 1 << 15
	IORING_SETUP_NO_SQARRAY         = 1 << 16
	IORING_SETUP_HYBRID_IOPOLL      = 1 << 17
	IORING_SETUP_CQE_MIXED          = 1 << 18
)

// Features: Params.Features as filled in by the kernel.
const (
	IORING_FEAT_SINGLE_MMAP     = 1 << 0
	IORING_FEAT_NODROP          = 1 << 1
	IORING_FEAT_SUBMIT_STABLE   = 1 << 2
	IORING_FEAT_RW_CUR_POS      = 1 << 3
	IORING_FEAT_CUR_PERSONALITY = 1 << 4
	IORING_FEAT_FAST_POLL       = 1 << 5
	IORING_FEAT_POLL_32BITS     = 1 << 6
	IORING_FEAT_SQPOLL_NONFIXED = 1 << 7
	IORING_FEAT_EXT_ARG         = 1 << 8
	IORING_FEAT_NATIVE_WORKERS  = 1 << 9
	IORING_FEAT_RSRC_TAGS       = 1 << 10
	IORING_FEAT_CQE_SKIP        = 1 << 11
	IORING_FEAT_LINKED_FILE     = 1 << 12
	IORING_FEAT_REG_REG_RING    = 1 << 13
	IORING_FEAT_RECVSEND_BUNDLE = 1 << 14
	IORING_FEAT_MIN_TIMEOUT     = 1 << 15
	IORING_FEAT_RW_ATTR         = 1 << 16
	IORING_FEAT_NO_IOWAIT       = 1 << 17
)

// io_uring_enter(2) flags.
const (
	IORING_ENTER_GETEVENTS       = 1 << 0
	IORING_ENTER_SQ_WAKEUP       = 1 << 1
	IORING_ENTER_SQ_WAIT         = 1 << 2
	IORING_ENTER_EXT_ARG         = 1 << 3
	IORING_ENTER_REGISTERED_RING = 1 << 4
	IORING_ENTER_ABS_TIMER       = 1 << 5
	IORING_ENTER_EXT_ARG_REG     = 1 << 6
	IORING_ENTER_NO_IOWAIT       = 1 << 7
)

// Offsets for mmap(2).
const (
	IORING_OFF_SQ_RING    = 0
	IORING_OFF_CQ_RING    = 0x8000000
	IORING_OFF_SQES       = 0x10000000
	IORING_OFF_PBUF_RING  = 0x80000000
	IORING_OFF_PBUF_SHIFT = 16
	IORING_OFF_MMAP_MASK  = 0xf8000000
)

// Flags which the kernel sets in the shared submission ring: Ring.SQFlags.
const (
	IORING_SQ_NEED_WAKEUP = 1 << 0 // the SQPOLL thread sleeps; enter with SQ_WAKEUP
	IORING_SQ_CQ_OVERFLOW = 1 << 1 // completions wait in the kernel for room in the CQ
	IORING_SQ_TASKRUN     = 1 << 2 // completions become visible at the next enter with GETEVENTS
)

// IORING_CQ_EVENTFD_DISABLED is the one flag which the application sets in the shared completion ring.
const IORING_CQ_EVENTFD_DISABLED = 1 << 0

// io_uring_register(2) opcodes (enum io_uring_register_op).
const (
	IORING_REGISTER_BUFFERS          = 0
	IORING_UNREGISTER_BUFFERS        = 1
	IORING_REGISTER_FILES            = 2
	IORING_UNREGISTER_FILES          = 3
	IORING_REGISTER_EVENTFD          = 4
	IORING_UNREGISTER_EVENTFD        = 5
	IORING_REGISTER_FILES_UPDATE     = 6
	IORING_REGISTER_EVENTFD_ASYNC    = 7
	IORING_REGISTER_PROBE            = 8
	IORING_REGISTER_PERSONALITY      = 9
	IORING_UNREGISTER_PERSONALITY    = 10
	IORING_REGISTER_RESTRICTIONS     = 11
	IORING_REGISTER_ENABLE_RINGS     = 12
	IORING_REGISTER_FILES2           = 13
	IORING_REGISTER_FILES_UPDATE2    = 14
	IORING_REGISTER_BUFFERS2         = 15
	IORING_REGISTER_BUFFERS_UPDATE   = 16
	IORING_REGISTER_IOWQ_AFF         = 17
	IORING_UNREGISTER_IOWQ_AFF       = 18
	IORING_REGISTER_IOWQ_MAX_WORKERS = 19
	IORING_REGISTER_RING_FDS         = 20
	IORING_UNREGISTER_RING_FDS       = 21
	IORING_REGISTER_PBUF_RING        = 22
	IORING_UNREGISTER_PBUF_RING      = 23
	IORING_REGISTER_SYNC_CANCEL      = 24
	IORING_REGISTER_FILE_ALLOC_RANGE = 25
	IORING_REGISTER_PBUF_STATUS      = 26
	IORING_REGISTER_NAPI             = 27
	IORING_UNREGISTER_NAPI           = 28
	IORING_REGISTER_CLOCK            = 29
	IORING_REGISTER_CLONE_BUFFERS    = 30
	IORING_REGISTER_SEND_MSG_RING    = 31
	IORING_REGISTER_ZCRX_IFQ         = 32
	IORING_REGISTER_RESIZE_RINGS     = 33
	IORING_REGISTER_MEM_REGION       = 34
	IORING_REGISTER_QUERY            = 35

	// IORING_REGISTER_LAST is one past the last opcode known to this package.
	IORING_REGISTER_LAST = 36

	// IORING_REGISTER_USE_REGISTERED_RING is added to an opcode when the descriptor is a registered index.
	IORING_REGISTER_USE_REGISTERED_RING = 1 << 31
)

// Worker categories of IORING_REGISTER_IOWQ_MAX_WORKERS (enum io_wq_type).
const (
	IO_WQ_BOUND   = 0
	IO_WQ_UNBOUND = 1
)

// IORING_MEM_REGION_TYPE_USER in RegionDesc.Flags: the region is memory of the application at UserAddr.
const IORING_MEM_REGION_TYPE_USER = 1

// IORING_MEM_REGION_REG_WAIT_ARG in MemRegionReg.Flags: the region holds RegWait entries for EXT_ARG_REG.
const IORING_MEM_REGION_REG_WAIT_ARG = 1

// IORING_RSRC_REGISTER_SPARSE in RsrcRegister.Flags: create an empty table of Nr slots.
const IORING_RSRC_REGISTER_SPARSE = 1 << 0

// IORING_REGISTER_FILES_SKIP in a list of descriptors leaves that slot as it is.
const IORING_REGISTER_FILES_SKIP = -2

// IO_URING_OP_SUPPORTED is the flag in ProbeOp.Flags.
const IO_URING_OP_SUPPORTED = 1 << 0

// CloneBuffers.Flags.
const (
	IORING_REGISTER_SRC_REGISTERED = 1 << 0
	IORING_REGISTER_DST_REPLACE    = 1 << 1
)

// BufReg.Flags (enum io_uring_register_pbuf_ring_flags).
const (
	IOU_PBUF_RING_MMAP = 1 // the kernel allocates the ring
	IOU_PBUF_RING_INC  = 2 // buffers are consumed piece by piece
)

// NAPI.Opcode (enum io_uring_napi_op).
const (
	IO_URING_NAPI_REGISTER_OP   = 0
	IO_URING_NAPI_STATIC_ADD_ID = 1
	IO_URING_NAPI_STATIC_DEL_ID = 2
)

// NAPI.OpParam with IO_URING_NAPI_REGISTER_OP (enum io_uring_napi_tracking_strategy).
const (
	IO_URING_NAPI_TRACKING_DYNAMIC  = 0
	IO_URING_NAPI_TRACKING_STATIC   = 1
	IO_URING_NAPI_TRACKING_INACTIVE = 255
)

// Restriction.Opcode (enum io_uring_register_restriction_op).
const (
	IORING_RESTRICTION_REGISTER_OP        = 0
	IORING_RESTRICTION_SQE_OP             = 1
	IORING_RESTRICTION_SQE_FLAGS_ALLOWED  = 2
	IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3
	IORING_RESTRICTION_LAST               = 4
)

// IORING_REG_WAIT_TS in RegWait.Flags: TS is valid.
const IORING_REG_WAIT_TS = 1 << 0

// IO_URING_QUERY_OPCODES in QueryHdr.Op asks for a QueryOpcode.
const IO_URING_QUERY_OPCODES = 0

// Zero-copy receive.
const (
	IORING_ZCRX_AREA_DMABUF = 1 // ZCRXAreaReg.Flags
	IORING_ZCRX_AREA_SHIFT  = 48
	IORING_ZCRX_AREA_MASK   = 0xffff << IORING_ZCRX_AREA_SHIFT
)
