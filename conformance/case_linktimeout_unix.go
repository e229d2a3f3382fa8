//go:build unix

package conformance

import (
	"math/rand/v2"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var linkTimeoutFileOps = linkTimeoutOps | streamOps

var linkTimeoutFileCases = []Case{
	{
		ID: "LTO-1", Name: "each kind that waits",
		Explanation: "A LinkTimeout ends whatever waits, with ErrCanceled, and completes with ETIME.",
		Requires:    api.FeatChains,
		Ops:         linkTimeoutFileOps | api.Ops(api.OpRead, api.OpRecvMsg, api.OpAccept, api.OpPoll, api.OpConnect),
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			full, _ := t.Pair(false)
			t.Fill(full)
			r, _ := t.Pipe(false)
			l, _ := t.Listener()
			busy, path := t.fullBacklog()
			defer t.letGo(busy)
			start := api.Now()
			ops := []api.Op{
				api.Recv(a, make([]byte, 1), 0), api.Send(full, make([]byte, 1), 1), api.Read(r, make([]byte, 1), api.CurrentPosition, 2),
				api.RecvMsg(full, &api.Msg{Bufs: bytesFor(1, 1)}, 3), api.Accept(l, 4), api.Poll(a, api.PollIn, 5),
				api.Connect(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), pathMsg(path), 6),
			}
			for _, op := range ops {
				t.Chain(op, api.LinkTimeout(10*lookTime, op.Tag+100))
			}
			for _, op := range ops {
				t.AwaitRes(op.Tag, ecanceled)
				t.AwaitRes(op.Tag+100, etime)
			}
			t.wantPassed(start.Add(20 * time.Millisecond))
			t.Quiet()
		},
	},
	{
		ID: "LTO-1", Name: "bytes that have been moved",
		Explanation: "An operation that had moved bytes when its LinkTimeout fired completes with their number, and the LinkTimeout with ETIME.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatWaitAll,
		Ops:         linkTimeoutFileOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Put(b, "abc")
				buf := make([]byte, 10)
				t.Chain(api.Recv(a, buf, 1).With(api.WaitAll), api.LinkTimeout(10*lookTime, 2), api.Nop(3))
				t.AwaitRes(1, 3)
				t.AwaitRes(2, etime)
				t.AwaitRes(3, ecanceled)
				t.WantBytes(buf[:3], "abc")
				t.Put(b, "x")
				t.Want(api.Recv(a, buf, 4), 1)
			})
		},
	},
	{
		ID: "LTO-1", Name: "multishot",
		Explanation: "A LinkTimeout ends a multishot operation, after what that has delivered.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | bufferFeats,
		Ops:         linkTimeoutFileOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 8})
			t.Put(b, "data") // it must be there in time, on a busy machine too
			t.Chain(api.RecvMultishot(a, 1, 1), api.LinkTimeout(40*time.Millisecond, 2))
			t.WantBuffer(1, "data")
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, etime)
		},
	},
	{
		ID: "LTO-2", Name: "data that has come",
		Explanation: "When its operation ends first a LinkTimeout completes with ErrCanceled, and has no effect later, on the next operation in the same slot either.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         linkTimeoutFileOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 2 },
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				start := api.Now()
				t.Chain(api.Recv(a, make([]byte, 1), 1), api.LinkTimeout(5*lookTime, 2))
				t.Put(b, "x")
				t.AwaitRes(1, 1)
				t.AwaitRes(2, ecanceled)
				t.Submit(api.Recv(a, make([]byte, 1), 3), api.Recv(a, make([]byte, 1), 4))
				t.pull(1, start.Add(5*lookTime+time.Millisecond))
				t.StillPending(3, 4)
				t.Put(b, "xy")
				t.AwaitRes(3, 1)
				t.AwaitRes(4, 1)
			})
		},
	},
	{
		ID: "LTO-5", Name: "receive in a chain",
		Explanation: "The time of a LinkTimeout counts from when its operation has started: what comes in time is received, however long the chain has waited before.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         linkTimeoutFileOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.Chain(api.Recv(a, make([]byte, 1), 1), api.Recv(c, make([]byte, 1), 2), api.LinkTimeout(200*time.Millisecond, 3), api.Nop(4))
			t.pull(1, api.After(210*time.Millisecond))
			t.StillPending(1, 2, 3, 4)
			t.Put(d, "y")
			t.Put(b, "x")
			t.Sequence(result{1, 1}, result{2, 1}, result{3, ecanceled}, result{4, 0})
		},
	},
	{
		ID: "LTO-6", Name: "by fd, close",
		Explanation: "A LinkTimeout ends with ErrCanceled when its operation is ended by a cancel of its fd, a close or a deadline.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatCancelFD | api.FeatSafeClose | api.FeatDeadlines,
		Ops:         linkTimeoutFileOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.Chain(api.Recv(a, make([]byte, 1), 1), api.LinkTimeout(farAway, 2))
			t.Want(api.CancelFD(a, 3), 1)
			t.Sequence(result{1, ecanceled}, result{2, ecanceled})
			t.Chain(api.Recv(a, make([]byte, 1), 1).Until(soon()), api.LinkTimeout(farAway, 2))
			t.Sequence(result{1, etime}, result{2, ecanceled})
			t.Chain(api.Recv(a, make([]byte, 1), 1), api.LinkTimeout(farAway, 2), api.Nop(3))
			t.Submit(api.Close(a, 4))
			t.Sequence(append(allOf(1, 3, ecanceled), result{4, 0})...)
			t.Quiet()
		},
	},
	{
		ID: "LTO-7", Name: "behind others on the fd",
		Explanation: "A LinkTimeout fires also while its operation waits for its turn on its fd, from when it was taken up.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatOrdered,
		Ops:         linkTimeoutFileOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			bufs := bytesFor(3, 1)
			start := api.Now()
			t.Submit(api.Recv(a, bufs[0], 1), api.Recv(a, bufs[1], 2).With(api.Link), api.LinkTimeout(10*time.Millisecond, 3), api.Recv(a, bufs[2], 4))
			t.AwaitRes(2, ecanceled)
			t.wantPassed(start.Add(10 * time.Millisecond))
			t.AwaitRes(3, etime)
			t.StillPending(1, 4)
			t.Put(b, "AB")
			t.AwaitRes(1, 1)
			t.AwaitRes(4, 1)
			t.WantBytes([]byte(join(bufs)), "A\x00B")
		},
	},
	{
		ID: "LTO-8", Name: "races with data",
		Explanation: "When a LinkTimeout races with data each operation has one completion, the two agree, and no byte is lost.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains | api.FeatWaitAll,
		Ops:         linkTimeoutFileOps,
		Fn: func(t *T) {
			const rounds = 2000
			a, b := t.TCP(false)
			fired := 0
			for i := range rounds {
				buf := []byte{0xff}
				op := api.Recv(a, buf, 1)
				if i%2 == 1 {
					op.Flags |= api.WaitAll
				}
				t.Chain(op, api.LinkTimeout(time.Duration(rand.IntN(40))*time.Microsecond, 2))
				t.Perform()
				t.Put(b, string([]byte{byte(i)}))
				target, lt := t.Await(1), t.Await(2)
				switch {
				case target.Res == 1 && int(lt.Res) != etime:
				case int(target.Res) == ecanceled && int(lt.Res) == etime:
					fired++
					t.Want(api.Recv(a, buf, 3), 1)
				default:
					t.Fatalf("the receive gave %s, the LinkTimeout %s", show(&target), show(&lt))
				}
				if buf[0] != byte(i) {
					t.Fatalf("round %d received %d", i, buf[0])
				}
			}
			t.Quiet()
			t.Logf("%d of %d receives ran out of time", fired, rounds)
		},
	},
	{
		ID: "LTO-8", Name: "many at a time",
		Explanation: "Any number of LinkTimeouts race with data, and no byte is lost or comes twice.",
		Needs:       NeedStreams,
		Requires:    api.FeatChains,
		Ops:         linkTimeoutFileOps,
		Fn: func(t *T) {
			type pair struct{ a, b, sent, got int }
			pairs := make([]pair, 50)
			bufs := bytesFor(len(pairs), 4)
			for i := range pairs {
				pairs[i].a, pairs[i].b = t.Pair(i%2 == 0)
			}
			for range 20 {
				for i, p := range pairs {
					t.Chain(api.Recv(p.a, bufs[i], uint64(i)), api.LinkTimeout(time.Duration(rand.IntN(200))*time.Microsecond, uint64(1000+i)), api.Nop(uint64(2000+i)))
				}
				for i := range pairs {
					if n := rand.IntN(3); n > 0 {
						t.Put(pairs[i].b, pattern(n))
						pairs[i].sent += n
					}
					t.Perform()
				}
				for i := range pairs {
					target, lt, next := t.Await(uint64(i)), t.Await(uint64(1000+i)), t.Await(uint64(2000+i))
					if ok := target.Res > 0; ok != (next.Res == 0) || ok == (int(lt.Res) == etime) || !ok && int(target.Res) != ecanceled {
						t.Fatalf("the receive gave %s, the LinkTimeout %s, what stands behind it %s", show(&target), show(&lt), show(&next))
					}
					pairs[i].got += max(int(target.Res), 0)
				}
			}
			for i, p := range pairs {
				if left := p.sent - p.got; left > 0 {
					t.Want(api.Recv(p.a, make([]byte, p.sent), uint64(i)), left)
				} else if left < 0 {
					t.Errorf("%d bytes were sent, %d received", p.sent, p.got)
				}
			}
		},
	},
}
