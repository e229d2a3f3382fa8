//go:build !race

package conformance_test

// raceEnabled says that this test binary has the race detector.
const raceEnabled = false
