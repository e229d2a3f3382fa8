package reactor

import (
	"math"
	"runtime/debug"
	"sync"
)

// threadLimit guards the look at a limit that can only be read by setting it.
var threadLimit sync.Mutex

// maxThreads is how many threads the program may have (debug.SetMaxThreads).
func maxThreads() int {
	threadLimit.Lock()
	defer threadLimit.Unlock()
	n := debug.SetMaxThreads(math.MaxInt32) // higher than any, since a limit below what there are ends the program
	debug.SetMaxThreads(n)
	return min(n, bytesMax)
}
