//go:build unix

package conformance

import (
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// pollLevel is a level-triggered poll.
func pollLevel(fd int, mask uint32, tag uint64) api.Op {
	return api.PollMultishot(fd, mask, tag).With(api.Level)
}

// oncePerComplete makes some calls of Complete, each of which must bring one report of the conditions in mask.
func (t *T) oncePerComplete(tag uint64, mask int) {
	t.tb.Helper()
	for range 5 {
		if n := t.pull(1, t.deadline()); n != 1 {
			t.Fatalf("a Complete has brought %d reports of one level-triggered poll: %s", n, showAll(t.stash))
		}
		t.wantReport(tag, mask)
	}
}

// levelCases are about level-triggered polls.
var levelCases = []Case{
	{
		ID: "POL-16", Name: "as long as it holds",
		Explanation: "A level-triggered poll reports a condition that holds once in each Complete, until it holds no more, and again when it does.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				id := t.Submit(pollLevel(a, api.PollIn, 1))[0]
				t.StillPending(1)
				for range 3 {
					t.Put(b, "x")
					t.ready(a, unix.POLLIN)
					t.oncePerComplete(1, api.PollIn)
					t.WantGet(a, "x")
					t.StillPending(1)
				}
				t.Want(api.PollRemove(id, 2), 0)
				t.AwaitRes(1, ecanceled)
				t.Put(b, "y")
				t.Quiet()
			})
		},
	},
	{
		ID: "POL-16", Name: "always ready",
		Explanation: "A level-triggered poll of a file that is always ready reports that once in each Complete.",
		Requires:    api.FeatMultishotPoll,
		Ops:         pollCancelOps,
		Fn: func(t *T) {
			for _, fd := range []int{t.File("abc"), t.OpenFile("/dev/null", unix.O_RDWR)} {
				id := t.Submit(pollLevel(fd, api.PollIn|api.PollOut, 1))[0]
				t.oncePerComplete(1, api.PollIn|api.PollOut)
				t.Submit(api.Cancel(id, 2))
				t.AwaitRes(2, 0)
				t.endOfReports(1, api.PollIn|api.PollOut)
			}
		},
	},
	{
		ID: "POL-16", Name: "what holds changes",
		Explanation: "A level-triggered poll reports in each Complete what holds then: more when more has come, and a hang-up for ever.",
		Requires:    api.FeatMultishotPoll,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			id := t.Submit(pollLevel(r, api.PollIn, 1))[0]
			t.StillPending(1)
			t.Put(w, "x")
			t.oncePerComplete(1, api.PollIn)
			t.CloseNow(w)
			t.oncePerComplete(1, api.PollIn|api.PollHup)
			t.WantGet(r, "x")
			t.oncePerComplete(1, api.PollHup)
			t.endLevel(id)
		},
	},
	{
		ID: "POL-16", Name: "several on one fd",
		Explanation: "Each of several level-triggered polls of one fd reports what it asks for once in each Complete, and an edge-triggered one beside them as ever.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			ids := t.Submit(pollLevel(a, api.PollIn, 1), pollLevel(a, api.PollIn|api.PollOut, 2), api.Poll(a, api.PollPri, 3))
			t.Put(b, "x")
			for range 4 {
				if n := t.pull(2, t.deadline()); n != 2 {
					t.Fatalf("a Complete has brought %s", showAll(t.stash))
				}
				t.wantReport(1, api.PollIn)
				t.wantReport(2, api.PollIn|api.PollOut)
			}
			t.WantGet(a, "x")
			t.pull(1, t.deadline())
			t.wantReport(2, api.PollOut)
			t.StillPending(1, 3)
			t.endLevel(ids[:2]...)
		},
	},
	{
		ID: "POL-16", Name: "changed",
		Explanation: "A level-triggered poll whose mask is changed stays one: it reports what it asks for now, once in each Complete.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         pollRemoveOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Put(b, "x")
			id := t.Submit(pollLevel(a, api.PollIn, 1))[0]
			t.oncePerComplete(1, api.PollIn)
			for range 3 {
				t.Submit(api.PollUpdate(id, api.PollPri, 2))
				t.AwaitRes(2, 0)
				t.stash = slices.DeleteFunc(t.stash, func(c api.Completion) bool { return c.Tag == 1 && c.Res == api.PollIn }) // of the Complete before
				t.StillPending(1)
				t.Submit(api.PollUpdate(id, api.PollOut, 3))
				t.AwaitRes(3, 0)
				t.wantReport(1, api.PollOut)
				t.oncePerComplete(1, api.PollOut)
			}
			op := api.PollRetag(id, 5, 4)
			t.Submit(op)
			t.AwaitRes(4, 0)
			t.wantReport(5, api.PollOut)
			t.oncePerComplete(5, api.PollOut)
			t.endLevel(id)
		},
	},
	{
		ID: "POL-16", Name: "ends",
		Explanation: "A level-triggered poll that has reported can be cancelled, by its fd too, ends by its Deadline, and with the close of its fd.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll | api.FeatCancelFD | api.FeatSafeClose | api.FeatDeadlines,
		Ops:         api.Ops(api.OpPoll, api.OpPollRemove, api.OpCancel, api.OpClose),
		Fn: func(t *T) {
			for i := range 4 {
				a, _ := t.Pair(false)
				op := pollLevel(a, api.PollOut, 1)
				if i == 3 {
					op = op.Until(api.After(5 * time.Millisecond))
				}
				id := t.Submit(op)[0]
				t.Perform()
				t.wantReport(1, api.PollOut)
				switch i {
				case 0:
					t.Want(api.Cancel(id, 2), 0)
				case 1:
					t.Want(api.CancelFD(a, 2), 1)
				case 2:
					t.Want(api.Close(a, 2), 0)
				default:
					c := t.Await(1)
					for c.More() {
						c = t.Await(1)
					}
					t.WantRes(&c, etime)
					continue
				}
				t.endOfReports(1, api.PollOut)
			}
			t.Quiet()
		},
	},
	{
		ID: "POL-17", Name: "many that always hold",
		Explanation: "Operations of all kinds complete within some calls of Complete although more level-triggered polls hold than fit into dst.",
		Requires:    bufferFeats | api.FeatMultishotPoll | api.FeatMultishotAccept,
		Ops:         api.Ops(api.OpPoll, api.OpRecv, api.OpAccept, api.OpTimeout, api.OpNop, api.OpPollRemove),
		Fn: func(t *T) {
			t.Group(api.BufferGroupOptions{Count: 16, Size: 64})
			const n = 50
			for _, room := range []int{1, 2, 8} {
				polled, _ := t.Pair(false)
				ids := make([]api.OpID, n)
				for i := range ids {
					ids[i] = t.Submit(pollLevel(polled, api.PollOut, uint64(1000+i)))[0]
				}
				a, b := t.Pair(false)
				e, f := t.Pair(false)
				c, d := t.TCP(false)
				l, addr := t.Listener()
				t.Submit(api.Recv(a, make([]byte, 8), 1), api.RecvMultishot(c, 0, 2), api.AcceptMultishot(l, 3),
					api.Poll(e, api.PollIn, 4), api.Timeout(time.Millisecond, 5), api.Nop(6))
				dst := make([]api.Completion, room)
				for range 2 * n {
					t.complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})
				}
				t.Put(b, "x")
				t.Put(d, "y")
				t.Put(f, "z")
				t.Dial(addr)
				seen := map[uint64]bool{5: true, 6: true}
				reports := 0
				// Some engines have a worker do part of it, which a busy machine may keep waiting for a while.
				start := time.Now()
				for i := 0; (i < 8*n || time.Since(start) < time.Second) && (len(seen) < 6 || reports < n); i++ {
					for _, c := range dst[:t.complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})] {
						if seen[c.Tag] = true; c.Tag >= 1000 {
							delete(seen, c.Tag)
							reports++
						}
					}
				}
				if len(seen) < 6 || reports < n {
					t.Errorf("with room for %d: of the others %v have completed, of the polls %d", room, seen, reports)
				}
				t.endLevel(ids...)
			}
		},
	},
	{
		ID: "POL-17", Name: "a wait for more",
		Explanation: "A Complete that a level-triggered poll does not fill waits for others, and makes few system calls.",
		Needs:       NeedStreams,
		Requires:    api.FeatMultishotPoll,
		Ops:         api.Ops(api.OpPoll, api.OpRecv, api.OpPollRemove),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			id := t.Submit(pollLevel(a, api.PollOut, 1), api.Recv(a, make([]byte, 1), 2))[0]
			t.oncePerComplete(1, api.PollOut)
			before := t.Engine.Stats().Enters
			if n := t.pull(2, api.After(idleTime)); n != 1 {
				t.Errorf("a Complete has brought %s", showAll(t.stash))
			}
			if n := t.Engine.Stats().Enters - before; n > idleEnters {
				t.Errorf("%d system calls in %v of waiting for a second completion", n, idleTime)
			}
			t.Put(b, "x")
			t.pull(2, t.deadline())
			t.AwaitRes(2, 1)
			t.endLevel(id)
		},
	},
}

// endLevel removes polls that have more to report, as long as they are there.
func (t *T) endLevel(ids ...api.OpID) {
	t.tb.Helper()
	for _, id := range ids {
		t.Want(api.PollRemove(id, 9999), 0)
	}
	for _, id := range ids {
		for !t.ops[id].ended {
			t.more("the end of a level-triggered poll")
		}
	}
	t.stash = slices.DeleteFunc(t.stash, func(c api.Completion) bool { return slices.Contains(ids, c.ID) })
}
