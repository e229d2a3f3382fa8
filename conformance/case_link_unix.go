//go:build unix

package conformance

import (
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	chainFileOps = api.Ops(api.OpRead, api.OpWrite, api.OpNop)
	chainOps     = api.Ops(api.OpRecv, api.OpSend, api.OpNop, api.OpCancel)
)

var linkFileCases = []Case{
	{
		ID: "LNK-1", Name: "write then read",
		Explanation: "An operation behind a Link starts only when the one before has succeeded.",
		Requires:    api.FeatChains,
		Ops:         chainFileOps,
		Fn: func(t *T) {
			f := t.File("")
			bufs := bytesFor(20, 8)
			for round := range 20 {
				var ops []api.Op
				var want []string
				for i, buf := range bufs {
					want = append(want, fmt.Sprintf("%03d, %03d", round, i))
					ops = append(ops, api.Write(f, []byte(want[i]), 0, uint64(2*i)), api.Read(f, buf, 0, uint64(2*i+1)))
				}
				t.Chain(ops...)
				t.Sequence(allOf(0, uint64(len(ops)-1), 8)...)
				for i, buf := range bufs {
					t.WantBytes(buf, want[i])
				}
			}
		},
	},
	{
		ID: "LNK-1", Name: "a hundred at one file",
		Explanation: "A long chain is performed one by one: each write at the current position finds the file as the one before has left it.",
		Requires:    api.FeatChains,
		Ops:         chainFileOps,
		Fn: func(t *T) {
			f := t.File("")
			var ops []api.Op
			for i := range uint64(100) {
				ops = append(ops, api.Write(f, []byte{byte('a' + i%26)}, int64(i), i).With(api.Link))
			}
			buf := make([]byte, 100)
			t.Submit(append(ops, api.Read(f, buf, 0, 100))...)
			t.Sequence(append(allOf(0, 99, 1), result{100, 100})...)
			for i, c := range buf {
				if c != byte('a'+i%26) {
					t.Fatalf("the file is %s", quote(string(buf)))
				}
			}
		},
	},
	{
		ID: "LNK-1", Name: "receive, then send what has come",
		Explanation: "What stands behind an operation that waits does not start before that has ended.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         chainOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				c, d := t.Pair(false)
				buf := make([]byte, 4)
				t.Chain(api.Recv(a, buf, 1), api.Send(c, buf, 2), api.Nop(3))
				t.StillPending(1, 2, 3)
				t.Put(b, "data")
				t.Sequence(result{1, 4}, result{2, 4}, result{3, 0})
				t.WantGet(d, "data")
			})
		},
	},
	{
		ID: "LNK-1", Name: "through many hands",
		Explanation: "A chain goes over any number of fds: each receive waits for what the send before it brings about.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         chainOps,
		Fn: func(t *T) {
			type stage struct{ in, out int }
			var stages []stage
			for range 30 {
				in, out := t.Pair(len(stages)%2 == 0)
				stages = append(stages, stage{in, out})
			}
			data := pattern(100)
			bufs := bytesFor(len(stages), len(data))
			ops := []api.Op{api.Send(stages[0].in, []byte(data), 0)}
			for i, s := range stages {
				ops = append(ops, api.Recv(s.out, bufs[i], uint64(2*i+1)))
				if i+1 < len(stages) {
					ops = append(ops, api.Send(stages[i+1].in, bufs[i], uint64(2*i+2)))
				}
			}
			t.Chain(ops...)
			t.Sequence(allOf(0, uint64(len(ops)-1), len(data))...)
			for _, b := range bufs {
				t.WantBytes(b, data)
			}
		},
	},
	{
		ID: "LNK-2", Name: "the first fails",
		Explanation: "When an operation of a chain fails, all that follow complete with ErrCanceled, in order, and do nothing.",
		Requires:    api.FeatChains | api.FeatDontWait,
		Ops:         chainOps | chainFileOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			f := t.File("as it was")
			for _, bad := range []struct {
				op  api.Op
				res int
			}{
				{api.Recv(-1, make([]byte, 1), 1), neg(unix.EBADF)},
				{api.Recv(f, make([]byte, 1), 1), neg(unix.ENOTSOCK)},
				{api.Read(f, make([]byte, 1), -2, 1), neg(unix.EINVAL)},
				{api.Recv(a, make([]byte, 1), 1).With(api.DontWait), neg(unix.EAGAIN)},
				{api.Cancel(0, 1), enoent},
			} {
				// A HardLink behind the failure does not help.
				t.Submit(bad.op.With(api.Link), api.Send(a, []byte("x"), 2).With(api.HardLink),
					api.Write(f, []byte("changed"), 0, 3).With(api.Link), api.Nop(4))
				t.Sequence(append([]result{{1, bad.res}}, allOf(2, 4, ecanceled)...)...)
			}
			t.Want(api.Send(a, []byte("end"), 5), 3)
			t.WantGet(b, "end")
			buf := make([]byte, 9)
			t.Want(api.Read(f, buf, 0, 6), 9)
			t.WantBytes(buf, "as it was")
		},
	},
	{
		ID: "LNK-2", Name: "one in the middle fails",
		Explanation: "Those before an operation that fails have been performed, those behind it are not.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for at := range uint64(5) {
				var ops []api.Op
				var want []result
				sent := ""
				for i := range uint64(5) {
					s := string(rune('A' + i))
					switch {
					case i < at:
						want = append(want, result{i, 1})
						sent += s
					case i == at:
						ops = append(ops, api.Send(-1, []byte(s), i))
						want = append(want, result{i, neg(unix.EBADF)})
						continue
					default:
						want = append(want, result{i, ecanceled})
					}
					ops = append(ops, api.Send(a, []byte(s), i))
				}
				t.Chain(ops...)
				t.Sequence(want...)
				t.Put(a, "|")
				t.WantGet(b, sent+"|")
			}
		},
	},
	{
		ID: "LNK-3", Name: "error, short read, cancel",
		Explanation: "A chain goes on behind an operation with HardLink when that has failed, was short, or was cancelled.",
		Requires:    api.FeatChains | api.FeatCancelFD,
		Ops:         chainOps | chainFileOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			f := t.File("abc")
			t.Submit(linked(api.HardLink, api.Recv(-1, nil, 1), api.Read(f, make([]byte, 8), 0, 2), api.Read(f, make([]byte, 8), 3, 3),
				api.Send(f, []byte("x"), 4), api.Recv(a, make([]byte, 1), 5), api.Send(a, []byte("after"), 6))...)
			t.Sequence(result{1, neg(unix.EBADF)}, result{2, 3}, result{3, 0}, result{4, neg(unix.ENOTSOCK)})
			t.StillPending(5, 6)
			t.Want(api.CancelFD(a, 7), 1)
			t.Sequence(result{5, ecanceled}, result{6, 5})
			t.WantGet(b, "after")
		},
	},
	{
		ID: "LNK-5", Name: "read and write",
		Explanation: "A read or write that moves less than it was asked for, at the end of the file too, breaks a chain.",
		Requires:    api.FeatChains,
		Ops:         chainFileOps | api.Ops(api.OpReadv, api.OpWritev),
		Fn: func(t *T) {
			f := t.File("abc")
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			r, w := t.Pipe(false)
			big := t.zeros(8 << 20)
			for i, c := range []struct {
				op    api.Op
				whole bool
			}{
				{api.Read(f, make([]byte, 3), 0, 1), true},
				{api.Read(f, make([]byte, 4), 0, 1), false},
				{api.Read(f, make([]byte, 1), 3, 1), false},
				{api.Read(f, nil, 3, 1), true},
				{api.Readv(f, &api.Msg{Bufs: bytesFor(3, 1)}, 0, 1), true},
				{api.Readv(f, &api.Msg{Bufs: bytesFor(2, 2)}, 0, 1), false},
				{api.Readv(f, &api.Msg{Bufs: bytesFor(2, 2)}, 3, 1), false},
				{api.Readv(f, &api.Msg{}, 3, 1), true},
				{api.Write(f, []byte("xyz"), 0, 1), true},
				{api.Writev(f, &api.Msg{Bufs: bytesFor(2, 2)}, 0, 1), true},
				{api.Write(a, big, api.CurrentPosition, 1), false},
				{api.Write(w, []byte("pipe"), api.CurrentPosition, 1), true},
				{api.Read(r, make([]byte, 10), api.CurrentPosition, 1), false},
			} {
				t.Chain(c.op, api.Nop(2))
				first := t.Await(1)
				if first.Res < 0 {
					t.Fatalf("%d: got %s", i, show(&first))
				}
				want := ecanceled
				if c.whole {
					want = 0
				}
				if next := t.Await(2); int(next.Res) != want {
					t.Fatalf("%d: behind %s came %s", i, show(&first), show(&next))
				}
			}
			a, b = t.Pair(false)
			t.SmallBuffers(a, b)
			t.Chain(api.Writev(a, &api.Msg{Bufs: [][]byte{big}}, api.CurrentPosition, 1), api.Nop(2))
			if c := t.Await(1); c.Res <= 0 || int(c.Res) >= len(big) {
				t.Fatalf("a writev of 8 MiB gave %s", show(&c))
			}
			t.AwaitRes(2, ecanceled)
		},
	},
	{
		ID: "LNK-6", Name: "short receive and send",
		Explanation: "A receive or send that moves less than it was asked for, nothing at the end of a stream too, does not break a chain.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         chainOps | api.Ops(api.OpRecvMsg, api.OpSendMsg),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				t.NoRoom(a, b)
				msg := func() *api.Msg { return &api.Msg{Bufs: bytesFor(2, 10)} }
				t.Put(a, "abc")
				t.Chain(api.Recv(b, make([]byte, 10), 1), api.Nop(2))
				t.Sequence(result{1, 3}, result{2, 0})
				t.Put(a, "abc")
				t.Chain(api.RecvMsg(b, msg(), 1), api.Nop(2))
				t.Sequence(result{1, 3}, result{2, 0})
				big := t.zeros(8 << 20)
				for _, op := range []api.Op{api.Send(a, big, 1), api.SendMsg(b, &api.Msg{Bufs: [][]byte{big}}, 1)} {
					t.Chain(op, api.Nop(2))
					if c := t.Await(1); c.Res <= 0 || int(c.Res) >= len(big) {
						t.Fatalf("a send of 8 MiB gave %s", show(&c))
					}
					t.AwaitRes(2, 0)
				}
				c, d := t.Pair(false)
				t.CloseNow(d)
				t.Chain(api.Recv(c, make([]byte, 10), 1), api.RecvMsg(c, msg(), 2), api.Nop(3))
				t.Sequence(allOf(1, 3, 0)...)
			})
		},
	},
	{
		ID: "LNK-6", Name: "short receive and send with WaitAll",
		Explanation: "A receive or send with WaitAll that moves less than it was asked for breaks a chain.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatWaitAll | api.FeatDeadlines,
		Ops:         chainOps | api.Ops(api.OpRecvMsg, api.OpSendMsg),
		Fn: func(t *T) {
			for _, op := range []func(fd int) api.Op{
				func(fd int) api.Op { return api.Recv(fd, make([]byte, 6), 1) },
				func(fd int) api.Op { return api.RecvMsg(fd, &api.Msg{Bufs: bytesFor(2, 3)}, 1) },
			} {
				a, b := t.TCP(false)
				t.Put(b, "abcdef")
				t.Chain(op(a).With(api.WaitAll), api.Nop(2))
				t.Sequence(result{1, 6}, result{2, 0})
				t.Put(b, "abc")
				t.EndWrites(b)
				t.Chain(op(a).With(api.WaitAll), api.Nop(2))
				t.Sequence(result{1, 3}, result{2, ecanceled})
				t.Chain(op(a).With(api.WaitAll), api.Nop(2))
				t.Sequence(result{1, 0}, result{2, ecanceled})
			}
			// MSG_WAITALL means the same.
			a, b := t.Pair(false)
			t.Put(b, "abc")
			t.CloseNow(b)
			op := api.Recv(a, make([]byte, 6), 1)
			op.Arg = unix.MSG_WAITALL
			t.Chain(op, api.Nop(2))
			t.Sequence(result{1, 3}, result{2, ecanceled})
			big := t.zeros(8 << 20)
			for _, op := range []func(fd int) api.Op{
				func(fd int) api.Op { return api.Send(fd, big, 1) },
				func(fd int) api.Op { return api.SendMsg(fd, &api.Msg{Bufs: [][]byte{big}}, 1) },
			} {
				a, b := t.Pair(false)
				t.SmallBuffers(a, b)
				t.Chain(op(a).With(api.WaitAll).Until(soon()), api.Nop(2))
				if c := t.Await(1); c.Res <= 0 || int(c.Res) >= len(big) {
					t.Fatalf("a send of 8 MiB with a deadline gave %s", show(&c))
				}
				t.AwaitRes(2, ecanceled)
			}
		},
	},
	{
		ID: "LNK-7", Name: "datagram and control data",
		Explanation: "A recvmsg with WaitAll breaks a chain when it has MSG_TRUNC or MSG_CTRUNC, one without does not.",
		Requires:    api.FeatChains | api.FeatWaitAll,
		Ops:         api.Ops(api.OpRecvMsg, api.OpNop),
		Fn: func(t *T) {
			r, _ := t.Pipe(false)
			for _, all := range []bool{false, true} {
				want, f := 0, api.OpFlags(0)
				if all {
					want, f = ecanceled, api.WaitAll
				}
				a, b := t.Dgrams()
				m := &api.Msg{Bufs: bytesFor(1, 4)}
				t.Put(b, "whole")
				t.Put(b, "four")
				t.Chain(api.RecvMsg(a, m, 1).With(f), api.Nop(2))
				t.Sequence(result{1, 4}, result{2, want})
				if m.Flags&unix.MSG_TRUNC == 0 {
					t.Errorf("Flags is %#x", m.Flags)
				}
				t.Chain(api.RecvMsg(a, m, 1).With(f), api.Nop(2))
				t.Sequence(result{1, 4}, result{2, 0})

				c, d := t.Pair(false)
				t.must("sendmsg", unix.Sendmsg(d, []byte("four"), unix.UnixRights(r), nil, 0))
				t.Chain(api.RecvMsg(c, m, 1).With(f), api.Nop(2))
				t.Sequence(result{1, 4}, result{2, want})
				if m.Flags&unix.MSG_CTRUNC == 0 {
					t.Errorf("Flags is %#x", m.Flags)
				}
			}
		},
	},
	{
		ID: "LNK-9", Name: "nothing is performed",
		Explanation: "An operation that is wrong by itself has its own error, all others of its chain have ErrCanceled, and none is performed.",
		Requires:    api.FeatChains,
		Ops:         chainOps | chainFileOps | api.Ops(api.OpRecvMsg, api.OpTimeout),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			f := t.File("as it was")
			bad := wrong()
			bad = append(bad, []struct {
				op  api.Op
				res int
			}{
				{api.RecvMsg(a, nil, 0), neg(unix.EFAULT)},
				{api.Read(f, make([]byte, 1), -2, 0), neg(unix.EINVAL)},
				{api.Recv(a, make([]byte, 1), 0).With(api.Multishot), neg(unix.EINVAL)},
				{api.Send(a, make([]byte, 1), 0).With(api.EOF), neg(unix.EINVAL)},
			}...)
			for _, w := range bad {
				w.op.Tag = 3
				t.Submit(linked(api.HardLink, api.Write(f, []byte("changed"), 0, 1), api.Recv(a, make([]byte, 1), 2), w.op, api.Send(a, []byte("x"), 4))...)
				t.Sequence(result{1, ecanceled}, result{2, ecanceled}, result{3, w.res}, result{4, ecanceled})
			}
			t.Quiet()
			t.Put(a, "end")
			t.WantGet(b, "end")
			buf := make([]byte, 9)
			t.Want(api.Read(f, buf, 0, 6), 9)
			t.WantBytes(buf, "as it was")
		},
	},
	{
		ID: "LNK-10", Name: "one that waits",
		Explanation: "Cancelling the operation of a chain that is in flight ends it and all behind it with ErrCanceled.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         chainOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				ids := t.Chain(api.Nop(1), api.Recv(a, make([]byte, 1), 2), api.Send(a, []byte("x"), 3), api.Nop(4))
				t.AwaitRes(1, 0)
				t.StillPending(2, 3, 4)
				t.Submit(api.Cancel(ids[1], 5))
				t.AwaitRes(2, ecanceled)
				t.AwaitRes(5, 0)
				t.Sequence(allOf(3, 4, ecanceled)...)
				t.Put(a, "end")
				t.WantGet(b, "end")
			})
		},
	},
	{
		ID: "LNK-10", Name: "one that waits for its turn on its fd, or was just submitted",
		Explanation: "Cancelling the head of a chain ends it and all behind it, also when it is behind others on its fd, or in the same batch.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatOrdered,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1))
			for _, look := range []bool{true, false} {
				id := t.Chain(api.Recv(a, make([]byte, 1), 2), api.Nop(3), api.Nop(4))[0]
				if look {
					t.StillPending(1, 2, 3, 4)
				}
				t.Submit(api.Cancel(id, 5))
				t.AwaitRes(5, 0)
				t.Sequence(allOf(2, 4, ecanceled)...)
			}
			t.Put(b, "x")
			t.AwaitRes(1, 1)
		},
	},
	{
		ID: "LNK-11", Name: "behind another",
		Explanation: "A cancel does not find what waits behind another of its chain: it completes with ENOENT, and the chain goes on.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			buf := make([]byte, 1)
			ids := t.Chain(api.Recv(a, buf, 1), api.Send(a, buf, 2), api.Nop(3))
			t.StillPending(1, 2, 3)
			for _, id := range ids[1:] {
				t.Want(api.Cancel(id, 4), enoent)
			}
			t.StillPending(1, 2, 3)
			t.Put(b, "x")
			t.Sequence(result{1, 1}, result{2, 1}, result{3, 0})
			t.WantGet(b, "x")
		},
	},
	{
		ID: "LNK-13", Name: "over sockets and files",
		Explanation: "The completions of a chain come in its order, also when it breaks.",
		Requires:    api.FeatChains,
		Ops:         chainOps | chainFileOps,
		Fn: func(t *T) {
			f := t.File("abc")
			type pair struct{ a, b int }
			var pairs []pair
			var ops []api.Op
			for i := range uint64(20) {
				a, b := t.Pair(false)
				pairs = append(pairs, pair{a, b})
				n := 3 + int(i%2) // a read of 4 bytes is short
				ops = append(ops, linked(api.Link, api.Nop(i<<8), api.Recv(a, make([]byte, 1), i<<8+1), api.Read(f, make([]byte, n), 0, i<<8+2),
					api.Send(a, []byte("x"), i<<8+3), api.Nop(i<<8+4))...)
			}
			t.Submit(ops...)
			for _, p := range pairs {
				t.Put(p.b, "x")
			}
			next := map[uint64]uint64{}
			for range ops {
				c := t.One()
				chain, at := c.Tag>>8, c.Tag&0xff
				if at != next[chain] || (at > 2 && chain%2 == 1) != (int(c.Res) == ecanceled) {
					t.Fatalf("of the chain %d came %s when it was the turn of %d", chain, show(&c), next[chain])
				}
				next[chain]++
			}
		},
	},
	{
		ID: "LNK-14", Name: "while it waits in a chain",
		Explanation: "The Deadline of an operation that waits behind another ends it with os.ErrDeadlineExceeded and all behind it with ErrCanceled; those before go on.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatDeadlines,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			at := soon()
			t.Chain(api.Recv(a, make([]byte, 1), 1), api.Nop(2).With(api.HardLink), api.Send(a, []byte("x"), 3).With(api.HardLink).Until(at), api.Nop(4), api.Nop(5).Until(1<<62))
			t.AwaitRes(3, etime)
			t.wantPassed(at)
			t.Sequence(allOf(4, 5, ecanceled)...)
			t.StillPending(1, 2)
			t.Put(b, "y")
			t.Sequence(result{1, 1}, result{2, 0})
			t.Quiet()
		},
	},
	{
		ID: "LNK-14", Name: "when its turn has come",
		Explanation: "The Deadline of an operation in a chain holds when its turn has come, too, and has no effect once it has ended.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatDeadlines,
		Ops:         chainOps | timeoutOps,
		Fn: func(t *T) {
			for ahead := soonTime; ; ahead *= 4 { // a busy machine may not get to the chain before the deadline
				a, b := t.Pair(false)
				t.Put(b, "x")
				at := api.After(ahead)
				t.Chain(api.Nop(1), api.Recv(a, make([]byte, 1), 2).Until(at), api.Recv(a, make([]byte, 1), 3).Until(at), api.Nop(4).Until(api.After(farAway)))
				cs := t.Wait(4)
				t.wantPassed(at)
				if late := slices.ContainsFunc(cs, func(c api.Completion) bool { return c.Tag == 2 && c.Res != 1 }); late && ahead < t.timeout/16 {
					continue
				}
				t.stash = append(cs, t.stash...)
				t.Sequence(result{1, 0}, result{2, 1}, result{3, etime}, result{4, ecanceled})
				break
			}
			t.Chain(api.Nop(1), api.Timeout(farAway, 2).Until(soon()), api.Nop(3))
			t.Sequence(result{1, 0}, result{2, etime}, result{3, ecanceled})
			t.Quiet()
		},
	},
	{
		ID: "LNK-15", Name: "close of the fd",
		Explanation: "Closing an fd ends the operations on it that wait in chains, and all behind them, with ErrCanceled; those before go on.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatSafeClose,
		Ops:         chainOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.Chain(api.Recv(a, make([]byte, 1), 1), api.Nop(2), api.Send(c, []byte("x"), 3), api.Send(a, []byte("y"), 4))
			t.StillPending(1, 2, 3, 4)
			t.Submit(api.Close(c, 5))
			t.Sequence(append(allOf(3, 4, ecanceled), result{5, 0})...)
			t.WantEnd(d)
			t.StillPending(1, 2)
			t.Put(b, "z")
			t.Sequence(result{1, 1}, result{2, 0})
			t.Put(a, "end")
			t.WantGet(b, "end")
		},
	},
	{
		ID: "LNK-15", Name: "close of the fd of a whole chain",
		Explanation: "What stands behind a HardLink on the same fd ends with ErrCanceled, too, and no operation reaches a new file with its number.",
		Requires:    api.FeatChains | api.FeatSafeClose,
		Ops:         chainOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			for range 20 {
				a, _ := t.Pair(false)
				t.Submit(api.Recv(a, make([]byte, 1), 1).With(api.HardLink), api.Send(a, []byte("x"), 2).With(api.HardLink), api.Nop(3))
				t.StillPending(1, 2, 3)
				t.Submit(api.Close(a, 4))
				t.Sequence(append(allOf(1, 3, ecanceled), result{4, 0})...)
			}
		},
	},
	{
		ID: "LNK-15", Name: "close in the same chain",
		Explanation: "A Close in a chain is performed in its turn, and ends what stands behind it on the same fd.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatSafeClose,
		Ops:         chainOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Chain(api.Send(a, []byte("bye"), 1), api.Close(a, 2), api.Nop(3))
			t.Sequence(result{1, 3}, result{2, 0}, result{3, 0})
			t.WantGet(b, "bye")
			t.WantEnd(b)
			a, b = t.Pair(false)
			t.Submit(api.Nop(1).With(api.Link), api.Close(a, 2).With(api.HardLink), api.Nop(3).With(api.HardLink), api.Send(a, []byte("x"), 4).With(api.HardLink), api.Nop(5))
			for tag, res := range map[uint64]int{1: 0, 2: 0, 3: 0, 4: ecanceled, 5: ecanceled} {
				t.AwaitRes(tag, res)
			}
			t.WantEnd(b)
		},
	},
	{
		ID: "LNK-16", Name: "multishot accept",
		Explanation: "What stands behind a multishot operation starts after the last completion of that.",
		Requires:    api.FeatChains | api.FeatMultishotAccept,
		Ops:         chainOps | api.Ops(api.OpAccept),
		Fn: func(t *T) {
			for _, f := range []api.OpFlags{api.Link, api.HardLink} {
				l, addr := t.Listener()
				id := t.Submit(api.AcceptMultishot(l, 1).With(f), api.Nop(2))[0]
				for range 3 {
					t.Dial(addr)
					if c := t.Await(1); c.Res < 0 || !c.More() {
						t.Fatalf("got %s", show(&c))
					}
				}
				t.StillPending(2)
				t.Submit(api.Cancel(id, 3))
				t.AwaitRes(3, 0)
				want := ecanceled
				if f == api.HardLink {
					want = 0
				}
				t.Sequence(result{1, ecanceled}, result{2, want})
			}
		},
	},
	{
		ID: "LNK-16", Name: "multishot receive and poll",
		Explanation: "A multishot receive that ends with its stream lets the chain go on, a multishot poll in a chain reports until it is cancelled.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | bufferFeats | api.FeatMultishotPoll,
		Ops:         chainOps | api.Ops(api.OpPoll),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Group(api.BufferGroupOptions{ID: 1, Count: 8, Size: 8})
			t.Chain(api.RecvMultishot(a, 1, 1), api.Send(a, []byte("x"), 2))
			for range 3 {
				t.Put(b, "data")
				t.WantBuffer(1, "data")
			}
			t.StillPending(2)
			t.EndWrites(b)
			t.Sequence(result{1, 0}, result{2, 1})
			t.WantGet(b, "x")

			c, d := t.Pair(false)
			id := t.Chain(api.PollMultishot(c, api.PollIn, 3), api.Nop(4))[0]
			t.Put(d, "x")
			if c := t.Await(3); c.Res <= 0 || !c.More() {
				t.Fatalf("got %s", show(&c))
			}
			t.StillPending(4)
			t.Submit(api.Cancel(id, 5))
			t.AwaitRes(5, 0)
			t.AwaitRes(4, ecanceled)
		},
	},
	{
		ID: "LNK-17", Name: "each kind with a file",
		Explanation: "Every operation can be part of a chain.",
		Requires:    api.FeatChains | api.FeatSafeClose,
		Ops: chainOps | chainFileOps | api.Ops(api.OpAccept, api.OpConnect, api.OpPoll, api.OpFsync, api.OpShutdown, api.OpClose,
			api.OpReadv, api.OpWritev, api.OpRecvMsg, api.OpSendMsg),
		Fn: func(t *T) {
			f := t.File("abc")
			l, addr := t.Listener()
			fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			t.Chain(api.Poll(f, api.PollIn, 1), api.Read(f, make([]byte, 3), 0, 2), api.Write(f, []byte("def"), 3, 3), api.Fsync(f, 4),
				api.Readv(f, &api.Msg{Bufs: bytesFor(2, 3)}, 0, 5), api.Writev(f, &api.Msg{Bufs: bytesFor(2, 3)}, 0, 6),
				api.Connect(fd, ipMsg(addr), 7), api.Accept(l, 8), api.Send(fd, []byte("abc"), 9),
				api.SendMsg(fd, &api.Msg{Bufs: bytesFor(3, 1)}, 10), api.Shutdown(fd, api.ShutWrite, 11), api.Close(fd, 12), api.Nop(13))
			for tag, res := range []int{api.PollIn, 3, 3, 0, 6, 6, 0, -1, 3, 3, 0, 0, 0} {
				if c := t.One(); int(c.Tag) != tag+1 || res >= 0 && int(c.Res) != res || c.Res < 0 {
					t.Fatalf("instead of the completion %d came %s", tag+1, show(&c))
				} else if res < 0 {
					fd = int(c.Res)
				}
			}
			t.Chain(api.Recv(fd, make([]byte, 3), 1), api.RecvMsg(fd, &api.Msg{Bufs: bytesFor(1, 4)}, 2), api.Recv(fd, make([]byte, 1), 3), api.Close(fd, 4), api.Nop(5))
			t.Sequence(result{1, 3}, result{2, 3}, result{3, 0}, result{4, 0}, result{5, 0})
		},
	},
	{
		ID: "LNK-18", Name: "sends",
		Explanation: "An operation of a chain takes its place in the order of its fd when its turn has come.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatOrdered,
		Ops:         chainOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				for range 50 {
					ops := linked(api.Link, api.Send(a, []byte("A"), 1), api.Send(a, []byte("B"), 2), api.Send(a, []byte("C"), 3))
					t.Submit(append(ops, api.Send(a, []byte("x"), 4))...)
					for tag := range uint64(4) {
						t.AwaitRes(tag+1, 1)
					}
					t.WantGet(b, "AxBC")
				}
			})
		},
	},
	{
		ID: "LNK-18", Name: "receives",
		Explanation: "A receive behind a chain's head does not wait for the rest of the chain.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatOrdered,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			bufs := bytesFor(3, 1)
			t.Submit(api.Recv(a, bufs[0], 1).With(api.Link), api.Recv(a, bufs[1], 2), api.Recv(a, bufs[2], 3))
			t.StillPending(1, 2, 3)
			t.Put(b, "ABC")
			for tag := range uint64(3) {
				t.AwaitRes(tag+1, 1)
			}
			if got := join(bufs); got != "ACB" {
				t.Errorf("the receives got %s, want ACB", got)
			}
		},
	},
}
