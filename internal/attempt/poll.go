package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Conditions of poll(2) that package api has no names for, as Linux numbers them. Files that have something to be read or room
// to write report these beside PollIn and PollOut.
const (
	PollRdNorm = 0x40
	PollWrNorm = 0x100
	PollWrBand = 0x200
)

// always is what a file has that does not know poll.
const always = api.PollIn | api.PollOut | PollRdNorm | PollWrNorm

// pollNval is POLLNVAL, the same number on every unix.
const pollNval = 0x20

// poll looks at the conditions of an fd.
func (t *Tries) poll(s *core.Slot) (int32, Verdict) {
	t.Calls++
	mask := s.Op.Arg
	if mask&api.PollIn != 0 {
		mask |= sysx.PollRdHup
	}
	got, errno := t.Holds(s.Op.FD, int16(mask))
	switch {
	case errno != 0:
		return -int32(errno), Done
	case got&pollNval != 0:
		return -int32(syscall.EBADF), Done
	case got != 0:
		return int32(uint16(got)), Done
	case s.Phase == phaseNew:
		s.Phase = phaseSet
		if mask&always == 0 && t.constant(s.Op.FD) {
			return -int32(syscall.EINVAL), Done
		}
	}
	if s.Op.Arg&(api.PollIn|api.PollPri|api.PollRDHup) == 0 && s.Op.Arg&api.PollOut != 0 {
		return 0, Writable
	}
	return 0, Readable
}

// Holds is poll(2) of one fd that does not wait. A notification of the engine's own in the error queue of a socket is nothing to report.
func (t *Tries) Holds(fd int32, mask int16) (int16, syscall.Errno) {
	got, errno := sysx.Poll1(fd, mask)
	if got&api.PollErr != 0 && t.Reaped(fd) {
		t.Calls++
		return sysx.Poll1(fd, mask)
	}
	return got, errno
}

// constant says whether the conditions of fd are always the same, so that there is nothing to wait for: those of a regular file,
// say. io_uring finds that such a file has no queue to wait in; epoll, that it cannot be watched.
func (t *Tries) constant(fd int32) bool {
	t.Calls++
	if got, errno := sysx.Poll1(fd, always); errno != 0 || got != always {
		return false
	}
	t.Calls += 3
	return sysx.Unpollable(fd)
}

// Ready says whether fd has something to read, an end of stream and an error included.
func (t *Tries) Ready(fd int32) bool {
	t.Calls++
	got, errno := sysx.Poll1(fd, api.PollIn)
	return errno == 0 && got != 0
}
