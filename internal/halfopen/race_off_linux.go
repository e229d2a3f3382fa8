//go:build !race

package halfopen

const raceEnabled = false
