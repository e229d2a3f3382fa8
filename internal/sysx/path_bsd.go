//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sysx

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// openHow is what SetOpen is told.
type openHow struct{ flags, mode uint32 }

// SetOpen says how to open. The new file is close-on-exec, and O_NONBLOCK keeps the open from waiting for the other end of a FIFO or for a
// device.
func (p *PathBuf) SetOpen(flags, mode, _ uint64) {
	p.added = flags&unix.O_NONBLOCK == 0
	p.how = openHow{uint32(flags) | unix.O_CLOEXEC | unix.O_NONBLOCK, uint32(mode)}
}

// Waits makes an open that was refused with EAGAIN one that may wait, and says whether that changes anything.
func (p *PathBuf) Waits() bool {
	if !p.added {
		return false
	}
	p.added = false
	p.how.flags &^= unix.O_NONBLOCK
	return true
}

// Opened takes O_NONBLOCK away from a new file that was opened with it for our sake alone. One that cannot be changed keeps it.
func (p *PathBuf) Opened(fd int32) {
	if p.added {
		_ = SetNonblock(fd, false) // see above
	}
}

// directory is dir as the system has it.
func directory(dir int32) int {
	if dir == api.AtCWD {
		return unix.AT_FDCWD
	}
	return int(dir)
}

// text is what terminate has copied.
func text(b []byte) string { return string(b[:max(len(b)-1, 0)]) }

// call makes a call until it is not interrupted.
func call(f func() error) syscall.Errno {
	_, errno := retry(func() (int, error) { return 0, f() })
	return errno
}

// Openat is openat(2) of the path, as SetOpen has said. It blocks.
func Openat(dir int32, p *PathBuf) (int, syscall.Errno) {
	return retry(func() (int, error) {
		return unix.Openat(directory(dir), text(p.path), int(p.how.flags), p.how.mode)
	})
}

// Unlinkat is unlinkat(2) of the path. It blocks.
func Unlinkat(dir int32, p *PathBuf, flags uint32) syscall.Errno {
	return call(func() error { return unix.Unlinkat(directory(dir), text(p.path), int(flags)) })
}

// Mkdirat is mkdirat(2) of the path. It blocks.
func Mkdirat(dir int32, p *PathBuf, mode uint32) syscall.Errno {
	return call(func() error { return unix.Mkdirat(directory(dir), text(p.path), mode) })
}

// Renameat is renameat(2) of the first path to the second, which knows no flags here: EINVAL. It blocks.
func Renameat(oldDir, newDir int32, p *PathBuf, flags uint32) syscall.Errno {
	if flags != 0 {
		return unix.EINVAL
	}
	return call(func() error {
		return unix.Renameat(directory(oldDir), text(p.path), directory(newDir), text(p.newPath))
	})
}

// Linkat is linkat(2) of the first path to the second. It blocks.
func Linkat(oldDir, newDir int32, p *PathBuf, flags uint32) syscall.Errno {
	return call(func() error {
		return unix.Linkat(directory(oldDir), text(p.path), directory(newDir), text(p.newPath), int(flags))
	})
}

// Symlinkat is symlinkat(2): the second path becomes a link to the first. It blocks.
func Symlinkat(newDir int32, p *PathBuf) syscall.Errno {
	return call(func() error { return unix.Symlinkat(text(p.path), directory(newDir), text(p.newPath)) })
}

// Ftruncate is ftruncate(2). It blocks.
func Ftruncate(fd int32, size int64) syscall.Errno {
	return call(func() error { return unix.Ftruncate(int(fd), size) })
}

// Madvise is madvise(2). It blocks.
func Madvise(b []byte, advice uint32) syscall.Errno {
	return call(func() error { return unix.Madvise(b, int(advice)) })
}

// PipeInto makes a close-on-exec pipe in p. flags may be O_NONBLOCK.
func PipeInto(p *[2]int32, flags uint32) syscall.Errno {
	if flags&^(unix.O_NONBLOCK|unix.O_CLOEXEC) != 0 {
		return unix.EINVAL
	}
	r, w, errno := Pipe()
	if errno != 0 {
		return errno
	}
	if flags&unix.O_NONBLOCK == 0 {
		for _, fd := range [...]int32{r, w} {
			if errno := SetNonblock(fd, false); errno != 0 {
				_, _ = Close(r), Close(w) // the error before is the one to report
				return errno
			}
		}
	}
	p[0], p[1] = r, w
	return 0
}
