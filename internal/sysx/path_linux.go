package sysx

import (
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openHow is struct open_how.
type openHow struct {
	_                    structs.HostLayout
	flags, mode, resolve uint64
}

// resolveCached is RESOLVE_CACHED of include/uapi/linux/openat2.h, which x/sys lacks.
const resolveCached = 0x20

// SetOpen says how to open. The new file is close-on-exec, and O_NONBLOCK keeps the open from waiting for the other end of
// a FIFO or for a device, as io_uring has it while nothing keeps it from opening at once.
func (p *PathBuf) SetOpen(flags, mode, resolve uint64) {
	p.added = flags&(unix.O_PATH|unix.O_NONBLOCK) == 0
	flags |= unix.O_CLOEXEC
	if flags&unix.O_PATH == 0 { // openat2 refuses the others with it
		flags |= unix.O_LARGEFILE | unix.O_NONBLOCK
	}
	p.how.flags, p.how.mode, p.how.resolve = flags, mode, resolve
}

// Waits makes an open that was refused with EAGAIN one that may wait: for whoever holds a lease on the file, as a rule. It says whether that
// changes anything.
func (p *PathBuf) Waits() bool {
	if !p.added || p.how.resolve&resolveCached != 0 {
		return false
	}
	p.added = false
	p.how.flags &^= unix.O_NONBLOCK
	return true
}

// Opened takes O_NONBLOCK away from a new file that was opened with it for our sake alone. One that cannot be changed keeps it: the
// file is open, and to close it now could do more harm.
func (p *PathBuf) Opened(fd int32) {
	if !p.added {
		return
	}
	// The flags that can be changed are those that it was opened with, so that one call does; except that some file systems do
	// not keep O_DIRECT.
	if p.how.flags&unix.O_DIRECT == 0 && setFlags(fd, int(p.how.flags&^unix.O_NONBLOCK)) == 0 {
		return
	}
	_ = SetNonblock(fd, false) // see above
}

// OpenFlags are the flags and the mode of an openat.
func (p *PathBuf) OpenFlags() (flags, mode uint32) { return uint32(p.how.flags), uint32(p.how.mode) }

// The addresses below are those of memory on the heap that p holds, to be handed to the kernel. They hold until the same thing is set anew.

// Path is the address of the path.
func (p *PathBuf) Path() unsafe.Pointer { return stringAt(p.path) }

// NewPath is the address of the second path.
func (p *PathBuf) NewPath() unsafe.Pointer { return stringAt(p.newPath) }

// Name is the address of the name of an extended attribute.
func (p *PathBuf) Name() unsafe.Pointer { return stringAt(p.name) }

// How is the address of the struct open_how.
func (p *PathBuf) How() unsafe.Pointer {
	// SAFETY: a typed pointer into p, which it keeps alive.
	return unsafe.Pointer(&p.how)
}

// stringAt is the address of b, which ends with a NUL.
func stringAt(b []byte) unsafe.Pointer {
	// SAFETY: the pointer keeps the array of b alive; it is not turned into a number here.
	return unsafe.Pointer(unsafe.SliceData(b))
}
