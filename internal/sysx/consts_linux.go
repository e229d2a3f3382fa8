package sysx

import "golang.org/x/sys/unix"

// Flags and limits that differ between systems. 0 is what a system lacks.
const (
	MsgDontWait    = unix.MSG_DONTWAIT
	MsgWaitAll     = unix.MSG_WAITALL
	MsgPeek        = unix.MSG_PEEK
	MsgTrunc       = unix.MSG_TRUNC
	MsgCTrunc      = unix.MSG_CTRUNC
	MsgCmsgCloexec = unix.MSG_CMSG_CLOEXEC
	MsgNoSignal    = unix.MSG_NOSIGNAL
	MsgErrQueue    = unix.MSG_ERRQUEUE
	SockNonblock   = unix.SOCK_NONBLOCK
	// AcceptFlags are those that Accept takes.
	AcceptFlags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	// OpenCloexec is O_CLOEXEC.
	OpenCloexec = unix.O_CLOEXEC
	// SockCloexec is SOCK_CLOEXEC, 0 where there is none, or where it is no flag of all calls.
	SockCloexec = unix.SOCK_CLOEXEC
	// RWFNoWait makes Preadv2 and Pwritev2 fail with EAGAIN rather than wait.
	RWFNoWait = unix.RWF_NOWAIT
	// RWFNoSignal makes Pwritev2 raise no SIGPIPE (Linux 6.18; see NoSignal).
	RWFNoSignal = 0x100
	// PipeBuf is how many bytes a pipe has room for when poll says that it is writable (PIPE_BUF).
	PipeBuf = 4096
	// VectorsAtOnce says that Preadv2 is one system call.
	VectorsAtOnce = true
	// PollRdHup is POLLRDHUP: the peer has stopped writing.
	PollRdHup = unix.POLLRDHUP
	// SelectMax is the first fd that Select cannot take, 0 for no limit: the
	// kernel takes bitmaps of any size, only glibc's fd_set stops at 1024.
	SelectMax = 0
	// EBadFD is what a file answers that is not as it has to be.
	EBadFD = unix.EBADFD
)
