//go:build unix

package conformance

import (
	"bytes"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var closeOps = api.Ops(api.OpClose, api.OpRecv)

var closeCases = []Case{
	{
		ID: "CLO-1", Name: "idle",
		Explanation: "Close closes the fd and completes with 0; the peer sees the end.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose,
		Ops:         closeOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Want(api.Close(a, 1), 0)
				t.WantEnd(b)
				if t.isOpen(a) {
					t.Errorf("the fd is still open")
				}
			})
		},
	},
	{
		ID: "CLO-2", Name: "with operations in flight",
		Explanation: "Close ends the operations in flight on its fd with ErrCanceled, and completes after all of them.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose,
		Ops:         api.Ops(api.OpClose, api.OpRecv, api.OpSend, api.OpPoll),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				t.Fill(a)
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2), api.Send(a, []byte("x"), 3), api.Poll(a, api.PollPri, 4))
				t.StillPending(1, 2, 3, 4)
				t.Submit(api.Close(a, 5))
				for range 4 {
					if c := t.One(); c.Tag == 5 || int(c.Res) != ecanceled {
						t.Fatalf("got %s", show(&c))
					}
				}
				t.AwaitRes(5, 0)
				t.Quiet()
			})
		},
	},
	{
		ID: "CLO-2", Name: "with a multishot in flight",
		Explanation: "Close ends multishot operations too.",
		Requires:    api.FeatSafeClose | bufferFeats | api.FeatMultishotAccept | api.FeatMultishotPoll,
		Ops:         api.Ops(api.OpClose, api.OpRecv, api.OpAccept, api.OpPoll),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			l, addr := t.Listener()
			t.Group(api.BufferGroupOptions{Count: 4, Size: 8})
			t.Submit(api.RecvMultishot(a, 0, 1), api.AcceptMultishot(l, 2), api.PollMultishot(a, api.PollPri, 3))
			t.Perform()
			t.Put(b, "x")
			t.WantBuffer(1, "x")
			t.Submit(api.Close(a, 4), api.Close(l, 5))
			for tag := range uint64(3) {
				t.AwaitRes(tag+1, ecanceled)
			}
			t.AwaitRes(4, 0)
			t.AwaitRes(5, 0)
			fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			if err := unix.Connect(fd, sockaddr(addr)); err != unix.ECONNREFUSED {
				t.Errorf("connecting to a closed listener: %v", err)
			}
		},
	},
	{
		ID: "CLO-2", Name: "with an operation that has moved bytes",
		Explanation: "An operation that Close ends and that has moved bytes completes with their number.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose | api.FeatWaitAll,
		Ops:         closeOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 10), 1).With(api.WaitAll))
			t.Perform()
			t.Put(b, "abc")
			t.StillPending(1)
			t.Submit(api.Close(a, 2))
			t.AwaitRes(1, 3)
			t.AwaitRes(2, 0)
		},
	},
	{
		ID: "CLO-3", Name: "the peer hears of it",
		Explanation: "Close of a connection with a receive in flight sends the end of the stream to the peer.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose,
		Ops:         closeOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Submit(api.Recv(a, make([]byte, 1), 1))
				t.StillPending(1)
				t.Submit(api.Close(a, 2))
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, 0)
				t.WantEnd(b)
			})
		},
	},
	{
		ID: "CLO-4", Name: "behind close",
		Explanation: "Operations that were submitted behind a Close of their fd complete with EBADF.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose,
		Ops:         api.Ops(api.OpClose, api.OpRecv, api.OpSend, api.OpPoll),
		Fn: func(t *T) {
			for _, busy := range []bool{false, true} {
				a, b := t.Pair(false)
				t.Put(b, "data")
				if busy {
					t.Submit(api.Poll(a, api.PollPri, 9))
					t.StillPending(9)
				}
				t.Submit(api.Close(a, 1), api.Recv(a, make([]byte, 1), 2), api.Send(a, []byte("x"), 3), api.Poll(a, api.PollIn, 4), api.Close(a, 5))
				t.AwaitRes(1, 0)
				for tag := range uint64(4) {
					t.AwaitRes(tag+2, neg(unix.EBADF))
				}
				if busy {
					t.AwaitRes(9, ecanceled)
				}
			}
		},
	},
	{
		ID: "CLO-5", Name: "twice",
		Explanation: "Close of an fd that is not open is EBADF.",
		Needs:       NeedStreams,
		Ops:         closeOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.Want(api.Close(a, 1), 0)
			t.WantErr(api.Close(a, 2), unix.EBADF)
			t.WantErr(api.Recv(a, make([]byte, 1), 3), unix.EBADF)
		},
	},
	{
		ID: "CLO-6", Name: "number is used again",
		Explanation: "After a Close nothing of the old file reaches a new one with the same number.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose,
		Ops:         closeOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for i := range uint64(30) {
				t.Submit(api.Recv(a, make([]byte, 1), 1))
				t.Perform()
				if i%2 == 0 {
					t.Put(b, "old") // an event that may come late
				}
				t.Submit(api.Close(a, 2))
				t.Await(1)
				t.AwaitRes(2, 0)
				t.CloseNow(b)
				was := a
				if a, b = t.Pair(i%3 == 0); b == was {
					a, b = b, a
				}
				buf := make([]byte, 8)
				t.Submit(api.Recv(a, buf, 3))
				t.StillPending(3)
				t.Put(b, "new")
				t.AwaitRes(3, 3)
				t.WantBytes(buf[:3], "new")
			}
		},
	},
	{
		ID: "CLO-6", Name: "number is used again before the completion is reaped",
		Explanation: "A Close that has been performed frees its number, also before its completion has been reaped.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose,
		Ops:         closeOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.Submit(api.Close(a, 1))
			if !within(t.timeout/2, func() bool {
				if _, err := t.Engine.Complete(nil, api.Wait{}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
				return !t.isOpen(a)
			}) {
				t.Fatalf("the number is not free, however often Complete performs what was submitted")
			}
			// Reaped only to tell the helpers that the number is free: the engine has not been asked yet.
			delete(t.fds, a)
			c, d := t.Pair(false)
			if d == a {
				c, d = d, c
			}
			t.AwaitRes(1, 0)
			t.Own(c)
			t.Put(d, "new")
			t.Want(api.Recv(c, make([]byte, 8), 2), 3)
		},
	},
	{
		ID: "CLO-7", Name: "closed behind the engine",
		Explanation: "An fd with nothing in flight may be closed without the engine, and a new file with its number is used like any other.",
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpRead, api.OpPoll),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for i := range 20 {
				t.Submit(api.Recv(a, make([]byte, 1), 1))
				t.StillPending(1)
				t.Put(b, "x")
				t.AwaitRes(1, 1)
				was := a
				t.CloseNow(a)
				t.CloseNow(b)
				switch i % 3 {
				case 0:
					a, b = t.Pair(false)
				case 1:
					a, b = t.Pipe(false)
					buf := make([]byte, 4)
					t.Submit(api.Read(a, buf, api.CurrentPosition, 2))
					t.StillPending(2)
					t.Put(b, "pipe")
					t.AwaitRes(2, 4)
					t.CloseNow(a)
					t.CloseNow(b)
					a, b = t.TCP(true)
				default:
					a, b = t.TCP(false)
				}
				if b == was {
					a, b = b, a
				}
				t.Submit(api.Poll(a, api.PollIn, 3))
				t.StillPending(3)
				t.Put(b, "y")
				t.AwaitRes(3, api.PollIn)
				t.Want(api.Recv(a, make([]byte, 1), 4), 1)
			}
		},
	},
	{
		ID: "CLO-8", Name: "files and pipes",
		Explanation: "Close works on every kind of file.",
		Ops:         api.Ops(api.OpClose),
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			u, _ := t.UDP()
			l, _ := t.Listener()
			for i, fd := range []int{t.File("x"), r, w, u, l, t.OpenFile("/dev/null", 0)} {
				t.Want(api.Close(fd, uint64(i)), 0)
			}
		},
	},
	{
		ID: "CLO-9", Name: "duplicate",
		Explanation: "Close of one number leaves a duplicate of the file alone, with what is in flight on it.",
		Requires:    api.FeatSafeClose,
		Ops:         closeOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			d, err := unix.Dup(a)
			t.must("dup", err)
			t.Own(d)
			t.Submit(api.Recv(a, make([]byte, 1), 1))
			t.StillPending(1)
			t.Submit(api.Close(a, 2))
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, 0)
			t.Submit(api.Recv(d, make([]byte, 1), 3))
			t.StillPending(3)
			t.Put(b, "x")
			t.AwaitRes(3, 1)
		},
	},
	{
		ID: "ENG-3", Name: "operations of every kind in flight",
		Explanation: "Close of the engine ends whatever is in flight, frees all, and leaves the files open.",
		Requires:    bufferFeats | api.FeatMultishotAccept | api.FeatMultishotPoll,
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpRead, api.OpAccept, api.OpPoll, api.OpTimeout, api.OpRecvMsg, api.OpFsync),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			l, _ := t.Listener()
			r, w := t.Pipe(true)
			file := t.File(pattern(1 << 16))
			full, _ := t.Pair(false)
			t.Fill(full)
			t.Group(api.BufferGroupOptions{Count: 4, Size: 8})
			t.Submit(api.Recv(a, make([]byte, 8), 1), api.Recv(a, make([]byte, 8), 2), api.RecvMultishot(b, 0, 3), api.AcceptMultishot(l, 4),
				api.PollMultishot(l, api.PollIn, 5), api.Read(r, make([]byte, 8), api.CurrentPosition, 6), api.Send(full, make([]byte, 8), 7),
				api.RecvMsg(full, &api.Msg{Bufs: bytesFor(2, 2)}, 8), api.Timeout(farAway, 9))
			t.StillPending(1, 2, 3, 4, 5, 6, 7, 8, 9)
			for i := range 32 {
				t.Submit(api.Read(file, make([]byte, 2048), int64(i*2048), uint64(100+i)), api.Fsync(file, uint64(200+i)))
			}
			t.Perform()
			t.CloseEngine()
			if s := t.Engine.Stats(); s.InFlight != 0 {
				t.Errorf("%d operations in flight after Close", s.InFlight)
			}
			for _, fd := range []int{a, b, l, r, w, full, file} {
				if !t.isOpen(fd) {
					t.Errorf("fd %d is not open any more", fd)
				}
			}
		},
	},
	{
		ID: "ENG-3", Name: "work on a file that is done",
		Explanation: "Close does not wait for anything where all work on files has been done and not been reaped.",
		Ops:         api.Ops(api.OpFsync),
		Fn: func(t *T) {
			file := t.File("x")
			took := farAway
			const quick = 50 * time.Millisecond
			for i := 0; i < 10 && took > quick; i++ { // the machine may be busy, and the file system
				e := t.Open(nil)
				ops := []api.Op{api.Fsync(file, 1), api.Fsync(file, 2)}
				if n, err := e.Submit(ops); n != 2 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				if _, err := e.Complete(nil, api.Wait{}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
				t.must("fsync", unix.Fsync(file))
				within(10*time.Millisecond, func() bool { return false }) // nothing tells when a worker is done, but a Complete
				if n, err := e.Complete(make([]api.Completion, 1), api.Wait{Min: 1, Deadline: t.deadline()}); n != 1 || err != nil {
					t.Fatalf("Complete: %d, %v", n, err)
				}
				start := api.Now()
				t.must("close the engine", e.Close())
				took = min(took, api.Now().Sub(start))
			}
			if took > quick {
				t.Errorf("Close took %v", took)
			}
		},
	},
	{
		ID: "ENG-10", Name: "buffers after close",
		Explanation: "After Close of the engine every buffer is the caller's: nothing writes to it any more.",
		Needs:       NeedStreams,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				e := t.Open(nil)
				buf := make([]byte, 64)
				ops := []api.Op{api.Recv(a, buf[:32], 1), api.Recv(a, buf[32:], 2)}
				if n, err := e.Submit(ops); n != 2 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				if _, err := e.Complete(nil, api.Wait{}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
				t.must("close the engine", e.Close())
				for i := range buf {
					buf[i] = '.'
				}
				t.Put(b, "data")
				t.WantGet(a, "data")
				if !bytes.Equal(buf, bytes.Repeat([]byte{'.'}, 64)) {
					t.Errorf("the buffer was written to after Close: %q", buf)
				}
			})
		},
	},
}
