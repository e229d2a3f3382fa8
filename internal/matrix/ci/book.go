package main

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// book is what the tests of a process have said.
type book struct {
	tests map[string]*record
	order []*record
	last  []string // lines of output, whoever wrote them
	crash []string // lines from the first on that tells of a race or the end of the process

	passed, skipped, failed int      // runs of tests that have no subtests
	unended                 []string // tests that have begun, and not ended
}

// record is what one test has said, in all its runs.
type record struct {
	name   string
	parent bool // it has subtests
	open   bool
	begun  time.Time
	lines  []string // of this run
	broken bool     // this run has had a race, or a panic

	passed, skipped, failed int
	elapsed                 time.Duration
	reasons                 []string // of skips, each once, the first first
	message                 string   // of the first failure; of the first that cannot be let pass, if there is one
	fatal                   bool     // a failure that cannot be let pass
}

func newBook() *book { return &book{tests: map[string]*record{}} }

const (
	linesMax = 200 // of one test, or behind a crash: stacks of all goroutines are long
	lastMax  = 15
)

// framing are the lines with which package testing tells of tests.
var framing = regexp.MustCompile(`^\s*(=== (RUN|NAME|CONT|PAUSE)  |--- (PASS|FAIL|SKIP): |PASS$|FAIL$|-test\.shuffle )`)

// calamity are lines that tell of what is never by chance: a race, a panic, also one that the suite has caught, or the end of the process.
var calamity = regexp.MustCompile(`DATA RACE|race detected during execution|\bpanic: |^fatal error: |^SIG[A-Z]+: |unexpected fault address|^checkptr: `)

// position is where a line of a test's log was written.
var position = regexp.MustCompile(`^\s*[^ :]+\.go:\d+: `)

// record is the test's, which it makes if there is none.
func (b *book) record(name string) *record {
	r := b.tests[name]
	if r == nil {
		r = &record{name: name}
		b.tests[name] = r
		b.order = append(b.order, r)
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			b.record(name[:i]).parent = true
		}
	}
	return r
}

// take takes an event down.
func (b *book) take(e *event) {
	if e.Action == "output" {
		b.output(e)
		return
	}
	if e.Test == "" {
		return
	}
	r := b.record(e.Test)
	switch e.Action {
	case "run":
		r.open, r.begun, r.lines, r.broken = true, e.Time, nil, false
	case "pass", "skip", "fail":
		r.end(e.Action)
		r.elapsed += e.Time.Sub(r.begun)
	}
}

func (b *book) output(e *event) {
	line := strings.TrimRight(e.Output, "\n")
	if framing.MatchString(line) {
		return
	}
	bad := calamity.MatchString(line)
	if (bad || b.crash != nil) && len(b.crash) < linesMax {
		b.crash = append(b.crash, line)
	}
	if b.last = append(b.last, line); len(b.last) > lastMax {
		b.last = b.last[1:]
	}
	if e.Test == "" {
		return
	}
	r := b.record(e.Test)
	r.broken = r.broken || bad
	if len(r.lines) < linesMax {
		r.lines = append(r.lines, line)
	}
}

// end ends a run of the test.
func (r *record) end(action string) {
	r.open = false
	message := strings.Join(dedent(r.lines), "\n")
	switch action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
		if reason := position.ReplaceAllString(message, ""); !slices.Contains(r.reasons, reason) {
			r.reasons = append(r.reasons, reason)
		}
	case "fail":
		if r.failed++; r.failed == 1 || r.broken && !r.fatal {
			r.message, r.fatal = message, r.broken
		}
	}
	r.lines = nil
}

// end counts, when the process has ended. What has begun and not ended has failed with it.
func (b *book) end() {
	for _, r := range b.order {
		if r.open {
			b.unended = append(b.unended, r.name)
			r.broken = true
			r.end("fail")
		}
		if !r.parent {
			b.passed, b.skipped, b.failed = b.passed+r.passed, b.skipped+r.skipped, b.failed+r.failed
		}
	}
}

// dedent takes away the spaces that all lines begin with: package testing puts four before each, for each level.
func dedent(lines []string) []string {
	least := -1
	for _, l := range lines {
		if n := len(l) - len(strings.TrimLeft(l, " ")); strings.TrimSpace(l) != "" && (least < 0 || n < least) {
			least = n
		}
	}
	out := slices.Clone(lines)
	for i, l := range out {
		out[i] = strings.TrimRight(l[min(max(least, 0), len(l)):], " ")
	}
	return out
}
