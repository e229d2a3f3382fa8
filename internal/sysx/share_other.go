//go:build !linux

package sysx

// ShareBound is not available here.
func ShareBound(int32) bool { return false }
