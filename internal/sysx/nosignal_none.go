//go:build unix && !linux && !dragonfly && !freebsd && !netbsd && !openbsd

package sysx

// MsgNoSignal is not to be relied on here: the Go runtime catches the signal, and the
// send fails with EPIPE all the same.
const MsgNoSignal = 0
