package core

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluiceio/sluice/api"
)

func TestCancelSyncWaitsNoLongerThanItsLimit(t *testing.T) {
	e, m := open(t, &api.Options{MaxInFlight: 2})
	fd, buf := devNull(t), make([]byte, 8)
	m.refuse = true
	ops := submit(t, e, api.Read(fd, buf, 0, 1), api.Read(fd, buf, 0, 2))
	for _, c := range []api.Op{api.Cancel(ops[0].ID, 0), api.CancelFD(fd, 0), api.CancelAny(0), api.CancelAny(0).With(api.First)} {
		// manual ends everything in a turn that may wait.
		if n, err := e.CancelSync(c, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("of what cannot be stopped: %d, %v; want os.ErrDeadlineExceeded", n, err)
		}
	}
	if got := reap(t, e); len(got) != 0 || len(m.begun) != 2 {
		t.Fatalf("got %+v, and %d go on", got, len(m.begun))
	}
	n, err := e.CancelSync(api.Cancel(ops[0].ID, 0), -1)
	if n != 0 || err != nil {
		t.Fatalf("of what has ended by itself meanwhile: %d, %v", n, err)
	}
	if got := reap(t, e); len(got) != 2 || got[0].Res != 0 {
		t.Fatalf("got %+v", got)
	}
}

func TestCancelSyncWhoseAnswerIsLate(t *testing.T) {
	e, m := open(t, &api.Options{MaxInFlight: 1})
	fd, buf := devNull(t), make([]byte, 8)
	id := submit(t, e, api.Read(fd, buf, 0, 1))[0].ID
	m.pend = true
	if n, err := e.CancelSync(api.Cancel(id, 0), 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d, %v", n, err)
	}
	by := m.asked
	// The one slot that there is for it is in use still.
	if n, err := e.CancelSync(api.CancelAny(0), time.Hour); n != 0 || !errors.Is(err, api.ErrQueueFull) {
		t.Fatalf("a second one: %d, %v", n, err)
	}
	m.end(0, -int32(api.ECanceled))
	e.CancelDone(by, 0)
	if got := reap(t, e); len(got) != 1 || got[0].Err() != api.ErrCanceled {
		t.Fatalf("got %+v", got)
	}
	if n, err := e.CancelSync(api.Cancel(id, 0), time.Hour); n != 0 || err != syscall.ENOENT {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestClosingGroupTakesNoMoreOperations(t *testing.T) {
	e, m := open(t, nil)
	fd := devNull(t)
	g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 1, Count: 2, Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, e, api.RecvBuffer(fd, 1, 1).With(api.HardLink), api.RecvBuffer(fd, 1, 2))
	reap(t, e)
	submit(t, e, api.RecvBuffer(fd, 1, 3))
	m.refuse = true // what has begun ends in the turn that Close waits for
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	got := reap(t, e)
	if len(got) != 3 || len(m.begun) != 0 {
		t.Fatalf("got %+v, and %d go on", got, len(m.begun))
	}
	for _, c := range got {
		if c.Tag == 1 && c.Res != 0 || c.Tag != 1 && c.Err() != syscall.ENOBUFS {
			t.Errorf("got %+v", c)
		}
	}
}

func TestCancelOfManyThatIsAnsweredLate(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	submit(t, e, api.Read(fd, buf, 0, 1), api.Read(fd, buf, 0, 2), api.Recv(fd, buf, 3), api.Recv(fd, buf, 4), api.Timeout(time.Hour, 5))
	reap(t, e)
	m.pend = true
	submit(t, e, api.CancelAny(9))
	// Of the five, the queued receive and the timeout end at once, three are asked about.
	if got := reap(t, e); len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	by := m.asked
	for _, res := range []int32{-int32(api.ECanceled), 8, -int32(api.ECanceled)} {
		answer := int32(0)
		if res > 0 {
			answer = -int32(syscall.ENOENT)
		}
		m.end(0, res)
		e.CancelDone(by, answer)
	}
	got := reap(t, e)
	if len(got) != 4 || got[3].Tag != 9 || got[3].Res != 4 {
		t.Fatalf("got %+v, want 4 of the 5 to be counted", got)
	}
}

func TestLinkTimeoutThatIsAnsweredLate(t *testing.T) {
	fd, buf := devNull(t), make([]byte, 8)
	for _, x := range []struct {
		res, answer, lt int32
		next            error
	}{
		{-int32(api.ECanceled), 0, -int32(api.ETime), api.ErrCanceled},
		{8, -int32(syscall.ENOENT), -int32(syscall.ENOENT), nil},
		{8, -int32(syscall.EALREADY), -int32(syscall.EALREADY), nil},
	} {
		e, m := open(t, nil)
		m.pend = true
		submit(t, e, api.Read(fd, buf, 0, 1).With(api.Link), api.LinkTimeout(0, 2).With(api.Link), api.Read(fd, buf, 0, 3))
		reap(t, e)
		by := m.asked
		if by == nil || by.Op.Code != api.OpLinkTimeout {
			t.Fatalf("asked by %+v", by)
		}
		// A cancel that comes meanwhile finds the operation on its way out.
		submit(t, e, api.Cancel(m.begun[0].ID(), 4), api.CancelAny(5))
		if got := reap(t, e); len(got) != 2 || got[0].Err() != syscall.ENOENT || got[1].Res != 0 {
			t.Fatalf("got %+v", got)
		}
		m.end(0, x.res)
		e.CancelDone(by, x.answer)
		got := reap(t, e)
		if x.next == nil {
			m.end(0, 8)
			got = append(got, reap(t, e)...)
		}
		if len(got) != 3 {
			t.Fatalf("got %+v", got)
		}
		for _, c := range got {
			switch {
			case c.Tag == 1 && c.Res == x.res, c.Tag == 2 && c.Res == x.lt, c.Tag == 3 && c.Err() == x.next:
			default:
				t.Errorf("got %+v", c)
			}
		}
	}
}

// measured is manual, and notes how long a Turn may wait.
type measured struct {
	manual
	longest time.Duration
}

func (d *measured) Turn(need int, wait time.Duration) error {
	d.longest = max(d.longest, wait)
	return d.manual.Turn(need, wait)
}

// TestCancelSyncKeepsDeadlines: what runs out of time while CancelSync waits for something else does not have to wait for that.
func TestCancelSyncKeepsDeadlines(t *testing.T) {
	const soon = 10 * time.Millisecond
	fd, buf := devNull(t), make([]byte, 8)
	for _, kind := range []string{"timeout", "wall", "deadline"} {
		synctest.Test(t, func(t *testing.T) {
			opt, err := (*api.Options)(nil).WithDefaults()
			if err != nil {
				t.Fatal(err)
			}
			d := &measured{}
			e, err := New("measured", opt, api.Features{}, d)
			if err != nil {
				t.Fatal(err)
			}
			late := map[string]api.Op{
				"timeout":  api.Timeout(soon, 2),
				"wall":     api.TimeoutWall(time.Now().Add(soon), 2),
				"deadline": api.Recv(fd, buf, 2).Until(api.After(soon)),
			}[kind]
			id := submit(t, e, api.Read(fd, buf, 0, 1), late)[0].ID
			d.refuse = true
			if n, err := e.CancelSync(api.Cancel(id, 0), -1); n != 0 || err != nil {
				t.Fatalf("%s: of what has ended by itself: %d, %v", kind, n, err)
			}
			if d.longest > soon {
				t.Errorf("%s: due in %v, and a turn may wait %v", kind, soon, d.longest)
			}
			d.refuse = false
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
