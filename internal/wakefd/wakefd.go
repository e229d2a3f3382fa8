package wakefd

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/sluiceio/sluice/internal/sysx"
)

// FD is a file descriptor to wake a loop with. Wake and Close are safe from any goroutine; Drain is for
// the one that waits.
//
// Every Wake is a system call: whoever can tell that a wake is still on its way
// (a flag that the loop clears before it looks at its work) should save it.
type FD struct {
	r, w int32 // the same for an eventfd
	// state counts those who are using the numbers, of which one is the FD itself until Close.
	// Bit 32 is set by Close. The numbers are closed by the last user, so no Wake can
	// write to a number that has been given to another file. It never waits, unlike a mutex.
	state atomic.Int64
}

const closed = 1 << 32

// one is what an eventfd takes, eight bytes in the order of the host. A pipe takes anything, and gets
// the same. Any non-zero number will do, so the order of the bytes does not matter.
var one = [8]byte{0: 1}

// New makes an FD, by an eventfd if the system has one.
func New() (*FD, error) {
	fd, errno := sysx.Eventfd()
	if errno != 0 {
		// A system without it, or a sandbox that forbids it. If it is the limit of open files, the
		// pipe reports that.
		return NewPipe()
	}
	return newFD(fd, fd), nil
}

// NewPipe makes an FD by a pipe, also where there are eventfds.
func NewPipe() (*FD, error) {
	r, w, errno := sysx.Pipe()
	if errno != 0 {
		return nil, fmt.Errorf("wakefd: %w", os.NewSyscallError("pipe", errno))
	}
	return newFD(r, w), nil
}

func newFD(r, w int32) *FD {
	f := &FD{r: r, w: w}
	f.state.Store(1)
	return f
}

// FD is the number to wait on for reading. It means nothing after Close.
func (f *FD) FD() int32 { return f.r }

// Wake makes FD readable until the next Drain. After Close it does nothing.
func (f *FD) Wake() {
	if !f.acquire() {
		return
	}
	// EAGAIN, the one error there can be, means that the counter or the pipe is full and FD thus
	// readable already: what was wanted.
	_, _ = sysx.Write(f.w, one[:])
	f.release()
}

// Drain makes FD unreadable. Look for work after it, not before: a Wake that came
// before Drain returned may be gone, and its work is there.
func (f *FD) Drain() {
	if !f.acquire() {
		return
	}
	defer f.release()
	var buf [512]byte
	for {
		// An eventfd is empty after one read, and says so at the second with EAGAIN. A full read is
		// the one case where a pipe may have more.
		n, errno := sysx.Read(f.r, buf[:])
		if errno != 0 || n < len(buf) {
			return
		}
	}
}

// Close closes the file, when the Wakes under way have ended. Only the first call counts.
func (f *FD) Close() {
	if f.state.Or(closed)&closed == 0 {
		f.release()
	}
}

// acquire makes the caller one of those who use the numbers, until release. It fails after Close.
func (f *FD) acquire() bool {
	for {
		s := f.state.Load()
		if s&closed != 0 {
			return false
		}
		if f.state.CompareAndSwap(s, s+1) {
			return true
		}
	}
}

func (f *FD) release() {
	if f.state.Add(-1) != closed {
		return
	}
	// Nothing that can fail here leaves anything to be done about it.
	_ = sysx.Close(f.r)
	if f.w != f.r {
		_ = sysx.Close(f.w)
	}
}
