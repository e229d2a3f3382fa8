package conformance

import (
	"fmt"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// benchmark is one benchmark of RunBenchmarks.
type benchmark struct {
	name string
	ops  api.OpSet
	run  func(b *testing.B, e api.Engine)
}

// RunBenchmarks measures the engines that f opens with the default options: nops by depth, and a
// byte that goes back and forth between two sockets of one engine. The names are in
// benchstat's key=value form.
func RunBenchmarks(b *testing.B, f Factory) {
	b.Helper()
	for _, depth := range []int{1, 32} {
		runBenchmark(b, f, benchmark{fmt.Sprintf("op=nop/depth=%d", depth), api.Ops(api.OpNop),
			func(b *testing.B, e api.Engine) { benchNops(b, e, depth) }})
	}
	for _, bm := range platformBenchmarks() {
		runBenchmark(b, f, bm)
	}
}

func runBenchmark(b *testing.B, f Factory, bm benchmark) {
	b.Run(bm.name, func(b *testing.B) {
		e, err := f(&api.Options{})
		if err != nil {
			b.Fatalf("opening the engine: %v", err)
		}
		defer e.Close()
		if why := (&Case{Ops: bm.ops}).missing(e.Features()); why != "" {
			b.Skip(why)
		}
		b.ReportAllocs()
		enters := e.Stats().Enters
		bm.run(b, e)
		b.ReportMetric(float64(e.Stats().Enters-enters)/float64(b.N), "enters/op")
	})
}

// turn submits ops and waits for one completion of each.
func turn(b *testing.B, e api.Engine, ops []api.Op, dst []api.Completion) {
	if n, err := e.Submit(ops); n != len(ops) || err != nil {
		b.Fatalf("Submit: %d, %v", n, err)
	}
	if n, err := e.Complete(dst[:len(ops)], api.Wait{Min: len(ops)}); n != len(ops) || err != nil {
		b.Fatalf("Complete: %d, %v", n, err)
	}
}

// benchNops counts a batch of depth nops as one operation.
func benchNops(b *testing.B, e api.Engine, depth int) {
	ops, dst := make([]api.Op, depth), make([]api.Completion, depth)
	for i := range ops {
		ops[i] = api.Nop(uint64(i))
	}
	for b.Loop() {
		turn(b, e, ops, dst)
	}
}
