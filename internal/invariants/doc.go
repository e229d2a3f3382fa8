// Package invariants holds checks that cost too much, or say too much about the
// inside, to be part of a normal build. `go test -tags invariants` turns them
// on; without the tag every function is empty and [Enabled] is a false constant,
// so that the compiler drops the code behind `if invariants.Enabled`.
//
// The arguments of [Check] are evaluated in both builds. Where they cost
// something, put the call behind Enabled.
package invariants
