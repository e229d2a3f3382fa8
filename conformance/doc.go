// Package conformance is the public test suite of the contract in package api: the rules of
// docs/SEMANTICS.md as cases that any engine can be put through.
//
// The author of a backend writes one test:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func(o *api.Options) (api.Engine, error) { return mine.New(o) }, nil)
//	}
//
// Each case gets an engine of its own, and a watchdog that prints the engine's state when the case hangs. Afterwards the suite looks whether
// anything is left: open files, goroutines, operations in flight (the slots of the engine) and with its workers, buffers of a group that nobody has
// the lease of, and mapped memory. A case that needs a feature or an operation which the engine does not declare in Features is skipped with the
// reason; and whatever an engine does not declare is tried, and has to be refused (SUB-4, SUB-11, ENG-12). What
// holds for every completion (its tag and code, one last completion and none behind it, a lease where there
// is a provided buffer, and not twice) is checked in every case.
//
// An engine that does not work on files of the operating system gives the suite streams of its own, in Config.Streams; docs/WRITING_A_BACKEND.md
// goes through an example.
//
// A pass shows that the engine kept the rules in the situations that the cases bring about. It
// does not show that it keeps them in all interleavings: run it under the race detector and
// with -count too. RunAllocs shows that nothing is allocated per operation, RunBenchmarks what
// an operation costs.
//
// None of it needs go test: what the suite wants of a test is the interface TB, with subtests Runner, and of a benchmark Bencher. A program
// takes Cases, AllocCases and Benchmarks, and runs each by itself, as the command "sluice conformance" does. RuleOf gives the rule that a case is
// about, with its reason, and docs/RULES.md leads from each rule to its cases.
//
// The suite runs in a process that does little else meanwhile: cases count the open files and the
// goroutines of the process, one lowers its limit of open files for a moment, and others send it
// signals. Do not run cases in parallel with one another or with other tests.
package conformance
