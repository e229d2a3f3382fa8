package conformance

import (
	"encoding/binary"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// wantDatagrams receives datagrams from fd through the engine, which must be these.
func (t *T) wantDatagrams(fd int, want ...string) {
	t.tb.Helper()
	buf := make([]byte, 1<<16)
	for _, w := range want {
		t.Want(api.Recv(fd, buf, 90), len(w))
		t.WantBytes(buf[:len(w)], w)
	}
}

// segments splits s into pieces of n bytes.
func segments(s string, n int) (out []string) {
	for len(s) > n {
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// segment is the control data that has the kernel split what is sent.
func segment(n int) []byte {
	return control(unix.IPPROTO_UDP, udpSegment, binary.NativeEndian.AppendUint16(nil, uint16(n)))
}

// segmentCases are about datagrams that the kernel splits and puts together, and about control data that is wrong.
var segmentCases = []Case{
	{
		ID: "CTL-7", Name: "split by control data",
		Explanation: "A message with UDP_SEGMENT is sent as datagrams of that size, the last with what is left.",
		Ops:         msgOps | streamOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			for _, c := range []struct{ total, size int }{{10, 4}, {8, 4}, {3, 4}, {64, 1}, {4000, 1200}} {
				data := pattern(c.total)
				t.Want(api.SendMsg(a, withControl(data, segment(c.size)), 1), c.total)
				t.wantDatagrams(b, segments(data, c.size)...)
			}
			t.Want(api.SendMsg(a, withControl("whole", segment(0)), 2), 5) // as without
			t.wantDatagrams(b, "whole")
			m := vec("ab", "cde", "fg")
			m.Control = segment(3)
			t.Want(api.SendMsg(a, m, 3), 7)
			t.wantDatagrams(b, "abc", "def", "g")
		},
	},
	{
		ID: "CTL-7", Name: "split by an option",
		Explanation: "With the option UDP_SEGMENT every send on the socket is split, and control data overrides it.",
		Ops:         msgOps | streamOps | optionOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.Want(api.Setsockopt(a, unix.IPPROTO_UDP, udpSegment, cint(4), 1), 0)
			t.Want(api.Send(a, []byte("0123456789"), 2), 10)
			t.wantDatagrams(b, "0123", "4567", "89")
			t.Want(api.SendMsg(a, withControl("0123456789", segment(5)), 3), 10)
			t.wantDatagrams(b, "01234", "56789")
			t.Want(api.Setsockopt(a, unix.IPPROTO_UDP, udpSegment, cint(0), 4), 0)
			t.Want(api.Send(a, []byte("0123456789"), 5), 10)
			t.wantDatagrams(b, "0123456789")
		},
	},
	{
		ID: "CTL-7", Name: "more than can be split",
		Explanation: "A message of more datagrams than the kernel makes of one is EINVAL, and nothing is sent.",
		Ops:         msgOps | streamOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.WantErr(api.SendMsg(a, withControl(pattern(2000), segment(1)), 1), unix.EINVAL)
			t.Submit(api.Recv(b, make([]byte, 8), 2))
			t.StillPending(2)
		},
	},
	{
		ID: "CTL-8", Name: "put together",
		Explanation: "With UDP_GRO a message receives several datagrams at once, and control data tells their size.",
		Ops:         msgOps | streamOps | optionOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.Want(api.Setsockopt(b, unix.IPPROTO_UDP, udpGRO, cint(1), 1), 0)
			together := 0
			for _, c := range []struct{ total, size int }{{3000, 1000}, {2500, 1000}, {60, 1}, {20000, 1400}} {
				data := pattern(c.total)
				m := &api.Msg{Bufs: [][]byte{make([]byte, 700), make([]byte, 1<<16)}, Control: make([]byte, 64)}
				t.Submit(api.RecvMsg(b, m, 2))
				t.StillPending(2)
				t.Want(api.SendMsg(a, withControl(data, segment(c.size)), 3), c.total)
				got := t.Await(2)
				// What comes together is up to the kernel; each time it must be whole segments, in order.
				for rest := data; ; {
					if got.Res <= 0 || int(got.Res) > len(rest) || join(m.Bufs)[:got.Res] != rest[:got.Res] {
						t.Fatalf("of %d bytes, after %d: %s", c.total, c.total-len(rest), show(&got))
					}
					if int(got.Res) > c.size {
						together++
						if n := binary.NativeEndian.Uint32(t.cmsg(m, unix.IPPROTO_UDP, udpGRO)); int(n) != c.size {
							t.Errorf("the size of a segment is %d, want %d", n, c.size)
						}
					}
					if int(got.Res) < len(rest) && int(got.Res)%c.size != 0 {
						t.Errorf("%s is no whole number of segments of %d", show(&got), c.size)
					}
					if rest = rest[got.Res:]; rest == "" {
						break
					}
					got = t.Do(api.RecvMsg(b, m, 4))
				}
			}
			if together == 0 {
				t.Errorf("nothing was put together") // over the loopback the kernel does not even take it apart
			}
			// One datagram by itself is not put together with anything.
			m := &api.Msg{Bufs: bytesFor(1, 64), Control: make([]byte, 64)}
			t.Want(api.Send(a, []byte("one"), 5), 3)
			t.Want(api.RecvMsg(b, m, 6), 3)
			if n := m.ControlLen; n != 0 && int(binary.NativeEndian.Uint32(t.cmsg(m, unix.IPPROTO_UDP, udpGRO))) != 3 {
				t.Errorf("a single datagram has %d bytes of control data", n)
			}
		},
	},
	{
		ID: "CTL-8", Name: "too small a buffer for all",
		Explanation: "What does not fit of datagrams that were put together is lost like that of one, and MSG_TRUNC says so.",
		Ops:         msgOps | optionOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			t.Want(api.Setsockopt(b, unix.IPPROTO_UDP, udpGRO, cint(1), 1), 0)
			t.Want(api.SendMsg(a, withControl(strings.Repeat("x", 3000), segment(1000)), 2), 3000)
			m := &api.Msg{Bufs: bytesFor(1, 100), Control: make([]byte, 64)}
			t.Want(api.RecvMsg(b, m, 3), 100)
			if m.Flags&unix.MSG_TRUNC == 0 {
				t.Errorf("Flags is %#x, without MSG_TRUNC", m.Flags)
			}
		},
	},
	{
		ID: "CTL-9", Name: "what is no control data",
		Explanation: "Control data whose lengths or kinds make no sense is EINVAL, what is addressed to another protocol is ignored, and nothing is sent of what fails.",
		Ops:         msgOps | streamOps,
		Fn: func(t *T) {
			short, long := unix.UnixRights(0), unix.UnixRights(0)
			binary.NativeEndian.PutUint32(short, 3)
			binary.NativeEndian.PutUint32(long, 200)
			many := make([]int, 254)
			const einval, ok = unix.EINVAL, unix.Errno(0)
			for _, c := range []struct {
				what           string
				control        []byte
				unix, udp, tcp unix.Errno
			}{
				{"shorter than its header", short, einval, einval, einval},
				{"longer than it is", long, einval, einval, einval},
				{"less than a header", short[:8], ok, ok, ok},
				{"of no kind", control(unix.SOL_SOCKET, 77, make([]byte, 4)), einval, einval, einval},
				{"of no level", control(77, 1, make([]byte, 4)), ok, ok, ok},
				{"an fd that is not open", unix.UnixRights(1 << 30), unix.EBADF, ok, ok},
				{"too many fds", unix.UnixRights(many...), einval, ok, ok},
				{"no fds", unix.UnixRights(), ok, ok, ok},
				{"more than the kernel takes", control(unix.SOL_SOCKET, unix.SCM_RIGHTS, make([]byte, 1<<20)), unix.ENOBUFS, unix.ENOBUFS, unix.ENOBUFS},
				{"half of credentials", control(unix.SOL_SOCKET, unix.SCM_CREDENTIALS, make([]byte, 4)), einval, ok, ok},
				{"a time to live of 0", control(unix.IPPROTO_IP, unix.IP_TTL, cint(0)), ok, einval, ok},
				{"half of a time to live", control(unix.IPPROTO_IP, unix.IP_TTL, make([]byte, 2)), ok, einval, ok},
				{"half of packet information", control(unix.IPPROTO_IP, unix.IP_PKTINFO, make([]byte, 4)), ok, einval, ok},
				{"half of a segment size", control(unix.IPPROTO_UDP, udpSegment, make([]byte, 1)), ok, einval, ok},
			} {
				for i, pair := range []func() (int, int){
					func() (int, int) { return t.Pair(false) }, t.Dgrams, func() (int, int) { return t.Records(false) }, t.UDP,
					func() (int, int) { return t.TCP(false) },
				} {
					a, b := pair()
					want := []unix.Errno{c.unix, c.unix, c.unix, c.udp, c.tcp}[i]
					got := t.Do(api.SendMsg(a, withControl("x", c.control), 1))
					switch {
					case want == ok && got.Res == 1:
						t.Want(api.Recv(b, make([]byte, 4), 2), 1)
					case want == ok || int(got.Res) != neg(want):
						t.Errorf("%s, on the %dth kind of socket: got %s, want %v", c.what, i, show(&got), want)
					default:
						t.Put(a, "yz")
						t.Want(api.Recv(b, make([]byte, 4), 3), 2)
					}
					t.CloseNow(a)
					t.CloseNow(b)
				}
			}
		},
	},
}
