//go:build unix

package conformance

import (
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// arg is op with MSG_* flags.
func arg(op api.Op, flags uint32) api.Op {
	op.Arg = flags
	return op
}

// flagCases are about the MSG_* flags, and about data that is not plain.
var flagCases = []Case{
	{
		ID: "STR-14", Name: "peek beside a send that waits",
		Explanation: "MSG_PEEK leaves the data for the next receive, also while a send waits on the same socket.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         streamOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				buf := make([]byte, 64)
				for _, send := range []bool{false, true} {
					if send {
						t.Fill(a)
						t.Submit(api.Send(a, []byte("x"), 9))
						t.StillPending(9)
					}
					t.Submit(arg(api.Recv(a, buf, 1), unix.MSG_PEEK))
					t.StillPending(1)
					t.Put(b, "hello")
					t.Prompt(1, 5)
					t.Submit(arg(api.Recv(a, buf, 2), unix.MSG_PEEK))
					t.Prompt(2, 5)
					t.Submit(api.Recv(a, buf, 3))
					t.Prompt(3, 5)
					t.WantBytes(buf[:5], "hello")
				}
				t.CloseNow(b)
				t.Await(9)
			})
		},
	},
	{
		ID: "STR-14", Name: "flags that are the engine's too",
		Explanation: "MSG_WAITALL and MSG_DONTWAIT in Arg mean the same as WaitAll and DontWait.",
		Requires:    api.FeatWaitAll | api.FeatDontWait,
		Ops:         streamOps | msgOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				buf := make([]byte, 6)
				t.Submit(arg(api.Recv(a, buf, 1), unix.MSG_DONTWAIT))
				t.Prompt(1, neg(unix.EAGAIN))
				t.Submit(arg(api.RecvMsg(a, &api.Msg{Bufs: [][]byte{buf}}, 2), unix.MSG_DONTWAIT))
				t.Prompt(2, neg(unix.EAGAIN))
				for i, op := range []api.Op{api.Recv(a, buf, 3), api.RecvMsg(a, &api.Msg{Bufs: [][]byte{buf[:2], buf[2:]}}, 4)} {
					t.Submit(arg(op, unix.MSG_WAITALL))
					t.StillPending(op.Tag)
					t.Put(b, "abc")
					t.StillPending(op.Tag)
					t.Put(b, "def")
					t.Prompt(op.Tag, 6)
					t.WantBytes(buf, "abcdef")
					clear(buf)
					if t.Failed() {
						t.Fatalf("that was operation %d", i)
					}
				}
			})
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			full := t.Fill(a)
			t.Submit(arg(api.Send(a, []byte("x"), 5), unix.MSG_DONTWAIT))
			t.Prompt(5, neg(unix.EAGAIN))
			data := pattern(1 << 18)
			t.Submit(arg(api.Send(a, []byte(data), 6), unix.MSG_WAITALL))
			t.StillPending(6)
			got := t.getLater(b, full+len(data))
			t.AwaitRes(6, len(data))
			all := <-got
			t.WantBytes(all[min(full, len(all)):], data)
		},
	},
	{
		ID: "STR-18", Name: "peek at all",
		Explanation: "A receive with MSG_PEEK and WaitAll is EINVAL and takes nothing.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         recvOnly | msgOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Put(b, "abc")
				t.ready(a, unix.POLLIN)
				t.WantErr(arg(api.Recv(a, make([]byte, 8), 1), unix.MSG_PEEK).With(api.WaitAll), unix.EINVAL)
				t.WantErr(arg(api.Recv(a, make([]byte, 8), 2), unix.MSG_PEEK|unix.MSG_WAITALL), unix.EINVAL)
				t.WantErr(arg(api.RecvMsg(a, &api.Msg{Bufs: bytesFor(2, 4)}, 3), unix.MSG_PEEK).With(api.WaitAll), unix.EINVAL)
				t.WantGet(a, "abc")
			})
		},
	},
	{
		ID: "STR-9", Name: "send of nothing where there is no room",
		Explanation: "A send of 0 bytes completes with 0 although the socket is full.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         cancelSendOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				t.NoRoom(b)
				id := t.Submit(api.Send(a, t.zeros(8<<20), 1).With(api.WaitAll))[0]
				t.StillPending(1)
				t.Want(api.Cancel(id, 2), 0)
				t.Await(1)
				t.Submit(api.Send(a, nil, 3))
				t.Prompt(3, 0)
			})
		},
	},
	{
		ID: "STR-9", Name: "message of nothing",
		Explanation: "A RecvMsg of 0 bytes completes with 0 on a stream, takes nothing and waits for nothing.",
		Needs:       NeedStreams,
		Ops:         msgOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				m := &api.Msg{Control: make([]byte, 64), ControlLen: 9, Flags: 9}
				t.Submit(api.RecvMsg(a, m, 1))
				t.Prompt(1, 0)
				if m.ControlLen != 0 || m.Flags != 0 {
					t.Errorf("ControlLen is %d, Flags %#x", m.ControlLen, m.Flags)
				}
				t.Submit(api.RecvMsg(a, &api.Msg{Bufs: [][]byte{nil, {}}}, 2))
				t.Prompt(2, 0)
				t.Put(b, "x")
				t.ready(a, unix.POLLIN)
				t.Submit(api.RecvMsg(a, &api.Msg{}, 3))
				t.Prompt(3, 0)
				t.WantGet(a, "x")
			})
		},
	},
	{
		ID: "MSH-1", Name: "fds among the data",
		Explanation: "A multishot receive delivers what comes behind data that carries file descriptors.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 16, Size: 256})
			r, _ := t.Pipe(false)
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.StillPending(1)
			for range 3 {
				for i, s := range []string{"A", "B", "C"} {
					var rights []byte
					if i < 2 {
						rights = unix.UnixRights(r)
					}
					t.must("sendmsg", unix.Sendmsg(b, []byte(s), rights, nil, 0))
				}
				for got := ""; got != "ABC"; {
					got += t.anyPiece(g, 1)
					if !strings.HasPrefix("ABC", got) {
						t.Fatalf("received %q, want ABC", got)
					}
				}
			}
		},
	},
	{
		ID: "MSH-1", Name: "urgent byte among the data",
		Explanation: "A multishot receive delivers what comes behind an urgent byte.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			g := t.Group(api.BufferGroupOptions{Count: 16, Size: 256})
			t.Submit(api.RecvMultishot(a, 0, 1))
			t.StillPending(1)
			got := ""
			receive := func(want string) {
				for got != want {
					if got += t.anyPiece(g, 1); !strings.HasPrefix(want, got) {
						t.Fatalf("received %q, want %s", got, want)
					}
				}
			}
			t.Put(b, "abc")
			receive("abc")
			t.must("send", unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
			t.Quiet() // what comes at the same time as the byte may be kept back by the kernel: see the rule
			t.Put(b, "def")
			receive("abcdef")
		},
	},
	{
		ID: "VEC-6", Name: "control data of a message in parts",
		Explanation: "A RecvMsg with WaitAll keeps the control data that came with its first part.",
		Requires:    api.FeatWaitAll,
		Ops:         msgOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			r, w := t.Pipe(false)
			m := &api.Msg{Bufs: bytesFor(2, 3), Control: make([]byte, unix.CmsgSpace(4))}
			t.Submit(api.RecvMsg(a, m, 1).With(api.WaitAll))
			t.StillPending(1)
			t.must("sendmsg", unix.Sendmsg(b, []byte("abc"), unix.UnixRights(r), nil, 0))
			t.StillPending(1)
			t.Put(b, "def")
			t.Prompt(1, 6)
			t.WantBytes([]byte(join(m.Bufs)), "abcdef")
			cmsgs, err := unix.ParseSocketControlMessage(m.Control[:m.ControlLen])
			t.must("parse the control message", err)
			if len(cmsgs) != 1 {
				t.Fatalf("%d control messages, want the one of the first part", len(cmsgs))
			}
			fds, err := unix.ParseUnixRights(&cmsgs[0])
			t.must("parse the rights", err)
			for _, fd := range fds {
				t.Own(fd)
				t.Put(w, "through")
				t.WantGet(fd, "through")
			}
		},
	},
}

// anyPiece waits for the next completion of a multishot receive, gives its buffer back, and returns what was in it.
func (t *T) anyPiece(g api.BufferGroup, tag uint64) string {
	t.tb.Helper()
	end := api.After(promptTime)
	for len(t.stash) == 0 {
		if api.Now() >= end {
			t.Fatalf("what was sent has not come within %v; %s", promptTime, t.state())
		}
		t.pull(1, end)
	}
	c := t.Await(tag)
	if !c.More() || !c.Flags.Has(api.Buffer) {
		t.Fatalf("got %s, want data with More", show(&c))
	}
	s := string(c.Buf)
	t.Release(g, c.Lease)
	return s
}
