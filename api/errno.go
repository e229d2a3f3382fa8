package api

import "syscall"

// errnoMax covers the errnos of Linux (133 is the last) and those of the other platforms.
const errnoMax = 200

// Turning a syscall.Errno into an error allocates unless the value is known at compile time, so
// it is done once for each.
var errnoErrors = func() (t [errnoMax]error) {
	for i := range t {
		t[i] = syscall.Errno(i)
	}
	return t
}()

func errnoError(e uint32) error {
	if e < errnoMax {
		return errnoErrors[e]
	}
	return syscall.Errno(e)
}
