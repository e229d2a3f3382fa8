//go:build unix

package conformance

import (
	"encoding/binary"
	"net/netip"
	"runtime"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const recvMsgFeats = api.FeatBufferGroups | api.FeatMultishotRecvMsg

var recvMsgOnly = api.Ops(api.OpRecvMsg)

// nameOf is the IPv4 address in a struct sockaddr.
func (t *T) nameOf(name []byte) netip.AddrPort {
	t.tb.Helper()
	family := binary.NativeEndian.Uint16(name)
	if runtime.GOOS != "linux" {
		family = uint16(name[1]) // behind the length
	}
	if len(name) != unix.SizeofSockaddrInet4 || family != unix.AF_INET {
		t.Fatalf("the sender is %v", name)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(name[4:])), binary.BigEndian.Uint16(name[2:]))
}

// wantParts takes a completion of a RecvMsgMultishot apart, which must have the payload and these flags.
func (t *T) wantParts(c *api.Completion, m *api.Msg, payload string, flags int) api.Parts {
	t.tb.Helper()
	if !c.Flags.Has(api.Buffer) || int(c.Res) != len(c.Buf) || len(c.Buf) != api.PartsHead+api.PartsName+len(m.Control)+len(payload) {
		t.Fatalf("got %s with %d bytes in a buffer", show(c), len(c.Buf))
	}
	p, ok := api.PartsOf(c.Buf, m)
	if !ok || string(p.Payload) != payload || p.Flags != flags {
		t.Fatalf("got %s, flags %#x, %v, want %s with the flags %#x", quote(string(p.Payload)), p.Flags, ok, quote(payload), flags)
	}
	return p
}

// nextParts is wantParts of the next completion, which must have More. The buffer is given back.
func (t *T) nextParts(g api.BufferGroup, tag uint64, m *api.Msg, payload string, flags int) {
	t.tb.Helper()
	c := t.Await(tag)
	if !c.More() {
		t.Fatalf("got %s, want More", show(&c))
	}
	t.wantParts(&c, m, payload, flags)
	t.Release(g, c.Lease)
}

// sendTo sends a datagram from a to an address.
func (t *T) sendTo(a int, data string, to netip.AddrPort) {
	t.tb.Helper()
	t.must("sendto", unix.Sendto(a, []byte(data), 0, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
}

var recvMsgBufferCases = []Case{
	{
		ID: "RMM-1", Name: "one message",
		Explanation: "A RecvMsgBuffer puts the data into a buffer, and address, control data and flags into its Msg, whose buffers it leaves alone.",
		Requires:    api.FeatBufferGroups,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			a, at := t.UDPBound()
			b, bt := t.UDPBound()
			g := t.Group(api.BufferGroupOptions{ID: 2, Count: 2, Size: 8})
			own := []byte("untouched")
			m := &api.Msg{Bufs: [][]byte{own}, Flags: 77, ControlLen: 5}
			t.Submit(api.RecvMsgBuffer(b, 2, m, 1))
			t.StillPending(1)
			t.available(g, 2)
			t.sendTo(a, "datagram", bt)
			t.AwaitBuffer(g, 1, "datagram")
			if m.Addr.IP != at || m.ControlLen != 0 || m.Flags != 0 {
				t.Errorf("the sender is %v, want %v; %d bytes of control data, flags %#x", m.Addr, at, m.ControlLen, m.Flags)
			}
			t.sendTo(a, "longer than it", bt)
			t.into(g, api.RecvMsgBuffer(b, 2, m, 2), "longer t")
			if m.Flags != unix.MSG_TRUNC {
				t.Errorf("the flags of a datagram that was cut are %#x", m.Flags)
			}
			t.sendTo(a, "", bt)
			m.Addr = api.Addr{}
			t.Want(api.RecvMsgBuffer(b, 2, m, 3), 0)
			if m.Addr.IP != at || m.Flags != 0 {
				t.Errorf("the sender of an empty datagram is %v, the flags are %#x", m.Addr, m.Flags)
			}
			t.WantBytes(own, "untouched")
			t.available(g, 2)
		},
	},
	{
		ID: "RMM-1", Name: "streams",
		Explanation: "A RecvMsgBuffer of a stream gives what there is, at most a buffer, and 0 without one at the end; without buffers it is ENOBUFS.",
		Requires:    api.FeatBufferGroups | api.FeatDontWait,
		Ops:         recvMsgOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4})
				m := new(api.Msg)
				t.Put(b, "123456")
				t.into(g, api.RecvMsgBuffer(a, 0, m, 1), "1234")
				t.into(g, api.RecvMsgBuffer(a, 0, m, 2).With(api.DontWait), "56")
				t.WantErr(api.RecvMsgBuffer(a, 0, m, 3).With(api.DontWait), unix.EAGAIN)
				t.WantErr(api.RecvMsgBuffer(a, 5, m, 4), unix.ENOBUFS)
				id := t.Submit(api.RecvMsgBuffer(a, 0, m, 5))[0]
				t.StillPending(5)
				t.Want(api.Cancel(id, 6), 0)
				t.AwaitRes(5, ecanceled)
				t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
				c := t.Do(api.RecvMsgBuffer(a, 0, m, 7).With(api.EOF))
				if c.Res != 0 || c.Flags != api.AtEOF {
					t.Errorf("at the end: %s", show(&c))
				}
				t.available(g, 2)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "RMM-2", Name: "datagrams with addresses",
		Explanation: "A RecvMsgMultishot delivers each datagram with More, and PartsOf takes apart what is in the buffer; the Msg is not written to.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			a, at := t.UDPBound()
			o, ot := t.UDPBound()
			b, bt := t.UDPBound()
			g := t.Group(api.BufferGroupOptions{ID: 9, Count: 4, Size: 256})
			control := []byte("0123456789abcdef")
			m := &api.Msg{Bufs: bytesFor(1, 8), Control: control, Flags: 77, ControlLen: 5, Addr: api.Addr{Path: "x"}}
			t.Submit(api.RecvMsgMultishot(b, 9, m, 1))
			t.StillPending(1)
			for i := range 10 {
				from, addr, text := a, at, "datagram"
				if i%2 == 1 {
					from, addr, text = o, ot, "x"
				}
				t.sendTo(from, text, bt)
				c := t.Await(1)
				p := t.wantParts(&c, m, text, 0)
				if got := t.nameOf(p.Name); got != addr || len(p.Control) != 0 || !c.More() || c.Lease.Group() != 9 {
					t.Errorf("the sender is %v, want %v; %d bytes of control data; %s", got, addr, len(p.Control), show(&c))
				}
				t.Release(g, c.Lease)
			}
			t.StillPending(1)
			room := m.Control
			for _, c := range [][]byte{nil, make([]byte, 1<<20)} { // which a program must not do, and does no harm
				m.Control = c
				t.sendTo(a, "changed", bt)
				c := t.Await(1)
				t.wantParts(&c, &api.Msg{Control: room}, "changed", 0)
				t.Release(g, c.Lease)
			}
			t.WantBytes(control, "0123456789abcdef")
			t.WantBytes(m.Bufs[0], "\x00\x00\x00\x00\x00\x00\x00\x00")
			if m.Flags != 77 || m.ControlLen != 5 || m.Addr.Path != "x" {
				t.Errorf("the Msg has been written to: %+v", m)
			}
		},
	},
	{
		ID: "RMM-2", Name: "streams",
		Explanation: "A RecvMsgMultishot of a stream delivers what there is, as much as a buffer has room for behind the head, and no address.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: api.PartsHead + api.PartsName + 4})
				m := new(api.Msg)
				t.Submit(api.RecvMsgMultishot(a, 0, m, 1))
				t.Perform()
				t.Put(b, "0123456789")
				for _, s := range []string{"0123", "4567", "89"} {
					c := t.Await(1)
					if p := t.wantParts(&c, m, s, 0); len(p.Name) > 0 {
						t.Errorf("the sender is %v", p.Name)
					}
					t.Release(g, c.Lease)
				}
				t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
				t.AwaitRes(1, 0)
				c := t.Do(api.RecvMsgMultishot(a, 0, m, 2).With(api.EOF))
				if c.Res != 0 || c.Flags != api.AtEOF {
					t.Errorf("at the end: %s", show(&c))
				}
				t.available(g, 4)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "RMM-3", Name: "too long",
		Explanation: "A datagram that is longer than there is room for is cut, and has MSG_TRUNC in its flags; asking for MSG_TRUNC changes nothing.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			a, _ := t.UDPBound()
			b, bt := t.UDPBound()
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: api.PartsHead + api.PartsName + 4})
			m := new(api.Msg)
			for tag, flags := range []uint32{0, unix.MSG_TRUNC} {
				id := t.Submit(arg(api.RecvMsgMultishot(b, 0, m, uint64(tag)), flags))[0]
				t.Perform()
				for _, s := range []string{"abcdefgh", "abcd", "abcde", "a"} {
					t.sendTo(a, s, bt)
					want := 0
					if len(s) > 4 {
						want = unix.MSG_TRUNC
					}
					t.nextParts(g, uint64(tag), m, s[:min(len(s), 4)], want)
				}
				t.Want(api.Cancel(id, 9), 0)
				t.AwaitRes(uint64(tag), ecanceled)
			}
			t.available(g, 4)
		},
	},
	{
		ID: "RMM-4", Name: "no room for the head",
		Explanation: "A RecvMsgMultishot is EFAULT at once when its buffers have no room for the head and a byte, and ENOBUFS when there is none; nothing is received.",
		Needs:       NeedStreams,
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Put(b, "kept")
			const head = api.PartsHead + api.PartsName
			for i, size := range []int{1, head - 1, head, head + 15, head + 16} {
				g := t.Group(api.BufferGroupOptions{ID: uint16(i), Count: 2, Size: size})
				m := &api.Msg{Control: make([]byte, 16)}
				if size < head {
					m = new(api.Msg)
				}
				t.WantErr(api.RecvMsgMultishot(a, uint16(i), m, 1), unix.EFAULT)
				t.available(g, 2)
			}
			g := t.Group(api.BufferGroupOptions{ID: 7, Count: 1, Size: head + 4})
			t.WantErr(api.RecvMsgMultishot(a, 7, &api.Msg{Control: make([]byte, 1<<20)}, 2), unix.EFAULT)
			t.WantErr(api.RecvMsgMultishot(a, 8, new(api.Msg), 3), unix.ENOBUFS)
			t.WantErr(api.RecvMsgMultishot(a, 7, nil, 4), unix.EFAULT)
			m := new(api.Msg)
			t.Submit(api.RecvMsgMultishot(a, 7, m, 5))
			c := t.Await(5)
			t.wantParts(&c, m, "kept", 0)
			t.Put(b, "more")
			t.AwaitRes(5, neg(unix.ENOBUFS))
			t.WantErr(api.RecvMsgMultishot(a, 7, m, 6), unix.ENOBUFS)
			t.Release(g, c.Lease)
			t.Submit(api.RecvMsgMultishot(a, 7, m, 7))
			t.nextParts(g, 7, m, "more", 0)
		},
	},
	{
		ID: "RMM-5", Name: "empty datagram",
		Explanation: "An empty datagram ends a RecvMsgMultishot: with a buffer that has its address, or without an address with 0.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			a, at := t.UDPBound()
			b, bt := t.UDPBound()
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 256})
			m := &api.Msg{Control: make([]byte, 24)}
			t.Submit(api.RecvMsgMultishot(b, 0, m, 1))
			t.Perform()
			t.sendTo(a, "x", bt)
			t.nextParts(g, 1, m, "x", 0)
			t.sendTo(a, "", bt)
			c := t.Await(1)
			if p := t.wantParts(&c, m, "", 0); c.More() || t.nameOf(p.Name) != at {
				t.Errorf("an empty datagram of %v: %s", t.nameOf(p.Name), show(&c))
			}
			t.Release(g, c.Lease)
			d, e := t.Dgrams()
			t.Submit(api.RecvMsgMultishot(d, 0, m, 2))
			t.Perform()
			t.must("send", unix.Send(e, nil, 0))
			c = t.Await(2)
			if c.Res != 0 || c.Flags != 0 {
				t.Errorf("an empty datagram without an address: %s", show(&c))
			}
			t.available(g, 2)
		},
	},
	{
		ID: "RMM-5", Name: "errors",
		Explanation: "A RecvMsgMultishot ends with the error of its socket.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 256})
			m := new(api.Msg)
			a, b := t.TCP(false)
			t.Submit(api.RecvMsgMultishot(a, 0, m, 1))
			t.Perform()
			t.Put(b, "x")
			t.nextParts(g, 1, m, "x", 0)
			t.Reset(b)
			t.AwaitRes(1, neg(unix.ECONNRESET))
			t.WantErr(api.RecvMsgMultishot(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, m, 2), unix.ENOTCONN)
			r, _ := t.Pipe(false)
			t.WantErr(api.RecvMsgMultishot(r, 0, m, 3), unix.ENOTSOCK)
			t.WantErr(api.RecvMsgBuffer(r, 0, m, 4), unix.ENOTSOCK)
			for _, fd := range t.badFDs() {
				t.WantErr(api.RecvMsgMultishot(fd, 0, m, 5), unix.EBADF)
			}
			t.available(g, 2)
		},
	},
	{
		ID: "RMM-7", Name: "cancelled",
		Explanation: "A cancel ends a RecvMsgMultishot with ErrCanceled, and each datagram is delivered before that, or stays.",
		Requires:    recvMsgFeats | api.FeatDeadlines,
		Ops:         recvMsgOnly | recvOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			a, b := t.Dgrams()
			g := t.Group(api.BufferGroupOptions{Count: 64, Size: 256})
			m := new(api.Msg)
			for range 20 {
				id := t.Submit(api.RecvMsgMultishot(a, 0, m, 1))[0]
				t.Perform()
				for i := range 8 {
					_, err := unix.Write(b, []byte{byte('a' + i)})
					t.must("write", err)
				}
				t.Submit(api.Cancel(id, 2))
				got := ""
				for {
					c := t.Await(1)
					if !c.More() {
						if c.Err() != api.ErrCanceled {
							t.Fatalf("got %s", show(&c))
						}
						break
					}
					got += string(c.Buf[len(c.Buf)-1:])
					t.Release(g, c.Lease)
				}
				t.AwaitRes(2, 0)
				for len(got) < 8 {
					buf := make([]byte, 8)
					t.Want(api.Recv(a, buf, 3), 1)
					got += string(buf[:1])
				}
				t.WantBytes([]byte(got), "abcdefgh")
			}
			t.Want(api.RecvMsgMultishot(a, 0, m, 4).Until(api.After(lookTime)), -int(api.ETime))
			t.Submit(api.RecvMsgMultishot(a, 0, m, 5))
			t.Perform()
			t.must("close the group", g.Close())
			t.AwaitRes(5, ecanceled)
		},
	},
	{
		ID: "RMM-8", Name: "flags",
		Explanation: "A RecvMsg with BufferSelect and WaitAll, and a multishot one without BufferSelect, with WaitAll or with DontWait, is EINVAL.",
		Needs:       NeedStreams,
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.Group(api.BufferGroupOptions{})
			m := &api.Msg{Bufs: bytesFor(1, 4)}
			t.WantErr(api.RecvMsgBuffer(a, 0, m, 1).With(api.WaitAll), unix.EINVAL)
			t.WantErr(api.RecvMsg(a, m, 2).With(api.Multishot), unix.EINVAL)
			t.WantErr(api.RecvMsgMultishot(a, 0, m, 3).With(api.WaitAll), unix.EINVAL)
			t.WantErr(api.RecvMsgMultishot(a, 0, m, 4).With(api.DontWait), unix.EINVAL)
			t.WantErr(arg(api.RecvMsgMultishot(a, 0, m, 5), unix.MSG_WAITALL), unix.EINVAL)
			t.WantErr(arg(api.RecvMsgMultishot(a, 0, m, 6), unix.MSG_DONTWAIT), unix.EINVAL)
			t.WantErr(api.RecvMsgMultishot(a, 0, m, 7).With(api.SkipSuccess), unix.EINVAL)
		},
	},
	{
		ID: "RMM-8", Name: "incremental group",
		Explanation: "Messages and reads into the buffers of an incremental group are EINVAL.",
		Needs:       NeedStreams,
		Requires:    recvMsgFeats | readMultishotFeats | api.FeatIncremental,
		Ops:         recvMsgOnly | readOnly | readAndMore,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 512, Incremental: true})
			t.Put(b, "kept")
			for _, op := range []api.Op{current(a, 0, 1), api.ReadMultishot(a, 0, 1), api.RecvMsgBuffer(a, 0, new(api.Msg), 1), api.RecvMsgMultishot(a, 0, new(api.Msg), 1)} {
				t.WantErr(op, unix.EINVAL)
			}
			t.available(g, 2)
			t.WantGet(a, "kept")
		},
	},
	{
		ID: "RMM-9", Name: "completions that wait",
		Explanation: "A RecvMsgMultishot loses nothing while its completions are not reaped, more than the kernel's queue has room for.",
		Needs:       NeedStreams,
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly | api.Ops(api.OpNop),
		Tune:        func(o *api.Options) { o.Entries, o.CQEntries = 4, 8 },
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 256, Size: api.PartsHead + api.PartsName + 1})
			m := new(api.Msg)
			t.Submit(api.RecvMsgMultishot(a, 0, m, 1))
			t.Perform()
			data := pattern(200)
			t.Put(b, data)
			t.Want(api.Nop(2), 0)
			for i := range len(data) {
				t.nextParts(g, 1, m, data[i:i+1], 0)
			}
			t.StillPending(1)
		},
	},
}

// AwaitBuffer waits for the only completion with the tag, which must carry the data in a buffer, and gives that back.
func (t *T) AwaitBuffer(g api.BufferGroup, tag uint64, data string) {
	t.tb.Helper()
	c := t.Await(tag)
	if c.Flags != api.Buffer || string(c.Buf) != data {
		t.Fatalf("got %s with %s, want %s", show(&c), quote(string(c.Buf)), quote(data))
	}
	t.Release(g, c.Lease)
}
