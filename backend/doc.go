// Package backend opens engines. It holds the registry of backends and decides which
// one to use; what an engine then does is package api.
//
// A program links backends by importing package backend/all, whose build tags choose
// which, and opens one by name:
//
//	engine, err := backend.Open("auto", nil)
//
// A name is strict: "uring" opens io_uring or fails, and never falls back. "auto", and "",
// take the backend that the environment variable SLUICE_BACKEND names, as strictly, or
// else the first of uring, epoll, poll, select that is linked and can be opened here;
// OpenWithReport says which were passed over and why, and Pick does the same among those
// that have what the program needs.
//
// Auto falls back where a backend cannot be had: it is unavailable, or its set-up was refused with
// ENOSYS, EPERM, EACCES, EINVAL, ENOMEM or EOPNOTSUPP. Anything else would befall the next
// backend too, or hide a mistake of the program, and is returned: no more file descriptors (EMFILE,
// ENFILE), an option out of range.
//
// There are four errors besides those of the backends: *UnknownError for a name that no backend
// has, *NotLinkedError for one that this program was built without, *LackingError for one
// that does not do what Pick requires, and *RefusedError when auto found none. Each has a message of one
// line which says what to do.
//
// The functions of the package use DefaultRegistry, the only global state; a program, or a test, that
// wants none makes its own Registry. All functions and methods are safe for concurrent use.
//
// Engines belong to one goroutine each; see package api.
package backend
