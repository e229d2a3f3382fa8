package iouring

// The constants of this file follow include/uapi/linux/io_uring.h as of Linux 6.18. They are untyped so that they fit
// the field they belong to without conversions; each group names that field.

// Opcodes: SQE.Opcode. The comment is the first kernel with the opcode, for readers only: code asks the kernel
// (Ring.Probe), because distributions backport and sandboxes remove.
const (
	IORING_OP_NOP              = iota // 5.1
	IORING_OP_READV                   // 5.1
	IORING_OP_WRITEV                  // 5.1
	IORING_OP_FSYNC                   // 5.1
	IORING_OP_READ_FIXED              // 5.1
	IORING_OP_WRITE_FIXED             // 5.1
	IORING_OP_POLL_ADD                // 5.1
	IORING_OP_POLL_REMOVE             // 5.1
	IORING_OP_SYNC_FILE_RANGE         // 5.2
	IORING_OP_SENDMSG                 // 5.3
	IORING_OP_RECVMSG                 // 5.3
	IORING_OP_TIMEOUT                 // 5.4
	IORING_OP_TIMEOUT_REMOVE          // 5.5
	IORING_OP_ACCEPT                  // 5.5
	IORING_OP_ASYNC_CANCEL            // 5.5
	IORING_OP_LINK_TIMEOUT            // 5.5
	IORING_OP_CONNECT                 // 5.5
	IORING_OP_FALLOCATE               // 5.6
	IORING_OP_OPENAT                  // 5.6
	IORING_OP_CLOSE                   // 5.6
	IORING_OP_FILES_UPDATE            // 5.6
	IORING_OP_STATX                   // 5.6
	IORING_OP_READ                    // 5.6
	IORING_OP_WRITE                   // 5.6
	IORING_OP_FADVISE                 // 5.6
	IORING_OP_MADVISE                 // 5.6
	IORING_OP_SEND                    // 5.6
	IORING_OP_RECV                    // 5.6
	IORING_OP_OPENAT2                 // 5.6
	IORING_OP_EPOLL_CTL               // 5.6
	IORING_OP_SPLICE                  // 5.7
	IORING_OP_PROVIDE_BUFFERS         // 5.7
	IORING_OP_REMOVE_BUFFERS          // 5.7
	IORING_OP_TEE                     // 5.8
	IORING_OP_SHUTDOWN                // 5.11
	IORING_OP_RENAMEAT                // 5.11
	IORING_OP_UNLINKAT                // 5.11
	IORING_OP_MKDIRAT                 // 5.15
	IORING_OP_SYMLINKAT               // 5.15
	IORING_OP_LINKAT                  // 5.15
	IORING_OP_MSG_RING                // 5.18
	IORING_OP_FSETXATTR               // 5.19
	IORING_OP_SETXATTR                // 5.19
	IORING_OP_FGETXATTR               // 5.19
	IORING_OP_GETXATTR                // 5.19
	IORING_OP_SOCKET                  // 5.19
	IORING_OP_URING_CMD               // 5.19
	IORING_OP_SEND_ZC                 // 6.0
	IORING_OP_SENDMSG_ZC              // 6.1
	IORING_OP_READ_MULTISHOT          // 6.7
	IORING_OP_WAITID                  // 6.7
	IORING_OP_FUTEX_WAIT              // 6.7
	IORING_OP_FUTEX_WAKE              // 6.7
	IORING_OP_FUTEX_WAITV             // 6.7
	IORING_OP_FIXED_FD_INSTALL        // 6.8
	IORING_OP_FTRUNCATE               // 6.9
	IORING_OP_BIND                    // 6.11
	IORING_OP_LISTEN                  // 6.11
	IORING_OP_RECV_ZC                 // 6.15
	IORING_OP_EPOLL_WAIT              // 6.15
	IORING_OP_READV_FIXED             // 6.15
	IORING_OP_WRITEV_FIXED            // 6.15
	IORING_OP_PIPE                    // 6.16

	// IORING_OP_LAST is one past the last opcode known to this package; the kernel may know more.
	IORING_OP_LAST
)

// Submission flags: SQE.Flags (enum io_uring_sqe_flags_bit).
const (
	IOSQE_FIXED_FILE       = 1 << iota // Fd is an index into the registered files
	IOSQE_IO_DRAIN                     // start after everything submitted before has completed
	IOSQE_IO_LINK                      // the next SQE starts after this one succeeded
	IOSQE_IO_HARDLINK                  // the next SQE starts after this one, whatever its result
	IOSQE_ASYNC                        // skip the non-blocking attempt, go to a worker at once
	IOSQE_BUFFER_SELECT                // take a buffer from the group in BufIndex
	IOSQE_CQE_SKIP_SUCCESS             // post no CQE unless the request fails
)

// IORING_FILE_INDEX_ALLOC in SQE.FileIndex asks the kernel to pick a free slot for a new direct descriptor.
const IORING_FILE_INDEX_ALLOC = 0xffffffff

// IORING_RW_ATTR_FLAG_PI is a bit of sqe->attr_type_mask: attr_ptr points at an AttrPI.
const IORING_RW_ATTR_FLAG_PI = 1 << 0

// URING_CMD flags: SQE.OpFlags.
const (
	IORING_URING_CMD_FIXED     = 1 << 0
	IORING_URING_CMD_MULTISHOT = 1 << 1
	IORING_URING_CMD_MASK      = IORING_URING_CMD_FIXED | IORING_URING_CMD_MULTISHOT
)

// IORING_FSYNC_DATASYNC is a FSYNC flag: SQE.OpFlags.
const IORING_FSYNC_DATASYNC = 1 << 0

// TIMEOUT, TIMEOUT_REMOVE and LINK_TIMEOUT flags: SQE.OpFlags.
const (
	IORING_TIMEOUT_ABS           = 1 << 0
	IORING_TIMEOUT_UPDATE        = 1 << 1
	IORING_TIMEOUT_BOOTTIME      = 1 << 2
	IORING_TIMEOUT_REALTIME      = 1 << 3
	IORING_LINK_TIMEOUT_UPDATE   = 1 << 4
	IORING_TIMEOUT_ETIME_SUCCESS = 1 << 5
	IORING_TIMEOUT_MULTISHOT     = 1 << 6
	IORING_TIMEOUT_CLOCK_MASK    = IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME
	IORING_TIMEOUT_UPDATE_MASK   = IORING_TIMEOUT_UPDATE | IORING_LINK_TIMEOUT_UPDATE
)

// SPLICE_F_FD_IN_FIXED is a SPLICE and TEE flag: SQE.OpFlags.
const SPLICE_F_FD_IN_FIXED = 1 << 31

// POLL_ADD command flags: SQE.Len, because OpFlags carries the event mask.
const (
	IORING_POLL_ADD_MULTI        = 1 << 0
	IORING_POLL_UPDATE_EVENTS    = 1 << 1
	IORING_POLL_UPDATE_USER_DATA = 1 << 2
	IORING_POLL_ADD_LEVEL        = 1 << 3
)

// ASYNC_CANCEL flags: SQE.OpFlags, and SyncCancelReg.Flags.
const (
	IORING_ASYNC_CANCEL_ALL      = 1 << 0
	IORING_ASYNC_CANCEL_FD       = 1 << 1
	IORING_ASYNC_CANCEL_ANY      = 1 << 2
	IORING_ASYNC_CANCEL_FD_FIXED = 1 << 3
	IORING_ASYNC_CANCEL_USERDATA = 1 << 4
	IORING_ASYNC_CANCEL_OP       = 1 << 5
)

// Flags of the send and receive family: SQE.Ioprio.
const (
	IORING_RECVSEND_POLL_FIRST  = 1 << 0
	IORING_RECV_MULTISHOT       = 1 << 1
	IORING_RECVSEND_FIXED_BUF   = 1 << 2
	IORING_SEND_ZC_REPORT_USAGE = 1 << 3
	IORING_RECVSEND_BUNDLE      = 1 << 4
	IORING_SEND_VECTORIZED      = 1 << 5
)

// IORING_NOTIF_USAGE_ZC_COPIED is the bit of CQE.Res in a notification by which the kernel admits that it copied.
const IORING_NOTIF_USAGE_ZC_COPIED = 1 << 31

// ACCEPT flags: SQE.Ioprio.
const (
	IORING_ACCEPT_MULTISHOT  = 1 << 0
	IORING_ACCEPT_DONTWAIT   = 1 << 1
	IORING_ACCEPT_POLL_FIRST = 1 << 2
)

// MSG_RING commands: SQE.Addr (enum io_uring_msg_ring_flags).
const (
	IORING_MSG_DATA    = 0
	IORING_MSG_SEND_FD = 1
)

// MSG_RING flags: SQE.OpFlags.
const (
	IORING_MSG_RING_CQE_SKIP   = 1 << 0
	IORING_MSG_RING_FLAGS_PASS = 1 << 1
)

// IORING_FIXED_FD_NO_CLOEXEC is a FIXED_FD_INSTALL flag: SQE.OpFlags.
const IORING_FIXED_FD_NO_CLOEXEC = 1 << 0

// NOP flags: SQE.OpFlags.
const (
	IORING_NOP_INJECT_RESULT = 1 << 0 // CQE.Res is taken from SQE.Len
	IORING_NOP_FILE          = 1 << 1
	IORING_NOP_FIXED_FILE    = 1 << 2
	IORING_NOP_FIXED_BUFFER  = 1 << 3
	IORING_NOP_TW            = 1 << 4
	IORING_NOP_CQE32         = 1 << 5
)

// Socket commands of URING_CMD: SQE.Off (enum io_uring_socket_op).
const (
	SOCKET_URING_OP_SIOCINQ      = 0
	SOCKET_URING_OP_SIOCOUTQ     = 1
	SOCKET_URING_OP_GETSOCKOPT   = 2
	SOCKET_URING_OP_SETSOCKOPT   = 3
	SOCKET_URING_OP_TX_TIMESTAMP = 4
)

// Completion flags: CQE.Flags. The word is laid out as
//
//	31            16 15  14          6   5     4     3     2     1     0
//	[   buffer id  ] [32] [ reserved ] [SKP] [BMR] [NTF] [SNE] [MOR] [BUF]
//
// where the buffer id is meaningful only together with IORING_CQE_F_BUFFER.
const (
	IORING_CQE_F_BUFFER        = 1 << 0
	IORING_CQE_F_MORE          = 1 << 1
	IORING_CQE_F_SOCK_NONEMPTY = 1 << 2
	IORING_CQE_F_NOTIF         = 1 << 3
	IORING_CQE_F_BUF_MORE      = 1 << 4
	IORING_CQE_F_SKIP          = 1 << 5
	IORING_CQE_F_32            = 1 << 15

	IORING_CQE_BUFFER_SHIFT = 16
)

// Completion flags of SOCKET_URING_OP_TX_TIMESTAMP, which reuse the upper half of CQE.Flags.
const (
	IORING_TIMESTAMP_HW_SHIFT   = 16
	IORING_TIMESTAMP_TYPE_SHIFT = IORING_TIMESTAMP_HW_SHIFT + 1
	IORING_CQE_F_TSTAMP_HW      = 1 << IORING_TIMESTAMP_HW_SHIFT
)
