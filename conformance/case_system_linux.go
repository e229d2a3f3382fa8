package conformance

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// systemCases are those that only Linux can have.
func systemCases() []Case {
	return slices.Concat(linuxCases, socketLinuxCases, seqpacketCases, msgFlagCases, controlCases, segmentCases, addressCases, socketErrorCases, clockCases,
		childCases, futexCases, linuxPathCases, rangeCases, directCases, polledDirect, polledNumber, polledEnds, personalityCases, memlockCases, recvZCCardCases, spliceCases, spliceWaitCases,
		deviceCases, terminalCases, stateCases, errQueueCases, shutdownWaitCases)
}

// cloexecFlag of a type of socket makes it close-on-exec.
const cloexecFlag = unix.SOCK_CLOEXEC

// nobody is the address of a UDP socket that there is not: a port of a loopback address which no other process of this machine binds to, as it may
// to 127.0.0.1.
func (t *T) nobody() netip.AddrPort {
	closed, addr := t.UDPBound()
	t.CloseNow(closed)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 200, byte(rand.Uint32()), byte(1 + rand.IntN(254))}), addr.Port())
}

// acknowledgeSoon has a TCP socket acknowledge at once what it has received, rather than wait for more. Other files
// do not know the option.
func acknowledgeSoon(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) }

// unacknowledged says whether a TCP socket has sent something that its peer has not acknowledged.
func unacknowledged(fd int) bool {
	const siocoutqnsd = 0x894b // linux/sockios.h: bytes that have not been sent
	all, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	unsent, err2 := unix.IoctlGetInt(fd, siocoutqnsd)
	return err == nil && err2 == nil && all > unsent
}

func (t *T) eventfd(value uint64, nonblock bool) int {
	flags := unix.EFD_CLOEXEC
	if nonblock {
		flags |= unix.EFD_NONBLOCK
	}
	fd, err := unix.Eventfd(0, flags)
	t.must("eventfd", err)
	t.Own(fd)
	if value > 0 {
		_, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, value))
		t.must("write to an eventfd", err)
	}
	return fd
}

// abstract is a name in the abstract namespace that no other process has.
func abstract() string {
	return "@sluice-conformance-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(int64(api.Now()), 36)
}

var linuxCases = []Case{
	{
		ID: "FIL-11", Name: "eventfd",
		Explanation: "A read of an eventfd waits until it is not 0 and gives 8 bytes, whatever O_NONBLOCK says and however large the buffer is; less than 8 is EINVAL.",
		Requires:    api.FeatDontWait,
		Ops:         fileOps,
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				fd := t.eventfd(0, nonblock)
				buf := make([]byte, 64)
				t.WantErr(api.Read(fd, buf, api.CurrentPosition, 1).With(api.DontWait), unix.EAGAIN)
				t.Submit(api.Read(fd, buf, api.CurrentPosition, 2))
				t.StillPending(2)
				t.Want(api.Write(fd, binary.NativeEndian.AppendUint64(nil, 7), api.CurrentPosition, 3), 8)
				t.AwaitRes(2, 8)
				if n := binary.NativeEndian.Uint64(buf); n != 7 {
					t.Errorf("read %d, want 7", n)
				}
				t.WantErr(api.Read(t.eventfd(1, nonblock), buf[:7], api.CurrentPosition, 4), unix.EINVAL)
				t.WantErr(api.Write(fd, buf[:7], api.CurrentPosition, 5), unix.EINVAL)
			}
		},
	},
	{
		ID: "FIL-13", Name: "inotify",
		Explanation: "A read into 0 bytes completes at once, also of a file that would have read(2) wait all the same.",
		Ops:         api.Ops(api.OpRead, api.OpNop),
		Fn: func(t *T) {
			for _, flags := range []int{0, unix.IN_NONBLOCK} {
				fd, err := unix.InotifyInit1(flags | unix.IN_CLOEXEC)
				t.must("inotify_init1", err)
				t.Own(fd)
				dir := t.TempDir()
				_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE)
				t.must("inotify_add_watch", err)
				late := time.AfterFunc(promptTime, func() { _ = os.WriteFile(filepath.Join(dir, "event"), nil, 0o600) }) // lets a read go
				t.Submit(api.Read(fd, nil, api.CurrentPosition, 1), api.Nop(2))
				t.Prompt(2, 0)
				t.Prompt(1, 0)
				if !late.Stop() {
					t.Errorf("the read waited for an event")
				}
			}
		},
	},
	{
		ID: "VEC-8", Name: "more than one operation moves",
		Explanation: "An operation on vectors of more than 2 GiB moves 0x7ffff000 bytes.",
		Ops:         vectorOps,
		Fn: func(t *T) {
			block := make([]byte, 4<<20)
			m := &api.Msg{}
			for range 640 {
				m.Bufs = append(m.Bufs, block)
			}
			t.Want(api.Writev(t.OpenFile("/dev/null", unix.O_RDWR), m, api.CurrentPosition, 1), 0x7ffff000)
			fd, err := unix.MemfdCreate("conformance", unix.MFD_CLOEXEC)
			t.must("memfd_create", err)
			t.Own(fd)
			t.must("ftruncate", unix.Ftruncate(fd, 3<<30)) // takes no memory while nobody writes
			t.Want(api.Readv(fd, m, 0, 2), 0x7ffff000)
		},
	},
	{
		ID: "ENG-11", Name: "error queue that nobody reads",
		Explanation: "A receive waits without asking again and again, although the socket's error queue is not empty.",
		Ops:         recvOnly,
		Fn: func(t *T) {
			addr := t.nobody()
			s := t.Socket(unix.AF_INET, unix.SOCK_DGRAM)
			t.must("setsockopt", unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1))
			t.must("connect", unix.Connect(s, sockaddr(addr)))
			t.Put(s, "x")
			t.ready(s, unix.POLLERR)
			t.WantErr(api.Recv(s, make([]byte, 8), 1), unix.ECONNREFUSED)
			t.Submit(api.Recv(s, make([]byte, 8), 2))
			t.idle()
		},
	},
	{
		ID: "FIL-12", Name: "offset of a pipe",
		Explanation: "Of a file that has no positions Off is ignored.",
		Ops:         transferOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			t.ignoresOffset(r, w)
		},
	},
	{
		ID: "FIL-12", Name: "offset of a socket",
		Explanation: "Of a file that has no positions Off is ignored.",
		Ops:         transferOps,
		Fn: func(t *T) {
			t.EachStream(t.ignoresOffset)
		},
	},
	{
		ID: "DGM-5", Name: "abstract unix names",
		Explanation: "SendMsg and RecvMsg know names in the abstract namespace, with a leading @.",
		Ops:         api.Ops(api.OpSendMsg, api.OpRecvMsg),
		Fn: func(t *T) {
			var fds [2]int
			var names [2]string
			for i := range fds {
				names[i] = abstract()
				fds[i] = t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
				t.must("bind", unix.Bind(fds[i], &unix.SockaddrUnix{Name: names[i]}))
			}
			t.exchangeAddr(fds[0], fds[1], api.UnixAddr(names[0]), api.UnixAddr(names[1]))
		},
	},
	{
		ID: "CON-1", Name: "abstract unix name",
		Explanation: "Connect takes a name in the abstract namespace, and accept gives the peer's.",
		Ops:         api.Ops(api.OpConnect, api.OpAccept),
		Fn: func(t *T) {
			name, peer := abstract(), abstract()+"-peer"
			l := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			t.must("bind", unix.Bind(l, &unix.SockaddrUnix{Name: name}))
			t.must("listen", unix.Listen(l, 4))
			fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			t.must("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: peer}))
			t.Want(api.Connect(fd, pathMsg(name), 1), 0)
			op := api.Accept(l, 2)
			op.Msg = new(api.Msg)
			c := t.Do(op)
			t.talks(fd, t.accepted(&c, false))
			if op.Msg.Addr != api.UnixAddr(peer) {
				t.Errorf("the peer is %v, want %v", op.Msg.Addr, peer)
			}
		},
	},
	{
		ID: "ACC-2", Name: "non-blocking when asked for",
		Explanation: "Arg of an accept is the SOCK_* flags of accept4(2): SOCK_NONBLOCK makes the new fd non-blocking.",
		Requires:    api.FeatMultishotAccept,
		Ops:         acceptOps,
		Fn: func(t *T) {
			for _, multishot := range []bool{false, true} {
				l, addr := t.Listener()
				op := api.Accept(l, 1)
				if multishot {
					op = api.AcceptMultishot(l, 1)
				}
				op.Arg = unix.SOCK_NONBLOCK
				t.Submit(op)
				t.Dial(addr)
				c := t.Await(1)
				fd := t.accepted(&c, multishot)
				if t.Flags(fd)&unix.O_NONBLOCK == 0 {
					t.Errorf("the accepted fd is blocking")
				}
				flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
				t.must("fcntl", err)
				if flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("the accepted fd would be inherited by exec")
				}
			}
		},
	},
	{
		ID: "ACC-7", Name: "flags that accept does not know",
		Explanation: "Accept with flags that accept4(2) does not know is EINVAL.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.Dial(addr)
			op := api.Accept(l, 1)
			for _, fd := range []int{l, t.File("x"), -1} {
				op.Arg, op.FD = 1<<20, int32(fd)
				t.WantErr(op, unix.EINVAL)
			}
		},
	},
	{
		ID: "STR-14", Name: "real length of a datagram",
		Explanation: "Arg of a receive are the MSG_* flags of recv(2): with MSG_TRUNC the result is the length of the datagram.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.Put(a, "0123456789")
			op := api.Recv(b, make([]byte, 4), 1)
			op.Arg = unix.MSG_TRUNC
			t.Want(op, 10)
		},
	},
	{
		ID: "STR-10", Name: "unix peer goes with unread data",
		Explanation: "When the peer of a Unix stream closes and leaves data unread, a receive is ECONNRESET once, then 0.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Put(a, "unread")
			t.CloseNow(b)
			t.WantErr(api.Recv(a, make([]byte, 4), 1), unix.ECONNRESET)
			t.Want(api.Recv(a, make([]byte, 4), 2), 0)
		},
	},
	{
		ID: "STR-17", Name: "no signal",
		Explanation: "A send to a peer that has gone raises no SIGPIPE.",
		Ops:         api.Ops(api.OpSend, api.OpSendMsg),
		Fn: func(t *T) {
			got := make(chan os.Signal, 8)
			// Signals that have been raised are delivered by their numbers: SIGPIPE comes before SIGWINCH.
			signal.Notify(got, unix.SIGPIPE, unix.SIGWINCH)
			defer signal.Stop(got)
			a, b := t.Pair(false)
			t.CloseNow(b)
			t.WantErr(api.Send(a, []byte("x"), 1), unix.EPIPE)
			t.WantErr(api.SendMsg(a, vec("x"), 2), unix.EPIPE)
			t.must("kill", unix.Kill(os.Getpid(), unix.SIGWINCH))
			if s := <-got; s != unix.SIGWINCH {
				t.Errorf("the send has raised %v", s)
			}
		},
	},
	{
		ID: "STR-16", Name: "fds above 1023",
		Explanation: "An fd with a number above 1023 is as good as any.",
		Ops:         api.Ops(api.OpRecv, api.OpPoll, api.OpAccept),
		Fn: func(t *T) {
			high := func(fd int) int {
				n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 2000)
				if err != nil {
					t.Skipf("the limit of open files does not allow the fd 2000: %v", err)
				}
				t.CloseNow(fd)
				return t.Own(n)
			}
			a, b := t.Pair(false)
			a = high(a)
			t.Submit(api.Recv(a, make([]byte, 4), 1), api.Poll(a, api.PollPri, 2))
			t.StillPending(1, 2)
			t.Put(b, "high")
			t.AwaitRes(1, 4)
			l, addr := t.Listener()
			l = high(l)
			t.Submit(api.Accept(l, 3))
			t.StillPending(3)
			t.Dial(addr)
			c := t.Await(3)
			t.accepted(&c, false)
		},
	},
	{
		ID: "CMP-14", Name: "storm of signals",
		Explanation: "Signals that reach the process while Complete waits neither end the wait early nor make it longer.",
		Ops:         api.Ops(api.OpTimeout, api.OpRead),
		Fn: func(t *T) {
			stop, done := make(chan struct{}), make(chan struct{})
			go signalStorm(stop, done)
			defer func() { close(stop); <-done }()
			r, w := t.Pipe(false)
			dst := make([]api.Completion, 2)
			for range 3 {
				end := api.After(10 * time.Millisecond)
				if n := t.complete(dst, api.Wait{Min: 1, Deadline: end}); n != 0 {
					t.Errorf("Complete with nothing in flight returned %d", n)
				}
				t.wantPassed(end)
				start := api.Now()
				t.Submit(api.Timeout(10*time.Millisecond, 1))
				t.AwaitRes(1, etime)
				t.wantPassed(start.Add(10 * time.Millisecond))
				t.Submit(api.Read(r, make([]byte, 1), api.CurrentPosition, 2))
				t.StillPending(2)
				t.Put(w, "x")
				t.AwaitRes(2, 1)
			}
		},
	},
	{
		ID: "POL-2", Name: "only what was asked for",
		Explanation: "The result of a poll has of the conditions only those that it asked for, PollErr and PollHup apart, and PollRDHup where it asked for PollIn.",
		Ops:         pollOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.Put(b, "x")
			t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
			t.ready(a, unix.POLLRDHUP)
			t.wantMask("a half-closed socket with data", a, api.PollOut, api.PollOut)
			t.wantMask("a half-closed socket with data", a, api.PollRDHup, api.PollRDHup)
			t.wantMask("a half-closed socket with data", a, api.PollIn, api.PollIn|api.PollRDHup)
			t.wantMask("a half-closed socket with data", a, pollAll, api.PollIn|api.PollOut|api.PollRDHup)
		},
	},
}

// ignoresOffset reads from r and writes to w at offsets that they do not have.
func (t *T) ignoresOffset(r, w int) {
	t.tb.Helper()
	buf := make([]byte, 8)
	t.Want(api.Write(w, []byte("data"), 5, 1), 4)
	t.Want(api.Read(r, buf, 7, 2), 4)
	m := &api.Msg{Bufs: [][]byte{[]byte("da"), []byte("ta")}}
	t.Want(api.Writev(w, m, math.MaxInt64, 4), 4)
	t.Want(api.Readv(r, m, math.MaxInt64-1, 5), 4)
	t.Want(api.Write(w, []byte("data"), math.MaxInt64, 6), 4)
	t.Want(api.Read(r, buf, math.MaxInt64-1, 7), 4)
	t.Submit(api.Read(r, buf, 0, 3))
	t.StillPending(3)
	t.Put(w, "late")
	t.AwaitRes(3, 4)
}

// signalStorm sends SIGURG, which Go's runtime uses for its own ends and programs do not notice, to every thread
// of the process again and again.
func signalStorm(stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	pid := os.Getpid()
	tick := time.NewTicker(300 * time.Microsecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			_ = unix.Kill(pid, unix.SIGURG) // one thread of the kernel's choice gets it
			continue
		}
		for _, d := range threads {
			if tid, err := strconv.Atoi(d.Name()); err == nil {
				_ = unix.Tgkill(pid, tid, unix.SIGURG) // the thread may be gone by now
			}
		}
	}
}
