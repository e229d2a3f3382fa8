//go:build linux

package uring

import (
	"errors"
	"runtime"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// TestWrongThreadDoesNoHarm: a call of Submit from a thread that is not the owner's, of so much that the queue has to
// be flushed, is refused, and the engine goes on working for its owner.
func TestWrongThreadDoesNoHarm(t *testing.T) {
	for _, mask := range []api.KernelFeature{0, api.KernSubmitAll} {
		e := open(t, &api.Options{Entries: 8, Disable: mask})
		submit(t, e, api.Nop(1))
		want(t, wait(t, e, 1)[0], 1, 0)
		taken := make(chan int)
		go func() {
			runtime.LockOSThread() // ends with the goroutine, so that the thread is of no further use
			n, err := e.Submit(nops(20))
			if err != nil && !errors.Is(err, api.ErrNotOwner) {
				t.Errorf("Submit in a second thread: %v", err)
			}
			if _, err := e.Complete(make([]api.Completion, 1), api.Wait{}); !errors.Is(err, api.ErrNotOwner) {
				t.Errorf("Complete in a second thread: %v", err)
			}
			taken <- n
		}()
		n := <-taken
		wait(t, e, n) // what was taken is performed
		submit(t, e, api.Nop(2))
		want(t, wait(t, e, 1)[0], 2, 0)
		if s := e.Stats(); s.InFlight != 0 {
			t.Errorf("%d operations in flight, without %v", s.InFlight, mask)
		}
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}
