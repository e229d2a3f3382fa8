package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// maxVectors is UIO_MAXIOV.
const maxVectors = 1024

// runAll starts what has been submitted and what has come to its turn.
func (e *Engine) runAll() {
	for {
		if e.files.dirty.Load() {
			e.dropFiles()
		}
		for e.run.Len() > 0 {
			if e.noper != nil && e.startNops() {
				continue
			}
			if s := e.slots.lookup(e.run.Pop()); s != nil && s.state == stateSubmitted {
				e.start(s)
			}
		}
		if e.files.dirty.Load() && e.drops == 0 {
			continue // with those that there was no slot for, or that have just become idle
		}
		if !e.holding || !e.release() {
			return
		}
	}
}

// startNops starts those that are next if they are nops and simple, and says whether there were any.
func (e *Engine) startNops() bool {
	ids := e.run.rest()
	n := 0
	for ; n < len(ids); n++ {
		s := e.slots.lookup(ids[n])
		if s == nil || s.state != stateSubmitted || !s.simple || s.Op.Code != api.OpNop || s.Op.Flags != 0 {
			break
		}
		s.state = stateStarted
	}
	if n == 0 {
		return false
	}
	for _, id := range ids[e.noper.StartNops(ids[:n]):n] {
		e.drv.Start(e.slots.at(int32(id.Slot())))
	}
	e.run.skip(n)
	return true
}

// start performs one operation, or puts it where it waits for its turn.
func (e *Engine) start(s *Slot) {
	if s.inFIFO || s.FD != nil { // it waited, and its turn has come
		e.turnOf(s)
		return
	}
	in := optab.Of(s.Op.Code)
	if s.simple && e.startSimple(s, in) {
		return
	}
	if errno := check(&s.Op, in); errno != 0 {
		e.End(s, -int32(errno))
		return
	}
	if s.Op.Personality != 0 {
		if s.Persona = e.persona(s.Op.Personality); s.Persona == 0 {
			e.End(s, -int32(syscall.EINVAL))
			return
		}
	}
	if s.next != none {
		e.armLinkTimeout(s)
	}
	if s.Op.Flags&tableFlags != 0 && !e.resolveKnown(s) && !e.startFixed(s, in) {
		return
	}
	switch s.Op.Code {
	case api.OpFilesUpdate:
		e.startFilesUpdate(s)
		return
	case api.OpTimeout:
		e.startTimeout(s)
		return
	case api.OpTimeoutRemove:
		e.startTimeoutRemove(s)
		return
	case api.OpCancel:
		e.startCancel(s)
		return
	case api.OpPollRemove:
		e.startPollRemove(s)
		return
	case api.OpMsgRing:
		e.startMessage(s)
		return
	case api.OpLinkTimeout:
		e.End(s, -int32(syscall.EINVAL)) // behind no other operation
		return
	}
	if !in.FD {
		e.watch(s)
		e.begin(s)
		return
	}
	f := e.fds.get(s.Op.FD)
	if in.At && (f == nil || f.closing != none) {
		e.lineAt(s, in)
		return
	}
	if f == nil || f.closing != none {
		e.End(s, e.refusal(f, s))
		return
	}
	if s.Op.Code == api.OpClose {
		e.startClose(f, s)
		return
	}
	if in.Fixed || s.Op.Flags&api.FixedBuffer != 0 {
		if errno := e.pinBuffer(s, in.Vector); errno != 0 {
			e.End(s, -int32(errno))
			return
		}
	}
	if d := optab.DirectionOf(&s.Op); d == optab.None || f.head[d] == none {
		if e.startEmpty(s) {
			return
		}
	}
	if !e.startGroup(s) {
		return
	}
	e.line(f, s, in)
}

// startSimple is start for an operation that can be seen to be in order at a glance: a transfer of one buffer on a socket, or at a position of
// its own, or one that is about nothing. It says whether s is one.
func (e *Engine) startSimple(s *Slot, in *optab.Info) bool {
	op := &s.Op
	if op.Flags != 0 || len(op.Buf) > sysx.MaxTransfer {
		return false
	}
	switch op.Code {
	case api.OpNop:
		e.begin(s)
		return true
	case api.OpRead, api.OpWrite:
		if op.Off < 0 {
			return false
		}
	case api.OpRecv, api.OpSend:
		if op.Arg != 0 || len(op.Buf) == 0 {
			return false
		}
	default:
		return false
	}
	f := e.fds.get(op.FD)
	if f == nil || f.closing != none {
		return false
	}
	op.Msg = nil // see check
	e.link(f, s)
	if in.Dir != optab.None && !in.Position && !e.enqueue(f, s, in.Dir) {
		s.state = stateQueued
		return true
	}
	e.begin(s)
	return true
}

// startFixed deals with what an operation has to do with the table of registered files, and says whether it can go on.
func (e *Engine) startFixed(s *Slot, in *optab.Info) bool {
	var errno syscall.Errno
	f := s.Op.Flags
	if f&api.FixedFile != 0 && s.Op.Code == api.OpClose {
		e.startCloseSlot(s)
		return false
	}
	if f&api.IntoSlot != 0 {
		errno = e.vacant(&s.Op)
	}
	if errno == 0 && f&api.FixedFile != 0 && in.FD {
		errno = e.resolve(s, in)
	}
	if errno == 0 && f&api.FixedFD2 != 0 {
		errno = e.resolveSecond(s)
	}
	if errno != 0 {
		e.End(s, -int32(errno))
	}
	return errno == 0
}

// lineAt begins an operation on paths whose directory is no open file: the working directory, or any number at all
// where the path is absolute.
func (e *Engine) lineAt(s *Slot, in *optab.Info) {
	if s.mate != none {
		_, _ = e.lineMate(s, in) // in no order, and the kernel tells what is wrong with it
	}
	e.watch(s)
	e.begin(s)
}

// line puts s on the lists of its fd and begins it if its turn has come.
func (e *Engine) line(f *FD, s *Slot, in *optab.Info) {
	d := optab.DirectionOf(&s.Op)
	if d != optab.None && f.head[d] != none && s.Op.Flags&api.DontWait != 0 {
		e.End(s, -int32(syscall.EAGAIN))
		return
	}
	e.link(f, s)
	turn := d == optab.None || e.enqueue(f, s, d)
	if s.mate != none {
		t, errno := e.lineMate(s, in)
		if errno != 0 {
			e.End(s, -int32(errno))
			return
		}
		turn = turn && t
	}
	e.watch(s)
	if !turn {
		s.state = stateQueued
		return
	}
	e.begin(s)
}

// begin hands s to the driver.
func (e *Engine) begin(s *Slot) {
	s.state = stateStarted
	if s.counts {
		e.handed(s)
	}
	if s.Group != nil && s.Op.Code == api.OpSend {
		s.fillBundle()
	}
	s.seal()
	e.drv.Start(s)
}

// watch sets the timer of an operation with a deadline.
func (e *Engine) watch(s *Slot) {
	if s.Op.Deadline != 0 {
		e.setTimer(s, int64(s.Op.Deadline))
	}
}

// startEmpty performs what moves no bytes and would wait for some all the same: on a
// stream socket io_uring waits for data before a receive into 0 bytes completes, and
// recv(2) does not agree with read(2). Here all of them complete with 0 when their turn has come.
// A datagram is received all the same, as recv(2) does it: it is gone then (DGM-1), and a message has its address and control data.
func (e *Engine) startEmpty(s *Slot) bool {
	op := &s.Op
	switch {
	case op.Code == api.OpRecv && len(op.Buf) == 0 && op.Flags&api.BufferSelect == 0:
	case op.Code == api.OpRecvMsg && !wantsBytes(op):
	default:
		return false
	}
	typ, errno := sysx.SocketType(op.FD)
	if errno == 0 && typ != syscall.SOCK_STREAM {
		return false
	}
	if op.Code == api.OpRecvMsg {
		op.Msg.ControlLen, op.Msg.Flags = 0, 0
	}
	e.End(s, -int32(errno))
	return true
}

// startGroup finds the buffer group of s and says whether s can go on.
func (e *Engine) startGroup(s *Slot) bool {
	if s.Op.Flags&api.BufferSelect == 0 {
		return true
	}
	g := e.group(s.Op.Group)
	switch s.Op.Code {
	case api.OpSend:
		return e.startBundle(s, g)
	case api.OpRecvZC:
		return e.startRecvZC(s, g)
	}
	if g != nil && g.zc != nil {
		e.End(s, -int32(syscall.EINVAL)) // a network card has, or might have, its buffers
		return false
	}
	if g == nil || g.closing || g.Available() == 0 {
		// The kernel answers the same for both, before there is any data.
		e.End(s, -int32(syscall.ENOBUFS))
		return false
	}
	if errno := g.serves(&s.Op); errno != 0 {
		e.End(s, -int32(errno))
		return false
	}
	unbundle(&s.Op)
	s.Group = g
	g.users++
	return true
}

// check finds what is wrong with an operation by itself. What depends on the file is left to the kernel.
func check(op *api.Op, in *optab.Info) syscall.Errno {
	if in.FD && op.Arg != 0 {
		adopt(op)
	}
	known := in.Flags | api.ChainFlags
	if in.FD || op.Code == api.OpCancel || op.Code == api.OpMsgRing {
		known |= api.FixedFile
	}
	if op.Flags&^known != 0 {
		return syscall.EINVAL
	}
	into := op.Flags&api.IntoSlot != 0
	if op.Flags&api.SkipSuccess != 0 && (in.Notifies || (in.Opens || op.Code == api.OpPipe) && (!into || op.Group == api.NoIndex) || op.Flags&api.BufferSelect != 0 && op.Code != api.OpSend) {
		return syscall.EINVAL
	}
	if op.Personality != 0 && !optab.Personal.Has(op.Code) {
		return syscall.EINVAL
	}
	if len(op.Buf) > sysx.MaxTransfer && op.Code != api.OpMadvise { // which moves none of it
		op.Buf = op.Buf[:sysx.MaxTransfer]
	}
	if !in.Msg && op.Code != api.OpAccept {
		op.Msg = nil // what a program has left there must not be taken for vectors
	}
	if in.Msg && op.Msg == nil || in.Args && op.Args == nil {
		return syscall.EFAULT
	}
	if into {
		if errno := checkInto(op); errno != 0 {
			return errno
		}
	}
	if in.Position && op.Off < api.CurrentPosition {
		return syscall.EINVAL
	}
	if in.Vector && len(op.Msg.Bufs) > maxVectors {
		if in.Position {
			return syscall.EINVAL
		}
		return syscall.EMSGSIZE
	}
	switch op.Code {
	case api.OpAccept:
		if op.Arg&^sysx.AcceptFlags != 0 {
			return syscall.EINVAL // before the file is looked at, as io_uring does
		}
	case api.OpRecv, api.OpRecvMsg:
		return checkRecv(op)
	case api.OpSend:
		if f := op.Flags & (api.BufferSelect | api.Bundle); f != 0 && f != api.BufferSelect|api.Bundle {
			return syscall.EINVAL
		}
	case api.OpReadMultishot:
		return checkReadMultishot(op)
	case api.OpRecvZC:
		if op.Arg != 0 || !op.Flags.Has(api.BufferSelect|api.Multishot) {
			return syscall.EINVAL
		}
	case api.OpSendMsg, api.OpSendMsgZC:
		if op.Arg&sysx.MsgCmsgCompat != 0 {
			return syscall.EINVAL // see checkRecv
		}
	case api.OpFixedFDInstall:
		if op.Arg != 0 {
			return syscall.EINVAL
		}
		if op.Flags&api.FixedFile == 0 {
			return syscall.EBADF
		}
	case api.OpTimeout:
		return checkTimeout(op)
	case api.OpTimeoutRemove:
		return checkTimeoutRemove(op)
	case api.OpLinkTimeout:
		if op.Off < 0 || op.Deadline != 0 {
			return syscall.EINVAL
		}
	case api.OpCancel:
		return checkCancel(op)
	case api.OpWaitid:
		return checkWaitid(op)
	case api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv:
		return checkFutex(op)
	case api.OpPoll:
		return checkPoll(op)
	case api.OpPollRemove:
		return checkPollRemove(op)
	}
	return 0
}

// adopt makes flags of ours out of those MSG_* flags that mean the same.
func adopt(op *api.Op) {
	switch op.Code {
	case api.OpRecv, api.OpSend, api.OpRecvMsg, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC:
		if op.Arg&sysx.MsgWaitAll != 0 {
			op.Flags |= api.WaitAll
		}
		if op.Arg&sysx.MsgDontWait != 0 {
			op.Flags |= api.DontWait
		}
	}
}

func checkRecv(op *api.Op) syscall.Errno {
	f := op.Flags
	switch {
	case op.Code == api.OpRecvMsg && op.Arg&sysx.MsgCmsgCompat != 0:
		// The system calls refuse it; io_uring would take Msg for one of a 32-bit program.
		return syscall.EINVAL
	case f.Has(api.WaitAll) && op.Arg&sysx.MsgPeek != 0:
		// It would get the same bytes again and again.
		return syscall.EINVAL
	case f.Has(api.Multishot) && (!f.Has(api.BufferSelect) || f&(api.WaitAll|api.DontWait) != 0):
		return syscall.EINVAL
	case f.Has(api.BufferSelect | api.WaitAll):
		return syscall.EINVAL
	case f.Has(api.Bundle) && (!f.Has(api.BufferSelect) || op.Arg&sysx.MsgPeek != 0):
		// Each buffer would get the same bytes.
		return syscall.EINVAL
	}
	return 0
}
