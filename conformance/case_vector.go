//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	vectorOps = api.Ops(api.OpReadv, api.OpWritev)
	msgOps    = api.Ops(api.OpRecvMsg, api.OpSendMsg)
)

func vec(parts ...string) *api.Msg {
	m := &api.Msg{}
	for _, p := range parts {
		m.Bufs = append(m.Bufs, []byte(p))
	}
	return m
}

var vectorCases = []Case{
	{
		ID: "VEC-1", Name: "file",
		Explanation: "Readv and writev fill, or take, one buffer after the other.",
		Ops:         vectorOps,
		Fn: func(t *T) {
			fd := t.File("")
			t.Want(api.Writev(fd, vec("one ", "", "two ", "three"), 0, 1), 13)
			m := &api.Msg{Bufs: [][]byte{make([]byte, 2), nil, make([]byte, 9), make([]byte, 10)}}
			t.Want(api.Readv(fd, m, 0, 2), 13)
			t.WantBytes([]byte(join(m.Bufs))[:13], "one two three")
			t.Want(api.Readv(fd, &api.Msg{Bufs: m.Bufs[:1]}, 4, 3), 2)
			t.WantBytes(m.Bufs[0], "tw")
			if off := t.Offset(fd); off != 0 {
				t.Errorf("the position has moved to %d", off)
			}
		},
	},
	{
		ID: "VEC-1", Name: "file at the current position",
		Explanation: "Readv and writev at CurrentPosition move the position.",
		Ops:         vectorOps,
		Fn: func(t *T) {
			fd := t.File("0123456789")
			m := &api.Msg{Bufs: bytesFor(2, 2)}
			t.Want(api.Readv(fd, m, api.CurrentPosition, 1), 4)
			t.Want(api.Writev(fd, vec("a", "b"), api.CurrentPosition, 2), 2)
			t.Want(api.Readv(fd, m, api.CurrentPosition, 3), 4)
			t.WantBytes([]byte(join(m.Bufs)), "6789")
			t.Want(api.Readv(fd, m, api.CurrentPosition, 4), 0)
		},
	},
	{
		ID: "VEC-1", Name: "sockets and pipes",
		Explanation: "Readv and writev work on sockets and pipes, and wait like read and write.",
		Ops:         vectorOps,
		Fn: func(t *T) {
			try := func(r, w int) {
				m := &api.Msg{Bufs: bytesFor(3, 2)}
				t.Submit(api.Readv(r, m, api.CurrentPosition, 1))
				t.StillPending(1)
				t.Want(api.Writev(w, vec("a", "bc", "de"), api.CurrentPosition, 2), 5)
				t.AwaitRes(1, 5)
				t.WantBytes([]byte(join(m.Bufs))[:5], "abcde")
			}
			t.EachStream(try)
			try(t.Pipe(false))
			try(t.Pipe(true))
		},
	},
	{
		ID: "VEC-2", Name: "no vectors",
		Explanation: "Readv and writev of no buffers, or of empty ones, complete with 0.",
		Ops:         vectorOps,
		Fn: func(t *T) {
			fd := t.File("abc")
			for _, m := range []*api.Msg{{}, {Bufs: [][]byte{}}, {Bufs: [][]byte{nil, {}, nil}}} {
				t.Want(api.Readv(fd, m, 0, 1), 0)
				t.Want(api.Writev(fd, m, 0, 2), 0)
			}
		},
	},
	{
		ID: "VEC-3", Name: "more vectors than there may be",
		Explanation: "Readv and writev of more than 1024 buffers are EINVAL, and of 1024 are not.",
		Ops:         vectorOps,
		Fn: func(t *T) {
			fd := t.File("")
			m := &api.Msg{Bufs: bytesFor(1025, 1)}
			t.WantErr(api.Writev(fd, m, 0, 1), unix.EINVAL)
			t.WantErr(api.Readv(fd, m, 0, 2), unix.EINVAL)
			m.Bufs = m.Bufs[:1024]
			t.Want(api.Writev(fd, m, 0, 3), 1024)
			t.Want(api.Readv(fd, m, 0, 4), 1024)
		},
	},
	{
		ID: "VEC-3", Name: "more vectors in a message than there may be",
		Explanation: "RecvMsg and sendmsg of more than 1024 buffers are EMSGSIZE, and of 1024 are not.",
		Needs:       NeedStreams,
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			m := &api.Msg{Bufs: bytesFor(1025, 1)}
			t.WantErr(api.SendMsg(a, m, 1), unix.EMSGSIZE)
			t.WantErr(api.RecvMsg(b, m, 2), unix.EMSGSIZE)
			m.Bufs = m.Bufs[:1024]
			t.Want(api.SendMsg(a, m, 3), 1024)
			t.Want(api.RecvMsg(b, m, 4), 1024)
		},
	},
	{
		ID: "VEC-4", Name: "messages on a stream",
		Explanation: "RecvMsg and sendmsg on a stream receive and send like recv and send.",
		Requires:    api.FeatDontWait,
		Ops:         msgOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				m := &api.Msg{Bufs: bytesFor(2, 3)}
				t.WantErr(api.RecvMsg(b, m, 1).With(api.DontWait), unix.EAGAIN)
				t.Submit(api.RecvMsg(b, m, 2))
				t.StillPending(2)
				t.Want(api.SendMsg(a, vec("ab", "cd"), 3), 4)
				t.AwaitRes(2, 4)
				t.WantBytes([]byte(join(m.Bufs))[:4], "abcd")
				t.must("shutdown", unix.Shutdown(a, unix.SHUT_WR))
				t.Want(api.RecvMsg(b, m, 4), 0)
			})
		},
	},
	{
		ID: "VEC-5", Name: "wait for all of a message",
		Explanation: "RecvMsg and sendmsg with WaitAll on a stream complete when all of their buffers have been moved.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         msgOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				m := &api.Msg{Bufs: bytesFor(3, 4)}
				t.Submit(api.RecvMsg(b, m, 1).With(api.WaitAll))
				for _, s := range []string{"01", "23456", "789"} {
					t.StillPending(1)
					t.Put(a, s)
				}
				t.StillPending(1)
				t.Put(a, "ab")
				t.AwaitRes(1, 12)
				t.WantBytes([]byte(join(m.Bufs)), "0123456789ab")

				data := pattern(1 << 20)
				t.Submit(api.SendMsg(a, vec(data[:1000], data[1000:500000], data[500000:]), 2).With(api.WaitAll))
				t.Perform()
				got := t.getLater(b, len(data))
				t.AwaitRes(2, len(data))
				t.WantBytes(<-got, data)
			})
		},
	},
	{
		ID: "VEC-5", Name: "message cut short",
		Explanation: "RecvMsg with WaitAll that is cancelled completes with the bytes that it has.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         api.Ops(api.OpRecvMsg, api.OpCancel),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			m := &api.Msg{Bufs: bytesFor(3, 4)}
			id := t.Submit(api.RecvMsg(b, m, 1).With(api.WaitAll))[0]
			t.Perform()
			t.Put(a, "01234")
			t.taken(b)
			t.StillPending(1)
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, 5)
			t.WantBytes([]byte(join(m.Bufs))[:5], "01234")
		},
	},
	{
		ID: "VEC-6", Name: "passing an fd",
		Explanation: "Control carries ancillary data both ways, and ControlLen is its length: an fd can be passed.",
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			r, w := t.Pipe(false)
			in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(4))}
			t.Submit(api.RecvMsg(b, in, 1))
			t.StillPending(1)
			out := vec("fd")
			out.Control = unix.UnixRights(r)
			t.Want(api.SendMsg(a, out, 2), 2)
			t.AwaitRes(1, 2)
			cmsgs, err := unix.ParseSocketControlMessage(in.Control[:in.ControlLen])
			t.must("parse the control message", err)
			if len(cmsgs) != 1 {
				t.Fatalf("%d control messages", len(cmsgs))
			}
			fds, err := unix.ParseUnixRights(&cmsgs[0])
			t.must("parse the rights", err)
			for _, fd := range fds {
				t.Own(fd)
			}
			if len(fds) != 1 {
				t.Fatalf("%d fds", len(fds))
			}
			t.Put(w, "through")
			t.WantGet(fds[0], "through")
			t.Put(a, "x")
			t.Want(api.RecvMsg(b, in, 3), 1)
			if in.ControlLen != 0 {
				t.Errorf("a message without control data has %d bytes of it", in.ControlLen)
			}
		},
	},
	{
		ID: "VEC-6", Name: "too little room for control data",
		Explanation: "Control data that does not fit sets MSG_CTRUNC in Flags, and no fd leaks.",
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			r, _ := t.Pipe(false)
			out := vec("fd")
			out.Control = unix.UnixRights(r)
			t.Want(api.SendMsg(a, out, 1), 2)
			in := &api.Msg{Bufs: bytesFor(1, 8)}
			t.Want(api.RecvMsg(b, in, 2), 2)
			if in.Flags&unix.MSG_CTRUNC == 0 || in.ControlLen != 0 {
				t.Errorf("Flags is %#x, ControlLen %d", in.Flags, in.ControlLen)
			}
		},
	},
	{
		ID: "VEC-7", Name: "the caller's Msg",
		Explanation: "The engine sets of a Msg only Addr, ControlLen and Flags, and the memory that Bufs and Control refer to.",
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.UDP()
			m := &api.Msg{Bufs: bytesFor(2, 4), Control: make([]byte, 64)}
			bufs := append([][]byte(nil), m.Bufs...)
			t.Want(api.SendMsg(a, vec("hello"), 1), 5)
			t.Want(api.RecvMsg(b, m, 2), 5)
			if len(m.Bufs) != 2 || &m.Bufs[0][0] != &bufs[0][0] || &m.Bufs[1][0] != &bufs[1][0] || len(m.Bufs[0]) != 4 || len(m.Bufs[1]) != 4 || len(m.Control) != 64 {
				t.Errorf("the vectors have changed: %v, Control has %d bytes", m.Bufs, len(m.Control))
			}
			out := vec("one", "two")
			t.Want(api.SendMsg(a, out, 3), 6)
			if len(out.Bufs) != 2 || string(out.Bufs[0]) != "one" || string(out.Bufs[1]) != "two" {
				t.Errorf("sending has changed the vectors: %q", out.Bufs)
			}
		},
	},
}
