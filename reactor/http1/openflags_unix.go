//go:build unix

package http1

import "syscall"

// openFlags keep the opening of a FIFO from waiting for somebody who writes into it.
const openFlags = syscall.O_NONBLOCK
