//go:build unix

package conformance

import (
	"math/rand/v2"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	cancelRecvOps = api.Ops(api.OpRecv, api.OpCancel)
	cancelSendOps = api.Ops(api.OpSend, api.OpCancel)
)

var cancelFDCases = []Case{
	{
		ID: "CAN-1", Name: "each kind that waits",
		Explanation: "Whatever waits for a file can be cancelled: the cancel gives 0, the operation ErrCanceled.",
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev, api.OpRecvMsg, api.OpSendMsg, api.OpAccept, api.OpPoll, api.OpCancel),
		Fn: func(t *T) {
			idle := func() int { a, _ := t.Pair(false); return a }
			full := func() int { a, _ := t.Pair(false); t.Fill(a); return a }
			l, _ := t.Listener()
			r, _ := t.Pipe(false)
			_, w := t.Pipe(false)
			t.Fill(w)
			msg := func() *api.Msg { return &api.Msg{Bufs: bytesFor(2, 10)} }
			for i, op := range []api.Op{
				api.Recv(idle(), make([]byte, 1), 0),
				api.RecvMsg(idle(), msg(), 0),
				api.Read(idle(), make([]byte, 1), api.CurrentPosition, 0),
				api.Readv(idle(), msg(), api.CurrentPosition, 0),
				api.Read(r, make([]byte, 1), api.CurrentPosition, 0),
				api.Send(full(), make([]byte, 1), 0),
				api.SendMsg(full(), msg(), 0),
				api.Write(full(), make([]byte, 1), api.CurrentPosition, 0),
				api.Writev(full(), msg(), api.CurrentPosition, 0),
				api.Write(w, make([]byte, 1), api.CurrentPosition, 0),
				api.Accept(l, 0),
				api.Poll(idle(), api.PollIn, 0),
			} {
				op.Tag = uint64(i)
				id := t.Submit(op)[0]
				t.StillPending(op.Tag)
				t.Want(api.Cancel(id, 100), 0)
				t.AwaitRes(op.Tag, ecanceled)
				if t.Failed() {
					t.Fatalf("that was operation %d, a %v", i, op.Code)
				}
			}
			t.Quiet()
		},
	},
	{
		ID: "CAN-4", Name: "receive in the same batch",
		Explanation: "A cancel reaches an operation that was submitted in the same batch before it.",
		Needs:       NeedStreams,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			ids := t.Submit(api.Recv(a, make([]byte, 1), 1))
			t.Submit(api.Cancel(ids[0], 2))
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, 0)
			t.Put(b, "x")
			t.Quiet()
			t.WantGet(a, "x")
		},
	},
	{
		ID: "CAN-8", Name: "queued behind another",
		Explanation: "An operation that waits for its turn can be cancelled, and those before and behind it go on.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				bufs := bytesFor(3, 1)
				ids := t.Submit(api.Recv(a, bufs[0], 0), api.Recv(a, bufs[1], 1), api.Recv(a, bufs[2], 2))
				t.Perform()
				t.Want(api.Cancel(ids[1], 9), 0)
				t.AwaitRes(1, ecanceled)
				t.StillPending(0, 2)
				t.Put(b, "AB")
				t.AwaitRes(0, 1)
				t.AwaitRes(2, 1)
				t.WantBytes([]byte(join(bufs)), "A\x00B")
			})
		},
	},
	{
		ID: "CAN-9", Name: "racing with completion",
		Explanation: "When a cancel races with the data, the operation has one last completion all the same, the cancel has one, they agree, and no byte is lost.",
		Needs:       NeedStreams,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			var got int
			buf := make([]byte, 1)
			const rounds = 2000
			for i := range rounds {
				id := t.Submit(api.Recv(a, buf, 1))[0]
				order := rand.IntN(4)
				if order&1 == 0 {
					t.Perform()
				}
				if order&2 == 0 {
					t.Put(b, "x")
				}
				t.Submit(api.Cancel(id, 2))
				if order&2 != 0 {
					t.Put(b, "x")
				}
				target, answer := t.Await(1), t.Await(2)
				switch {
				case target.Res == 1:
					got++
				case int(target.Res) != ecanceled:
					t.Fatalf("round %d: the receive gave %s", i, show(&target))
				}
				if (answer.Res == 0) != (int(target.Res) == ecanceled) {
					t.Fatalf("round %d: the receive gave %s, the cancel %s", i, show(&target), show(&answer))
				}
				if answer.Res != 0 && int(answer.Res) != enoent && int(answer.Res) != neg(unix.EALREADY) {
					t.Fatalf("round %d: the cancel gave %s", i, show(&answer))
				}
			}
			t.Quiet()
			if rest := len(t.Get(a, rounds-got)); got+rest != rounds {
				t.Errorf("%d bytes received and %d left of %d", got, rest, rounds)
			}
		},
	},
	{
		ID: "CAN-10", Name: "receive that has moved bytes",
		Explanation: "A cancelled operation that has moved bytes completes with their number.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 10)
				id := t.Submit(api.Recv(a, buf, 1).With(api.WaitAll))[0]
				t.Perform()
				t.Put(b, "abc")
				t.StillPending(1)
				t.Submit(api.Cancel(id, 2))
				t.AwaitRes(1, 3)
				t.AwaitRes(2, 0)
				t.WantBytes(buf[:3], "abc")
			})
		},
	},
	{
		ID: "CAN-10", Name: "send that has moved bytes",
		Explanation: "A cancelled operation that has moved bytes completes with their number, and these and no others arrive.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         cancelSendOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				data := pattern(1 << 20)
				id := t.Submit(api.Send(a, t.patternSent(len(data)), 1).With(api.WaitAll))[0]
				t.StillPending(1)
				t.Submit(api.Cancel(id, 2))
				c := t.Await(1)
				if c.Res <= 0 || int(c.Res) >= len(data) {
					t.Fatalf("a send of 1 MiB that was cancelled on a full socket gave %s", show(&c))
				}
				t.AwaitRes(2, 0)
				t.EndWrites(a)
				t.WantGet(b, data[:c.Res])
				t.WantEnd(b)
			})
		},
	},
	{
		ID: "CAN-10", Name: "send to a peer that sends no more",
		Explanation: "A cancelled send that has moved bytes completes with their number, and the answer is 0, when the peer has stopped sending, too.",
		Requires:    api.FeatWaitAll,
		Ops:         cancelSendOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				data := pattern(1 << 20)
				t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
				id := t.Submit(api.Send(a, t.patternSent(len(data)), 1).With(api.WaitAll))[0]
				for range 200 { // the kernel may try anew each time
					t.Perform()
				}
				t.StillPending(1)
				t.Submit(api.Cancel(id, 2))
				c := t.Await(1)
				if c.Res <= 0 || int(c.Res) >= len(data) {
					t.Fatalf("a send of 1 MiB that was cancelled on a full socket gave %s", show(&c))
				}
				t.AwaitRes(2, 0)
				t.must("shutdown", unix.Shutdown(a, unix.SHUT_WR))
				t.WantGet(b, data[:c.Res])
				t.WantEnd(b)
			})
		},
	},
	{
		ID: "CAN-11", Name: "buffer is let go",
		Explanation: "After its last completion a cancelled receive touches its buffer no more, and takes no data.",
		Needs:       NeedStreams,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := []byte("mine")
				id := t.Submit(api.Recv(a, buf, 1))[0]
				t.StillPending(1)
				t.Submit(api.Cancel(id, 2))
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, 0)
				copy(buf, "keep")
				t.Put(b, "data")
				t.Quiet()
				t.WantBytes(buf, "keep")
				t.Want(api.Recv(a, buf, 3), 4)
				t.WantBytes(buf, "data")
			})
		},
	},
	{
		ID: "CAN-12", Name: "by fd",
		Explanation: "CancelFD ends all operations in flight on the fd and no others, and completes with their number.",
		Needs:       NeedStreams,
		Requires:    api.FeatCancelFD,
		Ops:         api.Ops(api.OpRecv, api.OpPoll, api.OpSend, api.OpCancel),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			t.Fill(a)
			other, _ := t.Pair(false)
			t.Submit(
				api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2), api.Recv(a, make([]byte, 1), 3),
				api.Poll(a, api.PollPri, 4), api.Send(a, make([]byte, 1), 5), api.Recv(other, make([]byte, 1), 6))
			t.StillPending(1, 2, 3, 4, 5, 6)
			t.Submit(api.CancelFD(a, 7))
			for tag := range uint64(5) {
				t.AwaitRes(tag+1, ecanceled)
			}
			t.AwaitRes(7, 5)
			t.StillPending(6)
			t.Quiet()
		},
	},
	{
		ID: "CAN-12", Name: "by fd in the same batch",
		Explanation: "CancelFD reaches operations that were submitted in the same batch before it.",
		Needs:       NeedStreams,
		Requires:    api.FeatCancelFD,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2), api.CancelFD(a, 3))
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, ecanceled)
			t.AwaitRes(3, 2)
		},
	},
	{
		ID: "CAN-12", Name: "four thousand",
		Explanation: "CancelFD counts exactly, however many operations it ends.",
		Needs:       NeedStreams,
		Requires:    api.FeatCancelFD,
		Ops:         api.Ops(api.OpPoll, api.OpRecv, api.OpCancel),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			const n = 4000
			ops := make([]api.Op, n)
			for i := range ops {
				switch i % 4 {
				case 0:
					ops[i] = api.Recv(a, make([]byte, 1), 1).With(api.Unordered)
				case 1:
					ops[i] = api.Recv(a, make([]byte, 1), 1)
				default:
					ops[i] = api.Poll(a, api.PollIn, 1)
				}
			}
			t.Submit(ops...)
			t.StillPending(1)
			t.Submit(api.CancelFD(a, 2))
			for range n {
				if c := t.Await(1); int(c.Res) != ecanceled {
					t.Fatalf("an operation ended with %s", show(&c))
				}
			}
			t.AwaitRes(2, n)
		},
	},
	{
		ID: "CAN-13", Name: "by fd with nothing in flight",
		Explanation: "CancelFD of an open fd with nothing in flight completes with 0.",
		Needs:       NeedStreams,
		Requires:    api.FeatCancelFD,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Want(api.CancelFD(a, 1), 0)
			t.Put(b, "x")
			t.Want(api.Recv(a, make([]byte, 1), 2), 1)
			t.Want(api.CancelFD(a, 3), 0)
		},
	},
	{
		ID: "CAN-13", Name: "by fd of a regular file",
		Explanation: "CancelFD of an open file that nothing ever waits for completes with 0.",
		Requires:    api.FeatCancelFD,
		Ops:         api.Ops(api.OpCancel),
		Fn:          func(t *T) { t.Want(api.CancelFD(t.File("x"), 1), 0) },
	},
	{
		ID: "CAN-14", Name: "by fd that is not open",
		Explanation: "CancelFD of an fd that is not open completes with EBADF.",
		Needs:       NeedStreams,
		Requires:    api.FeatCancelFD,
		Ops:         api.Ops(api.OpCancel, api.OpNop),
		Fn: func(t *T) {
			t.Want(api.Nop(0), 0)
			for _, fd := range t.badFDs() {
				t.WantErr(api.CancelFD(fd, 1), unix.EBADF)
			}
		},
	},
	{
		ID: "CAN-15", Name: "by another number for the same file",
		Explanation: "CancelFD goes by the number that an operation was submitted with: a duplicate of the fd has operations of its own.",
		Requires:    api.FeatCancelFD,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			d, err := unix.Dup(a)
			t.must("dup", err)
			t.Own(d)
			t.Submit(api.Recv(a, make([]byte, 1), 1))
			t.StillPending(1)
			t.Want(api.CancelFD(d, 2), 0)
			t.StillPending(1)
			t.Put(b, "x")
			t.AwaitRes(1, 1)
		},
	},
}
