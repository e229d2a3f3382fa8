//go:build unix

package conformance

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// neg is the result of an operation that fails with errno.
func neg(errno syscall.Errno) int { return -int(errno) }

// Own has fd closed at the end of the case. A Close through the engine takes it off the list.
func (t *T) Own(fd int) int {
	t.fds[fd] = true
	return fd
}

// needFDs skips a case that has n files open where RLIMIT_NOFILE does not allow for so many beside those of the process.
func (t *T) needFDs(n int) {
	if t.streams != nil {
		return
	}
	var limit unix.Rlimit
	t.must("getrlimit", unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if need := uint64(n + len(t.before.fds) + fdsOfEngine); uint64(limit.Cur) < need {
		t.Skipf("RLIMIT_NOFILE is %d, and the case needs %d", limit.Cur, need)
	}
}

// fdsOfEngine is more than engines need for themselves.
const fdsOfEngine = 64

// CloseNow closes fd behind the engine's back.
func (t *T) CloseNow(fd int) {
	delete(t.fds, fd)
	if t.streams != nil {
		t.must("close", t.streams.Close(fd))
		return
	}
	t.must("close", unix.Close(fd))
}

// filesOnly fails a case that says it needs streams alone, and asks for more.
func (t *T) filesOnly(what string) {
	if t.streams != nil {
		t.Fatalf("the case is one that needs streams alone (NeedStreams), and uses %s", what)
	}
}

// Socket makes a blocking socket.
func (t *T) Socket(domain, typ int) int {
	t.filesOnly("a socket")
	fd, err := unix.Socket(domain, typ, 0)
	t.must("socket", err)
	unix.CloseOnExec(fd)
	return t.Own(fd)
}

func (t *T) nonblock(nonblock bool, fds ...int) {
	for _, fd := range fds {
		t.must("fcntl", unix.SetNonblock(fd, nonblock))
	}
}

// Pair is a connected pair of stream sockets of the Unix family, or of Config.Streams.
func (t *T) Pair(nonblock bool) (a, b int) {
	if t.streams != nil {
		return t.ownPair()
	}
	return t.pairOf(unix.SOCK_STREAM, nonblock)
}

// Dgrams is a connected pair of datagram sockets of the Unix family.
func (t *T) Dgrams() (a, b int) { return t.pairOf(unix.SOCK_DGRAM, false) }

func (t *T) pairOf(typ int, nonblock bool) (a, b int) {
	t.filesOnly("a pair of sockets")
	p, err := unix.Socketpair(unix.AF_UNIX, typ, 0)
	t.must("socketpair", err)
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	t.Own(p[0])
	t.Own(p[1])
	t.nonblock(nonblock, p[0], p[1])
	return p[0], p[1]
}

// Listener is a TCP listener on a port of the loopback interface.
func (t *T) Listener() (fd int, addr netip.AddrPort) {
	fd = t.Socket(unix.AF_INET, unix.SOCK_STREAM)
	t.must("bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	t.must("listen", unix.Listen(fd, 64))
	return fd, t.LocalAddr(fd)
}

// LocalAddr is the address that an IP socket is bound to.
func (t *T) LocalAddr(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	t.must("getsockname", err)
	return addrPort(sa)
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func sockaddr(ap netip.AddrPort) unix.Sockaddr {
	if ap.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}
	}
	return &unix.SockaddrInet6{Addr: ap.Addr().As16(), Port: int(ap.Port())}
}

// Dial connects a new TCP socket to a listener.
func (t *T) Dial(addr netip.AddrPort) int {
	domain := unix.AF_INET
	if addr.Addr().Is6() {
		domain = unix.AF_INET6
	}
	fd := t.Socket(domain, unix.SOCK_STREAM)
	t.must("connect", unix.Connect(fd, sockaddr(addr)))
	return fd
}

// AcceptNow accepts without the engine.
func (t *T) AcceptNow(listener int) int {
	t.ready(listener, unix.POLLIN) // a connection that never comes must not hang the case
	fd, _, err := unix.Accept(listener)
	t.must("accept", err)
	unix.CloseOnExec(fd)
	return t.Own(fd)
}

// TCP is a connected pair of TCP sockets, or of Config.Streams.
func (t *T) TCP(nonblock bool) (a, b int) {
	if t.streams != nil {
		return t.ownPair()
	}
	l, addr := t.Listener()
	a = t.Dial(addr)
	b = t.AcceptNow(l)
	t.CloseNow(l)
	t.nonblock(nonblock, a, b)
	for _, fd := range [...]int{a, b} {
		t.must("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	}
	t.peers[a], t.peers[b] = b, a
	return a, b
}

// UDPBound is a UDP socket bound to a port of the loopback interface.
func (t *T) UDPBound() (fd int, addr netip.AddrPort) {
	fd = t.Socket(unix.AF_INET, unix.SOCK_DGRAM)
	t.must("bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	return fd, t.LocalAddr(fd)
}

// UDP is a pair of UDP sockets connected to each other.
func (t *T) UDP() (a, b int) {
	a, at := t.UDPBound()
	b, bt := t.UDPBound()
	t.must("connect", unix.Connect(a, sockaddr(bt)))
	t.must("connect", unix.Connect(b, sockaddr(at)))
	return a, b
}

// Pipe is a pipe.
func (t *T) Pipe(nonblock bool) (r, w int) {
	t.filesOnly("a pipe")
	p := make([]int, 2)
	t.must("pipe", unix.Pipe(p))
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	t.Own(p[0])
	t.Own(p[1])
	t.nonblock(nonblock, p[0], p[1])
	return p[0], p[1]
}

// File is a new regular file, opened for reading and writing at its beginning.
func (t *T) File(content string) int {
	name := t.FilePath(content)
	return t.OpenFile(name, unix.O_RDWR)
}

// FilePath is the path of a new regular file.
func (t *T) FilePath(content string) string {
	t.filesOnly("a regular file")
	name := filepath.Join(t.TempDir(), "f"+strconv.FormatInt(int64(api.Now()), 36))
	t.must("write a file", os.WriteFile(name, []byte(content), 0o600))
	return name
}

// OpenFile opens a file.
func (t *T) OpenFile(name string, flags int) int {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0o600)
	t.must("open "+name, err)
	return t.Own(fd)
}

// Offset is the position of a file.
func (t *T) Offset(fd int) int64 {
	off, err := unix.Seek(fd, 0, 1)
	t.must("seek", err)
	return off
}

// Put writes all of s to fd without the engine.
func (t *T) Put(fd int, s string) {
	if t.streams != nil {
		t.ownPut(fd, []byte(s))
		return
	}
	for b := []byte(s); len(b) > 0; {
		n, err := unix.Write(fd, b)
		if (err == unix.EINTR || err == unix.EAGAIN) && !t.spent() {
			continue
		}
		t.must("write", err)
		b = b[n:]
	}
}

// taken waits until the engine has received all that there is in a socket.
func (t *T) taken(fd int) {
	for end := api.After(promptTime); ; t.pull(1, api.After(lookTime)) {
		_, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return
		}
		t.must("peek", err)
		if api.Now() >= end {
			t.Fatalf("what was sent has not been received within %v; %s", promptTime, t.state())
		}
	}
}

// EndWrites ends the stream for the peer of fd, without the engine.
func (t *T) EndWrites(fd int) {
	if t.streams != nil {
		t.must("Streams.CloseWrite", t.streams.CloseWrite(fd))
		return
	}
	t.must("shutdown", unix.Shutdown(fd, unix.SHUT_WR))
}

// isOpen says whether fd is an open file.
func (t *T) isOpen(fd int) bool {
	if t.streams != nil {
		_, err := t.streams.Read(fd, nil)
		return err != unix.EBADF
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err != unix.EBADF
}

// ready waits until fd has one of the conditions. What comes to one of Config.Streams is there at once.
func (t *T) ready(fd int, events int16) {
	if t.streams != nil {
		return
	}
	for {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(p, 20)
		if err != nil && err != unix.EINTR {
			t.Fatalf("poll: %v", err)
		}
		if n > 0 {
			return
		}
		if t.spent() {
			t.Fatalf("nothing came to fd %d within %v, or before the end of the case", fd, t.timeout)
		}
	}
}

// Get reads n bytes from fd without the engine, fewer if it ends.
func (t *T) Get(fd, n int) string {
	buf := make([]byte, n)
	return string(buf[:t.getInto(fd, buf)])
}

// getInto fills buf from fd without the engine. It returns how much it has read, which is less only if fd ends.
func (t *T) getInto(fd int, buf []byte) (got int) {
	if t.streams != nil {
		return t.ownGet(fd, buf)
	}
	for got < len(buf) {
		t.ready(fd, unix.POLLIN)
		m, err := takeNow(fd, buf[got:])
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		t.must("read", err)
		if m == 0 {
			break
		}
		got += m
	}
	return got
}

// takeNow reads what is there, and does not wait at a socket, of which somebody else may have taken it meanwhile, if the engine is wrong, and the case is to fail then, not to hang.
func takeNow(fd int, b []byte) (int, error) {
	n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
	if err == unix.ENOTSOCK {
		return readNow(fd, b)
	}
	return n, err
}

// WantGet reads len(want) bytes from fd without the engine, which must be those of want.
func (t *T) WantGet(fd int, want string) {
	t.tb.Helper()
	buf := make([]byte, len(want))
	if buf = buf[:t.getInto(fd, buf)]; string(buf) != want {
		t.Errorf("%s arrived, want %s", quote(string(buf)), quote(want))
	}
}

// WantEnd checks that the stream of fd has ended.
func (t *T) WantEnd(fd int) {
	t.tb.Helper()
	if got := t.Get(fd, 1); got != "" {
		t.Errorf("%q arrived, want the end of the stream", got)
	}
}

// WantBytes compares what was received.
func (t *T) WantBytes(got []byte, want string) {
	t.tb.Helper()
	if string(got) != want {
		t.Errorf("received %s, want %s", quote(string(got)), quote(want))
	}
}

func quote(s string) string {
	if len(s) > 64 {
		return strconv.Quote(s[:48]) + "… (" + strconv.Itoa(len(s)) + " bytes)"
	}
	return strconv.Quote(s)
}

// Flags are the file-status flags of fd.
func (t *T) Flags(fd int) int {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	t.must("fcntl", err)
	return n
}

// Fill writes to fd, which is made non-blocking for that long, until it takes no more. It returns how much.
func (t *T) Fill(fd int) int {
	if t.streams != nil {
		return t.ownFill(fd)
	}
	was := t.Flags(fd)&unix.O_NONBLOCK != 0
	t.nonblock(true, fd)
	total := 0
	for {
		// TCP goes on moving data to the peer, and each acknowledgement makes room again.
		acknowledgeSoon(t.peers[fd])
		settled := !unacknowledged(fd)
		n := t.fillOnce(fd)
		if n == 0 && settled {
			break
		}
		total += n
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 1) // only to let time pass
		if t.expired.Load() {
			t.Fatalf("fd %d does not get full", fd)
		}
	}
	t.nonblock(was, fd)
	return total
}

func (t *T) fillOnce(fd int) (total int) {
	for size := 1 << 16; size > 0; {
		n, err := unix.Write(fd, t.zeros(size))
		switch {
		case err == nil:
			total += n
		case err == unix.EAGAIN:
			size /= 2
		case err != unix.EINTR:
			t.must("write", err)
		}
	}
	return total
}

// SmallBuffers makes the send buffers of sockets small, so that they are full soon. The receive buffers stay
// as they are: a TCP window that has been made small is slow to open again. Config.Streams have small ones anyway.
func (t *T) SmallBuffers(fds ...int) {
	if t.streams != nil {
		return
	}
	for _, fd := range fds {
		t.must("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<14))
	}
}

// NoRoom makes the receive buffer of a socket small, too, for a case that has its peer send much and never reads.
func (t *T) NoRoom(fds ...int) {
	if t.streams != nil {
		return
	}
	for _, fd := range fds {
		t.must("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<14))
	}
}

// Reset closes a TCP socket so that its peer gets a reset.
func (t *T) Reset(fd int) {
	t.must("setsockopt", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	t.CloseNow(fd)
}

// badFDs are numbers that are no open file: negative, closed, and higher than any can be.
func (t *T) badFDs() []int {
	fd, _ := t.Pair(false)
	t.CloseNow(fd)
	return []int{-1, fd, 1 << 30}
}

// pattern is n bytes in which no part looks like another nearby.
func pattern(n int) string {
	patterns.Lock()
	defer patterns.Unlock()
	if n <= len(patterns.longest) {
		return patterns.longest[:n]
	}
	patterns.longest = string(makePattern(n))
	return patterns.longest[:n]
}

// patterns keeps the longest one that has been made: the shorter ones are its beginnings.
var patterns struct {
	sync.Mutex
	longest string
}

// makePattern makes numbers up to patternBlock, and of what is more copies that have a letter of their own here and there: numbers
// alone take a second for a few MiB under the race detector.
func makePattern(n int) []byte {
	b := make([]byte, 0, n+16)
	for i := 0; len(b) < min(n, patternBlock); i++ {
		b = append(strconv.AppendInt(b, int64(i), 10), ' ')
	}
	b = b[:min(n, patternBlock)]
	for letter := byte('a'); len(b) < n; letter++ {
		at := len(b)
		b = append(b, b[:min(n-at, patternBlock)]...)
		for i := at; i < len(b); i += patternMark {
			b[i] = letter
		}
	}
	return b
}

const patternBlock, patternMark = 1 << 18, 61

// patternSent is pattern(n) for an operation that sends it. It is the same memory each time, since a copy of some MiB takes the race detector longer than
// sending it, but of this case alone: an engine with a fault may write to it.
func (t *T) patternSent(n int) []byte {
	if n > len(t.sent) {
		t.sent = []byte(pattern(n))
	}
	return t.sent[:n:n]
}

// zeros are n bytes to be sent whose values do not matter, for the same reason.
func (t *T) zeros(n int) []byte {
	if n > len(t.zeroed) {
		t.zeroed = make([]byte, n)
	}
	return t.zeroed[:n:n]
}

// streams are the kinds of stream sockets that the contract makes no difference between.
var streams = []struct {
	name string
	make func(*T) (a, b int)
}{
	{"unix, blocking", func(t *T) (int, int) { return t.Pair(false) }},
	{"unix, O_NONBLOCK", func(t *T) (int, int) { return t.Pair(true) }},
	{"TCP, blocking", func(t *T) (int, int) { return t.TCP(false) }},
	{"TCP, O_NONBLOCK", func(t *T) (int, int) { return t.TCP(true) }},
}

// EachStream runs f with each kind of stream. Config.Streams are of one kind.
func (t *T) EachStream(f func(a, b int)) {
	if t.streams != nil {
		f(t.ownPair())
		return
	}
	for _, s := range streams {
		a, b := s.make(t)
		f(a, b)
		if t.Failed() {
			t.Fatalf("that was with a stream of the kind %s", s.name)
		}
	}
}

// readNow is read(2) without waiting for a non-blocking fd.
func readNow(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}
