package conformance_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/arena"
	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/epoll"
	"github.com/sluiceio/sluice/internal/matrix"
	"github.com/sluiceio/sluice/poll"
	fdselect "github.com/sluiceio/sluice/select"
	"github.com/sluiceio/sluice/uring"
)

type backend struct {
	name string
	open func(*api.Options) (api.Engine, error)
}

var backends = []backend{{"uring", uring.New}, {"epoll", epoll.New}, {"poll", poll.New}, {"select", fdselect.New}}

// need skips the test when the backend cannot be opened here, unless REQUIRE_BACKENDS names it.
func (b backend) need(t testing.TB, o *api.Options) {
	t.Helper()
	e, err := b.open(o)
	if err == nil {
		if err := e.Close(); err != nil {
			t.Fatalf("closing an engine that was never used: %v", err)
		}
		return
	}
	if slices.Contains(strings.Split(os.Getenv("REQUIRE_BACKENDS"), ","), b.name) {
		t.Fatalf("REQUIRE_BACKENDS names %s: %v", b.name, err)
	}
	if !errors.Is(err, api.ErrUnavailable) {
		t.Fatalf("%s cannot be opened, and says so by another error than UnavailableError: %v", b.name, err)
	}
	t.Skip(err)
}

// arenaOf is memory as conformance.Config wants it.
func arenaOf(size int) ([]byte, func() error, error) {
	a, err := arena.New(size, nil)
	if err != nil {
		return nil, nil, err
	}
	return a.Bytes(), a.Close, nil
}

// columns are those of the backend, all of them with SLUICE_MATRIX=full.
func columns(b backend) []matrix.Column {
	return matrix.Columns(b.name, os.Getenv("SLUICE_MATRIX") == "full")
}

func TestConformance(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			b.need(t, nil)
			for _, c := range columns(b) {
				t.Run(c.Name, func(t *testing.T) { runColumn(t, b, &c) })
			}
		})
	}
}

func runColumn(t *testing.T, b backend, c *matrix.Column) {
	b.need(t, &c.Options)
	why, err := c.Lacks(b.open)
	if err != nil {
		t.Fatal(err)
	}
	if why != "" {
		t.Skip(why)
	}
	conformance.Run(t, c.On(b.open), &conformance.Config{Options: &c.Options, Restrict: c.Restrict, Memory: arenaOf, Timeout: patience})
}

// patience is how long a case may take here: several processes share the machine, and each case has milliseconds to do.
const patience = time.Minute

func TestAllocs(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			b.need(t, nil)
			ways := matrix.Strategies()
			if b.name == "uring" {
				ways = slices.Concat(ways, matrix.Rings())
			}
			for _, c := range ways {
				t.Run(c.Name, func(t *testing.T) {
					b.need(t, &c.Options)
					conformance.RunAllocs(t, b.open, &conformance.Config{Options: &c.Options})
				})
			}
		})
	}
}

func BenchmarkEngine(b *testing.B) {
	for _, k := range backends {
		b.Run("backend="+k.name, func(b *testing.B) {
			k.need(b, nil)
			conformance.RunBenchmarks(b, k.open, nil)
		})
	}
}

// TestCases checks the list of cases: each has what it needs, and a path of its own.
func TestCases(t *testing.T) {
	seen := map[string]bool{}
	rules := map[string]bool{}
	for _, c := range conformance.Cases() {
		if c.ID == "" || c.Name == "" || c.Fn == nil {
			t.Errorf("%s %q lacks an id, a name or a function", c.ID, c.Name)
		}
		if !strings.HasSuffix(c.Explanation, ".") {
			t.Errorf("%s: the explanation is no sentence: %q", c.Path(), c.Explanation)
		}
		if seen[c.Path()] {
			t.Errorf("two cases are called %s", c.Path())
		}
		seen[c.Path()] = true
		rules[c.ID] = true
	}
	least := 60 // systems without files have the portable ones only
	if runtime.GOOS == "linux" {
		least = 900
	}
	if len(seen) < least {
		t.Errorf("only %d cases", len(seen))
	}
	t.Logf("%d cases of %d rules", len(seen), len(rules))
}

// recorder is a TB that collects the failures.
type recorder struct {
	t      *testing.T
	mu     sync.Mutex // around failed: a case that has failed may leave goroutines behind
	failed []string
}

func (r *recorder) Helper()                 {}
func (r *recorder) Logf(f string, a ...any) {}
func (r *recorder) Cleanup(f func())        { r.t.Cleanup(f) }
func (r *recorder) TempDir() string         { return r.t.TempDir() }
func (r *recorder) Failed() bool            { return r.first() != "" }

func (r *recorder) Errorf(f string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(f, a...))
}

// first is the first failure, "" if there is none.
func (r *recorder) first() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failed) == 0 {
		return ""
	}
	return r.failed[0]
}

func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...) }
