// Package sysx is the one door to the system calls that the readiness core and
// the backends need. It exists because golang.org/x/sys/unix hides what they
// live on: it enters the scheduler for calls that cannot block, allocates a
// Sockaddr per datagram, and has no wrapper for pselect6 with large bitmaps,
// epoll_pwait2 or an offset of preadv2 on a 32-bit machine.
//
// Conventions:
//
//   - A file descriptor is an int32. An error is a [syscall.Errno], 0 for
//     success, so that nothing is boxed on the way.
//   - On Linux a call that cannot block is made without telling the scheduler
//     (RawSyscall). That is right only if it really cannot block: the caller
//     passes [MsgDontWait], has set O_NONBLOCK, or has seen the fd ready. The
//     functions whose names end in Blocking, and those whose comment says so,
//     may block for as long as they like and cost an entersyscall each.
//   - EINTR is retried here, except by the three waits ([EpollWait], [Poll],
//     [Select]), whose callers must work out anew how long to wait, and by
//     [Close] and [Connect], for which see there.
//   - On a unix other than Linux the same functions are built from the portable
//     wrappers of x/sys. They may allocate. Where there is no unix at all
//     every function returns ENOSYS.
//
// All functions are safe for concurrent use. The types are not.
package sysx
