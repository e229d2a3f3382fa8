package sysx

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quieted keeps a signal from being raised by the calls between quiet and end. The kernel raises SIGPIPE and SIGXFSZ in the thread that
// makes the call, so that to block it there is enough, and what is pending is taken away before it is let in again.
// A program that has asked for the signal (os/signal) gets those of others still.
type quieted struct {
	set, old unix.Sigset_t
	failed   bool // nothing has been blocked
}

// quiet blocks sig in this thread, to which the goroutine is locked until end.
func quiet(sig unix.Signal) (q quieted) {
	runtime.LockOSThread()
	q.set.Val[0] = 1 << (sig - 1)
	q.failed = unix.PthreadSigmask(unix.SIG_BLOCK, &q.set, &q.old) != nil
	return q
}

// end undoes quiet. raised says that the signal has been, as far as the result of the call tells.
func (q *quieted) end(raised bool) {
	if raised && !q.failed {
		var now unix.Timespec
		// SAFETY: both are variables, and are converted in the call. It does not wait, and finds nothing where the signal
		// was not raised after all.
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&q.set)), 0, uintptr(unsafe.Pointer(&now)), sigsetSize, 0, 0)
	}
	if !q.failed {
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &q.old, nil) // what has been read can be written
	}
	runtime.UnlockOSThread()
}
