// Package api is the contract of sluice: operations go in, completions come out.
//
// A program fills in Op values, hands them to an Engine with Submit, and reaps
// Completion values with Complete. What happens between the two differs by
// backend (io_uring, epoll, poll, select); what comes out does not. The rules are
// numbered in docs/SEMANTICS.md, and package conformance checks them.
//
// # Ownership
//
// An engine belongs to one goroutine, the first that calls Submit or Complete.
// That goroutine makes every call but Wake, Post,
// InstallFile and Stats, which anyone may make.
//
// The memory of an operation (Op.Buf, Op.Msg, Op.Args and all that they refer to) belongs
// to the engine from Submit until the last completion of the operation, which is the
// one without the flag More. The engine keeps it alive meanwhile. Of an operation with SkipSuccess, which may
// have none, it is the program's again when a later one of its chain has completed: without a chain nothing tells. A provided
// buffer, delivered in Completion.Buf, is the program's until it gives the lease
// back with BufferGroup.Release.
//
// An engine knows numbers of files and not what owns them. An *os.File or net.Conn whose fd an
// operation uses must stay reachable until the operation has ended (a deferred Close does that, or
// runtime.KeepAlive): once it is garbage its finalizer closes the fd behind the engine's back. A file with operations in flight is
// closed by the engine (Close) or not at all; what happens to them otherwise differs by backend.
//
// An engine must be closed. Nothing else frees its fds and goroutines.
//
// # Checking
//
// In a build with the tag invariants the engine checks its owner at each call and overwrites buffers
// that were released. Under the race detector it reports a program that touches a buffer in flight.
//
// # Chains
//
// With Link, HardLink, Drain and LinkTimeout the operations of one Submit depend on each other. An fd is a number that
// is known at Submit, so that a file which is opened in a chain is used in the next one. Of
//
//	engine.Submit([]api.Op{
//		api.Write(fd, entry, api.CurrentPosition, 1).With(api.Link),
//		api.Fsync(fd, 2).With(api.DataSync | api.Link),
//		api.Close(fd, 3),
//	})
//
// a failure, such as a short write, completes all behind it with ErrCanceled; the file is still open then. With HardLink on the
// fsync it would be closed even if that fails, but not if the write does: give every operation in front the HardLink for that.
//
// # Results
//
// Completion.Res is what the system call of the same name would have returned, or
// a negative errno. Completion.Err turns it into an error without allocating.
//
// The package depends on the standard library alone and works on every platform;
// package backend opens the engines.
package api
