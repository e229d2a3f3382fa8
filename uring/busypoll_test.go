//go:build linux

package uring

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// polling opens an engine with the options, and gives what the kernel has been told. The kernel tells it when it is told to stop.
func polling(t *testing.T, o api.RingOptions, use bool) iouring.NAPI {
	t.Helper()
	watchdog(t)
	e, err := New(&api.Options{Ring: o})
	if errors.Is(err, api.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if use {
		submit(t, e, api.Nop(1), api.Timeout(time.Millisecond, 2))
		wait(t, e, 2)
	}
	var is, after iouring.NAPI
	d := driverOf(e)
	if err := d.ring.UnregisterNAPI(&is); err != nil {
		t.Fatal(err)
	}
	if err := d.busyPoll(&o); err != nil {
		t.Fatal(err)
	}
	if err := d.stopPolling(); err != nil {
		t.Error(err)
	}
	if err := d.ring.UnregisterNAPI(&after); err != nil || after.BusyPollTo != 0 {
		t.Errorf("when it is over: %+v, %v", after, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	return is
}

func TestBusyPoll(t *testing.T) {
	for _, c := range []struct {
		o      api.RingOptions
		us     uint32
		prefer uint8
	}{
		{api.RingOptions{BusyPoll: 50 * time.Microsecond}, 50, 0},
		{api.RingOptions{BusyPoll: 1}, 1, 0},
		{api.RingOptions{BusyPoll: api.MaxBusyPoll, PreferBusyPoll: true}, 1e4, 1},
		{api.RingOptions{BusyPoll: time.Microsecond, BusyPollIDs: [16]uint32{1 << 30, 1<<30 + 1, 0, 1 << 30}}, 1, 0},
	} {
		for _, use := range []bool{false, true} {
			if got := polling(t, c.o, use); got.BusyPollTo != c.us || got.PreferBusyPoll != c.prefer {
				t.Errorf("%+v: the kernel has %+v", c.o, got)
			}
		}
	}
}

// TestBusyPollRefused: a number that is no queue's is an OptionError, and nothing is left behind.
func TestBusyPollRefused(t *testing.T) {
	o := api.RingOptions{BusyPoll: time.Microsecond, BusyPollIDs: [16]uint32{1 << 30}}
	polling(t, o, false) // skips where there is no such thing
	o.BusyPollIDs[15] = 1
	if _, err := New(&api.Options{Ring: o}); !errors.Is(err, api.ErrInvalidOption) || !strings.Contains(err.Error(), "Ring.BusyPollIDs") {
		t.Errorf("the number of a processor for that of a queue: %v", err)
	}
}
