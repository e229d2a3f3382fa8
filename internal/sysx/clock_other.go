//go:build !linux

package sysx

// Boottime says that there is no clock that goes on while the machine sleeps, or none that is known here.
func Boottime() (int64, bool) { return 0, false }
