package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Operations with IntoSlot are performed like those without, and the fd that they get becomes the engine's own, in the slot: it is
// moved, not duplicated, and the program never sees its number. What is wrong with the slot is found before anything is performed, which
// io_uring does afterwards, when a connection that was accepted is lost (docs/DESIGN.md).

// intoSlot in the flags of a completion, which no program sees, says that its file is in the table: Res is no fd.
const intoSlot api.CompletionFlags = 1 << 15

// checkInto finds what is wrong with an operation with IntoSlot by itself. As in the kernel, what has no fd cannot have its flags.
func checkInto(op *api.Op) syscall.Errno {
	cloexec := uint64(sysx.OpenCloexec)
	flags := uint64(op.Arg)
	switch op.Code {
	case api.OpAccept, api.OpSocket:
		cloexec = sysx.SockCloexec
	case api.OpOpenat2:
		if op.Args.How == nil {
			return syscall.EFAULT
		}
		flags = op.Args.How.Flags
	}
	if flags&cloexec != 0 || op.Flags&api.Multishot != 0 && op.Group != api.NoIndex {
		return syscall.EINVAL
	}
	return 0
}

// vacant finds what is wrong with the slot that op puts its file into.
func (e *Engine) vacant(op *api.Op) syscall.Errno {
	t := &e.files
	t.mu.Lock()
	defer t.mu.Unlock()
	need := 1
	if op.Code == api.OpPipe {
		need = 2
	}
	switch {
	case t.fds == nil:
		return syscall.ENXIO
	case op.Group != api.NoIndex:
		if int(op.Group) > len(t.fds)-need {
			return syscall.EINVAL
		}
		return 0
	}
	for at := t.from; need > 0; need-- {
		i := t.taken.empty(at, t.to)
		if i == none {
			return syscall.ENFILE
		}
		at = i + 1
	}
	return 0
}

// Claim is for an attempt at an accept with IntoSlot: it finds what is wrong with the slot, and keeps an empty one for what is accepted, so that no
// connection is taken that there is no place for. Unclaim gives it back when nothing was.
func (e *Engine) Claim(s *Slot) syscall.Errno {
	if errno := e.vacant(&s.Op); errno != 0 || s.Op.Group != api.NoIndex {
		return errno
	}
	t := &e.files
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.claimed = t.empty(); t.claimed == none { // another goroutine was faster
		return syscall.ENFILE
	}
	t.taken.take(t.claimed)
	return 0
}

// Unclaim gives back what Claim has kept.
func (e *Engine) Unclaim() {
	t := &e.files
	t.mu.Lock()
	t.unclaim()
	t.mu.Unlock()
}

func (t *files) unclaim() {
	if t.claimed != none && t.fds[t.claimed].Load() == none {
		t.taken.free(t.claimed)
	}
	t.claimed = none
}

// into moves the file that s has made into the table, and gives what the program is told.
func (e *Engine) into(s *Slot, res int32) int32 {
	if s.Op.Code == api.OpPipe {
		return e.pipeInto(s)
	}
	e.fresh(res)
	slot, errno := e.files.place(int(s.Op.Group), res)
	switch {
	case errno != 0:
		return -int32(errno)
	case s.Op.Group == api.NoIndex:
		return slot
	}
	return 0
}

// pipeInto is into for both ends of a pipe.
func (e *Engine) pipeInto(s *Slot) int32 {
	p, slot := s.Op.Args.Pipe, int(s.Op.Group)
	e.fresh(p[0])
	e.fresh(p[1])
	first, errno := e.files.place(slot, p[0])
	if errno != 0 {
		sysx.Close(p[1])
		*p = [2]int32{none, none}
		return -int32(errno)
	}
	if slot != api.NoIndex {
		slot++
	}
	second, errno := e.files.place(slot, p[1])
	if errno != 0 {
		_, _ = updateFiles(&e.files, int64(first), []int32{none}) // the slot is there, for it has just been filled
		*p = [2]int32{none, none}
		return -int32(errno)
	}
	*p = [2]int32{first, second}
	return 0
}

// place puts fd into a slot, NoIndex for any. When it cannot, fd is closed: nobody knows of it.
func (t *files) place(slot int, fd int32) (int32, syscall.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	claimed := t.claimed
	slot, errno := t.target(slot)
	if errno == syscall.ENFILE && claimed != none {
		// Another goroutine has named the slot meanwhile: as if it had replaced this file there.
		sysx.Close(fd)
		return int32(claimed), 0
	}
	if errno != 0 {
		sysx.Close(fd)
		return none, errno
	}
	t.replace(slot, fd)
	return int32(slot), 0
}

// target is the slot that a new file goes to.
func (t *files) target(slot int) (int, syscall.Errno) {
	switch {
	case t.fds == nil:
		return none, syscall.ENXIO
	case slot == api.NoIndex:
		claimed := t.claimed
		if t.unclaim(); claimed != none && t.fds[claimed].Load() == none {
			return claimed, 0
		}
		if slot = t.empty(); slot == none {
			return none, syscall.ENFILE
		}
	case slot >= len(t.fds):
		return none, syscall.EINVAL
	}
	return slot, 0
}

// startCloseSlot performs an OpClose with FixedFile: the slot is empty from now on, and its file is closed like any other.
func (e *Engine) startCloseSlot(s *Slot) {
	fd, errno := e.files.takeOut(s.Op.FD)
	if errno == 0 && e.own(fd) == nil {
		errno = syscall.EBADF
	}
	if errno != 0 {
		e.End(s, -int32(errno))
		return
	}
	s.Op.FD = fd
	s.Op.Flags &^= api.FixedFile
	e.startClose(e.fds.get(fd), s)
}

// takeOut empties a slot and gives what was there.
func (t *files) takeOut(slot int32) (int32, syscall.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fds == nil:
		return none, syscall.ENXIO
	case slot < 0, int(slot) >= len(t.fds):
		return none, syscall.EINVAL
	}
	fd := t.fds[slot].Swap(none)
	if fd == none {
		return none, syscall.EBADF
	}
	t.taken.free(int(slot))
	return fd, 0
}

// startFilesUpdate performs an OpFilesUpdate.
func (e *Engine) startFilesUpdate(s *Slot) {
	s.state = stateStarted
	var n int
	var errno syscall.Errno
	if fds := s.Op.Args.FDs; s.Op.Off == api.AnySlot {
		n, errno = e.files.scatter(fds)
	} else {
		n, errno = updateFiles(&e.files, s.Op.Off, fds)
	}
	if errno != 0 {
		e.End(s, -int32(errno))
		return
	}
	e.End(s, int32(n))
}

// scatter puts each of fds into an empty slot, and the slot in its place, until one fails. An errno is that of the first.
func (t *files) scatter(fds []int32) (n int, errno syscall.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fds == nil:
		return 0, syscall.ENXIO
	case len(fds) == 0:
		return 0, syscall.EINVAL
	}
	for i, fd := range fds {
		slot, own, errno := t.putAnywhere(fd)
		if errno != 0 && i == 0 {
			return 0, errno
		}
		if errno != 0 {
			return i, 0
		}
		t.replace(slot, own)
		fds[i] = int32(slot)
	}
	return len(fds), 0
}

// putAnywhere makes a duplicate of fd, and finds an empty slot to put it in.
func (t *files) putAnywhere(fd int32) (slot int, own int32, errno syscall.Errno) {
	if fd < 0 {
		return none, none, syscall.EBADF
	}
	if own, errno = sysx.Dup(fd); errno != 0 {
		return none, none, errno
	}
	if slot = t.empty(); slot == none {
		sysx.Close(own)
		return none, none, syscall.ENFILE
	}
	return slot, own, 0
}
