package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// encodeWaitid writes a waitid into q.
func (d *driver) encodeWaitid(q *iouring.SQE, s *core.Slot) {
	s.Extra.Info = sysx.Siginfo{}
	// SAFETY: the siginfo_t is part of the slot's Extra, which is on the heap, and is kept.
	q.PrepWaitid(uint32(s.Op.Off), s.Op.FD, unsafe.Pointer(&s.Extra.Info), s.Op.Arg, 0)
}

// waited is for a waitid.
func (d *driver) waited(s *core.Slot, res int32) {
	switch {
	case res < 0:
		d.fail(s, res)
	case s.Extra.Info.Signo != 0 || s.Op.Arg&unix.WNOHANG != 0:
		attempt.SetChild(s)
		d.e.End(s, 0)
	default:
		d.waitNonblock(s)
	}
}

// waitNonblock is for a waitid that did not wait because its pidfd has O_NONBLOCK. It waits here, for a duplicate: the program may close
// its own.
func (d *driver) waitNonblock(s *core.Slot) {
	if s.Ending() {
		d.endEarly(s)
		return
	}
	d.start(s)
}

// encodeFutex writes an operation on futexes into q. The words are kept alive by the Args of the operation.
func (d *driver) encodeFutex(q *iouring.SQE, s *core.Slot) {
	op := &s.Op
	f := &op.Args.Futexes[0]
	flags := sysx.FutexFlags(attempt.SharedFutex(op, 0))
	switch op.Code {
	case api.OpFutexWait:
		q.PrepFutexWait(f.Addr, uint64(f.Val), sysx.FutexAll, flags, 0)
	case api.OpFutexWake:
		q.PrepFutexWake(f.Addr, uint64(op.Off), sysx.FutexAll, flags, 0)
	case api.OpFutexWaitv:
		// SAFETY: the list belongs to the slot's Extra, and is on the heap. It is not made anew while the operation is in flight.
		q.PrepFutexWaitv(unsafe.Pointer(unsafe.SliceData(s.Extra.Futexes)), uint32(len(s.Extra.Futexes)), 0)
	}
}

// futexWaited is for the end of a futex wait. EAGAIN is an answer, which tells that the word has another value.
func (d *driver) futexWaited(s *core.Slot, res int32) {
	if res < 0 && res != -int32(unix.EAGAIN) {
		d.fail(s, res)
		return
	}
	d.e.End(s, res)
}
