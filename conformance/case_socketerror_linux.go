package conformance

import (
	"net/netip"
	"strconv"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// vast is a slice of 3 GiB that takes no memory as long as nobody writes to it.
func (t *T) vast() []byte {
	if raceBuild {
		t.Skipf("the race detector would need several times the memory")
	}
	if strconv.IntSize == 32 {
		t.Skipf("a slice of 3 GiB does not fit into 32 bits")
	}
	b, err := unix.Mmap(-1, 0, 3<<30>>(64-strconv.IntSize), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		t.Skipf("3 GiB of addresses are not to be had: %v", err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return b
}

// socketErrorCases are about operations on sockets with arguments that are out of range.
var socketErrorCases = []Case{
	{
		ID: "STR-19", Name: "part of all without waiting",
		Explanation: "A receive with WaitAll and DontWait gives what there was before a reset, and the next one ECONNRESET.",
		Requires:    api.FeatWaitAll | api.FeatDontWait,
		Ops:         recvOnly | msgOps,
		Fn: func(t *T) {
			for _, op := range []api.Op{api.Recv(0, make([]byte, 8), 1), api.RecvMsg(0, &api.Msg{Bufs: bytesFor(4, 4)}, 1)} {
				a, b := t.TCP(false)
				t.Put(b, "abc")
				t.ready(a, unix.POLLIN)
				t.Reset(b)
				t.ready(a, unix.POLLERR)
				op.FD = int32(a)
				t.Want(op.With(api.WaitAll|api.DontWait), 3)
				t.WantErr(api.Recv(a, make([]byte, 8), 2), unix.ECONNRESET)
			}
		},
	},
	{
		ID: "VEC-8", Name: "vast buffers on sockets",
		Explanation: "An operation on a buffer of more than 2 GiB is one on its first 0x7ffff000 bytes: a receive takes what there is, a send what fits.",
		Ops:         streamOps | msgOps | optionOps | transferOps,
		Fn: func(t *T) {
			vast := t.vast()
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				for i, op := range []api.Op{
					api.Recv(a, vast, 1), api.Read(a, vast, api.CurrentPosition, 1),
					api.RecvMsg(a, &api.Msg{Bufs: [][]byte{vast, vast}}, 1), api.Readv(a, &api.Msg{Bufs: [][]byte{vast}}, api.CurrentPosition, 1),
				} {
					t.Put(b, "hello")
					t.Want(op, 5)
					t.WantBytes(vast[:5], "hello")
					clear(vast[:5])
					if t.Failed() {
						t.Fatalf("that was operation %d", i)
					}
				}
				c := t.Do(api.Send(a, vast, 2))
				if c.Res <= 0 || c.Res > 64<<20 {
					t.Fatalf("a send of 3 GiB that nobody receives gave %s", show(&c))
				}
				t.Get(b, int(c.Res))
				c = t.Do(api.SendMsg(a, &api.Msg{Bufs: [][]byte{vast, vast}}, 3))
				if c.Res <= 0 || c.Res > 64<<20 {
					t.Fatalf("a message of 6 GiB that nobody receives gave %s", show(&c))
				}
				t.Get(b, int(c.Res))
				for range 2 {
					t.Want(api.Setsockopt(a, unix.SOL_SOCKET, unix.SO_KEEPALIVE, vast, 4), 0)
					t.Want(api.Getsockopt(a, unix.SOL_SOCKET, unix.SO_TYPE, vast, 5), 4)
					clear(vast[:4])
				}
			})
			u, v := t.UDP()
			t.WantErr(api.Send(u, vast, 6), unix.EMSGSIZE)
			t.WantErr(api.SendMsg(u, &api.Msg{Bufs: [][]byte{vast}}, 7), unix.EMSGSIZE)
			t.Put(u, "datagram")
			t.Want(api.Recv(v, vast, 8), 8)
			s, _ := t.Dgrams()
			t.WantErr(api.Send(s, vast, 9), unix.EMSGSIZE)
			r, _ := t.Records(false)
			t.WantErr(api.Send(r, vast, 10), unix.EMSGSIZE)
		},
	},
	{
		ID: "VEC-8", Name: "vast control data",
		Explanation: "More control data than the kernel takes is ENOBUFS to be sent, and room for more than can come does no harm.",
		Ops:         msgOps,
		Fn: func(t *T) {
			vast := t.vast()
			a, b := t.Pair(false)
			m := vec("x")
			m.Control = vast
			t.WantErr(api.SendMsg(a, m, 1), unix.ENOBUFS)
			r, _ := t.Pipe(false)
			t.Want(api.SendMsg(a, withControl("fd", unix.UnixRights(r)), 2), 2)
			in := &api.Msg{Bufs: bytesFor(1, 8), Control: vast}
			t.Want(api.RecvMsg(b, in, 3), 2)
			if got := t.received(in); len(got) != 1 {
				t.Errorf("%d fds came", len(got))
			}
		},
	},
	{
		ID: "ERR-6", Name: "destinations that cannot be",
		Explanation: "A message to an address that its socket cannot send to fails, says why, and is not sent.",
		Ops:         msgOps,
		Fn: func(t *T) {
			_, stream := t.unixListener(4)
			_, dgram := t.unixDgram()
			_, at := t.UDPBound()
			udp := func() int { return t.Socket(unix.AF_INET, unix.SOCK_DGRAM) }
			local := func() int { return t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM) }
			connected, _ := t.Pair(false)
			records, _ := t.Records(false)
			six := netip.AddrPortFrom(netip.IPv6Loopback(), 9)
			for _, c := range []struct {
				what string
				fd   int
				addr api.Addr
				want unix.Errno
			}{
				{"port 0", udp(), api.IPAddr(loopback(0)), unix.EINVAL},
				{"IPv6 of IPv4", udp(), api.IPAddr(six), unix.EAFNOSUPPORT},
				{"a path of IPv4", udp(), api.UnixAddr(dgram), unix.EAFNOSUPPORT},
				{"IPv4 of Unix", local(), api.IPAddr(at), unix.EAFNOSUPPORT},
				{"a path that is too long", local(), api.UnixAddr(pattern(300)), unix.EINVAL},
				{"a path with a NUL", local(), api.UnixAddr("a\x00b"), unix.EINVAL},
				{"a path that is not there", local(), api.UnixAddr(dgram + ".none"), unix.ENOENT},
				{"a name that nobody has", local(), api.UnixAddr(abstract()), unix.ECONNREFUSED},
				{"a socket of another type", local(), api.UnixAddr(stream), unix.EPROTOTYPE},
				{"a file that is no socket", local(), api.UnixAddr(t.FilePath("x")), unix.ECONNREFUSED},
				{"an address on a connected stream", connected, api.UnixAddr(stream), unix.EISCONN},
				{"an interface that is not there", t.Socket(unix.AF_INET6, unix.SOCK_DGRAM), api.IPAddr(netip.MustParseAddrPort("[fe80::1%no-such-if]:9")), unix.ENODEV},
				{"a file", t.File("x"), api.IPAddr(at), unix.ENOTSOCK},
			} {
				m := vec("x")
				m.Addr = c.addr
				if got := t.Do(api.SendMsg(c.fd, m, 1)); int(got.Res) != neg(c.want) {
					t.Errorf("%s: got %s, want %v", c.what, show(&got), c.want)
				}
			}
			// Where there is a peer, and none is needed.
			m := vec("x")
			m.Addr = api.UnixAddr(dgram)
			t.Want(api.SendMsg(records, m, 2), 1) // as io_uring and sendmsg(2) have it
		},
	},
	{
		ID: "ERR-6", Name: "fds that do not fit into an Op",
		Explanation: "An fd of more than 32 bits is EBADF, and not another one.",
		Requires:    api.FeatWaitAll | api.FeatDontWait,
		Ops:         everyOp,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			if strconv.IntSize == 32 {
				t.Skipf("an int has 32 bits")
			}
			wide := int(int64(1)<<32 + int64(a))
			for i, op := range onFD(wide) {
				op.Tag = uint64(i)
				t.WantErr(op, unix.EBADF)
			}
			t.talks(a, b)
		},
	},
	{
		ID: "SUB-9", Name: "flags that socket operations do not know",
		Explanation: "A flag that exists, on an operation on sockets that does not know it, makes it complete with EINVAL, and nothing happens.",
		Ops:         socketOps | bindOps | listenOps | optionOps | connectOps,
		Fn: func(t *T) {
			fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			buf := make([]byte, 4)
			for i, op := range []api.Op{
				api.Socket(unix.AF_INET, unix.SOCK_STREAM, 0, 0).With(api.Multishot), api.Socket(unix.AF_INET, unix.SOCK_STREAM, 0, 0).With(api.DontWait),
				api.Bind(fd, ipMsg(loopback(0)), 0).With(api.DontWait), api.Bind(fd, ipMsg(loopback(0)), 0).With(api.Unordered),
				api.Listen(fd, 1, 0).With(api.WaitAll), api.Listen(fd, 1, 0).With(api.Multishot),
				api.Getsockopt(fd, unix.SOL_SOCKET, unix.SO_TYPE, buf, 0).With(api.EOF), api.Setsockopt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, cint(1), 0).With(api.DataSync),
				api.SocketInQ(fd, 0).With(api.DontWait), api.SocketOutQ(fd, 0).With(api.ByFD),
				api.Connect(fd, ipMsg(loopback(9)), 0).With(api.WaitAll),
			} {
				op.Tag = uint64(i)
				t.WantErr(op, unix.EINVAL)
			}
			if t.option(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) != 0 || t.option(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0 || t.LocalAddr(fd).Port() != 0 {
				t.Errorf("the socket has changed")
			}
		},
	},
}
