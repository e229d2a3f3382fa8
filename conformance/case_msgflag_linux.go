package conformance

import (
	"encoding/binary"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// msgFlagCases are about those MSG_* flags that the engine gives to the kernel as they are.
var msgFlagCases = []Case{
	{
		ID: "FLG-1", Name: "urgent byte",
		Explanation: "With MSG_OOB a send makes its last byte urgent, and a receive gets it; other receives stop in front of it and go on behind it.",
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			for i := range 2 {
				a, b := t.TCP(false)
				t.Want(api.Send(b, []byte("abc"), 1), 3)
				op := api.Send(b, []byte("d!"), 2)
				if i == 1 {
					op = api.SendMsg(b, vec("d", "!"), 2)
				}
				t.Want(arg(op, unix.MSG_OOB), 2)
				t.Want(api.Send(b, []byte("efg"), 3), 3)
				t.ready(a, unix.POLLPRI)
				urgent, rest := make([]byte, 4), make([]byte, 64)
				t.Want(arg(api.Recv(a, urgent, 4), unix.MSG_OOB), 1)
				t.WantBytes(urgent[:1], "!")
				t.WantErr(arg(api.Recv(a, urgent, 5), unix.MSG_OOB), unix.EINVAL)
				t.Want(api.Recv(a, rest, 6), 4)
				t.WantBytes(rest[:4], "abcd")
				t.Want(api.Recv(a, rest, 7), 3)
				t.WantBytes(rest[:3], "efg")
			}
		},
	},
	{
		ID: "FLG-1", Name: "urgent byte of a message",
		Explanation: "A message receives the urgent byte with MSG_OOB, and says so in Flags.",
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			m := &api.Msg{Bufs: bytesFor(1, 4)}
			t.WantErr(arg(api.RecvMsg(a, m, 1), unix.MSG_OOB), unix.EINVAL)
			t.Want(arg(api.SendMsg(b, vec("!"), 2), unix.MSG_OOB), 1)
			t.ready(a, unix.POLLPRI)
			t.Want(arg(api.RecvMsg(a, m, 3), unix.MSG_OOB), 1)
			t.WantBytes(m.Bufs[0][:1], "!")
			if m.Flags&unix.MSG_OOB == 0 {
				t.Errorf("Flags is %#x, without MSG_OOB", m.Flags)
			}
		},
	},
	{
		ID: "FLG-1", Name: "receive that waits at the mark",
		Explanation: "A receive with WaitAll goes on behind the urgent byte, and one that waits is not ended by it.",
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			buf := make([]byte, 6)
			t.Submit(api.Recv(a, buf, 1).With(api.WaitAll))
			t.StillPending(1)
			t.Put(b, "abc")
			t.must("send", unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
			t.StillPending(1)
			t.Put(b, "def")
			t.Prompt(1, 6)
			t.WantBytes(buf, "abcdef")
			t.Submit(api.Recv(a, buf, 2))
			t.StillPending(2)
			t.must("send", unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
			t.StillPending(2)
			t.Put(b, "x")
			t.Prompt(2, 1)
			t.WantBytes(buf[:1], "x")
		},
	},
	{
		ID: "FLG-1", Name: "urgent byte in line",
		Explanation: "With SO_OOBINLINE the urgent byte is in its place in the stream, a receive stops in front of it, and MSG_OOB is EINVAL.",
		Ops:         streamOps | optionOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.Want(api.Setsockopt(a, unix.SOL_SOCKET, unix.SO_OOBINLINE, cint(1), 1), 0)
			t.Put(b, "abc")
			t.Want(arg(api.Send(b, []byte("!"), 2), unix.MSG_OOB), 1)
			t.Put(b, "def")
			t.ready(a, unix.POLLPRI)
			buf := make([]byte, 64)
			t.WantErr(arg(api.Recv(a, buf, 3), unix.MSG_OOB), unix.EINVAL)
			t.Want(api.Recv(a, buf, 4), 3)
			t.WantBytes(buf[:3], "abc")
			t.Want(api.Recv(a, buf, 5), 4)
			t.WantBytes(buf[:4], "!def")
		},
	},
	{
		ID: "FLG-1", Name: "sockets without urgent data",
		Explanation: "MSG_OOB on a socket of datagrams is EOPNOTSUPP.",
		Ops:         streamOps,
		Fn: func(t *T) {
			udp, peer := t.UDP()
			unixgram, _ := t.Dgrams()
			t.WantErr(arg(api.Send(udp, []byte("x"), 1), unix.MSG_OOB), unix.EOPNOTSUPP)
			t.WantErr(arg(api.Send(unixgram, []byte("x"), 2), unix.MSG_OOB), unix.EOPNOTSUPP)
			t.WantErr(arg(api.Recv(unixgram, make([]byte, 1), 3), unix.MSG_OOB), unix.EOPNOTSUPP)
			t.Submit(api.Recv(peer, make([]byte, 1), 4))
			t.StillPending(4)
		},
	},
	{
		ID: "FLG-2", Name: "peek at datagrams and records",
		Explanation: "MSG_PEEK leaves a datagram, or a record, for the next receive, with its address; a receive that peeks waits as others do.",
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams, func() (int, int) { return t.Records(false) }} {
				a, b := pair()
				buf := make([]byte, 8)
				t.Submit(arg(api.Recv(b, buf, 1), unix.MSG_PEEK))
				t.StillPending(1)
				t.Put(a, "one")
				t.AwaitRes(1, 3)
				t.Put(a, "three")
				m := &api.Msg{Bufs: bytesFor(1, 2)}
				t.Want(arg(api.RecvMsg(b, m, 2), unix.MSG_PEEK), 2)
				if m.Flags&unix.MSG_TRUNC == 0 {
					t.Errorf("Flags is %#x, without MSG_TRUNC", m.Flags)
				}
				t.Want(arg(api.Recv(b, buf[:1], 3), unix.MSG_PEEK|unix.MSG_TRUNC), 3)
				t.Want(api.Recv(b, buf, 4), 3)
				t.WantBytes(buf[:3], "one")
				t.Want(arg(api.Recv(b, buf, 5), unix.MSG_PEEK), 5)
				t.Want(api.Recv(b, buf, 6), 5)
				t.WantBytes(buf[:5], "three")
			}
		},
	},
	{
		ID: "FLG-3", Name: "bytes that are dropped",
		Explanation: "MSG_TRUNC on a TCP socket takes bytes and leaves the buffer as it was.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			buf := []byte("----")
			t.Submit(arg(api.Recv(a, buf, 1), unix.MSG_TRUNC))
			t.StillPending(1)
			t.Put(b, "abcdef")
			t.Prompt(1, 4)
			t.WantBytes(buf, "----")
			t.Want(api.Recv(a, buf, 2), 2)
			t.WantBytes(buf, "ef--")
		},
	},
	{
		ID: "FLG-3", Name: "with a provided buffer",
		Explanation: "MSG_TRUNC has no effect on a receive into a provided buffer, which has all the bytes that are reported.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			u, v := t.UDP()
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 8})
			t.Put(b, "stream")
			t.Put(v, "datagram that is cut")
			t.ready(a, unix.POLLIN)
			t.ready(u, unix.POLLIN)
			t.Submit(arg(api.RecvBuffer(a, 0, 1), unix.MSG_TRUNC))
			c := t.Await(1)
			t.WantBytes(c.Buf, "stream")
			t.Release(g, c.Lease)
			t.Submit(arg(api.RecvBuffer(u, 0, 2), unix.MSG_TRUNC))
			c = t.Await(2)
			t.WantBytes(c.Buf, "datagram")
			t.Release(g, c.Lease)
		},
	},
	{
		ID: "FLG-4", Name: "more follows on a stream",
		Explanation: "What is sent with MSG_MORE arrives with what follows, or by itself when nothing does.",
		Requires:    api.FeatWaitAll,
		Ops:         streamOps | msgOps | shutdownOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Want(arg(api.Send(a, []byte("ab"), 1), unix.MSG_MORE), 2)
				t.Want(arg(api.SendMsg(a, vec("c", "d"), 2), unix.MSG_MORE), 2)
				t.Want(api.Send(a, []byte("ef"), 3), 2)
				t.WantGet(b, "abcdef")
				t.Want(arg(api.Send(a, []byte("gh"), 4), unix.MSG_MORE), 2)
				t.WantGet(b, "gh")
				data := pattern(100_000)
				t.Submit(arg(api.Send(a, []byte(data), 5).With(api.WaitAll), unix.MSG_MORE), arg(api.Send(a, []byte("tail"), 6), unix.MSG_MORE),
					api.Shutdown(a, api.ShutWrite, 7))
				t.Perform()
				got := t.getLater(b, len(data)+10)
				t.AwaitRes(5, len(data))
				t.AwaitRes(6, 4)
				t.AwaitRes(7, 0)
				t.WantBytes(<-got, data+"tail")
			})
		},
	},
	{
		ID: "FLG-4", Name: "more follows of a datagram",
		Explanation: "On UDP, MSG_MORE gathers the parts of one datagram until a send without it.",
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			buf := make([]byte, 16)
			t.Want(arg(api.Send(a, []byte("ab"), 1), unix.MSG_MORE), 2)
			t.Want(arg(api.SendMsg(a, vec("c", "d"), 2), unix.MSG_MORE), 2)
			t.Submit(api.Recv(b, buf, 3))
			t.StillPending(3)
			t.Want(api.Send(a, []byte("ef"), 4), 2)
			t.AwaitRes(3, 6)
			t.WantBytes(buf[:6], "abcdef")
		},
	},
	{
		ID: "FLG-5", Name: "error queue",
		Explanation: "A message with MSG_ERRQUEUE waits for an error, whether there is data or not, takes it with the datagram that it is about, and leaves the data.",
		Requires:    api.FeatDontWait,
		Ops:         msgOps | streamOps,
		Fn: func(t *T) {
			gone, addr := t.UDPBound()
			t.CloseNow(gone)
			peer, peerAddr := t.UDPBound()
			s, sAddr := t.UDPBound()
			t.must("setsockopt", unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1))
			m := &api.Msg{Bufs: bytesFor(1, 16), Control: make([]byte, 256)}
			t.WantErr(arg(api.RecvMsg(s, m, 1).With(api.DontWait), unix.MSG_ERRQUEUE), unix.EAGAIN)
			t.must("sendto", unix.Sendto(peer, []byte("data"), 0, sockaddr(sAddr)))
			t.ready(s, unix.POLLIN)
			t.Submit(arg(api.RecvMsg(s, m, 2).With(api.Unordered), unix.MSG_ERRQUEUE))
			t.StillPending(2)
			to := vec("nobody")
			to.Addr = api.IPAddr(addr)
			t.Want(api.SendMsg(s, to, 3), 6)
			t.Prompt(2, 6)
			t.WantBytes(m.Bufs[0][:6], "nobody")
			if m.Flags&unix.MSG_ERRQUEUE == 0 || m.Addr != api.IPAddr(addr) {
				t.Errorf("Flags is %#x, Addr %v", m.Flags, m.Addr)
			}
			c := t.cmsg(m, unix.IPPROTO_IP, unix.IP_RECVERR)
			if errno := unix.Errno(binary.NativeEndian.Uint32(c)); errno != unix.ECONNREFUSED {
				t.Errorf("the error is %v", errno)
			}
			from := &api.Msg{Bufs: bytesFor(1, 16)}
			t.Want(api.RecvMsg(s, from, 4), 4)
			t.WantBytes(from.Bufs[0][:4], "data")
			if from.Addr != api.IPAddr(peerAddr) {
				t.Errorf("the sender is %v", from.Addr)
			}
		},
	},
	{
		ID: "FLG-5", Name: "error queue that is waited for beside data",
		Explanation: "A message that waits for an error lets the engine sleep although there is data, and can be cancelled.",
		Ops:         msgOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			s, _ := t.UDP()
			t.must("setsockopt", unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1))
			id := t.Submit(arg(api.RecvMsg(s, &api.Msg{Bufs: bytesFor(1, 4)}, 1), unix.MSG_ERRQUEUE))[0]
			t.StillPending(1)
			t.idle()
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
		},
	},
	{
		ID: "FLG-6", Name: "flags without a meaning",
		Explanation: "A flag that the system does not know for an operation has no effect on it.",
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			const none = 0x200 | 0x400 | 0x1000 | 0x10000 | 0x20000 | 0x40000 | 0x80000 | 0x100000 | 0x200000 | 0x400000 | 0x800000 |
				0x1000000 | 0x8000000 | 0x10000000
			for bit := uint32(1); bit < 1<<31; bit <<= 1 {
				if none&bit == 0 {
					continue
				}
				for _, pair := range []func() (int, int){func() (int, int) { return t.Pair(false) }, func() (int, int) { return t.TCP(false) }, t.UDP} {
					a, b := pair()
					buf := make([]byte, 8)
					m := &api.Msg{Bufs: bytesFor(1, 8)}
					t.Want(arg(api.Send(a, []byte("abc"), 1), bit), 3)
					t.ready(b, unix.POLLIN)
					t.Want(arg(api.Recv(b, buf, 2), bit), 3)
					t.WantBytes(buf[:3], "abc")
					t.Want(arg(api.SendMsg(a, vec("d", "ef"), 3), bit), 3)
					t.ready(b, unix.POLLIN)
					t.Want(arg(api.RecvMsg(b, m, 4), bit), 3)
					t.WantBytes(m.Bufs[0][:3], "def")
					t.Submit(arg(api.Recv(b, buf, 5), bit))
					t.Perform()
					t.Put(a, "x")
					t.AwaitRes(5, 1)
					t.CloseNow(a)
					t.CloseNow(b)
					if t.Failed() {
						t.Fatalf("that was with the flag %#x", bit)
					}
				}
			}
		},
	},
	{
		ID: "FLG-6", Name: "the kernel's own flag",
		Explanation: "A message with MSG_CMSG_COMPAT is EINVAL, and sends and takes nothing.",
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.WantErr(arg(api.SendMsg(a, vec("x"), 1), 1<<31), unix.EINVAL)
			t.Put(a, "y")
			t.WantErr(arg(api.RecvMsg(b, &api.Msg{Bufs: bytesFor(1, 4)}, 2), 1<<31), unix.EINVAL)
			t.WantGet(b, "y")
		},
	},
}

// cmsg is the data of the control message of that kind which m has received.
func (t *T) cmsg(m *api.Msg, level, typ int) []byte {
	t.tb.Helper()
	all, err := unix.ParseSocketControlMessage(m.Control[:m.ControlLen])
	t.must("parse the control data", err)
	for _, c := range all {
		if int(c.Header.Level) == level && int(c.Header.Type) == typ {
			return c.Data
		}
	}
	t.Fatalf("no control message of level %d, type %d in %v; Flags %#x", level, typ, all, m.Flags)
	return nil
}
