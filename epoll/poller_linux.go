package epoll

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/readiness"
	"github.com/sluiceio/sluice/internal/sysx"
)

// batchMax bounds how many events one Wait takes out of the kernel, 12 KiB of them.
// Larger batches save nothing measurable and make the last fd of one wait for all others.
const batchMax = 1024

// everything is what each fd is registered for. EPOLLERR and EPOLLHUP come unasked.
const everything = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET

// registration is what is known of one fd.
type registration struct {
	gen        uint32 // of the registration in the kernel that is the right one
	interest   readiness.Interest
	registered bool // as far as is known: close(2) takes it back behind our back
}

// poller implements readiness.Poller. One goroutine uses it.
type poller struct {
	epfd int32
	regs []registration    // by fd
	evs  []sysx.EpollEvent // what the kernel fills
	// wait is epoll_pwait2 until the kernel turns out not to have it, which is when millis is set.
	wait   func(epfd int32, evs []sysx.EpollEvent, d time.Duration) (int, syscall.Errno)
	millis bool
}

var _ readiness.Poller = (*poller)(nil)

func newPoller() (readiness.Poller, error) {
	epfd, errno := sysx.EpollCreate()
	if errno != 0 {
		return nil, fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_create1", errno))
	}
	return &poller{epfd: epfd, wait: sysx.EpollWait}, nil
}

func (p *poller) Traits() readiness.Traits { return readiness.Traits{EdgeTriggered: true} }

func (p *poller) PollFD() int { return int(p.epfd) }

// Arm implements readiness.Poller. The registration stays in place when the interest is 0: it is edge-triggered, so
// it costs one event for each change at most, which Wait drops, and coming back costs no more
// than any other Arm.
func (p *poller) Arm(fd int32, in readiness.Interest) error {
	if fd < 0 {
		return unix.EBADF
	}
	if in == 0 {
		if int(fd) < len(p.regs) {
			p.regs[fd].interest = 0
		}
		return nil
	}
	if int(fd) >= len(p.regs) {
		p.regs = append(p.regs, make([]registration, int(fd)+1-len(p.regs))...)
	}
	r := &p.regs[fd]
	var errno syscall.Errno
	if r.registered {
		// ENOENT: the file was closed, which took the registration away, and the number belongs to another one.
		if errno = p.ctl(unix.EPOLL_CTL_MOD, fd, r.gen); errno == unix.ENOENT {
			// If a dup keeps the old file open, the old registration goes on reporting: with the old generation.
			r.gen++
			errno = p.ctl(unix.EPOLL_CTL_ADD, fd, r.gen)
		}
	} else {
		r.gen++
		// EEXIST: forgotten, but not closed, and Forget could not remove it. Not known to happen.
		if errno = p.ctl(unix.EPOLL_CTL_ADD, fd, r.gen); errno == unix.EEXIST {
			errno = p.ctl(unix.EPOLL_CTL_MOD, fd, r.gen)
		}
	}
	r.registered = errno == 0
	if errno != 0 {
		r.interest = 0
		return errno
	}
	r.interest = in
	return nil
}

// Renew implements readiness.Renewer. To add what is there already fails and, unlike a modification, makes no event.
func (p *poller) Renew(fd int32) (bool, error) {
	r := &p.regs[fd]
	switch errno := p.ctl(unix.EPOLL_CTL_ADD, fd, r.gen+1); errno {
	case unix.EEXIST:
		return false, nil
	case 0:
		r.gen++
		return true, nil
	default:
		r.registered, r.interest = false, 0
		return false, errno
	}
}

func (p *poller) ctl(op int, fd int32, gen uint32) syscall.Errno {
	// Fd and Pad are the two halves of the 64 bits that come back with each event.
	ev := sysx.EpollEvent{Events: everything, Fd: fd, Pad: int32(gen)}
	return sysx.EpollCtl(p.epfd, op, fd, &ev)
}

// Forget implements readiness.Poller.
func (p *poller) Forget(fd int32) {
	if fd < 0 || int(fd) >= len(p.regs) {
		return
	}
	r := &p.regs[fd]
	if r.registered {
		// ENOENT and EBADF say that it is closed, and so gone, already. There is no other error, and
		// if there were, the generation would see to what it leaves behind.
		_ = sysx.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, fd, nil)
	}
	r.registered = false
	r.interest = 0
	r.gen++
}

// Wait implements readiness.Poller. The ready list of the kernel is a queue, so fds that do not fit
// into ev come next time.
func (p *poller) Wait(ev []readiness.Event, d time.Duration) (int, error) {
	want := min(len(ev), batchMax)
	if want > len(p.evs) {
		p.evs = make([]sysx.EpollEvent, want)
	}
	n, errno := p.wait(p.epfd, p.evs[:want], d)
	switch errno {
	case 0:
	case unix.EINTR:
		return 0, nil
	case unix.ENOSYS:
		// Before Linux 5.11. Seccomp profiles that have not heard of the call say EPERM instead.
		return p.fallBack(ev, d, errno)
	case unix.EPERM:
		return p.fallBack(ev, d, errno)
	default:
		return 0, fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_pwait", errno))
	}
	k := 0
	for i := range p.evs[:n] {
		e := &p.evs[i]
		fd, gen := e.Fd, uint32(e.Pad)
		r := &p.regs[fd]
		// A stale registration, or an fd that nobody waits for: its next Arm asks the kernel again.
		if r.gen != gen || r.interest == 0 {
			continue
		}
		if ready := readyOf(e.Events); ready != 0 {
			ev[k] = readiness.Event{FD: fd, Ready: ready}
			k++
		}
	}
	if n == want && k < n {
		// What was dropped must not make a full batch look like the last.
		m, err := p.Wait(ev[k:want], 0)
		return k + m, err
	}
	return k, nil
}

// fallBack takes the call that every kernel has from now on.
func (p *poller) fallBack(ev []readiness.Event, d time.Duration, errno syscall.Errno) (int, error) {
	if p.millis {
		return 0, fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_pwait", errno))
	}
	p.millis = true
	p.wait = sysx.EpollWaitMillis
	return p.Wait(ev, d)
}

// readyOf maps a mask of the kernel.
func readyOf(mask uint32) readiness.Interest {
	var r readiness.Interest
	if mask&unix.EPOLLIN != 0 {
		r |= readiness.Readable
	}
	if mask&unix.EPOLLOUT != 0 {
		r |= readiness.Writable
	}
	if mask&unix.EPOLLPRI != 0 {
		r |= readiness.Priority
	}
	if mask&(unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) != 0 {
		r |= readiness.Hangup
	}
	return r
}

// Close implements readiness.Poller.
func (p *poller) Close() error {
	if p.epfd < 0 {
		return nil
	}
	errno := sysx.Close(p.epfd)
	p.epfd = -1
	p.regs, p.evs = nil, nil
	if errno != 0 {
		return fmt.Errorf("epoll: %w", os.NewSyscallError("close", errno))
	}
	return nil
}
