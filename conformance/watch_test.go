package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
)

// TestWatchdog: a case that takes too long is reported with the state of its engine, woken, and left behind if that does not help.
func TestWatchdog(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	hold := make(chan struct{})
	woken, left := make(chan struct{}), make(chan struct{})
	for _, c := range []struct {
		name string
		fn   func(*conformance.T)
		over chan struct{} // closed when the goroutine of the case is at its end
	}{
		{"waits in its engine", func(t *conformance.T) {
			defer close(woken)
			t.Submit(api.Timeout(time.Hour, 1))
			if n, err := t.Engine.Complete(make([]api.Completion, 1), api.Wait{Min: 1}); n != 0 || err != nil {
				t.Errorf("Complete: %d, %v", n, err)
			}
		}, woken},
		{"waits for something else", func(t *conformance.T) {
			defer close(left)
			<-hold
			t.Errorf("this is told to nobody")
		}, left},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{t: t}
			one := conformance.Case{ID: "CMP-1", Name: c.name, Explanation: "It ends.", Fn: c.fn}
			if why := one.Run(r, b.open, &conformance.Config{Timeout: 200 * time.Millisecond}); why != "" {
				t.Errorf("skipped: %s", why)
			}
			first := r.first()
			for _, want := range []string{"has not ended after 200ms", "engine epoll, stats {Submitted:", "goroutines:\ngoroutine "} {
				if !strings.Contains(first, want) {
					t.Errorf("no %q in\n%s", want, first)
				}
			}
			if c.over == left {
				close(hold)
			}
			select {
			case <-c.over:
			case <-time.After(conformance.DefaultTimeout):
				t.Error("the goroutine of the case does not end")
			}
			if all := strings.Join(r.failed, "\n"); strings.Contains(all, "told to nobody") {
				t.Errorf("a case that was left behind has reported: %s", all)
			}
		})
	}
}
