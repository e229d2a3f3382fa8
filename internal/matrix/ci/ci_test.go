package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/internal/matrix"
)

// fakeEnv is set in the processes that TestRule starts, to a scenario and a directory.
const fakeEnv = "SLUICE_CI_FAKE"

// fake is a test that behaves as one of the suite might. nth is the number of its run, over all processes.
var fakes = map[string]func(t *testing.T, nth int){
	"passes": func(*testing.T, int) {},
	"skips":  func(t *testing.T, _ int) { t.Skip("the machine has none") },
	"skips once": func(t *testing.T, nth int) {
		if nth == 1 {
			t.Skip("taken")
		}
	},
	"skips twice": func(t *testing.T, nth int) { t.Skipf("reason %d", min(nth, 2)) },
	"always":      func(t *testing.T, _ int) { t.Error("got 1, want 2\nrule: two") },
	"once": func(t *testing.T, nth int) {
		if nth == 1 {
			t.Error("late")
		}
	},
	"now and then": func(t *testing.T, nth int) {
		if nth%7 == 1 {
			t.Error("lost")
		}
	},
	"once, then skipped": func(t *testing.T, nth int) {
		if nth == 1 {
			t.Error("late")
		}
		t.Skip("no more")
	},
	"races once": func(t *testing.T, nth int) {
		if nth == 1 {
			fmt.Fprintln(os.Stderr, "==================\nWARNING: DATA RACE\nWrite at 0x1")
			t.Error("testing.go: race detected during execution of test")
		}
	},
	"panics once": func(t *testing.T, nth int) {
		if nth == 1 {
			panic("gone")
		}
	},
	"caught a panic": func(t *testing.T, nth int) {
		if nth == 1 {
			t.Error("STR-1, one: panic: index out of range")
		}
	},
	"ends the process once": func(t *testing.T, nth int) {
		if nth == 1 {
			fmt.Println("it was me")
			os.Exit(3)
		}
	},
}

// TestConformance and TestMutants are what TestRule runs, in other processes.
func TestConformance(t *testing.T) { runFakes(t, "uring/block/STR/") }
func TestMutants(t *testing.T)     { runFakes(t, "") }

func runFakes(t *testing.T, below string) {
	names, dir, ok := strings.Cut(os.Getenv(fakeEnv), ":")
	if !ok {
		t.Skip("it is for the processes that TestRule starts")
	}
	var run func(t *testing.T, path []string)
	run = func(t *testing.T, path []string) {
		if len(path) > 1 {
			t.Run(path[0], func(t *testing.T) { run(t, path[1:]) })
			return
		}
		for name := range strings.SplitSeq(names, "|") {
			t.Run(name, func(t *testing.T) {
				base, _, _ := strings.Cut(name, "+")
				fakes[base](t, count(t, filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_"))))
			})
		}
	}
	run(t, strings.Split(below, "/"))
}

// count counts in a file.
func count(t *testing.T, name string) int {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	i, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return int(i.Size())
}

// runFake runs a scenario as the command does, and returns what it prints. The skips are checked by list, if there is one.
func runFake(t *testing.T, scenario string, list []allowed) (out string, ok bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &build{name: "race", binary: self}
	env := []string{fakeEnv + "=" + scenario + ":" + t.TempDir()}
	todo := []*job{
		{name: "uring/block", build: b, run: pattern("TestConformance"), count: 2, cases: true, usual: "uring", env: env},
		{name: "mutants", build: b, run: pattern("TestMutants"), count: 1, env: env},
	}
	runAll(todo, 2)
	r := collect(todo, list)
	r.judge(func(f *failure) string { return f.again(retries) })
	var s strings.Builder
	ok, err = r.print(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s.String(), ok
}

// TestRule is about what counts as a failure, with real processes.
func TestRule(t *testing.T) {
	for _, c := range []struct {
		name, scenario string
		ok             bool
		want           []string
	}{
		{"all is well", "passes|skips", true, []string{
			"     uring/block\nSTR  1 s1\nall  1 s1\n", "skipped 1 in uring/block (STR): the machine has none\n", "skipped 1 of TestMutants: the machine has none\n", "\nok  \t"}},
		{"always", "passes|always", false, []string{
			"STR  1 F1", "failed: TestConformance/uring/block/STR/always\n\tci_test.go:", ": got 1, want 2\n\t", "rule: two\n\tand when it was run again, alone:\n\t",
			"failed: TestMutants/always\n", "\nFAIL\t"}},
		{"once", "passes|once", true, []string{
			"STR  1 u1", "unsteady: TestConformance/uring/block/STR/once: has failed once, and then passed 20 times alone\n\tci_test.go:", ": late\n",
			"unsteady: TestMutants/once: ", "\nok  \t"}},
		{"now and then", "now and then", false, []string{"failed: TestConformance/uring/block/STR/now_and_then\n", ": lost\n"}},
		{"too many once", "once|once+2|once+3", false, []string{"6 tests have failed, and are not run again: no more than 3 may be unsteady\n", "failed: TestMutants/once+3\n"}},
		{"skipped when run again", "once, then skipped", false, []string{"0 of 20 runs have passed\n"}},
		{"race", "races once", false, []string{"failed: TestMutants/races_once\n\t==================\n\tWARNING: DATA RACE\n"}},
		{"panic", "passes|panics once", false, []string{"0 tests are unsteady, 2 failed\n", "failed: uring/block\n\texit status 2\n\tpanic: gone", "failed: mutants\n\texit status 2\n\tpanic: gone"}},
		{"caught", "caught a panic", false, []string{"failed: TestMutants/caught_a_panic\n\tci_test.go:"}},
		{"exit", "passes|ends the process once", false, []string{"failed: uring/block\n\texit status 3\n\tit was me\n", "failed: mutants\n\texit status 3\n\tit was me\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, ok := runFake(t, c.scenario, nil)
			if ok != c.ok {
				t.Errorf("ok is %v", ok)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in the output", want)
				}
			}
			if t.Failed() {
				t.Logf("the output:\n%s", out)
			}
		})
	}
}

// TestNothingRuns: a name that no test has is not success.
func TestNothingRuns(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	j := &job{name: "gone", build: &build{name: "race", binary: self}, run: "^TestThatIsNotThere$", count: 1, cases: true}
	j.start()
	r := collect([]*job{j}, nil)
	r.judge(func(*failure) string { return "" })
	var s strings.Builder
	if ok, err := r.print(&s); ok || err != nil || !strings.Contains(s.String(), "failed: gone\n\tnothing has run\n") {
		t.Errorf("%v, %v: %s", ok, err, s.String())
	}
}

// TestJobs: every column of every backend is a job of each build that looks for faults, by the name that the test gives it; only the usual ones run more than once,
// and as programs have them; and each other test has a job.
func TestJobs(t *testing.T) {
	builds, err := plan("race,invariants,plain", 3)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, j := range jobs(builds) {
		if _, twice := got[j.name]; twice {
			t.Errorf("two jobs are called %s", j.name)
		}
		got[j.name] = j.count
		if usual := strings.Contains(j.name, "/"+matrix.Usual); usual != (j.usual != "") || !strings.HasPrefix(j.name, j.usual) {
			t.Errorf("%s is taken for the usual column of %q", j.name, j.usual)
		}
	}
	want := map[string]int{"killers": 1, "mutants": 1, "by slot": 1, "other tests": 1, "other tests [invariants]": 1, "allocations [plain]": 1}
	for _, b := range matrix.Backends {
		for _, c := range matrix.Columns(b, true) {
			want[b+"/"+c.Name], want[b+"/"+c.Name+" [invariants]"] = 1, 1
		}
		want[b+"/block"], want[b+"/block [plain]"] = 3, 1
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := plan("race,slow", 1); err == nil {
		t.Error("there is a build called slow")
	}
}
