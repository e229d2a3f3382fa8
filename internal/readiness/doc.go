// Package readiness performs operations on top of a Poller, which tells only when an fd may be
// read or written: epoll, poll or select. It is a core.Driver, and all that the three
// backends have in common beyond package core; a backend adds a Poller.
//
// An operation is tried first (internal/attempt). If it would have to wait it becomes a waiter of its
// fd, and is tried again when the Poller reports the fd. What would block a thread whatever
// poll says, such as a file that is not in the page cache, goes to a bounded pool of workers.
//
// With an edge-triggered Poller an fd is registered once and for both directions. A latch per
// direction then remembers whether the fd may still have something: it is set by
// an event, and cleared by an attempt that found nothing, or by a read from a
// stream that got less than it asked for.
package readiness
