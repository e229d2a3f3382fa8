//go:build linux

package uring

import (
	"errors"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
)

// ringOf is the driver behind e.
func ringOf(t *testing.T, e api.Engine) *driver {
	t.Helper()
	return e.(*core.Engine).Driver().(*driver)
}

// resizable opens an engine whose queues can be resized, or skips the test.
func resizable(t *testing.T, o *api.Options) (api.Engine, *driver) {
	t.Helper()
	e := open(t, o)
	if !e.Features().Has(api.FeatQueueResize) {
		t.Skip("this kernel does not resize rings")
	}
	return e, ringOf(t, e)
}

func TestResizeSizes(t *testing.T) {
	e, d := resizable(t, &api.Options{Entries: 8, CQEntries: 32})
	for _, x := range []struct{ entries, cq, sq, want uint32 }{
		{64, 128, 64, 128}, {0, 0, 64, 128}, {5, 0, 8, 128}, {0, 9, 8, 16}, {1, 1, 1, 1}, {api.MaxEntries, api.MaxCQEntries, api.MaxEntries, api.MaxCQEntries},
	} {
		if err := e.ResizeQueues(int(x.entries), int(x.cq)); err != nil {
			t.Fatalf("%+v: %v", x, err)
		}
		if sq, cq := d.ring.SQEntries(), d.ring.CQEntries(); sq != x.sq || cq != x.want {
			t.Errorf("ResizeQueues(%d, %d) made it %d and %d, want %d and %d", x.entries, x.cq, sq, cq, x.sq, x.want)
		}
	}
	if err := e.ResizeQueues(0, 16); !errors.Is(err, api.ErrInvalidOption) {
		t.Errorf("fewer completions than submissions: %v", err)
	}
}

// TestResizeUnsubmitted resizes with entries that the kernel has not been given, of which more wait than fit.
func TestResizeUnsubmitted(t *testing.T) {
	e, d := resizable(t, &api.Options{Entries: 64, CQEntries: 64})
	submit(t, e, api.Nop(1))
	wait(t, e, 1)
	for i := range 40 {
		q := d.sqe()
		q.PrepNop()
		q.UserData = kindIgnore << kindShift
		if i == 3 {
			if err := e.ResizeQueues(16, 64); err != nil || d.ring.Unsubmitted() != 4 {
				t.Fatalf("with 4 entries: %v, %d are left", err, d.ring.Unsubmitted())
			}
			if err := e.ResizeQueues(64, 64); err != nil || d.ring.Unsubmitted() != 4 {
				t.Fatalf("with 4 entries: %v, %d are left", err, d.ring.Unsubmitted())
			}
		}
	}
	if err := e.ResizeQueues(4, 4); err != nil || d.ring.Unsubmitted() != 0 || d.ring.CQReady() != 0 {
		t.Fatalf("to fewer than wait: %v, %d unsubmitted, %d ready", err, d.ring.Unsubmitted(), d.ring.CQReady())
	}
	submit(t, e, api.Nop(2))
	wait(t, e, 1)
}

func TestResizeUnsupported(t *testing.T) {
	for _, o := range []*api.Options{
		{Strategy: api.Park()},
		{Disable: api.KernResize},
		{Disable: api.KernDeferTaskrun},
		{Disable: api.KernSingleIssuer},
		{Disable: api.KernNoSQArray},
	} {
		e := open(t, o)
		var u *api.UnsupportedError
		if err := e.ResizeQueues(8, 16); !errors.As(err, &u) || u.Feature != api.FeatQueueResize || e.Features().Has(api.FeatQueueResize) {
			t.Errorf("with %+v: %v", o, err)
		}
		submit(t, e, api.Nop(1))
		wait(t, e, 1)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResizeElsewhere resizes from a thread that the ring does not belong to.
func TestResizeElsewhere(t *testing.T) {
	e, d := resizable(t, nil)
	submit(t, e, api.Nop(1))
	wait(t, e, 1)
	done := make(chan error)
	go func() { done <- e.ResizeQueues(8, 16) }()
	if err := <-done; err != api.ErrNotOwner {
		t.Errorf("from another thread: %v", err)
	}
	if d.ring.SQEntries() != api.DefaultEntries {
		t.Errorf("there are %d entries", d.ring.SQEntries())
	}
	submit(t, e, api.Nop(2))
	wait(t, e, 1)
}
