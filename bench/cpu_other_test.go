//go:build unix && !linux

package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is how much CPU time the process has used, to a microsecond at best.
func processCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0 // it cannot fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// lockThread does nothing: the CPU time of a thread cannot be had from another.
func lockThread() func() time.Duration { return nil }
