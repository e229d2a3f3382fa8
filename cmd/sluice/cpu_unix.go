//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTimes are the processor times that the process has used, in user and kernel mode; 0 where they are not known.
func cpuTimes() (user, system time.Duration) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0, 0
	}
	return time.Duration(ru.Utime.Nano()), time.Duration(ru.Stime.Nano())
}
