package sysx

import "golang.org/x/sys/unix"

// Boottime reads CLOCK_BOOTTIME, in nanoseconds. It is false where there is no such clock.
func Boottime() (int64, bool) {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0, false
	}
	return ts.Nano(), true
}
