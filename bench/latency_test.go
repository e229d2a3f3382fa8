//go:build unix

package bench

import (
	"slices"
	"time"
)

// latencySamples is how many operations the percentiles are of: the last ones.
const latencySamples = 1 << 16

// latency keeps the durations of the last operations.
type latency struct {
	last []time.Duration
	n    int
}

func newLatency() *latency { return &latency{last: make([]time.Duration, latencySamples)} }

func (l *latency) add(d time.Duration) {
	l.last[l.n%latencySamples] = d
	l.n++
}

// percentile is the smallest duration that p of a hundred operations do not exceed.
func (l *latency) percentile(p int) time.Duration {
	s := slices.Clone(l.last[:min(l.n, latencySamples)])
	if len(s) == 0 {
		return 0
	}
	slices.Sort(s)
	return s[(len(s)*p+99)/100-1]
}
