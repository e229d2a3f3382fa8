//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package kv

import (
	"os"
	"syscall"
)

// locks says that lock does something.
const locks = true

// lock keeps other servers from a file until it is closed: two would write over each other's entries.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
