package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
)

var retimeOps = api.Ops(api.OpTimeout, api.OpTimeoutRemove)

var retimeCases = []Case{
	{
		ID: "TMO-24", Name: "remove",
		Explanation: "TimeoutRemove completes with 0 and ends a timeout of whatever kind with ErrCanceled.",
		Requires:    api.FeatDeadlines,
		Ops:         retimeOps,
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.TimeoutCount(farAway, 1<<30, 2), api.Tick(farAway, 3, 3),
				api.TimeoutWall(time.Now().Add(farAway), 4), api.Timeout(farAway, 5).Until(api.After(farAway)))
			for i, id := range ids {
				t.Want(api.TimeoutRemove(id, 10), 0)
				t.AwaitRes(uint64(i+1), ecanceled)
			}
			t.Quiet()
		},
	},
	{
		ID: "TMO-24", Name: "same batch",
		Explanation: "A removal or update reaches the timeouts that were submitted before it, in the same batch too.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			a := t.Submit(api.Timeout(farAway, 1))[0]
			b := t.Submit(api.Timeout(farAway, 2))[0]
			t.Submit(api.TimeoutRemove(a, 3), api.TimeoutUpdate(b, 0, 4))
			t.AwaitRes(3, 0)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(4, 0)
			t.AwaitRes(2, etime)
		},
	},
	{
		ID: "TMO-25", Name: "no timeout",
		Explanation: "Removal and update of what is no timeout, or none any more, complete with ENOENT and change nothing.",
		Ops:         api.Ops(api.OpTimeout, api.OpTimeoutRemove, api.OpCancel, api.OpNop),
		Fn: func(t *T) {
			gone := t.Submit(api.Timeout(0, 1))[0]
			t.AwaitRes(1, etime)
			nop := t.Submit(api.Nop(2))[0]
			t.AwaitRes(2, 0)
			t.Submit(api.Timeout(farAway, 3)) // has the slot of one of them
			for _, id := range []api.OpID{gone, nop, 0, api.MakeOpID(1<<20, 1), api.MakeOpID(0, 1<<31), 1<<64 - 1} {
				t.Want(api.TimeoutRemove(id, 4), -int(eNoEnt))
				t.Want(api.TimeoutUpdate(id, 0, 5), -int(eNoEnt))
				t.Want(api.TimeoutUpdateAt(id, 1, 6), -int(eNoEnt))
			}
			t.StillPending(3)
		},
	},
	{
		ID: "TMO-25", Name: "itself",
		Explanation: "A removal that names itself, or another removal, completes with ENOENT.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			id := t.Submit(api.TimeoutRemove(0, 1))[0]
			t.AwaitRes(1, -int(eNoEnt))
			// Its slot is used next, with the next generation.
			t.Want(api.TimeoutRemove(api.MakeOpID(id.Slot(), id.Generation()+1), 2), -int(eNoEnt))
		},
	},
	{
		ID: "TMO-26", Name: "later and earlier",
		Explanation: "An updated timeout expires at its new time, which counts from Submit of the update, and not before.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.Timeout(period, 2), api.Timeout(farAway, 3))
			start := api.Now()
			t.Submit(api.TimeoutUpdate(ids[0], 2*period, 10), api.TimeoutUpdate(ids[1], 3*period, 11), api.TimeoutUpdate(ids[2], 0, 12))
			for tag := range uint64(3) {
				t.AwaitRes(10+tag, 0)
			}
			t.AwaitRes(3, etime)
			t.AwaitRes(1, etime)
			t.wantPassed(start.Add(2 * period))
			t.AwaitRes(2, etime)
			t.wantPassed(start.Add(3 * period))
			t.Quiet()
		},
	},
	{
		ID: "TMO-26", Name: "to an instant",
		Explanation: "An update to an instant makes a timeout expire at it, at once if it has passed.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.TimeoutAt(api.After(farAway), 2))
			at := api.After(period)
			t.Submit(api.TimeoutUpdateAt(ids[0], at, 3), api.TimeoutUpdateAt(ids[1], 1, 4))
			t.AwaitRes(3, 0)
			t.AwaitRes(4, 0)
			t.AwaitRes(2, etime)
			t.AwaitRes(1, etime)
			t.wantPassed(at)
		},
	},
	{
		ID: "TMO-26", Name: "counts from submit",
		Explanation: "The new time of an updated timeout counts from Submit of the update.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			t.Perform()
			t.Submit(api.TimeoutUpdate(id, 6*period, 2))
			t.busyUntil(api.After(6 * period))
			t.Submit(api.Timeout(3*period, 3))
			t.AwaitRes(2, 0)
			if c := t.One(); c.Tag != 1 {
				t.Errorf("what was due when Complete began came behind a timeout of %v: %s", 3*period, show(&c))
			}
		},
	},
	{
		ID: "TMO-26", Name: "by its clock",
		Explanation: "An update goes by the clock of the timeout: a time of the wall clock for one of that clock.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			far := time.Now().Add(farAway)
			ids := t.Submit(api.TimeoutWall(far, 1), api.TimeoutWall(far, 2), api.TimeoutWall(far, 3))
			start, at := api.Now(), time.Now().Add(period).Round(0)
			t.Submit(api.TimeoutUpdateAt(ids[0], api.Instant(at.UnixNano()), 10), api.TimeoutUpdate(ids[1], period, 11), api.TimeoutUpdateAt(ids[2], 1, 12))
			t.AwaitRes(3, etime) // 1970
			t.AwaitRes(1, etime)
			if now := time.Now().Round(0); now.Before(at) {
				t.Errorf("a timeout at %v came at %v", at, now)
			}
			t.AwaitRes(2, etime)
			t.wantPassed(start.Add(period))
			for tag := range uint64(3) {
				t.AwaitRes(10+tag, 0)
			}
			t.Quiet()
		},
	},
	{
		ID: "TMO-26", Name: "again and again",
		Explanation: "A timeout that is put off again and again does not expire, and expires once in the end.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			id := t.Submit(api.Timeout(farAway, 1))[0]
			for i := range 200 {
				t.Want(api.TimeoutUpdate(id, farAway+time.Duration(i%7), 2), 0)
			}
			t.StillPending(1)
			t.Want(api.TimeoutUpdate(id, 0, 2), 0)
			t.AwaitRes(1, etime)
			t.Want(api.TimeoutUpdate(id, 0, 2), -int(eNoEnt))
			t.Quiet()
		},
	},
	{
		ID: "TMO-27", Name: "ticks",
		Explanation: "An update of a multishot timeout changes the time between two, and not how many are left.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			id := t.Submit(api.Tick(farAway, 3, 1))[0]
			t.Perform()
			start := api.Now()
			t.Want(api.TimeoutUpdate(id, period, 2), 0)
			t.tickAt(1, start.Add(period), false)
			t.tickAt(1, start.Add(2*period), false)
			start = api.Now()
			if c := t.Do(api.TimeoutUpdate(id, period/2, 2)); c.Res != 0 && int(c.Res) != -int(eNoEnt) { // the machine may be slow
				t.Errorf("the update gave %s", show(&c))
			} else if c.Res == 0 {
				t.tickAt(1, start.Add(period/2), true)
			} else {
				t.AwaitRes(1, etime)
			}
			t.Quiet()
		},
	},
	{
		ID: "TMO-27", Name: "count and deadline",
		Explanation: "An update of a timeout with a count, or a Deadline, leaves these as they are.",
		Requires:    api.FeatDeadlines,
		Ops:         api.Ops(api.OpTimeout, api.OpTimeoutRemove, api.OpNop),
		Fn: func(t *T) {
			at := api.After(2 * period)
			ids := t.Submit(api.TimeoutCount(farAway, 5, 1), api.Timeout(farAway, 2).Until(at))
			// In one batch, for the deadline may pass as soon as they are performed.
			t.Submit(api.TimeoutUpdate(ids[0], 2*farAway, 3), api.TimeoutUpdate(ids[1], 2*farAway, 4))
			t.AwaitRes(3, 0)
			t.AwaitRes(4, 0)
			t.Want(api.Nop(5), 0)
			t.Want(api.Nop(5), 0)
			t.StillPending(1)
			t.Want(api.Nop(5), 0)
			t.AwaitRes(1, 0)
			t.AwaitRes(2, etime)
			t.wantPassed(at)
		},
	},
	{
		ID: "TMO-28", Name: "bad input",
		Explanation: "An update to a negative time, or of a multishot timeout to an instant, and flags that do not belong are EINVAL, and change nothing.",
		Ops:         retimeOps,
		Fn: func(t *T) {
			ids := t.Submit(api.Timeout(farAway, 1), api.Tick(farAway, 0, 2))
			for _, id := range []api.OpID{ids[0], ids[1], 0} {
				t.Want(api.TimeoutUpdate(id, -1, 3), -int(eInval))
				t.Want(api.TimeoutUpdateAt(id, -1, 3), -int(eInval))
				for _, f := range []api.OpFlags{api.Abs, api.Boottime, api.Update | api.Realtime, api.Update | api.Boottime, api.Update | api.TimeoutOK, api.UpdateTag, api.Multishot} {
					op := api.TimeoutRemove(id, 3)
					op.Flags = f
					t.Want(op, -int(eInval))
				}
			}
			t.Want(api.TimeoutUpdateAt(ids[1], api.Now(), 3), -int(eInval))
			t.StillPending(1, 2)
		},
	},
}
