//go:build !linux

package sysx

// NoSignal is for Linux only: 0.
func NoSignal() int { return 0 }
