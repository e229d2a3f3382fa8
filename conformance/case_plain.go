//go:build unix

package conformance

import (
	"io"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

// plainOps are what an engine has that does no more than move bytes over streams.
var plainOps = streamOps | api.Ops(api.OpShutdown, api.OpClose)

// nothingCame says whether there is nothing to read from fd, whose reads must not wait.
func (t *T) nothingCame(fd int) bool {
	var err error
	if b := make([]byte, 1); t.streams != nil {
		_, err = t.streams.Read(fd, b)
	} else {
		_, err = readNow(fd, b)
	}
	return err == syscall.EAGAIN
}

// full is the end of a new stream that takes no more, and its peer.
func (t *T) full() (a, b int) {
	a, b = t.Pair(false)
	t.SmallBuffers(a, b)
	t.Fill(a)
	return a, b
}

// plainCases say with receives, sends, shutdowns and closes alone what other cases say with more: for engines that have no more.
var plainCases = needing(NeedStreams, []Case{
	{
		ID: "SUB-2", Name: "sends nothing",
		Explanation: "Submit performs nothing: a send begins with Complete.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(true)
			t.Submit(api.Send(a, []byte("x"), 1))
			if !t.nothingCame(b) {
				t.Errorf("Submit has sent already")
			}
			t.AwaitRes(1, 1)
			t.WantGet(b, "x")
		},
	},
	{
		ID: "SUB-9", Name: "flag that is of no use on a stream",
		Explanation: "A flag that exists, on an operation that does not know it, makes it complete with EINVAL, and nothing is moved.",
		Ops:         plainOps,
		Fn: func(t *T) {
			a, b := t.Pair(true)
			t.Put(b, "data")
			buf := make([]byte, 8)
			for i, op := range []api.Op{
				api.Recv(a, buf, 0).With(api.Multishot), api.Recv(a, buf, 0).With(api.Abs), api.Send(a, buf, 0).With(api.EOF),
				api.Send(a, buf, 0).With(api.Multishot), api.Shutdown(a, api.ShutBoth, 0).With(api.DataSync), api.Close(a, 0).With(api.ByFD),
			} {
				op.Tag = uint64(i)
				t.WantErr(op, syscall.EINVAL)
			}
			if !t.nothingCame(b) {
				t.Errorf("something has been sent")
			}
			t.Want(api.Recv(a, buf, 1), 4)
			t.talks(a, b)
		},
	},
	{
		ID: "SUB-10", Name: "fields that are of no use on a stream",
		Explanation: "What a receive or send has no use for has no effect: a Msg, Args, an Off, a Group and a Target.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			litter := func(op api.Op) api.Op { op.Off = -7; return t.littered(op) }
			for range 3 {
				buf := make([]byte, 5)
				t.Want(litter(api.Send(a, []byte("hello"), 1)), 5)
				t.Want(litter(api.Recv(b, buf, 2)), 5)
				t.WantBytes(buf, "hello")
			}
		},
	},
	{
		ID: "CMP-4", Name: "end of a stream that is received from",
		Explanation: "With the flag EOF the end of the stream has the flag AtEOF and Err gives io.EOF; data, and a receive of nothing, have neither.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Put(b, "x")
			t.EndWrites(b)
			for i, want := range []struct {
				op    api.Op
				res   int32
				flags api.CompletionFlags
				err   error
			}{
				{api.Recv(a, nil, 1).With(api.EOF), 0, 0, nil},
				{api.Recv(a, make([]byte, 4), 2).With(api.EOF), 1, 0, nil},
				{api.Recv(a, make([]byte, 4), 3), 0, 0, nil},
				{api.Recv(a, make([]byte, 4), 4).With(api.EOF), 0, api.AtEOF, io.EOF},
				{api.Recv(a, nil, 5).With(api.EOF), 0, 0, nil},
			} {
				if c := t.Do(want.op); c.Res != want.res || c.Flags != want.flags || c.Err() != want.err {
					t.Errorf("receive %d gave %s, %v; want %d, flags %#x, %v", i, show(&c), c.Err(), want.res, want.flags, want.err)
				}
			}
		},
	},
	{
		ID: "ERR-1", Name: "streams that are not open",
		Explanation: "A receive, send, shutdown or close of an fd that is negative, closed or beyond all limits completes with EBADF.",
		Ops:         plainOps,
		Fn: func(t *T) {
			for _, fd := range t.badFDs() {
				for i, op := range []api.Op{
					api.Recv(fd, make([]byte, 1), 0), api.Recv(fd, nil, 0), api.Recv(fd, make([]byte, 1), 0).With(api.Unordered),
					api.Send(fd, make([]byte, 1), 0), api.Send(fd, nil, 0), api.Shutdown(fd, api.ShutWrite, 0),
					api.Shutdown(fd, api.ShutRead, 0), api.Shutdown(fd, api.ShutBoth, 0), api.Close(fd, 0),
				} {
					op.Tag = uint64(i)
					t.WantErr(op, syscall.EBADF)
				}
			}
		},
	},
	{
		ID: "ERR-5", Name: "one bad stream",
		Explanation: "An operation that fails does not disturb the others of its batch.",
		Ops:         plainOps | api.Ops(api.OpNop),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			buf := make([]byte, 4)
			t.Put(b, "data")
			t.Submit(api.Nop(1), api.Recv(-1, buf, 2), api.Recv(a, buf, 3), api.Shutdown(1<<30, api.ShutBoth, 4), api.Send(a, []byte("x"), 5), api.Close(-1, 6), api.Nop(7))
			for tag, want := range map[uint64]int{1: 0, 2: neg(syscall.EBADF), 3: 4, 4: neg(syscall.EBADF), 5: 1, 6: neg(syscall.EBADF), 7: 0} {
				t.AwaitRes(tag, want)
			}
			t.WantBytes(buf, "data")
			t.WantGet(b, "x")
		},
	},
	{
		ID: "STR-4", Name: "receive and send without waiting",
		Explanation: "DontWait completes with EAGAIN where the operation would have to wait, and moves what can be moved.",
		Requires:    api.FeatDontWait,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			buf := make([]byte, 8)
			t.WantErr(api.Recv(a, buf, 1).With(api.DontWait), syscall.EAGAIN)
			t.Want(api.Send(b, []byte("now"), 2).With(api.DontWait), 3)
			t.Want(api.Recv(a, buf, 3).With(api.DontWait), 3)
			full, _ := t.full()
			t.WantErr(api.Send(full, buf, 4).With(api.DontWait), syscall.EAGAIN)
		},
	},
	{
		ID: "STR-8", Name: "end of stream while the owner sleeps",
		Explanation: "A receive that waits gives 0 when the peer ends the stream, also when Complete has long gone to sleep.",
		Ops:         streamOps,
		Fn: func(t *T) {
			for i := range uint64(20) {
				t.EachStream(func(a, b int) {
					t.Submit(api.Recv(a, make([]byte, 1), i))
					done := make(chan struct{})
					go func() {
						defer close(done)
						// Whether the owner sleeps already cannot be told from outside: the ends come ever later.
						within(time.Duration(i)*50*time.Microsecond, func() bool { return false })
						t.EndWrites(b)
					}()
					t.Prompt(i, 0)
					<-done
				})
			}
		},
	},
	{
		ID: "STR-9", Name: "send of nothing on a stream",
		Explanation: "A send of 0 bytes completes with 0, and nothing comes of it.",
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Want(api.Send(a, nil, 1), 0)
				t.Want(api.Send(a, []byte{}, 2), 0)
				t.Want(api.Send(a, []byte("x"), 3), 1)
				t.WantGet(b, "x")
			})
		},
	},
	{
		ID: "STR-11", Name: "send to a peer that is gone",
		Explanation: "A send to a peer that has gone is EPIPE.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.CloseNow(b)
			t.WantErr(api.Send(a, []byte("x"), 1), syscall.EPIPE)
		},
	},
	{
		ID: "SHU-5", Name: "unknown how",
		Explanation: "Shutdown with an unknown how is EINVAL, and shuts nothing down.",
		Ops:         shutdownOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for _, how := range []int{99, -1, 3} {
				t.WantErr(api.Shutdown(a, how, 1), syscall.EINVAL)
			}
			t.talks(a, b)
			t.talks(b, a)
		},
	},
	{
		ID: "CAN-1", Name: "receive and send that wait",
		Explanation: "A receive and a send that wait can be cancelled: the cancel gives 0, the operation ErrCanceled.",
		Ops:         streamOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			idle, _ := t.Pair(false)
			full, _ := t.full()
			for i, op := range []api.Op{api.Recv(idle, make([]byte, 1), 0), api.Send(full, make([]byte, 1), 0), api.Recv(full, make([]byte, 1), 0)} {
				op.Tag = uint64(i)
				id := t.Submit(op)[0]
				t.StillPending(op.Tag)
				t.Want(api.Cancel(id, 100), 0)
				t.AwaitRes(op.Tag, ecanceled)
			}
			t.Quiet()
		},
	},
	{
		ID: "CAN-12", Name: "receives and sends by fd",
		Explanation: "CancelFD ends all operations in flight on the fd and no others, and completes with their number.",
		Requires:    api.FeatCancelFD,
		Ops:         streamOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			a, _ := t.full()
			other, _ := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2), api.Recv(a, make([]byte, 1), 3).With(api.Unordered),
				api.Send(a, make([]byte, 1), 4), api.Send(a, make([]byte, 1), 5), api.Recv(other, make([]byte, 1), 6))
			t.StillPending(1, 2, 3, 4, 5, 6)
			t.Submit(api.CancelFD(a, 7), api.Recv(a, make([]byte, 1), 8))
			for tag := range uint64(5) {
				t.AwaitRes(tag+1, ecanceled)
			}
			t.AwaitRes(7, 5)
			t.StillPending(6, 8)
		},
	},
	{
		ID: "CAN-16", Name: "receives, sends and timeouts by code",
		Explanation: "CancelOp ends all operations in flight with the code and no others, and completes with their number; with ByFD those on the fd.",
		Requires:    api.FeatCancelFD,
		Ops:         streamOps | api.Ops(api.OpCancel, api.OpTimeout),
		Fn: func(t *T) {
			a, _ := t.full()
			b, _ := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 1), api.Recv(b, make([]byte, 1), 2), api.Send(a, make([]byte, 1), 3), api.Timeout(farAway, 4))
			t.StillPending(1, 2, 3, 4)
			both := api.CancelFD(a, 9).With(api.ByOp)
			both.Arg = uint32(api.OpTimeout)
			t.Want(both, 0)
			both.Arg = uint32(api.OpRecv)
			t.Want(both, 2)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(1, ecanceled)
			t.StillPending(2, 3, 4)
			t.Want(api.CancelOp(api.OpRecv, 9), 1)
			t.AwaitRes(2, ecanceled)
			t.Want(api.CancelOp(api.OpTimeout, 9), 1)
			t.AwaitRes(4, ecanceled)
			t.StillPending(3)
		},
	},
	{
		ID: "CAN-21", Name: "receives",
		Explanation: "CancelSync returns when what it matches has ended: the completions are there, the buffers are the program's, and the fds can be closed.",
		Requires:    api.FeatCancelFD,
		Ops:         streamOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			for range 20 {
				a, b := t.Pair(false)
				buf := []byte("mine")
				id := t.Submit(api.Recv(a, buf, 1), api.Recv(a, buf, 2), api.Recv(a, buf, 3))[1]
				t.StillPending(1, 2, 3)
				t.cancelSync(api.Cancel(id, 0), 1, nil)
				t.wantThere(result{2, ecanceled})
				t.cancelSync(api.CancelFD(a, 0), 2, nil)
				t.wantThere(result{1, ecanceled}, result{3, ecanceled})
				t.Put(b, "data")
				t.WantBytes(buf, "mine")
				t.CloseNow(a)
				t.CloseNow(b)
			}
			t.cancelSync(api.CancelFD(-1, 0), 0, syscall.EBADF)
		},
	},
	{
		ID: "TMO-10", Name: "receive and send",
		Explanation: "A receive or send that has not completed by its Deadline ends with os.ErrDeadlineExceeded, not before.",
		Requires:    api.FeatDeadlines,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			full, _ := t.full()
			at := soon()
			t.Submit(api.Recv(a, make([]byte, 1), 1).Until(at), api.Send(full, make([]byte, 1), 2).Until(at), api.Recv(a, make([]byte, 1), 3))
			for tag := uint64(1); tag < 3; tag++ {
				t.AwaitRes(tag, etime)
				t.wantPassed(at)
			}
			t.StillPending(3)
		},
	},
	{
		ID: "LNK-6", Name: "receive and send that are short",
		Explanation: "A receive or send that moves less than it was asked for does not break a chain, unless it has WaitAll.",
		Requires:    api.FeatChains | api.FeatWaitAll,
		Ops:         chainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			t.Put(a, "abc")
			t.Chain(api.Recv(b, make([]byte, 10), 1), api.Nop(2))
			t.Sequence(result{1, 3}, result{2, 0})
			t.Chain(api.Send(a, t.zeros(8<<20), 1), api.Nop(2))
			if c := t.Await(1); c.Res <= 0 || c.Res >= 8<<20 {
				t.Fatalf("a send of 8 MiB gave %s", show(&c))
			}
			t.AwaitRes(2, 0)
			c, d := t.Pair(false)
			t.Put(d, "abc")
			t.EndWrites(d)
			t.Chain(api.Recv(c, make([]byte, 10), 1).With(api.WaitAll), api.Nop(2))
			t.Sequence(result{1, 3}, result{2, ecanceled})
			t.Chain(api.Recv(c, make([]byte, 10), 1), api.Nop(2))
			t.Sequence(result{1, 0}, result{2, 0})
		},
	},
	{
		ID: "CLO-2", Name: "with receives and sends in flight",
		Explanation: "Close ends the operations in flight on its fd with ErrCanceled, and completes after all of them.",
		Requires:    api.FeatSafeClose,
		Ops:         plainOps,
		Fn: func(t *T) {
			a, b := t.full()
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2), api.Send(a, []byte("x"), 3), api.Recv(b, nil, 4))
			t.AwaitRes(4, 0)
			t.StillPending(1, 2, 3)
			t.Submit(api.Close(a, 5))
			for range 3 {
				if c := t.One(); c.Tag == 5 || int(c.Res) != ecanceled {
					t.Fatalf("got %s", show(&c))
				}
			}
			t.AwaitRes(5, 0)
			t.Quiet()
		},
	},
	{
		ID: "CLO-4", Name: "receive and send behind close",
		Explanation: "Operations that were submitted behind a Close of their fd complete with EBADF.",
		Requires:    api.FeatSafeClose,
		Ops:         plainOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Submit(api.Close(a, 1), api.Recv(a, make([]byte, 1), 2), api.Send(a, []byte("x"), 3), api.Shutdown(a, api.ShutWrite, 4), api.Close(a, 5))
			t.AwaitRes(1, 0)
			for tag := uint64(2); tag <= 5; tag++ {
				t.AwaitRes(tag, neg(syscall.EBADF))
			}
			t.WantEnd(b)
		},
	},
	{
		ID: "CLO-7", Name: "stream that is closed behind the engine",
		Explanation: "An fd with nothing in flight may be closed without the engine, and a new stream with its number is used like any other.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for range 20 {
				t.serve(a, b)
				t.CloseNow(a)
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Send(a, []byte("x"), 2))
				t.Prompt(1, neg(syscall.EBADF))
				t.Prompt(2, neg(syscall.EBADF))
				t.CloseNow(b)
				was := a
				if a, b = t.Pair(false); b == was {
					a, b = b, a
				}
			}
		},
	},
	{
		ID: "ENG-3", Name: "receives, sends and timeouts in flight",
		Explanation: "Close of the engine ends whatever is in flight, frees all, and leaves the streams open.",
		Ops:         streamOps | timeoutOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			full, _ := t.full()
			t.Submit(api.Recv(a, make([]byte, 8), 1), api.Recv(a, make([]byte, 8), 2), api.Send(full, make([]byte, 8), 3), api.Timeout(farAway, 4), api.Tick(time.Microsecond, 0, 5))
			t.StillPending(1, 2, 3, 4)
			t.CloseEngine()
			if s := t.Engine.Stats(); s.InFlight != 0 {
				t.Errorf("%d operations in flight after Close", s.InFlight)
			}
			for _, fd := range []int{a, b, full} {
				if !t.isOpen(fd) {
					t.Errorf("fd %d is not open any more", fd)
				}
			}
			t.Put(b, "data")
			t.WantGet(a, "data")
		},
	},
})
