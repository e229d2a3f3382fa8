package script

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// object is an object of a program that runs.
type object struct {
	*Object
	fd     int // the engine's end, -1 when it is closed
	peer   int // the other end, -1 when it is closed
	huge   bool
	group  api.BufferGroup
	dials  []int // who has connected to a listener
	put    int   // bytes that the peer has written
	sent   int   // bytes that operations have sent
	taken  int   // bytes that the peer has read
	got    int   // bytes that operations have received
	unseen bool  // and some of which nobody knows how many
	broken bool  // what was sent may never arrive
	part   bool  // something huge has been stopped, and the peer has not read all of it since
	noIn   bool  // it has been shut down for reading
	noOut  bool  // and for writing

	written   int    // datagrams by the peer
	received  int    // of these, by operations
	datagrams int    // that operations have sent
	arrivals  int    // of these, those that have come
	inbox     []byte // what was in them, and the program has not seen yet
}

// stalled says whether the program sends more than there is room for.
func (o *object) stalled() bool { return o.huge }

// Buffers of TCP sockets that do not grow, so that something Huge never fits.
const (
	sendRoom = 64 << 10
	recvRoom = 128 << 10
)

func (o *object) open(p *Program) (err error) {
	for i := range p.Steps {
		for _, op := range p.Steps[i].Ops {
			o.huge = o.huge || op.On == o.Name && op.N == Huge
		}
	}
	var fds [2]int
	switch o.Kind {
	case TCP:
		fds, err = tcpPair()
	case UDP:
		fds, err = udpPair()
	case Unix:
		fds, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	case PipeIn, PipeOut:
		var r [2]int
		err = unix.Pipe2(r[:], unix.O_CLOEXEC)
		if fds = r; o.Kind == PipeOut {
			fds[0], fds[1] = r[1], r[0]
		}
	case File:
		fds[0], err = tempFile(o.N)
		fds[1] = -1
	case Listener:
		fds[0], err = unixListener()
		fds[1] = -1
	}
	if err != nil {
		return err
	}
	o.fd, o.peer = fds[0], fds[1]
	if o.peer < 0 {
		return nil
	}
	// The engine's end is of either kind: the contract makes no difference.
	if err := unix.SetNonblock(o.fd, len(o.Name) > 0 && o.Name[0]%4 == 1); err != nil {
		return err
	}
	return unix.SetNonblock(o.peer, true)
}

// free closes what is open still. A reset leaves no socket behind that waits for its time.
func (o *object) free() {
	for _, fd := range append(o.dials, o.fd, o.peer) {
		if fd < 0 || o.Kind == Group {
			continue
		}
		if o.Kind == TCP {
			_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // else it closes as usual
		}
		_ = unix.Close(fd) // nothing can be done about it
	}
	o.fd, o.peer, o.dials = -1, -1, nil
}

// closed notes that the engine's end is. If the peer had written something that was not received, it was a reset, which may overtake what was on
// its way.
func (o *object) closed() {
	o.fd = -1
	o.broken = o.broken || o.Kind == TCP && o.huge && o.put > 0
}

// closing says whether the peer has still to hear that the engine's end has been closed: a worker of the kernel keeps a file for a while beyond the
// completion that it had it for.
func (o *object) closing() bool {
	return o.fd < 0 && o.peer >= 0 && (o.Kind == Unix || o.Kind == PipeIn || o.Kind == PipeOut) && !isReady(o.peer, 0, 0)
}

// held says whether bytes of the peer have been taken from the queue by a receive that has not completed.
func (o *object) held() bool {
	if o.fd < 0 || o.unseen || o.noIn || o.broken || o.Kind != TCP && o.Kind != Unix && o.Kind != PipeIn {
		return false
	}
	queued, err := unix.IoctlGetInt(o.fd, unix.TIOCINQ)
	return err == nil && o.got+queued < o.put
}

// shut notes that the engine's end has been shut down.
func (o *object) shut(how string) {
	o.noIn = o.noIn || how != "wr"
	o.noOut = o.noOut || how != "rd"
}

// tcpPair is a connection over the loopback interface.
func tcpPair() (fds [2]int, err error) {
	fds = [2]int{-1, -1}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fds, err
	}
	defer unix.Close(l)
	if fds[0], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return fds, err
	}
	err = func() (err error) {
		// What is accepted has the size of the listener's buffer.
		for _, f := range []func() error{
			func() error { return unix.SetsockoptInt(l, unix.SOL_SOCKET, unix.SO_RCVBUF, recvRoom) },
			func() error { return unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, sendRoom) },
			func() error { return unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) },
			func() error { return unix.Listen(l, 1) },
		} {
			if err := f(); err != nil {
				return err
			}
		}
		addr, err := unix.Getsockname(l)
		if err != nil {
			return err
		}
		if err := retry(func() error { return unix.Connect(fds[0], addr) }); err != nil {
			return err
		}
		if err := retry(func() error { fds[1], _, err = unix.Accept4(l, unix.SOCK_CLOEXEC); return err }); err != nil {
			return err
		}
		for _, fd := range fds {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		for _, fd := range fds {
			if fd >= 0 {
				_ = unix.Close(fd) // it was for nothing
			}
		}
	}
	return fds, err
}

// retry goes on when a signal has come in between.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// tempFile is a regular file that has no name any more.
func tempFile(size int) (fd int, err error) {
	f, err := os.CreateTemp("", "script")
	if err != nil {
		return -1, err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return -1, err
	}
	b := make([]byte, size)
	fill(b, MaxTag+2)
	if _, err := f.WriteAt(b, 0); err != nil {
		return -1, err
	}
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

var listeners atomic.Int64

func unixListener() (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	name := fmt.Sprintf("@sluice-script-%d-%d", os.Getpid(), listeners.Add(1))
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err == nil {
		err = unix.Listen(fd, MaxSteps)
	}
	if err != nil {
		_ = unix.Close(fd) // it was for nothing
		return -1, err
	}
	return fd, nil
}

// ready says whether poll(2) reports something for the engine's end: one of the events, or an error or hang-up.
func (o *object) ready(events int16) bool {
	return isReady(o.fd, events, 0)
}

// failing says whether the engine's end has an error that nobody has been told of.
func (o *object) failing() bool {
	p := []unix.PollFd{{Fd: int32(o.fd)}}
	_ = retry(func() (err error) { _, err = unix.Poll(p, 0); return err })
	return p[0].Revents&unix.POLLERR != 0
}

func isReady(fd int, events int16, ms int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	n := 0
	_ = retry(func() (err error) { n, err = unix.Poll(p, ms); return err })
	return n > 0
}

// content is what is in a file.
func (o *object) content() ([]byte, error) {
	if o.fd < 0 {
		return nil, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(o.fd, &st); err != nil {
		return nil, err
	}
	b := make([]byte, st.Size)
	n, err := unix.Pread(o.fd, b, 0)
	return b[:max(n, 0)], err
}

// readAll reads what there is without waiting, and says how it ends: open, end, or an error.
func readAll(fd int) (b []byte, end string) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err.Error()
	}
	return readSome(fd, 1<<30)
}

// readSome is readAll, but of at most n bytes, of a non-blocking fd.
func readSome(fd, n int) (b []byte, end string) {
	buf := make([]byte, 1<<16)
	for len(b) < n {
		got := 0
		err := retry(func() (err error) { got, err = unix.Read(fd, buf[:min(len(buf), n-len(b))]); return err })
		switch {
		case err == unix.EAGAIN:
			return b, "open"
		case err != nil:
			return b, unix.ErrnoName(err.(unix.Errno))
		case got == 0:
			return b, "end"
		}
		b = append(b, buf[:got]...)
	}
	return b, "open"
}

// drain has the peer read n bytes, or with -1 what there is.
func (o *object) drain(n int) (b []byte, end string, err error) {
	if n < 0 {
		n = 1 << 30
	}
	if o.Kind == UDP {
		o.collect()
		b, end, o.inbox = o.inbox, fmt.Sprintf("%d datagrams", o.arrivals), nil
	} else {
		b, end = readSome(o.peer, n)
	}
	o.taken += len(b)
	return b, end, nil
}

// write has the peer write n bytes.
func (o *object) write(n int) string {
	b := make([]byte, n)
	for i := range b {
		at := o.put + i
		b[i] = byte(at*11 + at>>8)
	}
	got := 0
	err := retry(func() (err error) { got, err = unix.Write(o.peer, b); return err })
	if err != nil {
		return unix.ErrnoName(err.(unix.Errno))
	}
	o.put += got
	o.written++
	// It is answered by a reset if nobody can receive it any more.
	o.broken = o.broken || o.Kind == TCP && o.huge && o.noIn && o.noOut
	return fmt.Sprint(got)
}

// dial connects somebody to a listener.
func (o *object) dial() error {
	addr, err := unix.Getsockname(o.fd)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	o.dials = append(o.dials, fd)
	return retry(func() error { return unix.Connect(fd, addr) })
}

// The states of a TCP socket (enum in net/tcp_states.h of the kernel).
const (
	tcpFinWait1  = 4
	tcpClose     = 7
	tcpCloseWait = 8
	tcpLastAck   = 9
	tcpClosing   = 11
)

// arrived says whether all that was sent over TCP has arrived: data, ends and resets. A write returns before that on a machine that
// leaves the work of the interrupt to a thread.
func (o *object) arrived() bool {
	if o.Kind == UDP {
		return o.come()
	}
	if o.Kind != TCP {
		return true
	}
	a, b := tcpInfo(o.fd), tcpInfo(o.peer)
	switch {
	case a == nil && b == nil:
		return true
	case a == nil || b == nil:
		// Whoever is left gets the end of the stream or a reset; what it sends afterwards is answered by a reset.
		left := a
		if a == nil {
			left = b
		}
		return left.State == tcpClose || left.State == tcpCloseWait && left.Unacked == 0 && left.Notsent_bytes == 0 || o.huge
	case a.State == tcpClose || b.State == tcpClose:
		return a.State == b.State
	}
	return o.oneWay(a, b, o.peer) && o.oneWay(b, a, o.fd)
}

func (o *object) oneWay(from, to *unix.TCPInfo, toFD int) bool {
	ok := to.Bytes_received >= from.Bytes_sent-from.Bytes_retrans
	if !o.huge {
		ending := from.State == tcpFinWait1 || from.State == tcpClosing || from.State == tcpLastAck
		ok = ok && from.Notsent_bytes == 0 && !ending
	}
	if !ok {
		_ = unix.SetsockoptInt(toFD, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) // else it takes 40 ms
	}
	return ok
}

func tcpInfo(fd int) *unix.TCPInfo {
	if fd < 0 {
		return nil
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return nil
	}
	return info
}

// arrive waits until all has arrived.
func (o *object) arrive(patience time.Duration) error {
	for end := time.Now().Add(patience); !o.arrived(); {
		if time.Now().After(end) {
			return fmt.Errorf("%w: what %s has sent does not arrive: %+v %+v", ErrStuck, o.Object, tcpInfo(o.fd), tcpInfo(o.peer))
		}
		_, _ = unix.Poll(nil, 1) // lets the kernel's thread have the processor; the loop looks again in any case
	}
	return nil
}
