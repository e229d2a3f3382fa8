//go:build unix

package bench

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

// backends are those that every scenario runs on.
var backends = []string{"uring", "epoll", "poll", "select"}

// spinLooks is how often wait=spin looks before it blocks: for about 50 µs on epoll.
const spinLooks = 200

// waits are the ways to wait for which scenarios differ.
var waits = []struct {
	name string
	how  api.Strategy
}{
	{"block", api.Block()},
	{"park", api.Park()},
	{"spin", api.Spin(spinLooks, api.Block())},
}

// scenario is one thing to measure, on one backend or baseline. Exactly one of steps and count is set.
type scenario struct {
	name  string // in benchstat's form: backend=epoll/depth=32
	bytes int64  // that an operation moves; 0: does not matter

	// steps prepares, and returns what does one operation and checks it.
	steps func(r *rig) (op func() error)

	// count does n operations and checks them. It calls r.start before the first and r.stop behind the last.
	count func(r *rig, n int) error
}

// rig is what a scenario runs in: it opens engines and measures.
type rig struct {
	testing.TB
	b *testing.B // nil in a test

	cpu     time.Duration // used by the process while the clock ran
	entered uint64        // kernel entries while the clock ran
	latency *latency      // of the operations, where the scenario takes it

	mu      sync.Mutex
	engines []api.Engine         // whose entries count; guarded by mu
	thread  func() time.Duration // CPU time of the server's thread; nil: not known; guarded by mu
	served  time.Duration        // thread while the clock ran
}

// open opens an engine that the goroutine of the scenario owns. It is closed at the end.
func (r *rig) open(name string, how api.Strategy) api.Engine {
	r.Helper()
	return r.openWith(name, &api.Options{Strategy: how})
}

func (r *rig) openWith(name string, o *api.Options) api.Engine {
	r.Helper()
	r.require(name)
	e, err := backend.Open(name, o)
	if err != nil {
		r.Fatal(err)
	}
	r.add(e)
	r.Cleanup(func() {
		if err := e.Close(); err != nil {
			r.Errorf("close of the engine: %v", err)
		}
	})
	return e
}

// require skips the scenario when its backend cannot be had here. One that the environment variable
// REQUIRE_BACKENDS names has to be there.
func (r *rig) require(name string) {
	r.Helper()
	e, err := backend.Open(name, nil)
	if err == nil {
		err = e.Close()
	}
	if err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("REQUIRE_BACKENDS"), ","), name) || !errors.Is(err, api.ErrUnavailable) {
		r.Fatal(err)
	}
	r.Skip(err)
}

// add counts the kernel entries of an engine.
func (r *rig) add(e api.Engine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engines = append(r.engines, e)
}

// readings adds what the meters show now, times sign, to the sums.
func (r *rig) readings(sign int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.engines {
		s := e.Stats()
		r.entered += uint64(sign) * (s.Enters + s.Wakes)
	}
	if r.thread != nil {
		r.served += time.Duration(sign) * r.thread()
	}
	r.cpu += time.Duration(sign) * processCPU()
}

// start starts the clock anew, for scenarios that count.
func (r *rig) start() {
	if r.b != nil {
		r.b.ResetTimer()
	}
	r.cpu, r.served, r.entered = 0, 0, 0
	r.readings(-1)
}

// stop stops the clock, for scenarios that count.
func (r *rig) stop() {
	r.readings(1)
	if r.b != nil {
		r.b.StopTimer()
	}
}

// offClock does something that is not to be measured.
func (r *rig) offClock(f func() error) error {
	if r.b == nil {
		return f()
	}
	r.readings(1)
	r.b.StopTimer()
	err := f()
	r.b.StartTimer()
	r.readings(-1)
	return err
}

// report adds the metrics that testing does not have.
func (r *rig) report() {
	n := float64(r.b.N)
	r.b.ReportMetric(float64(r.cpu)/n, "cpu-ns/op")
	if len(r.engines) > 0 {
		r.b.ReportMetric(float64(r.entered)/n, "enters/op")
	}
	if r.thread != nil {
		r.b.ReportMetric(float64(r.served)/n, "server-cpu-ns/op")
	}
	if r.latency != nil {
		r.b.ReportMetric(float64(r.latency.percentile(99)), "p99-ns")
	}
}

// measure is the benchmark of a list of scenarios.
func measure(b *testing.B, list []scenario) {
	for _, s := range list {
		b.Run(s.name, func(b *testing.B) {
			r := &rig{TB: b, b: b}
			b.ReportAllocs()
			b.SetBytes(s.bytes)
			if s.count != nil {
				if err := s.count(r, b.N); err != nil {
					b.Fatal(err)
				}
				r.report()
				return
			}
			op := s.steps(r)
			r.readings(-1)
			for b.Loop() {
				if err := op(); err != nil {
					b.Fatal(err)
				}
			}
			r.readings(1)
			r.report()
		})
	}
}

// check runs each scenario of a list for a while.
func check(t *testing.T, list []scenario) {
	const ops = 300 // more than any batch
	for _, s := range list {
		t.Run(s.name, func(t *testing.T) {
			r := &rig{TB: t}
			if s.count != nil {
				if err := s.count(r, ops); err != nil {
					t.Fatal(err)
				}
				return
			}
			op := s.steps(r)
			for i := range ops {
				if err := op(); err != nil {
					t.Fatalf("operation %d: %v", i, err)
				}
			}
		})
	}
}
