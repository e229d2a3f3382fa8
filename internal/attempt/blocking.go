package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Wait performs the operation in s where it may wait: in a worker. Nobody else touches s meanwhile.
func Wait(s *core.Slot) int32 {
	switch s.Op.Code {
	case api.OpFsync:
		if s.Op.Flags&api.DataSync != 0 {
			return -int32(sysx.Fdatasync(s.Op.FD))
		}
		return -int32(sysx.Fsync(s.Op.FD))
	case api.OpRead, api.OpReadv, api.OpReadFixed, api.OpReadvFixed:
		return move(s, sysx.Preadv2Blocking)
	case api.OpWrite, api.OpWritev, api.OpWriteFixed, api.OpWritevFixed:
		return move(s, sysx.Pwritev2Blocking)
	}
	return perform(s)
}

// move goes on until all bytes are moved, the file ends, or it fails.
func move(s *core.Slot, call func(int32, *sysx.Iovecs, int64, int) (int, syscall.Errno)) int32 {
	v := s.Msg.Vecs()
	for v.Len() > 0 {
		off := s.Op.Off
		if off >= 0 {
			off += int64(s.Done)
		}
		n, errno := call(s.Op.FD, v, off, 0)
		if errno != 0 {
			return -int32(errno) // the engine reports s.Done if there is any
		}
		if n == 0 {
			break
		}
		s.Done += int32(n)
		v.Advance(n)
	}
	return s.Done
}
