package sysx

import (
	"strings"
	"syscall"
)

// The longest strings that are copied. One byte more than the kernel takes (PATH_MAX counts the NUL, XATTR_NAME_MAX
// does not), so that it is the kernel that says what is too long.
const (
	pathCopyMax = 4096
	nameCopyMax = 256
)

// PathBuf holds the strings of an operation, each with a NUL behind it, and what an openat does, to be used again and
// again. It must lie on the heap when the kernel is to read it after the call that got its address (io_uring), and what
// was set must not be set anew before the operation has ended. The zero value is empty.
type PathBuf struct {
	path, newPath, name []byte
	how                 openHow
	added               bool // O_NONBLOCK, by SetOpen
}

// SetPath copies the path. EINVAL: it holds a NUL.
func (p *PathBuf) SetPath(s string) (errno syscall.Errno) {
	p.path, errno = terminate(p.path, s, pathCopyMax)
	return errno
}

// SetNewPath is SetPath for the second path.
func (p *PathBuf) SetNewPath(s string) (errno syscall.Errno) {
	p.newPath, errno = terminate(p.newPath, s, pathCopyMax)
	return errno
}

// SetName is SetPath for the name of an extended attribute.
func (p *PathBuf) SetName(s string) (errno syscall.Errno) {
	p.name, errno = terminate(p.name, s, nameCopyMax)
	return errno
}

// terminate copies s, or as much of it as is too much already, and a NUL to dst.
func terminate(dst []byte, s string, most int) ([]byte, syscall.Errno) {
	s = s[:min(len(s), most)]
	if strings.IndexByte(s, 0) >= 0 {
		return dst, syscall.EINVAL
	}
	return append(append(dst[:0], s...), 0), 0
}
