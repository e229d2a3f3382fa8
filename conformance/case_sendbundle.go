//go:build unix

package conformance

import (
	"errors"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const sendBundleFeats = api.FeatBufferGroups | api.FeatBundles

var sendOnly = api.Ops(api.OpSend)

// senders makes a group for sending.
func (t *T) senders(id uint16, count, size int) api.BufferGroup {
	t.tb.Helper()
	return t.Group(api.BufferGroupOptions{ID: id, Count: count, Size: size, Send: true})
}

// get takes a buffer of the group.
func (t *T) get(g api.BufferGroup) ([]byte, api.Lease) {
	t.tb.Helper()
	b, l, ok := g.Get()
	if !ok || len(b) != g.Size() || cap(b) != g.Size() || l.Group() != g.ID() {
		t.Fatalf("Get: %d of %d bytes, lease %#x, %v", len(b), cap(b), uint64(l), ok)
	}
	return b, l
}

// queue puts texts in line, each in a buffer.
func (t *T) queue(g api.BufferGroup, texts ...string) {
	t.tb.Helper()
	for _, s := range texts {
		b, l := t.get(g)
		t.must("Queue", g.Queue(l, copy(b, s)))
	}
}

// flows reads from fd, while the engine performs what waits, until all of want has come.
func (t *T) flows(fd int, want string) {
	t.tb.Helper()
	t.nonblock(true, fd)
	buf := make([]byte, 20000)
	for got := 0; got < len(want); t.Perform() {
		n, err := readNow(fd, buf[:min(len(buf), len(want)-got)])
		switch {
		case err != nil && err != unix.EAGAIN:
			t.Fatalf("after %d bytes: %v", got, err)
		case string(buf[:n]) != want[got:got+n]:
			t.Fatalf("what arrives at %d is not what was sent: %s", got, quote(string(buf[:n])))
		case api.Now() >= t.deadline():
			t.Fatalf("%d of %d bytes have arrived; %s", got, len(want), t.state())
		}
		got += n
	}
	t.nonblock(false, fd)
}

// inLine fails the case unless n buffers are in line, and left can be had.
func (t *T) inLine(g api.BufferGroup, n, left int) {
	t.tb.Helper()
	if g.Queued() != n || g.Available() != left {
		t.Errorf("%d buffers in line, %d available, want %d and %d", g.Queued(), g.Available(), n, left)
	}
}

var sendBundleCases = []Case{
	{
		ID: "SBN-1", Name: "in order",
		Explanation: "SendBundle sends what is in line, in order; the buffers count as out until then, and are free afterwards.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.senders(4, 4, 8)
				for range 10 {
					t.queue(g, "one", "twotwo", "3")
					t.inLine(g, 3, 1)
					t.Want(api.SendBundle(a, 4, 1), 10)
					t.WantGet(b, "onetwotwo3")
					t.inLine(g, 0, 4)
				}
				t.queue(g, "full....", "part")
				t.Submit(api.SendBundle(a, 4, 2))
				t.queue(g, "later")
				t.Await(2)
				t.queue(g, "last")
				for g.Queued() > 0 {
					t.Do(api.SendBundle(a, 4, 3))
				}
				t.WantGet(b, "full....partlaterlast")
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "SBN-1", Name: "with other sends",
		Explanation: "A SendBundle takes its turn among the sends of its socket, and what is put in line until then goes with it.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats | api.FeatWaitAll,
		Ops:         sendOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.senders(0, 4, 8)
			big := pattern(1 << 20)
			t.queue(g, "first")
			t.Submit(api.Send(a, []byte(big), 1).With(api.WaitAll), api.SendBundle(a, 0, 2), api.Send(a, []byte("end"), 3))
			t.StillPending(1, 2, 3)
			t.queue(g, "second")
			t.flows(b, big+"firstsecondend")
			t.AwaitRes(1, len(big))
			t.AwaitRes(2, 11)
			t.AwaitRes(3, 3)
			t.inLine(g, 0, 4)
		},
	},
	{
		ID: "SBN-2", Name: "many buffers",
		Explanation: "A SendBundle sends up to 256 buffers, and waits until all of them are sent, however little room the socket has.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				const size = 2000
				t.SmallBuffers(a, b)
				g := t.senders(0, 512, size)
				data := pattern(300 * size)
				for i := range 300 {
					t.queue(g, data[i*size:(i+1)*size])
				}
				t.inLine(g, 300, 212)
				t.Submit(api.SendBundle(a, 0, 1))
				t.StillPending(1)
				t.inLine(g, 300, 212)
				t.flows(b, data[:256*size])
				t.AwaitRes(1, 256*size)
				t.inLine(g, 44, 468)
				t.Submit(api.SendBundle(a, 0, 2))
				t.flows(b, data[256*size:])
				t.AwaitRes(2, 44*size)
				t.inLine(g, 0, 512)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "SBN-3", Name: "stopped on the way",
		Explanation: "A SendBundle that is cancelled, or runs out of time, tells how much has been sent. Buffers of which a byte has been sent are free, the others in line.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats | api.FeatDeadlines | api.FeatDontWait,
		Ops:         sendOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			for _, how := range []string{"cancel", "deadline", "DontWait"} {
				const size, n = 3000, 200
				a, b := t.Pair(false)
				t.SmallBuffers(a, b)
				g := t.senders(0, 256, size)
				data := pattern(n * size)
				for i := range n {
					t.queue(g, data[i*size:(i+1)*size])
				}
				op := api.SendBundle(a, 0, 1)
				switch how {
				case "deadline":
					op.Deadline = api.After(lookTime)
				case "DontWait":
					op = op.With(api.DontWait)
				}
				id := t.Submit(op)[0]
				if how == "cancel" {
					t.StillPending(1)
					t.Want(api.Cancel(id, 2), 0)
				}
				c := t.Await(1)
				sent := int(c.Res)
				if sent <= 0 || sent >= len(data) {
					t.Fatalf("%s: %s", how, show(&c))
				}
				gone := (sent + size - 1) / size
				t.inLine(g, n-gone, 256-n+gone)
				t.flows(b, data[:sent])
				t.Submit(api.SendBundle(a, 0, 3))
				t.flows(b, data[gone*size:])
				t.AwaitRes(3, len(data)-gone*size)
				t.inLine(g, 0, 256)
				t.must("close the group", g.Close())
			}
		},
	},
	{
		ID: "SBN-3", Name: "stopped before it has begun",
		Explanation: "A SendBundle that has sent nothing when it is stopped leaves everything in line.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats | api.FeatDontWait,
		Ops:         sendOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.senders(0, 4, 8)
				t.queue(g, "one", "two")
				t.Fill(a)
				t.WantErr(api.SendBundle(a, 0, 1).With(api.DontWait), unix.EAGAIN)
				id := t.Submit(api.SendBundle(a, 0, 2))[0]
				t.StillPending(2)
				t.Want(api.Cancel(id, 3), 0)
				t.AwaitRes(2, ecanceled)
				t.inLine(g, 2, 2)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "SBN-4", Name: "errors",
		Explanation: "A SendBundle that fails leaves everything in line: EPIPE, ENOTSOCK, EBADF, ENOTCONN. Nothing in line, or no such group, is ENOBUFS.",
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			g := t.senders(3, 4, 8)
			a, b := t.Pair(false)
			t.WantErr(api.SendBundle(a, 3, 1), unix.ENOBUFS)
			t.WantErr(api.SendBundle(a, 9, 1), unix.ENOBUFS)
			t.queue(g, "one", "two")
			_, w := t.Pipe(false)
			t.WantErr(api.SendBundle(w, 3, 2), unix.ENOTSOCK)
			t.WantErr(api.SendBundle(t.File("x"), 3, 2), unix.ENOTSOCK)
			for _, fd := range t.badFDs() {
				t.WantErr(api.SendBundle(fd, 3, 3), unix.EBADF)
			}
			t.CloseNow(b)
			t.WantErr(api.SendBundle(a, 3, 4), unix.EPIPE)
			c := t.Do(api.SendBundle(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), 3, 5))
			if c.Res != int32(neg(unix.ENOTCONN)) && c.Res != int32(neg(unix.EOPNOTSUPP)) {
				t.Errorf("not connected: %s", show(&c))
			}
			t.inLine(g, 2, 2)
			a, b = t.Pair(false)
			t.Want(api.SendBundle(a, 3, 6), 6)
			t.WantGet(b, "onetwo")
		},
	},
	{
		ID: "SBN-4", Name: "peer goes on the way",
		Explanation: "A SendBundle whose peer goes while it waits tells how much was sent, and the next is EPIPE or ECONNRESET.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			g := t.senders(0, 256, 3000)
			for range 200 {
				t.queue(g, strings.Repeat("x", 3000))
			}
			t.Submit(api.SendBundle(a, 0, 1))
			t.StillPending(1)
			t.CloseNow(b)
			c := t.Await(1)
			if c.Res <= 0 || c.Res >= 200*3000 {
				t.Fatalf("got %s", show(&c))
			}
			left := 200 - (int(c.Res)+2999)/3000
			t.inLine(g, left, 256-left)
			c = t.Do(api.SendBundle(a, 0, 2))
			if c.Res != int32(neg(unix.EPIPE)) && c.Res != int32(neg(unix.ECONNRESET)) {
				t.Errorf("after that: %s", show(&c))
			}
			t.inLine(g, left, 256-left)
		},
	},
	{
		ID: "SBN-4", Name: "one at a time",
		Explanation: "A second SendBundle of a group is EBUSY while the first is in flight, on any socket; of another group it is not.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats,
		Ops:         sendOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			g, other := t.senders(1, 4, 8), t.senders(2, 4, 8)
			t.queue(g, "g")
			t.queue(other, "other")
			t.Fill(a)
			id := t.Submit(api.SendBundle(a, 1, 1))[0]
			t.StillPending(1)
			t.queue(g, "h")
			t.WantErr(api.SendBundle(a, 1, 2), unix.EBUSY)
			t.WantErr(api.SendBundle(c, 1, 3), unix.EBUSY)
			t.Want(api.SendBundle(c, 2, 4), 5)
			t.WantGet(d, "other")
			t.Want(api.Cancel(id, 5), 0)
			t.AwaitRes(1, ecanceled)
			t.Want(api.SendBundle(c, 1, 6), 2)
			t.WantGet(d, "gh")
			t.inLine(g, 0, 4)
			t.CloseNow(b)
		},
	},
	{
		ID: "SBN-5", Name: "leases",
		Explanation: "Get takes each buffer once; Queue takes a lease that is out, and 1 to Size bytes; anything else is ErrLease or an OptionError, and changes nothing.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.senders(5, 2, 4)
			first, l := t.get(g)
			second, k := t.get(g)
			if _, _, ok := g.Get(); ok || &first[0] == &second[0] || l == k {
				t.Fatalf("the leases are %#x and %#x, and there is a third: %v", uint64(l), uint64(k), ok)
			}
			t.inLine(g, 0, 0)
			for _, n := range []int{0, -1, 5, 1 << 30} {
				if err := g.Queue(l, n); !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("Queue of %d bytes: %v", n, err)
				}
			}
			for _, bad := range []api.Lease{0, l + 2, l + 1<<32, l ^ 1<<16, 1<<64 - 1} {
				if err := g.Queue(bad, 1); err != api.ErrLease {
					t.Errorf("Queue(%#x): %v", uint64(bad), err)
				}
			}
			copy(first, "1234")
			t.must("Queue", g.Queue(l, 4))
			if err := g.Queue(l, 4); err != api.ErrLease {
				t.Errorf("a second Queue: %v", err)
			}
			if err := g.Release(l); err != api.ErrLease {
				t.Errorf("a release of what is in line: %v", err)
			}
			t.inLine(g, 1, 0)
			t.Release(g, k)
			t.inLine(g, 1, 1)
			t.Want(api.SendBundle(a, 5, 1), 4)
			t.WantGet(b, "1234")
			t.inLine(g, 0, 2)
			if err := g.Queue(l, 1); err != api.ErrLease {
				t.Errorf("Queue of a lease of the past: %v", err)
			}
		},
	},
	{
		ID: "SBN-5", Name: "groups for receiving",
		Explanation: "A group that was not made for sending gives no buffers, and takes none in line; Send with Incremental is an OptionError.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats,
		Ops:         sendOnly | recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4})
			if _, _, ok := g.Get(); ok {
				t.Errorf("Get has given a buffer")
			}
			t.Put(b, "x")
			l := t.Do(api.RecvBuffer(a, 0, 1)).Lease
			if err := g.Queue(l, 1); err != api.ErrLease {
				t.Errorf("Queue: %v", err)
			}
			t.WantErr(api.SendBundle(a, 0, 2), unix.ENOBUFS)
			t.Release(g, l)
			t.inLine(g, 0, 2)
			if _, err := t.Engine.NewBufferGroup(api.BufferGroupOptions{ID: 1, Send: true, Incremental: true}); !errors.Is(err, api.ErrInvalidOption) {
				t.Errorf("Send with Incremental: %v", err)
			}
		},
	},
	{
		ID: "SBN-6", Name: "datagrams",
		Explanation: "On a socket for datagrams or records a SendBundle is one of them; when that is too large, it is EMSGSIZE and everything stays in line.",
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			for _, pair := range []func() (a, b int){t.UDP, t.Dgrams} {
				a, b := pair()
				g := t.senders(0, 32, 4096)
				t.queue(g, "one ", "datagram")
				t.Want(api.SendBundle(a, 0, 1), 12)
				t.WantGet(b, "one datagram")
				big := strings.Repeat("x", 4096)
				for range 17 {
					t.queue(g, big)
				}
				if typ, _ := unix.GetsockoptInt(a, unix.SOL_SOCKET, unix.SO_TYPE); typ == unix.SOCK_DGRAM && t.isUDP(a) {
					t.WantErr(api.SendBundle(a, 0, 2), unix.EMSGSIZE)
					t.inLine(g, 17, 15)
				}
				t.must("close the group", g.Close())
			}
		},
	},
	{
		ID: "SBN-7", Name: "group closed",
		Explanation: "Closing a group ends its SendBundle with ErrCanceled, and what is in line is gone. A lease that is out can be released, once, and nothing be put in line any more.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.senders(6, 4, 8)
			_, l := t.get(g)
			t.queue(g, "x")
			t.Fill(a)
			t.Submit(api.SendBundle(a, 6, 1))
			t.StillPending(1)
			t.must("close the group", g.Close())
			t.AwaitRes(1, ecanceled)
			if _, _, ok := g.Get(); ok {
				t.Errorf("Get has given a buffer of a closed group")
			}
			if err := g.Queue(l, 1); err != api.ErrClosed {
				t.Errorf("Queue: %v", err)
			}
			t.WantErr(api.SendBundle(a, 6, 2), unix.ENOBUFS)
			t.must("release", g.Release(l))
			if err := g.Release(l); err != api.ErrLease {
				t.Errorf("a second release: %v", err)
			}
			g = t.senders(6, 4, 8)
			_, l = t.get(g)
			t.queue(g, "y", "z")
			t.Submit(api.SendBundle(a, 6, 3))
			t.Perform()
			t.CloseEngine()
			t.must("release", g.Release(l))
			t.CloseNow(b)
		},
	},
	{
		ID: "SBN-8", Name: "flags and chains",
		Explanation: "A send with BufferSelect or Bundle alone is EINVAL. In a chain a SendBundle that sends all lets it go on, one that is short breaks it.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats | api.FeatChains | api.FeatDontWait,
		Ops:         sendOnly | api.Ops(api.OpNop),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.senders(0, 256, 3000)
			for _, f := range []api.OpFlags{api.BufferSelect, api.Bundle} {
				op := api.SendBundle(a, 0, 1)
				op.Flags = f
				t.WantErr(op, unix.EINVAL)
			}
			t.WantErr(api.SendBundle(a, 0, 1).With(api.Multishot), unix.EINVAL)
			t.queue(g, "one", "two")
			ids := t.Submit(api.SendBundle(a, 0, 2).With(api.Link|api.SkipSuccess), api.Nop(3))
			t.AwaitRes(3, 0)
			t.Left(ids[0])
			t.WantGet(b, "onetwo")
			t.SmallBuffers(a, b)
			for range 200 {
				t.queue(g, strings.Repeat("x", 3000))
			}
			t.Submit(api.SendBundle(a, 0, 4).With(api.Link|api.DontWait), api.Nop(5))
			c := t.Await(4)
			if c.Res <= 0 || c.Res >= 200*3000 {
				t.Fatalf("got %s", show(&c))
			}
			t.AwaitRes(5, ecanceled)
		},
	},
	{
		ID: "SBN-9", Name: "echo without a copy",
		Explanation: "What has been received into a group made for sending can be put in line as it is; the group can be made larger meanwhile.",
		Needs:       NeedStreams,
		Requires:    sendBundleFeats | api.FeatMultishotRecv | api.FeatGroupResize,
		Ops:         sendOnly | recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 8, Max: 8, Send: true})
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.Perform()
				for i := range 20 {
					t.Put(b, "some data, ")
					for n := 0; n < 11; {
						c := t.Await(1)
						t.must("Queue", g.Queue(c.Lease, len(c.Buf)))
						n += len(c.Buf)
					}
					t.queue(g, "and more")
					t.Want(api.SendBundle(a, 0, 2), 19)
					t.WantGet(b, "some data, and more")
					t.inLine(g, 0, 4+4*min(i, 1))
					t.must("Resize", g.Resize(8))
				}
				t.must("close the group", g.Close())
				t.AwaitRes(1, ecanceled)
			})
		},
	},
}

// isUDP says whether the socket is one of IP.
func (t *T) isUDP(fd int) bool {
	sa, err := unix.Getsockname(fd)
	t.must("getsockname", err)
	_, ok := sa.(*unix.SockaddrInet4)
	return ok
}
