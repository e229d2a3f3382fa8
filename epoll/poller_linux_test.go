package epoll

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/readiness"
	"github.com/sluiceio/sluice/internal/readiness/pollertest"
	"github.com/sluiceio/sluice/internal/sysx"
)

func TestPoller(t *testing.T) { pollertest.Run(t, newPoller) }

func BenchmarkPoller(b *testing.B) { pollertest.Bench(b, newPoller) }

// The call of every kernel, for those before 5.11.
func TestPollerMillis(t *testing.T) {
	pollertest.Run(t, func() (readiness.Poller, error) {
		p, err := newPoller()
		if err == nil {
			p.(*poller).wait = sysx.EpollWaitMillis
		}
		return p, err
	})
}

// A kernel that lacks epoll_pwait2 says so at the first Wait, which must not be noticed.
func TestFallBack(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		p, err := newPoller()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		calls := 0
		p.(*poller).wait = func(int32, []sysx.EpollEvent, time.Duration) (int, syscall.Errno) {
			calls++
			return 0, errno
		}
		ev := make([]readiness.Event, 1)
		start := time.Now()
		for range 2 {
			if n, err := p.Wait(ev, 2*time.Millisecond); n != 0 || err != nil {
				t.Errorf("%v: Wait = %d, %v", errno, n, err)
			}
		}
		if calls != 1 {
			t.Errorf("%v: asked %d times, want once", errno, calls)
		}
		if took := time.Since(start); took < time.Millisecond {
			t.Errorf("%v: two Waits of 2ms took %v", errno, took)
		}
	}
}
