// Package tooltest is for tests that use programs of the system: curl, redis-cli and others.
package tooltest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// watchdog is how long a program may run.
const watchdog = 60 * time.Second

// Find finds a program. Without it the test is skipped, but where REQUIRE_TOOLS names it, as in CI.
func Find(t testing.TB, name string) string {
	t.Helper()
	exe, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, err)
	}
	return exe
}

// Missing skips a test for want of something, but where REQUIRE_TOOLS names it, as in CI: there the test fails.
func Missing(t testing.TB, name string, why error) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("REQUIRE_TOOLS"), ","), name) {
		t.Fatalf("%s is required: %v", name, why)
	}
	t.Skipf("no %s here: %v", name, why)
}

// Output runs a program to its end, with in as its standard input, and returns what it has written. An error, or a word on its standard error, fails the test.
func Output(t testing.TB, in, exe string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Stdin = strings.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Errorf("%s %s: %v\n%s", exe, strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}
