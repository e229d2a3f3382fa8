//go:build race

package echo

// raceEnabled says that the race detector is in, which allocates.
const raceEnabled = true
