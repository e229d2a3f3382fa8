package conformance

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// setZeroCopy sets SO_ZEROCOPY.
func (t *T) setZeroCopy(fds ...int) {
	for _, fd := range fds {
		t.must("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1))
	}
}

// zeroTCP is a pair of TCP sockets with SO_ZEROCOPY.
func (t *T) zeroTCP() (a, b int) {
	a, b = t.TCP(false)
	t.setZeroCopy(a, b)
	return a, b
}

// toNobody is a UDP socket with SO_ZEROCOPY whose peer is not there: the second send is refused.
func (t *T) toNobody() int {
	fd := t.Socket(unix.AF_INET, unix.SOCK_DGRAM)
	t.setZeroCopy(fd)
	t.must("connect", unix.Connect(fd, sockaddr(t.nobody())))
	return fd
}

var errQueueCases = []Case{
	{
		ID: "ZCP-14", Name: "sends",
		Explanation: "On a socket with SO_ZEROCOPY zero-copy sends have the same results, and nothing of their notifications is left in its error queue.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			udp := func() (int, int) {
				a, b := t.UDP()
				t.setZeroCopy(a)
				return a, b
			}
			for _, pair := range []func() (int, int){t.zeroTCP, udp} {
				a, b := pair()
				for range 3 {
					t.WantZC(api.SendZC(a, []byte("hello"), 1), 5)
					t.WantGet(b, "hello")
					if c := t.WantZC(api.SendMsgZC(a, vec("hel", "", "lo"), 2).With(api.ReportUsage), 5); !c.Flags.Has(api.Copied) {
						t.Errorf("got %s, want it with Copied", show(&c))
					}
					t.WantGet(b, "hello")
					t.WantZC(api.SendZC(a, t.patternSent(40000), 3), 40000)
					t.WantGet(b, pattern(40000))
				}
				t.noErrors(a)
			}
			a, b := t.zeroTCP()
			t.WantZC(api.SendZC(a, nil, 1), 0)
			t.must("shutdown", unix.Shutdown(a, unix.SHUT_WR))
			t.WantErr(api.SendZC(a, []byte("x"), 1), unix.EPIPE)
			t.WantErr(api.SendMsgZC(a, vec("x"), 1), unix.EPIPE)
			t.WantEnd(b)
		},
	},
	{
		ID: "ZCP-14", Name: "many at a time",
		Explanation: "Many zero-copy sends in a row, of which the peer takes its time with, have a notification each when their memory is free.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendsZC,
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			const n, size = 64, 30000
			bufs := bytesFor(n, size)
			want := &strings.Builder{}
			for i, buf := range bufs {
				for j := range buf {
					buf[j] = byte(i + j)
				}
				want.Write(buf)
			}
			got := t.getLater(b, n*size)
			for i := 0; i < n; i += 8 {
				for j, buf := range bufs[i : i+8] {
					t.Submit(api.SendZC(a, buf, uint64(i+j)).With(api.WaitAll))
				}
				for j := range 8 {
					t.AwaitMore(uint64(i+j), size)
				}
				for j, buf := range bufs[i : i+4] { // the others stay in use
					t.AwaitNotif(uint64(i + j))
					clear(buf)
				}
			}
			t.WantBytes(<-got, want.String())
			for i := 0; i < n; i += 8 {
				for j := 4; j < 8; j++ {
					t.AwaitNotif(uint64(i + j))
				}
			}
			t.noErrors(a)
			t.Quiet()
		},
	},
	{
		ID: "ZCP-14", Name: "memory in use",
		Explanation: "On a TCP socket with SO_ZEROCOPY the notification waits until the peer has the data, on every backend.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC,
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			t.Submit(api.SendZC(a, t.patternSent(inQueue), 1).With(api.WaitAll))
			t.AwaitMore(1, inQueue)
			t.StillPending(1)
			t.WantGet(b, pattern(inQueue))
			t.AwaitNotif(1)
		},
	},
	{
		ID: "ZCP-14", Name: "a datagram that fails late",
		Explanation: "A datagram that the kernel refuses after it has counted it takes no notification from another: the memory of the next one is in use for as long as it is corked.",
		Requires:    zeroCopy,
		Ops:         bothZC,
		Fn: func(t *T) {
			for _, before := range []int{0, 3} {
				a, b := t.UDP()
				t.setZeroCopy(a)
				for range before {
					t.WantZC(api.SendZC(a, []byte("x"), 1), 1)
					t.WantGet(b, "x")
				}
				t.WantErr(api.SendMsgZC(a, withControl(pattern(1000), segment(1)), 2), unix.EINVAL)
				t.must("segment", unix.SetsockoptInt(a, unix.IPPROTO_UDP, udpSegment, 1000)) // without it, what is corked is copied
				t.must("cork", unix.SetsockoptInt(a, unix.IPPROTO_UDP, udpCork, 1))
				t.Submit(api.SendZC(a, []byte("hello"), 3))
				t.AwaitMore(3, 5)
				t.StillPending(3)
				t.must("uncork", unix.SetsockoptInt(a, unix.IPPROTO_UDP, udpCork, 0))
				t.AwaitNotif(3)
				t.WantGet(b, "hello")
				t.WantZC(api.SendZC(a, []byte("x"), 4), 1)
				t.WantGet(b, "x")
				t.noErrors(a)
			}
		},
	},
	{
		ID: "ZCP-14", Name: "switched off",
		Explanation: "When the program takes SO_ZEROCOPY back, what follows is copied, and what is under way has its notification.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC,
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			t.WantZC(api.SendZC(a, []byte("x"), 1), 1)
			t.WantGet(b, "x")
			data := pattern(inQueue)
			t.Submit(api.SendZC(a, []byte(data), 2).With(api.WaitAll))
			t.AwaitMore(2, inQueue)
			t.must("setsockopt", unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 0))
			t.Submit(api.SendZC(a, []byte("hello"), 3))
			t.AwaitMore(3, 5)
			t.WantGet(b, data+"hello")
			t.AwaitNotif(2)
			t.AwaitNotif(3)
			t.setZeroCopy(a)
			t.WantZC(api.SendZC(a, []byte("x"), 4), 1)
			t.WantGet(b, "x")
			t.noErrors(a)
		},
	},
	{
		ID: "ZCP-15", Name: "others do not notice",
		Explanation: "Notifications neither complete a poll nor disturb a receive of the same socket.",
		Requires:    zeroCopy | api.FeatMultishotPoll,
		Ops:         sendZC | api.Ops(api.OpPoll, api.OpRecv, api.OpCancel),
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			id := t.Submit(api.PollMultishot(a, api.PollIn|api.PollPri, 1))[0]
			buf := make([]byte, 8)
			t.Submit(api.Recv(a, buf, 2))
			data := pattern(20000)
			for range 20 {
				acknowledgeSoon(b) // or each notification takes 40 ms
				t.Submit(api.SendZC(a, []byte(data), 3))
				t.AwaitMore(3, len(data))
				t.WantGet(b, data)
				t.AwaitNotif(3)
			}
			t.StillPending(1, 2)
			t.Want(api.Poll(a, api.PollOut, 4), api.PollOut)
			t.Put(b, "data")
			t.AwaitRes(2, 4)
			t.Put(b, "more") // the poll has not been looked at, perhaps, before the receive had the data
			if c := t.Await(1); c.Res&^(api.PollIn|api.PollOut) != 0 {
				t.Errorf("poll: %s", show(&c))
			}
			t.Submit(api.Cancel(id, 5))
			t.Await(5)
		},
	},
	{
		ID: "ZCP-15", Name: "errors are not swallowed",
		Explanation: "An error of the socket is told to the operation that comes next, whatever is in its error queue.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpRecv),
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			t.Submit(api.SendZC(a, t.patternSent(inQueue), 1).With(api.WaitAll))
			t.AwaitMore(1, inQueue)
			t.Submit(api.Recv(a, make([]byte, 8), 2))
			t.StillPending(2)
			t.Reset(b)
			t.AwaitRes(2, neg(unix.ECONNRESET))
			t.AwaitNotif(1)

			c := t.toNobody()
			t.WantZC(api.SendZC(c, []byte("x"), 4), 1)
			t.WantErr(api.SendZC(c, []byte("x"), 5), unix.ECONNREFUSED)
		},
	},
	{
		ID: "ZCP-15", Name: "what else comes in the error queue",
		Explanation: "Where the program has asked for ICMP errors, or time stamps, its error queue is its own.",
		Requires:    zeroCopy,
		Ops:         sendZC,
		Fn: func(t *T) {
			for _, a := range []int{t.toNobody(), t.toNobody6()} {
				t.must("setsockopt", unix.SetsockoptInt(a, unix.IPPROTO_IP, unix.IP_RECVERR, 1))
				t.WantZC(api.SendZC(a, []byte("x"), 2), 1)
				t.WantErr(api.SendZC(a, []byte("x"), 3), unix.ECONNREFUSED)
				control := make([]byte, 128)
				_, n, _, _, err := unix.Recvmsg(a, make([]byte, 8), control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
				if err != nil || n == 0 {
					t.Errorf("the program's own message is gone: %v, with %d bytes of control data", err, n)
				}
			}
		},
	},
	{
		ID: "ZCP-16", Name: "the fd is closed",
		Explanation: "With SO_ZEROCOPY, too, the notification comes after a Close of the fd, and nothing goes to another file with its number; the stream ends by then.",
		Requires:    zeroCopy | api.FeatSafeClose | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpClose, api.OpPoll, api.OpCancel),
		Fn: func(t *T) {
			for range 3 {
				a, b := t.zeroTCP()
				data := pattern(inQueue)
				t.Submit(api.SendZC(a, []byte(data), 1).With(api.WaitAll))
				t.AwaitMore(1, len(data))
				t.Want(api.Close(a, 2), 0)
				c, d := t.zeroTCP()
				id := t.Submit(api.Poll(c, api.PollIn|api.PollPri, 3))[0]
				other := []byte(pattern(inQueue))
				t.Submit(api.SendZC(c, other, 4).With(api.WaitAll))
				t.AwaitMore(4, len(other))
				t.WantGet(b, data)
				t.AwaitNotif(1)
				t.WantEnd(b)
				t.StillPending(3, 4)
				t.WantGet(d, string(other))
				t.AwaitNotif(4)
				t.Want(api.Cancel(id, 5), 0)
				t.AwaitRes(3, neg(unix.ECANCELED))
			}
		},
	},
	{
		ID: "ZCP-16", Name: "the end of the stream",
		Explanation: "A Close of an fd whose zero-copy sends have had their notifications ends the stream at once.",
		Requires:    zeroCopy,
		Ops:         sendZC | api.Ops(api.OpClose),
		Fn: func(t *T) {
			for range 3 {
				a, b := t.zeroTCP()
				t.WantZC(api.SendZC(a, []byte("hello"), 1), 5)
				t.Want(api.Close(a, 2), 0)
				t.WantGet(b, "hello")
				t.WantEnd(b)
			}
		},
	},
	{
		ID: "ZCP-16", Name: "two numbers for a socket",
		Explanation: "The sends through two fds of one socket have their own notifications.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC,
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			d, err := unix.Dup(a)
			t.must("dup", err)
			t.Own(d)
			half := pattern(inQueue / 2)
			t.Submit(api.SendZC(a, []byte(half), 1).With(api.WaitAll))
			t.AwaitMore(1, len(half))
			t.Submit(api.SendZC(d, []byte(half), 2).With(api.WaitAll))
			t.AwaitMore(2, len(half))
			t.WantGet(b, half+half)
			t.AwaitNotif(1)
			t.AwaitNotif(2)
			for range 20 {
				t.Submit(api.SendZC(a, []byte(half), 1).With(api.WaitAll), api.SendZC(d, []byte("x"), 2).With(api.WaitAll))
				t.Perform()
				t.WantGetSum(b, len(half)+1)
				t.AwaitMore(1, len(half))
				t.AwaitMore(2, 1)
				t.AwaitNotif(1)
				t.AwaitNotif(2)
			}
			t.noErrors(a)
		},
	},
	{
		ID: "ZCP-16", Name: "one of two numbers is closed",
		Explanation: "A send through the second fd of a socket has its notification, also when the first one has just been closed and its last notification is there.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpClose),
		Fn: func(t *T) {
			for range 5 {
				a, b := t.zeroTCP()
				d, err := unix.Dup(a)
				t.must("dup", err)
				t.Own(d)
				for range 2 { // from the second one on its count is known
					t.Submit(api.SendZC(a, t.patternSent(inQueue), 1).With(api.WaitAll))
					t.AwaitMore(1, inQueue)
					t.WantGet(b, pattern(inQueue))
					t.AwaitNotif(1)
				}
				t.Submit(api.SendZC(a, t.patternSent(inQueue), 1).With(api.WaitAll))
				t.AwaitMore(1, inQueue)
				t.Want(api.Close(a, 2), 0)
				t.WantGet(b, pattern(inQueue))
				t.acknowledged(d)
				t.Submit(api.SendZC(d, []byte("hello"), 3))
				t.AwaitMore(3, 5)
				t.WantGet(b, "hello")
				t.AwaitNotif(1)
				t.AwaitNotif(3)
				t.noErrors(d)
			}
		},
	},
	{
		ID: "ZCP-16", Name: "a registered file",
		Explanation: "A send on a registered file has its notification also when the table is gone, and the fd is closed.",
		Requires:    zeroCopy | api.FeatFixedFiles | api.FeatWaitAll,
		Ops:         sendZC,
		Fn: func(t *T) {
			for _, make := range []func() (int, int){t.zeroTCP, func() (int, int) { return t.TCP(false) }} {
				a, b := make()
				t.must("RegisterFiles", t.Engine.RegisterFiles([]int{-1, a}))
				t.CloseNow(a)
				t.WantErr(api.SendZC(0, []byte("x"), 1).With(api.FixedFile), unix.EBADF)
				t.Submit(api.SendZC(1, t.patternSent(inQueue), 1).With(api.WaitAll | api.FixedFile))
				t.AwaitMore(1, inQueue)
				t.must("UnregisterFiles", t.Engine.UnregisterFiles())
				t.Perform()
				t.WantGet(b, pattern(inQueue))
				t.AwaitNotif(1)
				t.WantEnd(b)
			}
		},
	},
	{
		ID: "ZCP-16", Name: "the engine is closed while the peer does not read",
		Explanation: "The engine's Close says HeldError while the peer does not read, and succeeds when the connection is gone.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC,
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			t.Submit(api.SendZC(a, t.patternSent(inQueue), 1).With(api.WaitAll))
			t.AwaitMore(1, inQueue)
			t.CloseNow(a)
			t.closed = true
			var held *api.HeldError
			if err := t.Engine.Close(); !errors.As(err, &held) || held.Sends != 1 {
				t.Errorf("Close: %v, want a HeldError of one operation", err)
			}
			t.Reset(b)
			t.must("Close when the connection is gone", t.Engine.Close())
			if err := t.Engine.Close(); err != api.ErrClosed {
				t.Errorf("another Close: %v, want ErrClosed", err)
			}
		},
	},
	{
		ID: "ZCP-16", Name: "the engine is closed",
		Explanation: "The engine's Close waits for what is in the error queue to come, and says HeldError if it does not.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC,
		Fn: func(t *T) {
			a, b := t.zeroTCP()
			t.Submit(api.SendZC(a, t.patternSent(inQueue), 1).With(api.WaitAll))
			t.AwaitMore(1, inQueue)
			got := t.getLater(b, inQueue)
			t.CloseEngine()
			t.WantBytes(<-got, pattern(inQueue))
			t.noErrors(a)
		},
	},
}

// toNobody6 is toNobody for a socket of IPv6 that is connected by IPv4, whose ICMP errors IP_RECVERR is about.
func (t *T) toNobody6() int {
	fd := t.Socket(unix.AF_INET6, unix.SOCK_DGRAM)
	at := t.nobody()
	to := &unix.SockaddrInet6{Port: int(at.Port()), Addr: netip.AddrFrom4(at.Addr().As4()).As16()}
	if err := unix.Connect(fd, to); err != nil {
		t.Skipf("no IPv6 that goes by IPv4: %v", err)
	}
	t.setZeroCopy(fd)
	return fd
}

// WantGetSum reads n bytes, whatever they are.
func (t *T) WantGetSum(fd, n int) {
	t.tb.Helper()
	if got := len(t.Get(fd, n)); got != n {
		t.Errorf("%d bytes arrived, want %d", got, n)
	}
}

// udpCork is UDP_CORK of linux/udp.h.
const udpCork = 1

// acknowledged waits until the peer of the TCP socket fd has all that was sent.
func (t *T) acknowledged(fd int) {
	t.tb.Helper()
	for end := t.deadline(); ; {
		n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		t.must("SIOCOUTQ", err)
		if n == 0 {
			return
		}
		if api.Now() > end {
			t.Fatalf("%d bytes are not acknowledged", n)
		}
		runtime.Gosched()
	}
}

// noErrors checks that the error queue of fd is empty.
func (t *T) noErrors(fd int) {
	t.tb.Helper()
	if _, n, _, _, err := unix.Recvmsg(fd, nil, make([]byte, 128), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT); err != unix.EAGAIN {
		t.Errorf("something is in the error queue: %d bytes of control data, %v", n, err)
	}
}
