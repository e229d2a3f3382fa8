package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/internal/matrix"
)

// list is a list of one entry, for the fake case of that name in the usual column of uring.
func list(name, reason string, builds ...string) []allowed {
	return []allowed{{[]string{"uring", "epoll"}, builds, []string{"STR/" + name}, reason, "nobody has one"}}
}

// TestSkipsFail is about which skips fail where they are checked, with real processes.
func TestSkipsFail(t *testing.T) {
	const stale = "failed: uring/block\n\tmayBeSkipped in skips.go has STR/skips, and uring/block has not skipped it: the machine has none\n"
	none := []allowed{}
	for _, c := range []struct {
		name, scenario string
		list           []allowed
		ok             bool
		want           []string
		not            string
	}{
		{"unchecked", "passes|skips", nil, true, []string{"skips of the usual columns are not checked: REQUIRE_CASES is not set\n"}, "allowed"},
		{"nothing is skipped", "passes", none, true, []string{"\nallowed skips of the usual columns: 0\n"}, "not checked"},
		{"not in the list", "passes|skips", none, false, []string{
			"0 tests are unsteady, 1 failed\n", "failed: TestConformance/uring/block/STR/skips\n\tskipped, which REQUIRE_CASES forbids in a usual column: the machine has none\n",
			"\tand when it was run again, alone:\n\t0 of 20 runs have passed\n", "\nFAIL\t"}, "TestMutants/skips\n"},
		{"by chance", "skips once", none, true, []string{
			"unsteady: TestConformance/uring/block/STR/skips_once: has failed once, and then passed 20 times alone\n\tskipped, which REQUIRE_CASES forbids in a usual column: taken\n"}, "failed:"},
		{"too many", "skips|skips+2|skips+3|skips+4", none, false, []string{"4 tests have failed, and are not run again: no more than 3 may be unsteady\n"}, "run again, alone"},
		{"in the list", "passes|skips", list("skips", "the machine has"), true, []string{
			"allowed: 1 in the usual columns, uring epoll: nobody has one\nallowed skips of the usual columns: 1\n", "\nok  \t"}, "failed:"},
		{"in the list, for the build", "skips", list("skips", "the machine has none", "race"), true, []string{"columns: 1\n"}, "failed:"},
		{"in the list, for another build", "skips", list("skips", "the machine has none", "plain"), false, []string{"failed: TestConformance/uring/block/STR/skips\n"}, "failed: uring/block"},
		{"in the list, for another reason", "skips", list("skips", "the kernel has none"), false, []string{
			"failed: TestConformance/uring/block/STR/skips\n", "mayBeSkipped in skips.go has STR/skips, and uring/block has not skipped it: the kernel has none\n"}, "unsteady:"},
		{"for two reasons, one of them in the list", "skips twice", list("skips_twice", "reason 1"), false, []string{
			"failed: TestConformance/uring/block/STR/skips_twice\n\tskipped, which REQUIRE_CASES forbids in a usual column: reason 2\n"}, "columns: 2\n"},
		{"in the list, and not skipped", "passes", list("skips", "the machine has none"), false, []string{stale}, "unsteady:"},
		{"in the list, and the process has ended", "passes|ends the process once", list("skips", "the machine has none"), false, []string{"failed: uring/block\n\texit status 3\n"}, "mayBeSkipped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, ok := runFake(t, c.scenario, c.list)
			if ok != c.ok {
				t.Errorf("ok is %v", ok)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in the output", want)
				}
			}
			if strings.Contains(out, c.not) {
				t.Errorf("%q is in the output", c.not)
			}
			if t.Failed() {
				t.Logf("the output:\n%s", out)
			}
		})
	}
}

// TestSkippedColumn: a usual column that is skipped as a whole fails and is not run again; another may be skipped.
func TestSkippedColumn(t *testing.T) {
	for _, test := range []string{"TestConformance", "TestConformance/uring", "TestConformance/uring/block"} {
		j := &job{name: "uring/block", build: &build{name: "plain"}, cases: true, usual: "uring", book: newBook()}
		j.book.take(&event{Action: "run", Test: test})
		j.book.take(&event{Action: "output", Test: test, Output: "    all_test.go:1: no ring\n"})
		j.book.take(&event{Action: "skip", Test: test})
		j.book.end()
		r := &report{}
		r.checkSkips([]*job{j}, nil)
		if len(r.failures) != 1 || !r.failures[0].fatal || r.failures[0].String() != test+" [plain]" || !strings.HasSuffix(r.failures[0].message, ": no ring") {
			t.Errorf("%s: %v", test, r.failures)
		}
		j.usual, r = "", &report{}
		if r.checkSkips([]*job{j}, list("skips", "x")); r.failures != nil {
			t.Errorf("%s, which is not usual: %v", test, r.failures[0])
		}
	}
}

// TestMayBeSkipped: each entry of the list is about something, and says why.
func TestMayBeSkipped(t *testing.T) {
	for _, a := range mayBeSkipped {
		if a.reason == "" || a.why == "" || len(a.backends) == 0 || len(a.cases) == 0 || a.builds != nil && len(a.builds) == 0 {
			t.Errorf("something is missing in %+v", a)
		}
		for _, b := range a.backends {
			if !slices.Contains(matrix.Backends, b) {
				t.Errorf("there is no backend called %q", b)
			}
		}
		if a.builds == nil {
			continue
		}
		if _, err := plan(strings.Join(a.builds, ","), 1); err != nil {
			t.Error(err)
		}
	}
}

// TestCIChecks: what CI runs has the skips checked, and what users run has not.
func TestCIChecks(t *testing.T) {
	for value, want := range map[string]int{"": 0, "1": len(mayBeSkipped)} {
		t.Setenv(casesEnv, value)
		if got := skipsHere(); len(got) != want || (got == nil) != (value == "") {
			t.Errorf("%s=%s: a list of %d, want %d", casesEnv, value, len(got), want)
		}
	}
	script, err := os.ReadFile(filepath.Join("..", "..", "..", ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^export ` + casesEnv + `=.`).Match(script) {
		t.Errorf(".ci/run does not export %s", casesEnv)
	}
}
