package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/internal/matrix"
)

// report is what has come of all jobs.
type report struct {
	cases    []matrix.Result
	skips    []skip // of tests that are no cases
	failures []*failure
	failed   []*failure // those that count
	unsteady []*failure
	why      string
	mutants  string // a table
	list     []allowed
	counts   []int // of skips that the entries of list have allowed; nil: nobody has looked

	passed, skipped, procs int
	took                   time.Duration
}

// collect takes the jobs together, and checks what the usual columns have skipped against list, if that is not nil.
func collect(todo []*job, list []allowed) *report {
	r := &report{}
	for _, j := range todo {
		r.passed += j.book.passed
		r.skipped += j.book.skipped
		r.failures = append(r.failures, j.failures()...)
		cases := 0
		for _, one := range j.book.order {
			if j.cases {
				if c, ok := result(one); ok {
					r.cases = append(r.cases, c)
					cases++
				}
			} else if one.skipped > 0 {
				r.skip(one)
			}
		}
		if j.cases && cases == 0 && j.err == nil {
			r.failures = append(r.failures, &failure{j, "", "no case has run", true})
		}
	}
	if list != nil {
		r.checkSkips(todo, list)
	}
	return r
}

// skip is a reason for which tests below one function were skipped.
type skip struct {
	function, reason string
	n                int
}

func (r *report) skip(t *record) {
	function, _, _ := strings.Cut(t.name, "/")
	reason, _, _ := strings.Cut(t.reasons[0], "\n")
	i := slices.IndexFunc(r.skips, func(s skip) bool { return s.function == function && s.reason == reason })
	if i < 0 {
		i = len(r.skips)
		r.skips = append(r.skips, skip{function, reason, 0})
	}
	r.skips[i].n++
}

// columnDepth is how many parts the name of a test has that is a column: TestConformance, the backend, the column.
const columnDepth = 3

// result is a case's. A column or a backend that is skipped as a whole stands for its cases.
func result(t *record) (matrix.Result, bool) {
	p := strings.Split(t.name, "/")
	r := matrix.Result{Outcome: matrix.Passed, Duration: t.elapsed}
	switch {
	case len(p) == columnDepth+2:
		r.Backend, r.Column, r.Family, r.Case = p[1], p[2], p[3], p[3]+"/"+p[4]
	case t.skipped > 0 && len(p) == columnDepth:
		r.Backend, r.Column, r.Family, r.Case = p[1], p[2], "all", "all"
	case t.skipped > 0 && len(p) == columnDepth-1:
		r.Backend, r.Column, r.Family, r.Case = p[1], "all", "all", "all"
	default:
		return r, false
	}
	switch {
	case t.failed > 0:
		r.Outcome, r.Message = matrix.Failed, t.message
	case t.skipped > 0:
		r.Outcome, r.Message = matrix.Skipped, t.reasons[0]
	}
	return r, true
}

// mark changes the outcome of cases that are unsteady.
func (r *report) mark() {
	for i := range r.cases {
		c := &r.cases[i]
		same := func(f *failure) bool { return f.test == "TestConformance/"+c.Path() && c.Outcome == matrix.Failed }
		if slices.ContainsFunc(r.unsteady, same) && !slices.ContainsFunc(r.failed, same) {
			c.Outcome = matrix.Unsteady
		}
	}
}

// namesMax is how many names of failed tests stand at the very end.
const namesMax = 20

// print prints everything, what matters most last. ok says whether nothing has failed.
func (r *report) print(out io.Writer) (ok bool, err error) {
	r.mark()
	var b strings.Builder
	b.WriteString("\n" + r.mutants + "\n")
	if err := matrix.Cells(&b, r.cases); err != nil {
		return false, err
	}
	if err := matrix.Skips(&b, r.cases); err != nil {
		return false, err
	}
	for _, s := range r.skips {
		fmt.Fprintf(&b, "skipped %d of %s: %s\n", s.n, s.function, s.reason)
	}
	r.writeAllowed(&b)
	fmt.Fprintf(&b, "conformance: %d runs have passed, %d were skipped, %d tests are unsteady, %d failed\n", r.passed, r.skipped, len(r.unsteady), len(r.failed))
	for _, f := range r.unsteady {
		fmt.Fprintf(&b, "unsteady: %s: has failed once, and then passed %d times alone\n%s", f, retries, matrix.Excerpt(f.message))
	}
	for _, f := range r.failed {
		fmt.Fprintf(&b, "failed: %s\n%s", f, matrix.Excerpt(f.message))
	}
	if len(r.failed) > 1 { // again, because a log is cut at its beginning
		for _, f := range r.failed[:min(len(r.failed), namesMax)] {
			fmt.Fprintf(&b, "failed: %s\n", f)
		}
		if more := len(r.failed) - namesMax; more > 0 {
			fmt.Fprintf(&b, "failed: %d more\n", more)
		}
	}
	if r.why != "" {
		b.WriteString(r.why + "\n")
	}
	word := "ok  "
	if len(r.failed) > 0 {
		word = "FAIL"
	}
	fmt.Fprintf(&b, "%s\t%s\t%.0fs, in %d processes at a time\n", word, pkg, r.took.Seconds(), r.procs)
	_, err = io.WriteString(out, b.String())
	return len(r.failed) == 0, err
}
