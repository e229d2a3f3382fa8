// Package attempt tries operations by system calls that do not wait: the first thing that a readiness
// backend does with an operation, and the last when the file has become ready. The
// outcome is a result, or what to wait for.
//
// The engine's promise that an operation waits whatever the fd's O_NONBLOCK says, and that the
// owner never does, is kept here. Sockets are asked with MSG_DONTWAIT, other files with
// RWF_NOWAIT, so that the flags of an fd that others share stay as they are. Where neither exists:
//   - accept sets O_NONBLOCK on a listening socket that lacks it, and leaves it set
//   - connect sets O_NONBLOCK for the time of the call
//   - a file that does not know RWF_NOWAIT (a terminal) is read when poll(2) says that it
//     is ready; if another process takes the data first, that read waits.
package attempt
