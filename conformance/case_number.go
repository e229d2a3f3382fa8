//go:build unix

package conformance

import (
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// promptTime is how long something may take that has nothing to wait for. It is generous, for a busy
// machine; an engine that waits without a reason waits longer.
const promptTime = time.Second

// Prompt waits for the last completion with the tag, which has nothing to wait for, and must have the result res.
func (t *T) Prompt(tag uint64, res int) {
	t.tb.Helper()
	start := api.Now()
	end := start.Add(promptTime)
	for {
		i := slices.IndexFunc(t.stash, func(c api.Completion) bool { return c.Tag == tag })
		late := api.Now() >= end
		switch {
		case i >= 0:
			c := t.stash[i]
			t.stash = append(t.stash[:i], t.stash[i+1:]...)
			t.WantRes(&c, res)
			if late {
				t.Errorf("the completion with the tag %d came only after %v", tag, api.Now().Sub(start))
			}
			return
		case late:
			t.Fatalf("no completion with the tag %d within %v; stashed: %s; %s", tag, promptTime, showAll(t.stash), t.state())
		}
		t.pull(1, end)
	}
}

// serve has the engine receive once on a, so that it knows the number, and that there is nothing more to receive.
func (t *T) serve(a, b int) {
	const tag = 90
	t.Submit(api.Recv(a, make([]byte, 64), tag))
	t.StillPending(tag)
	t.Put(b, "x")
	t.AwaitRes(tag, 1)
}

// renumber gives the file of from the number fd, whose own file is closed behind the engine's back.
func (t *T) renumber(from, fd int) {
	t.must("dup2", unix.Dup2(from, fd))
	unix.CloseOnExec(fd)
	t.CloseNow(from)
}

// numberCases are about numbers that change hands behind the engine's back.
var numberCases = []Case{
	{
		ID: "CLO-7", Name: "number that is closed",
		Explanation: "An operation on a number that has been closed without the engine is EBADF at once, though the engine has served it before.",
		Needs:       NeedStreams,
		Requires:    api.FeatWaitAll,
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpPoll),
		Fn: func(t *T) {
			for i, op := range []func(int) api.Op{
				func(fd int) api.Op { return api.Recv(fd, make([]byte, 1), 1) },
				func(fd int) api.Op { return api.Recv(fd, make([]byte, 4), 1).With(api.WaitAll) },
				func(fd int) api.Op { return api.Send(fd, []byte("x"), 1) },
				func(fd int) api.Op { return api.Poll(fd, api.PollPri, 1) },
			} {
				t.EachStream(func(a, b int) {
					t.serve(a, b)
					t.CloseNow(a)
					t.Submit(op(a))
					t.Prompt(1, neg(unix.EBADF))
				})
				if t.Failed() {
					t.Fatalf("that was operation %d", i)
				}
			}
		},
	},
	{
		ID: "CLO-7", Name: "number of a regular file",
		Explanation: "A receive on the number of a socket that has become a regular file's is ENOTSOCK at once.",
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.serve(a, b)
				t.renumber(t.File("content"), a)
				t.Submit(api.Recv(a, make([]byte, 8), 1))
				t.Prompt(1, neg(unix.ENOTSOCK))
			})
		},
	},
	{
		ID: "CLO-7", Name: "number of a socket that has become a regular file",
		Explanation: "A read of the number of a socket that has become a regular file's reads the file.",
		Ops:         api.Ops(api.OpRecv, api.OpRead),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.serve(a, b)
				t.renumber(t.File("content"), a)
				buf := make([]byte, 8)
				t.Submit(api.Read(a, buf, api.CurrentPosition, 1))
				t.Prompt(1, 7)
				t.WantBytes(buf[:7], "content")
			})
		},
	},
	{
		ID: "CLO-7", Name: "regular file that has become a pipe",
		Explanation: "A read of the number of a regular file that has become a pipe's takes what is in the pipe, and does not wait for more.",
		Ops:         api.Ops(api.OpRead),
		Fn: func(t *T) {
			fd := t.File("hello world")
			buf := make([]byte, 10)
			t.Want(api.Read(fd, buf[:5], api.CurrentPosition, 1), 5)
			r, w := t.Pipe(false)
			t.renumber(r, fd)
			defer t.Put(w, pattern(len(buf))) // lets a thread go that waits for a full buffer
			t.Put(w, "abc")
			t.Submit(api.Read(fd, buf, api.CurrentPosition, 2))
			t.Prompt(2, 3)
			t.WantBytes(buf[:3], "abc")
		},
	},
	{
		ID: "CLO-7", Name: "stream that has become a datagram socket",
		Explanation: "A multishot receive on the number of a stream that has become a datagram socket's delivers every datagram.",
		Requires:    bufferFeats,
		Ops:         cancelRecvOps,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 16, Size: 64})
			t.EachStream(func(a, b int) {
				t.serve(a, b)
				from, peer := t.Dgrams()
				t.renumber(from, a)
				id := t.Submit(api.RecvMultishot(a, 0, 2))[0]
				t.StillPending(2)
				for _, s := range []string{"1", "2", "3", "4"} {
					t.Put(peer, s)
				}
				for _, s := range []string{"1", "2", "3", "4"} {
					t.Release(g, t.wantPiece(2, s))
				}
				t.Want(api.Cancel(id, 3), 0)
				t.AwaitRes(2, ecanceled)
			})
		},
	},
	{
		ID: "CLO-6", Name: "number is used before the completion is reaped",
		Explanation: "A new file with the number of one whose Close has been performed can be used before that completion has been reaped.",
		Needs:       NeedStreams,
		Requires:    api.FeatSafeClose,
		Ops:         api.Ops(api.OpClose, api.OpNop, api.OpSend, api.OpRecv),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.CloseNow(b)
			t.Submit(api.Nop(1), api.Close(a, 2))
			dst := make([]api.Completion, 1)
			t.complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})
			if !within(t.timeout/2, func() bool {
				t.complete(nil, api.Wait{})
				return !t.isOpen(a)
			}) {
				t.Fatalf("the number is not free, however often Complete performs what was submitted")
			}
			delete(t.fds, a) // the engine has closed it
			c, d := t.Pair(false)
			if d == a {
				c, d = d, c
			}
			buf := make([]byte, 4)
			t.Submit(api.Send(c, []byte("new"), 3), api.Send(d, []byte("too"), 4), api.Recv(c, buf, 5))
			t.Prompt(3, 3)
			t.Prompt(4, 3)
			t.Prompt(5, 3)
			t.Own(c)
			t.WantBytes(buf[:3], "too")
		},
	},
}

// wantPiece is WantBuffer, and does not wait long.
func (t *T) wantPiece(tag uint64, data string) api.Lease {
	t.tb.Helper()
	end := api.After(promptTime)
	for !slices.ContainsFunc(t.stash, func(c api.Completion) bool { return c.Tag == tag }) {
		if api.Now() >= end {
			t.Fatalf("%s has not come within %v; stashed: %s; %s", quote(data), promptTime, showAll(t.stash), t.state())
		}
		t.pull(1, end)
	}
	return t.WantBuffer(tag, data)
}
