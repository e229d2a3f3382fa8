package main

import (
	"fmt"
	"strings"
)

// A matrix of more than a hundred thousand runs of cases, on processors that others use too, shows what a run of one test does not: a test that takes
// for granted what is nearly always so. Such a failure is not to be overlooked, and not to hold up a change that has nothing to do with it either:
//
//	a race, a panic, the end of a process          fails at once
//	a test that is no subtest                      fails at once
//	a subtest                                      is run again, alone, when everything else has ended
//	    if one of those runs fails                 fails
//	    if all succeed                             is unsteady, and printed as such at the very end
//	more than unsteadyMax of those                 fail
const (
	retries     = 20
	unsteadyMax = 3
)

// failure is a test that has failed in a process, or a process that has, if test is "".
type failure struct {
	job     *job
	test    string
	message string
	fatal   bool
}

func (f *failure) String() string {
	if f.test == "" {
		return f.job.name
	}
	return f.test + f.job.build.suffix()
}

// failures are those of a job that has ended. Where the process was ended, it is the failure: the tests that were at work then have no say.
func (j *job) failures() []*failure {
	var out []*failure
	told := false // a test tells of the race
	for _, r := range j.book.order {
		if r.failed == 0 || r.parent && (j.err != nil || !ownFailure(r)) || j.err != nil && r.message == "" {
			continue
		}
		told = told || r.fatal
		out = append(out, &failure{j, r.name, r.message, j.err != nil || r.fatal || !strings.Contains(r.name, "/")})
	}
	if j.err == nil && (told || j.book.crash == nil) {
		return out
	}
	lines := j.book.crash
	if lines == nil {
		lines = j.book.last
	}
	why := "a race or a panic outside of the tests"
	if j.err != nil {
		why = j.err.Error()
	}
	return append(out, &failure{j, "", strings.Join(append([]string{why}, lines...), "\n"), true})
}

// ownFailure says whether a test with subtests has failed for another reason than one of those.
func ownFailure(r *record) bool {
	for l := range strings.SplitSeq(r.message, "\n") {
		if strings.TrimSpace(l) != "" && !strings.Contains(l, "race detected during execution") {
			return true
		}
	}
	return false
}

// judge decides which failures count. again runs the test of one again, and returns how it has failed, "" if it has not.
func (r *report) judge(again func(*failure) string) {
	var doubtful []*failure
	for _, f := range r.failures {
		if f.fatal {
			r.failed = append(r.failed, f)
		} else {
			doubtful = append(doubtful, f)
		}
	}
	if len(doubtful) > unsteadyMax {
		r.why = fmt.Sprintf("%d tests have failed, and are not run again: no more than %d may be unsteady", len(doubtful), unsteadyMax)
		r.failed = append(r.failed, doubtful...)
		return
	}
	for _, f := range doubtful {
		if bad := again(f); bad != "" {
			f.message += "\nand when it was run again, alone:\n" + bad
			r.failed = append(r.failed, f)
		} else {
			r.unsteady = append(r.unsteady, f)
		}
	}
}

// again runs the test of the failure n times, in a process where there is nothing else, and says how it has failed, "" if it has succeeded each time.
func (f *failure) again(n int) string {
	j := &job{name: f.String(), build: f.job.build, run: pattern(f.test), count: n, env: f.job.env}
	j.start("-test.failfast")
	passed := 0
	if r := j.book.tests[f.test]; r != nil {
		passed = r.passed
	}
	fmt.Printf("%s: has failed, and been run again: %s\n", f, j.summary())
	if bad := j.failures(); len(bad) > 0 {
		return bad[0].message
	}
	if passed != n { // nothing may fail to run, or be skipped
		return fmt.Sprintf("%d of %d runs have passed", passed, n)
	}
	return ""
}
