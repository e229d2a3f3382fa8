//go:build !unix

package sysx

import "syscall"

// Dup fails: there are no file descriptors here.
func Dup(int32) (int32, syscall.Errno) { return -1, syscall.ENOSYS }
