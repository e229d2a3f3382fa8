//go:build unix

package conformance

import (
	"net/netip"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var datagramCases = []Case{
	{
		ID: "DGM-1", Name: "one at a time",
		Explanation: "A receive takes one datagram, a send makes one.",
		Ops:         streamOps,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				a, b := pair()
				t.Want(api.Send(a, []byte("one"), 1), 3)
				t.Want(api.Send(a, []byte("three"), 2), 5)
				buf := make([]byte, 64)
				t.Want(api.Recv(b, buf, 3), 3)
				t.WantBytes(buf[:3], "one")
				t.Want(api.Recv(b, buf, 4), 5)
				t.WantBytes(buf[:5], "three")
			}
		},
	},
	{
		ID: "DGM-1", Name: "comes later",
		Explanation: "A receive waits for a datagram, whatever O_NONBLOCK says; with DontWait it is EAGAIN.",
		Requires:    api.FeatDontWait,
		Ops:         streamOps,
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				a, b := t.UDP()
				t.nonblock(nonblock, a, b)
				buf := make([]byte, 8)
				t.WantErr(api.Recv(b, buf, 1).With(api.DontWait), unix.EAGAIN)
				t.Submit(api.Recv(b, buf, 2))
				t.StillPending(2)
				t.Put(a, "late")
				t.AwaitRes(2, 4)
			}
		},
	},
	{
		ID: "DGM-1", Name: "wait all",
		Explanation: "WaitAll on a datagram socket still takes one datagram.",
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.Put(a, "one")
			t.Put(a, "two")
			buf := make([]byte, 6)
			t.Want(api.Recv(b, buf, 1).With(api.WaitAll), 3)
			t.WantBytes(buf[:3], "one")
		},
	},
	{
		ID: "DGM-1", Name: "into nothing",
		Explanation: "A receive into 0 bytes waits for a datagram and takes it; a read of 0 bytes does neither.",
		Ops:         streamOps | api.Ops(api.OpRead),
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				a, b := pair()
				t.Submit(api.Recv(b, nil, 1))
				t.StillPending(1)
				t.Put(a, "one")
				t.Prompt(1, 0)
				t.Put(a, "two")
				t.Put(a, "three")
				t.ready(b, unix.POLLIN)
				t.Want(api.Read(b, nil, api.CurrentPosition, 2), 0)
				t.Want(api.Recv(b, nil, 3), 0)
				t.WantGet(b, "three")
			}
		},
	},
	{
		ID: "DGM-1", Name: "send that waits for room",
		Explanation: "A datagram whose send had to wait for room in the receiver's queue arrives whole.",
		Ops:         api.Ops(api.OpSend, api.OpSendMsg, api.OpWrite),
		Fn: func(t *T) {
			peer, path := t.fullDatagram()
			s := t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
			t.must("connect", unix.Connect(s, &unix.SockaddrUnix{Name: path}))
			to := vec("la", "te")
			to.Addr = api.UnixAddr(path)
			for i, op := range []api.Op{
				api.Send(s, []byte("late"), 1),
				api.Write(s, []byte("late"), api.CurrentPosition, 1),
				api.SendMsg(s, vec("la", "te"), 1),
				api.SendMsg(t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM), to, 1),
			} {
				t.Submit(op)
				t.StillPending(1)
				before := t.drainDatagrams(peer)
				t.Prompt(1, 4)
				if after := t.drainDatagrams(peer); strings.Count(before+after, "late") != 1 {
					t.Errorf("the datagram did not arrive whole")
				}
				if t.Failed() {
					t.Fatalf("that was operation %d, a %v", i, op.Code)
				}
				t.fillDatagram(path)
			}
		},
	},
	{
		ID: "DGM-2", Name: "too small a buffer",
		Explanation: "What of a datagram does not fit into the buffer is lost, and the result is the size of the buffer.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.Put(a, "0123456789")
			t.Put(a, "next")
			buf := make([]byte, 4)
			t.Want(api.Recv(b, buf, 1), 4)
			t.WantBytes(buf, "0123")
			t.Want(api.Recv(b, buf, 2), 4)
			t.WantBytes(buf, "next")
		},
	},
	{
		ID: "DGM-3", Name: "empty datagram",
		Explanation: "A send of 0 bytes makes an empty datagram; a receive of it gives 0, which is not the end.",
		Ops:         streamOps,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				a, b := pair()
				buf := make([]byte, 4)
				t.Submit(api.Recv(b, buf, 1))
				t.StillPending(1)
				t.Want(api.Send(a, nil, 2), 0)
				t.AwaitRes(1, 0)
				t.Want(api.Send(a, []byte("more"), 3), 4)
				t.Want(api.Recv(b, buf, 4), 4)
			}
		},
	},
	{
		ID: "DGM-4", Name: "nobody at the port",
		Explanation: "The ICMP answer to a datagram makes the next operation on the connected socket ECONNREFUSED, once.",
		Ops:         streamOps,
		Fn: func(t *T) {
			b, addr := t.UDPBound()
			t.CloseNow(b)
			a := t.Socket(unix.AF_INET, unix.SOCK_DGRAM)
			t.must("connect", unix.Connect(a, sockaddr(addr)))
			t.Submit(api.Recv(a, make([]byte, 4), 1))
			t.StillPending(1)
			t.Put(a, "x")
			t.AwaitRes(1, neg(unix.ECONNREFUSED))
			t.Submit(api.Recv(a, make([]byte, 4), 2))
			t.StillPending(2)
		},
	},
	{
		ID: "DGM-5", Name: "addresses",
		Explanation: "SendMsg sends to Addr, and RecvMsg sets Addr to the sender.",
		Ops:         api.Ops(api.OpSendMsg, api.OpRecvMsg),
		Fn: func(t *T) {
			a, at := t.UDPBound()
			b, bt := t.UDPBound()
			t.exchangeAddr(a, b, api.IPAddr(at), api.IPAddr(bt))
		},
	},
	{
		ID: "DGM-5", Name: "IPv6 addresses",
		Explanation: "SendMsg sends to an IPv6 Addr, and RecvMsg sets Addr to the sender.",
		Ops:         api.Ops(api.OpSendMsg, api.OpRecvMsg),
		Fn: func(t *T) {
			var fds [2]int
			for i := range fds {
				fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
				if err != nil {
					t.Skipf("this machine has no IPv6: %v", err)
				}
				fds[i] = t.Own(fd)
				if err := unix.Bind(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}); err != nil {
					t.Skipf("this machine has no IPv6 loopback address: %v", err)
				}
			}
			t.exchangeAddr(fds[0], fds[1], api.IPAddr(t.LocalAddr(fds[0])), api.IPAddr(t.LocalAddr(fds[1])))
		},
	},
	{
		ID: "DGM-5", Name: "unix paths",
		Explanation: "SendMsg sends to the path of a Unix socket, and RecvMsg sets Addr to the sender's, or to none.",
		Ops:         api.Ops(api.OpSendMsg, api.OpRecvMsg),
		Fn: func(t *T) {
			a, ap := t.unixDgram()
			b, bp := t.unixDgram()
			t.exchangeAddr(a, b, api.UnixAddr(ap), api.UnixAddr(bp))
			nameless := t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
			t.Want(api.SendMsg(nameless, &api.Msg{Bufs: [][]byte{[]byte("x")}, Addr: api.UnixAddr(bp)}, 1), 1)
			m := &api.Msg{Bufs: bytesFor(1, 4), Addr: api.UnixAddr("left over")}
			t.Want(api.RecvMsg(b, m, 2), 1)
			if !m.Addr.IsZero() {
				t.Errorf("the sender without a name has the address %v", m.Addr)
			}
			t.WantErr(api.SendMsg(nameless, &api.Msg{Bufs: bytesFor(1, 1), Addr: api.UnixAddr(bp + ".none")}, 3), unix.ENOENT)
		},
	},
	{
		ID: "DGM-6", Name: "truncated",
		Explanation: "RecvMsg of a datagram that does not fit gives the size of the buffers and MSG_TRUNC in Flags; of one that fits it does not.",
		Ops:         api.Ops(api.OpRecvMsg),
		Fn: func(t *T) {
			a, b := t.UDP()
			t.Put(a, "0123456789")
			t.Put(a, "ok")
			m := &api.Msg{Bufs: bytesFor(2, 3)}
			t.Want(api.RecvMsg(b, m, 1), 6)
			t.WantBytes([]byte(join(m.Bufs)), "012345")
			if m.Flags&unix.MSG_TRUNC == 0 {
				t.Errorf("Flags is %#x, without MSG_TRUNC", m.Flags)
			}
			t.Want(api.RecvMsg(b, m, 2), 2)
			if m.Flags&unix.MSG_TRUNC != 0 {
				t.Errorf("Flags is %#x, with MSG_TRUNC", m.Flags)
			}
		},
	},
	{
		ID: "DGM-7", Name: "no destination",
		Explanation: "A send on a datagram socket that is not connected, without an address, fails with EDESTADDRREQ, on a Unix socket ENOTCONN.",
		Ops:         api.Ops(api.OpSend, api.OpSendMsg),
		Fn: func(t *T) {
			a, _ := t.UDPBound()
			t.WantErr(api.Send(a, []byte("x"), 1), unix.EDESTADDRREQ)
			t.WantErr(api.SendMsg(a, &api.Msg{Bufs: bytesFor(1, 1)}, 2), unix.EDESTADDRREQ)
			t.WantErr(api.Send(t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM), []byte("x"), 3), unix.ENOTCONN)
		},
	},
	{
		ID: "DGM-8", Name: "too long",
		Explanation: "A datagram that is longer than the protocol allows is EMSGSIZE, and nothing is sent.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.WantErr(api.Send(a, make([]byte, 70000), 1), unix.EMSGSIZE)
			t.Submit(api.Recv(b, make([]byte, 1), 2))
			t.StillPending(2)
		},
	},
}

// exchangeAddr sends a datagram from a to b and back, with addresses.
func (t *T) exchangeAddr(a, b int, at, bt api.Addr) {
	t.tb.Helper()
	m := &api.Msg{Bufs: bytesFor(2, 4)}
	t.Submit(api.RecvMsg(b, m, 1))
	t.StillPending(1)
	t.Want(api.SendMsg(a, &api.Msg{Bufs: [][]byte{[]byte("he"), []byte("llo")}, Addr: bt}, 2), 5)
	t.AwaitRes(1, 5)
	t.WantBytes([]byte(join(m.Bufs))[:5], "hello")
	if m.Addr != at {
		t.Errorf("the sender is %v, want %v", m.Addr, at)
	}
	back := &api.Msg{Bufs: bytesFor(1, 8)}
	t.Want(api.SendMsg(b, &api.Msg{Bufs: [][]byte{[]byte("back")}, Addr: m.Addr}, 3), 4)
	t.Want(api.RecvMsg(a, back, 4), 4)
	if back.Addr != bt {
		t.Errorf("the sender is %v, want %v", back.Addr, bt)
	}
}

func (t *T) unixDgram() (fd int, path string) {
	path = t.socketPath()
	fd = t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
	t.must("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	return fd, path
}
