// Package epoll is the backend on epoll(7), for Linux.
//
// Each file descriptor is registered once, edge-triggered, for everything that
// it can report, and stays registered until it is forgotten. Arming it again is
// one EPOLL_CTL_MOD, which makes the kernel report what holds at that moment; a
// file descriptor that keeps its interest costs no system call but the wait
// itself. The registration carries a generation, because a registration
// outlives close(2) as long as a dup of the file does, and cannot be removed by
// then: what it still reports is recognised and dropped.
//
// Waits are exact to the nanosecond with epoll_pwait2(2), from Linux 5.11 on, and
// rounded up to a millisecond before that.
//
// Limits: regular files and directories cannot be watched (EPERM) and are always
// ready; /proc/sys/fs/epoll/max_user_watches bounds how many file descriptors a
// user can watch. There is no limit of its own.
//
// Choose it where io_uring is not to be had. Its cost depends on how many file
// descriptors are ready, not on how many are watched. It is the only
// readiness backend that can park in Go's own network poller.
package epoll
