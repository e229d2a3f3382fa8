package uring

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
)

// argOps are the operations on paths and files whose arguments attempt.Prepare checks.
var argOps = api.Ops(api.OpOpenat, api.OpOpenat2, api.OpStatx, api.OpUnlinkat, api.OpMkdirat, api.OpRenameat, api.OpLinkat, api.OpSymlinkat,
	api.OpGetxattr, api.OpSetxattr, api.OpFgetxattr, api.OpFsetxattr,
	api.OpFallocate, api.OpFtruncate, api.OpFadvise, api.OpMadvise, api.OpSyncFileRange, api.OpSplice, api.OpTee, api.OpPipe)

// prepareArgs is prepare for argOps.
func (d *driver) prepareArgs(s *core.Slot) bool {
	if attempt.TwoFiles(s.Op.Code) || tooLong(&s.Op) {
		d.flushFirst()
		d.start(s)
		return false
	}
	if errno := attempt.Prepare(s); errno != 0 {
		d.e.End(s, -int32(errno))
		return false
	}
	return true
}

// tooLong says whether a length does not fit into an entry, among them those that are negative. Kernels from 6.10 on have room for those of fadvise and madvise elsewhere, and others would
// take them for 0.
func tooLong(op *api.Op) bool {
	switch op.Code {
	case api.OpFadvise, api.OpSyncFileRange:
		return uint64(op.Args.Len) > math.MaxUint32
	case api.OpMadvise:
		return uint64(len(op.Buf)) > math.MaxUint32
	}
	return false
}

// native hands a splice or tee that may have to wait for a disk to the kernel, whose worker then waits for nothing else. The kernel's own
// way with the others is no good: it blocks a worker for as long as the pipe or socket has nothing, a cancel is answered with EALREADY, and a
// splice from a TCP socket cannot be ended at all (measured on 6.18).
func (d *driver) native(s *core.Slot) bool {
	if !attempt.TwoFiles(s.Op.Code) || d.emulated.Has(s.Op.Code) {
		return false
	}
	setLeg(s, kindOp)
	d.put(s)
	return true
}

// encodeArgs writes one of argOps into q.
func encodeArgs(q *iouring.SQE, s *core.Slot) {
	op, p := &s.Op, s.Paths
	switch op.Code {
	case api.OpOpenat:
		flags, mode := p.OpenFlags()
		q.PrepOpenat(op.FD, p.Path(), flags, mode)
	case api.OpOpenat2:
		q.PrepOpenat2(op.FD, p.Path(), p.How())
	case api.OpStatx:
		// SAFETY: Stat is the program's and on the heap, as all that an Op points to, and the slot keeps it until the completion.
		q.PrepStatx(op.FD, p.Path(), op.Arg, uint32(op.Off), unsafe.Pointer(op.Args.Stat))
	case api.OpUnlinkat:
		q.PrepUnlinkat(op.FD, p.Path(), op.Arg)
	case api.OpMkdirat:
		q.PrepMkdirat(op.FD, p.Path(), uint32(op.Off))
	case api.OpRenameat:
		q.PrepRenameat(op.FD, p.Path(), s.FD2, p.NewPath(), op.Arg)
	case api.OpLinkat:
		q.PrepLinkat(op.FD, p.Path(), s.FD2, p.NewPath(), op.Arg)
	case api.OpSymlinkat:
		q.PrepSymlinkat(p.Path(), op.FD, p.NewPath())
	case api.OpGetxattr, api.OpFgetxattr, api.OpSetxattr, api.OpFsetxattr:
		encodeXattr(q, s)
	case api.OpPipe:
		q.PrepPipe(op.Args.Pipe, op.Arg|unix.O_CLOEXEC)
	default:
		encodeRange(q, s)
	}
}

func encodeXattr(q *iouring.SQE, s *core.Slot) {
	op, p := &s.Op, s.Paths
	v, n := iouring.Bytes(op.Buf)
	switch op.Code {
	case api.OpGetxattr:
		q.PrepGetxattr(p.Path(), p.Name(), v, n)
	case api.OpSetxattr:
		q.PrepSetxattr(p.Path(), p.Name(), v, n, op.Arg)
	case api.OpFgetxattr:
		q.PrepFgetxattr(op.FD, p.Name(), v, n)
	case api.OpFsetxattr:
		q.PrepFsetxattr(op.FD, p.Name(), v, n, op.Arg)
	}
}

// encodeRange is for what is about a part of a file or of memory.
func encodeRange(q *iouring.SQE, s *core.Slot) {
	op := &s.Op
	switch op.Code {
	case api.OpFallocate:
		q.PrepFallocate(op.FD, op.Arg, uint64(op.Off), uint64(op.Args.Len))
	case api.OpFtruncate:
		q.PrepFtruncate(op.FD, uint64(op.Off))
	case api.OpFadvise:
		q.PrepFadvise(op.FD, uint64(op.Off), uint32(op.Args.Len), op.Arg)
	case api.OpSyncFileRange:
		q.PrepSyncFileRange(op.FD, uint32(op.Args.Len), uint64(op.Off), op.Arg)
	case api.OpMadvise:
		// SAFETY: the address is of the program's memory, which the slot keeps; the kernel looks up what is mapped there, and fails if nothing is.
		q.PrepMadvise(unsafe.Pointer(unsafe.SliceData(op.Buf)), uint32(len(op.Buf)), op.Arg)
	case api.OpSplice:
		n, flags := attempt.PipeArgs(op)
		q.PrepSplice(op.FD, uint64(op.Off), s.FD2, uint64(op.Args.Off2), uint32(n), flags)
	case api.OpTee:
		n, flags := attempt.PipeArgs(op)
		q.PrepTee(op.FD, s.FD2, uint32(n), flags)
	default:
		q.PrepNop()
	}
}

// badPath says whether an operation has failed for a path that is empty, or too long. io_uring looks at that first, and the system calls at flags (measured on 6.18).
func badPath(op *api.Op, res int32) bool {
	switch {
	case op.Args == nil:
	case res == -int32(unix.ENAMETOOLONG):
		return true
	case res == -int32(unix.ENOENT):
		return op.Args.Path == "" || op.Args.NewPath == "" && (op.Code == api.OpRenameat || op.Code == api.OpLinkat)
	}
	return false
}

// argsDone takes in the result of one of argOps.
func (d *driver) argsDone(s *core.Slot, res int32) {
	switch {
	case (core.Interrupted(res) || res == -int32(unix.ECANCELED)) && !s.Ending():
		d.goOn(s) // see fail
	case attempt.Resumes(s, res):
		d.resume(s)
	case res == -int32(unix.EAGAIN) && opens(s) && !s.Ending() && s.Paths.Waits():
		d.put(s)
	case badPath(&s.Op, res) && s.Persona == 0 && !s.Ending():
		d.start(s)
	case res >= 0 && opens(s):
		d.count.Enters++
		attempt.Opened(s, res)
		d.e.End(s, res)
	default:
		d.e.End(s, res)
	}
}

func opens(s *core.Slot) bool { return s.Op.Code == api.OpOpenat || s.Op.Code == api.OpOpenat2 }

// resume goes on with a splice or tee that has to wait after all.
func (d *driver) resume(s *core.Slot) {
	if s.Ending() {
		d.endEarly(s)
		return
	}
	d.try(s)
}

// finish takes in what a worker has made of s.
func (d *driver) finish(s *core.Slot, res int32) {
	if attempt.Resumes(s, res) {
		if !s.Ending() {
			setLeg(s, kindOp)
			d.try(s)
			return
		}
		res = -int32(unix.ECANCELED)
	}
	id := s.ID()
	d.e.End(s, res)
	d.pool.Answer(d.e, id, res)
}
