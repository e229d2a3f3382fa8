package conformance

import (
	"io"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// Records is a connected pair of SEQPACKET sockets.
func (t *T) Records(nonblock bool) (a, b int) { return t.pairOf(unix.SOCK_SEQPACKET, nonblock) }

// seqpacketCases are about sockets that are connected and keep records.
var seqpacketCases = []Case{
	{
		ID: "SEQ-1", Name: "one at a time",
		Explanation: "A receive takes one record, a send makes one, in their order.",
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				a, b := t.Records(nonblock)
				buf := make([]byte, 64)
				t.Submit(api.Recv(b, buf, 1))
				t.StillPending(1)
				t.Want(api.Send(a, []byte("one"), 2), 3)
				t.AwaitRes(1, 3)
				t.WantBytes(buf[:3], "one")
				t.Want(api.SendMsg(a, vec("th", "ree"), 3), 5)
				t.Want(api.Send(a, []byte("four"), 4), 4)
				m := &api.Msg{Bufs: bytesFor(2, 4)}
				t.Want(api.RecvMsg(b, m, 5), 5)
				t.WantBytes([]byte(join(m.Bufs))[:5], "three")
				t.Want(api.Recv(b, buf, 6), 4)
				t.WantBytes(buf[:4], "four")
			}
		},
	},
	{
		ID: "SEQ-1", Name: "wait all",
		Explanation: "A receive with WaitAll takes one record, too, and a send makes one.",
		Requires:    api.FeatWaitAll,
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			a, b := t.Records(false)
			buf := make([]byte, 64)
			m := &api.Msg{Bufs: bytesFor(2, 32)}
			for i, op := range []api.Op{
				api.Recv(b, buf, 1).With(api.WaitAll), arg(api.Recv(b, buf, 1), unix.MSG_WAITALL),
				api.RecvMsg(b, m, 1).With(api.WaitAll), arg(api.RecvMsg(b, m, 1), unix.MSG_WAITALL),
			} {
				if i%2 == 0 {
					t.Submit(op)
					t.StillPending(1)
				}
				t.Want(api.Send(a, []byte("one"), 2).With(api.WaitAll), 3)
				t.Want(api.SendMsg(a, vec("two"), 3).With(api.WaitAll), 3)
				if i%2 != 0 {
					t.Submit(op)
				}
				t.Prompt(1, 3)
				t.Want(api.Recv(b, buf, 4), 3)
				t.WantBytes(buf[:3], "two")
				if t.Failed() {
					t.Fatalf("that was operation %d", i)
				}
			}
		},
	},
	{
		ID: "SEQ-2", Name: "too small a buffer",
		Explanation: "What of a record does not fit is lost; a message says so with MSG_TRUNC, and MSG_TRUNC as a flag makes the result the length of the record.",
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			a, b := t.Records(false)
			for range 3 {
				t.Put(a, "0123456789")
			}
			t.Put(a, "next")
			buf := make([]byte, 4)
			t.Want(api.Recv(b, buf, 1), 4)
			t.WantBytes(buf, "0123")
			m := &api.Msg{Bufs: bytesFor(2, 3)}
			t.Want(api.RecvMsg(b, m, 2), 6)
			t.WantBytes([]byte(join(m.Bufs)), "012345")
			if m.Flags != unix.MSG_TRUNC {
				t.Errorf("Flags is %#x, want MSG_TRUNC", m.Flags)
			}
			t.Want(arg(api.Recv(b, buf, 3), unix.MSG_TRUNC), 10)
			t.Want(api.RecvMsg(b, m, 4), 4)
			if m.Flags != 0 {
				t.Errorf("Flags of a record that fits is %#x", m.Flags)
			}
		},
	},
	{
		ID: "SEQ-3", Name: "send that waits for room",
		Explanation: "A send waits while the receiver's queue is full, and its record then arrives whole; with DontWait it is EAGAIN.",
		Requires:    api.FeatDontWait | api.FeatWaitAll,
		Ops:         api.Ops(api.OpSend, api.OpSendMsg, api.OpWrite, api.OpWritev),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				a, b := t.Records(nonblock)
				for i, op := range []api.Op{
					api.Send(a, []byte("late"), 1), api.SendMsg(a, vec("la", "te"), 1),
					api.Write(a, []byte("late"), api.CurrentPosition, 1), api.Writev(a, vec("la", "te"), api.CurrentPosition, 1),
					api.Send(a, []byte("late"), 1).With(api.WaitAll),
				} {
					t.fillRecords(a)
					t.WantErr(op.With(api.DontWait), unix.EAGAIN)
					t.Submit(op)
					t.StillPending(1)
					before := t.drainDatagrams(b)
					t.Prompt(1, 4)
					if after := t.drainDatagrams(b); strings.Count(before+after, "late") != 1 {
						t.Errorf("the record did not arrive whole")
					}
					if t.Failed() {
						t.Fatalf("that was operation %d, a %v, O_NONBLOCK: %v", i, op.Code, nonblock)
					}
				}
			}
		},
	},
	{
		ID: "SEQ-3", Name: "send that waits is cancelled",
		Explanation: "A send that waits for room can be cancelled, and sends nothing then.",
		Ops:         api.Ops(api.OpSend, api.OpCancel),
		Fn: func(t *T) {
			a, b := t.Records(false)
			t.fillRecords(a)
			id := t.Submit(api.Send(a, []byte("late"), 1))[0]
			t.StillPending(1)
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
			if all := t.drainDatagrams(b); strings.Contains(all, "late") {
				t.Errorf("the record was sent")
			}
		},
	},
	{
		ID: "SEQ-4", Name: "the end",
		Explanation: "When the peer has gone a receive gives 0, after all records, as io.EOF for those who ask; a send is EPIPE.",
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			a, b := t.Records(false)
			t.Put(b, "last")
			t.CloseNow(b)
			buf := make([]byte, 8)
			t.Want(api.Recv(a, buf, 1), 4)
			t.Want(api.Recv(a, buf, 2), 0)
			if c := t.Do(api.Recv(a, buf, 3).With(api.EOF)); c.Err() != io.EOF {
				t.Errorf("the end gave %s, %v", show(&c), c.Err())
			}
			t.Want(api.RecvMsg(a, &api.Msg{Bufs: bytesFor(1, 4)}, 4), 0)
			t.WantErr(api.Send(a, []byte("x"), 5), unix.EPIPE)
			a, b = t.Records(false)
			t.Submit(api.Recv(a, buf, 6))
			t.StillPending(6)
			t.CloseNow(b)
			t.AwaitRes(6, 0)
		},
	},
	{
		ID: "SEQ-4", Name: "shut down",
		Explanation: "Shutdown ends the stream of records as it does that of bytes.",
		Ops:         shutdownOps,
		Fn: func(t *T) {
			a, b := t.Records(false)
			t.Submit(api.Recv(b, make([]byte, 8), 1), api.Recv(b, make([]byte, 8), 2), api.Send(a, []byte("last"), 3), api.Shutdown(a, api.ShutWrite, 4))
			t.AwaitRes(3, 4)
			t.AwaitRes(4, 0)
			t.AwaitRes(1, 4)
			t.AwaitRes(2, 0)
			t.WantErr(api.Send(a, []byte("x"), 5), unix.EPIPE)
		},
	},
	{
		ID: "SEQ-5", Name: "listen, connect and accept",
		Explanation: "A SEQPACKET socket listens, connects and accepts as a stream does, by path or abstract name.",
		Ops:         listenOps | api.Ops(api.OpConnect, api.OpAccept, api.OpSend, api.OpRecv),
		Fn: func(t *T) {
			for _, name := range []string{t.socketPath(), abstract()} {
				l := t.made(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
				t.Want(api.Bind(l, pathMsg(name), 2), 0)
				t.Want(api.Listen(l, 4, 3), 0)
				a := t.made(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
				t.Submit(api.Connect(a, pathMsg(name), 4), api.Send(a, []byte("first"), 5))
				t.AwaitRes(4, 0)
				t.AwaitRes(5, 5)
				c := t.Do(api.Accept(l, 6))
				b := t.accepted(&c, false)
				t.Want(api.Recv(b, make([]byte, 8), 7), 5)
				t.talks(a, b)
			}
			t.WantErr(api.Recv(t.made(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0), make([]byte, 1), 8), unix.ENOTCONN)
			t.WantErr(api.Send(t.made(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0), make([]byte, 1), 9), unix.ENOTCONN)
		},
	},
	{
		ID: "SEQ-5", Name: "multishot",
		Explanation: "A multishot receive delivers one record per buffer.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Records(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 16})
			t.Put(b, "one")
			t.Put(b, "two")
			t.Submit(api.RecvMultishot(a, 0, 1))
			for _, s := range []string{"one", "two", "three"} {
				if s == "three" {
					t.StillPending(1)
					t.Put(b, s)
				}
				if got := t.anyPiece(g, 1); got != s {
					t.Errorf("received %q, want %q", got, s)
				}
			}
			t.CloseNow(b)
			t.AwaitRes(1, 0)
		},
	},
}

// fillRecords sends records of one byte on fd until no more fit.
func (t *T) fillRecords(fd int) {
	was := t.Flags(fd)&unix.O_NONBLOCK != 0
	t.nonblock(true, fd)
	defer t.nonblock(was, fd)
	for range 1 << 16 {
		switch _, err := unix.Write(fd, []byte("x")); err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			return
		default:
			t.Fatalf("filling the queue: %v", err)
		}
	}
	t.Fatalf("the queue does not get full")
}
