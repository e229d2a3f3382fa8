package iouring

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of this file return the number of entries consumed, which may be less than asked for: the kernel stops at the
// first invalid entry unless the ring has IORING_SETUP_SUBMIT_ALL. If it consumed anything it returns the count, even
// when the wait that followed was interrupted or timed out. Notable errors:
//   - EINTR: a signal arrived while nothing was ready; retry with what is left of the time
//   - ETIME: the timeout passed and nothing was ready; not a failure
//   - EBUSY, EAGAIN: the completion queue overflowed or memory is short; reap, then retry
//   - EEXIST: IORING_SETUP_SINGLE_ISSUER and the wrong thread
//   - EBADFD: the ring is disabled, see EnableRings
//   - EBADR: completions were lost, see Ring.CQOverflow

// Enter submits toSubmit entries and, with IORING_ENTER_GETEVENTS in flags, waits until minComplete completions are
// ready. It tells the scheduler that the thread may block.
func (r *Ring) Enter(toSubmit, minComplete, flags uint32) (int, syscall.Errno) {
	return r.enter(toSubmit, minComplete, flags, nil, 0)
}

// EnterNoWait is Enter without waiting and without telling the scheduler, which saves about 20 ns. The calling thread
// keeps its processor and holds up a stop of the world for as long as the call runs, so it is for small batches of
// requests which do not copy much inline.
func (r *Ring) EnterNoWait(toSubmit, flags uint32) (int, syscall.Errno) {
	return enterRaw(r.enterFD, toSubmit, 0, flags|r.enterFlags, nil, 0)
}

// EnterArg is Enter with an argument block: timeout, minimal wait, signal mask. A nil arg means &r.Arg, whose TS field
// leads to r.TS. Addresses inside *arg have to be heap or mmap memory. Needs IORING_FEAT_EXT_ARG.
func (r *Ring) EnterArg(toSubmit, minComplete, flags uint32, arg *GetEventsArg) (int, syscall.Errno) {
	if arg == nil {
		arg = &r.Arg
	}
	// SAFETY: arg is passed on as a pointer and converted in the call expression of enter.
	return r.enter(toSubmit, minComplete, flags|IORING_ENTER_EXT_ARG, unsafe.Pointer(arg),
		uint32(unsafe.Sizeof(GetEventsArg{})))
}

// EnterTimeout is Enter with a limit on the wait, in nanoseconds: a duration or, if absolute, a time of the ring's clock,
// which is CLOCK_MONOTONIC unless RegisterClock changed it. A negative ns counts as zero, that is as a limit which has
// passed already. It overwrites r.TS and uses the rest of r.Arg. Needs IORING_FEAT_EXT_ARG, and absolute times need
// ProbeEnterFlags(IORING_ENTER_ABS_TIMER).
func (r *Ring) EnterTimeout(toSubmit, minComplete, flags uint32, ns int64, absolute bool) (int, syscall.Errno) {
	r.TS = NsToTimespec(ns)
	flags |= IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG
	if absolute {
		flags |= IORING_ENTER_ABS_TIMER
	}
	// SAFETY: r.Arg leads to r.TS by its address. Both are part of a heap object, which this method keeps alive.
	return r.enter(toSubmit, minComplete, flags, unsafe.Pointer(&r.Arg), uint32(unsafe.Sizeof(r.Arg)))
}

// EnterWait is EnterTimeout with two differences: a negative ns is no limit, and after minWaitUs microseconds, if that is not 0, one completion
// is enough to end the wait, where minComplete are not (IORING_FEAT_MIN_TIMEOUT). It uses the first entry of the registered wait region, if
// there is one. With minWaitUs and no limit it also ends, with ETIME, when there is none after minWaitUs. The limit, if there is one, must be later than that.
func (r *Ring) EnterWait(toSubmit, minComplete, flags uint32, ns int64, absolute bool, minWaitUs uint32) (int, syscall.Errno) {
	if absolute {
		flags |= IORING_ENTER_ABS_TIMER
	}
	if len(r.waits) > 0 {
		w := &r.waits[0]
		w.MinWaitUsec, w.Flags = minWaitUs, 0
		if ns >= 0 {
			w.TS, w.Flags = NsToTimespec(ns), IORING_REG_WAIT_TS
		}
		return r.EnterRegWait(toSubmit, minComplete, flags, 0)
	}
	ts := r.Arg.TS
	if ns < 0 {
		r.Arg.TS = 0
	}
	r.TS = NsToTimespec(ns)
	r.Arg.MinWaitUsec = minWaitUs
	// SAFETY: r.Arg leads to r.TS by its address. Both are part of a heap object, which this method keeps alive.
	n, errno := r.enter(toSubmit, minComplete, flags|IORING_ENTER_GETEVENTS|IORING_ENTER_EXT_ARG, unsafe.Pointer(&r.Arg), uint32(unsafe.Sizeof(r.Arg)))
	r.Arg.TS, r.Arg.MinWaitUsec = ts, 0
	return n, errno
}

// EnterRegWait is EnterArg with entry index of RegWaits as the argument, which spares the kernel the copying. Needs
// RegisterWaitRegion.
func (r *Ring) EnterRegWait(toSubmit, minComplete, flags uint32, index int) (int, syscall.Errno) {
	if uint(index) >= uint(len(r.waits)) {
		return 0, syscall.EINVAL
	}
	const size = unsafe.Sizeof(RegWait{})
	flags |= IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG | r.enterFlags
	// The argument is an offset into the region here, not an address.
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.enterFD), uintptr(toSubmit), uintptr(minComplete),
		uintptr(flags), uintptr(index)*size, size)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (r *Ring) enter(toSubmit, minComplete, flags uint32, arg unsafe.Pointer, size uint32) (int, syscall.Errno) {
	// SAFETY: the conversion is in the call expression, so arg is alive and does not move during the call.
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.enterFD), uintptr(toSubmit), uintptr(minComplete),
		uintptr(flags|r.enterFlags), uintptr(arg), uintptr(size))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// RegisterRingFD registers the descriptor with the calling thread, so that entering need not look it up. All later
// enters have to come from this thread: on another one the index means nothing, or another ring. It needs Linux 5.18.
func (r *Ring) RegisterRingFD() error {
	if r.enterFlags&IORING_ENTER_REGISTERED_RING != 0 {
		return wrapRegister("RING_FDS", syscall.EEXIST)
	}
	up := RsrcUpdate{Offset: ^uint32(0), Data: uint64(r.fd)} // all ones: pick a free index and write it back
	// SAFETY: up contains no addresses, and the call converts the pointer in its own expression.
	if _, errno := r.register(IORING_REGISTER_RING_FDS, unsafe.Pointer(&up), 1); errno != 0 {
		return wrapRegister("RING_FDS", errno)
	}
	r.enterFD, r.enterFlags, r.regTID = int32(up.Offset), IORING_ENTER_REGISTERED_RING, unix.Gettid()
	return nil
}

// UnregisterRingFD undoes RegisterRingFD, on the same thread. Without a registration it does nothing.
func (r *Ring) UnregisterRingFD() error {
	if r.enterFlags&IORING_ENTER_REGISTERED_RING == 0 {
		return nil
	}
	if unix.Gettid() != r.regTID {
		// The index of the other thread could be somebody else's ring in the table of this one.
		return wrapRegister("unregister RING_FDS", syscall.EEXIST)
	}
	up := RsrcUpdate{Offset: uint32(r.enterFD)}
	// SAFETY: up contains no addresses, and the call converts the pointer in its own expression.
	_, errno := r.register(IORING_UNREGISTER_RING_FDS, unsafe.Pointer(&up), 1)
	if errno != 0 {
		return wrapRegister("unregister RING_FDS", errno)
	}
	r.enterFD, r.enterFlags = r.fd, 0
	return nil
}

// ProbeEnterFlags reports whether the kernel knows all of flags: nil if so, an error matching EINVAL if not, another
// error if io_uring is not available. No feature bit exists for some of them. It needs no ring, because the kernel looks
// at the flags before it looks at the descriptor, and an invalid descriptor is the answer when they are fine.
// IORING_ENTER_REGISTERED_RING cannot be told this way and always gives EINVAL.
func ProbeEnterFlags(flags uint32) error {
	_, errno := enterRaw(-1, 0, 0, flags, nil, 0)
	if errno == syscall.EBADF {
		return nil
	}
	return wrap("io_uring_enter", errno)
}
