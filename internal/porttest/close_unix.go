//go:build unix

package porttest

import "syscall"

var closeSocket = syscall.Close
