package sysx

import (
	"structs"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HasAIO says whether NewAIO is worth a try.
const HasAIO = true

// AIOMax is how many requests an AIO holds: enough to keep a disk busy, and few of the 65536 that the system has
// by default (fs.aio-max-nr).
const AIOMax = 256

// AIO is a context of the kernel's asynchronous IO (io_setup(2)), which is asynchronous for files that go around the page cache. One
// goroutine at a time may use it.
type AIO struct {
	ctx    uintptr // aio_context_t
	notify int32
	n      int // of reqs, in use
	reqs   [AIOMax]aioRequest
	ptrs   [AIOMax]*aioRequest
	events [AIOMax]AIOEvent
	now    unix.Timespec // zero: do not wait
}

// aioRequest is struct iocb of include/uapi/linux/aio_abi.h.
type aioRequest struct {
	_       structs.HostLayout
	data    uint64
	key     [2]uint32 // one of the two is rwFlags, by the order of the host: see setFlags
	opcode  uint16
	prio    int16
	fd      uint32
	buf     uint64
	n       uint64
	off     int64
	_       uint64
	flags   uint32
	eventFD uint32
}

// AIOEvent is struct io_event.
type AIOEvent struct {
	_    structs.HostLayout
	Data uint64 // as in Add
	_    uint64
	Res  int64
	_    int64
}

// From aio_abi.h.
const (
	aioPreadv  = 7
	aioPwritev = 8
	aioResFD   = 1 // IOCB_FLAG_RESFD: signal an eventfd
)

// NewAIO makes a context whose completions signal the eventfd notify. EAGAIN: the system has no more of them; ENOSYS: none at all.
func NewAIO(notify int32) (*AIO, syscall.Errno) {
	a := &AIO{notify: notify}
	// SAFETY: the pointer is converted in the call, and the kernel writes to it before the call returns.
	_, _, errno := syscall.Syscall(unix.SYS_IO_SETUP, AIOMax, uintptr(unsafe.Pointer(&a.ctx)), 0)
	if errno != 0 {
		return nil, errno
	}
	for i := range a.reqs {
		a.ptrs[i] = &a.reqs[i]
	}
	return a, 0
}

// Add puts a read or write of v at off into the next Submit, of which there may be AIOMax. v and its buffers belong to the kernel from Submit to the
// completion, and the caller keeps them alive.
func (a *AIO) Add(fd int32, v *Iovecs, off int64, write bool, data uint64) {
	p, n := v.Pointer()
	r := &a.reqs[a.n]
	// SAFETY: the number does not keep v alive. It is part of a slot's MsgBuf, which is on the heap and stays there; so are its buffers.
	*r = aioRequest{data: data, opcode: aioPreadv, fd: uint32(fd), buf: uint64(uintptr(p)), n: uint64(n), off: off, flags: aioResFD, eventFD: uint32(a.notify)}
	if write {
		r.opcode = aioPwritev
	}
	// SAFETY: both halves of the pair are inside the request; which is which depends on the order of bytes of the host.
	r.key[rwFlagsIndex] = RWFNoWait
	a.n++
}

// rwFlagsIndex is the place of aio_rw_flags: PADDED in aio_abi.h puts it behind aio_key on little-endian hosts, before it on others.
var rwFlagsIndex = func() int {
	one := uint16(1)
	// SAFETY: the first byte of a variable that is alive.
	return int(*(*byte)(unsafe.Pointer(&one)))
}()

// Submit hands the kernel what Add has gathered, and says how many of these it has taken, from the first on. The others are forgotten. errno
// is what was wrong with the first that it has not taken.
func (a *AIO) Submit() (int, syscall.Errno) {
	done, n := 0, a.n
	a.n = 0
	for done < n {
		// SAFETY: the requests are part of a, which is on the heap; the kernel copies them before the call returns.
		took, _, errno := syscall.RawSyscall(unix.SYS_IO_SUBMIT, a.ctx, uintptr(n-done), uintptr(unsafe.Pointer(&a.ptrs[done])))
		if errno != 0 {
			return done, errno
		}
		if took == 0 {
			return done, unix.EAGAIN
		}
		done += int(took)
	}
	return done, 0
}

// Events gives what has completed. It does not wait. The slice is good until the next call.
func (a *AIO) Events() []AIOEvent {
	// SAFETY: the kernel writes to the events, which are part of a, before the call returns.
	n, _, errno := syscall.RawSyscall6(unix.SYS_IO_GETEVENTS, a.ctx, 0, AIOMax, uintptr(unsafe.Pointer(&a.events[0])),
		uintptr(unsafe.Pointer(&a.now)), 0)
	if errno != 0 {
		return nil // EINTR, as when there are none
	}
	return a.events[:n]
}

// Close waits until everything has completed and frees the context.
func (a *AIO) Close() {
	_, _, _ = syscall.Syscall(unix.SYS_IO_DESTROY, a.ctx, 0, 0) // it fails only for a context that does not exist
}
