//go:build !unix

package conformance

// platformCases are those that need files. There are none: no engine performs operations on the
// files of this platform.
func platformCases() []Case { return nil }

func platformAllocs() []allocCase { return nil }

func platformBenchmarks(Streams) []Benchmark { return nil }

func undeclaredFileOps() []undeclared { return nil }

func closeFD(int) {}
