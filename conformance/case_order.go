//go:build unix

package conformance

import (
	"slices"
	"strings"

	"github.com/sluiceio/sluice/api"
)

// bytesFor makes n buffers of one size.
func bytesFor(n, size int) [][]byte {
	b := make([][]byte, n)
	for i := range b {
		b[i] = make([]byte, size)
	}
	return b
}

func join(bufs [][]byte) string { return string(slices.Concat(bufs...)) }

var streamOps = api.Ops(api.OpRecv, api.OpSend)

var orderCases = []Case{
	{
		ID: "ORD-1", Name: "receives",
		Explanation: "Receives on one socket take effect in the order of submission.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				bufs := bytesFor(4, 1)
				for i := range bufs {
					t.Submit(api.Recv(a, bufs[i], uint64(i)))
				}
				t.StillPending(0, 1, 2, 3)
				t.Put(b, "ABCD")
				for i := range bufs {
					if c := t.One(); c.Tag != uint64(i) || c.Res != 1 {
						t.Errorf("completion %d: %s", i, show(&c))
					}
				}
				t.WantBytes([]byte(join(bufs)), "ABCD")
			})
		},
	},
	{
		ID: "ORD-1", Name: "receives of data that comes byte by byte",
		Explanation: "Receives on one socket take effect in the order of submission, however the data arrives.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			bufs := bytesFor(50, 1)
			want := pattern(len(bufs))
			ops := make([]api.Op, len(bufs))
			for i := range bufs {
				ops[i] = api.Recv(a, bufs[i], uint64(i))
			}
			t.Submit(ops...)
			t.Perform()
			for i := range want {
				t.Put(b, want[i:i+1])
				if i%7 == 0 {
					t.Perform()
				}
			}
			for range bufs {
				t.One()
			}
			t.WantBytes([]byte(join(bufs)), want)
		},
	},
	{
		ID: "ORD-1", Name: "sends on a full socket",
		Explanation: "Sends on one socket take effect in the order of submission, also when they have to wait.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered | api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				full := t.Fill(a)
				var want strings.Builder
				for i := range 8 {
					s := strings.Repeat(string(rune('A'+i)), 100)
					want.WriteString(s)
					t.Submit(api.Send(a, []byte(s), uint64(i)).With(api.WaitAll))
				}
				t.Perform()
				t.Get(b, full-1) // TCP may have moved part of it when a send went through
				// The reader is another goroutine's, for the sends need the engine meanwhile.
				got := t.getLater(b, want.Len()+1)
				for i := range 8 {
					t.AwaitRes(uint64(i), 100)
				}
				all := <-got // the first byte is older
				t.WantBytes(all[min(1, len(all)):], want.String())
			})
		},
	},
	{
		ID: "ORD-1", Name: "kinds of operation share a queue",
		Explanation: "Recv, read, readv and recvmsg of one socket are in one order.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered,
		Ops:         api.Ops(api.OpRecv, api.OpRead, api.OpReadv, api.OpRecvMsg),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			bufs := bytesFor(5, 1)
			t.Submit(
				api.Recv(a, bufs[0], 0),
				api.Read(a, bufs[1], api.CurrentPosition, 1),
				api.Readv(a, &api.Msg{Bufs: bufs[2:3]}, api.CurrentPosition, 2),
				api.RecvMsg(a, &api.Msg{Bufs: bufs[3:4]}, 3),
				api.Recv(a, bufs[4], 4))
			t.StillPending(0, 1, 2, 3, 4)
			t.Put(b, "ABCDE")
			for i := range uint64(5) {
				t.AwaitRes(i, 1)
			}
			t.WantBytes([]byte(join(bufs)), "ABCDE")
		},
	},
	{
		ID: "ORD-1", Name: "accepts",
		Explanation: "Accepts on one listener take effect in the order of submission.",
		Requires:    api.FeatOrdered,
		Ops:         api.Ops(api.OpAccept),
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.Submit(api.Accept(l, 0), api.Accept(l, 1), api.Accept(l, 2))
			t.StillPending(0, 1, 2)
			for i := range uint64(3) {
				t.Dial(addr)
				if c := t.One(); c.Tag != i || c.Res < 0 {
					t.Errorf("connection %d: %s", i, show(&c))
				}
			}
		},
	},
	{
		ID: "ORD-2", Name: "reads of a pipe",
		Explanation: "Reads at the current position take effect in the order of submission.",
		Requires:    api.FeatOrdered,
		Ops:         api.Ops(api.OpRead),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				r, w := t.Pipe(nonblock)
				bufs := bytesFor(4, 1)
				for i := range bufs {
					t.Submit(api.Read(r, bufs[i], api.CurrentPosition, uint64(i)))
				}
				t.StillPending(0, 1, 2, 3)
				t.Put(w, "ABCD")
				for i := range bufs {
					t.AwaitRes(uint64(i), 1)
				}
				t.WantBytes([]byte(join(bufs)), "ABCD")
			}
		},
	},
	{
		ID: "ORD-2", Name: "reads and writes of a file",
		Explanation: "Reads, and likewise writes, at the current position of a regular file take effect in the order of submission.",
		Requires:    api.FeatOrdered,
		Ops:         api.Ops(api.OpRead, api.OpWrite),
		Fn: func(t *T) {
			fd := t.File("")
			want := pattern(3200)
			for i := range 32 {
				t.Submit(api.Write(fd, []byte(want[i*100:(i+1)*100]), api.CurrentPosition, uint64(i)))
			}
			for i := range uint64(32) {
				t.AwaitRes(i, 100)
			}
			name := t.FilePath(want)
			fd2 := t.OpenFile(name, 0)
			bufs := bytesFor(32, 100)
			for i := range bufs {
				t.Submit(api.Read(fd2, bufs[i], api.CurrentPosition, uint64(i)))
			}
			for i := range uint64(32) {
				t.AwaitRes(i, 100)
			}
			t.WantBytes([]byte(join(bufs)), want)
			all := make([]byte, 3200)
			t.Want(api.Read(fd, all, 0, 99), 3200)
			t.WantBytes(all, want)
		},
	},
	{
		ID: "ORD-3", Name: "unordered receives",
		Explanation: "Unordered receives get all the data between them, in no order.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				bufs := bytesFor(4, 1)
				for i := range bufs {
					t.Submit(api.Recv(a, bufs[i], uint64(i)).With(api.Unordered))
				}
				t.StillPending(0, 1, 2, 3)
				t.Put(b, "ABCD")
				for i := range bufs {
					t.AwaitRes(uint64(i), 1)
				}
				got := []byte(join(bufs))
				slices.Sort(got)
				t.WantBytes(got, "ABCD")
			})
		},
	},
	{
		ID: "ORD-3", Name: "unordered does not wait",
		Explanation: "An Unordered operation does not wait for those of its fd and direction, nor do they wait for it.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			first, second := make([]byte, 8), make([]byte, 2)
			t.Submit(api.Recv(a, first, 1).With(api.WaitAll))
			t.Perform()
			t.Put(b, "AB")
			t.StillPending(1)
			t.Submit(api.Recv(a, second, 2).With(api.Unordered))
			t.Perform()
			t.Put(b, "CDEFGHIJ")
			t.AwaitRes(1, 8)
			t.Await(2)
		},
	},
	{
		ID: "ORD-4", Name: "directions",
		Explanation: "A receive that waits does not hold up a send on the same socket, nor the other way round.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 4)
				t.Submit(api.Recv(a, buf, 1))
				t.StillPending(1)
				t.Want(api.Send(a, []byte("to b"), 2), 4)
				t.WantGet(b, "to b")
				t.SmallBuffers(a, b)
				t.Fill(a)
				t.Submit(api.Send(a, []byte("waits"), 3))
				t.StillPending(3, 1)
				t.Put(b, "to a")
				t.AwaitRes(1, 4)
				t.WantBytes(buf, "to a")
			})
		},
	},
	{
		ID: "ORD-4", Name: "files",
		Explanation: "An operation that waits holds up none on another fd.",
		Ops:         api.Ops(api.OpRecv, api.OpRead),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1000))
			for i := range uint64(20) {
				r, w := t.Pipe(false)
				t.Submit(api.Read(r, make([]byte, 1), api.CurrentPosition, i))
				t.Perform()
				t.Put(w, "x")
				t.AwaitRes(i, 1)
			}
			t.StillPending(1000)
		},
	},
	{
		ID: "ORD-5", Name: "one that fails",
		Explanation: "An operation that fails, or is cancelled, does not take along those that stand behind it.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered,
		Ops:         api.Ops(api.OpRecv, api.OpCancel),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				bufs := bytesFor(3, 1)
				ids := t.Submit(api.Recv(a, bufs[0], 0), api.Recv(a, bufs[1], 1), api.Recv(a, bufs[2], 2))
				t.StillPending(0, 1, 2)
				t.Want(api.Cancel(ids[0], 9), 0)
				t.AwaitRes(0, ecanceled)
				t.StillPending(1, 2)
				t.Put(b, "AB")
				t.AwaitRes(1, 1)
				t.AwaitRes(2, 1)
				t.WantBytes([]byte(join(bufs[1:])), "AB")
			})
		},
	},
	{
		ID: "ORD-6", Name: "behind a multishot",
		Explanation: "A receive that was submitted behind a multishot receive gets nothing until that has ended.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered | api.FeatMultishotRecv | api.FeatBufferGroups,
		Ops:         api.Ops(api.OpRecv, api.OpCancel),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Group(api.BufferGroupOptions{ID: 1, Count: 8, Size: 16})
			buf := make([]byte, 16)
			id := t.Submit(api.RecvMultishot(a, 1, 1), api.Recv(a, buf, 2))[0]
			for _, s := range []string{"one", "two"} {
				t.Put(b, s)
				t.WantBuffer(1, s)
			}
			t.StillPending(2)
			t.Want(api.Cancel(id, 3), 0)
			t.AwaitRes(1, ecanceled)
			t.StillPending(2)
			t.Put(b, "three")
			t.AwaitRes(2, 5)
			t.WantBytes(buf[:5], "three")
		},
	},
	{
		ID: "SUB-2", Name: "performs nothing",
		Explanation: "Submit performs nothing: that is Complete's.",
		Ops:         api.Ops(api.OpWrite),
		Fn: func(t *T) {
			r, w := t.Pipe(true)
			t.Submit(api.Write(w, []byte("x"), api.CurrentPosition, 1))
			if n, err := readNow(r, make([]byte, 1)); n > 0 || err == nil {
				t.Errorf("Submit has written already: read gives %d, %v", n, err)
			}
			t.AwaitRes(1, 1)
			t.WantGet(r, "x")
		},
	},
	{
		ID: "SUB-2", Name: "does not wait",
		Explanation: "Submit does not wait, whatever it is given.",
		Ops:         api.Ops(api.OpRead, api.OpRecv, api.OpAccept, api.OpTimeout),
		Fn: func(t *T) {
			r, _ := t.Pipe(false)
			a, _ := t.TCP(false)
			l, _ := t.Listener()
			t.Submit(api.Read(r, make([]byte, 1), api.CurrentPosition, 1), api.Recv(a, make([]byte, 1), 2),
				api.Accept(l, 3), api.Timeout(farAway, 4))
			t.StillPending(1, 2, 3, 4)
		},
	},
}
