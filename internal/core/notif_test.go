package core

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// want fails the test unless the next Complete gives completions with these results and flags.
func want(t *testing.T, e *Engine, what string, want ...api.Completion) {
	t.Helper()
	got := reap(t, e)
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && got[i].Tag == want[i].Tag && got[i].Res == want[i].Res && got[i].Flags == want[i].Flags
	}
	if !ok {
		t.Fatalf("%s: got %+v, want %+v", what, got, want)
	}
}

func TestNotificationAfterTheLastOfThem(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	ops := submit(t, e, api.SendZC(fd, buf, 1).With(api.ReportUsage), api.SendZC(fd, buf, 2), api.Nop(3).With(api.Drain))
	reap(t, e)
	s := m.begun[0]
	s.Notifs = 3
	e.Notified(s, true) // of an attempt that came to nothing
	want(t, e, "a notification before the result")
	if got := tags(m); !same(got, 1) {
		t.Fatalf("begun %v before the result, want 1", got)
	}
	m.end(0, 8)
	want(t, e, "the result", api.Completion{Tag: 1, Res: 8, Flags: api.More})
	if got := tags(m); !same(got, 2) {
		t.Fatalf("begun %v after the result, want 2", got)
	}
	submit(t, e, api.Cancel(ops[0].ID, 9).With(api.Drain)) // which must not find it
	e.Notified(s, false)
	want(t, e, "a notification that is not the last")
	m.end(0, 8)
	want(t, e, "the other", api.Completion{Tag: 2, Res: 8, Flags: api.More}, api.Completion{Tag: 2, Flags: api.Notif})
	if e.told != 1 || len(m.begun) != 0 {
		t.Fatalf("%d operations wait for notifications, want 1; begun %v", e.told, tags(m))
	}
	e.Notified(s, false)
	want(t, e, "the last notification", api.Completion{Tag: 1, Flags: api.Notif | api.Copied})
	if got := tags(m); !same(got, 3) || e.told != 0 {
		t.Fatalf("begun %v, want what waited for it", got)
	}
	m.end(0, 0)
	want(t, e, "what waited", api.Completion{Tag: 3}, api.Completion{Tag: 9, Res: -int32(syscall.ENOENT)})
}

func TestFailureAfterItsNotification(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	ops := submit(t, e, api.SendZC(fd, buf, 1).With(api.Link), api.Nop(2), api.Send(fd, buf, 3))
	reap(t, e)
	s := m.begun[0]
	s.Notifs = 1
	m.end(0, -int32(syscall.EPIPE))
	if s.Failed() != -int32(syscall.EPIPE) {
		t.Errorf("it has failed with %d", s.Failed())
	}
	want(t, e, "a failure whose memory is in use")
	submit(t, e, api.Cancel(ops[0].ID, 9), api.CancelFD(fd, 8))
	want(t, e, "cancels", api.Completion{Tag: 9, Res: -int32(syscall.ENOENT)}, api.Completion{Tag: 3, Res: -int32(api.ECanceled)}, api.Completion{Tag: 8, Res: 1})
	if m.cancels != 0 || len(m.begun) != 0 {
		t.Errorf("%d cancels; begun %v", m.cancels, tags(m))
	}
	e.Notified(s, true)
	want(t, e, "the failure", api.Completion{Tag: 1, Res: -int32(syscall.EPIPE)}, api.Completion{Tag: 2, Res: -int32(api.ECanceled)})
}

func TestChangedMemoryIsReported(t *testing.T) {
	e, m := open(t, nil)
	buf := make([]byte, 8)
	msg := &api.Msg{Bufs: [][]byte{make([]byte, 3), buf}}
	for _, op := range []api.Op{api.SendZC(devNull(t), buf, 1), api.SendMsgZC(devNull(t), msg, 1)} {
		submit(t, e, op)
		reap(t, e)
		s := m.begun[0]
		s.Notifs = 1
		m.end(0, 8)
		reap(t, e)
		buf[5]++ // that is the fault
		said := func() (said string) {
			defer func() {
				if p := recover(); p != nil {
					said = p.(string)
				}
			}()
			e.Notified(s, false)
			return ""
		}()
		if invariants.Enabled != strings.Contains(said, "changed the memory") {
			t.Errorf("%v: with invariants %v it says %q", op.Code, invariants.Enabled, said)
		}
		if !invariants.Enabled {
			want(t, e, "the notification", api.Completion{Tag: 1, Flags: api.Notif})
			continue
		}
		buf[5]--
		s.Notifs, e.told = 1, e.told+1
		e.Notified(s, false)
		want(t, e, "the notification", api.Completion{Tag: 1, Flags: api.Notif})
	}
}

func TestCloseOfWhatTheKernelHolds(t *testing.T) {
	e, m := open(t, nil)
	buf := make([]byte, 8)
	submit(t, e, api.SendZC(devNull(t), buf, 1), api.Recv(devNull(t), buf, 2))
	reap(t, e)
	s := m.begun[0]
	s.Notifs = 1
	m.end(0, 8)
	held1 := func() bool {
		held.mu.Lock()
		defer held.mu.Unlock()
		_, ok := held.engines[e]
		return ok
	}
	for range 2 {
		var h *api.HeldError
		if err := e.Close(); !errors.As(err, &h) || h.Sends != 1 || len(m.begun) != 0 || !held1() {
			t.Fatalf("Close: %v, retained %v, begun %v", err, held1(), tags(m))
		}
	}
	if _, err := e.Complete(make([]api.Completion, 1), api.Wait{}); err != api.ErrClosed {
		t.Errorf("Complete: %v, want ErrClosed", err)
	}
	e.Notified(s, false)
	if err := e.Close(); err != nil || held1() {
		t.Errorf("Close when all is free: %v, retained %v", err, held1())
	}
	if err := e.Close(); err != api.ErrClosed {
		t.Errorf("another Close: %v, want ErrClosed", err)
	}
}

// TestCloseOfAFailedEngine: nobody will ever know when that memory is free, and so it is kept.
func TestCloseOfAFailedEngine(t *testing.T) {
	e, m := open(t, nil)
	submit(t, e, api.SendZC(devNull(t), make([]byte, 8), 1))
	reap(t, e)
	m.begun[0].Notifs = 1
	m.end(0, 8)
	e.failed = errors.New("broken")
	if err := e.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, ok := held.engines[e]; !ok {
		t.Error("the memory is not kept")
	}
	e.unretain()
}
