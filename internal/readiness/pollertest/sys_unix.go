//go:build unix && !linux

package pollertest

import "golang.org/x/sys/unix"

func sysDup2(from, to int) error { return unix.Dup2(from, to) }

// signalThisThread returns a function that sends SIGURG, which the runtime uses itself and takes for
// granted, to the process: whichever thread gets it.
func signalThisThread() func() {
	pid := unix.Getpid()
	return func() { _ = unix.Kill(pid, unix.SIGURG) } // this process is there
}
