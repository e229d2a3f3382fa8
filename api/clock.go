package api

import "time"

// Instant is a point on the monotonic clock of the process, in nanoseconds. Engines and
// programs compare it without a system call and store it in 8 bytes. 0 is no instant;
// Now never returns it.
type Instant int64

// The clock starts at startInstant, so that instants before the start of the process are instants, too.
const startInstant Instant = 1 << 60

var clockBase = time.Now()

// Now reads the clock.
func Now() Instant { return startInstant + Instant(time.Since(clockBase)) }

// After is the instant d from now; d ≤ 0 gives now.
func After(d time.Duration) Instant { return Now().Add(max(d, 0)) }

// The first and the last Instant.
const (
	firstInstant Instant = -1 << 63
	lastInstant  Instant = 1<<63 - 1
)

// Add is the instant d after t. It stops at the first and the last Instant rather than wrap around.
func (t Instant) Add(d time.Duration) Instant {
	s := t + Instant(d)
	switch {
	case d > 0 && s < t:
		return lastInstant
	case d < 0 && s > t:
		return firstInstant
	}
	return s
}

// Sub is how long t is after u. It stops at the shortest and the longest Duration rather than wrap around.
func (t Instant) Sub(u Instant) time.Duration {
	d := t - u
	switch {
	case t > u && d < 0:
		return time.Duration(lastInstant)
	case t < u && d > 0:
		return time.Duration(firstInstant)
	}
	return time.Duration(d)
}
