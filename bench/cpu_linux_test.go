package bench

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is how much CPU time the process has used, to the nanosecond.
func processCPU() time.Duration { return cpuClock(unix.CLOCK_PROCESS_CPUTIME_ID) }

// lockThread locks the goroutine to its thread, and returns what tells the CPU time of that thread from any other.
func lockThread() func() time.Duration {
	runtime.LockOSThread()
	tid := unix.Gettid()
	// The clock of one thread (include/linux/posix-timers.h: MAKE_THREAD_CPUCLOCK with CPUCLOCK_SCHED).
	id := int32(^tid)<<3 | 4 | 2
	return func() time.Duration { return cpuClock(id) }
}

func cpuClock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0 // the thread has ended
	}
	return time.Duration(ts.Nano())
}
