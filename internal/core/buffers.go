package core

import (
	"syscall"
	"unsafe"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// The limits of a table of registered buffers, those of io_uring (IORING_MAX_REG_BUFFERS, and 1 GiB for each).
const (
	maxBuffers    = 1 << 14
	maxBufferSize = 1 << 30
)

// buffers is the table of registered buffers.
type buffers struct {
	slots  []*Buffer // nil: there is no table; an element: the slot is empty
	pinned int       // operations in flight on one
}

// Buffer is a buffer that has been registered: memory of the program's, which its slots of the table and the operations in flight hold. It
// is the table's no longer when the last of them lets go.
type Buffer struct {
	mem  []byte
	refs int
	lock *locked // its share of the memory that counts as locked
}

// Bytes are the memory.
func (b *Buffer) Bytes() []byte { return b.mem }

func (b *Buffer) release() {
	if b.refs--; b.refs == 0 {
		b.lock.release()
		b.mem = nil
	}
}

// holds says whether part lies wholly inside. One of no bytes lies where it begins, and nil nowhere, as in the kernel.
func (b *Buffer) holds(part []byte) bool {
	// SAFETY: the addresses are of memory that both slices keep alive, and are only compared.
	first, p := uintptr(unsafe.Pointer(unsafe.SliceData(b.mem))), uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	return p >= first && p-first <= uintptr(len(b.mem)) && uintptr(len(part)) <= uintptr(len(b.mem))-(p-first)
}

// Registrar is what a Driver is besides whose kernel can be told of the registered buffers, and need not look up the memory for each
// operation then. It changes no result: what the kernel does not take works as well without it.
type Registrar interface {
	// PutBuffers tells that the slots from at on of a table of n hold bufs from now on, nil for an empty one; busy
	// says whether anything is in flight on a registered buffer, also of an earlier table.
	PutBuffers(n, at int, bufs []*Buffer, busy bool)
	// DropBuffers tells that there is no table any more.
	DropBuffers(busy bool)
	// CloneBuffers tells that bufs, a new table, hold what the table of another engine holds, whose driver is from.
	CloneBuffers(from Driver, bufs []*Buffer, busy bool)
}

// RegisterBuffers implements api.Engine.
func (e *Engine) RegisterBuffers(bufs [][]byte) error {
	if err := e.enter(); err != nil {
		return err
	}
	switch {
	case e.bufs.slots != nil:
		return syscall.EBUSY
	case len(bufs) == 0:
		return syscall.EINVAL
	case len(bufs) > maxBuffers:
		return syscall.EMFILE
	}
	made, err := newBuffers(bufs)
	if err != nil {
		for _, b := range made {
			if b != nil {
				b.release()
			}
		}
		return err
	}
	e.bufs.slots = made
	if r, ok := e.drv.(Registrar); ok {
		r.PutBuffers(len(made), 0, made, e.bufs.pinned > 0)
	}
	return nil
}

// newBuffers makes a Buffer for each of bufs, until one is no good. It is the caller's to release those that there are then.
func newBuffers(bufs [][]byte) (made []*Buffer, err error) {
	need := uint64(0) // by the whole list: what a program has to make room for
	for _, b := range bufs {
		need += pagesOf(b)
	}
	made = make([]*Buffer, 0, len(bufs))
	for _, b := range bufs {
		if b == nil {
			made = append(made, nil)
			continue
		}
		if len(b) == 0 || len(b) > maxBufferSize {
			return made, syscall.EINVAL
		}
		l, err := lock(b, need)
		if err != nil {
			return made, err
		}
		made = append(made, &Buffer{mem: b[:len(b):len(b)], refs: 1, lock: l})
	}
	return made, nil
}

// UpdateBuffers implements api.Engine.
func (e *Engine) UpdateBuffers(at int, bufs [][]byte) (int, error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	t := &e.bufs
	switch {
	case t.slots == nil:
		return 0, syscall.ENXIO
	case len(bufs) == 0, at < 0, at > len(t.slots)-len(bufs):
		return 0, syscall.EINVAL
	}
	made, err := newBuffers(bufs)
	if err != nil && len(made) == 0 {
		return 0, err
	}
	if r, ok := e.drv.(Registrar); ok {
		r.PutBuffers(len(t.slots), at, made, t.pinned > 0)
	}
	for i, b := range made {
		if old := t.slots[at+i]; old != nil {
			old.release()
		}
		t.slots[at+i] = b
	}
	return len(made), nil
}

// UnregisterBuffers implements api.Engine.
func (e *Engine) UnregisterBuffers() error {
	if err := e.enter(); err != nil {
		return err
	}
	if e.bufs.slots == nil {
		return syscall.ENXIO
	}
	if r, ok := e.drv.(Registrar); ok {
		r.DropBuffers(e.bufs.pinned > 0)
	}
	e.bufs.drop()
	return nil
}

// drop empties all slots, and takes the table away.
func (t *buffers) drop() {
	for _, b := range t.slots {
		if b != nil {
			b.release()
		}
	}
	t.slots = nil
}

// CloneBuffers implements api.Engine.
func (e *Engine) CloneBuffers(from api.Engine) error {
	if err := e.enter(); err != nil {
		return err
	}
	f, ok := from.(*Engine)
	switch {
	case e.bufs.slots != nil:
		return syscall.EBUSY
	case !ok || f == nil || f == e:
		return syscall.EINVAL
	case f.closed.Load():
		return api.ErrClosed
	case f.bufs.slots == nil:
		return syscall.ENXIO
	}
	made := make([]*Buffer, len(f.bufs.slots))
	for i, b := range f.bufs.slots {
		if b != nil {
			made[i] = &Buffer{mem: b.mem, refs: 1, lock: b.lock.again()}
		}
	}
	e.bufs.slots = made
	if r, ok := e.drv.(Registrar); ok {
		r.CloneBuffers(f.drv, made, e.bufs.pinned > 0)
	}
	return nil
}

// pinBuffer finds the registered buffer that an operation names in Op.Group, and makes s hold it until it ends. EFAULT says that there is
// none, or that the operation goes beyond it.
func (e *Engine) pinBuffer(s *Slot, vector bool) syscall.Errno {
	t := &e.bufs
	if int(s.Op.Group) >= len(t.slots) {
		return syscall.EFAULT
	}
	b := t.slots[s.Op.Group]
	if b == nil {
		return syscall.EFAULT
	}
	if !vector && !b.holds(s.Op.Buf) {
		return syscall.EFAULT
	}
	if vector {
		for _, part := range s.Op.Msg.Bufs {
			if !b.holds(part) {
				return syscall.EFAULT
			}
		}
	}
	b.refs++
	t.pinned++
	s.Fixed = b
	return 0
}

// unpin lets go of what pinBuffer has found.
func (e *Engine) unpin(s *Slot) {
	e.bufs.pinned--
	invariants.Check(e.bufs.pinned >= 0 && s.Fixed.refs > 0, "%d operations on registered buffers, %d holds on this one", e.bufs.pinned, s.Fixed.refs)
	s.Fixed.release()
	s.Fixed = nil
}
