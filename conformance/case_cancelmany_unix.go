//go:build unix

package conformance

import (
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var cancelManyFileCases = []Case{
	{
		ID: "CAN-16", Name: "by code",
		Explanation: "CancelOp ends all operations in flight with the code and no others, and completes with their number; with ByFD those on the fd.",
		Requires:    api.FeatCancelFD,
		Ops:         api.Ops(api.OpRecv, api.OpPoll, api.OpTimeout, api.OpAccept, api.OpCancel),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			b, _ := t.Pair(false)
			l, _ := t.Listener()
			start := func() {
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 1), api.Recv(b, make([]byte, 1), 2),
					api.Poll(a, api.PollIn, 3), api.Poll(b, api.PollIn, 4), api.Timeout(farAway, 5), api.Accept(l, 6))
			}
			start()
			t.StillPending(1, 2, 3, 4, 5, 6)
			t.Want(api.CancelOp(api.OpNop, 9), 0)
			t.Want(api.CancelOp(api.OpCancel, 9), 0)
			t.Want(api.CancelOp(api.OpCount, 9), 0)
			t.Want(api.CancelOp(api.OpAccept, 9), 1)
			t.AwaitRes(6, ecanceled)
			t.Want(api.CancelOp(api.OpRecv, 9), 3)
			for _, tag := range []uint64{1, 1, 2} {
				t.AwaitRes(tag, ecanceled)
			}
			t.StillPending(3, 4, 5)
			t.Want(api.CancelOp(api.OpPoll, 9), 2)
			t.AwaitRes(3, ecanceled)
			t.AwaitRes(4, ecanceled)
			t.Want(api.CancelOp(api.OpTimeout, 9), 1)
			t.AwaitRes(5, ecanceled)

			start()
			both := func(fd int, code api.OpCode) api.Op {
				op := api.CancelFD(fd, 9).With(api.ByOp)
				op.Arg = uint32(code)
				return op
			}
			t.Want(both(a, api.OpTimeout), 0)
			t.Want(both(a, api.OpRecv), 2)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(1, ecanceled)
			t.Want(both(b, api.OpPoll), 1)
			t.AwaitRes(4, ecanceled)
			t.StillPending(2, 3, 5, 6)
			t.Want(both(-1, api.OpRecv), neg(unix.EBADF))
			t.Quiet()
		},
	},
	{
		ID: "CAN-17", Name: "any of each kind",
		Explanation: "CancelAny ends whatever waits, on any fd and on none, and counts it.",
		Requires:    bufferFeats | api.FeatMultishotAccept | api.FeatMultishotPoll,
		Ops:         chainOps | api.Ops(api.OpTimeout, api.OpAccept, api.OpPoll, api.OpRead),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			c, _ := t.Pair(false)
			t.SmallBuffers(a)
			t.Fill(a)
			l, _ := t.Listener()
			r, _ := t.Pipe(false)
			t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 8})
			for range 3 {
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2), api.Send(a, []byte("x"), 3), api.RecvMultishot(c, 1, 4),
					api.AcceptMultishot(l, 5), api.PollMultishot(a, api.PollPri, 6), api.Read(r, make([]byte, 1), api.CurrentPosition, 7), api.Timeout(farAway, 8))
				t.StillPending(1, 2, 3, 4, 5, 6, 7, 8)
				t.Submit(api.CancelAny(9))
				for tag := uint64(1); tag < 9; tag++ {
					t.AwaitRes(tag, ecanceled)
				}
				t.AwaitRes(9, 8)
			}
			t.Quiet()
		},
	},
	{
		ID: "CAN-18", Name: "by fd",
		Explanation: "With First CancelFD ends one operation and completes with 0, with ENOENT when there is none, and EBADF when the fd is not open.",
		Needs:       NeedStreams,
		Requires:    api.FeatCancelFD,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Want(api.CancelFD(a, 1).With(api.First), enoent)
			t.Want(api.CancelFD(-1, 1).With(api.First), neg(unix.EBADF))
			t.Submit(api.Recv(b, make([]byte, 1), 2), api.Recv(a, make([]byte, 1), 3), api.Recv(a, make([]byte, 1), 3), api.Recv(a, make([]byte, 1), 3))
			for range 3 {
				t.Submit(api.CancelFD(a, 1).With(api.First))
				t.AwaitRes(1, 0)
				t.AwaitRes(3, ecanceled)
				t.Quiet()
			}
			t.Want(api.CancelFD(a, 1).With(api.First), enoent)
			t.StillPending(2)
		},
	},
	{
		ID: "CAN-21", Name: "sockets",
		Explanation: "CancelSync returns when what it matches has ended: the completions are there, the buffers are the program's, and the fds can be closed.",
		Requires:    bufferFeats | api.FeatCancelFD | api.FeatMultishotAccept,
		Ops:         chainOps | api.Ops(api.OpAccept, api.OpPoll),
		Fn: func(t *T) {
			l, _ := t.Listener()
			t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 8})
			for range 20 {
				a, b := t.TCP(false)
				buf := []byte("mine")
				id := t.Submit(api.Recv(a, buf, 1), api.Recv(a, buf, 2), api.Poll(a, api.PollIn, 3), api.AcceptMultishot(l, 4))[0]
				t.StillPending(1, 2, 3, 4)
				t.cancelSync(api.Cancel(id, 0), 1, nil)
				t.wantThere(result{1, ecanceled})
				t.cancelSync(api.CancelFD(a, 0), 2, nil)
				t.wantThere(allOf(2, 3, ecanceled)...)
				t.Put(b, "data")
				t.WantBytes(buf, "mine")
				t.CloseNow(a)
				t.CloseNow(b)
				t.cancelSync(api.CancelOp(api.OpAccept, 0), 1, nil)
				t.wantThere(result{4, ecanceled})
			}
			t.cancelSync(api.CancelFD(-1, 0), 0, syscall.EBADF)
			t.cancelSync(api.CancelFD(l, 0), 0, nil)
			t.Quiet()
		},
	},
	{
		ID: "CAN-21", Name: "what else completes",
		Explanation: "What completes while CancelSync waits is kept for the next Complete, in its order, and loses nothing.",
		Needs:       NeedStreams,
		Requires:    bufferFeats | api.FeatCancelFD,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, _ := t.Pair(false)
			bufs := bytesFor(100, 1)
			for i := range bufs {
				t.Submit(api.Recv(a, bufs[i], uint64(i)))
			}
			t.Submit(api.Recv(c, make([]byte, 1), 100))
			t.StillPending(0, 100)
			t.Put(b, pattern(100))
			t.cancelSync(api.CancelFD(c, 0), 1, nil)
			for i := range bufs {
				t.AwaitRes(uint64(i), 1)
			}
			t.AwaitRes(100, ecanceled)
			t.WantBytes([]byte(join(bufs)), pattern(100))
		},
	},
	{
		ID: "CAN-24", Name: "each kind",
		Explanation: "When a cancel races with the end of an operation of any kind, that has one last completion, and the answer of the cancel agrees with it.",
		Requires:    api.FeatChains | api.FeatWaitAll,
		Ops:         linkTimeoutFileOps | api.Ops(api.OpPoll, api.OpAccept, api.OpRead, api.OpConnect),
		Fn:          raceCancels,
	},
}

// raceCancels lets cancels of all kinds race with what ends operations of all kinds.
func raceCancels(t *T) {
	const lanes, rounds = 10, 400
	l, addr := t.Listener()
	type lane struct{ a, b, sent, got int }
	var ls [lanes]lane
	for i := range ls {
		ls[i].a, ls[i].b = t.Pair(i%2 == 0)
	}
	stopped := 0
	for round := range rounds {
		var ids [lanes]api.OpID
		for i := range ls {
			fd := ls[i].a
			var op api.Op
			switch (round + i) % 6 {
			case 0:
				op = api.Recv(fd, make([]byte, 4), 0)
			case 1:
				op = api.Read(fd, make([]byte, 1), api.CurrentPosition, 0)
			case 2:
				op = api.Poll(fd, api.PollIn, 0)
			case 3:
				op = api.Timeout(time.Duration(rand.IntN(30))*time.Microsecond, 0).With(api.TimeoutOK)
			case 4:
				op = api.Accept(l, 0)
			case 5:
				op = api.Recv(fd, make([]byte, 2), 0).With(api.WaitAll)
			}
			op.Tag = uint64(i)
			ids[i] = t.Chain(op, api.LinkTimeout(farAway, uint64(100+i)), api.Nop(uint64(200+i)))[0]
		}
		t.Perform()
		for i := range ls {
			if rand.IntN(2) == 0 {
				t.Put(ls[i].b, "ab")
				ls[i].sent += 2
			}
			if (round+i)%60 == 4 {
				t.CloseNow(t.Dial(addr))
			}
		}
		if rand.IntN(4) == 0 {
			t.Perform()
		}
		for i, id := range ids {
			t.Submit(api.Cancel(id, uint64(300+i)))
		}
		for i := range ls {
			target, lt, next, answer := t.Await(uint64(i)), t.Await(uint64(100+i)), t.Await(uint64(200+i)), t.Await(uint64(300+i))
			if target.Res > 0 && (target.Code == api.OpRecv || target.Code == api.OpRead) {
				ls[i].got += int(target.Res)
			}
			// A receive with WaitAll that had half of what it was asked for has been cancelled, too.
			canceled := int(target.Res) == ecanceled || (round+i)%6 == 5 && target.Res == 1
			whole := !canceled && (target.Res >= 0 || target.Code == api.OpTimeout && int(target.Res) == etime)
			if canceled != (answer.Res == 0) || int(lt.Res) != ecanceled || whole != (next.Res == 0) || !canceled && !whole {
				t.Fatalf("the target gave %s, its LinkTimeout %s, what stands behind it %s, the cancel %s",
					show(&target), show(&lt), show(&next), show(&answer))
			}
			if canceled {
				stopped++
			}
			if target.Code == api.OpAccept && target.Res >= 0 {
				t.CloseNow(int(target.Res))
			}
		}
	}
	t.Quiet()
	for i, p := range ls {
		if left := p.sent - p.got; left > 0 {
			t.WantGet(p.a, t.tail(left))
		} else if left < 0 {
			t.Fatalf("lane %d has received %d bytes of %d", i, p.got, p.sent)
		}
	}
	t.Logf("%d of %d operations were stopped", stopped, lanes*rounds)
}

// tail is the last n bytes of ababab….
func (t *T) tail(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[n-1-i] = "ba"[i%2]
	}
	return string(b)
}
