package core

import (
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/wakefd"
)

// waker lets other goroutines end the owner's wait. The state tells whether a system call is
// needed for it: only when the owner sleeps, and only by the first who wakes it.
//
//	bit 0  the owner sleeps, or is about to
//	bit 1  Wake was called and Complete has not returned for it yet
//	bit 2  a worker has left something for the driver
type waker struct {
	fd    *wakefd.FD
	state atomic.Uint32
	calls atomic.Uint64 // that made a system call
}

const (
	wakeSleeping uint32 = 1 << iota
	wakeUser
	wakeWork
)

// sleep is called before a wait. It says whether to wait: not when there is a reason to be awake. The
// work of workers is such a reason once, for the turn that follows fetches it.
func (w *waker) sleep() bool {
	if w.state.CompareAndSwap(0, wakeSleeping) {
		return true
	}
	w.state.And(^wakeWork)
	return false
}

// rouse is called after a wait. It leaves the other bits: work that came after the turn had looked
// for it is for the next one, which must not wait.
func (w *waker) rouse() { w.state.And(^wakeSleeping) }

// takeUser says whether Wake has been called, once.
func (w *waker) takeUser() bool {
	return w.state.Load()&wakeUser != 0 && w.state.And(^wakeUser)&wakeUser != 0
}

func (w *waker) signal(bit uint32) {
	if old := w.state.Or(bit); old == wakeSleeping {
		w.calls.Add(1)
		w.fd.Wake()
	}
}

// Wake implements api.Engine.
func (e *Engine) Wake() error {
	if e.closed.Load() {
		return api.ErrClosed
	}
	e.wake.signal(wakeUser)
	return nil
}

// Notify is for the driver's workers: there is something to be fetched by Turn. Any goroutine may call it.
func (e *Engine) Notify() { e.wake.signal(wakeWork) }
