// Package matrix is what the runs of the conformance suite have in common, whether `go test` or the tool makes them: the columns, which are the ways
// in which it runs on each backend, the results of its cases, and the table that shows them.
//
// It is for the tests of package conformance, for .ci/conformance and for cmd/sluice. It runs nothing itself, and any goroutine may call
// its functions.
package matrix
