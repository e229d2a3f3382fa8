package api

import "strconv"

// OpCode says what an Op does. The values are those of the kernel's IORING_OP_*
// (include/uapi/linux/io_uring.h of Linux 6.18), so that a trace of either reads alike.
type OpCode uint8

// The operations of io_uring up to Linux 6.18. Engine.Features tells which ones an
// engine performs; Submit answers UnsupportedError for the others.
const (
	OpNop            OpCode = 0
	OpReadv          OpCode = 1
	OpWritev         OpCode = 2
	OpFsync          OpCode = 3
	OpReadFixed      OpCode = 4
	OpWriteFixed     OpCode = 5
	OpPoll           OpCode = 6
	OpPollRemove     OpCode = 7
	OpSyncFileRange  OpCode = 8
	OpSendMsg        OpCode = 9
	OpRecvMsg        OpCode = 10
	OpTimeout        OpCode = 11
	OpTimeoutRemove  OpCode = 12
	OpAccept         OpCode = 13
	OpCancel         OpCode = 14
	OpLinkTimeout    OpCode = 15
	OpConnect        OpCode = 16
	OpFallocate      OpCode = 17
	OpOpenat         OpCode = 18
	OpClose          OpCode = 19
	OpFilesUpdate    OpCode = 20
	OpStatx          OpCode = 21
	OpRead           OpCode = 22
	OpWrite          OpCode = 23
	OpFadvise        OpCode = 24
	OpMadvise        OpCode = 25
	OpSend           OpCode = 26
	OpRecv           OpCode = 27
	OpOpenat2        OpCode = 28
	OpEpollCtl       OpCode = 29
	OpSplice         OpCode = 30
	OpProvideBuffers OpCode = 31
	OpRemoveBuffers  OpCode = 32
	OpTee            OpCode = 33
	OpShutdown       OpCode = 34
	OpRenameat       OpCode = 35
	OpUnlinkat       OpCode = 36
	OpMkdirat        OpCode = 37
	OpSymlinkat      OpCode = 38
	OpLinkat         OpCode = 39
	OpMsgRing        OpCode = 40
	OpFsetxattr      OpCode = 41
	OpSetxattr       OpCode = 42
	OpFgetxattr      OpCode = 43
	OpGetxattr       OpCode = 44
	OpSocket         OpCode = 45
	OpUringCmd       OpCode = 46
	OpSendZC         OpCode = 47
	OpSendMsgZC      OpCode = 48
	OpReadMultishot  OpCode = 49
	OpWaitid         OpCode = 50
	OpFutexWait      OpCode = 51
	OpFutexWake      OpCode = 52
	OpFutexWaitv     OpCode = 53
	OpFixedFDInstall OpCode = 54
	OpFtruncate      OpCode = 55
	OpBind           OpCode = 56
	OpListen         OpCode = 57
	OpRecvZC         OpCode = 58
	OpEpollWait      OpCode = 59
	OpReadvFixed     OpCode = 60
	OpWritevFixed    OpCode = 61
	OpPipe           OpCode = 62
	opCount                 = 63
)

// OpCount is how many operation codes there are; codes run from 0 to OpCount-1.
const OpCount = opCount

var opNames = [opCount]string{
	"nop", "readv", "writev", "fsync", "read_fixed", "write_fixed", "poll", "poll_remove",
	"sync_file_range", "sendmsg", "recvmsg", "timeout", "timeout_remove", "accept", "cancel",
	"link_timeout", "connect", "fallocate", "openat", "close", "files_update", "statx", "read",
	"write", "fadvise", "madvise", "send", "recv", "openat2", "epoll_ctl", "splice",
	"provide_buffers", "remove_buffers", "tee", "shutdown", "renameat", "unlinkat", "mkdirat",
	"symlinkat", "linkat", "msg_ring", "fsetxattr", "setxattr", "fgetxattr", "getxattr", "socket",
	"uring_cmd", "send_zc", "sendmsg_zc", "read_multishot", "waitid", "futex_wait", "futex_wake",
	"futex_waitv", "fixed_fd_install", "ftruncate", "bind", "listen", "recv_zc", "epoll_wait",
	"readv_fixed", "writev_fixed", "pipe",
}

// Valid says whether c is an operation code at all.
func (c OpCode) Valid() bool { return c < opCount }

// String is the name of the operation in lower case, as liburing spells it after "prep_".
func (c OpCode) String() string {
	if c.Valid() {
		return opNames[c]
	}
	return "op(" + strconv.Itoa(int(c)) + ")"
}
