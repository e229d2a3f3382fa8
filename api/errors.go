package api

import (
	"errors"
	"fmt"
)

var (
	// ErrQueueFull says that MaxInFlight operations are in flight. Submit has taken the ones
	// before; reap completions, then submit the rest.
	ErrQueueFull = errors.New("sluice: queue full: as many operations are in flight as Options.MaxInFlight allows; reap completions, then submit the rest")
	// ErrClosed says that the engine, or the buffer group, has been closed.
	ErrClosed = errors.New("sluice: closed")
	// ErrCanceled is the error of an operation that was cancelled.
	ErrCanceled = errors.New("sluice: operation canceled")
	// ErrNotOwner says that a call came from another goroutine (or thread) than the owner's. A build with the tag
	// invariants always tells; a normal one only where the kernel does (uring with Block).
	ErrNotOwner = errors.New("sluice: called from another goroutine than the one that owns the engine; only Wake, Post, InstallFile and Stats may be")
	// ErrReentrant says that BufferGroupOptions.OnLow has called what it may not: Complete, CancelSync, ResizeQueues or a Close.
	ErrReentrant = errors.New("sluice: OnLow is called in a Complete, and must not call Complete, CancelSync, ResizeQueues or Close")
	// ErrUnsupported is what every UnsupportedError is.
	ErrUnsupported = errors.New("sluice: unsupported")
	// ErrUnavailable is what every UnavailableError is.
	ErrUnavailable = errors.New("sluice: backend unavailable")
	// ErrInvalidOp is what every InvalidOpError is.
	ErrInvalidOp = errors.New("sluice: invalid operation")
	// ErrInvalidOption is what every OptionError is.
	ErrInvalidOption = errors.New("sluice: invalid option")
	// ErrHeld is what every HeldError is.
	ErrHeld = errors.New("sluice: memory is held by the kernel")
	// ErrLease says that a lease is not out: it was released before, or belongs to another group.
	ErrLease = errors.New("sluice: this lease is not out: it was released already, or is another group's")
)

// UnavailableError says that a backend cannot be opened here. It is ErrUnavailable.
type UnavailableError struct {
	Backend string // "uring", "epoll", "poll" or "select"
	Reason  string // what was tried and how it was refused
	Hint    string // what would help; may be empty
	Err     error  // the cause, often a syscall.Errno; may be nil
}

func (e *UnavailableError) Error() string {
	s := fmt.Sprintf("sluice: backend %s is unavailable: %s", e.Backend, e.Reason)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Is makes every UnavailableError ErrUnavailable.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// UnsupportedError says that an engine does not do an operation, or lacks a feature. It is
// ErrUnsupported.
type UnsupportedError struct {
	Op        OpCode  // the operation, when Feature is 0
	Feature   Feature // the feature, or 0
	MinKernel string  // the Linux version that has it, if that would help; may be empty
	Reason    string  // more to say; may be empty
}

func (e *UnsupportedError) Error() string {
	s := "sluice: operation " + e.Op.String() + " is not supported"
	if e.Feature != 0 {
		s = "sluice: feature " + e.Feature.String() + " is not supported"
	}
	if e.MinKernel != "" {
		s += ", it needs Linux " + e.MinKernel
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Is makes every UnsupportedError ErrUnsupported, and errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool {
	return target == ErrUnsupported || target == errors.ErrUnsupported
}

// InvalidOpError says that Submit cannot make sense of ops[Index], which it did not take, nor
// any behind it. It is ErrInvalidOp.
type InvalidOpError struct {
	Index  int
	Code   OpCode
	Reason string
}

func (e *InvalidOpError) Error() string {
	return fmt.Sprintf("sluice: ops[%d] (%v) is invalid: %s", e.Index, e.Code, e.Reason)
}

// Is makes every InvalidOpError ErrInvalidOp.
func (e *InvalidOpError) Is(target error) bool { return target == ErrInvalidOp }

// MemlockError says that buffers could not be registered because more memory would be locked than RLIMIT_MEMLOCK
// allows. It is syscall.ENOMEM.
type MemlockError struct {
	Need  uint64 // bytes of whole pages that the registration would lock
	Limit uint64 // RLIMIT_MEMLOCK, in bytes, of which buffers that are registered already use some
	Err   error  // syscall.ENOMEM
}

func (e *MemlockError) Error() string {
	return fmt.Sprintf("sluice: cannot lock %d bytes of registered buffers, RLIMIT_MEMLOCK is %d (raise it with `ulimit -l`, give the program CAP_IPC_LOCK, or register less)", e.Need, e.Limit)
}

// Unwrap gives the cause.
func (e *MemlockError) Unwrap() error { return e.Err }

// HeldError is what Engine.Close returns when the kernel has not let go of the memory of zero-copy sends within CloseLimit, because
// their data has yet to reach the peer. All other operations have ended, and the engine takes no more of them, but its ring or poller stays open,
// and that memory must not be changed. Close can be called again, by the same goroutine, and goes on waiting: at best
// after the sockets have been shut down, or closed with SO_LINGER at 0 seconds, which drops what they have yet to send. It is ErrHeld.
type HeldError struct {
	Sends int // operations whose notification has not come
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("sluice: the kernel still sends from the memory of %d zero-copy operations; reset their connections, or wait, and close the engine again", e.Sends)
}

// Is makes every HeldError ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// OptionError says that a field of Options, Wait or BufferGroupOptions is out of range. It is
// ErrInvalidOption.
type OptionError struct {
	Option string
	Reason string
}

func (e *OptionError) Error() string { return "sluice: option " + e.Option + ": " + e.Reason }

// Is makes every OptionError ErrInvalidOption.
func (e *OptionError) Is(target error) bool { return target == ErrInvalidOption }
