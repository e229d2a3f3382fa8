//go:build unix

package poll

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/readiness"
	"github.com/sluiceio/sluice/internal/sysx"
)

// poller implements readiness.Poller. One goroutine uses it.
type poller struct {
	fds   []sysx.PollFd // the armed ones, in no order
	at    []int32       // by fd: its index in fds plus one, 0 for none
	start int           // where in fds the next Wait starts to look, for fairness
}

var _ readiness.Poller = (*poller)(nil)

func newPoller() (readiness.Poller, error) { return &poller{}, nil }

func (p *poller) Traits() readiness.Traits { return readiness.Traits{} }

func (p *poller) PollFD() int { return -1 }

// Arm implements readiness.Poller. It makes no system call: whether the fd is open, and to what file, is for
// poll to see.
func (p *poller) Arm(fd int32, in readiness.Interest) error {
	if fd < 0 {
		return unix.EBADF
	}
	if in == 0 {
		p.Forget(fd)
		return nil
	}
	if int(fd) >= len(p.at) {
		p.at = append(p.at, make([]int32, int(fd)+1-len(p.at))...)
	}
	if at := p.at[fd]; at != 0 {
		p.fds[at-1].Events = eventsOf(in)
		return nil
	}
	p.fds = append(p.fds, sysx.PollFd{Fd: fd, Events: eventsOf(in)})
	p.at[fd] = int32(len(p.fds))
	return nil
}

// Forget implements readiness.Poller. The last entry takes the place of the one that goes.
func (p *poller) Forget(fd int32) {
	if fd < 0 || int(fd) >= len(p.at) || p.at[fd] == 0 {
		return
	}
	at, last := int(p.at[fd])-1, len(p.fds)-1
	p.fds[at] = p.fds[last]
	p.at[p.fds[at].Fd] = int32(at + 1)
	p.at[fd] = 0
	p.fds = p.fds[:last]
}

// Wait implements readiness.Poller. What does not fit into ev still holds at the next Wait, which starts
// behind the last fd that did fit.
func (p *poller) Wait(ev []readiness.Event, d time.Duration) (int, error) {
	n, errno := sysx.Poll(p.fds, d)
	switch errno {
	case 0:
	case unix.EINTR:
		return 0, nil
	default:
		return 0, fmt.Errorf("poll: %w", os.NewSyscallError("poll", errno))
	}
	k := 0
	if p.start >= len(p.fds) {
		p.start = 0
	}
	i := p.start
	for range p.fds {
		if k == n || k == len(ev) {
			break
		}
		if f := &p.fds[i]; f.Revents != 0 {
			ev[k] = readiness.Event{FD: f.Fd, Ready: readyOf(f)}
			k++
		}
		if i++; i == len(p.fds) {
			i = 0
		}
	}
	p.start = i
	return k, nil
}

// eventsOf maps an interest. POLLRDHUP comes with Readable only, where it adds to a POLLIN that is there too: a writer that
// waits would be woken by it again and again, as there is nothing that it could do about it.
func eventsOf(in readiness.Interest) int16 {
	var e int16
	if in&readiness.Readable != 0 {
		e |= unix.POLLIN | sysx.PollRdHup
	}
	if in&readiness.Writable != 0 {
		e |= unix.POLLOUT
	}
	if in&readiness.Priority != 0 {
		e |= unix.POLLPRI
	}
	return e
}

// readyOf maps what poll has found.
func readyOf(f *sysx.PollFd) readiness.Interest {
	mask := f.Revents
	if mask&unix.POLLNVAL != 0 {
		// Closed: all that was asked for, which then fails with EBADF.
		mask = f.Events | unix.POLLHUP
	}
	var r readiness.Interest
	if mask&unix.POLLIN != 0 {
		r |= readiness.Readable
	}
	if mask&unix.POLLOUT != 0 {
		r |= readiness.Writable
	}
	if mask&unix.POLLPRI != 0 {
		r |= readiness.Priority
	}
	if mask&(unix.POLLHUP|unix.POLLERR|sysx.PollRdHup) != 0 {
		r |= readiness.Hangup
	}
	return r
}

// Close implements readiness.Poller.
func (p *poller) Close() error {
	*p = poller{}
	return nil
}
