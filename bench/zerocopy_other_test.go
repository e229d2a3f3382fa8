//go:build unix && !linux

package bench

// zeroCopies is for Linux: elsewhere all of them copy.
func zeroCopies(...int) []scenario { return nil }
