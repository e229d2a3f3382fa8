package conformance_test

import (
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

var ringMutants = []fault{
	{"resize loses what is complete", "RNG-51", mutant{resize: func(m *mutant, entries, cqEntries int) error {
		_, _ = m.Engine.Complete(make([]api.Completion, 8), api.Wait{}) // that is the fault
		return m.Engine.ResizeQueues(entries, cqEntries)
	}}},
	{"resize loses what is submitted", "RNG-50", mutant{
		resize: func(m *mutant, entries, cqEntries int) error {
			_, _ = m.Engine.CancelSync(api.CancelAny(0), 0) // that is the fault
			return m.Engine.ResizeQueues(entries, cqEntries)
		},
	}},
	{"resize takes any size", "RNG-52", mutant{resize: func(m *mutant, entries, cqEntries int) error {
		_ = m.Engine.ResizeQueues(entries, cqEntries) // that is the fault
		return nil
	}}},
	{"batch forgotten", "RNG-54", mutant{wait: func(w api.Wait) api.Wait {
		if w.Batch > 0 && w.Deadline == 0 {
			w.Batch = time.Hour
		}
		return w
	}}},
	{"batch ends too early", "RNG-54", mutant{wait: func(w api.Wait) api.Wait {
		w.Batch = (w.Batch + 1) / 2
		return w
	}}},
	{"batch taken for a deadline", "RNG-54", mutant{wait: func(w api.Wait) api.Wait {
		if w.Batch > 0 {
			w.Deadline = api.After(w.Batch)
		}
		return w
	}}},
	{"batch ends at the first", "RNG-54", mutant{wait: func(w api.Wait) api.Wait {
		if w.Batch > 0 {
			w.Min = min(w.Min, 1)
		}
		return w
	}}},
	{"resize not there", "RNG-53", mutant{resize: func(m *mutant, entries, cqEntries int) error {
		return &api.UnsupportedError{Feature: api.FeatQueueResize}
	}}},
}

// TestRingMutants is TestMutants for the rules of the ring.
func TestRingMutants(t *testing.T) { testMutants(t, ringMutants) }
