package conformance_test

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
)

// trial runs cases against engines with a fault.
type trial struct {
	b       backend
	timeout time.Duration

	mu     sync.Mutex
	opened []api.Engine // by the present case, without their faults
	left   string       // the goroutines that it has left behind, for ever as it seems
}

// open gives the case engines with the fault.
func (tr *trial) open(fault mutant) conformance.Factory {
	return func(o *api.Options) (api.Engine, error) {
		opt := *o
		if m, ok := opt.Ring.Attach.(*mutant); ok {
			opt.Ring.Attach = m.Engine
		}
		if fault.opening != nil {
			fault.opening(&opt)
		}
		e, err := tr.b.open(&opt)
		if err != nil {
			return nil, err
		}
		tr.mu.Lock()
		tr.opened = append(tr.opened, e)
		tr.mu.Unlock()
		m := fault
		m.Engine, m.wakes = e, new(atomic.Int64)
		return &m, nil
	}
}

// run runs a case with a fault: how it failed, "" if it has not; and why it was skipped, if it was. Nothing of the case goes on when it
// returns, so that the next begins with the fds and goroutines that it will find at its end; unless tr.left says what does.
func (tr *trial) run(t *testing.T, c *conformance.Case, fault mutant) (failed, skipped string) {
	t.Helper()
	tr.opened, tr.left = nil, ""
	before := caseGoroutines()
	r := &recorder{t: t}
	skipped = c.Run(r, tr.open(fault), &conformance.Config{Timeout: tr.timeout, Memory: arenaOf})
	if r.Failed() {
		tr.settle(before)
	}
	return r.first(), skipped
}

// settle waits until no goroutine of the case is left: each of its waits ends by the case's own deadline. A case that the watchdog
// has given up may wait in an engine whose Wake is what is at fault, so that the engine below is woken.
func (tr *trial) settle(before map[string]string) {
	limit := tr.timeout
	if limit == 0 {
		limit = conformance.DefaultTimeout
	}
	for end := time.Now().Add(2*limit + stallTime); ; {
		left := caseGoroutines()
		maps.DeleteFunc(left, func(id, _ string) bool { return before[id] != "" })
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			tr.left = strings.Join(slices.Collect(maps.Values(left)), "\n\n")
			return
		}
		runtime.Gosched()
		tr.mu.Lock()
		opened := slices.Clone(tr.opened)
		tr.mu.Unlock()
		for _, e := range opened {
			_ = e.Wake() // of one that is closed there is nobody to wake
		}
	}
}

// caseGoroutines are the stacks of the goroutines that the suite, or a case, has started, by the numbers of the goroutines.
func caseGoroutines() map[string]string {
	buf := make([]byte, 1<<20)
	found := map[string]string{}
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "created by github.com/sluiceio/sluice/conformance.") {
			id, _, _ := strings.Cut(stack, " [")
			found[id] = stack
		}
	}
	return found
}

// mustSettle fails the test when goroutines of the case go on.
func (tr *trial) mustSettle(t *testing.T, path string) {
	t.Helper()
	if tr.left != "" {
		t.Fatalf("%s has failed as it should, but these of its goroutines do not end, and would disturb what runs next:\n%s", path, tr.left)
	}
}

// runRule runs the cases of a rule with a fault until one fails, and says which, and how. n is how many have run.
func (tr *trial) runRule(t *testing.T, rule string, fault mutant) (path, failed string, n int) {
	t.Helper()
	for _, c := range conformance.Cases() {
		if c.ID != rule {
			continue
		}
		failed, skipped := tr.run(t, &c, fault)
		if failed != "" {
			return c.Path(), failed, n + 1
		}
		if skipped == "" {
			n++
		}
	}
	return "", "", n
}

// stallTime is for how long something else may keep the machine busy.
const stallTime = 20 * time.Second

// unnoticed says whether a fault that has gone unnoticed n times since begin, which it may at first, is one that nothing notices: a machine that is
// late hides what is early.
func unnoticed(n int, begin time.Time) bool { return n >= 10 && time.Since(begin) > stallTime }

// testMutants runs each fault against the cases of its rule. That they pass without it, with the same wrapper around the
// engine, is the control.
func testMutants(t *testing.T, mutants []fault) {
	backends[1].need(t, nil)
	control := map[string]*backend{}
	for _, mu := range mutants {
		t.Run(mu.name, func(t *testing.T) {
			if control[mu.rule] == nil {
				b := controlled(t, mu.rule)
				control[mu.rule] = &b
			}
			b := *control[mu.rule]
			begin, n := time.Now(), 0
			for ; !unnoticed(n, begin); n++ {
				tr := &trial{b: b, timeout: 500 * time.Millisecond}
				if path, failed, _ := tr.runRule(t, mu.rule, mu.m); failed != "" {
					tr.mustSettle(t, path)
					note(t, mu, path, failed)
					return
				}
			}
			t.Fatalf("the fault: all cases of %s have passed with it, %d times, in %v", mu.rule, n, time.Since(begin))
		})
	}
}

// controlled is the backend on which the mutants of a rule are tried: epoll, which takes the least time, and uring for what only that can do.
func controlled(t *testing.T, rule string) backend {
	t.Helper()
	for _, i := range []int{1, 0} {
		b := backends[i]
		b.need(t, nil)
		path, failed, n := (&trial{b: b, timeout: patience}).runRule(t, rule, mutant{})
		if failed != "" {
			t.Fatalf("the control: with no fault at all, but with the wrapper, %s fails: %s", path, failed)
		}
		if n > 0 {
			return b
		}
	}
	t.Fatalf("the control: no case of %s has run", rule)
	return backend{}
}

// note tells which case was the first to notice a mutant, and how: in the log, and in the file that SLUICE_MUTANTS names, on a line
// of four columns with tabs between them.
func note(t *testing.T, mu fault, path, failed string) {
	t.Helper()
	what, _, _ := strings.Cut(failed, "\n")
	what = strings.ReplaceAll(what, "\t", " ")
	t.Logf("%s: %s", path, what)
	name := os.Getenv("SLUICE_MUTANTS")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\t%s\t%s\t%s\n", mu.name, mu.rule, path, what); err != nil {
		t.Fatal(err)
	}
}
