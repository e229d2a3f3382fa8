package iouring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unsupportedSetup are the flags under which the methods of Ring would misread the rings: larger submissions, and a
// descriptor which is none. IORING_SETUP_SQE_MIXED and IORING_SETUP_SQ_REWIND are newer than
// the ABI of this package, and change the queue in ways that Ring does not follow.
const unsupportedSetup = IORING_SETUP_SQE128 | IORING_SETUP_REGISTERED_FD_ONLY | 1<<19 | 1<<20

// ErrUnsupported says that this package cannot drive such a ring, whatever the kernel thinks of it. It matches
// errors.ErrUnsupported.
var ErrUnsupported = fmt.Errorf("iouring: %w", errors.ErrUnsupported)

// Setup creates a ring with at least entries submission entries and maps it. p carries the flags and further parameters
// in, and what the kernel chose out; nil means no flags. Errors:
//   - ErrUnsupported: a flag in unsupportedSetup, a kernel without IORING_FEAT_SINGLE_MMAP (before 5.4), big-endian
//   - EINVAL: the kernel does not know a flag or its combination, or entries is out of range
//   - ENOSYS: no io_uring; EPERM: forbidden by seccomp or the sysctl kernel.io_uring_disabled
//   - ENOMEM: RLIMIT_MEMLOCK (before 5.12); EMFILE, ENFILE: no descriptors
//
// With IORING_SETUP_NO_MMAP it is SetupIn with OwnMemory.
func Setup(entries uint32, p *Params) (*Ring, error) {
	if p != nil && p.Flags&IORING_SETUP_NO_MMAP != 0 {
		return SetupIn(OwnMemory, entries, p)
	}
	return SetupIn(KernelMemory, entries, p)
}

// SetupIn is Setup with the rings in the memory where. Memory other than the kernel's takes IORING_SETUP_NO_MMAP (Linux 6.5); before
// 6.14, normal pages will do for small rings only. Further errors: ErrNoHugePages, with HugeMemory; ENOMEM.
func SetupIn(where Memory, entries uint32, p *Params) (*Ring, error) {
	if p == nil {
		p = new(Params)
	}
	if bad := p.Flags & unsupportedSetup; bad != 0 {
		return nil, fmt.Errorf("%w: setup flags %#x", ErrUnsupported, bad)
	}
	if bigEndian() {
		// The poll mask of an SQE and the tail of a buffer ring are laid out for little-endian machines.
		return nil, fmt.Errorf("%w: big-endian machine", ErrUnsupported)
	}
	var mem *ringMem
	if where != KernelMemory {
		var err error
		if mem, err = ownMemory(where, entries, p.CQEntries); err != nil {
			return nil, err
		}
		p.Flags |= IORING_SETUP_NO_MMAP
		mem.give(p)
	}
	// SAFETY: the conversion is in the call expression; the addresses in Params are of maps, which mem keeps.
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		p.SQOff.UserAddr, p.CQOff.UserAddr = 0, 0
		return nil, firstError(mem.free(), os.NewSyscallError("io_uring_setup", errno))
	}
	// The kernel sets O_CLOEXEC on the descriptor, so there is no window in which a child could inherit it.
	r := &Ring{fd: int32(fd), enterFD: int32(fd), flags: p.Flags, features: p.Features, where: where}
	// SAFETY: r is on the heap and does not move; the number is used only together with r, which keeps TS alive.
	r.Arg.TS = address(unsafe.Pointer(&r.TS))
	if p.Features&IORING_FEAT_SINGLE_MMAP == 0 {
		return nil, firstError(fmt.Errorf("%w: no IORING_FEAT_SINGLE_MMAP", ErrUnsupported), unix.Close(int(fd)))
	}
	mem, err := r.memory(mem, p)
	if err != nil {
		return nil, firstError(err, unix.Close(int(fd)))
	}
	r.attach(mem, p)
	return r, nil
}

// SetupFallback is Setup with p.Flags and as many of the optional flags as the kernel accepts. While it answers EINVAL,
// the optional flags are dropped one after another from the front, so the list goes from the newest or the most
// dispensable to the one to keep longest. An element may combine flags that make sense only together. A flag whose
// prerequisite was dropped is refused, and dropped, in its turn. Any error but EINVAL is returned at once, as no choice
// of flags can help. The flags in effect are in p.Flags and Ring.Flags.
func SetupFallback(entries uint32, p *Params, optional ...uint32) (*Ring, error) {
	if p == nil {
		p = new(Params)
	}
	for drop := 0; ; drop++ {
		try := *p
		for _, f := range optional[drop:] {
			try.Flags |= f
		}
		r, err := Setup(entries, &try)
		if err == nil {
			*p = try
			return r, nil
		}
		if drop == len(optional) || !errors.Is(err, syscall.EINVAL) {
			return nil, err
		}
	}
}

// SetupBest is SetupFallback for the usual case: cqEntries is the size of the completion queue, 0 for the default of
// twice the submission queue, and granted are the flags in effect, including base.
func SetupBest(entries, cqEntries uint32, wanted []uint32, base uint32) (r *Ring, granted uint32, err error) {
	p := Params{Flags: base}
	if cqEntries > 0 {
		p.Flags |= IORING_SETUP_CQSIZE
		p.CQEntries = cqEntries
	}
	r, err = SetupFallback(entries, &p, wanted...)
	if err != nil {
		return nil, 0, err
	}
	return r, p.Flags, nil
}

func bigEndian() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }

// wrap returns nil for a nil error and for errno 0, and otherwise an os.SyscallError.
func wrap(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok && errno == 0 {
		return nil
	}
	return os.NewSyscallError(call, err)
}

// wrapRegister is wrap for io_uring_register(2), which is many calls in one: the error says which of them failed.
func wrapRegister(what string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError("io_uring_register("+what+")", errno)
}

// firstError returns the first error that is not nil, for paths where a clean-up may fail after the real failure.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
