//go:build !race

package halfopen

// RaceEnabled says whether the race detector is in the program.
const RaceEnabled = false
