//go:build !linux

package sysx

// LockLimit is how many bytes may be locked. It is a limit of io_uring's, which is not here.
func LockLimit() (limit uint64, limited bool) { return 0, false }
