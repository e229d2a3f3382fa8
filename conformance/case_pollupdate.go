//go:build unix

package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var pollRemoveOps = api.Ops(api.OpPoll, api.OpPollRemove)

// wantReport is for the next completion with the tag, which must have More and the conditions in mask.
func (t *T) wantReport(tag uint64, mask int) {
	t.tb.Helper()
	c := t.Await(tag)
	t.WantMore(&c, mask)
}

// pollUpdateCases are about polls that are removed and changed.
var pollUpdateCases = []Case{
	{
		ID: "POL-10", Name: "removed",
		Explanation: "PollRemove completes with 0, and the poll with ErrCanceled.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				id := t.Submit(api.Poll(a, api.PollIn, 1), api.PollMultishot(a, api.PollPri, 2))
				t.StillPending(1, 2)
				t.Submit(api.PollRemove(id[0], 3), api.PollRemove(id[1], 4))
				t.AwaitRes(3, 0)
				t.AwaitRes(4, 0)
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, ecanceled)
				t.Put(b, "x")
				t.Quiet()
			})
		},
	},
	{
		ID: "POL-10", Name: "removed in the same batch",
		Explanation: "PollRemove reaches a poll that was submitted before it in the same batch.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			for range 50 {
				id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
				t.Submit(api.PollRemove(id, 2))
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, 0)
			}
		},
	},
	{
		ID: "POL-11", Name: "no such poll",
		Explanation: "Removing or changing what is no poll in flight is ENOENT: nothing at all, a poll that has ended, or another operation, which goes on.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpPoll, api.OpPollRemove, api.OpRecv),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			ended := t.Submit(api.Poll(a, api.PollOut, 1))[0]
			t.AwaitRes(1, api.PollOut)
			recv := t.Submit(api.Recv(a, make([]byte, 1), 2))[0]
			removed := t.Submit(api.Poll(a, api.PollIn, 3))[0]
			t.Want(api.PollRemove(removed, 4), 0)
			t.AwaitRes(3, ecanceled)
			for _, id := range []api.OpID{0, 1, api.MakeOpID(12345, 1), 1<<64 - 1, ended, recv, removed} {
				t.Want(api.PollRemove(id, 5), enoent)
				t.Want(api.PollUpdate(id, api.PollOut, 6), enoent)
				op := api.PollRemove(id, 7).With(api.UpdateTag)
				op.Off = 8
				t.Want(op, enoent)
			}
			t.StillPending(2)
			t.Put(b, "x")
			t.AwaitRes(2, 1)
		},
	},
	{
		ID: "POL-11", Name: "itself",
		Explanation: "A PollRemove that names itself, or another PollRemove, finds no poll.",
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			id := t.Submit(api.PollRemove(0, 1))[0]
			t.AwaitRes(1, enoent)
			// The slot is used again, with the next generation.
			t.Want(api.PollRemove(api.MakeOpID(id.Slot(), id.Generation()+1), 2), enoent)
		},
	},
	{
		ID: "POL-12", Name: "what holds already",
		Explanation: "A poll whose mask is changed to conditions that hold reports them.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
				t.StillPending(1)
				t.Want(api.PollUpdate(id, api.PollOut, 2), 0)
				t.AwaitRes(1, api.PollOut)
				id = t.Submit(api.Poll(a, api.PollPri, 3))[0]
				t.StillPending(3)
				t.Put(b, "x")
				t.ready(a, unix.POLLIN)
				t.StillPending(3)
				t.Want(api.PollUpdate(id, api.PollIn|api.PollOut, 4), 0)
				t.AwaitRes(3, api.PollIn|api.PollOut)
				t.Quiet()
			})
		},
	},
	{
		ID: "POL-12", Name: "what comes later",
		Explanation: "A poll whose mask has been changed waits for the new conditions and for no other.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
				t.StillPending(1)
				t.Want(api.PollUpdate(id, api.PollPri, 2), 0)
				t.Put(b, "x")
				t.ready(a, unix.POLLIN)
				t.StillPending(1)
				t.WantGet(a, "x")
				t.Want(api.PollUpdate(id, api.PollIn, 3), 0)
				t.StillPending(1)
				t.Put(b, "y")
				t.AwaitRes(1, api.PollIn)
				t.Quiet()
			})
		},
	},
	{
		ID: "POL-12", Name: "in the same batch",
		Explanation: "A change reaches a poll that was submitted before it in the same batch, and the last of several changes holds.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			for range 20 {
				id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
				t.Submit(api.PollUpdate(id, api.PollOut|api.PollIn, 2))
				t.AwaitRes(2, 0)
				t.AwaitRes(1, api.PollOut)
				id = t.Submit(api.Poll(a, api.PollIn, 3))[0]
				t.Submit(api.PollUpdate(id, api.PollPri, 4), api.PollUpdate(id, api.PollPri|api.PollRDHup, 5), api.PollUpdate(id, api.PollIn, 6))
				for tag := range uint64(3) {
					t.AwaitRes(4+tag, 0)
				}
				t.StillPending(3)
				t.Put(b, "x")
				t.AwaitRes(3, api.PollIn)
				t.WantGet(a, "x")
			}
		},
	},
	{
		ID: "POL-12", Name: "nothing but a hang-up",
		Explanation: "A poll whose mask is changed to nothing waits for an error or a hang-up.",
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			id := t.Submit(api.Poll(r, api.PollIn, 1))[0]
			t.StillPending(1)
			t.Want(api.PollUpdate(id, 0, 2), 0)
			t.Put(w, "x")
			t.StillPending(1)
			t.CloseNow(w)
			t.Prompt(1, api.PollHup)
		},
	},
	{
		ID: "POL-12", Name: "multishot",
		Explanation: "A multishot poll whose mask is changed stays one, reports what holds already and what comes, and nothing that it does not ask for any more.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				id := t.Submit(api.PollMultishot(a, api.PollIn, 1))[0]
				t.StillPending(1)
				t.Want(api.PollUpdate(id, api.PollIn|api.PollOut, 2), 0)
				t.wantReport(1, api.PollOut)
				t.drainReports(1, api.PollOut)
				t.Want(api.PollUpdate(id, api.PollPri, 3), 0)
				t.Put(b, "x")
				t.ready(a, unix.POLLIN)
				t.StillPending(1)
				t.Want(api.PollUpdate(id, api.PollIn, 4), 0)
				t.wantReport(1, api.PollIn)
				t.WantGet(a, "x")
				t.drainReports(1, api.PollIn)
				t.Put(b, "y")
				t.wantReport(1, api.PollIn)
				t.drainReports(1, api.PollIn)
				t.Submit(api.PollRemove(id, 5))
				t.AwaitRes(5, 0)
				t.endOfReports(1, api.PollIn)
			})
		},
	},
	{
		ID: "POL-12", Name: "deadline",
		Explanation: "A poll whose mask has been changed keeps its Deadline.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			end := api.After(5 * time.Millisecond)
			id := t.Submit(api.Poll(a, api.PollIn, 1).Until(end))[0]
			t.Submit(api.PollUpdate(id, api.PollPri, 2))
			t.AwaitRes(2, 0)
			t.AwaitRes(1, etime)
			t.wantPassed(end)
		},
	},
	{
		ID: "POL-13", Name: "new tag",
		Explanation: "After PollRetag the completions of a poll have the new tag, and everything else is as it was.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				id := t.Submit(api.Poll(a, api.PollIn, 1), api.PollMultishot(a, api.PollIn, 2))
				t.StillPending(1, 2)
				t.Want(api.PollRetag(id[0], 11, 3), 0)
				t.Want(api.PollRetag(id[1], 12, 4), 0)
				t.StillPending(1, 2, 11, 12)
				t.Put(b, "x")
				t.AwaitRes(11, api.PollIn)
				t.wantReport(12, api.PollIn)
				t.WantGet(a, "x")
				t.drainReports(12, api.PollIn)
				t.Submit(api.PollRemove(id[1], 5))
				t.AwaitRes(5, 0)
				t.endOfReports(12, api.PollIn)
			})
		},
	},
	{
		ID: "POL-13", Name: "new tag and mask",
		Explanation: "One operation can change both the mask and the tag.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			for _, perform := range []bool{false, true} {
				id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
				if perform {
					t.Perform()
				}
				op := api.PollUpdate(id, api.PollOut, 2).With(api.UpdateTag)
				op.Off = 13
				t.Want(op, 0)
				t.AwaitRes(13, api.PollOut)
			}
			t.Quiet()
		},
	},
	{
		ID: "POL-14", Name: "event before the change",
		Explanation: "When a change meets a poll whose conditions have come, either it is ENOENT and the poll reports them, or it is 0 and the poll does not.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			for range 50 {
				a, b := t.Pair(false)
				id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
				t.Perform()
				t.Put(b, "x")
				t.Submit(api.PollUpdate(id, api.PollPri, 2))
				if answer := t.Await(2); answer.Res == 0 {
					t.StillPending(1)
					t.Want(api.PollRemove(id, 3), 0)
					t.AwaitRes(1, ecanceled)
				} else {
					t.WantRes(&answer, enoent)
					t.AwaitRes(1, api.PollIn)
				}
				t.CloseNow(a)
				t.CloseNow(b)
			}
			t.Quiet()
		},
	},
	{
		ID: "POL-14", Name: "changed and removed at once",
		Explanation: "A poll that is changed and then removed ends with ErrCanceled, and both answers are 0.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         api.Ops(api.OpPoll, api.OpPollRemove, api.OpCancel),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			for i := range 40 {
				op := api.Poll(a, api.PollIn, 1)
				if i%2 == 1 {
					op = op.With(api.Multishot)
				}
				id := t.Submit(op)[0]
				if i%4 < 2 {
					t.Perform()
				}
				end := api.PollRemove(id, 3)
				if i%8 < 4 {
					end = api.Cancel(id, 3)
				}
				t.Submit(api.PollUpdate(id, api.PollPri, 2), end, api.PollUpdate(id, api.PollPri, 4))
				t.AwaitRes(2, 0)
				t.AwaitRes(3, 0)
				t.AwaitRes(4, enoent)
				t.AwaitRes(1, ecanceled)
			}
			t.Quiet()
		},
	},
	{
		ID: "POL-14", Name: "changes race with data",
		Explanation: "However often a poll is changed while data comes, it has one last completion, and after the last change reports the data.",
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			for range 30 {
				a, b := t.Pair(false)
				id := t.Submit(api.Poll(a, api.PollPri, 1))[0]
				t.Perform()
				sent := make(chan error, 1)
				t.spawn(func() {
					_, err := unix.Write(b, []byte("x"))
					sent <- err
				})
				for tag := range uint64(20) {
					mask := uint32(api.PollPri)
					if tag%2 == 1 {
						mask = api.PollRDHup
					}
					t.Submit(api.PollUpdate(id, mask, 10+tag))
					if tag%3 == 0 {
						t.Perform()
					}
				}
				t.must("write", <-sent)
				t.Submit(api.PollUpdate(id, api.PollIn, 2))
				for tag := range uint64(20) {
					t.AwaitRes(10+tag, 0)
				}
				t.AwaitRes(2, 0)
				t.AwaitRes(1, api.PollIn)
				t.CloseNow(a)
				t.CloseNow(b)
			}
			t.Quiet()
		},
	},
	{
		ID: "POL-15", Name: "mask out of range",
		Explanation: "A mask of more than 16 bits is EINVAL, and leaves the poll that it was meant for as it is.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
			for _, mask := range []uint32{1 << 16, 1<<16 | api.PollOut, 1<<31 | api.PollOut, 1<<32 - 1} {
				t.WantErr(api.Poll(a, mask, 2), unix.EINVAL)
				t.WantErr(api.PollUpdate(id, mask, 3), unix.EINVAL)
			}
			t.StillPending(1)
			t.Put(b, "x")
			t.AwaitRes(1, api.PollIn)
		},
	},
	{
		ID: "POL-15", Name: "what was not asked for",
		Explanation: "A mask without Update, a tag without UpdateTag, and Level without Multishot, are EINVAL.",
		Needs:       NeedStreams,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			id := t.Submit(api.Poll(a, api.PollIn, 1))[0]
			op := api.PollRemove(id, 2)
			op.Arg = api.PollOut
			t.WantErr(op, unix.EINVAL)
			t.WantErr(op.With(api.UpdateTag), unix.EINVAL)
			op = api.PollRemove(id, 2)
			op.Off = 7
			t.WantErr(op, unix.EINVAL)
			t.WantErr(op.With(api.Update), unix.EINVAL)
			t.WantErr(api.Poll(a, api.PollOut, 3).With(api.Level), unix.EINVAL)
			for _, f := range []api.OpFlags{api.Multishot, api.Level, api.DontWait, api.ByFD, api.Abs} {
				t.WantErr(api.PollUpdate(id, api.PollOut, 4).With(f), unix.EINVAL)
			}
			t.StillPending(1)
			t.Put(b, "x")
			t.AwaitRes(1, api.PollIn)
		},
	},
	{
		ID: "POL-15", Name: "conditions that there are not",
		Explanation: "Bits of the mask that are no condition (POLLNVAL, POLLREMOVE and those above POLLRDHUP) mean nothing.",
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			const nothing = 0xd820
			r, w := t.Pipe(false)
			id := t.Submit(api.Poll(r, nothing, 1))[0]
			t.Put(w, "x")
			t.StillPending(1)
			t.Want(api.PollUpdate(id, nothing|api.PollIn, 2), 0)
			t.AwaitRes(1, api.PollIn)
			t.wantMask("a pipe with data", r, nothing|api.PollIn, api.PollIn)
		},
	},
}

// endOfReports is for a multishot poll that has been removed: its last completion is ErrCanceled, and those before, if any, are reports.
func (t *T) endOfReports(tag uint64, mask int) {
	t.tb.Helper()
	c := t.Await(tag)
	for ; c.More(); c = t.Await(tag) {
		t.WantMore(&c, mask)
	}
	t.WantRes(&c, ecanceled)
}
