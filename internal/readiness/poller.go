package readiness

import "time"

// Interest is a set of conditions of one file descriptor.
type Interest uint8

const (
	// Readable also stands for end of file and for a connection that waits in a backlog.
	Readable Interest = 1 << iota
	// Writable also stands for a connect that has ended, well or badly.
	Writable
	// Priority is out-of-band data (POLLPRI).
	Priority
	// Hangup is reported, never asked for: the file has hung up, failed, or its
	// peer has stopped writing (POLLHUP, POLLERR, POLLRDHUP, POLLNVAL). What is
	// behind it is found by trying the operation again, so it wakes every waiter.
	Hangup
)

// Event says that the conditions in Ready hold for FD, or held when it was looked at.
type Event struct {
	FD    int32
	Ready Interest
}

// Traits are what the core must know of a Poller to use it well.
type Traits struct {
	// EdgeTriggered pollers watch an fd for everything once it has been armed,
	// and report each change once. Level-triggered ones report what holds on
	// every Wait, for the armed interest only.
	EdgeTriggered bool
	// HangupReadable says that a hang-up is reported only to those who wait for
	// Readable, and never as Hangup, which is how select(2) has it.
	HangupReadable bool
	// MaxFD is the first fd that cannot be armed, 0 for no limit.
	MaxFD int
}

// Renewer is what an edge-triggered Poller is, too. Renew arms fd again if the number has been given to
// another file behind the poller's back, says whether it has, and otherwise does nothing.
type Renewer interface {
	Renew(fd int32) (fresh bool, err error)
}

// Poller is a source of readiness. One goroutine calls all of its methods. An
// implementation must do this:
//
//	Arm(fd, in)  replaces the interest in fd; 0 disarms it. A condition that
//	             holds already is reported by the next Wait, also when the same
//	             interest is armed again. A number that was closed and given to
//	             another file behind the poller's back is picked up by the next
//	             Arm. Errors: the errno of the kernel (EPERM: this
//	             kind of file is always ready and cannot be watched; EBADF;
//	             EINVAL: fd ≥ Traits().MaxFD).
//	Forget(fd)   drops all that is known of fd. It is called before fd is
//	             closed; an unknown fd is not an error.
//	Wait(ev, d)  d < 0 blocks, d == 0 looks, d > 0 waits no longer than d, rounded
//	             up to what the clock of the call can tell, never down. It returns
//	             how many of ev were filled. Time-out and EINTR give (0, nil): the
//	             core works out how long is left. An fd that turns out to be closed
//	             is reported with all its armed interest and Hangup, and
//	             never fails the whole call. Nothing is reported for an fd that is
//	             not armed. At most one Event is reported per fd and Wait, and over
//	             several Waits every ready fd gets its turn however short ev is.
//	PollFD()     the fd that becomes readable when Wait has something to report, to
//	             be parked on; -1 where there is none.
//	Close()      frees everything. The watched fds stay as they are.
//
// Wait allocates nothing once the set of fds has stopped growing.
type Poller interface {
	Arm(fd int32, in Interest) error
	Forget(fd int32)
	Wait(ev []Event, d time.Duration) (int, error)
	PollFD() int
	Traits() Traits
	Close() error
}
