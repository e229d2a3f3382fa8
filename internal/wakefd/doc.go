// Package wakefd makes a file descriptor that other goroutines can make readable,
// to get a loop out of its wait. It is an eventfd where there is one and a
// pipe elsewhere.
//
// On Linux an eventfd needs version 2.6.27 (eventfd2(2)). On a system that is no unix New fails with ENOSYS.
package wakefd
