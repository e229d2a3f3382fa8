//go:build unix

package conformance

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const recvZCFeats = api.FeatZeroCopyRecv

var (
	recvZC       = api.Ops(api.OpRecvZC)
	recvZCCancel = recvZC | api.Ops(api.OpCancel)
)

// ZCGroup makes a group of count pages for RecvZC. No network card is asked for.
func (t *T) ZCGroup(id uint16, count int) api.BufferGroup {
	return t.Group(api.BufferGroupOptions{ID: id, Count: count, ZeroCopy: &api.ZeroCopyOptions{}})
}

// takeZC takes from a RecvZC until there are n bytes, and releases them.
func (t *T) takeZC(g api.BufferGroup, tag uint64, n int) string {
	t.tb.Helper()
	var got strings.Builder
	for got.Len() < n {
		c := t.Await(tag)
		if !c.More() || !c.Flags.Has(api.Buffer) || len(c.Buf) == 0 || len(c.Buf) > g.Size() {
			t.Fatalf("after %d of %d bytes: %s with %d bytes, want More, Buffer and at most %d bytes", got.Len(), n, show(&c), len(c.Buf), g.Size())
		}
		got.Write(c.Buf)
		t.Release(g, c.Lease)
	}
	return got.String()
}

// wantAvailable fails the case unless n pages of g are not out.
func (t *T) wantAvailable(g api.BufferGroup, n int) {
	t.tb.Helper()
	if got := g.Available(); got != n {
		t.Errorf("%d of %d pages are available, want %d", got, g.Count(), n)
	}
}

var recvZCCases = []Case{
	{
		ID: "ZCR-1", Name: "each piece of data",
		Explanation: "A RecvZC delivers what a TCP connection brings in buffers of its group, each of at most a page, with More, in order and to the last byte.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(5, 8)
			if g.Size() != os.Getpagesize() || g.Count() != 8 || g.ID() != 5 {
				t.Errorf("the group has %d pages of %d bytes and the id %d", g.Count(), g.Size(), g.ID())
			}
			t.Put(b, "early")
			t.ready(a, unix.POLLIN)
			t.Submit(api.RecvZC(a, 5, 1))
			t.WantBytes([]byte(t.takeZC(g, 1, 5)), "early")
			t.StillPending(1)
			for i := range 20 {
				s := pattern(3 * g.Size())[i : i+1+i*600]
				t.Put(b, s)
				t.WantBytes([]byte(t.takeZC(g, 1, len(s))), s)
				t.wantAvailable(g, 8)
			}
			t.must("close the group", g.Close())
			t.AwaitRes(1, ecanceled)
		},
	},
	{
		ID: "ZCR-1", Name: "a megabyte",
		Explanation: "However much comes, a RecvZC delivers all of it, as long as there are pages.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 2*len(t.dst))
			data := pattern(1 << 20)
			t.Submit(api.RecvZC(a, 0, 1))
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				t.Put(b, data)
			}()
			t.WantBytes([]byte(t.takeZC(g, 1, len(data))), data)
			<-sent
		},
	},
	{
		ID: "ZCR-1", Name: "end of stream",
		Explanation: "A RecvZC ends with 0, without a buffer, after all data, and with AtEOF when it has asked for EOF.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			for _, local := range []bool{false, true} {
				a, b := t.TCP(false)
				g := t.ZCGroup(0, 4)
				t.Submit(api.RecvZC(a, 0, 1))
				t.Put(b, "data")
				t.WantBytes([]byte(t.takeZC(g, 1, 4)), "data")
				t.StillPending(1)
				if local {
					t.must("shutdown", unix.Shutdown(a, unix.SHUT_RD))
				} else {
					t.Put(b, "last")
					t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
					t.WantBytes([]byte(t.takeZC(g, 1, 4)), "last")
				}
				t.AwaitRes(1, 0)
				t.Submit(api.RecvZC(a, 0, 2).With(api.EOF))
				if c := t.Await(2); c.Res != 0 || c.Flags != api.AtEOF || c.Err() == nil {
					t.Errorf("with the flag EOF: %s", show(&c))
				}
				t.wantAvailable(g, 4)
				t.must("close the group", g.Close())
			}
		},
	},
	{
		ID: "ZCR-1", Name: "reset",
		Explanation: "A RecvZC ends with the error of the connection, without a buffer.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 4)
			t.Submit(api.RecvZC(a, 0, 1))
			t.Put(b, "data")
			t.WantBytes([]byte(t.takeZC(g, 1, 4)), "data")
			t.Reset(b)
			t.AwaitRes(1, neg(unix.ECONNRESET))
			t.wantAvailable(g, 4)
		},
	},
	{
		ID: "ZCR-1", Name: "a registered file",
		Explanation: "A RecvZC takes a socket by its slot in the table of registered files.",
		Requires:    recvZCFeats | api.FeatFixedFiles,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 2)
			t.must("RegisterFiles", t.Engine.RegisterFiles([]int{-1, a}))
			t.WantErr(api.RecvZC(0, 0, 1).With(api.FixedFile), unix.EBADF)
			t.Submit(api.RecvZC(1, 0, 2).With(api.FixedFile))
			t.Put(b, "by slot")
			t.WantBytes([]byte(t.takeZC(g, 2, 7)), "by slot")
		},
	},
	{
		ID: "ZCR-2", Name: "no page left",
		Explanation: "The last page is delivered with More; data for which there is none ends a RecvZC with ENOMEM and stays in the socket.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 2)
			t.Submit(api.RecvZC(a, 0, 1))
			t.Perform()
			var leases []api.Lease
			for _, s := range []string{"one", "two"} {
				t.Put(b, s)
				leases = append(leases, t.WantBuffer(1, s))
			}
			t.wantAvailable(g, 0)
			t.StillPending(1)
			t.Put(b, "three")
			t.AwaitRes(1, neg(unix.ENOMEM))
			t.WantErr(api.RecvZC(a, 0, 2), unix.ENOMEM)
			t.Release(g, leases[0])
			t.Submit(api.RecvZC(a, 0, 3))
			t.WantBuffer(3, "three")
			t.Release(g, leases[1])
			t.Put(b, "four")
			t.WantBuffer(3, "four")
		},
	},
	{
		ID: "ZCR-2", Name: "begun without a page",
		Explanation: "A RecvZC may begin when all pages are out: it waits for data, and takes a page that is back by then.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			c, d := t.TCP(false)
			g := t.ZCGroup(0, 1)
			t.Submit(api.RecvZC(a, 0, 1))
			t.Put(b, "x")
			lease := t.WantBuffer(1, "x")
			t.Submit(api.RecvZC(c, 0, 2))
			t.StillPending(1, 2)
			t.Release(g, lease)
			t.Put(d, "y")
			t.Release(g, t.WantBuffer(2, "y"))
			t.Put(b, "z")
			t.WantBuffer(1, "z")
		},
	},
	{
		ID: "ZCR-3", Name: "wrong files",
		Explanation: "A RecvZC of what is no socket is ENOTSOCK, of another socket than TCP EPROTONOSUPPORT, and of one that is not connected ENOTCONN; it takes no page. An fd that is none is EBADF, also without a group, but flags are looked at before.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			g := t.ZCGroup(0, 2)
			for _, fd := range t.badFDs() {
				t.WantErr(api.RecvZC(fd, 0, 1), unix.EBADF)
				t.WantErr(api.RecvZC(fd, 9, 1), unix.EBADF)
				t.WantErr(arg(api.RecvZC(fd, 0, 1), unix.MSG_PEEK), unix.EINVAL)
				t.WantErr(api.RecvZC(fd, 0, 1).With(api.DontWait), unix.EINVAL)
			}
			r, w := t.Pipe(false)
			for _, fd := range []int{r, w, t.File("x")} {
				t.WantErr(api.RecvZC(fd, 0, 1), unix.ENOTSOCK)
			}
			a, _ := t.UDP()
			c, d := t.Pair(false)
			e, _ := t.Dgrams()
			t.Put(d, "not for this")
			for _, fd := range []int{a, c, e, t.Socket(unix.AF_INET, unix.SOCK_DGRAM)} {
				t.WantErr(api.RecvZC(fd, 0, 1), unix.EPROTONOSUPPORT)
			}
			t.WantErr(api.RecvZC(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, 1), unix.ENOTCONN)
			t.wantAvailable(g, 2)
			t.WantGet(c, "not for this")
		},
	},
	{
		ID: "ZCR-3", Name: "wrong groups and flags",
		Explanation: "A RecvZC of no such group, of a closed one, of another kind of group, with flags that it does not know, or with MSG_* flags, is EINVAL.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.Put(b, "data")
			t.Group(api.BufferGroupOptions{ID: 1, Count: 2})
			g := t.ZCGroup(2, 2)
			t.must("close the group", t.ZCGroup(3, 2).Close())
			for _, id := range []uint16{0, 1, 3, 4, 1<<16 - 1} {
				t.WantErr(api.RecvZC(a, id, 1), unix.EINVAL)
			}
			for _, f := range []api.OpFlags{api.DontWait, api.WaitAll, api.Bundle, api.SkipSuccess, api.ReportUsage, api.Level} {
				t.WantErr(api.RecvZC(a, 2, 1).With(f), unix.EINVAL)
			}
			for _, f := range []api.OpFlags{0, api.BufferSelect, api.Multishot} {
				op := api.RecvZC(a, 2, 1)
				op.Flags = f
				t.WantErr(op, unix.EINVAL)
			}
			op := api.RecvZC(a, 2, 1)
			op.Arg = unix.MSG_PEEK
			t.WantErr(op, unix.EINVAL)
			t.Submit(api.RecvZC(a, 2, 2))
			t.WantBytes([]byte(t.takeZC(g, 2, 4)), "data")
		},
	},
	{
		ID: "ZCR-4", Name: "what else the group is asked for",
		Explanation: "A group for RecvZC serves nothing else: other operations with it are EINVAL, and it has no Get, no Queue and no other size.",
		Requires:    recvZCFeats | bufferFeats,
		Ops:         recvZC | api.Ops(api.OpRecv, api.OpRecvMsg, api.OpRead, api.OpSend),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 4)
			t.Put(b, "data")
			t.WantErr(api.RecvBuffer(a, 0, 1), unix.EINVAL)
			t.WantErr(api.RecvMultishot(a, 0, 1), unix.EINVAL)
			t.WantErr(api.RecvMsgBuffer(a, 0, &api.Msg{}, 1), unix.EINVAL)
			t.WantErr(api.ReadBuffer(a, 0, api.CurrentPosition, 1), unix.EINVAL)
			t.WantErr(api.SendBundle(a, 0, 1), unix.ENOBUFS)
			if _, _, ok := g.Get(); ok {
				t.Errorf("Get gave a page")
			}
			for _, n := range []int{1, 2, 8} {
				if err := g.Resize(n); !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("Resize(%d): %v", n, err)
				}
			}
			t.Resize(g, 4)
			t.Submit(api.RecvZC(a, 0, 2))
			lease := t.WantBuffer(2, "data")
			if err := g.Queue(lease, 4); err != api.ErrLease {
				t.Errorf("Queue: %v", err)
			}
			t.Release(g, lease)
			t.WantCount(g, 4, 4)
		},
	},
	{
		ID: "ZCR-5", Name: "options",
		Explanation: "What is wrong with the options of a group for RecvZC is an OptionError, and nothing is made.",
		Requires:    recvZCFeats,
		Fn: func(t *T) {
			page, z := os.Getpagesize(), &api.ZeroCopyOptions{}
			bad := []api.BufferGroupOptions{
				{Count: 3, ZeroCopy: z}, {Count: -1, ZeroCopy: z}, {Count: 1 << 16, ZeroCopy: z},
				{Size: 1, ZeroCopy: z}, {Size: page - 1, ZeroCopy: z}, {Size: 2 * page, ZeroCopy: z}, {Size: -1, ZeroCopy: z},
				{Count: 4, Max: 8, ZeroCopy: z}, {Incremental: true, ZeroCopy: z}, {Send: true, ZeroCopy: z}, {LowWater: -1, ZeroCopy: z},
			}
			for _, z := range []api.ZeroCopyOptions{
				{Queue: -1}, {Queue: 1 << 16}, {Refill: -1}, {Refill: 3}, {Refill: 1 << 16}, {Require: true},
				{Interface: "no-such-card"}, {Interface: strings.Repeat("x", 300)}, {Interface: "no-such-card", Require: true},
				{Interface: "lo\x00x"}, {Interface: "lo:1"}, {Interface: "\x00"},
			} {
				bad = append(bad, api.BufferGroupOptions{ZeroCopy: &z})
			}
			for _, o := range bad {
				if g, err := t.Engine.NewBufferGroup(o); g != nil || !errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("NewBufferGroup(%+v, %+v): %v", o, *o.ZeroCopy, err)
				}
			}
			g := t.Group(api.BufferGroupOptions{ID: 1, Count: 2, Max: 2, Size: page, ZeroCopy: &api.ZeroCopyOptions{Queue: 65535, Refill: 1 << 15}})
			t.WantCount(g, 2, 2)
			if _, err := t.Engine.NewBufferGroup(api.BufferGroupOptions{ID: 1, ZeroCopy: z}); !errors.Is(err, api.ErrInvalidOption) {
				t.Errorf("a second group with the id: %v", err)
			}
			t.must("close the group", g.Close())
			t.WantCount(t.ZCGroup(1, 0), 256, 256)
		},
	},
	{
		ID: "ZCR-6", Name: "a lease",
		Explanation: "A page that is out keeps its bytes until it is released; a second release, one of another group, and one behind the group's Close that has been before, is ErrLease.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 4)
			other := t.ZCGroup(1, 4)
			t.Submit(api.RecvZC(a, 0, 1))
			t.Perform()
			take := func(s string) api.Completion {
				t.Put(b, s)
				c := t.Await(1)
				t.WantBytes(c.Buf, s)
				return c
			}
			first := take("first")
			for i := range 50 {
				c := take(pattern(64)[:1+i])
				t.Release(g, c.Lease)
				if err := g.Release(c.Lease); err != api.ErrLease {
					t.Fatalf("second release: %v", err)
				}
			}
			t.WantBytes(first.Buf, "first")
			if err := other.Release(first.Lease); err != api.ErrLease {
				t.Errorf("release to another group: %v", err)
			}
			second := take("second")
			t.Release(g, second.Lease)
			t.must("close the group", g.Close())
			t.AwaitRes(1, ecanceled)
			t.WantBytes(first.Buf, "first")
			if err := g.Release(second.Lease); err != api.ErrLease {
				t.Errorf("release behind Close of what is back: %v", err)
			}
			t.Release(g, first.Lease)
			if err := g.Release(first.Lease); err != api.ErrLease {
				t.Errorf("second release behind Close: %v", err)
			}
			if err := g.Close(); err != api.ErrClosed {
				t.Errorf("second Close: %v", err)
			}
		},
	},
	{
		ID: "ZCR-6", Name: "low water",
		Explanation: "OnLow is called when fewer pages than LowWater are left.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			low := 0
			g := t.Group(api.BufferGroupOptions{Count: 4, LowWater: 2, OnLow: func(api.BufferGroup) { low++ }, ZeroCopy: &api.ZeroCopyOptions{}})
			t.Submit(api.RecvZC(a, 0, 1))
			for i := range 3 {
				if t.Put(b, "x"); low != 0 {
					t.Errorf("OnLow was called with %d pages left", g.Available())
				}
				t.WantBuffer(1, "x")
				t.wantAvailable(g, 3-i)
			}
			if low != 1 {
				t.Errorf("OnLow was called %d times", low)
			}
		},
	},
	{
		ID: "ZCR-7", Name: "ended early",
		Explanation: "A cancel, a deadline, and the Close of its group, its fd or its engine end a RecvZC, and each byte is either delivered before that or left in the socket.",
		Requires:    recvZCFeats | api.FeatDeadlines | api.FeatSafeClose | api.FeatCancelFD,
		Ops:         recvZCCancel | api.Ops(api.OpClose),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 4)
			data := func() {
				t.Put(b, "data")
				t.WantBytes([]byte(t.takeZC(g, 1, 4)), "data")
			}
			id := t.Submit(api.RecvZC(a, 0, 1))[0]
			data()
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
			t.Put(b, "left")
			t.Quiet()
			t.WantGet(a, "left")

			t.Submit(api.RecvZC(a, 0, 1))
			data()
			t.Want(api.CancelFD(a, 2), 1)
			t.AwaitRes(1, ecanceled)

			t.Submit(api.RecvZC(a, 0, 1).Until(api.After(lookTime)))
			t.AwaitRes(1, etime)

			t.Submit(api.RecvZC(a, 0, 1))
			data()
			t.Want(api.Close(a, 2), 0)
			t.AwaitRes(1, ecanceled)
			t.wantAvailable(g, 4)

			a, b = t.TCP(false)
			t.Submit(api.RecvZC(a, 0, 1))
			data()
			t.Put(b, "lease")
			c := t.Await(1)
			t.CloseEngine()
			t.WantBytes(c.Buf, "lease")
			if err := g.Release(c.Lease); err != nil {
				t.Errorf("release behind the engine's Close: %v", err)
			}
			if err := g.Release(c.Lease); err != api.ErrLease {
				t.Errorf("second release behind the engine's Close: %v", err)
			}
		},
	},
	{
		ID: "ZCR-7", Name: "cancel races with data",
		Explanation: "When a cancel races with data, each byte is either delivered or left in the socket.",
		Requires:    recvZCFeats,
		Ops:         recvZCCancel,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 16)
			for i := range 100 {
				id := t.Submit(api.RecvZC(a, 0, 1))[0]
				if i%3 != 0 {
					t.Perform()
				}
				t.Put(b, "0123456789")
				t.Submit(api.Cancel(id, 2))
				got := ""
				c := t.Await(1)
				for ; c.More(); c = t.Await(1) {
					got += string(c.Buf)
					t.Release(g, c.Lease)
				}
				t.WantRes(&c, ecanceled)
				t.AwaitRes(2, 0)
				if len(got) < 10 {
					got += t.Get(a, 10-len(got))
				}
				t.WantBytes([]byte(got), "0123456789")
			}
			t.wantAvailable(g, 16)
		},
	},
	{
		ID: "ZCR-8", Name: "order and chains",
		Explanation: "A RecvZC stands in line with the other receives of its socket, and in a chain the next begins when it has ended with the stream, and is cancelled when it fails.",
		Requires:    recvZCFeats | api.FeatOrdered | api.FeatChains,
		Ops:         recvZCCancel | api.Ops(api.OpRecv, api.OpNop),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 4)
			buf := make([]byte, 8)
			id := t.Submit(api.Recv(a, buf[:3], 1), api.RecvZC(a, 0, 2), api.Recv(a, buf[4:], 3))[1]
			t.StillPending(1, 2, 3)
			t.Put(b, "onetwo")
			t.AwaitRes(1, 3)
			t.WantBytes([]byte(t.takeZC(g, 2, 3)), "two")
			t.StillPending(2, 3)
			t.Put(b, "six")
			t.WantBytes([]byte(t.takeZC(g, 2, 3)), "six")
			t.StillPending(2, 3)
			t.Want(api.Cancel(id, 4), 0)
			t.AwaitRes(2, ecanceled)
			t.Put(b, "rest")
			t.AwaitRes(3, 4)
			t.WantBytes(buf[4:], "rest")

			id = t.Chain(api.RecvZC(a, 0, 1), api.Nop(2))[0]
			t.Put(b, "more")
			t.WantBytes([]byte(t.takeZC(g, 1, 4)), "more")
			t.StillPending(1, 2)
			t.Want(api.Cancel(id, 3), 0)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, ecanceled)
			t.Chain(api.Nop(1), api.RecvZC(a, 0, 2), api.Nop(3))
			t.AwaitRes(1, 0)
			t.Put(b, "end")
			t.WantBytes([]byte(t.takeZC(g, 2, 3)), "end")
			t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
			t.AwaitRes(2, 0)
			t.AwaitRes(3, 0)
		},
	},
	{
		ID: "ZCR-9", Name: "several sockets",
		Explanation: "Any number of sockets can receive into one group, each what its peer has sent, and no lease is out twice.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			const n, rounds = 8, 25
			g := t.ZCGroup(0, 64)
			var peers [n]int
			want, got := [n]string{}, [n]string{}
			for i := range peers {
				var a int
				a, peers[i] = t.TCP(false)
				t.Submit(api.RecvZC(a, 0, uint64(i)))
			}
			for r := range rounds {
				left := 0
				for i, b := range peers {
					s := pattern(200)[(r+7*i)%50:]
					t.Put(b, s)
					want[i] += s
					left += len(s)
				}
				held := map[api.Lease]string{}
				for left > 0 {
					c := t.One()
					left -= len(c.Buf)
					got[c.Tag] += string(c.Buf)
					if _, ok := held[c.Lease]; ok || !c.More() {
						t.Fatalf("got %s, whose lease is out: %v", show(&c), ok)
					}
					held[c.Lease] = string(c.Buf)
				}
				for l := range held {
					t.Release(g, l)
				}
			}
			for i := range got {
				t.WantBytes([]byte(got[i]), want[i])
			}
			t.wantAvailable(g, 64)
		},
	},
	{
		ID: "ZCR-10", Name: "copied",
		Explanation: "Each completion of a RecvZC that carries data has Copied when no network card writes into the group, the last never, and other receives never.",
		Requires:    recvZCFeats | bufferFeats,
		Ops:         recvZC | recvOnly,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.ZCGroup(0, 4)
			t.Group(api.BufferGroupOptions{ID: 1, Count: 4})
			t.Put(b, "data")
			c := t.Do(api.RecvBuffer(a, 1, 1))
			if c.Flags != api.Buffer {
				t.Errorf("a receive that is none of these: %s", show(&c))
			}
			t.Submit(api.RecvZC(a, 0, 2))
			for range 3 {
				t.Put(b, "x")
				if c := t.Await(2); c.Flags != api.More|api.Buffer|api.Copied {
					t.Errorf("got %s, want it with More, Buffer and Copied", show(&c))
				}
			}
			t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
			if c := t.Await(2); c.Flags != 0 {
				t.Errorf("the last: %s", show(&c))
			}
		},
	},
	{
		ID: "ZCR-12", Name: "more completions than the queue has entries",
		Explanation: "A RecvZC loses nothing when its completions are not reaped for a while.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Tune:        tinyQueues,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 256)
			t.must("TCP_NODELAY", unix.SetsockoptInt(b, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
			t.Submit(api.RecvZC(a, 0, 1))
			t.Perform()
			want := pattern(100)
			for i := range want {
				t.Put(b, want[i:i+1])
				if _, err := t.Engine.Complete(nil, api.Wait{Deadline: api.After(time.Second)}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
			}
			t.WantBytes([]byte(t.takeZC(g, 1, len(want))), want)
		},
	},
}
