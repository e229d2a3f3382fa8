//go:build unix

package conformance

import (
	"encoding/binary"
	"net/netip"
	"os"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	socketOps = api.Ops(api.OpSocket)
	bindOps   = api.Ops(api.OpSocket, api.OpBind)
	listenOps = api.Ops(api.OpSocket, api.OpBind, api.OpListen)
	optionOps = api.Ops(api.OpUringCmd)
)

// made submits an OpSocket and gives the fd, which the case owns.
func (t *T) made(domain, typ, protocol int) int {
	t.tb.Helper()
	c := t.Do(api.Socket(domain, typ, protocol, 1))
	if c.Res < 0 || c.More() {
		t.Fatalf("socket(%d, %#x, %d) gave %s", domain, typ, protocol, show(&c))
	}
	return int(c.Res)
}

// loopback is port 0, or another, of the IPv4 loopback interface.
func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// cint is an int as options hold it.
func cint(v int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }

// option reads an option that is an int, without the engine.
func (t *T) option(fd, level, name int) int {
	t.tb.Helper()
	v, err := unix.GetsockoptInt(fd, level, name)
	t.must("getsockopt", err)
	return v
}

var socketCases = []Case{
	{
		ID: "SOC-1", Name: "kinds",
		Explanation: "Socket makes a socket of the domain, type and protocol that were asked for; its result is the new fd.",
		Ops:         socketOps,
		Fn: func(t *T) {
			for _, k := range [][3]int{
				{unix.AF_INET, unix.SOCK_STREAM, 0}, {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP},
				{unix.AF_INET, unix.SOCK_DGRAM, 0}, {unix.AF_UNIX, unix.SOCK_STREAM, 0}, {unix.AF_UNIX, unix.SOCK_DGRAM, 0},
			} {
				fd := t.made(k[0], k[1], k[2])
				if typ := t.option(fd, unix.SOL_SOCKET, unix.SO_TYPE); typ != k[1] {
					t.Errorf("a socket of the type %d was asked for, got %d", k[1], typ)
				}
				sa, err := unix.Getsockname(fd)
				t.must("getsockname", err)
				if _, ip := sa.(*unix.SockaddrInet4); ip != (k[0] == unix.AF_INET) {
					t.Errorf("a socket of the domain %d was asked for, got one whose address is a %T", k[0], sa)
				}
			}
		},
	},
	{
		ID: "SOC-2", Name: "flags of the new fd",
		Explanation: "The new fd is close-on-exec, whether asked for or not, and blocking.",
		Ops:         socketOps,
		Fn: func(t *T) {
			t.wantNewFD(t.made(unix.AF_INET, unix.SOCK_STREAM, 0))
			t.wantNewFD(t.made(unix.AF_UNIX, unix.SOCK_DGRAM, 0))
		},
	},
	{
		ID: "SOC-3", Name: "what there is not",
		Explanation: "Socket of a domain that does not exist is EAFNOSUPPORT, of a protocol that the type does not have EPROTONOSUPPORT.",
		Ops:         socketOps,
		Fn: func(t *T) {
			t.WantErr(api.Socket(99, unix.SOCK_STREAM, 0, 1), unix.EAFNOSUPPORT)
			t.WantErr(api.Socket(-1, unix.SOCK_STREAM, 0, 2), unix.EAFNOSUPPORT)
			t.WantErr(api.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_UDP, 3), unix.EPROTONOSUPPORT)
		},
	},
	{
		ID: "SOC-3", Name: "out of file descriptors",
		Explanation: "Socket is EMFILE when the process can open no more files, and works again when it can.",
		Ops:         socketOps,
		Fn: func(t *T) {
			t.Perform() // what the engine opens at its first turn is open by now
			t.withoutFDs(func() { t.WantErr(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 1), unix.EMFILE) })
			t.made(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		},
	},
	{
		ID: "SOC-4", Name: "number of one that was closed",
		Explanation: "A new socket can be used at once, also when it has the number of one whose Close has been performed and not been reaped.",
		Requires:    api.FeatSafeClose,
		Ops:         socketOps | api.Ops(api.OpClose, api.OpConnect, api.OpSend, api.OpRecv, api.OpNop, api.OpShutdown),
		Fn: func(t *T) {
			l, addr := t.Listener()
			for range 4 {
				fd := t.made(unix.AF_INET, unix.SOCK_STREAM, 0)
				t.Submit(api.Recv(fd, make([]byte, 1), 9)) // is ENOTCONN, and the engine knows of the number
				t.AwaitRes(9, neg(unix.ENOTCONN))
				t.Submit(api.Close(fd, 2), api.Socket(unix.AF_INET, unix.SOCK_STREAM, 0, 3))
				c := t.Await(3)
				if c.Res < 0 {
					t.Fatalf("the socket gave %s", show(&c))
				}
				t.Own(int(c.Res))
				t.Want(api.Connect(int(c.Res), ipMsg(addr), 4), 0)
				t.AwaitRes(2, 0)
				t.Own(int(c.Res)) // it may have the number that was closed
				t.talks(int(c.Res), t.AcceptNow(l))
				buf := make([]byte, 4)
				t.Submit(api.Recv(int(c.Res), buf, 5))
				t.StillPending(5)
				t.Want(api.Shutdown(int(c.Res), api.ShutRead, 6), 0)
				t.AwaitRes(5, 0)
			}
		},
	},
	{
		ID: "SOC-5", Name: "nobody reaps",
		Explanation: "The fd of a socket whose completion nobody reaps is closed with the engine.",
		Ops:         socketOps,
		Fn: func(t *T) {
			next := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			t.CloseNow(next) // the lowest number that is free: the engine's own are above or below
			for _, looks := range []int{0, 1} {
				e := t.Open(nil)
				if n, err := e.Submit([]api.Op{api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 1)}); n != 1 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				for range looks {
					if _, err := e.Complete(nil, api.Wait{}); err != nil {
						t.Fatalf("Complete: %v", err)
					}
				}
				t.must("close the engine", e.Close()) // Case.Run counts the fds
			}
		},
	},
	{
		ID: "SOC-5", Name: "cancelled",
		Explanation: "A socket that is cancelled is either delivered or never made, as the answer to the cancel says.",
		Ops:         socketOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			for i := range 20 {
				id := t.Submit(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 1))[0]
				if i%2 == 0 {
					t.Perform()
				}
				t.Submit(api.Cancel(id, 2))
				c, answer := t.Await(1), t.Await(2)
				if (answer.Res == 0) != (int(c.Res) == ecanceled) {
					t.Fatalf("the socket gave %s, the cancel %s", show(&c), show(&answer))
				}
				if c.Res >= 0 {
					t.CloseNow(int(c.Res))
				}
			}
		},
	},
	{
		ID: "SOC-6", Name: "from nothing to a connection",
		Explanation: "Socket, bind, listen, connect and accept through the engine make a connection.",
		Ops:         listenOps | api.Ops(api.OpConnect, api.OpAccept),
		Fn: func(t *T) {
			l := t.made(unix.AF_INET, unix.SOCK_STREAM, 0)
			t.Want(api.Bind(l, ipMsg(loopback(0)), 2), 0)
			t.Want(api.Listen(l, 16, 3), 0)
			a := t.made(unix.AF_INET, unix.SOCK_STREAM, 0)
			t.Want(api.Connect(a, ipMsg(t.LocalAddr(l)), 4), 0)
			c := t.Do(api.Accept(l, 5))
			t.talks(a, t.accepted(&c, false))
		},
	},
	{
		ID: "SOC-6", Name: "in one batch",
		Explanation: "Setting an option, bind and listen that are submitted together are performed in that order.",
		Ops:         listenOps | optionOps,
		Fn: func(t *T) {
			l := t.made(unix.AF_INET, unix.SOCK_STREAM, 0)
			buf, kind := make([]byte, 4), make([]byte, 4)
			t.Submit(api.Setsockopt(l, unix.SOL_SOCKET, unix.SO_REUSEADDR, cint(1), 2), api.Bind(l, ipMsg(loopback(0)), 3),
				api.Listen(l, 16, 4), api.Getsockopt(l, unix.SOL_SOCKET, unix.SO_ACCEPTCONN, buf, 5),
				api.Getsockopt(l, unix.IPPROTO_TCP, unix.TCP_NODELAY, kind, 6))
			for tag, want := range map[uint64]int{2: 0, 3: 0, 4: 0, 5: 4, 6: 4} {
				t.AwaitRes(tag, want)
			}
			if v := binary.NativeEndian.Uint32(buf); v == 0 {
				t.Errorf("the option was read before the socket listened")
			}
			t.Dial(t.LocalAddr(l))
		},
	},
	{
		ID: "SOC-7", Name: "addresses",
		Explanation: "Bind gives a socket its address: IPv4 with a port or any, IPv4 on an IPv6 socket, or the path of a Unix socket.",
		Ops:         bindOps,
		Fn: func(t *T) {
			first := t.made(unix.AF_INET, unix.SOCK_DGRAM, 0)
			t.Want(api.Bind(first, ipMsg(loopback(0)), 2), 0)
			addr := t.LocalAddr(first)
			if addr.Addr() != loopback(0).Addr() || addr.Port() == 0 {
				t.Errorf("the address is %v", addr)
			}
			t.CloseNow(first)
			fd := t.made(unix.AF_INET, unix.SOCK_DGRAM, 0)
			t.Want(api.Bind(fd, ipMsg(addr), 3), 0)
			if got := t.LocalAddr(fd); got != addr {
				t.Errorf("the address is %v, want %v", got, addr)
			}
			path := t.socketPath()
			u := t.made(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			t.Want(api.Bind(u, pathMsg(path), 4), 0)
			if _, err := os.Stat(path); err != nil {
				t.Errorf("there is no file: %v", err)
			}
		},
	},
	{
		ID: "SOC-7", Name: "IPv6 addresses",
		Explanation: "Bind takes an IPv6 address.",
		Ops:         bindOps,
		Fn: func(t *T) {
			l, _ := t.listener6() // or there is no IPv6
			t.CloseNow(l)
			fd := t.made(unix.AF_INET6, unix.SOCK_STREAM, 0)
			t.Want(api.Bind(fd, ipMsg(netip.AddrPortFrom(netip.IPv6Loopback(), 0)), 2), 0)
			if got := t.LocalAddr(fd); got.Addr() != netip.IPv6Loopback() || got.Port() == 0 {
				t.Errorf("the address is %v", got)
			}
		},
	},
	{
		ID: "SOC-8", Name: "what cannot be bound",
		Explanation: "Bind says what is wrong with the address or the socket.",
		Ops:         bindOps,
		Fn: func(t *T) {
			udp := func() int { return t.Socket(unix.AF_INET, unix.SOCK_DGRAM) }
			stream := func() int { return t.Socket(unix.AF_UNIX, unix.SOCK_STREAM) }
			_, taken := t.UDPBound()
			bound, _ := t.UDPBound()
			_, path := t.unixListener(1)
			six := netip.AddrPortFrom(netip.IPv6Loopback(), 0)
			for _, c := range []struct {
				what string
				fd   int
				m    *api.Msg
				want unix.Errno
			}{
				{"without a Msg", udp(), nil, unix.EFAULT},
				{"without an address", udp(), &api.Msg{}, unix.EINVAL},
				{"without an address, Unix", stream(), &api.Msg{}, unix.EINVAL},
				{"an address that is taken", udp(), ipMsg(taken), unix.EADDRINUSE},
				{"an address of another machine", udp(), ipMsg(netip.MustParseAddrPort("192.0.2.1:0")), unix.EADDRNOTAVAIL},
				{"a socket that is bound", bound, ipMsg(loopback(0)), unix.EINVAL},
				{"an IPv6 address for IPv4", udp(), ipMsg(six), unix.EAFNOSUPPORT},
				{"a path for IPv4", udp(), pathMsg(path), unix.EAFNOSUPPORT},
				{"an IP address for Unix", stream(), ipMsg(loopback(0)), unix.EAFNOSUPPORT},
				{"a path that exists", stream(), pathMsg(path), unix.EADDRINUSE},
				{"a path in no directory", stream(), pathMsg(path + "/no/where"), unix.ENOTDIR},
				{"a path in a directory that is not there", stream(), pathMsg(path + ".none/x"), unix.ENOENT},
				{"a path that is too long", stream(), pathMsg("/" + pattern(200)), unix.EINVAL},
				{"a path with a NUL", stream(), pathMsg("a\x00b"), unix.EINVAL},
				{"a file", t.File("x"), ipMsg(loopback(0)), unix.ENOTSOCK},
				{"a file, without an address", t.File("x"), &api.Msg{}, unix.ENOTSOCK},
			} {
				if got := t.Do(api.Bind(c.fd, c.m, 1)); int(got.Res) != neg(c.want) {
					t.Errorf("%s: got %s, want %v", c.what, show(&got), c.want)
				}
			}
		},
	},
	{
		ID: "SOC-9", Name: "any backlog",
		Explanation: "Listen takes any backlog, and may be repeated with another.",
		Ops:         api.Ops(api.OpListen),
		Fn: func(t *T) {
			for _, backlog := range []int{0, 1, -1, 1<<31 - 1} {
				fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
				t.must("bind", unix.Bind(fd, sockaddr(loopback(0))))
				t.Want(api.Listen(fd, backlog, 1), 0)
				a := t.Dial(t.LocalAddr(fd))
				b := t.AcceptNow(fd)
				t.talks(a, b)
				t.Want(api.Listen(fd, 5, 2), 0)
			}
			unbound := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			t.Want(api.Listen(unbound, 1, 3), 0) // on a port of the kernel's choice
		},
	},
	{
		ID: "SOC-10", Name: "what cannot listen",
		Explanation: "Listen is EINVAL on a connected socket and on a Unix socket without a name, EOPNOTSUPP on a datagram socket, ENOTSOCK on another file.",
		Ops:         api.Ops(api.OpListen),
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			t.WantErr(api.Listen(a, 1, 1), unix.EINVAL)
			u, _ := t.Pair(false)
			t.WantErr(api.Listen(u, 1, 2), unix.EINVAL)
			t.WantErr(api.Listen(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), 1, 3), unix.EINVAL)
			udp, _ := t.UDPBound()
			t.WantErr(api.Listen(udp, 1, 4), unix.EOPNOTSUPP)
			d, _ := t.unixDgram()
			t.WantErr(api.Listen(d, 1, 5), unix.EOPNOTSUPP)
			t.WantErr(api.Listen(t.File("x"), 1, 6), unix.ENOTSOCK)
			r, _ := t.Pipe(false)
			t.WantErr(api.Listen(r, 1, 7), unix.ENOTSOCK)
		},
	},
}
