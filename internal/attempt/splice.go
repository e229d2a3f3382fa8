package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// A splice or tee is an operation on two files, of which one is a pipe as a rule and both may be. It waits for either: Readable as the verdict is
// about the input, Op.FD, Writable about the output, Args.FD2.
//
// SPLICE_F_NONBLOCK keeps it from waiting for the pipes only. Sockets and devices wait all the same, and hold the lock of the pipe
// meanwhile, so that everybody else who uses the pipe hangs (measured on 6.18: splice from a TCP socket without data); so these
// are made non-blocking for the time of the call. A regular file may have to be read from the disk: that is for where it may block.

// phaseLook in Slot.Phase says that the worker could not go on, and that the sides are to be looked at.
const phaseLook uint8 = 1

// sIFIFO marks a pipe in a mode.
const sIFIFO = 0x1000

// TwoFiles says whether an operation reads from one file and writes to another.
func TwoFiles(c api.OpCode) bool { return c == api.OpSplice || c == api.OpTee }

// Resumes says whether res, which came from where s may block, means that s has to wait for one of its pipes. It is
// to be tried again then, which finds out for which.
func Resumes(s *core.Slot, res int32) bool {
	if res != -int32(syscall.EAGAIN) || !TwoFiles(s.Op.Code) {
		return false
	}
	s.Phase = phaseLook
	return true
}

// PipeArgs are how much a splice or tee moves, and the flags that it has for the kernel.
func PipeArgs(op *api.Op) (n int, flags uint32) {
	return int(min(op.Args.Len, sysx.MaxTransfer)), op.Arg | sysx.SpliceNonblock
}

// transferPipe makes the system call.
func transferPipe(s *core.Slot) (int, syscall.Errno) {
	n, flags := PipeArgs(&s.Op)
	if s.Op.Code == api.OpTee {
		return sysx.Tee(s.Op.FD, s.FD2, n, flags)
	}
	return sysx.Splice(s.Op.FD, s.Op.Off, s.FD2, s.Op.Args.Off2, n, flags)
}

func (t *Tries) splice(s *core.Slot) (int32, Verdict) {
	if s.Phase == phaseLook {
		return t.look(s)
	}
	if errno := checkSplice(s); errno != 0 || s.Op.Args.Len == 0 {
		return -int32(errno), Done
	}
	t.Calls += 2
	in, _, errno := sysx.Fstat(s.Op.FD)
	if errno != 0 {
		return -int32(errno), Done
	}
	out, _, errno := sysx.Fstat(s.FD2)
	switch {
	case errno != 0:
		return -int32(errno), Done
	case stored(in) || stored(out):
		return 0, Blocking
	}
	return t.spliceNow(s, in, out)
}

// checkSplice finds what is wrong with the arguments by themselves.
func checkSplice(s *core.Slot) syscall.Errno {
	op, a := &s.Op, s.Op.Args
	switch {
	case s.FD2 < 0:
		return syscall.EBADF
	case op.Arg&^sysx.SpliceFlags != 0, a.Len < 0, op.Code == api.OpSplice && a.Off2 < api.CurrentPosition:
		return syscall.EINVAL
	}
	return 0
}

// stored says whether a file of this mode is on a disk.
func stored(mode uint32) bool { return mode&sIFMT == sIFREG || mode&sIFMT == sIFBLK }

// spliceNow is for files that do not block once they are told not to.
func (t *Tries) spliceNow(s *core.Slot, in, out uint32) (int32, Verdict) {
	undoIn, errno := t.unblockFor(s.Op.FD, in)
	if errno != 0 {
		return -int32(errno), Done
	}
	undoOut, errno := t.unblockFor(s.FD2, out)
	if errno != 0 {
		t.reblock(s.Op.FD, undoIn)
		return -int32(errno), Done
	}
	t.Calls++
	n, errno := transferPipe(s)
	t.reblock(s.Op.FD, undoIn)
	t.reblock(s.FD2, undoOut)
	if errno == syscall.EAGAIN {
		return t.look(s)
	}
	return size(n, errno), Done
}

// unblockFor sets O_NONBLOCK for one call, and says whether that has to be undone. EBADF of a file that is open for its path alone (O_PATH) is
// left to the call.
func (t *Tries) unblockFor(fd int32, mode uint32) (undo bool, errno syscall.Errno) {
	if mode&sIFMT == sIFIFO {
		return false, 0
	}
	t.Calls++
	on, errno := sysx.Nonblock(fd)
	if on || errno != 0 {
		return false, errno
	}
	t.Calls += 2
	if errno := sysx.SetNonblock(fd, true); errno != 0 && errno != syscall.EBADF {
		return false, errno
	}
	return true, 0
}

func (t *Tries) reblock(fd int32, undo bool) {
	if undo {
		t.Calls += 2
		_ = sysx.SetNonblock(fd, false) // it could be set, so that it can be taken away
	}
}

// look finds out which side a splice waits for.
func (t *Tries) look(s *core.Slot) (int32, Verdict) {
	s.Phase = phaseNew
	if s.Op.Flags&api.DontWait != 0 || s.Op.Arg&sysx.SpliceNonblock != 0 {
		return -int32(syscall.EAGAIN), Done
	}
	t.Calls++
	if got, errno := sysx.Poll1(s.Op.FD, api.PollIn); errno == 0 && got == 0 {
		return 0, Readable
	}
	t.Calls++
	if got, errno := sysx.Poll1(s.FD2, api.PollOut); errno == 0 && got == 0 {
		return 0, Writable
	}
	return 0, Soon // it has become ready since
}
