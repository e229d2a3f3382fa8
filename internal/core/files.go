package core

import (
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// files is the table of registered files. Each slot holds a descriptor of the engine's own, a duplicate or one that an
// operation has made, so that the file stays open whatever the program does with its fd. mu guards all of it, for other
// goroutines install files; but the owner, who alone makes and drops the table, reads a slot without.
type files struct {
	mu       sync.Mutex
	fds      []atomic.Int32 // none: empty
	taken    slotSet        // slots that are not empty, and the one that is claimed
	from, to int            // those that AnySlot takes one of
	claimed  int            // for what the owner is about to make: see Claim; or none
	drop     []int32        // to be closed by the owner, when nothing is in flight on them any more
	closed   bool
	dirty    atomic.Bool // drop is not empty; to be looked at without mu
}

// maxFiles is how many slots a table may have. Linux has more (IORING_MAX_FIXED_FILES), and an Op has 16 bits for one.
const maxFiles = 1 << 15

// RegisterFiles implements api.Engine.
func (e *Engine) RegisterFiles(fds []int) error {
	if err := e.enter(); err != nil {
		return err
	}
	t := &e.files
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fds != nil:
		return syscall.EBUSY
	case len(fds) == 0:
		return syscall.EINVAL
	case len(fds) > maxFiles:
		return syscall.EMFILE
	}
	own, errno := duplicates(fds)
	if errno != 0 {
		closeAll(own)
		return errno
	}
	t.fds, t.taken = make([]atomic.Int32, len(own)), newSlotSet(len(own))
	t.from, t.to, t.claimed = 0, len(own), none
	for i, fd := range own {
		t.fds[i].Store(none)
		t.replace(i, fd)
	}
	return nil
}

// duplicates makes a descriptor of our own for each of fds, until one fails.
func duplicates(fds []int) (own []int32, errno syscall.Errno) {
	for _, fd := range fds {
		d, errno := dup(fd)
		if errno != 0 {
			return own, errno
		}
		own = append(own, d)
	}
	return own, 0
}

// dup is a descriptor of our own for the file fd; for none it is none.
func dup(fd int) (int32, syscall.Errno) {
	switch {
	case fd == none:
		return none, 0
	case fd < 0 || int(int32(fd)) != fd:
		return none, syscall.EBADF
	}
	return sysx.Dup(int32(fd))
}

func closeAll(fds []int32) {
	for _, fd := range fds {
		if fd != none {
			sysx.Close(fd)
		}
	}
}

// UpdateFiles implements api.Engine.
func (e *Engine) UpdateFiles(at int, fds []int) (int, error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	n, errno := updateFiles(&e.files, int64(at), fds)
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

// updateFiles puts fds into the slots from at on, until one fails. An errno is that of the first.
func updateFiles[F int | int32](t *files, at int64, fds []F) (n int, errno syscall.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fds == nil:
		return 0, syscall.ENXIO
	case len(fds) == 0, at < 0, at > int64(len(t.fds)-len(fds)):
		return 0, syscall.EINVAL
	}
	for i, fd := range fds {
		if fd == api.KeepSlot {
			continue
		}
		own, errno := dup(int(fd))
		if errno != 0 && i == 0 {
			return 0, errno
		}
		if errno != 0 {
			return i, 0
		}
		t.replace(int(at)+i, own)
	}
	return len(fds), 0
}

// replace puts fd into a slot. The one that was there is closed by the owner.
func (t *files) replace(slot int, fd int32) {
	if old := t.fds[slot].Swap(fd); old != none {
		t.drop = append(t.drop, old)
		t.dirty.Store(true)
	}
	if fd == none {
		t.taken.free(slot)
	} else {
		t.taken.take(slot)
	}
}

// UnregisterFiles implements api.Engine.
func (e *Engine) UnregisterFiles() error {
	if err := e.enter(); err != nil {
		return err
	}
	t := &e.files
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fds == nil {
		return syscall.ENXIO
	}
	for i := range t.fds {
		t.replace(i, none)
	}
	t.fds = nil
	return nil
}

// SetFileRange implements api.Engine.
func (e *Engine) SetFileRange(at, n int) error {
	if err := e.enter(); err != nil {
		return err
	}
	t := &e.files
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fds == nil:
		return syscall.ENXIO
	case at == 0 && n == 0:
		n = len(t.fds)
	case at < 0, n < 1, n > len(t.fds), at > len(t.fds)-n:
		return syscall.EINVAL
	}
	t.from, t.to = at, at+n
	return nil
}

// InstallFile implements api.Engine.
func (e *Engine) InstallFile(fd, slot int) (int, error) {
	t := &e.files
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return 0, api.ErrClosed
	case t.fds == nil:
		return 0, syscall.ENXIO
	case slot == api.AnySlot:
		if slot = t.empty(); slot == none {
			return 0, syscall.ENFILE
		}
	case slot < 0, slot >= len(t.fds):
		return 0, syscall.EINVAL
	}
	own, errno := dup(fd)
	if errno == 0 && own == none {
		errno = syscall.EBADF
	}
	if errno != 0 {
		return 0, errno
	}
	t.replace(slot, own)
	if t.dirty.Load() {
		e.Notify() // an owner that sleeps would leave the file open that was there
	}
	return slot, nil
}

// empty is a slot that AnySlot takes, or none.
func (t *files) empty() int { return t.taken.empty(t.from, t.to) }

// FileSlots is how many slots the table of registered files has.
func (e *Engine) FileSlots() int { return len(e.files.fds) }

// fixed is the descriptor in a slot, or none.
func (t *files) fixed(slot int32) int32 {
	if slot < 0 || int(slot) >= len(t.fds) {
		return none
	}
	return t.fds[slot].Load()
}

// tableFlags are those that have to do with the table.
const tableFlags = api.FixedFile | api.FixedFD2 | api.IntoSlot

// bySlot are the operations on one file that may be a registered one.
var bySlot = func() (ops api.OpSet) {
	for c := range api.OpCode(api.OpCount) {
		if in := optab.Of(c); in.FD && !in.At && c != api.OpClose {
			ops |= api.Ops(c)
		}
	}
	return ops
}()

// resolveKnown is resolve for the second and later operations on a file, which are the most. It says whether it was one.
func (e *Engine) resolveKnown(s *Slot) bool {
	slot := uint(s.Op.FD)
	if s.Op.Flags&tableFlags != api.FixedFile || bySlot>>s.Op.Code&1 == 0 || slot >= uint(len(e.files.fds)) {
		return false
	}
	fd := e.files.fds[slot].Load()
	if uint(fd) >= uint(len(e.fds.fds)) {
		return false
	}
	f := e.fds.fds[fd]
	if f == nil || !f.Own || f.closing != none {
		return false
	}
	s.Op.FD = fd
	s.Op.Flags &^= api.FixedFile
	return true
}

// resolve makes an operation on a registered file one on the engine's own descriptor of it.
func (e *Engine) resolve(s *Slot, in *optab.Info) syscall.Errno {
	fd := e.files.fixed(s.Op.FD)
	if fd == none || in.At || e.own(fd) == nil {
		return syscall.EBADF
	}
	s.Op.FD = fd
	s.Op.Flags &^= api.FixedFile
	return 0
}

// resolveSecond is resolve for Args.FD2, which goes to FD2 of the slot: Args is the program's.
func (e *Engine) resolveSecond(s *Slot) syscall.Errno {
	fd := e.files.fixed(s.Op.Args.FD2)
	if fd == none || e.own(fd) == nil {
		return syscall.EBADF
	}
	s.FD2 = fd
	e.slots.at(s.mate).Op.FD = fd
	s.Op.Flags &^= api.FixedFD2
	return 0
}

// own gives the FD of one of our descriptors, nil when the program has closed what is the engine's.
func (e *Engine) own(fd int32) *FD {
	f := e.fds.get(fd)
	if f == nil {
		return nil
	}
	if f.closing != none {
		e.fresh(fd) // the number is ours, so that a close of it has happened, though its completion may not have been seen
	}
	f.Own = true
	return f
}

// maxDrops is how many hidden closes there are at a time. They have slots of their own, so that they take none from operations.
const maxDrops = 32

// dropFiles closes what has been taken out of the table and has nothing in flight, by hidden closes, which make the driver
// forget the descriptor. What has something in flight comes back when that has ended: see leave.
func (e *Engine) dropFiles() {
	t := &e.files
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.drop) > 0 {
		n := t.drop[len(t.drop)-1]
		f := e.fds.get(n)
		if f == nil { // the program has closed what is the engine's
			t.drop = t.drop[:len(t.drop)-1]
			continue
		}
		if f.count > 0 {
			f.dropped = true
			t.drop = t.drop[:len(t.drop)-1]
			continue
		}
		if e.drops == maxDrops {
			return // go on when those have ended
		}
		t.drop = t.drop[:len(t.drop)-1]
		e.drops++
		c := e.slots.get()
		c.Op = api.Op{Code: api.OpClose, FD: n}
		c.hidden, c.state = true, stateStarted
		f.closing = c.Index
		e.quiet(f)
	}
	t.dirty.Store(false)
}

// undrop is called when nothing is in flight any more on a descriptor that has been taken out of the table.
func (e *Engine) undrop(f *FD) {
	f.dropped = false
	t := &e.files
	t.mu.Lock()
	t.drop = append(t.drop, f.N)
	t.dirty.Store(true)
	t.mu.Unlock()
}

// refuse makes InstallFile say that the engine is closed. The files stay.
func (t *files) refuse() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
}

// close closes the table. Nothing is in flight any more, and the driver is closed.
func (t *files) close() {
	t.mu.Lock()
	for i := range t.fds {
		t.replace(i, none)
	}
	closeAll(t.drop)
	t.fds, t.drop, t.closed = nil, nil, true
	t.mu.Unlock()
}
