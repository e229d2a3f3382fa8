package http1_test

import (
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// quiet is for what is logged on purpose.
var quiet = slog.New(slog.DiscardHandler)

// tool finds a program. Without it the test is skipped, but where REQUIRE_TOOLS names it, as in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	exe, err := exec.LookPath(name)
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("REQUIRE_TOOLS"), ","), name) {
			t.Fatalf("%s is required: %v", name, err)
		}
		t.Skipf("no %s here: %v", name, err)
	}
	return exe
}
