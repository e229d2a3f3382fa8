package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/internal/matrix"
)

// caseTB is a conformance.TB that keeps what it is told.
type caseTB struct {
	parent string // of the temporary directories

	mu       sync.Mutex // around all below: a case that hangs may leave goroutines behind
	failures []string
	later    []func()
}

func (c *caseTB) Helper()             {}
func (c *caseTB) Logf(string, ...any) {}

func (c *caseTB) Errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
}

func (c *caseTB) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	runtime.Goexit()
}

func (c *caseTB) Cleanup(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.later = append(c.later, f)
}

func (c *caseTB) Failed() bool { return c.message() != "" }

// TempDir is "", and the case fails, where none can be made.
func (c *caseTB) TempDir() string {
	dir, err := os.MkdirTemp(c.parent, "case-")
	if err != nil {
		c.Errorf("a directory for temporary files: %v", err)
		return ""
	}
	c.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left goes with the parent
	return dir
}

// message is all that has been reported.
func (c *caseTB) message() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.failures, "\n")
}

// runCase runs a case and completes its result.
func runCase(res *matrix.Result, c *conformance.Case, open matrix.Open, cfg *conformance.Config, dir string) {
	tb := &caseTB{parent: dir}
	begin := time.Now()
	done := make(chan struct{})
	var why string
	go func() { // which Fatalf ends
		defer close(done)
		why = c.Run(tb, open, cfg)
	}()
	<-done
	tb.mu.Lock()
	later := tb.later
	tb.mu.Unlock()
	for i := len(later) - 1; i >= 0; i-- {
		later[i]()
	}
	res.Duration = time.Since(begin)
	switch msg := tb.message(); {
	case msg != "":
		res.Outcome, res.Message = matrix.Failed, msg
	case why != "":
		res.Outcome, res.Message = matrix.Skipped, why
	default:
		res.Outcome, res.Message = matrix.Passed, ""
	}
}
