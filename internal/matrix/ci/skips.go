package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/internal/matrix"
)

// casesEnv is set where the usual columns may skip no case but those of mayBeSkipped, as .ci/run does. Elsewhere, say on an older kernel, a case is skipped
// when what it needs is missing, and the table says so.
const casesEnv = "REQUIRE_CASES"

// allowed are cases that a usual column may skip. Each of them has to be skipped there: what nothing needs any more is taken off the list.
type allowed struct {
	backends []string
	builds   []string // the builds that it is about. nil: all
	cases    []string // their paths, as in "failed: TestConformance/uring/block/STR/STR-3-name" behind the column
	reason   string   // how what the case says begins
	why      string   // for the reader: why nothing is missing
}

// mayBeSkipped is all that may. A new entry is right only if no machine could run the case in that column, and another column, build or test runs it.
var mayBeSkipped = []allowed{
	{
		backends: []string{"epoll", "poll", "select"},
		cases:    []string{"RNG/RNG-7-paths", "RNG/RNG-7-connect"},
		reason:   "the engine does not declare feature personality",
		why:      "personalities are credentials that io_uring keeps; nothing else has them",
	},
	{
		backends: matrix.Backends,
		builds:   []string{"race"},
		cases:    []string{"VEC/VEC-8-vast-buffers-on-sockets", "VEC/VEC-8-vast-control-data"},
		reason:   "the race detector would need several times the memory",
		why:      "vast buffers; the other builds run them",
	},
}

// skipsHere is the list by which skips are checked; nil: they are not.
func skipsHere() []allowed {
	if os.Getenv(casesEnv) == "" {
		return nil
	}
	return mayBeSkipped
}

// allows says whether the entry allows the job's column to skip the case for that reason.
func (a *allowed) allows(j *job, name, reason string) bool {
	return a.about(j) && slices.Contains(a.cases, name) && strings.HasPrefix(reason, a.reason)
}

// about says whether the entry is about the job's column.
func (a *allowed) about(j *job) bool {
	return slices.Contains(a.backends, j.usual) && (a.builds == nil || slices.Contains(a.builds, j.build.name))
}

// checkSkips adds what the usual columns have skipped and may not to the failures, and what they may skip and have not. The rule of
// unsteady.go is for those, too: what a machine lacks it lacks in the next run as well, and a file that got another number by chance does not.
func (r *report) checkSkips(todo []*job, list []allowed) {
	r.counts = make([]int, len(list))
	r.list = list
	for _, j := range todo {
		if j.usual != "" {
			r.checkJob(j)
		}
	}
}

func (r *report) checkJob(j *job) {
	type use struct {
		entry int
		name  string
	}
	used := map[use]bool{}
	for _, one := range j.book.order {
		name := caseOf(one.name)
		for _, reason := range one.reasons {
			i := slices.IndexFunc(r.list, func(a allowed) bool { return a.allows(j, name, reason) })
			if i < 0 {
				message := fmt.Sprintf("skipped, which %s forbids in a usual column: %s", casesEnv, reason)
				r.failures = append(r.failures, &failure{j, one.name, message, name == ""})
				continue
			}
			r.counts[i]++
			used[use{i, name}] = true
		}
	}
	if j.err != nil {
		return // it may not have come to all cases, and fails anyway
	}
	for i := range r.list {
		for _, name := range r.list[i].cases {
			if r.list[i].about(j) && !used[use{i, name}] {
				message := fmt.Sprintf("mayBeSkipped in skips.go has %s, and %s/%s has not skipped it: %s", name, j.usual, matrix.Usual, r.list[i].reason)
				r.failures = append(r.failures, &failure{j, "", message, true})
			}
		}
	}
}

// caseOf is the path of the case whose test has that name; "" for a test that has cases below it.
func caseOf(test string) string {
	p := strings.Split(test, "/")
	if len(p) < columnDepth+2 {
		return ""
	}
	return strings.Join(p[columnDepth:], "/")
}

// writeAllowed says how many skips are allowed, and for what reasons, or that they are not checked.
func (r *report) writeAllowed(b *strings.Builder) {
	if r.counts == nil {
		fmt.Fprintf(b, "skips of the usual columns are not checked: %s is not set\n", casesEnv)
		return
	}
	sum := 0
	for i, n := range r.counts {
		if sum += n; n > 0 {
			fmt.Fprintf(b, "allowed: %d in the usual columns, %s: %s\n", n, strings.Join(r.list[i].backends, " "), r.list[i].why)
		}
	}
	fmt.Fprintf(b, "allowed skips of the usual columns: %d\n", sum)
}
