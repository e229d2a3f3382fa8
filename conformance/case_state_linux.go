package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// state is a state that a file can be in, as poll(2) tells it.
type state struct {
	what string
	want int // measured, on Linux 6.18
	// make makes a file that is in the state, or will be once then has been called: one step, with nothing to be seen in between.
	make func(t *T) (fd int, then func())
}

const (
	pIn, pPri, pOut, pErr, pHup, pRDHup = api.PollIn, api.PollPri, api.PollOut, api.PollErr, api.PollHup, api.PollRDHup

	// conditions are those that package api names. Beside them poll(2) reports POLLRDNORM and the like.
	conditions = pIn | pPri | pOut | pErr | pHup | pRDHup
	anything   = 0xffff
)

// now is poll(2) for everything.
func (t *T) now(fd int) int {
	p := []unix.PollFd{{Fd: int32(fd), Events: -1}}
	for {
		_, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			t.must("poll", err)
			return int(uint16(p[0].Revents))
		}
	}
}

// reached waits until fd is in the state.
func (t *T) reached(s *state, fd int) {
	got := 0
	if !within(t.timeout/2, func() bool { got = t.now(fd); return got&conditions == s.want }) {
		t.Fatalf("%s: poll(2) says %s, want %s", s.what, maskName(got&conditions), maskName(s.want))
	}
}

// still is a file that is in its state from the beginning.
func still(f func(t *T) int) func(*T) (int, func()) {
	return func(t *T) (int, func()) { return f(t), nil }
}

// shut is shutdown(2).
func (t *T) shut(fd, how int) { t.must("shutdown", unix.Shutdown(fd, how)) }

// inet is a TCP socket, its peer, and what is done to either.
func inet(f func(t *T, a, b int) func()) func(*T) (int, func()) {
	return func(t *T) (int, func()) {
		a, b := t.TCP(false)
		return a, f(t, a, b)
	}
}

// local is inet with a Unix socket of a type.
func local(typ int, f func(t *T, a, b int) func()) func(*T) (int, func()) {
	return func(t *T) (int, func()) {
		a, b := t.pairOf(typ, false)
		return a, f(t, a, b)
	}
}

// reader and writer are an end of a pipe, and what is done to either.
func reader(f func(t *T, r, w int) func()) func(*T) (int, func()) {
	return func(t *T) (int, func()) {
		r, w := t.Pipe(false)
		return r, f(t, r, w)
	}
}

func writer(f func(t *T, r, w int) func()) func(*T) (int, func()) {
	return func(t *T) (int, func()) {
		r, w := t.Pipe(false)
		return w, f(t, r, w)
	}
}

// refused makes a UDP socket whose peer does not exist.
func (t *T) refused() int {
	addr := t.nobody()
	fd := t.Socket(unix.AF_INET, unix.SOCK_DGRAM)
	t.must("connect", unix.Connect(fd, sockaddr(addr)))
	return fd
}

var streamStates = []state{
	{"a TCP socket that was never connected", pOut | pHup, still(func(t *T) int { return t.Socket(unix.AF_INET, unix.SOCK_STREAM) })},
	{"an idle TCP socket", pOut, inet(func(t *T, a, b int) func() { return nil })},
	{"a TCP socket with data", pIn | pOut, inet(func(t *T, a, b int) func() { return func() { t.Put(b, "x") } })},
	{"a TCP socket whose peer has stopped", pIn | pOut | pRDHup, inet(func(t *T, a, b int) func() { return func() { t.shut(b, unix.SHUT_WR) } })},
	{"a TCP socket whose peer is gone", pIn | pOut | pRDHup, inet(func(t *T, a, b int) func() { return func() { t.CloseNow(b) } })},
	{"a TCP socket with data whose peer is gone", pIn | pOut | pRDHup, inet(func(t *T, a, b int) func() {
		t.Put(b, "x")
		return func() { t.CloseNow(b) }
	})},
	{"a TCP socket that does not write any more", pOut, inet(func(t *T, a, b int) func() { return func() { t.shut(a, unix.SHUT_WR) } })},
	{"a TCP socket that does not read any more", pIn | pOut | pRDHup, inet(func(t *T, a, b int) func() { return func() { t.shut(a, unix.SHUT_RD) } })},
	{"a TCP socket that does neither", pIn | pOut | pHup | pRDHup, inet(func(t *T, a, b int) func() { return func() { t.shut(a, unix.SHUT_RDWR) } })},
	{"a TCP socket that both sides have shut down", pIn | pOut | pHup | pRDHup, inet(func(t *T, a, b int) func() {
		t.shut(a, unix.SHUT_WR)
		return func() { t.shut(b, unix.SHUT_WR) }
	})},
	{"a TCP socket that was reset", pIn | pOut | pErr | pHup | pRDHup, inet(func(t *T, a, b int) func() { return func() { t.Reset(b) } })},
	{"a TCP socket that was reset, after its error has been read", pIn | pOut | pHup | pRDHup, inet(func(t *T, a, b int) func() {
		t.Reset(b)
		t.ready(a, unix.POLLERR)
		_, err := unix.GetsockoptInt(a, unix.SOL_SOCKET, unix.SO_ERROR)
		t.must("getsockopt", err)
		return nil
	})},
	{"a TCP socket that was refused", pIn | pOut | pErr | pHup | pRDHup, still(func(t *T) int {
		l, addr := t.Listener()
		t.CloseNow(l)
		fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
		t.nonblock(true, fd)
		if err := unix.Connect(fd, sockaddr(addr)); err != unix.EINPROGRESS {
			t.Fatalf("connect: %v", err)
		}
		return fd
	})},
	{"a TCP socket that connects", 0, still(func(t *T) int {
		l := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
		t.must("bind", unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		t.must("listen", unix.Listen(l, 0))
		addr := t.LocalAddr(l)
		t.Dial(addr) // fills the backlog, so that the next one gets no answer
		fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
		t.nonblock(true, fd)
		if err := unix.Connect(fd, sockaddr(addr)); err != unix.EINPROGRESS {
			t.Fatalf("connect: %v", err)
		}
		return fd
	})},
	{"a full TCP socket", 0, inet(func(t *T, a, b int) func() { t.Fill(a); return nil })},
	{"a full TCP socket with data", pIn, inet(func(t *T, a, b int) func() { t.Fill(a); return func() { t.Put(b, "x") } })},
	{"a full TCP socket whose peer has stopped", pIn | pRDHup, inet(func(t *T, a, b int) func() { t.Fill(a); return func() { t.shut(b, unix.SHUT_WR) } })},
	{"a TCP socket with urgent data", pOut | pPri, inet(func(t *T, a, b int) func() {
		return func() { t.must("send", unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil)) }
	})},
	{"a TCP socket with data and urgent data", pIn | pOut | pPri, inet(func(t *T, a, b int) func() {
		t.Put(b, "x")
		return func() { t.must("send", unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil)) }
	})},
	{"a TCP socket with urgent data inline", pIn | pOut | pPri, inet(func(t *T, a, b int) func() {
		t.must("setsockopt", unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1))
		return func() { t.must("send", unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil)) }
	})},
	{"an idle listener", 0, still(func(t *T) int { l, _ := t.Listener(); return l })},
	{"a listener with a connection", pIn, func(t *T) (int, func()) {
		l, addr := t.Listener()
		return l, func() { t.Dial(addr) }
	}},
	{"a listener after a shutdown", pOut | pHup, func(t *T) (int, func()) {
		l, _ := t.Listener()
		return l, func() { t.shut(l, unix.SHUT_RDWR) }
	}},
}

var unixStates = []state{
	{"a Unix socket that was never connected", pOut | pHup, still(func(t *T) int { return t.Socket(unix.AF_UNIX, unix.SOCK_STREAM) })},
	{"an idle Unix socket", pOut, local(unix.SOCK_STREAM, func(t *T, a, b int) func() { return nil })},
	{"a Unix socket with data", pIn | pOut, local(unix.SOCK_STREAM, func(t *T, a, b int) func() { return func() { t.Put(b, "x") } })},
	{"a full Unix socket", 0, local(unix.SOCK_STREAM, func(t *T, a, b int) func() { t.Fill(a); return nil })},
	{"a Unix socket whose peer has stopped", pIn | pOut | pRDHup, local(unix.SOCK_STREAM, func(t *T, a, b int) func() { return func() { t.shut(b, unix.SHUT_WR) } })},
	{"a Unix socket that does neither read nor write any more", pIn | pOut | pHup | pRDHup, local(unix.SOCK_STREAM, func(t *T, a, b int) func() {
		return func() { t.shut(a, unix.SHUT_RDWR) }
	})},
	{"a Unix socket whose peer is gone", pIn | pOut | pHup | pRDHup, local(unix.SOCK_STREAM, func(t *T, a, b int) func() { return func() { t.CloseNow(b) } })},
	{"a Unix socket whose peer went with unread data", pIn | pOut | pErr | pHup | pRDHup, local(unix.SOCK_STREAM, func(t *T, a, b int) func() {
		t.Put(a, "x")
		return func() { t.CloseNow(b) }
	})},
	{"an idle Unix listener", 0, still(func(t *T) int {
		l, _ := t.unixListener(8)
		return l
	})},
	{"a Unix listener with a connection", pIn, func(t *T) (int, func()) {
		l, path := t.unixListener(8)
		return l, func() {
			t.must("connect", unix.Connect(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), &unix.SockaddrUnix{Name: path}))
		}
	}},
	{"a seqpacket socket with data", pIn | pOut, local(unix.SOCK_SEQPACKET, func(t *T, a, b int) func() { return func() { t.Put(b, "x") } })},
	{"a seqpacket socket whose peer is gone", pIn | pOut | pHup | pRDHup, local(unix.SOCK_SEQPACKET, func(t *T, a, b int) func() { return func() { t.CloseNow(b) } })},
	{"an idle Unix datagram socket", pOut, local(unix.SOCK_DGRAM, func(t *T, a, b int) func() { return nil })},
	{"a Unix datagram socket with data", pIn | pOut, local(unix.SOCK_DGRAM, func(t *T, a, b int) func() { return func() { t.Put(b, "x") } })},
	{"a Unix datagram socket whose peer's queue is full", 0, local(unix.SOCK_DGRAM, func(t *T, a, b int) func() { t.Fill(a); return nil })},
	{"a Unix datagram socket that does not read any more", pIn | pOut | pRDHup, local(unix.SOCK_DGRAM, func(t *T, a, b int) func() { return func() { t.shut(a, unix.SHUT_RD) } })},
	{"a UDP socket", pOut, still(func(t *T) int { fd, _ := t.UDPBound(); return fd })},
	{"a UDP socket with data", pIn | pOut, func(t *T) (int, func()) {
		a, b := t.UDP()
		return a, func() { t.Put(b, "x") }
	}},
	{"a UDP socket with an empty datagram", pIn | pOut, func(t *T) (int, func()) {
		a, b := t.UDP()
		return a, func() { t.must("send", unix.Sendto(b, nil, 0, nil)) }
	}},
	{"a UDP socket with an error", pOut | pErr, func(t *T) (int, func()) {
		fd := t.refused()
		return fd, func() { t.Put(fd, "x") }
	}},
	{"a UDP socket whose error has been read", pOut, still(func(t *T) int {
		fd := t.refused()
		t.Put(fd, "x")
		t.ready(fd, unix.POLLERR)
		_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		t.must("getsockopt", err)
		return fd
	})},
	{"a UDP socket with an error in its queue", pOut | pErr, func(t *T) (int, func()) {
		fd := t.refused()
		t.must("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1))
		return fd, func() { t.Put(fd, "x") }
	}},
	{"a UDP socket that does not read any more", pIn | pOut | pRDHup, func(t *T) (int, func()) {
		a, _ := t.UDP()
		return a, func() { t.shut(a, unix.SHUT_RD) }
	}},
}

var pipeStates = []state{
	{"an empty pipe", 0, reader(func(t *T, r, w int) func() { return nil })},
	{"a pipe with data", pIn, reader(func(t *T, r, w int) func() { return func() { t.Put(w, "x") } })},
	{"a pipe with data and no writer", pIn | pHup, reader(func(t *T, r, w int) func() {
		t.Put(w, "x")
		return func() { t.CloseNow(w) }
	})},
	{"an empty pipe without a writer", pHup, reader(func(t *T, r, w int) func() { return func() { t.CloseNow(w) } })},
	{"a pipe with room", pOut, writer(func(t *T, r, w int) func() { t.Fill(w); return func() { t.Get(r, 4096) } })},
	{"a full pipe", 0, writer(func(t *T, r, w int) func() { t.Fill(w); return nil })},
	{"a pipe without a reader", pOut | pErr, writer(func(t *T, r, w int) func() { return func() { t.CloseNow(r) } })},
	{"a full pipe without a reader", pErr, writer(func(t *T, r, w int) func() { t.Fill(w); return func() { t.CloseNow(r) } })},
	{"a FIFO that has had no writer", 0, still(func(t *T) int { r, _ := t.fifo(); return r })},
	{"a FIFO without a writer", pHup, func(t *T) (int, func()) {
		r, name := t.fifo()
		w := t.OpenFile(name, unix.O_WRONLY)
		return r, func() { t.CloseNow(w) }
	}},
	{"a FIFO with data, open for both", pIn | pOut, func(t *T) (int, func()) {
		_, name := t.fifo()
		fd := t.OpenFile(name, unix.O_RDWR)
		return fd, func() { t.Put(fd, "x") }
	}},
}

var otherStates = []state{
	{"an eventfd of 0", pOut, still(func(t *T) int { return t.eventfd(0, false) })},
	{"an eventfd of 1", pIn | pOut, func(t *T) (int, func()) { fd := t.eventfd(0, false); return fd, func() { t.Put(fd, wordOf(1)) } }},
	{"a full eventfd", pIn, func(t *T) (int, func()) { fd := t.eventfd(0, false); return fd, func() { t.Put(fd, wordOf(1<<64-2)) } }},
	{"a timerfd that is not set", 0, still((*T).timerfd)},
	{"a timerfd that has expired", pIn, func(t *T) (int, func()) {
		fd := t.timerfd()
		return fd, func() {
			t.must("timerfd_settime", unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}, nil))
		}
	}},
	{"a signalfd without a signal", 0, still(func(t *T) int {
		fd, err := unix.Signalfd(-1, &unix.Sigset_t{}, unix.SFD_CLOEXEC)
		t.must("signalfd", err)
		return t.Own(fd)
	})},
	{"an inotify fd without an event", 0, still(func(t *T) int { fd, _ := t.inotify(); return fd })},
	{"an inotify fd with an event", pIn, func(t *T) (int, func()) {
		fd, dir := t.inotify()
		return fd, func() { t.must("mkdir", os.Mkdir(filepath.Join(dir, "event"), 0o700)) }
	}},
	{"the pidfd of a process that lives", 0, still(func(t *T) int {
		fd, err := unix.PidfdOpen(os.Getpid(), 0)
		t.must("pidfd_open", err)
		return t.Own(fd)
	})},
	{"the pidfd of a process that has ended", pIn, func(t *T) (int, func()) {
		p, fd := t.forked()
		return fd, func() { t.must("kill", p.Kill()) }
	}},
	{"an epoll fd without an event", 0, still(func(t *T) int { fd, _ := t.epollOf(t.eventfd(0, false)); return fd })},
	{"an epoll fd with an event", pIn, func(t *T) (int, func()) {
		e := t.eventfd(0, false)
		fd, _ := t.epollOf(e)
		return fd, func() { t.Put(e, wordOf(1)) }
	}},
	{"a terminal", pOut, still(func(t *T) int { _, s := t.terminal(false, false); return s })},
	{"a terminal with half a line", pOut, still(func(t *T) int { m, s := t.terminal(false, false); t.Put(m, "x"); return s })},
	{"a terminal with a line", pIn | pOut, func(t *T) (int, func()) {
		m, s := t.terminal(false, false)
		return s, func() { t.Put(m, "x\n") }
	}},
	{"a terminal whose master is gone", pIn | pOut | pErr | pHup, func(t *T) (int, func()) {
		m, s := t.terminal(true, false)
		return s, func() { t.CloseNow(m) }
	}},
	{"a master with data", pIn | pOut, func(t *T) (int, func()) {
		m, s := t.terminal(true, false)
		return m, func() { t.Put(s, "x") }
	}},
	{"a master whose terminal is gone", pOut | pHup, func(t *T) (int, func()) {
		m, s := t.terminal(true, false)
		return m, func() { t.CloseNow(s) }
	}},
	{"a regular file", pIn | pOut, still(func(t *T) int { return t.File("abc") })},
	{"a directory", pIn | pOut, still(func(t *T) int { return t.OpenFile(t.TempDir(), unix.O_RDONLY) })},
	{"/dev/null", pIn | pOut, still(func(t *T) int { return t.OpenFile("/dev/null", unix.O_RDWR) })},
	{"/dev/zero", pIn | pOut, still(func(t *T) int { return t.OpenFile("/dev/zero", unix.O_RDONLY) })},
	{"a file in /proc", pIn | pOut, still(func(t *T) int { return t.OpenFile("/proc/self/status", unix.O_RDONLY) })},
	{"a file in memory", pIn | pOut, still(func(t *T) int {
		fd, err := unix.MemfdCreate("conformance", unix.MFD_CLOEXEC)
		t.must("memfd_create", err)
		return t.Own(fd)
	})},
	{"a netlink socket", pOut, still(func(t *T) int { return t.Socket(unix.AF_NETLINK, unix.SOCK_RAW) })},
}

func (t *T) fifo() (r int, name string) {
	name = filepath.Join(t.TempDir(), fmt.Sprint("fifo", api.Now()))
	t.must("mkfifo", unix.Mkfifo(name, 0o600))
	return t.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK), name
}

func (t *T) timerfd() int {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	t.must("timerfd_create", err)
	return t.Own(fd)
}

func (t *T) inotify() (fd int, dir string) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	t.must("inotify_init1", err)
	t.Own(fd)
	dir = filepath.Join(t.TempDir(), fmt.Sprint("dir", api.Now()))
	t.must("mkdir", os.Mkdir(dir, 0o700))
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE)
	t.must("inotify_add_watch", err)
	return fd, dir
}

// forked is a process that does nothing.
func (t *T) forked() (*os.Process, int) {
	p, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{})
	if err != nil {
		t.Skipf("starting a process: %v", err)
	}
	t.Cleanup(func() {
		_ = p.Kill() // it may have ended
		_, _ = p.Wait()
	})
	fd, err := unix.PidfdOpen(p.Pid, 0)
	t.must("pidfd_open", err)
	return p, t.Own(fd)
}

func (t *T) epollOf(fd int) (epfd int, err error) {
	epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	t.must("epoll_create1", err)
	err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN})
	t.must("epoll_ctl", err)
	return t.Own(epfd), err
}

// eachState runs f for each of the states, and says which one it was that failed.
func eachState(states []state, f func(t *T, s *state)) func(*T) {
	return func(t *T) {
		for i := range states {
			f(t, &states[i])
			if t.Failed() {
				t.Fatalf("that was %s", states[i].what)
			}
			for fd := range t.fds {
				t.CloseNow(fd)
			}
			clear(t.peers)
		}
	}
}

// reportsState polls a file that is in the state.
func reportsState(t *T, s *state) {
	fd, then := s.make(t)
	if then != nil {
		then()
	}
	t.reached(s, fd)
	full := t.now(fd)
	if full == 0 {
		id := t.Submit(api.Poll(fd, anything, 1))[0]
		t.StillPending(1)
		t.Submit(api.PollRemove(id, 2))
		t.AwaitRes(2, 0)
		t.AwaitRes(1, ecanceled)
		return
	}
	t.wantMask(s.what, fd, anything, full)
	t.wantMask(s.what, fd, conditions, s.want)
	for bit := uint32(1); bit <= api.PollRDHup; bit <<= 1 {
		want := full & int(bit|pErr|pHup)
		if bit == api.PollIn {
			want |= full & pRDHup
		}
		if want != 0 {
			t.wantMask(s.what, fd, bit, want)
		}
	}
}

// awaitsState polls a file before it is in the state: for what it has not yet, and for what it will have.
func awaitsState(multishot bool) func(t *T, s *state) {
	return func(t *T, s *state) {
		for _, all := range []bool{false, true} {
			fd, then := s.make(t)
			if then == nil {
				return
			}
			before := t.now(fd)
			mask := s.want &^ before
			if all {
				mask = anything &^ before
			}
			if before&(pErr|pHup) != 0 || s.want&(mask|pErr|pHup) == 0 {
				return // nothing keeps such a poll waiting, or there is nothing new to be seen
			}
			t.awaitState(s, fd, then, mask, multishot)
		}
	}
}

func (t *T) awaitState(s *state, fd int, then func(), mask int, multishot bool) {
	op := api.Poll(fd, uint32(mask), 1)
	if multishot {
		op = op.With(api.Multishot)
	}
	id := t.Submit(op)[0]
	t.StillPending(1)
	then()
	t.reached(s, fd)
	want := t.now(fd) & (mask | pErr | pHup)
	if mask&pIn != 0 {
		want |= t.now(fd) & pRDHup
	}
	end := api.After(promptTime)
	for len(t.stash) == 0 && api.Now() < end {
		t.pull(1, end)
	}
	if len(t.stash) == 0 {
		t.Fatalf("%s: a poll for %s that was there before has not reported %s", s.what, maskName(mask), maskName(want))
	}
	if c := t.Await(1); int(c.Res) != want || c.More() != multishot {
		t.Errorf("%s: a poll for %s that was there before gave %s %s, want %s", s.what, maskName(mask), show(&c), maskName(int(c.Res)), maskName(want))
	}
	if multishot {
		t.Submit(api.PollRemove(id, 2))
		t.AwaitRes(2, 0)
		t.endOfReports(1, want)
	}
}

// stateCases are about what poll reports of files in all the states that there are.
var stateCases = slices.Concat(statesOf("stream", streamStates), statesOf("datagram and unix", unixStates), statesOf("pipe", pipeStates), statesOf("other", otherStates), []Case{
	{
		ID: "POL-18", Name: "what it never reports",
		Explanation: "A poll of a file that is always ready, for what such a file never reports, is EINVAL.",
		Requires:    api.FeatMultishotPoll,
		Ops:         pollOps,
		Fn: func(t *T) {
			for _, fd := range []int{t.File("abc"), t.OpenFile("/dev/null", unix.O_RDWR), t.OpenFile(t.TempDir(), unix.O_RDONLY)} {
				for _, mask := range []uint32{0, api.PollPri, api.PollRDHup, api.PollErr | api.PollHup} {
					t.WantErr(api.Poll(fd, mask, 1), unix.EINVAL)
					t.WantErr(api.PollMultishot(fd, mask, 2), unix.EINVAL)
					t.WantErr(api.PollMultishot(fd, mask, 3).With(api.Level), unix.EINVAL)
				}
			}
		},
	},
	{
		ID: "POL-18", Name: "what may be reported some day",
		Explanation: "A poll of a file that is readable and writable, for something else, waits, and makes few system calls.",
		Ops:         pollOps,
		Fn: func(t *T) {
			for i, fd := range []int{t.eventfd(1, false), t.OpenFile("/proc/self/mounts", unix.O_RDONLY), t.OpenFile("/proc/version", unix.O_RDONLY)} {
				t.Submit(api.Poll(fd, api.PollRDHup, uint64(i)))
			}
			t.idle()
		},
	},
	{
		ID: "POL-19", Name: "closed",
		Explanation: "A poll of an fd that is not open is EBADF, whatever it asks for.",
		Requires:    api.FeatMultishotPoll,
		Ops:         pollOps,
		Fn: func(t *T) {
			for _, fd := range t.badFDs() {
				for _, mask := range []uint32{0, api.PollIn, anything} {
					t.WantErr(api.Poll(fd, mask, 1), unix.EBADF)
					t.WantErr(api.PollMultishot(fd, mask, 2), unix.EBADF)
					t.WantErr(api.PollMultishot(fd, mask, 3).With(api.Level), unix.EBADF)
				}
			}
		},
	},
	{
		ID: "POL-1", Name: "conditions that have no names",
		Explanation: "A poll waits for POLLRDNORM, POLLWRNORM and POLLWRBAND as for PollIn and PollOut.",
		Ops:         pollOps,
		Fn: func(t *T) {
			const rdNorm, wrNorm, wrBand = 0x40, 0x100, 0x200
			t.EachStream(func(a, b int) {
				t.Submit(api.Poll(a, rdNorm, 1))
				t.StillPending(1)
				t.Put(b, "x")
				t.Prompt(1, rdNorm)
				t.wantMask("an idle socket", b, wrNorm, wrNorm)
			})
			r, w := t.Pipe(false)
			full := t.Fill(w)
			t.Submit(api.Poll(w, wrNorm, 2))
			t.StillPending(2)
			t.Get(r, full)
			t.Prompt(2, wrNorm)
			a, b := t.Pair(false)
			t.SmallBuffers(a)
			full = t.Fill(a)
			t.Submit(api.Poll(a, wrBand, 3))
			t.StillPending(3)
			t.Get(b, full)
			t.Prompt(3, wrBand)
		},
	},
})

// statesOf are the cases about some of the states.
func statesOf(name string, states []state) []Case {
	ops := pollRemoveOps
	return []Case{
		{
			ID: "POL-2", Name: name + " states",
			Explanation: "The result of a poll is what poll(2) gives for the state that the file is in.",
			Ops:         ops,
			Fn:          eachState(states, reportsState),
		},
		{
			ID: "POL-2", Name: name + " states that come",
			Explanation: "A poll that waits when a state comes about gives what poll(2) gives for it.",
			Ops:         ops,
			Fn:          eachState(states, awaitsState(false)),
		},
		{
			ID: "POL-7", Name: name + " states that come",
			Explanation: "A multishot poll that waits when a state comes about reports what poll(2) gives for it.",
			Requires:    api.FeatMultishotPoll,
			Ops:         ops,
			Fn:          eachState(states, awaitsState(true)),
		},
	}
}
