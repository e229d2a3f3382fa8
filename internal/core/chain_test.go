package core

import (
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
)

func TestTurnInChainWhileFileIsBeingClosed(t *testing.T) {
	e, m := open(t, nil)
	a, b, buf := devNull(t), devNull(t), make([]byte, 8)
	submit(t, e, api.Read(b, buf, 0, 1))
	submit(t, e, api.Read(a, buf, 0, 2).With(api.Link), api.Read(b, buf, 0, 3).With(api.Link), api.Nop(4))
	reap(t, e)
	m.pend = true
	submit(t, e, api.Close(b, 5), api.Read(b, buf, 0, 6))
	if got := reap(t, e); len(got) != 1 || got[0].Tag != 6 || got[0].Err() != syscall.EBADF {
		t.Fatalf("behind a close: %+v, want EBADF", got)
	}
	m.end(1, 8)
	got := reap(t, e)
	if len(got) != 3 || got[0].Tag != 2 || got[1].Tag != 3 || got[1].Err() != api.ErrCanceled || got[2].Err() != api.ErrCanceled {
		t.Fatalf("got %+v, want the chain to break at the file that is being closed", got)
	}
	m.end(0, -int32(api.ECanceled))
	if got := reap(t, e); len(got) != 1 || got[0].Tag != 1 || !same(tags(m), 5) {
		t.Fatalf("got %+v, begun %v", got, tags(m))
	}
}

func TestCountsOfNumbersThatAreNoFiles(t *testing.T) {
	e, _ := open(t, nil)
	buf := make([]byte, 8)
	for _, fd := range []int{-1, -1 << 31, 1<<31 - 1, 1 << 30} {
		submit(t, e, api.Nop(1).With(api.Link), api.Read(fd, buf, 0, 2).With(api.Drain|api.Link), api.Read(fd, buf, 0, 3))
		for range 2 {
			reap(t, e)
		}
		e.drv.(*manual).end(0, 0)
		got := reap(t, e)
		if len(got) != 3 || got[1].Err() != syscall.EBADF || got[2].Err() != api.ErrCanceled {
			t.Fatalf("got %+v", got)
		}
	}
	if n := len(e.waiting.n); n > waitingMax {
		t.Errorf("%d counts", n)
	}
}
