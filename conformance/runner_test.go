package conformance_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
)

// plain is a runner that has nothing to do with package testing, as a program would write it.
type plain struct {
	name            string
	failed, skipped string
	later           []func()
	dir             string
	ran             *[]*plain // all that have run
	n               int       // of the loop
	metrics         map[string]float64
}

func (p *plain) Helper()                             {}
func (p *plain) Errorf(format string, args ...any)   { p.failed += fmt.Sprintf(format, args...) }
func (p *plain) Fatalf(format string, args ...any)   { p.Errorf(format, args...); runtime.Goexit() }
func (p *plain) Logf(string, ...any)                 {}
func (p *plain) Cleanup(f func())                    { p.later = append(p.later, f) }
func (p *plain) TempDir() string                     { return p.dir }
func (p *plain) Failed() bool                        { return p.failed != "" }
func (p *plain) Skip(why ...any)                     { p.skipped = fmt.Sprint(why...); runtime.Goexit() }
func (p *plain) ReportAllocs()                       {}
func (p *plain) ReportMetric(n float64, unit string) { p.metrics[unit] = n }
func (p *plain) Loop() bool                          { p.n++; return p.n <= 10 }
func (p *plain) Run(name string, f func(*plain)) (ok bool) {
	sub := &plain{name: p.name + "/" + name, dir: p.dir, ran: p.ran, metrics: map[string]float64{}}
	*p.ran = append(*p.ran, sub)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(sub)
	}()
	<-done
	for i := len(sub.later) - 1; i >= 0; i-- {
		sub.later[i]()
	}
	return !sub.Failed()
}

// TestOutsideGoTest runs the suite, the counts of allocations and the benchmarks without a *testing.T.
func TestOutsideGoTest(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	var ran []*plain
	root := &plain{dir: t.TempDir(), ran: &ran}
	nops := func(o *api.Options) (api.Engine, error) {
		e, err := b.open(o)
		if err != nil {
			return nil, err
		}
		return lesser(e, o, api.AllFeatures, ^api.Ops(api.OpNop))
	}
	conformance.Run(root, nops, nil)
	var passed, skipped, families int
	for _, p := range ran {
		switch {
		case p.Failed():
			t.Errorf("%s: %s", p.name, p.failed)
		case strings.Count(p.name, "/") == 1:
			families++
		case p.skipped != "":
			skipped++
		default:
			passed++
		}
	}
	if passed < 10 || skipped < 10 || families < 3 || passed+skipped != len(conformance.Cases()) {
		t.Errorf("%d cases of %d families passed and %d were skipped, of %d", passed, families, skipped, len(conformance.Cases()))
	}

	ran = nil
	conformance.RunAllocs(root, b.open, nil)
	if len(ran) != len(conformance.AllocCases()) {
		t.Errorf("%d of %d counts of allocations were made", len(ran), len(conformance.AllocCases()))
	}
	for _, p := range ran {
		if p.Failed() {
			t.Errorf("%s: %s", p.name, p.failed)
		}
	}
	ran = nil
	conformance.RunBenchmarks(root, b.open, nil)
	if len(ran) != len(conformance.Benchmarks(nil)) {
		t.Fatalf("%d of %d benchmarks were run", len(ran), len(conformance.Benchmarks(nil)))
	}
	for _, p := range ran {
		if _, ok := p.metrics["enters/op"]; !ok || p.Failed() || p.skipped != "" || p.n != 11 {
			t.Errorf("%s: %d operations, %v, %q, %q", p.name, p.n-1, p.metrics, p.failed, p.skipped)
		}
	}
}
