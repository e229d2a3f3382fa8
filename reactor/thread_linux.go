package reactor

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// A thread in recv(2) that has no waker is interrupted by a signal. That is rare: when the server ends, and when OnTick wakes a connection whose own callbacks have never asked for a
// handle. The signal is SIGURG, which the runtime sends to its threads all the time, and which every Go program lets pass. It ends
// a recv that has a time limit (SO_RCVTIMEO) with EINTR; one that has none would be taken up again (signal(7)), so that each has one. A signal that comes
// between the last look at the inbox and the system call is lost, and so it is sent again until the thread has seen it.
const (
	nudgeMin = time.Millisecond
	nudgeMax = 50 * time.Millisecond

	// pollMax is how long a thread sleeps that has no waker: so that a program which has SIGURG ignored gets there, too.
	pollMax = time.Minute

	// patienceMin is the least time limit that is set ahead of what is wanted.
	patienceMin = 100 * time.Millisecond
)

// nudge is what a thread must be known by, and the time limit that its socket has.
type nudge struct {
	tid   int
	limit time.Duration
}

// prepareThread is called in the thread.
func (t *thread) prepareThread() error {
	t.id.tid = unix.Gettid()
	return nil
}

// patience sets how long a recv waits. With Config.IdleTimeout the end moves with each byte, and a system call for each of them
// would be too much: the limit is a bit less than what is wanted, and stays as long as it is not too far from it.
func (t *thread) patience(now, until api.Instant) {
	want := pollMax
	if until != 0 && until < now.Add(pollMax) {
		want = max(time.Duration(until-now), time.Microsecond)
	}
	if t.id.limit != 0 && t.id.limit <= want && t.id.limit >= want/2 {
		return
	}
	if want > patienceMin {
		want -= want / 16
	}
	tv := unix.NsecToTimeval(int64(want + time.Microsecond - 1))
	if unix.SetsockoptTimeval(int(t.fd), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv) == nil { // else the recv fails, too
		t.id.limit = want
	}
}

// nudger sends signals to threads until they have seen them.
type nudger struct {
	mu      sync.Mutex
	list    []*thread // guarded by mu
	running bool      // guarded by mu
}

// add has t interrupted, whose nudged is set.
func (n *nudger) add(t *thread) {
	t.signal()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, t)
	if !n.running {
		n.running = true
		t.srv.blocking.work.Go(n.run)
	}
}

func (n *nudger) run() {
	timer := time.NewTimer(nudgeMin)
	for rest := nudgeMin; n.again(); rest = min(2*rest, nudgeMax) {
		timer.Reset(rest)
		<-timer.C
	}
}

// again signals those that have not seen it. It returns false if there is none.
func (n *nudger) again() bool {
	n.mu.Lock()
	list := n.list
	n.list = nil
	n.mu.Unlock()
	var left []*thread
	for _, t := range list {
		if t.nudged.Load() && t.signal() {
			left = append(left, t)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, left...)
	n.running = len(n.list) > 0
	return n.running
}

// signal interrupts the system call that the thread is in. It returns false when the thread has ended.
func (t *thread) signal() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.id.tid == 0 {
		return false
	}
	return unix.Tgkill(os.Getpid(), t.id.tid, unix.SIGURG) == nil
}

func sendFile(out, in int, off int64, n int) (int, error) { return unix.Sendfile(out, in, &off, n) }
