package conformance

import (
	"fmt"

	"github.com/sluiceio/sluice/api"
)

// Bencher is a benchmark that can have others below it: a *testing.B is one, of the type Bencher[*testing.B].
type Bencher[B any] interface {
	Loop
	// Helper marks the caller as a helper function.
	Helper()
	// Run runs f as a benchmark of its own, and says whether it passed.
	Run(name string, f func(B)) bool
	// Skip says why a benchmark is left out, and ends it.
	Skip(why ...any)
	// ReportAllocs has the allocations counted.
	ReportAllocs()
	// ReportMetric adds a number of the benchmark's own to its result.
	ReportMetric(n float64, unit string)
}

// Loop is what a benchmark needs of whoever measures it.
type Loop interface {
	// Loop says whether to do one operation more. The time from its first call to the one that says no is what is measured.
	Loop() bool
	// Fatalf reports a failure and ends the benchmark.
	Fatalf(format string, args ...any)
}

// Benchmark is one benchmark of the suite.
type Benchmark struct {
	// Name is in benchstat's key=value form.
	Name string
	// Ops are the operations that it uses.
	Ops api.OpSet
	// Fn does one operation for each time that Loop says so.
	Fn func(l Loop, e api.Engine)
}

// Benchmarks are those of RunBenchmarks, for a program that measures by itself: nops by depth, and a byte that goes back and forth
// between two streams of one engine, which are sockets unless cfg has Streams. The slice is the caller's.
func Benchmarks(cfg *Config) []Benchmark {
	var all []Benchmark
	for _, depth := range []int{1, 32} {
		all = append(all, Benchmark{fmt.Sprintf("op=nop/depth=%d", depth), api.Ops(api.OpNop),
			func(l Loop, e api.Engine) { benchNops(l, e, depth) }})
	}
	return append(all, platformBenchmarks(cfg.streams())...)
}

// RunBenchmarks measures the engines that f opens with the default options, by each of Benchmarks. b is a *testing.B, or what else has
// benchmarks below it.
func RunBenchmarks[B Bencher[B]](b B, f Factory, cfg *Config) {
	b.Helper()
	for _, bm := range Benchmarks(cfg) {
		b.Run(bm.Name, func(b B) {
			e, err := f(&api.Options{})
			if err != nil {
				b.Fatalf("opening the engine: %v", err)
			}
			defer e.Close()
			if why := (&Case{Ops: bm.Ops}).missing(e.Features()); why != "" {
				b.Skip(why)
			}
			b.ReportAllocs()
			l := &counted{inner: b}
			enters := e.Stats().Enters
			bm.Fn(l, e)
			b.ReportMetric(float64(e.Stats().Enters-enters)/float64(max(l.n, 1)), "enters/op")
		})
	}
}

// counted counts the operations of a Loop.
type counted struct {
	inner Loop
	n     int
}

func (c *counted) Loop() bool {
	if !c.inner.Loop() {
		return false
	}
	c.n++
	return true
}

func (c *counted) Fatalf(format string, args ...any) { c.inner.Fatalf(format, args...) }

// turn submits ops and waits for one completion of each.
func turn(l Loop, e api.Engine, ops []api.Op, dst []api.Completion) {
	if n, err := e.Submit(ops); n != len(ops) || err != nil {
		l.Fatalf("Submit: %d, %v", n, err)
	}
	if n, err := e.Complete(dst[:len(ops)], api.Wait{Min: len(ops)}); n != len(ops) || err != nil {
		l.Fatalf("Complete: %d, %v", n, err)
	}
}

// benchNops counts a batch of depth nops as one operation.
func benchNops(l Loop, e api.Engine, depth int) {
	ops, dst := make([]api.Op, depth), make([]api.Completion, depth)
	for i := range ops {
		ops[i] = api.Nop(uint64(i))
	}
	for l.Loop() {
		turn(l, e, ops, dst)
	}
}
