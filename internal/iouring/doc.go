// Package iouring is the raw binding of Linux io_uring: the kernel's constants and structs in the kernel's own
// spelling, the three system calls, the two rings in shared memory and the provided-buffer ring. It knows nothing of
// operations, tokens or engines; package uring builds those on top of it. Nothing else in the module should import it.
//
// # Concurrency
//
// There are no locks in here. A Ring has one owner at a time for its submission side (NextSQE, Flush, Enter…) and one
// owner at a time for its completion side (Peek, CQEAt, Advance). The two sides share no word that both write, so they
// may be two goroutines, provided neither resizes or closes the ring meanwhile. The waits with a timeout (EnterTimeout,
// EnterArg with a nil argument) use one argument block per ring and therefore belong to one goroutine at a time.
//
// The kernel ties some things to a thread and not to the process, so their user has to call runtime.LockOSThread:
//   - with IORING_SETUP_SINGLE_ISSUER only the thread which enabled the ring may submit, register, or reap with
//     GETEVENTS; every other thread is answered with EEXIST;
//   - a registered ring descriptor (RegisterRingFD) is an index into a table of the calling thread;
//   - requests in flight are cancelled when the thread that submitted them exits.
//
// # Memory
//
// A submission carries addresses as plain numbers, which neither keep an object alive nor follow it when it moves.
// Memory named by an SQE has to be heap or mmap memory (goroutine stacks move) and has to be kept reachable by the
// caller until the last completion of that request has been read: the one without IORING_CQE_F_MORE, and for zero-copy
// sends the one with IORING_CQE_F_NOTIF. No signature of the package contains a uintptr.
//
// # Errors
//
// Calls of the hot path return a syscall.Errno, where zero means success, because wrapping would allocate. Setup and
// the register calls return an error that wraps the errno, to be examined with errors.Is.
//
// # Portability
//
// Types and constants compile on every platform, the calls only on Linux. The layout of the structs is the same on all
// architectures, since the kernel pads each of them explicitly to eight bytes.
package iouring
