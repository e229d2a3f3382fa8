package porttest

import "syscall"

type socket = syscall.Handle

var closeSocket = syscall.Closesocket
