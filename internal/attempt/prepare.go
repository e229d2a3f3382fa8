package attempt

import (
	"math"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// Prepare checks the arguments of the operations on paths and files, and copies those that the kernel wants in another form into the slot: the
// strings, what openat2 does. An errno is the operation's. All backends ask it first, so that what is wrong with the
// arguments by themselves is the same everywhere; the rest is left to the kernel.
func Prepare(s *core.Slot) syscall.Errno {
	op, a := &s.Op, s.Op.Args
	switch op.Code {
	case api.OpOpenat, api.OpOpenat2:
		return prepareOpen(s)
	case api.OpStatx, api.OpMkdirat:
		if op.Code == api.OpStatx && a.Stat == nil {
			return syscall.EFAULT
		}
		if op.Off < 0 || op.Off > math.MaxUint32 {
			return syscall.EINVAL
		}
		return s.NeedPaths().SetPath(a.Path)
	case api.OpUnlinkat:
		return s.NeedPaths().SetPath(a.Path)
	case api.OpRenameat, api.OpLinkat, api.OpSymlinkat:
		p := s.NeedPaths()
		if errno := p.SetPath(a.Path); errno != 0 {
			return errno
		}
		return p.SetNewPath(a.NewPath)
	case api.OpGetxattr, api.OpSetxattr, api.OpFgetxattr, api.OpFsetxattr:
		p := s.NeedPaths()
		if errno := p.SetPath(a.Path); errno != 0 {
			return errno
		}
		return p.SetName(a.Name)
	case api.OpFtruncate:
		if op.Off < 0 {
			return syscall.EINVAL // before the kernel looks at the file, as the system call has it
		}
	case api.OpPipe:
		if a.Pipe == nil {
			return syscall.EFAULT
		}
	}
	return 0
}

func prepareOpen(s *core.Slot) syscall.Errno {
	op, p := &s.Op, s.NeedPaths()
	if op.Code == api.OpOpenat2 {
		how := op.Args.How
		if how == nil {
			return syscall.EFAULT
		}
		p.SetOpen(how.Flags, how.Mode, how.Resolve)
		return p.SetPath(op.Args.Path)
	}
	if op.Off < 0 || op.Off > math.MaxUint32 {
		return syscall.EINVAL
	}
	p.SetOpen(uint64(op.Arg), uint64(op.Off), 0)
	return p.SetPath(op.Args.Path)
}

// Opened finishes an open that gave the new file fd.
func Opened(s *core.Slot, fd int32) {
	s.Paths.Opened(fd)
}

// pooled is for what a worker performs.
func (t *Tries) pooled(s *core.Slot) (int32, Verdict) {
	if errno := Prepare(s); errno != 0 {
		return -int32(errno), Done
	}
	return 0, Blocking
}

// pipe makes a pipe, which never waits.
func (t *Tries) pipe(s *core.Slot) (int32, Verdict) {
	if errno := Prepare(s); errno != 0 {
		return -int32(errno), Done
	}
	t.Calls++
	return -int32(sysx.PipeInto(s.Op.Args.Pipe, s.Op.Arg)), Done
}
