package sysx

import (
	"math"
	"structs"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FutexWaiter is struct futex_waitv of linux/futex.h: a word to wait for. It holds the address of the word as a
// number, so that somebody else must keep the word alive, and at its place.
type FutexWaiter struct {
	_     structs.HostLayout
	Val   uint64
	Addr  uint64
	Flags uint32
	_     uint32
}

// The flags of a FutexWaiter, FUTEX2_* of linux/futex.h, and the mask that matches every waiter.
const (
	Futex32      = 0x02
	FutexPrivate = 0x80
	FutexAll     = math.MaxUint32
)

// FutexFlags are those of a word that other processes use too, or not.
func FutexFlags(shared bool) uint32 {
	if shared {
		return Futex32
	}
	return Futex32 | FutexPrivate
}

// Set makes w one for the word at addr, as long as that holds val.
func (w *FutexWaiter) Set(addr *uint32, val uint32, shared bool) {
	// SAFETY: the number does not keep the word alive. The slot of the operation does, through its Args, until the wait
	// is over; a word that went away would be another object's memory, which the kernel only reads.
	*w = FutexWaiter{Val: uint64(val), Addr: uint64(uintptr(unsafe.Pointer(addr))), Flags: FutexFlags(shared)}
}

// FutexWaitv is futex_waitv(2) of Linux 5.16: it waits until one of the words in list is woken, and returns the index of one that was.
func FutexWaitv(list []FutexWaiter) (int, syscall.Errno) {
	// SAFETY: the pointer is converted in the call, which keeps list alive; for the words in it see Set.
	n, _, errno := syscall.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(list))), uintptr(len(list)), 0, 0, 0, 0)
	return int(n), errno
}

// FutexLook is FutexWaitv that does not wait: it returns ETIMEDOUT where it would have to.
func FutexLook(list []FutexWaiter) (int, syscall.Errno) {
	past := timespec64{} // of the monotonic clock
	for {
		// SAFETY: as for FutexWaitv; past is in this frame, which is not moved during a raw system call.
		n, _, errno := syscall.RawSyscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(list))), uintptr(len(list)), 0,
			uintptr(unsafe.Pointer(&past)), unix.CLOCK_MONOTONIC, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// The commands of futex(2).
const (
	futexWake    = 1
	futexRequeue = 3
	futexPrivate = 128
)

// FutexWake wakes up to n of those that wait for the word at addr, and returns how many.
func FutexWake(addr *uint32, n int32, shared bool) (int, syscall.Errno) {
	op := uintptr(futexWake)
	if !shared {
		op |= futexPrivate
	}
	// SAFETY: the pointer is converted in the call, which keeps the word alive. The kernel does not write to it.
	got, _, errno := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), op, uintptr(n), 0, 0, 0)
	return int(got), errno
}

// FutexMove makes one who waits for the word at from wait for that at to instead, and says whether there was one. Both are private.
func FutexMove(from, to *uint32) (bool, syscall.Errno) {
	// SAFETY: the pointers are converted in the call, which keeps the words alive. The kernel does not write to them.
	n, _, errno := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(from)), futexRequeue|futexPrivate, 0, 1, uintptr(unsafe.Pointer(to)), 0)
	return n == 1, errno
}

// Signals is a signal mask.
type Signals struct{ set unix.Sigset_t }

// BlockSignals keeps signals from the calling thread, which its goroutine must be locked to, until RestoreSignals of what it
// returns. Those that the thread itself raises, and those by which the C library and Go's syscall package
// reach every thread (32 to 34, for setuid and the like), still come.
func BlockSignals() (old Signals) {
	var set unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = ^set.Val[i]
	}
	for _, sig := range [...]int{int(unix.SIGILL), int(unix.SIGTRAP), int(unix.SIGABRT), int(unix.SIGBUS), int(unix.SIGFPE), int(unix.SIGSEGV), int(unix.SIGSYS), 32, 33, 34} {
		const bits = 8 * int(unsafe.Sizeof(set.Val[0]))
		set.Val[(sig-1)/bits] &^= 1 << uint((sig-1)%bits)
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &set, &old.set) // cannot fail: the arguments are right
	return old
}

// RestoreSignals undoes BlockSignals.
func RestoreSignals(old Signals) {
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old.set, nil) // as above
}
