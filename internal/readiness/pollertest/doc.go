// Package pollertest checks that an implementation of readiness.Poller does what the
// contract of that interface says. Each of the three backends runs the same
// table in its own tests.
package pollertest
