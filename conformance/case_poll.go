//go:build unix

package conformance

import (
	"fmt"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	pollOps       = api.Ops(api.OpPoll)
	pollCancelOps = api.Ops(api.OpPoll, api.OpCancel)
)

const pollAll = api.PollIn | api.PollPri | api.PollOut | api.PollRDHup

func maskName(m int) string {
	if m < 0 {
		return showRes(int32(m))
	}
	s := ""
	for _, b := range []struct {
		bit  int
		name string
	}{{api.PollIn, "In"}, {api.PollPri, "Pri"}, {api.PollOut, "Out"}, {api.PollErr, "Err"}, {api.PollHup, "Hup"}, {api.PollRDHup, "RDHup"}} {
		if m&b.bit != 0 {
			s += " " + b.name
			m &^= b.bit
		}
	}
	if m != 0 {
		s += fmt.Sprintf(" %#x", m)
	}
	return "{" + s + " }"
}

// wantMask polls fd for what mask says, and compares what holds.
func (t *T) wantMask(what string, fd int, mask uint32, want int) {
	t.tb.Helper()
	if c := t.Do(api.Poll(fd, mask, 1)); int(c.Res) != want || c.More() {
		t.Errorf("poll of %s for %s gave %s, want %s", what, maskName(int(mask)), maskName(int(c.Res)), maskName(want))
	}
}

var pollCases = []Case{
	{
		ID: "POL-1", Name: "data comes",
		Explanation: "A poll waits until one of its conditions holds, and gives those that hold.",
		Needs:       NeedStreams,
		Ops:         pollOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Submit(api.Poll(a, api.PollIn, 1))
				t.StillPending(1)
				t.Put(b, "x")
				t.AwaitRes(1, api.PollIn)
				t.wantMask("a socket with data", a, api.PollIn|api.PollOut, api.PollIn|api.PollOut)
				t.WantGet(a, "x")
				t.wantMask("an idle socket", a, api.PollIn|api.PollOut, api.PollOut)
				t.Quiet()
			})
		},
	},
	{
		ID: "POL-1", Name: "room comes",
		Explanation: "A poll for PollOut waits while there is no room.",
		Ops:         pollOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			full := t.Fill(a)
			t.Submit(api.Poll(a, api.PollOut, 1))
			t.StillPending(1)
			t.Get(b, full)
			t.AwaitRes(1, api.PollOut)
			r, w := t.Pipe(false)
			full = t.Fill(w)
			t.Submit(api.Poll(w, api.PollOut, 2))
			t.StillPending(2)
			t.Get(r, full)
			t.AwaitRes(2, api.PollOut)
		},
	},
	{
		ID: "POL-1", Name: "connection comes",
		Explanation: "A listener with a connection in its backlog has PollIn.",
		Ops:         pollOps,
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.Submit(api.Poll(l, api.PollIn, 1))
			t.StillPending(1)
			t.Dial(addr)
			t.AwaitRes(1, api.PollIn)
		},
	},
	{
		ID: "POL-3", Name: "errors and hang-ups are not asked for",
		Explanation: "PollErr and PollHup are given whether or not they are asked for, and a poll for nothing waits for them.",
		Ops:         pollOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			t.Submit(api.Poll(r, 0, 1))
			t.StillPending(1)
			t.Put(w, "x")
			t.StillPending(1)
			t.CloseNow(w)
			t.AwaitRes(1, api.PollHup)
			r, w = t.Pipe(false)
			t.Submit(api.Poll(w, 0, 2))
			t.StillPending(2)
			t.CloseNow(r)
			t.AwaitRes(2, api.PollErr)
		},
	},
	{
		ID: "POL-3", Name: "hang-up for one that waits for something else",
		Explanation: "A poll for PollPri hears that the peer has gone.",
		Needs:       NeedStreams,
		Ops:         pollOps,
		Fn: func(t *T) {
			for _, unread := range []bool{false, true} {
				a, b := t.Pair(unread)
				if unread {
					t.Put(b, "x")
				}
				t.Submit(api.Poll(a, api.PollPri, 1))
				t.StillPending(1)
				t.CloseNow(b)
				t.Prompt(1, api.PollHup)
			}
		},
	},
	{
		ID: "POL-3", Name: "hang-up for one that waits for room",
		Explanation: "A poll for PollOut of what is never writable hears that the peer has gone, with and without data that was not read.",
		Ops:         pollOps,
		Fn: func(t *T) {
			for _, unread := range []bool{false, true} {
				r, w := t.Pipe(false)
				if unread {
					t.Put(w, "x")
				}
				t.Submit(api.Poll(r, api.PollOut, 1))
				t.StillPending(1)
				t.CloseNow(w)
				t.Prompt(1, api.PollHup)
			}
		},
	},
	{
		ID: "POL-4", Name: "regular files and devices",
		Explanation: "A regular file has PollIn and PollOut at once, and so has /dev/null.",
		Ops:         pollOps,
		Fn: func(t *T) {
			for _, fd := range []int{t.File("abc"), t.OpenFile("/dev/null", unix.O_RDWR)} {
				t.wantMask("a file", fd, api.PollIn|api.PollOut, api.PollIn|api.PollOut)
				t.wantMask("a file", fd, api.PollIn, api.PollIn)
				t.wantMask("a file", fd, api.PollOut, api.PollOut)
			}
		},
	},
	{
		ID: "POL-5", Name: "several on one fd",
		Explanation: "Any number of polls can wait on one fd, also beside receives and sends, and each gets its answer.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpPoll, api.OpRecv),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for i := range uint64(5) {
				t.Submit(api.Poll(a, api.PollIn, i))
			}
			t.Submit(api.Poll(a, api.PollPri, 5), api.Poll(a, api.PollOut, 6))
			t.AwaitRes(6, api.PollOut)
			t.StillPending(0, 1, 2, 3, 4, 5)
			t.Put(b, "x")
			for i := range uint64(5) {
				t.AwaitRes(i, api.PollIn)
			}
			t.StillPending(5)
			t.WantGet(a, "x")
			t.Submit(api.Recv(a, make([]byte, 1), 7))
			t.Submit(api.Poll(a, api.PollOut, 8))
			t.AwaitRes(8, api.PollOut)
			t.StillPending(7)
			t.Put(b, "y")
			t.AwaitRes(7, 1)
		},
	},
	{
		ID: "POL-6", Name: "takes nothing",
		Explanation: "A poll takes no data: a receive behind it gets all.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpPoll, api.OpRecv),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Put(b, "data")
				t.ready(a, unix.POLLIN)
				for range 3 {
					t.wantMask("a socket with data", a, api.PollIn, api.PollIn)
				}
				buf := make([]byte, 8)
				t.Want(api.Recv(a, buf, 2), 4)
				t.Submit(api.Poll(a, api.PollIn, 3))
				t.StillPending(3)
			})
		},
	},
	{
		ID: "POL-7", Name: "multishot",
		Explanation: "A multishot poll reports with More, and reports again after new data has come.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Submit(api.PollMultishot(a, api.PollIn, 1))
				t.StillPending(1)
				for range 10 {
					t.Put(b, "x")
					c := t.Await(1)
					t.WantMore(&c, api.PollIn)
					t.WantGet(a, "x")
					t.drainReports(1, api.PollIn)
				}
			})
		},
	},
	{
		ID: "POL-7", Name: "multishot that holds already",
		Explanation: "A multishot poll reports a condition that holds when it is submitted.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Put(b, "x")
			t.Submit(api.PollMultishot(a, api.PollIn, 1), api.PollMultishot(a, api.PollOut, 2))
			c := t.Await(1)
			t.WantMore(&c, api.PollIn)
			c = t.Await(2)
			t.WantMore(&c, api.PollOut)
		},
	},
	{
		ID: "POL-8", Name: "multishot cancelled",
		Explanation: "A cancelled multishot poll ends with ErrCanceled, without More, and reports no more.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollCancelOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			id := t.Submit(api.PollMultishot(a, api.PollIn, 1))[0]
			t.Perform()
			t.Put(b, "x")
			c := t.Await(1)
			t.WantMore(&c, api.PollIn)
			t.Submit(api.Cancel(id, 2))
			for c = t.Await(1); c.More(); c = t.Await(1) {
			}
			t.WantRes(&c, ecanceled)
			t.AwaitRes(2, 0)
			t.Put(b, "y")
			t.Quiet()
		},
	},
	{
		ID: "POL-8", Name: "a hundred cancelled",
		Explanation: "Polls can be cancelled, any number of them, in any order.",
		Needs:       NeedStreams,
		Ops:         pollCancelOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			var ids []api.OpID
			for i := range uint64(100) {
				ids = append(ids, t.Submit(api.Poll(a, api.PollIn, i))...)
			}
			t.Perform()
			for i := range ids {
				k := (i * 37) % 100
				t.Want(api.Cancel(ids[k], 1000), 0)
				t.AwaitRes(uint64(k), ecanceled)
			}
			t.Quiet()
		},
	},
	{
		ID: "POL-9", Name: "multishot hang-up",
		Explanation: "A multishot poll reports a hang-up like any condition.",
		Requires:    api.FeatMultishotPoll,
		Ops:         pollOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			t.Submit(api.PollMultishot(r, api.PollIn, 1))
			t.StillPending(1)
			t.CloseNow(w)
			if c := t.Await(1); int(c.Res)&api.PollHup == 0 {
				t.Errorf("got %s", maskName(int(c.Res)))
			}
		},
	},
}

// drainReports takes the repeated reports of a multishot poll.
func (t *T) drainReports(tag uint64, mask int) {
	t.Perform()
	kept := t.stash[:0]
	for _, c := range t.stash {
		if c.Tag != tag {
			kept = append(kept, c)
			continue
		}
		t.WantMore(&c, mask)
	}
	t.stash = kept
}
