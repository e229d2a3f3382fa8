// Package core is what all four engines have in common, and with it most of the contract: the
// table of operations in flight and their ids, the order of stream operations per fd and direction,
// cancel, close, deadlines, timeouts, leases, waking, waiting, and one last completion for
// every operation.
//
// What differs is a Driver: internal/readiness performs operations by system calls when a
// Poller says that they can be performed; uring hands them to the kernel's io_uring. The
// driver sees an operation only when its turn has come, and says how it ended. Everything here
// belongs to the goroutine that owns the engine, except where a comment says otherwise.
package core
