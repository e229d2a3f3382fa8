package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// other is for pipes, terminals, eventfds and the like.
func (t *Tries) other(s *core.Slot, write bool) (int32, Verdict) {
	if s.Phase != kindChar {
		n, errno := t.vectors(s, write)
		if errno == 0 || errno != syscall.EOPNOTSUPP && errno != syscall.ENOSYS {
			return outcome(s, n, errno, wait(write))
		}
	}
	// The file does not know RWF_NOWAIT, or, as a device, cuts short what it has enough of.
	switch {
	case !write:
		return t.readPlain(s)
	case s.Phase == kindOther:
		return t.writePipe(s)
	}
	return t.writeUnblocked(s)
}

// ready says whether poll(2) reports that s can be done.
func (t *Tries) ready(s *core.Slot, mask int16) bool {
	t.Calls++
	got, errno := sysx.Poll1(s.Op.FD, mask)
	return errno == 0 && got != 0
}

// readPlain reads without any flag what poll says is there. Of a file that is neither a pipe nor a device it reads the first buffer
// alone: the kernel makes one read of each buffer of an inotify fd, and the second waits.
func (t *Tries) readPlain(s *core.Slot) (int32, Verdict) {
	if !t.ready(s, api.PollIn) {
		return outcome(s, 0, syscall.EAGAIN, Readable)
	}
	t.Calls++
	if s.Phase == kindChar || s.Phase == kindOther && sysx.VectorsAtOnce {
		n, errno := sysx.Preadv2(s.Op.FD, s.Msg.Vecs(), api.CurrentPosition, 0)
		return outcome(s, n, errno, Readable)
	}
	b := s.Op.Buf
	if s.Op.Msg != nil {
		for _, v := range s.Op.Msg.Bufs {
			if b = v; len(b) > 0 {
				break
			}
		}
	}
	n, errno := sysx.Read(s.Op.FD, b)
	return outcome(s, n, errno, Readable)
}

// writePipe writes to a pipe of a system without RWF_NOWAIT, or to a FIFO, which does not know it on Linux either. As much as PIPE_BUF
// does not wait when poll says that there is room.
func (t *Tries) writePipe(s *core.Slot) (int32, Verdict) {
	if t.page == nil {
		t.page = new([sysx.PipeBuf]byte)
	}
	for moved := 0; ; {
		n := gather(t.page[:], &s.Op, moved)
		if n == 0 {
			return int32(moved), Done
		}
		errno := syscall.EAGAIN
		if t.ready(s, api.PollOut) {
			t.Calls++
			t.vec.SetOne(t.page[:n])
			n, errno = sysx.Pwritev2(s.Op.FD, &t.vec, api.CurrentPosition, t.NoSignal)
		}
		if errno != 0 && moved == 0 {
			return outcome(s, 0, errno, Writable)
		}
		if errno != 0 {
			return int32(moved), Done // the next write will meet it
		}
		moved += n
	}
}

// gather copies into dst what op writes, without the first off bytes.
func gather(dst []byte, op *api.Op, off int) (n int) {
	if op.Msg == nil {
		return copy(dst, op.Buf[off:])
	}
	for _, b := range op.Msg.Bufs {
		if off >= len(b) {
			off -= len(b)
			continue
		}
		n += copy(dst[n:], b[off:])
		off = 0
	}
	return n
}

// writeUnblocked writes to a file that poll(2) calls writable while it has room for less than is to be written: a terminal, or an
// eventfd whose sum would be too large. Nothing but O_NONBLOCK keeps such a write from waiting.
func (t *Tries) writeUnblocked(s *core.Slot) (int32, Verdict) {
	t.Calls += 2
	on, errno := sysx.Nonblock(s.Op.FD)
	if errno == 0 && !on {
		t.Calls += 2
		errno = sysx.SetNonblock(s.Op.FD, true)
	}
	if errno != 0 {
		return -int32(errno), Done
	}
	n, errno := sysx.Pwritev2(s.Op.FD, s.Msg.Vecs(), api.CurrentPosition, 0)
	if !on {
		if e := sysx.SetNonblock(s.Op.FD, false); e != 0 && errno == 0 {
			errno = e
		}
	}
	return outcome(s, n, errno, Writable)
}
