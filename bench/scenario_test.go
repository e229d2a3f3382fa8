//go:build unix

package bench

import "testing"

// TestScenarios runs each scenario for some hundred operations, all of which check their results.
func TestScenarios(t *testing.T) {
	for _, group := range []struct {
		name string
		list []scenario
	}{
		{"Nop", nops()}, {"PingPong", pingPongs()}, {"Echo", echoes()}, {"Accept", accepts()},
		{"FileRandRead", fileReads()}, {"Timers", timers()}, {"Wake", wakes()}, {"SendZC", zeroCopies(1<<10, 1<<16)}, {"Messages", messages()},
		{"Reactor", reactors()},
	} {
		t.Run(group.name, func(t *testing.T) { check(t, group.list) })
	}
}
