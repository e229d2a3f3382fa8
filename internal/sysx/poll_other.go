//go:build !linux

package sysx

// Unpollable says whether fd is of a kind that does not know poll(2) and is always ready. Only Linux tells.
func Unpollable(fd int32) bool { return false }
