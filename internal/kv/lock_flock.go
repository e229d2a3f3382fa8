//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package kv

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// locks says that lock does something.
const locks = true

const (
	// A process that is being forked has the files of this one until it executes its program, and so also the lock of a server that has been closed: lock
	// tries again for lockMax, every lockPause.
	lockMax   = 2 * time.Second
	lockPause = 5 * time.Millisecond
)

// lock keeps other servers from a file until it is closed: two would write over each other's entries.
func lock(f *os.File) error {
	pause := time.NewTicker(lockPause)
	defer pause.Stop()
	for limit := time.Now().Add(lockMax); ; <-pause.C {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) || time.Now().After(limit) {
			return err
		}
	}
}
