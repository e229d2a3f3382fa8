package conformance

import (
	"encoding/binary"
	"net/netip"
	"os"
	"slices"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// UDP_SEGMENT and UDP_GRO of linux/udp.h.
const (
	udpSegment = 103
	udpGRO     = 104
)

// control is a message of control data.
func control(level, typ int, data []byte) []byte {
	const lenSize = unix.SizeofCmsghdr - 8
	b := make([]byte, unix.CmsgSpace(len(data)))
	var n [8]byte
	binary.NativeEndian.PutUint64(n[:], uint64(unix.CmsgLen(len(data))))
	if lenSize == 4 {
		binary.NativeEndian.PutUint32(n[:], uint32(unix.CmsgLen(len(data))))
	}
	copy(b, n[:lenSize])
	binary.NativeEndian.PutUint32(b[lenSize:], uint32(level))
	binary.NativeEndian.PutUint32(b[lenSize+4:], uint32(typ))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

// withControl is vec with control data.
func withControl(text string, parts ...[]byte) *api.Msg {
	m := vec(text)
	m.Control = slices.Concat(parts...)
	return m
}

// received are the fds that came with m, which the case owns.
func (t *T) received(m *api.Msg) (fds []int) {
	t.tb.Helper()
	all, err := unix.ParseSocketControlMessage(m.Control[:m.ControlLen])
	t.must("parse the control data", err)
	for i := range all {
		if all[i].Header.Level != unix.SOL_SOCKET || all[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		got, err := unix.ParseUnixRights(&all[i])
		t.must("parse the rights", err)
		for _, fd := range got {
			fds = append(fds, t.Own(fd))
		}
	}
	return fds
}

// wantCloexec checks that an fd is not inherited by exec.
func (t *T) wantCloexec(fd int) {
	t.tb.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	t.must("fcntl", err)
	if flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("an fd that was received would be inherited by exec")
	}
}

// unixPairs are the kinds of Unix sockets, connected.
func (t *T) unixPairs(f func(a, b int)) {
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
		a, b := t.pairOf(typ, false)
		f(a, b)
		if t.Failed() {
			t.Fatalf("that was with sockets of the type %d", typ)
		}
	}
}

// lastHolder passes the write end of a pipe in a message on a, and closes it here. The pipe ends when nobody holds it.
func (t *T) lastHolder(a int) (r int) {
	r, w := t.Pipe(false)
	t.must("sendmsg", unix.Sendmsg(a, []byte("data"), unix.UnixRights(w), nil, 0))
	t.CloseNow(w)
	return r
}

func (t *T) set(fd, level, name, value int) {
	t.tb.Helper()
	t.must("setsockopt", unix.SetsockoptInt(fd, level, name, value))
}

var controlCases = []Case{
	{
		ID: "CTL-1", Name: "several fds",
		Explanation: "File descriptors that are passed arrive in their order, refer to the same files, and are close-on-exec.",
		Ops:         msgOps,
		Fn: func(t *T) {
			t.needFDs(300)
			t.unixPairs(func(a, b int) {
				for _, n := range []int{1, 5, 253} {
					var files, ends []int
					for range min(n, 5) {
						r, w := t.Pipe(false)
						files, ends = append(files, r), append(ends, w)
					}
					for len(files) < n {
						files = append(files, files[0])
					}
					in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(4*n))}
					if n == 1 {
						t.Submit(api.RecvMsg(b, in, 1))
						t.StillPending(1)
					}
					t.Want(api.SendMsg(a, withControl("fds", unix.UnixRights(files...)), 2), 3)
					if n > 1 {
						t.Submit(api.RecvMsg(b, in, 1))
					}
					t.AwaitRes(1, 3)
					got := t.received(in)
					if len(got) != n || in.Flags != 0 {
						t.Fatalf("%d fds arrived, want %d; Flags is %#x", len(got), n, in.Flags)
					}
					for i, w := range ends {
						t.Put(w, "x")
						t.WantGet(got[i], "x")
					}
					for _, fd := range got {
						t.wantCloexec(fd)
						t.CloseNow(fd)
					}
				}
			})
		},
	},
	{
		ID: "CTL-1", Name: "whether asked for close-on-exec or not",
		Explanation: "MSG_CMSG_CLOEXEC changes nothing: the fds are close-on-exec and the flag does not show in Flags.",
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			r, _ := t.Pipe(false)
			for _, flags := range []uint32{0, unix.MSG_CMSG_CLOEXEC} {
				in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(4))}
				t.Want(api.SendMsg(a, withControl("fd", unix.UnixRights(r)), 1), 2)
				t.Want(arg(api.RecvMsg(b, in, 2), flags), 2)
				for _, fd := range t.received(in) {
					t.wantCloexec(fd)
				}
				if in.Flags != 0 {
					t.Errorf("Flags is %#x", in.Flags)
				}
			}
		},
	},
	{
		ID: "CTL-1", Name: "peek at fds",
		Explanation: "A message that peeks gets fds of its own, and the next receive others.",
		Ops:         msgOps,
		Fn: func(t *T) {
			t.unixPairs(func(a, b int) {
				r := t.lastHolder(a)
				in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(4))}
				t.Want(arg(api.RecvMsg(b, in, 1), unix.MSG_PEEK), 4)
				first := t.received(in)
				t.Want(api.RecvMsg(b, in, 2), 4)
				second := t.received(in)
				if len(first) != 1 || len(second) != 1 || first[0] == second[0] {
					t.Fatalf("the fds are %v and %v", first, second)
				}
				t.wantCloexec(first[0])
				t.CloseNow(first[0])
				t.Put(second[0], "x")
				t.CloseNow(second[0])
				t.WantGet(r, "x")
				t.WantEnd(r)
			})
		},
	},
	{
		ID: "CTL-2", Name: "room for some",
		Explanation: "Of several fds those arrive that there is room for, MSG_CTRUNC says that there were more, and the others are closed.",
		Ops:         msgOps,
		Fn: func(t *T) {
			t.unixPairs(func(a, b int) {
				for _, room := range []int{0, 8, unix.CmsgLen(0), unix.CmsgLen(4), unix.CmsgLen(8)} {
					var rs, ws []int
					for range 3 {
						r, w := t.Pipe(false)
						rs, ws = append(rs, r), append(ws, w)
					}
					t.Want(api.SendMsg(a, withControl("fds", unix.UnixRights(ws...)), 1), 3)
					for _, w := range ws {
						t.CloseNow(w)
					}
					in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, room)}
					t.Want(api.RecvMsg(b, in, 2), 3)
					var got []int
					if in.ControlLen > 0 {
						got = t.received(in)
					}
					if want := max(0, (room-unix.CmsgLen(0))/4); len(got) != want || in.Flags != unix.MSG_CTRUNC || in.ControlLen > room {
						t.Errorf("with room for %d bytes %d fds came, want %d; Flags is %#x, ControlLen %d", room, len(got), want, in.Flags, in.ControlLen)
					}
					for i, r := range rs {
						if i < len(got) {
							t.CloseNow(got[i])
						}
						t.WantEnd(r)
					}
				}
			})
		},
	},
	{
		ID: "CTL-2", Name: "parts of a message",
		Explanation: "A message with WaitAll keeps the fds of its first part; those of later parts are closed, and MSG_CTRUNC says so.",
		Requires:    api.FeatWaitAll,
		Ops:         msgOps,
		Fn: func(t *T) {
			for _, before := range []int{0, 1, 2} {
				a, b := t.Pair(false)
				in := &api.Msg{Bufs: bytesFor(2, 4), Control: make([]byte, 256)}
				var rs []int
				for i := range 2 {
					if i == before {
						t.Submit(api.RecvMsg(b, in, 1).With(api.WaitAll))
						t.StillPending(1)
					}
					rs = append(rs, t.lastHolder(a))
				}
				if before == 2 {
					t.Submit(api.RecvMsg(b, in, 1).With(api.WaitAll))
				}
				t.AwaitRes(1, 8)
				got := t.received(in)
				if len(got) != 1 || in.Flags != unix.MSG_CTRUNC {
					t.Fatalf("%d fds came, Flags is %#x; %d parts were there before", len(got), in.Flags, before)
				}
				t.CloseNow(got[0])
				t.WantEnd(rs[0])
				t.WantEnd(rs[1])
			}
		},
	},
	{
		ID: "CTL-3", Name: "receives that ask for none",
		Explanation: "A receive without room for control data gets the data, and the fds that came with it are closed.",
		Requires:    api.FeatBufferGroups,
		Ops:         streamOps | msgOps | api.Ops(api.OpRead, api.OpReadv),
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 64})
			t.unixPairs(func(a, b int) {
				buf := make([]byte, 8)
				for i, op := range []api.Op{
					api.Recv(b, buf, 1), api.Read(b, buf, api.CurrentPosition, 1), api.Readv(b, &api.Msg{Bufs: [][]byte{buf}}, api.CurrentPosition, 1),
					api.RecvMsg(b, &api.Msg{Bufs: [][]byte{buf}}, 1), api.RecvBuffer(b, 0, 1),
				} {
					for _, waits := range []bool{false, true} {
						if waits {
							t.Submit(op)
							t.StillPending(1)
						}
						r := t.lastHolder(a)
						if !waits {
							t.Submit(op)
						}
						c := t.Await(1)
						if c.Res != 4 {
							t.Errorf("operation %d, a %v, gave %s", i, op.Code, show(&c))
						}
						if c.Flags.Has(api.Buffer) {
							t.Release(g, c.Lease)
						}
						t.WantEnd(r)
					}
				}
			})
		},
	},
	{
		ID: "CTL-3", Name: "nobody receives",
		Explanation: "Fds that are in a socket's queue when it is closed are closed with it.",
		Ops:         msgOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			t.unixPairs(func(a, b int) {
				r := t.lastHolder(a)
				t.Want(api.Close(a, 1), 0)
				t.Want(api.Close(b, 2), 0)
				t.WantEnd(r)
			})
		},
	},
	{
		ID: "CTL-4", Name: "credentials",
		Explanation: "A socket with SO_PASSCRED is told which process has sent, whether that has said so or not; a process that there is not is ESRCH.",
		Ops:         msgOps,
		Fn: func(t *T) {
			t.unixPairs(func(a, b int) {
				t.set(b, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
				own := &unix.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
				for _, c := range [][]byte{nil, unix.UnixCredentials(own)} {
					in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(unix.SizeofUcred))}
					t.Submit(api.RecvMsg(b, in, 1))
					t.StillPending(1)
					t.Want(api.SendMsg(a, withControl("x", c), 2), 1)
					t.AwaitRes(1, 1)
					all, err := unix.ParseSocketControlMessage(in.Control[:in.ControlLen])
					t.must("parse the control data", err)
					if len(all) != 1 {
						t.Fatalf("%d control messages", len(all))
					}
					got, err := unix.ParseUnixCredentials(&all[0])
					t.must("parse the credentials", err)
					if *got != *own {
						t.Errorf("the sender is %+v, want %+v", got, own)
					}
				}
				nobody := *own
				nobody.Pid = 1 << 30
				c := t.Do(api.SendMsg(a, withControl("x", unix.UnixCredentials(&nobody)), 3))
				if int(c.Res) != neg(unix.ESRCH) && int(c.Res) != neg(unix.EPERM) { // the latter without privileges
					t.Errorf("credentials of a process that there is not: %s", show(&c))
				}
			})
		},
	},
	{
		ID: "CTL-5", Name: "packet information",
		Explanation: "IP_PKTINFO tells which address a datagram was sent to and by which interface it came, and chooses the source of one that is sent.",
		Ops:         msgOps,
		Fn: func(t *T) {
			b := t.Socket(unix.AF_INET, unix.SOCK_DGRAM)
			t.must("bind", unix.Bind(b, &unix.SockaddrInet4{}))
			t.set(b, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
			a, at := t.UDPBound()
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 2}), t.LocalAddr(b).Port())
			in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, 64)}
			t.Submit(api.RecvMsg(b, in, 1))
			t.StillPending(1)
			out := vec("hello")
			out.Addr = api.IPAddr(to)
			t.Want(api.SendMsg(a, out, 2), 5)
			t.AwaitRes(1, 5)
			info := t.cmsg(in, unix.IPPROTO_IP, unix.IP_PKTINFO)
			if string(info[8:12]) != "\x7f\x00\x00\x02" || binary.NativeEndian.Uint32(info) == 0 {
				t.Errorf("the packet information is %v", info)
			}
			// Back, from the address that it was sent to. The source is in the second field.
			clear(info[:4])
			back := withControl("back", control(unix.IPPROTO_IP, unix.IP_PKTINFO, info))
			back.Addr = api.IPAddr(at)
			t.Want(api.SendMsg(b, back, 3), 4)
			from := &api.Msg{Bufs: bytesFor(1, 8)}
			t.Want(api.RecvMsg(a, from, 4), 4)
			if from.Addr != api.IPAddr(to) {
				t.Errorf("the answer comes from %v, want %v", from.Addr, to)
			}
		},
	},
	{
		ID: "CTL-5", Name: "packet information of IPv6, and its hop limit",
		Explanation: "IPV6_PKTINFO and IPV6_HOPLIMIT tell the same of an IPv6 datagram, and are taken by a send.",
		Ops:         msgOps,
		Fn: func(t *T) {
			l, _ := t.listener6() // or there is no IPv6
			t.CloseNow(l)
			var fds [2]int
			for i := range fds {
				fds[i] = t.Socket(unix.AF_INET6, unix.SOCK_DGRAM)
				t.must("bind", unix.Bind(fds[i], &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}))
				t.set(fds[i], unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
				t.set(fds[i], unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1)
			}
			loop := netip.IPv6Loopback().As16()
			out := withControl("hello", control(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, cint(9)),
				control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(loop[:], 0, 0, 0, 0)))
			out.Addr = api.IPAddr(t.LocalAddr(fds[1]))
			t.Want(api.SendMsg(fds[0], out, 1), 5)
			in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, 128)}
			t.Want(api.RecvMsg(fds[1], in, 2), 5)
			if info := t.cmsg(in, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO); string(info[:16]) != string(loop[:]) || binary.NativeEndian.Uint32(info[16:]) == 0 {
				t.Errorf("the packet information is %v", info)
			}
			if n := binary.NativeEndian.Uint32(t.cmsg(in, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT)); n != 9 {
				t.Errorf("the hop limit is %d", n)
			}
		},
	},
	{
		ID: "CTL-6", Name: "time to live and time stamp",
		Explanation: "IP_TTL sets the time to live of one datagram, and is told to those who ask, as is the time of its arrival.",
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.set(b, unix.IPPROTO_IP, unix.IP_RECVTTL, 1)
			t.set(b, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
			for _, ttl := range []int{7, 64} {
				t.Want(api.SendMsg(a, withControl("x", control(unix.IPPROTO_IP, unix.IP_TTL, cint(ttl))), 1), 1)
				in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, 128)}
				t.Want(api.RecvMsg(b, in, 2), 1)
				if n := binary.NativeEndian.Uint32(t.cmsg(in, unix.IPPROTO_IP, unix.IP_TTL)); int(n) != ttl {
					t.Errorf("the time to live is %d, want %d", n, ttl)
				}
				if at := t.cmsg(in, unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS); slices.Max(at) == 0 {
					t.Errorf("the time stamp is %v", at)
				}
			}
			// Room for one of the two.
			t.Put(a, "x")
			in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(16))}
			t.Want(api.RecvMsg(b, in, 3), 1)
			t.cmsg(in, unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS)
			if in.Flags&unix.MSG_CTRUNC == 0 {
				t.Errorf("Flags is %#x, without MSG_CTRUNC", in.Flags)
			}
		},
	},
}
