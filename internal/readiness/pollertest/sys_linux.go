package pollertest

import "golang.org/x/sys/unix"

// sysDup2 is dup3(2): arm64 has no dup2.
func sysDup2(from, to int) error { return unix.Dup3(from, to, 0) }

// signalThisThread returns a function that sends SIGURG, which the runtime uses itself and takes for
// granted, to the calling thread.
func signalThisThread() func() {
	pid, tid := unix.Getpid(), unix.Gettid()
	return func() { _ = unix.Tgkill(pid, tid, unix.SIGURG) } // the thread may be gone
}
