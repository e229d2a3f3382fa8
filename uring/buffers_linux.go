package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
)

// fixedOps are the operations on registered buffers. The kernel's own are used for what it has in its table. For anything else, the
// operation is the plain one of the same kind, on the same memory: the core has seen that it lies in the buffer.
var fixedOps = api.Ops(api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed)

var _ core.Registrar = (*driver)(nil)

// plain is the operation of the same kind that knows nothing of registered buffers, and copies. The ring does it where it cannot do the other.
func plain(c api.OpCode) api.OpCode {
	switch c {
	case api.OpReadFixed:
		return api.OpRead
	case api.OpWriteFixed:
		return api.OpWrite
	case api.OpReadvFixed:
		return api.OpReadv
	case api.OpWritevFixed:
		return api.OpWritev
	case api.OpSendZC:
		return api.OpSend
	case api.OpSendMsgZC:
		return api.OpSendMsg
	}
	return c
}

// inTable says whether the kernel has the buffer of s where s says, and an operation for it. A vector of no bytes is EFAULT to it.
func (d *driver) inTable(s *core.Slot) bool {
	if d.isPolled(s) || int(s.Op.Group) >= len(d.held) || d.held[s.Op.Group] != s.Fixed || d.emulated.Has(s.Op.Code) {
		return false
	}
	if s.Op.Msg != nil {
		for _, b := range s.Op.Msg.Bufs {
			if len(b) == 0 {
				return false
			}
		}
	}
	return true
}

// prepareFixed is prepare for fixedOps.
func (d *driver) prepareFixed(s *core.Slot) bool {
	if d.emulated.Has(plain(s.Op.Code)) && !d.inTable(s) {
		d.flushFirst()
		d.start(s)
		return false
	}
	if s.Op.Msg == nil {
		return true
	}
	m := s.NeedMsg()
	m.Set(s.Op.Msg.Bufs, nil)
	if m.Len() == 0 {
		d.start(s) // see Start
		return false
	}
	return true
}

// encodeFixed writes one of fixedOps into q.
func (d *driver) encodeFixed(q *iouring.SQE, s *core.Slot) {
	op, off := &s.Op, uint64(s.Op.Off)
	var p unsafe.Pointer
	var n uint32
	if op.Msg == nil {
		p, n = iouring.Bytes(op.Buf)
		d.bytes += uint64(n)
	} else {
		v, l := s.Msg.Iovecs()
		p, n = v, uint32(l)
		d.bytes += uint64(s.Msg.Len())
	}
	code, flags := op.Code, rwFlags(s)
	if s.ByTable = d.inTable(s); !s.ByTable {
		code = plain(code)
	}
	switch code {
	case api.OpReadFixed:
		q.PrepReadFixed(op.FD, p, n, off, op.Group)
	case api.OpRead:
		q.PrepRead(op.FD, p, n, off)
	case api.OpReadvFixed:
		q.PrepReadvFixed(op.FD, p, n, off, op.Group)
	case api.OpReadv:
		q.PrepReadv(op.FD, p, n, off)
	case api.OpWriteFixed:
		q.PrepWriteFixed(op.FD, p, n, off, op.Group)
		flags |= d.noSignal
	case api.OpWrite:
		q.PrepWrite(op.FD, p, n, off)
		flags |= d.noSignal
	case api.OpWritevFixed:
		q.PrepWritevFixed(op.FD, p, n, off, op.Group)
		flags |= d.noSignal
	default:
		q.PrepWritev(op.FD, p, n, off)
		flags |= d.noSignal
	}
	q.OpFlags = flags
}

// PutBuffers implements core.Registrar.
//
// The kernel's table may be larger than the program's: as long as anything is in flight, kernels before 6.13 would wait for
// it in a call that takes the table away, so that the slots are emptied instead. Those that are in the queue go first, since they name
// slots as they are now; one that the kernel does not take yet is done without the table, when it says EFAULT.
func (d *driver) PutBuffers(n, at int, bufs []*core.Buffer, busy bool) {
	if !d.kern.Has(api.KernFixedBuffers) {
		return
	}
	d.flushFirst()
	if n > len(d.held) && !d.makeTable(n, busy) {
		return
	}
	iovs := make([]unix.Iovec, len(bufs))
	for i, b := range bufs {
		if b != nil {
			p, l := iouring.Bytes(b.Bytes())
			// SAFETY: the pointer is one still, and the table of the core keeps the memory alive for as long as the kernel has it.
			iovs[i].Base = (*byte)(p)
			iovs[i].SetLen(int(l))
		}
	}
	done := d.update(at, iovs)
	copy(d.held[at:], bufs[:done])
	if done == len(bufs) {
		return
	}
	// The kernel counts more as locked than the core does: whole huge pages, and what other processes have. Without its help, then.
	clear(d.held[at+done : at+len(bufs)])
	clear(iovs[done:])
	d.update(at+done, iovs[done:]) // if that fails, too, nobody looks at what is left there
}

// update puts iovs into the kernel's table, and returns how many it has taken.
func (d *driver) update(at int, iovs []unix.Iovec) int {
	d.count.Enters++
	n, err := d.ring.BuffersUpdate(uint32(at), iovs, nil)
	if err != nil {
		return 0
	}
	return n
}

// makeTable gives the kernel a table of n empty slots, in place of the one that it has.
func (d *driver) makeTable(n int, busy bool) bool {
	if len(d.held) > 0 {
		clear(d.held)
		if busy {
			return false // it works without the kernel
		}
		d.count.Enters++
		if d.ring.UnregisterBuffers() != nil {
			return false
		}
		d.held = nil
	}
	d.count.Enters++
	if d.ring.RegisterBuffersTags(make([]unix.Iovec, n), nil) != nil {
		return false
	}
	d.held = make([]*core.Buffer, n)
	return true
}

// DropBuffers implements core.Registrar.
func (d *driver) DropBuffers(busy bool) {
	if len(d.held) == 0 {
		return
	}
	d.flushFirst()
	clear(d.held)
	if busy {
		d.update(0, make([]unix.Iovec, len(d.held)))
		return
	}
	d.count.Enters++
	if d.ring.UnregisterBuffers() == nil {
		d.held = nil
	}
}

// CloneBuffers implements core.Registrar.
func (d *driver) CloneBuffers(from core.Driver, bufs []*core.Buffer, busy bool) {
	f, ok := from.(*driver)
	if !ok || len(d.held) > 0 || !d.kern.Has(api.KernFixedBuffers|api.KernCloneBuffers) || len(f.held) < len(bufs) {
		d.PutBuffers(len(bufs), 0, bufs, busy)
		return
	}
	d.count.Enters++
	if d.ring.CloneBuffers(&iouring.CloneBuffers{SrcFd: uint32(f.ring.Fd())}) != nil {
		d.PutBuffers(len(bufs), 0, bufs, busy)
		return
	}
	d.held = make([]*core.Buffer, len(f.held))
	for i, b := range bufs {
		if f.held[i] != nil {
			d.held[i] = b
		}
	}
}
