//go:build unix

package conformance

import (
	"io"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// onFD are the operations that act on an fd, as they would be right but for the fd.
func onFD(fd int) []api.Op {
	buf := make([]byte, 4)
	m := &api.Msg{Bufs: [][]byte{buf}}
	return []api.Op{
		api.Read(fd, buf, api.CurrentPosition, 0), api.Read(fd, buf, 0, 0),
		api.Write(fd, buf, api.CurrentPosition, 0), api.Write(fd, buf, 0, 0),
		api.Readv(fd, m, 0, 0), api.Writev(fd, m, 0, 0),
		api.Recv(fd, buf, 0), api.Recv(fd, nil, 0), api.Send(fd, buf, 0), api.RecvMsg(fd, m, 0), api.SendMsg(fd, m, 0),
		api.Accept(fd, 0), api.Connect(fd, &api.Msg{Addr: api.UnixAddr("/nowhere")}, 0),
		api.Shutdown(fd, api.ShutWrite, 0), api.Shutdown(fd, api.ShutBoth, 0), api.Close(fd, 0),
		api.Poll(fd, api.PollIn, 0), api.Fsync(fd, 0),
		api.Bind(fd, &api.Msg{Addr: api.UnixAddr("/nowhere/at/all")}, 0), api.Bind(fd, &api.Msg{}, 0), api.Listen(fd, 1, 0),
		api.Getsockopt(fd, 1, 3, buf, 0), api.Setsockopt(fd, 1, 3, buf, 0), api.SocketInQ(fd, 0), api.SocketOutQ(fd, 0), command(fd, 77),
		api.Recv(fd, buf, 0).With(api.WaitAll), api.Recv(fd, buf, 0).With(api.DontWait), api.Recv(fd, buf, 0).With(api.Unordered),
	}
}

var everyOp = api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev, api.OpRecv, api.OpSend, api.OpRecvMsg, api.OpSendMsg,
	api.OpAccept, api.OpConnect, api.OpShutdown, api.OpClose, api.OpPoll, api.OpFsync, api.OpNop,
	api.OpBind, api.OpListen, api.OpUringCmd)

var errorCases = []Case{
	{
		ID: "ERR-1", Name: "fds that are not open",
		Explanation: "Any operation on an fd that is negative, closed or beyond all limits completes with EBADF.",
		Needs:       NeedStreams,
		Requires:    api.FeatDontWait | api.FeatWaitAll,
		Ops:         everyOp,
		Fn: func(t *T) {
			t.Want(api.Nop(0), 0) // what the engine opens at its first turn is open now
			for _, fd := range t.badFDs() {
				for i, op := range onFD(fd) {
					op.Tag = uint64(i)
					if c := t.Do(op); int(c.Res) != neg(unix.EBADF) || c.More() {
						t.Errorf("operation %d, a %v of the fd %d, gave %s", i, op.Code, fd, show(&c))
					}
				}
			}
		},
	},
	{
		ID: "ERR-1", Name: "multishot on fds that are not open",
		Explanation: "A multishot operation on an fd that is not open completes once, with EBADF.",
		Needs:       NeedStreams,
		Requires:    bufferFeats | api.FeatMultishotAccept | api.FeatMultishotPoll,
		Ops:         everyOp,
		Fn: func(t *T) {
			t.Want(api.Nop(0), 0)
			t.Group(api.BufferGroupOptions{Count: 2, Size: 8})
			for _, fd := range t.badFDs() {
				t.WantErr(api.RecvMultishot(fd, 0, 1), unix.EBADF)
				t.WantErr(api.RecvBuffer(fd, 0, 2), unix.EBADF)
				t.WantErr(api.AcceptMultishot(fd, 3), unix.EBADF)
				t.WantErr(api.PollMultishot(fd, api.PollIn, 4), unix.EBADF)
			}
			t.Quiet()
		},
	},
	{
		ID: "ERR-2", Name: "no message",
		Explanation: "An operation that needs a Msg and has none completes with EFAULT.",
		Ops:         everyOp,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			fd := t.File("x")
			for i, op := range []api.Op{
				api.Readv(fd, nil, 0, 0), api.Writev(fd, nil, 0, 0), api.RecvMsg(a, nil, 0), api.SendMsg(a, nil, 0),
				api.Connect(t.Socket(unix.AF_INET, unix.SOCK_STREAM), nil, 0),
			} {
				op.Tag = uint64(i)
				t.WantErr(op, unix.EFAULT)
			}
		},
	},
	{
		ID: "ERR-3", Name: "files that are no sockets",
		Explanation: "An operation for sockets on another kind of file completes with ENOTSOCK.",
		Ops:         everyOp,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			m := &api.Msg{Bufs: bytesFor(1, 4)}
			for _, fd := range []int{t.File("x"), r, w} {
				t.WantErr(api.Recv(fd, make([]byte, 4), 1), unix.ENOTSOCK)
				t.WantErr(api.Recv(fd, nil, 2), unix.ENOTSOCK)
				t.WantErr(api.Send(fd, make([]byte, 4), 3), unix.ENOTSOCK)
				t.WantErr(api.RecvMsg(fd, m, 4), unix.ENOTSOCK)
				t.WantErr(api.SendMsg(fd, m, 5), unix.ENOTSOCK)
				t.WantErr(api.Shutdown(fd, api.ShutBoth, 6), unix.ENOTSOCK)
			}
		},
	},
	{
		ID: "ERR-4", Name: "sockets that are not connected",
		Explanation: "A receive on a stream socket that is not connected is ENOTCONN.",
		Ops:         everyOp,
		Fn: func(t *T) {
			fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			t.WantErr(api.Recv(fd, make([]byte, 4), 1), unix.ENOTCONN)
			t.WantErr(api.Read(fd, make([]byte, 4), api.CurrentPosition, 2), unix.ENOTCONN)
			t.WantErr(api.RecvMsg(fd, &api.Msg{Bufs: bytesFor(1, 4)}, 3), unix.ENOTCONN)
		},
	},
	{
		ID: "ERR-5", Name: "one bad apple",
		Explanation: "An operation that fails does not disturb the others of its batch.",
		Needs:       NeedStreams,
		Ops:         everyOp,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			buf := make([]byte, 4)
			t.Put(b, "data")
			t.Submit(api.Nop(1), api.Read(-1, buf, 0, 2), api.Recv(a, buf, 3), api.Readv(a, nil, 0, 4), api.Send(a, []byte("x"), 5),
				api.Recv(1<<30, buf, 6), api.Nop(7))
			for tag, want := range map[uint64]int{1: 0, 2: neg(unix.EBADF), 3: 4, 4: neg(unix.EFAULT), 5: 1, 6: neg(unix.EBADF), 7: 0} {
				t.AwaitRes(tag, want)
			}
			t.WantGet(b, "x")
		},
	},
	{
		ID: "ERR-5", Name: "an fd that goes while others wait",
		Explanation: "A file that fails does not disturb operations that wait on others.",
		Ops:         everyOp,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Submit(api.Recv(a, make([]byte, 1), 1))
			t.StillPending(1)
			for i := range uint64(10) {
				c, d := t.TCP(false)
				t.Submit(api.Recv(c, make([]byte, 1), 10+i))
				t.Perform()
				t.Reset(d)
				t.AwaitRes(10+i, neg(unix.ECONNRESET))
				t.WantErr(api.Poll(1<<30, api.PollIn, 100), unix.EBADF)
			}
			t.StillPending(1)
			t.Put(b, "x")
			t.AwaitRes(1, 1)
		},
	},
	{
		ID: "SUB-9", Name: "flag that the operation on a file does not know",
		Explanation: "A flag that exists, on an operation that does not know it, makes it complete with EINVAL.",
		Ops:         everyOp,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			fd := t.File("x")
			buf := make([]byte, 1)
			for i, op := range []api.Op{
				api.Read(fd, buf, 0, 0).With(api.WaitAll), api.Write(fd, buf, 0, 0).With(api.BufferSelect),
				api.Send(a, buf, 0).With(api.Multishot), api.Send(a, buf, 0).With(api.EOF),
				api.Fsync(fd, 0).With(api.DontWait), api.Poll(a, api.PollIn, 0).With(api.WaitAll),
				api.Shutdown(a, api.ShutRead, 0).With(api.DataSync), api.Close(a, 0).With(api.ByFD),
			} {
				op.Tag = uint64(i)
				t.WantErr(op, unix.EINVAL)
			}
			t.talks(a, b)
		},
	},
	{
		ID: "SUB-10", Name: "fields that are of no use",
		Explanation: "What an operation has no use for has no effect: a Msg on a read, write, receive or send, a Buf beside a Msg, Args, a Group and a Target.",
		Ops:         everyOp,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for i, fds := range [][2]int{{a, b}, {b, a}} {
				for _, send := range []api.Op{api.Send(fds[0], []byte("hello"), 1), api.Write(fds[0], []byte("hello"), 0, 1), api.SendMsg(fds[0], &api.Msg{Bufs: [][]byte{[]byte("hello")}}, 1)} {
					for _, recv := range []api.Op{api.Recv(fds[1], make([]byte, 5), 2), api.Read(fds[1], make([]byte, 5), 0, 2), api.RecvMsg(fds[1], &api.Msg{Bufs: bytesFor(2, 3)}, 2)} {
						t.Want(t.littered(send), 5)
						t.Want(t.littered(recv), 5)
					}
				}
				if i == 0 {
					continue
				}
				// An empty Msg must not make the end of the stream look like a receive of nothing.
				t.EndWrites(fds[0])
				c := t.Do(t.littered(api.Recv(fds[1], make([]byte, 5), 3).With(api.EOF)))
				if c.Err() != io.EOF {
					t.Errorf("the end of the stream: %d, %v", c.Res, c.Err())
				}
			}
			fd := t.File("0123456789")
			buf := make([]byte, 4)
			t.Want(t.littered(api.Write(fd, []byte("abcd"), 2, 4)), 4)
			t.Want(t.littered(api.Read(fd, buf, 1, 5)), 4)
			t.WantBytes(buf, "1abc")
			t.Want(t.littered(api.Fsync(fd, 6)), 0)
			t.Want(t.littered(api.Close(fd, 7)), 0)
		},
	},
}

// littered is op with something in the fields that it has no use for.
func (t *T) littered(op api.Op) api.Op {
	if op.Msg == nil {
		op.Msg = &api.Msg{Bufs: [][]byte{nil}, Addr: api.UnixAddr("/nowhere"), Control: []byte{1}, Flags: -1}
	} else {
		op.Buf = []byte("x")
	}
	op.Args = &api.Args{Path: "/nowhere", Len: -1, Off2: -5, FD2: -1}
	op.Group, op.Target = 77, api.MakeOpID(1, 1)
	return op
}
