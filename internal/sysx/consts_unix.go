//go:build unix && !linux

package sysx

import "golang.org/x/sys/unix"

// Flags and limits that differ between systems. 0 is what a system lacks.
const (
	MsgDontWait    = unix.MSG_DONTWAIT
	MsgWaitAll     = unix.MSG_WAITALL
	MsgPeek        = unix.MSG_PEEK
	MsgTrunc       = unix.MSG_TRUNC
	MsgCTrunc      = unix.MSG_CTRUNC
	MsgCmsgCloexec = 0
	MsgErrQueue    = 0
	// SockNonblock is a flag of Accept alone here, not one of the kernel's.
	SockNonblock = 1 << 30
	// AcceptFlags are those that Accept takes. What systems have beside SockNonblock differs; Accept makes nothing of it.
	AcceptFlags = 1<<32 - 1
	// OpenCloexec is O_CLOEXEC.
	OpenCloexec = unix.O_CLOEXEC
	// SockCloexec is SOCK_CLOEXEC, 0 where there is none, or where it is no flag of all calls.
	SockCloexec = 0
	// RWFNoWait makes Preadv2 and Pwritev2 fail with EOPNOTSUPP here.
	RWFNoWait = 0x8
	// PipeBuf is how many bytes a pipe has room for when poll says that it is writable (PIPE_BUF, which
	// is at least this much on every unix).
	PipeBuf = 512
	// VectorsAtOnce says that Preadv2 is one system call.
	VectorsAtOnce = false
	// PollRdHup is POLLRDHUP: the peer has stopped writing.
	PollRdHup = 0
	// SelectMax is the first fd that Select cannot take, 0 for no limit.
	SelectMax = unix.FD_SETSIZE
	// EBadFD is what a file answers that is not as it has to be, for which there is no errno of its own here.
	EBadFD = unix.EBADF
)
