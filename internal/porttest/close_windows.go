package porttest

import "syscall"

var closeSocket = syscall.Closesocket
