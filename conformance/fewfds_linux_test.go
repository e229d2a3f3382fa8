package conformance_test

import (
	"strings"
	"testing"

	"github.com/sluiceio/sluice/conformance"
	"golang.org/x/sys/unix"
)

// TestFewFDs: that a process may open few files is no fault of an engine. What needs more is skipped, and says so.
func TestFewFDs(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(256, was.Cur), Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	})
	n := 0
	for _, c := range conformance.Cases() {
		for _, name := range []string{"CMP-15-many-events-", "CTL-1-several-fds", "REG-8-installing-from-many-", "SPL-12-many-that-wait"} {
			if !strings.HasPrefix(c.Path(), c.Family()+"/"+name) {
				continue
			}
			n++
			r := &recorder{t: t}
			if why := c.Run(r, b.open, nil); r.Failed() || !strings.Contains(why, "RLIMIT_NOFILE is ") {
				t.Errorf("%s: skipped for %q, failed with %q", c.Path(), why, r.first())
			}
		}
	}
	if n != 6 {
		t.Errorf("%d cases, want 6", n)
	}
}
