package sysx

import "syscall"

// errnoOf is the number in an error of x/sys, whose errors are numbers. One that
// is none (a net.OpError, say) cannot come here; EIO marks it if it does.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := err.(syscall.Errno); ok {
		return errno
	}
	return syscall.EIO
}
