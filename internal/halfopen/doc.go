// Package halfopen holds half-open connections for tests: connections that were made and then send nothing, or half of a request. They are held by
// processes of their own, the test's program again, so that a test can have more of them than one process may have files, and the memory of
// the server be told from that of its clients. Programs have no use for it.
//
// A package whose tests use it calls Main in its TestMain.
package halfopen
