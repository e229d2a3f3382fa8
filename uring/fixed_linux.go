package uring

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// fixed is the ring's own table of registered files, which saves the kernel looking up the file of each operation and counting its users.
// Its places are not the slots of the program's table: each of the engine's own descriptors (core.FD.Own) gets a place when the first
// operation on it begins, and has it until it is closed, when nothing is in flight on it. So no place ever changes under an operation, whatever becomes
// of the slot meanwhile, and other goroutines that install files have nothing to do with the ring.
//
// A place is filled by an entry of the submission queue, which comes before those that use it. It is emptied by a call, right before the
// close, because the peer shall see the end when the operation is told to have ended.
type fixed struct {
	fds   []int32    // by place: its descriptor, or -1; the kernel reads it when the entry is submitted
	of    []*core.FD // by place
	free  []int32    // places
	asked int        // how many were asked for
}

// fix gives f a place, if there is one, and room in the submission queue. If not, the next operation tries again.
func (d *driver) fix(f *core.FD) {
	t := &d.fixed
	if len(t.free) == len(t.fds) {
		d.makePlaces()
	}
	if len(t.free) == 0 {
		return
	}
	q := d.sqe()
	if q == nil {
		return
	}
	at := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.fds[at], t.of[at] = f.N, f
	// SAFETY: fds is on the heap and stays there until the table is made anew, when no entry is left that the kernel has not seen. What is in it
	// when the kernel reads is right: a place that has been emptied by then is emptied once more, or filled with its next file.
	q.PrepFilesUpdate(unsafe.Pointer(&t.fds[at]), 1, uint32(at))
	q.Flags = iouring.IOSQE_CQE_SKIP_SUCCESS
	q.UserData = kindFixed<<kindShift | uint64(at)
	f.Place = at + 1
}

// makePlaces makes the table when it is first needed, or a larger one when the program's has become larger. No place is in use.
func (d *driver) makePlaces() {
	t := &d.fixed
	asked := d.e.FileSlots()
	if asked <= t.asked {
		return
	}
	if len(t.fds) > 0 {
		if d.flushFirst(); d.ring.Unsubmitted() > 0 {
			return // an entry that has not been submitted may name what is in fds
		}
		d.count.Enters++
		if err := d.ring.UnregisterFiles(); err != nil {
			d.note(err)
			return
		}
		*t = fixed{}
	}
	t.asked = asked
	for n := asked; n > 0; n /= 2 { // RLIMIT_NOFILE is one of the limits
		d.count.Enters++
		if d.ring.RegisterFilesSparse(uint32(n)) == nil {
			t.make(n)
			return
		}
	}
	d.kern &^= api.KernFixedFiles // it works without
}

func (t *fixed) make(n int) {
	t.fds, t.of = make([]int32, n), make([]*core.FD, n)
	for at := n - 1; at >= 0; at-- {
		t.fds[at] = -1
		t.free = append(t.free, int32(at))
	}
}

// byPlace makes q name the file of s by its place, if it has one.
func byPlace(q *iouring.SQE, s *core.Slot) {
	s.ByPlace = s.FD.Place > 0 && q.Fd == s.Op.FD // a splice has its output there, and a pause nothing
	if s.ByPlace {
		q.Fd = s.FD.Place - 1
		q.Flags |= iouring.IOSQE_FIXED_FILE
	}
}

// refused is for an operation that was told EBADF when it named its file by a place: the kernel does not take every file (not that of
// another ring, for one, nor one without read and write), or had no memory. It goes on without, as all that follow on the file do.
func (d *driver) refused(s *core.Slot) {
	if s.FD.Place > 0 {
		s.FD.Place = -s.FD.Place
	}
	d.goOn(s)
}

// modeOps are the operations to which a file says EBADF that is not open for them.
var modeOps = api.Ops(api.OpRead, api.OpReadv, api.OpReadFixed, api.OpReadvFixed, api.OpReadMultishot, api.OpWrite, api.OpWritev, api.OpWriteFixed, api.OpWritevFixed)

// forbids says whether the file of s is not open for that, so that EBADF is its own answer, and none about the place.
func (d *driver) forbids(s *core.Slot) bool {
	if !modeOps.Has(s.Op.Code) {
		return false
	}
	d.count.Enters++
	flags, err := unix.FcntlInt(uintptr(s.Op.FD), unix.F_GETFL, 0)
	other := unix.O_WRONLY
	if waitsFor(&s.Op) == unix.POLLOUT {
		other = unix.O_RDONLY
	}
	return err == nil && flags&unix.O_ACCMODE == other
}

// notFixed is called when a place could not be filled. That of a table which has been made anew meanwhile, and has become smaller, may be none any more.
func (d *driver) notFixed(at int32) {
	if int(at) >= len(d.fixed.of) {
		return
	}
	if f := d.fixed.of[at]; f != nil && f.Place > 0 {
		f.Place = -f.Place
	}
}

// unfix empties the place of f, which is about to be closed.
func (d *driver) unfix(f *core.FD) {
	t := &d.fixed
	at := max(f.Place, -f.Place) - 1
	f.Place = 0
	t.fds[at], t.of[at] = -1, nil
	t.free = append(t.free, at)
	d.count.Enters++
	if errno := d.ring.ClearFile(uint32(at)); errno != 0 {
		d.note(os.NewSyscallError("io_uring_register", errno))
	}
}

// letsGo finds out whether a file that is taken out of the table of r is let go of at once. Before Linux 6.13 it is kept until all
// operations that began earlier have ended, those on other files too, so that a connection would not end when it is closed.
func letsGo(r *iouring.Ring) bool {
	if r.RegisterFilesSparse(2) != nil {
		return false
	}
	var p [2]int
	if unix.Pipe2(p[:], unix.O_CLOEXEC) != nil {
		return false
	}
	defer func() { _ = unix.Close(p[0]) }() // nothing was written to it
	_, err := r.FilesUpdate(0, []int32{int32(p[0]), int32(p[1])}, nil)
	_ = unix.Close(p[1]) // as above
	if err != nil {
		return false
	}
	q := r.NextSQE()
	if q == nil {
		return false
	}
	q.PrepPollAdd(0, unix.POLLIN)
	q.Flags = iouring.IOSQE_FIXED_FILE
	if _, errno := r.Enter(r.Flush(), 0, 0); errno != 0 || r.ClearFile(1) != 0 {
		return false
	}
	got, errno := sysx.Poll1(int32(p[0]), unix.POLLIN)
	return errno == 0 && got&unix.POLLHUP != 0
}
