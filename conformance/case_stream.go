//go:build unix

package conformance

import (
	"io"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var streamCases = []Case{
	{
		ID: "CMP-8", Name: "empty dst moves bytes",
		Explanation: "Complete with an empty dst performs what was submitted: what can be sent and received at once has been, without another Complete.",
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 5)
				t.Put(b, "there")
				t.Submit(api.Send(a, []byte("hello"), 1), api.Recv(a, buf, 2))
				if n := t.complete(nil, api.Wait{}); n != 0 {
					t.Errorf("Complete into nothing returned %d", n)
				}
				t.WantGet(b, "hello")
				t.AwaitRes(1, 5)
				t.AwaitRes(2, 5)
				t.WantBytes(buf, "there")
			})
		},
	},
	{
		ID: "STR-1", Name: "data is there",
		Explanation: "A receive takes what is there, up to the size of its buffer, and leaves the rest.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Put(b, "hello, world")
				t.ready(a, unix.POLLIN)
				buf := make([]byte, 5)
				t.Want(api.Recv(a, buf, 1), 5)
				t.WantBytes(buf, "hello")
				big := make([]byte, 64)
				t.Want(api.Recv(a, big, 2), 7)
				t.WantBytes(big[:7], ", world")
				t.WantBytes(big[7:], strings.Repeat("\x00", 57))
			})
		},
	},
	{
		ID: "STR-2", Name: "data comes later",
		Explanation: "A receive without data waits for it, whatever the O_NONBLOCK flag of the socket says.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 16)
				for i, s := range []string{"a", "bc", "def"} {
					t.Submit(api.Recv(a, buf, uint64(i)))
					t.StillPending(uint64(i))
					t.Put(b, s)
					t.AwaitRes(uint64(i), len(s))
					t.WantBytes(buf[:len(s)], s)
				}
			})
		},
	},
	{
		ID: "STR-2", Name: "room comes later",
		Explanation: "A send into a full socket waits for room, whatever the O_NONBLOCK flag of the socket says.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				full := t.Fill(a)
				t.Submit(api.Send(a, []byte("late"), 1))
				t.StillPending(1)
				t.Get(b, full)
				c := t.Await(1)
				if c.Res <= 0 {
					t.Fatalf("the send gave %s", show(&c))
				}
				t.WantGet(b, "late"[:c.Res])
			})
		},
	},
	{
		ID: "STR-2", Name: "read and write of pipes",
		Explanation: "A read of an empty pipe and a write to a full one wait, whatever the O_NONBLOCK flag says.",
		Ops:         api.Ops(api.OpRead, api.OpWrite),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				r, w := t.Pipe(nonblock)
				buf := make([]byte, 8)
				t.Submit(api.Read(r, buf, api.CurrentPosition, 1))
				t.StillPending(1)
				t.Put(w, "data")
				t.AwaitRes(1, 4)
				t.WantBytes(buf[:4], "data")
				full := t.Fill(w)
				t.Submit(api.Write(w, []byte("late"), api.CurrentPosition, 2))
				t.StillPending(2)
				t.Get(r, full)
				t.AwaitRes(2, 4)
				t.WantGet(r, "late")
			}
		},
	},
	{
		ID: "STR-2", Name: "read and write of sockets",
		Explanation: "Read and write on a socket are receive and send.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpRead, api.OpWrite),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 8)
				t.Submit(api.Read(a, buf, api.CurrentPosition, 1))
				t.StillPending(1)
				t.Want(api.Write(b, []byte("over"), api.CurrentPosition, 2), 4)
				t.AwaitRes(1, 4)
				t.WantBytes(buf[:4], "over")
				t.EndWrites(b)
				t.Want(api.Read(a, buf, api.CurrentPosition, 3), 0)
			})
		},
	},
	{
		ID: "STR-3", Name: "send is short",
		Explanation: "A send without WaitAll completes when some bytes have been moved, also on a blocking socket.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			data := pattern(4 << 20)
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				c := t.Do(api.Send(a, t.patternSent(len(data)), 1))
				if c.Res <= 0 || int(c.Res) >= len(data) {
					t.Fatalf("a send of 4 MiB that nobody receives gave %s", show(&c))
				}
				t.EndWrites(a)
				t.WantGet(b, data[:c.Res])
				t.WantEnd(b)
			})
		},
	},
	{
		ID: "STR-3", Name: "write is short",
		Explanation: "A write to a pipe completes when some bytes have been moved, also on a blocking one.",
		Ops:         api.Ops(api.OpWrite),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				r, w := t.Pipe(nonblock)
				data := pattern(1 << 20)
				c := t.Do(api.Write(w, t.patternSent(len(data)), api.CurrentPosition, 1))
				if c.Res <= 0 || int(c.Res) >= len(data) {
					t.Fatalf("a write of 1 MiB that nobody reads gave %s", show(&c))
				}
				t.CloseNow(w)
				t.WantGet(r, data[:c.Res])
				t.WantEnd(r)
			}
		},
	},
	{
		ID: "STR-4", Name: "receive without waiting",
		Explanation: "DontWait completes with EAGAIN where the operation would have to wait, and moves what can be moved.",
		Needs:       NeedStreams,
		Requires:    api.FeatDontWait,
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpRead, api.OpWrite),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 8)
				t.WantErr(api.Recv(a, buf, 1).With(api.DontWait), unix.EAGAIN)
				t.WantErr(api.Read(a, buf, api.CurrentPosition, 2).With(api.DontWait), unix.EAGAIN)
				t.Put(b, "now")
				t.ready(a, unix.POLLIN)
				t.Want(api.Recv(a, buf, 3).With(api.DontWait), 3)
				t.SmallBuffers(a, b)
				t.Want(api.Send(a, []byte("x"), 4).With(api.DontWait), 1)
				t.Fill(a)
				t.WantErr(api.Send(a, buf, 5).With(api.DontWait), unix.EAGAIN)
				t.WantErr(api.Write(a, buf, api.CurrentPosition, 6).With(api.DontWait), unix.EAGAIN)
			})
		},
	},
	{
		ID: "STR-4", Name: "pipe without waiting",
		Explanation: "DontWait completes with EAGAIN where a read or write of a pipe would have to wait.",
		Requires:    api.FeatDontWait,
		Ops:         api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				r, w := t.Pipe(nonblock)
				buf := make([]byte, 8)
				m := &api.Msg{Bufs: bytesFor(2, 4)}
				t.WantErr(api.Read(r, buf, api.CurrentPosition, 1).With(api.DontWait), unix.EAGAIN)
				t.WantErr(api.Readv(r, m, api.CurrentPosition, 2).With(api.DontWait), unix.EAGAIN)
				t.Put(w, "now")
				t.Want(api.Read(r, buf, api.CurrentPosition, 3).With(api.DontWait), 3)
				t.Fill(w)
				t.WantErr(api.Write(w, buf, api.CurrentPosition, 4).With(api.DontWait), unix.EAGAIN)
				t.WantErr(api.Writev(w, m, api.CurrentPosition, 5).With(api.DontWait), unix.EAGAIN)
			}
		},
	},
	{
		ID: "STR-5", Name: "without waiting behind one that waits",
		Explanation: "DontWait completes with EAGAIN behind an operation of the same fd and direction that waits.",
		Needs:       NeedStreams,
		Requires:    api.FeatDontWait | api.FeatOrdered,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			buf := make([]byte, 8)
			t.Submit(api.Recv(a, buf, 1))
			t.StillPending(1)
			t.WantErr(api.Recv(a, make([]byte, 8), 2).With(api.DontWait), unix.EAGAIN)
			t.Want(api.Send(a, []byte("x"), 3).With(api.DontWait), 1)
			t.Put(b, "first")
			t.AwaitRes(1, 5)
		},
	},
	{
		ID: "STR-6", Name: "receive all",
		Explanation: "A receive with WaitAll completes when its buffer is full.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 10)
				t.Submit(api.Recv(a, buf, 1).With(api.WaitAll))
				for _, s := range []string{"abc", "def", "ghi"} {
					t.StillPending(1)
					t.Put(b, s)
				}
				t.StillPending(1)
				t.Put(b, "jkl")
				t.AwaitRes(1, 10)
				t.WantBytes(buf, "abcdefghij")
				t.WantGet(a, "kl")
			})
		},
	},
	{
		ID: "STR-6", Name: "send all",
		Explanation: "A send with WaitAll completes when all of its buffer has been sent.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				data := pattern(1 << 20)
				t.Submit(api.Send(a, t.patternSent(len(data)), 1).With(api.WaitAll), api.Send(a, []byte("tail"), 2).With(api.WaitAll))
				t.Perform()
				got := t.getLater(b, len(data)+4)
				t.AwaitRes(1, len(data))
				t.AwaitRes(2, 4)
				t.WantBytes(<-got, data+"tail")
			})
		},
	},
	{
		ID: "STR-7", Name: "stream ends before all is there",
		Explanation: "A receive with WaitAll gives what it has when the stream ends, and the next one 0.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 10)
				t.Submit(api.Recv(a, buf, 1).With(api.WaitAll))
				t.Perform()
				t.Put(b, "abcd")
				t.StillPending(1)
				t.EndWrites(b)
				t.AwaitRes(1, 4)
				t.WantBytes(buf[:4], "abcd")
				t.Want(api.Recv(a, buf, 2).With(api.WaitAll), 0)
			})
		},
	},
	{
		ID: "STR-7", Name: "peer goes before all is sent",
		Explanation: "A send with WaitAll gives what it has sent when the peer is gone, and the next one EPIPE.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			t.Submit(api.Send(a, t.zeros(1<<20), 1).With(api.WaitAll))
			t.StillPending(1)
			t.CloseNow(b)
			if c := t.Await(1); c.Res <= 0 || c.Res >= 1<<20 {
				t.Errorf("a send of 1 MiB to a peer that went gave %s", show(&c))
			}
			r := t.Do(api.Send(a, []byte("x"), 2))
			if int(r.Res) != neg(unix.EPIPE) && int(r.Res) != neg(unix.ECONNRESET) {
				t.Errorf("the next send gave %s", show(&r))
			}
		},
	},
	{
		ID: "STR-8", Name: "end of stream",
		Explanation: "A receive gives 0 at the end of the stream, again and again, after all data.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Put(b, "last")
				t.CloseNow(b)
				t.ready(a, unix.POLLIN)
				buf := make([]byte, 64)
				t.Want(api.Recv(a, buf, 1), 4)
				for i := range uint64(3) {
					t.Want(api.Recv(a, buf, 2+i), 0)
				}
			})
		},
	},
	{
		ID: "STR-8", Name: "end of stream while waiting",
		Explanation: "Receives that wait give 0 when the stream ends.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2))
				t.StillPending(1, 2)
				t.CloseNow(b)
				t.AwaitRes(1, 0)
				t.AwaitRes(2, 0)
			})
		},
	},
	{
		ID: "STR-8", Name: "end of a pipe",
		Explanation: "A read of a pipe gives 0 when the last writer is gone, after all data.",
		Ops:         api.Ops(api.OpRead),
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			t.Put(w, "last")
			t.CloseNow(w)
			buf := make([]byte, 64)
			t.Want(api.Read(r, buf, api.CurrentPosition, 1), 4)
			t.Want(api.Read(r, buf, api.CurrentPosition, 2), 0)
			r, w = t.Pipe(false)
			t.Submit(api.Read(r, buf, api.CurrentPosition, 3))
			t.StillPending(3)
			t.CloseNow(w)
			t.AwaitRes(3, 0)
		},
	},
	{
		ID: "CMP-4", Name: "end of stream as an error",
		Explanation: "With the flag EOF the end of the stream has the flag AtEOF and Err gives io.EOF; without it neither.",
		Ops:         api.Ops(api.OpRecv, api.OpRead, api.OpReadv, api.OpRecvMsg),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Put(b, "x")
			t.EndWrites(b)
			m := func() *api.Msg { return &api.Msg{Bufs: bytesFor(1, 4)} }
			if c := t.Do(api.Recv(a, make([]byte, 4), 1).With(api.EOF)); c.Res != 1 || c.Err() != nil || c.Flags != 0 {
				t.Errorf("a receive of data gave %s, %v", show(&c), c.Err())
			}
			for _, op := range []api.Op{
				api.Recv(a, make([]byte, 4), 2), api.Read(a, make([]byte, 4), api.CurrentPosition, 3),
				api.Readv(a, m(), api.CurrentPosition, 4), api.RecvMsg(a, m(), 5),
				api.Read(t.File("abc"), make([]byte, 4), 3, 6),
			} {
				if c := t.Do(op); c.Res != 0 || c.Err() != nil || c.Flags != 0 {
					t.Errorf("%v without EOF gave %s, %v", op.Code, show(&c), c.Err())
				}
				if c := t.Do(op.With(api.EOF)); c.Res != 0 || c.Err() != io.EOF || c.Flags != api.AtEOF {
					t.Errorf("%v with EOF gave %s, %v", op.Code, show(&c), c.Err())
				}
			}
			for i, op := range []api.Op{api.Recv(a, nil, 7), api.Read(a, nil, api.CurrentPosition, 8)} {
				if c := t.Do(op.With(api.EOF)); c.Res != 0 || c.Err() != nil {
					t.Errorf("operation %d without room for a byte gave %s, %v", i, show(&c), c.Err())
				}
			}
		},
	},
	{
		ID: "STR-9", Name: "receive into nothing",
		Explanation: "A receive into 0 bytes completes with 0 at once, takes nothing and waits for nothing.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Want(api.Recv(a, nil, 1), 0)
				t.Want(api.Recv(a, []byte{}, 2), 0)
				t.Put(b, "x")
				t.ready(a, unix.POLLIN)
				t.Want(api.Recv(a, nil, 3), 0)
				t.WantGet(a, "x")
			})
		},
	},
	{
		ID: "STR-9", Name: "receive into nothing behind others",
		Explanation: "A receive into 0 bytes behind one that waits stands in the order of its fd, and completes with 0 when its turn has come.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				buf := make([]byte, 4)
				t.Submit(api.Recv(a, buf, 1), api.Recv(a, nil, 2), api.Recv(a, buf[:0], 3))
				t.StillPending(1, 2, 3)
				t.Put(b, "x")
				t.Prompt(1, 1)
				t.Prompt(2, 0)
				t.Prompt(3, 0)
			})
		},
	},
	{
		ID: "STR-9", Name: "read into nothing",
		Explanation: "A read into 0 bytes completes with 0 at once, and takes nothing.",
		Ops:         api.Ops(api.OpRead),
		Fn: func(t *T) {
			t.EachStream(func(a, _ int) { t.Want(api.Read(a, nil, api.CurrentPosition, 1), 0) })
			r, _ := t.Pipe(false)
			t.Want(api.Read(r, nil, api.CurrentPosition, 2), 0)
			t.Want(api.Read(t.File("abc"), nil, 0, 3), 0)
		},
	},
	{
		ID: "STR-9", Name: "send of nothing",
		Explanation: "A send or write of 0 bytes on a stream completes with 0.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpSend, api.OpWrite),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Want(api.Send(a, nil, 1), 0)
				t.Want(api.Write(a, []byte{}, api.CurrentPosition, 2), 0)
				t.Want(api.Send(a, []byte("x"), 3), 1)
				t.WantGet(b, "x")
			})
		},
	},
	{
		ID: "STR-10", Name: "reset behind data",
		Explanation: "Data that came before a reset is received first, then ECONNRESET once, then 0.",
		Ops:         streamOps,
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				a, b := t.TCP(nonblock)
				t.Put(b, "12345")
				t.ready(a, unix.POLLIN)
				t.Reset(b)
				t.ready(a, unix.POLLHUP)
				buf := make([]byte, 64)
				t.Want(api.Recv(a, buf, 1), 5)
				t.WantErr(api.Recv(a, buf, 2), unix.ECONNRESET)
				t.Want(api.Recv(a, buf, 3), 0)
			}
		},
	},
	{
		ID: "STR-10", Name: "reset while waiting",
		Explanation: "A receive that waits ends with ECONNRESET when the connection is reset, and the next one gives 0.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2))
			t.StillPending(1, 2)
			t.Reset(b)
			t.AwaitRes(1, neg(unix.ECONNRESET))
			t.AwaitRes(2, 0)
		},
	},
	{
		ID: "STR-11", Name: "peer is gone",
		Explanation: "A send to a peer that has gone is EPIPE.",
		Ops:         api.Ops(api.OpSend, api.OpSendMsg, api.OpWrite),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.CloseNow(b)
			t.WantErr(api.Send(a, []byte("x"), 1), unix.EPIPE)
			t.WantErr(api.SendMsg(a, &api.Msg{Bufs: bytesFor(1, 1)}, 2), unix.EPIPE)
			r, w := t.Pipe(false)
			t.CloseNow(r)
			t.WantErr(api.Write(w, []byte("x"), api.CurrentPosition, 3), unix.EPIPE)
			t.WantErr(api.Send(t.Socket(unix.AF_INET, unix.SOCK_STREAM), []byte("x"), 4), unix.EPIPE)
		},
	},
	{
		ID: "STR-12", Name: "file status flags",
		Explanation: "The engine leaves the file-status flags of pipes and connected sockets as they are.",
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpRead, api.OpWrite),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				a, b := t.TCP(nonblock)
				r, w := t.Pipe(nonblock)
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Read(r, make([]byte, 1), api.CurrentPosition, 2),
					api.Send(b, []byte("x"), 4), api.Write(w, []byte("x"), api.CurrentPosition, 5))
				check := func() {
					t.tb.Helper()
					for _, fd := range []int{a, b, r, w} {
						if got := t.Flags(fd)&unix.O_NONBLOCK != 0; got != nonblock {
							t.Errorf("O_NONBLOCK of fd %d is %v, was %v", fd, got, nonblock)
						}
					}
				}
				t.Perform()
				check()
				for _, tag := range []uint64{1, 2, 4, 5} {
					t.AwaitRes(tag, 1)
				}
				check()
			}
		},
	},
	{
		ID: "STR-12", Name: "accept on a connection",
		Explanation: "An accept on a connected socket, which cannot be, leaves its O_NONBLOCK as it is.",
		Ops:         api.Ops(api.OpAccept),
		Fn: func(t *T) {
			t.EachStream(func(a, _ int) {
				was := t.Flags(a)
				t.WantErr(api.Accept(a, 1), unix.EINVAL)
				if now := t.Flags(a); now != was {
					t.Errorf("the file-status flags were %#x and are %#x", was, now)
				}
			})
		},
	},
	{
		ID: "STR-13", Name: "timeouts of the socket",
		Explanation: "SO_RCVTIMEO and SO_SNDTIMEO do not end an operation: a deadline does.",
		Ops:         streamOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			tv := unix.NsecToTimeval(int64(time.Millisecond))
			t.must("setsockopt", unix.SetsockoptTimeval(a, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
			t.must("setsockopt", unix.SetsockoptTimeval(a, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv))
			t.Fill(a)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Send(a, make([]byte, 1), 2))
			t.pull(1, api.After(6*time.Millisecond))
			t.StillPending(1, 2)
			t.Put(b, "x")
			t.AwaitRes(1, 1)
		},
	},
	{
		ID: "STR-14", Name: "peek",
		Explanation: "Arg of a receive are the MSG_* flags of recv(2): MSG_PEEK leaves the data where it is.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Put(b, "peek")
				buf := make([]byte, 8)
				op := api.Recv(a, buf, 1)
				op.Arg = unix.MSG_PEEK
				t.Want(op, 4)
				t.WantBytes(buf[:4], "peek")
				t.Want(api.Recv(a, buf, 2), 4)
			})
		},
	},
	{
		ID: "STR-15", Name: "much data both ways",
		Explanation: "Any amount of data goes through both directions of a connection at once, whole and in order.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered | api.FeatWaitAll,
		Ops:         streamOps,
		Fn:          exchange,
	},
	{
		ID: "STR-16", Name: "several connections",
		Explanation: "Data goes to the operation on its own connection, however many there are.",
		Needs:       NeedStreams,
		Ops:         streamOps,
		Fn: func(t *T) {
			const n = 100
			var as, bs [n]int
			bufs := bytesFor(n, 4)
			for i := range n {
				as[i], bs[i] = t.Pair(i%2 == 0)
				t.Submit(api.Recv(as[i], bufs[i], uint64(i)))
			}
			t.Perform()
			for i := range n {
				t.Put(bs[(i*37)%n], pattern(4000)[(i*37)%n*4:][:4])
			}
			for i := range n {
				t.AwaitRes(uint64(i), 4)
				t.WantBytes(bufs[i], pattern(4000)[i*4:][:4])
			}
		},
	},
}

// exchange sends 1 MiB in both directions of a connection, with several operations in flight each way.
func exchange(t *T) {
	a, b := t.TCP(false)
	const total, block, depth = 1 << 20, 1 << 14, 4
	data := pattern(total)
	type half struct {
		fd        int
		sent, got int // bytes asked for, and received
		bufs      [][]byte
		next      int // which buffer is received into next
	}
	halves := [2]half{{fd: a, bufs: bytesFor(depth, block)}, {fd: b, bufs: bytesFor(depth, block)}}
	send := func(i int) {
		h := &halves[i]
		if h.sent < total {
			t.Submit(api.Send(h.fd, []byte(data[h.sent:h.sent+block]), uint64(i)).With(api.WaitAll))
			h.sent += block
		}
	}
	for i := range halves {
		for d := range depth {
			send(i)
			t.Submit(api.Recv(halves[i].fd, halves[i].bufs[d], uint64(2+i)))
		}
	}
	for halves[0].got < total || halves[1].got < total {
		c := t.One()
		i := int(c.Tag) & 1
		h := &halves[i]
		if c.Tag < 2 {
			t.WantRes(&c, block)
			send(i)
			continue
		}
		if c.Res <= 0 || h.got+int(c.Res) > total {
			t.Fatalf("after %d bytes: %s", h.got, show(&c))
		}
		buf := h.bufs[h.next]
		h.next = (h.next + 1) % depth
		if string(buf[:c.Res]) != data[h.got:h.got+int(c.Res)] {
			t.Fatalf("the %d bytes at %d are not those that were sent", c.Res, h.got)
		}
		if h.got += int(c.Res); h.got < total {
			t.Submit(api.Recv(h.fd, buf, uint64(2+i)))
		}
	}
}
