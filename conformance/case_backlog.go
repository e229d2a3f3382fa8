//go:build unix

package conformance

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// fullBacklog is a Unix listener whose backlog is full.
func (t *T) fullBacklog() (l int, path string) {
	l, path = t.unixListener(0)
	t.fillBacklog(path)
	return l, path
}

// letGo is deferred: it has the connects end that wait for l, so that a case which has failed does not
// hang when its engine is closed.
func (t *T) letGo(l int) {
	if t.Failed() {
		t.CloseNow(l)
	}
}

// looks makes n calls of Complete that do not wait.
func (t *T) looks(n int) {
	for range n {
		t.pull(0, 0)
	}
}

// backlogCases are about what waits where the kernel has no event for it.
var backlogCases = slices.Concat(withStrategies(Case{
	ID: "CON-5", Name: "cancelled after some looks",
	Explanation: "A connect that waits for room in a backlog can be cancelled at any time, in the batch that it was submitted in too.",
	Ops:         api.Ops(api.OpConnect, api.OpCancel),
	Fn: func(t *T) {
		for _, n := range []int{0, 1, 50} {
			l, path := t.fullBacklog()
			defer t.letGo(l)
			for _, nonblock := range []bool{false, true} {
				fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
				t.nonblock(nonblock, fd)
				id := t.Submit(api.Connect(fd, pathMsg(path), 1))[0]
				t.looks(n)
				t.Submit(api.Cancel(id, 2))
				t.Prompt(2, 0)
				t.Prompt(1, ecanceled)
			}
		}
	},
}), withStrategies(Case{
	ID: "TMO-10", Name: "connect after some looks",
	Explanation: "A connect that waits for room in a backlog ends at its Deadline, also at one that passes at once.",
	Requires:    api.FeatDeadlines,
	Ops:         connectOps,
	Fn: func(t *T) {
		for _, n := range []int{0, 1, 50} {
			for _, d := range []time.Duration{0, time.Millisecond} {
				l, path := t.fullBacklog()
				defer t.letGo(l)
				fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
				t.Submit(api.Connect(fd, pathMsg(path), 1).Until(api.After(d)))
				t.looks(n)
				t.Prompt(1, etime)
			}
		}
	},
}), withStrategies(Case{
	ID: "CAN-1", Name: "datagram to a full queue",
	Explanation: "A message that waits for a Unix datagram socket to take more can be cancelled at any time.",
	Ops:         api.Ops(api.OpSendMsg, api.OpCancel),
	Fn: func(t *T) {
		peer, path := t.fullDatagram()
		defer func() {
			if t.Failed() {
				t.drainDatagrams(peer)
			}
		}()
		for _, n := range []int{0, 1, 50} {
			s := t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
			m := vec("late")
			m.Addr = api.UnixAddr(path)
			id := t.Submit(api.SendMsg(s, m, 1))[0]
			t.looks(n)
			t.Submit(api.Cancel(id, 2))
			t.Prompt(2, 0)
			t.Prompt(1, ecanceled)
		}
	},
}), withStrategies(Case{
	ID: "ENG-3", Name: "connect that waits",
	Explanation: "Close of the engine ends a connect that waits for room in a backlog.",
	Ops:         connectOps,
	Fn: func(t *T) {
		for _, n := range []int{0, 1, 50} {
			l, path := t.fullBacklog()
			e := t.Open(nil)
			ops := []api.Op{api.Connect(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), pathMsg(path), 1)}
			if k, err := e.Submit(ops); k != 1 || err != nil {
				t.Fatalf("Submit: %d, %v", k, err)
			}
			for range n {
				if k, err := e.Complete(make([]api.Completion, 1), api.Wait{}); k != 0 || err != nil {
					t.Fatalf("Complete: %d, %v", k, err)
				}
			}
			late := time.AfterFunc(promptTime, func() {
				if fd, _, err := unix.Accept(l); err == nil { // makes room, so that Close can end
					_ = unix.Close(fd)
				}
			})
			t.must("close the engine", e.Close())
			if !late.Stop() {
				t.Fatalf("Close ended only when the connect could, after %v, %s", promptTime, fmt.Sprintf("%d looks before it", n))
			}
		}
	},
}))
