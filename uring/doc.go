// Package uring is the backend on io_uring(7), for Linux.
//
// Operations go to the kernel as they are: what is submitted between two calls of Complete is handed
// over, and waited for, by one io_uring_enter(2). What all backends have in common (the order per fd
// and direction, cancels, deadlines, closing, waking) is in internal/core; this package turns slots
// into submission entries (encode), and completion entries into results (decode).
//
// # Waiting
//
// With the strategy Block the ring belongs to one thread (SINGLE_ISSUER, DEFER_TASKRUN): the goroutine
// that first calls Submit or Complete is locked to its thread until Close, and completions are made
// in its own system calls and nowhere else. With Park the ring belongs to no thread
// (COOP_TASKRUN), and its fd sits in the runtime's own network poller.
//
// # Modes
//
// What else io_uring can be is up to Options.Ring, one file each: a thread of the kernel's that submits (sqpoll), a second ring that polls
// devices (iopoll), limits and processors of the kernel's workers (iowq). Options.Restrict has the ring do no more than it must (restrict), and
// Driver.Modes tries all of them. docs/RINGS.md says when each pays.
//
// # Kernels
//
// Linux 5.6 is the least that it works on. Everything newer is found out by trying, when the engine is
// opened, and done without where it is refused or where Options.Disable names it: what was
// multishot is then armed again and again, buffers are handed out here and not by the kernel, waits are
// ended by a timeout operation.
//
// Choose it wherever it can be opened. Containers often forbid it; the error says so.
package uring
