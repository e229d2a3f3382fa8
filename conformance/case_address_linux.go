package conformance

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// listenerAny is a TCP listener for IPv6 and IPv4.
func (t *T) listenerAny() (fd int, port uint16) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	t.Own(fd)
	t.set(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	if err := unix.Bind(fd, &unix.SockaddrInet6{}); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	t.must("listen", unix.Listen(fd, 8))
	return fd, t.LocalAddr(fd).Port()
}

// linkLocal is a link-local address of this machine, with its zone as a number.
func (t *T) linkLocal() netip.Addr {
	table, err := os.ReadFile("/proc/net/if_inet6")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	for _, line := range strings.Split(string(table), "\n") {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(f[0], "fe80") {
			continue
		}
		var groups []string
		for i := 0; i < 32; i += 4 {
			groups = append(groups, f[0][i:i+4])
		}
		index, err := strconv.ParseUint(f[1], 16, 32)
		t.must("parse the table of addresses", err)
		a, err := netip.ParseAddr(strings.Join(groups, ":") + "%" + strconv.FormatUint(index, 10))
		t.must("parse an address", err)
		return a
	}
	t.Skipf("this machine has no link-local address")
	return netip.Addr{}
}

// inProgress is a TCP socket whose connect does not get on: the backlog that it is for is full.
func (t *T) inProgress() (fd int, addr netip.AddrPort) {
	l := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
	t.must("bind", unix.Bind(l, sockaddr(loopback(0))))
	t.must("listen", unix.Listen(l, 0))
	addr = t.LocalAddr(l)
	for range 8 {
		full := t.backlogFull(l)
		fd = t.Socket(unix.AF_INET, unix.SOCK_STREAM)
		t.nonblock(true, fd)
		err := unix.Connect(fd, sockaddr(addr))
		if err != nil && err != unix.EINPROGRESS {
			t.Fatalf("connect: %v", err)
		}
		if full {
			return fd, addr
		}
		t.ready(fd, unix.POLLOUT)
	}
	t.Skipf("the backlog of a TCP socket has no bound here")
	return 0, addr
}

// backlogFull says whether a listener takes no more connections. Of a listener, TCP_INFO tells in these fields how many are in its backlog, and how
// many may be (tcp_get_info in net/ipv4/tcp.c); the backlog is full when there is one more (sk_acceptq_is_full).
func (t *T) backlogFull(l int) bool {
	i, err := unix.GetsockoptTCPInfo(l, unix.IPPROTO_TCP, unix.TCP_INFO)
	t.must("getsockopt TCP_INFO", err)
	return i.Unacked > i.Sacked
}

// addressCases are about who is at the other end.
var addressCases = []Case{
	{
		ID: "CON-1", Name: "seqpacket, and abstract stream, on both kinds of sockets",
		Explanation: "Connect takes paths and abstract names of stream and SEQPACKET sockets, blocking or not.",
		Ops:         connectOps,
		Fn: func(t *T) {
			for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
				for _, name := range []string{t.socketPath(), abstract()} {
					l := t.Socket(unix.AF_UNIX, typ)
					t.must("bind", unix.Bind(l, &unix.SockaddrUnix{Name: name}))
					t.must("listen", unix.Listen(l, 4))
					for _, nonblock := range []bool{false, true} {
						fd := t.Socket(unix.AF_UNIX, typ)
						t.nonblock(nonblock, fd)
						t.Want(api.Connect(fd, pathMsg(name), 1), 0)
						t.nonblock(false, fd)
						t.talks(fd, t.AcceptNow(l))
					}
					t.CloseNow(l)
				}
			}
		},
	},
	{
		ID: "CON-2", Name: "abstract name that nobody has",
		Explanation: "Connect to an abstract name that nobody has is ECONNREFUSED.",
		Ops:         connectOps,
		Fn: func(t *T) {
			t.WantErr(api.Connect(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), pathMsg(abstract()), 1), unix.ECONNREFUSED)
			t.WantErr(api.Connect(t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM), pathMsg(abstract()), 2), unix.ECONNREFUSED)
		},
	},
	{
		ID: "CON-3", Name: "unix, twice",
		Explanation: "Connect of a Unix stream or SEQPACKET socket that is connected is EISCONN, of one that listens EINVAL or EISCONN.",
		Ops:         connectOps,
		Fn: func(t *T) {
			_, path := t.unixListener(8)
			fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			t.Want(api.Connect(fd, pathMsg(path), 1), 0)
			t.WantErr(api.Connect(fd, pathMsg(path), 2), unix.EISCONN)
			name := abstract()
			l := t.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET)
			t.must("bind", unix.Bind(l, &unix.SockaddrUnix{Name: name}))
			t.must("listen", unix.Listen(l, 4))
			fd = t.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET)
			t.Want(api.Connect(fd, pathMsg(name), 3), 0)
			t.WantErr(api.Connect(fd, pathMsg(name), 4), unix.EISCONN)
			t.WantErr(api.Connect(l, pathMsg(name), 5), unix.EINVAL)
			tcp, addr := t.Listener()
			t.WantErr(api.Connect(tcp, ipMsg(addr), 6), unix.EISCONN)
		},
	},
	{
		ID: "CON-9", Name: "another type",
		Explanation: "Connect to a Unix socket of another type is EPROTOTYPE.",
		Ops:         connectOps,
		Fn: func(t *T) {
			_, stream := t.unixListener(4)
			_, dgram := t.unixDgram()
			for _, c := range []struct {
				typ  int
				path string
			}{{unix.SOCK_DGRAM, stream}, {unix.SOCK_SEQPACKET, stream}, {unix.SOCK_STREAM, dgram}, {unix.SOCK_SEQPACKET, dgram}} {
				t.WantErr(api.Connect(t.Socket(unix.AF_UNIX, c.typ), pathMsg(c.path), 1), unix.EPROTOTYPE)
			}
		},
	},
	{
		ID: "CON-10", Name: "under way",
		Explanation: "Connect of a socket whose connection is under way already, because of another connect that was cancelled, say, is EALREADY.",
		Ops:         api.Ops(api.OpConnect, api.OpCancel, api.OpClose),
		Fn: func(t *T) {
			fd, addr := t.inProgress()
			for _, nonblock := range []bool{true, false} {
				t.nonblock(nonblock, fd)
				t.WantErr(api.Connect(fd, ipMsg(addr), 1), unix.EALREADY)
			}
			// Once more, with a connect of the engine's own.
			fd = t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			id := t.Submit(api.Connect(fd, ipMsg(addr), 2))[0]
			t.StillPending(2)
			t.WantErr(api.Connect(fd, ipMsg(addr), 3).With(api.Unordered), unix.EALREADY)
			t.Want(api.Cancel(id, 4), 0)
			t.AwaitRes(2, ecanceled)
			t.WantErr(api.Connect(fd, ipMsg(addr), 5), unix.EALREADY)
			t.Want(api.Close(fd, 6), 0)
		},
	},
	{
		ID: "CON-11", Name: "another peer",
		Explanation: "Connect of a connected UDP socket changes its peer, and datagrams of others are not received any more.",
		Ops:         api.Ops(api.OpConnect, api.OpSend, api.OpRecv),
		Fn: func(t *T) {
			s, at := t.UDPBound()
			b, bt := t.UDPBound()
			c, ct := t.UDPBound()
			for i, peer := range []struct {
				fd, other int
				addr      netip.AddrPort
			}{{b, c, bt}, {c, b, ct}, {b, c, bt}} {
				t.Want(api.Connect(s, ipMsg(peer.addr), 1), 0)
				t.Want(api.Send(s, []byte("hello"), 2), 5)
				t.WantGet(peer.fd, "hello")
				t.must("sendto", unix.Sendto(peer.other, []byte("other"), 0, sockaddr(at)))
				t.must("sendto", unix.Sendto(peer.fd, []byte("peer"), 0, sockaddr(at)))
				buf := make([]byte, 8)
				t.Want(api.Recv(s, buf, 3), 4)
				t.WantBytes(buf[:4], "peer")
				if t.Failed() {
					t.Fatalf("that was peer %d", i)
				}
			}
		},
	},
	{
		ID: "CON-11", Name: "another peer of a unix datagram socket",
		Explanation: "Connect of a Unix datagram socket sets its peer, by path or abstract name, and changes it.",
		Ops:         api.Ops(api.OpConnect, api.OpSend),
		Fn: func(t *T) {
			s := t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
			b, path := t.unixDgram()
			name := abstract()
			c := t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
			t.must("bind", unix.Bind(c, &unix.SockaddrUnix{Name: name}))
			for range 2 {
				t.Want(api.Connect(s, pathMsg(path), 1), 0)
				t.Want(api.Send(s, []byte("path"), 2), 4)
				t.WantGet(b, "path")
				t.Want(api.Connect(s, pathMsg(name), 3), 0)
				t.Want(api.Send(s, []byte("name"), 4), 4)
				t.WantGet(c, "name")
			}
			t.WantErr(api.Connect(s, pathMsg(path+".none"), 5), unix.ENOENT)
			t.Want(api.Send(s, []byte("name"), 6), 4) // what fails changes nothing
			t.WantGet(c, "name")
		},
	},
	{
		ID: "CON-7", Name: "what is no address",
		Explanation: "Connect to an address of another family is EAFNOSUPPORT, to a path that is too long EINVAL, and without a Msg EFAULT.",
		Ops:         connectOps,
		Fn: func(t *T) {
			_, addr := t.Listener()
			tcp, u := t.Socket(unix.AF_INET, unix.SOCK_STREAM), t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			t.WantErr(api.Connect(tcp, nil, 1), unix.EFAULT)
			t.WantErr(api.Connect(tcp, pathMsg("x"), 2), unix.EAFNOSUPPORT)
			t.WantErr(api.Connect(u, ipMsg(addr), 3), unix.EAFNOSUPPORT)
			t.WantErr(api.Connect(tcp, ipMsg(netip.AddrPortFrom(netip.IPv6Loopback(), 1)), 4), unix.EAFNOSUPPORT)
			t.WantErr(api.Connect(u, pathMsg(pattern(200)), 5), unix.EINVAL)
			t.WantErr(api.Connect(u, pathMsg("a\x00b"), 6), unix.EINVAL)
			t.Want(api.Connect(tcp, ipMsg(addr), 7), 0)
		},
	},
	{
		ID: "ACC-3", Name: "address of an abstract peer",
		Explanation: "Accept with a Msg sets Addr to the abstract name of a Unix peer, of streams and SEQPACKET sockets.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
				name, peer := abstract(), abstract()+"-peer"
				l := t.Socket(unix.AF_UNIX, typ)
				t.must("bind", unix.Bind(l, &unix.SockaddrUnix{Name: name}))
				t.must("listen", unix.Listen(l, 4))
				for _, want := range []api.Addr{api.UnixAddr(peer), {}} {
					fd := t.Socket(unix.AF_UNIX, typ)
					if !want.IsZero() {
						t.must("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: peer}))
					}
					t.must("connect", unix.Connect(fd, &unix.SockaddrUnix{Name: name}))
					op := api.Accept(l, 1)
					op.Msg = &api.Msg{Addr: api.UnixAddr("left over")}
					c := t.Do(op)
					t.accepted(&c, false)
					if op.Msg.Addr != want {
						t.Errorf("the address is %v, want %v", op.Msg.Addr, want)
					}
				}
			}
		},
	},
	{
		ID: "ADR-1", Name: "IPv4 on IPv6 sockets",
		Explanation: "An IPv4 peer of an IPv6 socket has an IPv4-mapped address, which can be used as it is, as can the IPv4 address itself.",
		Ops:         api.Ops(api.OpAccept, api.OpConnect, api.OpSendMsg, api.OpRecvMsg),
		Fn: func(t *T) {
			l, port := t.listenerAny()
			fd := t.Dial(loopback(port))
			op := api.Accept(l, 1)
			op.Msg = new(api.Msg)
			c := t.Do(op)
			t.talks(fd, t.accepted(&c, false))
			want := t.LocalAddr(fd)
			if got := op.Msg.Addr.IP; !got.Addr().Is4In6() || got.Addr().Unmap() != want.Addr() || got.Port() != want.Port() {
				t.Errorf("the peer is %v, want %v as IPv4-mapped", got, want)
			}
			// Both spellings, as a destination.
			mapped := netip.AddrPortFrom(netip.AddrFrom16(loopback(0).Addr().As16()), port)
			for _, to := range []netip.AddrPort{loopback(port), mapped} {
				for _, domain := range []int{unix.AF_INET6, unix.AF_INET} {
					s := t.Socket(domain, unix.SOCK_STREAM)
					t.Want(api.Connect(s, ipMsg(to), 2), 0)
					t.talks(s, t.AcceptNow(l))
				}
			}
			six := t.Socket(unix.AF_INET6, unix.SOCK_DGRAM)
			t.must("bind", unix.Bind(six, &unix.SockaddrInet6{}))
			four, at := t.UDPBound()
			t.must("sendto", unix.Sendto(four, []byte("ping"), 0, sockaddr(loopback(t.LocalAddr(six).Port()))))
			in := &api.Msg{Bufs: bytesFor(1, 8)}
			t.Want(api.RecvMsg(six, in, 3), 4)
			back := vec("pong")
			back.Addr = in.Addr
			t.Want(api.SendMsg(six, back, 4), 4)
			t.WantGet(four, "pong")
			back.Addr = api.IPAddr(at)
			t.Want(api.SendMsg(six, back, 5), 4)
			t.WantGet(four, "pong")
		},
	},
	{
		ID: "ADR-2", Name: "link-local addresses",
		Explanation: "A link-local address has its zone as a number, and can be used as a destination as it was reported.",
		Ops:         api.Ops(api.OpConnect, api.OpAccept, api.OpBind, api.OpSendMsg, api.OpRecvMsg),
		Fn: func(t *T) {
			local := t.linkLocal()
			l := t.Socket(unix.AF_INET6, unix.SOCK_STREAM)
			t.Want(api.Bind(l, ipMsg(netip.AddrPortFrom(local, 0)), 1), 0)
			t.must("listen", unix.Listen(l, 4))
			fd := t.Socket(unix.AF_INET6, unix.SOCK_STREAM)
			t.Want(api.Connect(fd, ipMsg(netip.AddrPortFrom(local, t.LocalAddr(l).Port())), 2), 0)
			op := api.Accept(l, 3)
			op.Msg = new(api.Msg)
			c := t.Do(op)
			t.accepted(&c, false)
			if got := op.Msg.Addr.IP.Addr(); got != local {
				t.Errorf("the peer is %v, want %v", got, local)
			}
			var fds [2]int
			for i := range fds {
				fds[i] = t.Socket(unix.AF_INET6, unix.SOCK_DGRAM)
				t.Want(api.Bind(fds[i], ipMsg(netip.AddrPortFrom(local, 0)), 4), 0)
			}
			at := func(fd int) api.Addr { return api.IPAddr(netip.AddrPortFrom(local, t.LocalAddr(fd).Port())) }
			t.exchangeAddr(fds[0], fds[1], at(fds[0]), at(fds[1]))
		},
	},
	{
		ID: "ADR-3", Name: "every kind comes back",
		Explanation: "An address that a message reports can be sent to, and reaches who has sent.",
		Ops:         api.Ops(api.OpSendMsg, api.OpRecvMsg, api.OpBind),
		Fn: func(t *T) {
			long := abstract()
			long += strings.Repeat("x", 108-len(long))
			for _, addr := range []api.Addr{
				api.IPAddr(loopback(0)), api.UnixAddr(t.socketPath()), api.UnixAddr(abstract()), api.UnixAddr(long), api.UnixAddr(abstract() + "\x00\x00end"),
			} {
				domain := unix.AF_UNIX
				if addr.IP.IsValid() {
					domain = unix.AF_INET
				}
				a := t.Socket(domain, unix.SOCK_DGRAM)
				t.Want(api.Bind(a, &api.Msg{Addr: addr}, 1), 0)
				if addr.IP.IsValid() {
					addr = api.IPAddr(t.LocalAddr(a))
				}
				s := t.Socket(domain, unix.SOCK_DGRAM)
				var own api.Addr
				if domain == unix.AF_UNIX {
					own = api.UnixAddr(abstract())
				} else {
					own = api.IPAddr(loopback(0))
				}
				t.Want(api.Bind(s, &api.Msg{Addr: own}, 2), 0)
				out := vec("ping")
				out.Addr = addr
				t.Want(api.SendMsg(s, out, 3), 4)
				in := &api.Msg{Bufs: bytesFor(1, 8)}
				t.Want(api.RecvMsg(a, in, 4), 4)
				out.Addr = in.Addr
				t.Want(api.SendMsg(a, out, 5), 4)
				t.Want(api.RecvMsg(s, in, 6), 4)
				if in.Addr != addr {
					t.Errorf("the sender is %q, want %q", in.Addr, addr)
				}
			}
		},
	},
	{
		ID: "SHU-1", Name: "IPv6",
		Explanation: "Shutdown works on IPv6 connections as on others: of writing behind the sends, of both at once.",
		Ops:         shutdownOps,
		Fn: func(t *T) {
			l, addr := t.listener6()
			a := t.Dial(addr)
			b := t.AcceptNow(l)
			t.Submit(api.Send(a, []byte("last"), 1), api.Shutdown(a, api.ShutWrite, 2), api.Recv(a, make([]byte, 8), 3))
			t.AwaitRes(1, 4)
			t.AwaitRes(2, 0)
			t.WantGet(b, "last")
			t.WantEnd(b)
			t.WantErr(api.Send(a, []byte("x"), 4), unix.EPIPE)
			t.Put(b, "still")
			t.AwaitRes(3, 5)
			t.Submit(api.Recv(a, make([]byte, 8), 5))
			t.StillPending(5)
			t.Want(api.Shutdown(a, api.ShutBoth, 6), 0)
			t.AwaitRes(5, 0)
			t.WantErr(api.Shutdown(t.Socket(unix.AF_INET6, unix.SOCK_STREAM), api.ShutBoth, 7), unix.ENOTCONN)
		},
	},
}
