package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// perform makes the system call of an operation on paths or on a file, which Prepare has seen, where it may block.
func perform(s *core.Slot) int32 {
	op, p := &s.Op, s.Paths
	var errno syscall.Errno
	switch op.Code {
	case api.OpOpenat:
		return open(s, sysx.Openat)
	case api.OpOpenat2:
		return open(s, sysx.Openat2)
	case api.OpGetxattr:
		return size(sysx.Getxattr(p, op.Buf))
	case api.OpFgetxattr:
		return size(sysx.Fgetxattr(op.FD, p, op.Buf))
	case api.OpStatx:
		errno = sysx.Statx(op.FD, p, op.Arg, uint32(op.Off), op.Args.Stat)
	case api.OpUnlinkat:
		errno = sysx.Unlinkat(op.FD, p, op.Arg)
	case api.OpMkdirat:
		errno = sysx.Mkdirat(op.FD, p, uint32(op.Off))
	case api.OpRenameat:
		errno = sysx.Renameat(op.FD, s.FD2, p, op.Arg)
	case api.OpLinkat:
		errno = sysx.Linkat(op.FD, s.FD2, p, op.Arg)
	case api.OpSymlinkat:
		errno = sysx.Symlinkat(op.FD, p)
	case api.OpSetxattr:
		errno = sysx.Setxattr(p, op.Buf, op.Arg)
	case api.OpFsetxattr:
		errno = sysx.Fsetxattr(op.FD, p, op.Buf, op.Arg)
	case api.OpFallocate:
		errno = sysx.Fallocate(op.FD, op.Arg, op.Off, op.Args.Len)
	case api.OpFtruncate:
		errno = sysx.Ftruncate(op.FD, op.Off)
	case api.OpFadvise:
		errno = sysx.Fadvise(op.FD, op.Off, op.Args.Len, op.Arg)
	case api.OpMadvise:
		errno = sysx.Madvise(op.Buf, op.Arg)
	case api.OpSyncFileRange:
		errno = sysx.SyncFileRange(op.FD, op.Off, op.Args.Len, op.Arg)
	case api.OpSplice, api.OpTee:
		return size(transferPipe(s))
	default:
		errno = syscall.EINVAL
	}
	return -int32(errno)
}

// size is the result of a call that gives a number.
func size(n int, errno syscall.Errno) int32 {
	if errno != 0 {
		return -int32(errno)
	}
	return int32(n)
}

func open(s *core.Slot, call func(int32, *sysx.PathBuf) (int, syscall.Errno)) int32 {
	fd, errno := call(s.Op.FD, s.Paths)
	if errno == syscall.EAGAIN && s.Paths.Waits() {
		fd, errno = call(s.Op.FD, s.Paths)
	}
	if errno != 0 {
		return -int32(errno)
	}
	Opened(s, int32(fd))
	return int32(fd)
}
