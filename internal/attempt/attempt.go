package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Verdict says what an attempt came to.
type Verdict uint8

// The verdicts.
const (
	Done     Verdict = iota // the result is final
	Readable                // try again when the file is readable
	Writable                // try again when the file is writable; of two files (TwoFiles), the second
	Soon                    // try again soon: nothing tells when
	Blocking                // it must be done where it may wait
	Thread                  // it waits for futexes: for internal/futexq
)

// Tries makes attempts and counts the system calls. Engine must be set.
type Tries struct {
	Calls uint64
	// Asked is how many bytes the last receive into a buffer of a group had room for.
	Asked  int
	bundle bundle
	// ZC are the sends whose memory the kernel reads still.
	ZC ZeroCopy
	// NoSignal is what sysx.NoSignal has found.
	NoSignal int
	// Async says that transfers that are Direct do not go to a worker, as a rule, so that there is no need to ask what kind of file it is once more.
	Async bool
	// Engine is whose operations these are.
	Engine *core.Engine

	page *[sysx.PipeBuf]byte // what is written to a FIFO at a time; made when first needed
	vec  sysx.Iovecs         // of page
}

// How far an operation has come, in Slot.Phase, which is the attempts' own.
const (
	phaseNew     uint8 = iota
	phaseSet           // the slot's MsgBuf is filled in
	phaseStarted       // a connect is under way
)

// Try attempts the operation in s.
func (t *Tries) Try(s *core.Slot) (int32, Verdict) {
	switch s.Op.Code {
	case api.OpRecv:
		return t.recv(s)
	case api.OpSend:
		return t.send(s)
	case api.OpRead, api.OpReadv, api.OpReadFixed, api.OpReadvFixed:
		return t.read(s)
	case api.OpWrite, api.OpWritev, api.OpWriteFixed, api.OpWritevFixed:
		return t.write(s)
	case api.OpRecvMsg:
		return t.recvMsg(s)
	case api.OpSendMsg:
		return t.sendMsg(s)
	case api.OpSendZC, api.OpSendMsgZC:
		return t.sendZC(s)
	case api.OpAccept:
		return t.accept(s)
	case api.OpConnect:
		return t.connect(s)
	case api.OpPoll:
		return t.poll(s)
	case api.OpShutdown:
		t.Calls++
		return -int32(sysx.Shutdown(s.Op.FD, int(s.Op.Arg))), Done
	case api.OpFsync:
		return 0, Blocking
	case api.OpSocket:
		return t.socket(s)
	case api.OpBind:
		return t.bind(s)
	case api.OpListen:
		return t.listen(s)
	case api.OpUringCmd:
		return t.command(s)
	case api.OpWaitid:
		return t.waitid(s)
	case api.OpFutexWait, api.OpFutexWaitv:
		return t.futexWait(s)
	case api.OpFutexWake:
		return t.futexWake(s)
	case api.OpOpenat, api.OpOpenat2, api.OpStatx, api.OpUnlinkat, api.OpMkdirat, api.OpRenameat, api.OpLinkat, api.OpSymlinkat,
		api.OpGetxattr, api.OpSetxattr, api.OpFgetxattr, api.OpFsetxattr,
		api.OpFallocate, api.OpFtruncate, api.OpFadvise, api.OpMadvise, api.OpSyncFileRange:
		return t.pooled(s)
	case api.OpSplice, api.OpTee:
		return t.splice(s)
	case api.OpPipe:
		return t.pipe(s)
	case api.OpFixedFDInstall:
		t.Calls++
		n, errno := sysx.Dup(s.Op.FD)
		return size(int(n), errno), Done
	case api.OpNop:
		return 0, Done
	}
	return -int32(syscall.EINVAL), Done
}

// outcome is the verdict on a transfer that was tried once: n bytes or errno.
func outcome(s *core.Slot, n int, errno syscall.Errno, wait Verdict) (int32, Verdict) {
	switch {
	case errno == 0:
		return int32(n), Done
	case errno != syscall.EAGAIN:
		return -int32(errno), Done
	case s.Op.Flags&api.DontWait != 0:
		return -int32(syscall.EAGAIN), Done
	}
	return 0, wait
}
