//go:build unix

package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// soon is a deadline that lies far enough ahead for what must happen before it, on a busy machine too.
func soon() api.Instant { return api.After(soonTime) }

var deadlineCases = []Case{
	{
		ID: "TMO-10", Name: "each kind that waits",
		Explanation: "An operation that has not completed by its Deadline ends with os.ErrDeadlineExceeded, not before.",
		Requires:    api.FeatDeadlines,
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpRead, api.OpRecvMsg, api.OpAccept, api.OpPoll),
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			full, _ := t.Pair(false)
			t.Fill(full)
			r, _ := t.Pipe(false)
			l, _ := t.Listener()
			at := soon()
			ops := []api.Op{
				api.Recv(a, make([]byte, 1), 0), api.Send(full, make([]byte, 1), 1), api.Read(r, make([]byte, 1), api.CurrentPosition, 2),
				api.RecvMsg(full, &api.Msg{Bufs: bytesFor(1, 1)}, 3), api.Accept(l, 4), api.Poll(a, api.PollIn, 5),
			}
			for i := range ops {
				ops[i].Deadline = at
			}
			t.Submit(ops...)
			for i := range ops {
				t.AwaitRes(uint64(i), etime)
				t.wantPassed(at)
			}
			t.Quiet()
		},
	},
	{
		ID: "TMO-10", Name: "timeout",
		Explanation: "A timeout that has not fired by its Deadline ends then with os.ErrDeadlineExceeded.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines,
		Ops:         timeoutOps,
		Fn: func(t *T) {
			at := api.After(5 * time.Millisecond)
			t.Submit(api.Timeout(farAway, 1).Until(at), api.TimeoutAt(at, 2).Until(api.After(farAway)), api.Timeout(farAway, 3).Until(1))
			t.Prompt(3, etime)
			t.Prompt(1, etime)
			t.wantPassed(at)
			t.Prompt(2, etime)
			t.wantPassed(at)
		},
	},
	{
		ID: "TMO-11", Name: "receive that has moved bytes",
		Explanation: "An operation that has moved bytes by its Deadline completes with their number.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines | api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Put(b, "abc")
				buf := make([]byte, 10)
				at := soon()
				t.Want(api.Recv(a, buf, 1).With(api.WaitAll).Until(at), 3)
				t.wantPassed(at)
				t.WantBytes(buf[:3], "abc")
			})
		},
	},
	{
		ID: "TMO-11", Name: "send that has moved bytes",
		Explanation: "An operation that has moved bytes by its Deadline completes with their number.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines | api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			data := pattern(1 << 20)
			c := t.Do(api.Send(a, t.patternSent(len(data)), 1).With(api.WaitAll).Until(soon()))
			if c.Res <= 0 || int(c.Res) >= len(data) {
				t.Fatalf("a send of 1 MiB into a full socket with a deadline gave %s", show(&c))
			}
			t.EndWrites(a)
			t.WantGet(b, data[:c.Res])
			t.WantEnd(b)
		},
	},
	{
		ID: "TMO-12", Name: "while it waits for its turn",
		Explanation: "The Deadline holds for an operation that waits for its turn, and leaves those before and behind it alone.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines | api.FeatOrdered,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			bufs := bytesFor(3, 1)
			at := soon()
			t.Submit(api.Recv(a, bufs[0], 0), api.Recv(a, bufs[1], 1).Until(at), api.Recv(a, bufs[2], 2))
			t.AwaitRes(1, etime)
			t.wantPassed(at)
			t.StillPending(0, 2)
			t.Put(b, "AB")
			t.AwaitRes(0, 1)
			t.AwaitRes(2, 1)
			t.WantBytes([]byte(join(bufs)), "A\x00B")
		},
	},
	{
		ID: "TMO-13", Name: "in time",
		Explanation: "The Deadline of an operation that completes in time changes nothing, then or later.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines,
		Ops:         streamOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 1 },
		Fn: func(t *T) {
			a, b := t.Pair(false)
			at := soon()
			t.Put(b, "x")
			t.Want(api.Recv(a, make([]byte, 1), 1).Until(at), 1)
			// The next one has the slot of the first, and must not inherit its deadline.
			t.Submit(api.Recv(a, make([]byte, 1), 2))
			t.pull(1, at.Add(2*time.Millisecond))
			t.StillPending(2)
			t.Put(b, "y")
			t.AwaitRes(2, 1)
		},
	},
	{
		ID: "TMO-14", Name: "in the past",
		Explanation: "An operation that would have to wait and whose Deadline has passed ends with os.ErrDeadlineExceeded at once.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, _ int) {
				t.Want(api.Recv(a, make([]byte, 1), 1).Until(1), etime)
			})
		},
	},
	{
		ID: "TMO-14", Name: "in the past, and there is data",
		Explanation: "An operation whose Deadline has passed gets what is there, also when the one before it took all that there was, and when others have completed.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines,
		Ops:         streamOps | api.Ops(api.OpNop),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 16)
				t.Put(b, "x")
				t.ready(a, unix.POLLIN)
				t.Want(api.Recv(a, buf, 1), 1)
				t.Put(b, "yz")
				t.ready(a, unix.POLLIN)
				t.Submit(api.Recv(a, buf, 2).Until(1), api.Nop(3))
				t.AwaitRes(2, 2)
				t.WantBytes(buf[:2], "yz")
				t.AwaitRes(3, 0)
			})
		},
	},
	{
		ID: "TMO-15", Name: "multishot",
		Explanation: "A multishot operation ends with os.ErrDeadlineExceeded at its Deadline, after what it has delivered.",
		Requires:    api.FeatDeadlines | api.FeatMultishotRecv | api.FeatMultishotAccept | api.FeatMultishotPoll | api.FeatBufferGroups | api.FeatDontWait,
		Ops:         api.Ops(api.OpRecv, api.OpAccept, api.OpPoll),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			l, addr := t.Listener()
			t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 8})
			// What is delivered must be there in time, on a busy machine too.
			t.Put(b, "x")
			t.Dial(addr)
			at := api.After(60 * time.Millisecond)
			t.Submit(api.RecvMultishot(a, 1, 1).Until(at), api.AcceptMultishot(l, 2).Until(at), api.PollMultishot(a, api.PollPri, 3).Until(at))
			t.WantBuffer(1, "x")
			if c := t.Await(2); c.Res < 0 || !c.More() {
				t.Errorf("the accept gave %s", show(&c))
			}
			for tag := range uint64(3) {
				t.AwaitRes(tag+1, etime)
				t.wantPassed(at)
			}
			t.Quiet()
		},
	},
	{
		ID: "TMO-13", Name: "cancelled before",
		Explanation: "The Deadline of an operation that was cancelled before it does nothing.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			for {
				at := soon()
				id := t.Submit(api.Recv(a, make([]byte, 1), 1).Until(at))[0]
				t.Perform()
				answer, c := t.Do(api.Cancel(id, 2)), t.Await(1)
				if int(c.Res) == etime && api.Now() >= at {
					continue // the machine was too slow to cancel it in time
				}
				t.WantRes(&answer, 0)
				t.WantRes(&c, ecanceled)
				t.pull(1, at.Add(time.Millisecond))
				t.Quiet()
				return
			}
		},
	},
}
