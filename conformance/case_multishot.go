//go:build unix

package conformance

import (
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var multishotCases = []Case{
	{
		ID: "MSH-1", Name: "each piece of data",
		Explanation: "A multishot receive delivers data with More and a buffer, as often as there is any.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 16})
				t.Put(b, "early")
				t.ready(a, unix.POLLIN)
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.Release(g, t.WantBuffer(1, "early"))
				t.StillPending(1)
				for i := range 20 {
					s := pattern(64)[i : i+1+i%16]
					t.Put(b, s)
					t.Release(g, t.WantBuffer(1, s))
				}
				t.must("close the group", g.Close())
				t.AwaitRes(1, ecanceled)
			})
		},
	},
	{
		ID: "MSH-2", Name: "end of stream",
		Explanation: "A multishot receive ends with 0, without a buffer, when the stream ends, after all data.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
				t.Put(b, "012345")
				t.CloseNow(b)
				t.ready(a, unix.POLLIN)
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.WantBuffer(1, "0123")
				t.WantBuffer(1, "45")
				t.AwaitRes(1, 0)
				t.Submit(api.RecvMultishot(a, 0, 2).With(api.EOF))
				if c := t.Await(2); c.Res != 0 || c.Flags != api.AtEOF {
					t.Errorf("with the flag EOF: %s", show(&c))
				}
				t.Quiet()
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "MSH-2", Name: "end of stream while waiting",
		Explanation: "A multishot receive that waits ends with 0 when the peer stops sending, or this side stops receiving.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			for _, local := range []bool{false, true} {
				t.EachStream(func(a, b int) {
					g := t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
					t.Submit(api.RecvMultishot(a, 0, 1))
					t.StillPending(1)
					if local {
						t.must("shutdown", unix.Shutdown(a, unix.SHUT_RD))
					} else {
						t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
					}
					t.AwaitRes(1, 0)
					t.must("close the group", g.Close())
				})
			}
		},
	},
	{
		ID: "MSH-3", Name: "reset",
		Explanation: "A multishot receive ends with the error of the connection, after all data.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.Group(api.BufferGroupOptions{Count: 4, Size: 8})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			t.Put(b, "data")
			t.WantBuffer(1, "data")
			t.Reset(b)
			t.AwaitRes(1, neg(unix.ECONNRESET))
		},
	},
	{
		ID: "MSH-4", Name: "out of buffers",
		Explanation: "The last buffer is delivered with More; the data after it ends the operation with ENOBUFS and stays in the socket.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4})
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.Perform()
				t.Put(b, "1111")
				lease := t.WantBuffer(1, "1111")
				t.Put(b, "2222")
				t.WantBuffer(1, "2222")
				t.StillPending(1)
				t.Put(b, "3333")
				t.AwaitRes(1, neg(unix.ENOBUFS))
				t.Release(g, lease)
				t.Submit(api.RecvMultishot(a, 0, 2))
				t.WantBuffer(2, "3333")
				t.must("close the group", g.Close())
				t.AwaitRes(2, ecanceled)
			})
		},
	},
	{
		ID: "MSH-4", Name: "out of buffers at once",
		Explanation: "More data than there are buffers: all of them are delivered with More, then comes ENOBUFS, and no byte is lost.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
			t.Put(b, "aaaabbbbccccddddrest")
			t.Submit(api.RecvMultishot(a, 0, 1))
			for _, s := range []string{"aaaa", "bbbb", "cccc", "dddd"} {
				t.WantBuffer(1, s)
			}
			t.AwaitRes(1, neg(unix.ENOBUFS))
			t.WantGet(a, "rest")
		},
	},
	{
		ID: "MSH-4", Name: "out of buffers, datagrams",
		Explanation: "A multishot receive that has used the last buffer waits for data like any other, and takes a buffer that is back by then.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				a, b := pair()
				g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4})
				t.Submit(api.RecvMultishot(a, 0, 1))
				t.Perform()
				for range 3 {
					t.Put(b, "1111")
					first := t.WantBuffer(1, "1111")
					t.Put(b, "2222")
					second := t.WantBuffer(1, "2222")
					t.StillPending(1)
					t.Release(g, first)
					t.Put(b, "3333")
					third := t.WantBuffer(1, "3333")
					t.StillPending(1)
					t.Release(g, second)
					t.Release(g, third)
				}
				t.Put(b, "1111")
				t.Put(b, "2222")
				t.WantBuffer(1, "1111")
				t.WantBuffer(1, "2222")
				t.StillPending(1)
				t.Put(b, "3333")
				t.AwaitRes(1, neg(unix.ENOBUFS))
				t.must("close the group", g.Close())
			}
		},
	},
	{
		ID: "MSH-5", Name: "cancelled",
		Explanation: "A cancelled multishot receive ends with ErrCanceled, without More or a buffer, and takes no more data.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 8})
				id := t.Submit(api.RecvMultishot(a, 0, 1))[0]
				t.Perform()
				t.Put(b, "data")
				t.WantBuffer(1, "data")
				t.Submit(api.Cancel(id, 2))
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, 0)
				t.Put(b, "later")
				t.Quiet()
				t.WantGet(a, "later")
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "MSH-5", Name: "cancel races with data",
		Explanation: "When a cancel races with data, each byte is either delivered or left in the socket.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 64, Size: 1})
			for i := range 200 {
				id := t.Submit(api.RecvMultishot(a, 0, 1))[0]
				if i%3 != 0 {
					t.Perform()
				}
				t.Put(b, "0123456789")
				t.Submit(api.Cancel(id, 2))
				got := ""
				for {
					c := t.Await(1)
					if !c.More() {
						if int(c.Res) != ecanceled {
							t.Fatalf("round %d: ended with %s", i, show(&c))
						}
						break
					}
					got += string(c.Buf)
					t.Release(g, c.Lease)
				}
				t.AwaitRes(2, 0)
				if len(got) < 10 {
					got += t.Get(a, 10-len(got))
				}
				if got != "0123456789" {
					t.Fatalf("round %d: %q delivered and left", i, got)
				}
			}
		},
	},
	{
		ID: "MSH-6", Name: "datagrams",
		Explanation: "A multishot receive delivers one datagram per buffer; an empty one ends it with 0.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				a, b := pair()
				g := t.Group(api.BufferGroupOptions{Count: 8, Size: 4})
				t.Put(a, "one")
				t.Put(a, "two")
				t.Submit(api.RecvMultishot(b, 0, 1))
				t.WantBuffer(1, "one")
				t.WantBuffer(1, "two")
				t.Put(a, "too long")
				t.WantBuffer(1, "too ")
				_, err := unix.Write(a, nil)
				t.must("write", err)
				if n, err := unix.SendmsgN(a, nil, nil, nil, 0); n != 0 || err != nil {
					t.Fatalf("sendmsg: %d, %v", n, err)
				}
				t.AwaitRes(1, 0)
				t.must("close the group", g.Close())
			}
		},
	},
	{
		ID: "MSH-7", Name: "more completions than the queue has entries",
		Explanation: "A multishot operation loses nothing when its completions are not reaped for a while.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Tune:        tinyQueues,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Group(api.BufferGroupOptions{Count: 128, Size: 1})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.Perform()
			want := pattern(100)
			for i := range want {
				t.Put(b, want[i:i+1])
				if _, err := t.Engine.Complete(nil, api.Wait{}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
			}
			var got strings.Builder
			for got.Len() < len(want) {
				c := t.Await(1)
				if !c.More() {
					// An overflow may end it on old kernels, never lose data.
					t.Fatalf("ended with %s after %d bytes", show(&c), got.Len())
				}
				got.Write(c.Buf)
			}
			t.WantBytes([]byte(got.String()), want)
		},
	},
	{
		ID: "MSH-8", Name: "fairness",
		Explanation: "A stream that always has data does not keep another from its turn.",
		Needs:       NeedStreams,
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			busy, feed := t.Pair(false)
			calm, peer := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 256, Size: 64})
			t.Submit(api.RecvMultishot(busy, 0, 1), api.Recv(calm, make([]byte, 1), 2))
			t.Perform()
			t.Put(peer, "x")
			block := strings.Repeat("b", 1024)
			for range 1000 {
				t.Put(feed, block)
				for taken := 0; taken < len(block); {
					c := t.One()
					if c.Tag == 2 {
						t.WantRes(&c, 1)
						return
					}
					taken += len(c.Buf)
					t.Release(g, c.Lease)
				}
			}
			t.Errorf("a socket with data got no turn while another received 1 MiB")
		},
	},
}
