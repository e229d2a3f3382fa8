//go:build !unix

package sysx

import "syscall"

// Flags and limits that differ between systems. 0 is what a system lacks.
const (
	MsgDontWait    = 0
	MsgWaitAll     = 0
	MsgPeek        = 0
	MsgTrunc       = 0
	MsgCTrunc      = 0
	MsgCmsgCloexec = 0
	MsgErrQueue    = 0
	MsgNoSignal    = 0
	SockNonblock   = 0
	AcceptFlags    = 1<<32 - 1
	OpenCloexec    = 0
	SockCloexec    = 0
	RWFNoWait      = 0
	PipeBuf        = 512
	VectorsAtOnce  = false
	PollRdHup      = 0
	SelectMax      = 0
	EBadFD         = syscall.EBADF
)
