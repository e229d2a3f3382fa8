// Package bench measures the engines, and Go's own net, os and time beside them in the same run. It has
// no code to import: the benchmarks are its tests. docs/BENCHMARKS.md says how to run and read them.
//
//	go test -run '^$' -bench . ./bench/...
//
// Each benchmark is a table of scenarios, named for benchstat: Echo/backend=epoll/wait=block/conns=64/size=64.
// A scenario checks what it does in every operation, and TestScenarios runs each for a while without
// measuring, so that a fast wrong answer is not a result.
package bench
