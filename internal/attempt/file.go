package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// The kinds of files, in Slot.Phase of a read or write, and in the bits KindMask of core.FD.Kind.
const (
	kindSocket uint8 = 1 + iota
	kindRegular
	kindDirect // a regular file or block device that goes around the page cache (O_DIRECT)
	kindOther
	kindChar // a character device
	kindAnon // what has no type: an eventfd, say
)

// KindMask are the bits of core.FD.Kind that the attempts use, besides the one called copies. The rest is the driver's.
const KindMask = 255

// The type bits of a mode, the same on every unix.
const (
	sIFMT  = 0xf000
	sIFREG = 0x8000
	sIFBLK = 0x6000
	sIFSCK = 0xc000
	sIFDIR = 0x4000
	sIFCHR = 0x2000
)

// kind finds out what kind of file s is about. What is remembered of the fd may be another file's, that
// was closed and opened behind the engine's back: that a socket is none, and that a regular file has no
// positions, the calls themselves tell (stale); before it is left to a worker, it is asked again.
func (t *Tries) kind(s *core.Slot, fresh bool) syscall.Errno {
	if kind := s.FD.Kind & KindMask; !fresh && kind != 0 {
		s.Phase = uint8(kind)
		return 0
	}
	t.Calls++
	mode, _, errno := sysx.Fstat(s.Op.FD)
	if errno != 0 {
		return errno
	}
	s.FD.Kind &^= KindMask
	switch mode & sIFMT {
	case sIFSCK:
		s.Phase = kindSocket
		s.FD.Kind |= uint32(kindSocket)
	case sIFREG, sIFBLK:
		s.Phase = kindRegular
		t.Calls++
		if sysx.Direct(s.Op.FD) {
			s.Phase = kindDirect
		}
		s.FD.Kind |= uint32(s.Phase)
	case sIFDIR:
		s.Phase = kindRegular
		s.FD.Kind |= uint32(kindRegular)
	case sIFCHR:
		s.Phase = kindChar
	case 0:
		s.Phase = kindAnon
	default:
		// Not remembered: with a regular file's positions ignored, it would read the wrong bytes.
		s.Phase = kindOther
	}
	return 0
}

// stale says whether errno means that the file is not of the kind that it was taken for.
func stale(s *core.Slot, errno syscall.Errno) bool {
	return s.Phase == kindSocket && errno == syscall.ENOTSOCK || hasPositions(s.Phase) && errno == syscall.ESPIPE
}

func hasPositions(kind uint8) bool { return kind == kindRegular || kind == kindDirect }

// Direct says whether s, of which an attempt has said Blocking, is a read or write at a position of its own that goes around the page
// cache.
func Direct(s *core.Slot) bool {
	return s.Phase == kindDirect && s.Op.Off >= 0 && transfers.Has(s.Op.Code)
}

// Again is for a transfer that is Direct and goes to a worker after all. It says whether its file still is what it was taken for; if not, the
// operation is to be tried again.
func (t *Tries) Again(s *core.Slot) (same bool, errno syscall.Errno) {
	errno = t.kind(s, true)
	return s.Phase == kindDirect, errno
}

var transfers = api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev,
	api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed)

// setVectors fills in the slot's MsgBuf.
func setVectors(s *core.Slot) {
	m := s.NeedMsg()
	if s.Op.Msg == nil {
		m.SetOne(s.Op.Buf, nil)
	} else {
		m.Set(s.Op.Msg.Bufs, nil)
	}
}

func (t *Tries) read(s *core.Slot) (int32, Verdict)  { return t.transfer(s, false) }
func (t *Tries) write(s *core.Slot) (int32, Verdict) { return t.transfer(s, true) }

// transfer reads or writes, as the kind of the file demands.
func (t *Tries) transfer(s *core.Slot, write bool) (int32, Verdict) {
	if s.Phase == phaseNew {
		setVectors(s)
		if errno := t.kind(s, false); errno != 0 {
			return -int32(errno), Done
		}
	}
	return t.known(s, write)
}

// known is transfer for a slot whose MsgBuf is filled in, of a file whose kind has been found out.
func (t *Tries) known(s *core.Slot, write bool) (int32, Verdict) {
	res, v := t.byKind(s, write)
	if res < 0 && stale(s, syscall.Errno(-res)) || v == Blocking && !(t.Async && Direct(s)) {
		was := s.Phase
		if errno := t.kind(s, true); errno != 0 {
			return -int32(errno), Done
		}
		if s.Phase != was {
			if s.Done > 0 {
				return s.Done, Done
			}
			return t.byKind(s, write)
		}
	}
	if res == -int32(syscall.ESPIPE) {
		res = t.forbidden(s, write)
	}
	return res, v
}

// forbidden is what a file without positions answers to a transfer at one: ESPIPE, unless its mode forbids the transfer, which
// io_uring looks at first, and the system calls last.
func (t *Tries) forbidden(s *core.Slot, write bool) int32 {
	call := sysx.Preadv2
	if write {
		call = sysx.Pwritev2
	}
	t.Calls++
	if _, errno := call(s.Op.FD, new(sysx.Iovecs), api.CurrentPosition, 0); errno == syscall.EBADF {
		return -int32(errno)
	}
	return -int32(syscall.ESPIPE)
}

func (t *Tries) byKind(s *core.Slot, write bool) (int32, Verdict) {
	switch {
	case s.Msg.Len() == 0:
		return t.empty(s, write)
	case s.Phase == kindSocket:
		return t.viaSocket(s, write)
	case s.Phase == kindDirect && s.Op.Flags&api.DontWait == 0:
		return 0, Blocking // RWF_NOWAIT keeps direct IO from waiting for room in the queue of the disk, not for the disk
	case hasPositions(s.Phase):
		return t.regular(s, write)
	}
	return t.other(s, write)
}

// wait is what a read or write waits for.
func wait(write bool) Verdict {
	if write {
		return Writable
	}
	return Readable
}

// empty moves 0 bytes, which never waits, and tells whether the file may be read or written at all.
func (t *Tries) empty(s *core.Slot, write bool) (int32, Verdict) {
	t.Calls++
	var errno syscall.Errno
	var n int
	if s.Phase >= kindOther && !write {
		// Some files wait all the same (inotify): they are asked only when they have something.
		t.Calls++
		if got, errno := sysx.Poll1(s.Op.FD, api.PollIn); errno == 0 && got == 0 {
			return 0, Done
		}
	}
	switch {
	case write && s.Phase > kindOther:
		n, errno = sysx.Pwritev2(s.Op.FD, s.Msg.Vecs(), api.CurrentPosition, 0) // write(2) would ask the device
	case write:
		n, errno = sysx.Write(s.Op.FD, nil)
	default:
		n, errno = sysx.Read(s.Op.FD, nil)
	}
	if errno != 0 {
		return -int32(errno), Done
	}
	return int32(n), Done
}

func (t *Tries) viaSocket(s *core.Slot, write bool) (int32, Verdict) {
	t.Calls++
	if write {
		n, errno := sysx.SendMsg(s.Op.FD, s.Msg, sysx.MsgDontWait)
		return outcome(s, n, errno, Writable)
	}
	n, errno := sysx.RecvMsg(s.Op.FD, s.Msg, sysx.MsgDontWait)
	return outcome(s, n, errno, Readable)
}

// regular reads what is in the page cache, and writes what fits into it, at once. The rest is for
// where it may wait: of a regular file a read is short only at its end.
func (t *Tries) regular(s *core.Slot, write bool) (int32, Verdict) {
	want := s.Msg.Len()
	n, errno := t.vectors(s, write)
	switch {
	case errno == 0 && n > 0 && n < want && s.Op.Flags&api.DontWait == 0:
		s.Done += int32(n)
		s.Msg.Advance(n)
		return 0, Blocking
	case errno == 0:
		return int32(n), Done
	case errno == syscall.EOPNOTSUPP || errno == syscall.ENOSYS:
		return t.unsure(s, write)
	case errno != syscall.EAGAIN:
		return -int32(errno), Done
	case s.Op.Flags&api.DontWait != 0:
		return -int32(syscall.EAGAIN), Done
	}
	return 0, Blocking
}

// unsure is for a file system or kernel that does not know RWF_NOWAIT. Files that wait for something to come (the kernel's log
// in /proc) tell by poll; all others are always ready, and are left to a worker.
func (t *Tries) unsure(s *core.Slot, write bool) (int32, Verdict) {
	mask := int16(api.PollIn)
	if write {
		mask = api.PollOut
	}
	t.Calls++
	if got, errno := sysx.Poll1(s.Op.FD, mask); errno != 0 || got != 0 {
		return 0, Blocking
	}
	return outcome(s, 0, syscall.EAGAIN, wait(write))
}

func (t *Tries) vectors(s *core.Slot, write bool) (int, syscall.Errno) {
	t.Calls++
	off := s.Op.Off
	if s.Phase >= kindOther {
		off = api.CurrentPosition // as in io_uring, a file without positions ignores them
	}
	if write {
		return sysx.Pwritev2(s.Op.FD, s.Msg.Vecs(), off, sysx.RWFNoWait|t.NoSignal)
	}
	return sysx.Preadv2(s.Op.FD, s.Msg.Vecs(), off, sysx.RWFNoWait)
}
