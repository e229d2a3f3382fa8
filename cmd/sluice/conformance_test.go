package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/internal/matrix"
)

// liarDriver opens engines whose nops complete with 1, and says so in words that a page must escape.
type liarDriver struct{}

func (liarDriver) Name() string { return "liar" }
func (liarDriver) Probe() (api.Features, error) {
	return api.Features{OpsEmulated: api.Ops(api.OpNop)}, nil
}

func (liarDriver) Open(o *api.Options) (api.Engine, error) {
	e, err := backend.Open("poll", o)
	return &liar{e}, err
}

type liar struct{ api.Engine }

func (l *liar) Complete(dst []api.Completion, w api.Wait) (int, error) {
	n, err := l.Engine.Complete(dst, w)
	for i := range dst[:n] {
		if dst[i].Code == api.OpNop {
			dst[i].Res++
		}
	}
	return n, err
}

func TestConformance(t *testing.T) {
	page := filepath.Join(t.TempDir(), "report.html")
	status, stdout, stderr := sluice(t, "conformance", "--backend", "epoll, poll", "--family", "wak", "--rule", "CMP-13", "--html", page)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, %s\n%s", status, stderr, stdout)
	}
	for _, want := range []string{`(?m)^sluice \S+, go1\S*, linux/\w+, kernel Linux \S+, \d+ CPUs$`, `(?m)^epoll +\d+ features native, \d+ emulated.*; \d+ operations native, \d+ emulated$`,
		`(?m)^ +epoll/block +poll/block$`, `(?m)^WAK +\d+ +\d+$`, `(?m)^CMP +1 +1$`, `\n\n\d+ passed, 0 skipped, 0 failed, in \d+\.\d s\n$`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
	html, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(html), "<th>epoll<br>block</th>") || !strings.HasSuffix(string(html), "</html>\n") {
		t.Errorf("%v: the page is\n%s", err, html)
	}

	status, stdout, _ = sluice(t, "conformance", "--backend", "epoll", "--column", "block,spin", "--rule", "CMP-13", "--json")
	var rep suiteReport
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, stdout)
	}
	if rep.Cases != 2 || rep.Passed != 2 || len(rep.Results) != 2 || len(rep.Columns) != 2 || len(rep.Backends) != 4 || rep.Go == "" || rep.Sluice == "" {
		t.Errorf("%+v", rep)
	}
	if r := rep.Results[1]; r.Backend != "epoll" || r.Column != "spin" || r.Case != "CMP/CMP-13-nop" || r.Outcome != matrix.Passed || r.Duration <= 0 {
		t.Errorf("%+v", r)
	}
}

func TestConformanceList(t *testing.T) {
	status, stdout, stderr := sluice(t, "conformance", "--list", "--rule", "CMP-13")
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "CMP-13  A nop completes with 0.\n    CMP/CMP-13-nop\n        ") || !strings.Contains(stdout, "operations: nop\n") {
		t.Errorf("status %d, %s, %q", status, stderr, stdout)
	}
	status, stdout, _ = sluice(t, "conformance", "--list", "--json")
	var all []listedCase
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || status != 0 || len(all) != len(conformance.Cases())+len(conformance.AllocCases()) {
		t.Fatalf("status %d, %v, %d cases", status, err, len(all))
	}
	for _, c := range all {
		if c.Case == "" || c.Rule == "" || c.Text == "" || c.Explanation == "" {
			t.Errorf("%+v", c)
		}
	}
}

// TestConformanceFull: a page that cannot be written does not take the report with it.
func TestConformanceFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	status, stdout, stderr := sluice(t, "conformance", "--backend", "poll", "--rule", "CMP-13", "--html", "/dev/full")
	if status != exitError || !strings.Contains(stdout, "1 passed, 0 skipped, 0 failed") || !strings.Contains(stderr, "no space left on device") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
}

// TestConformanceFails has a process of its own run the suite on a backend that is wrong.
func TestConformanceFails(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "report.html")
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "conformance", "--backend", "liar", "--column", "block", "--rule", "CMP-13,SUB-1", "--html", page)
	cmd.Env = append(os.Environ(), "SLUICE_TEST_AS_TOOL=1", "SLUICE_TEST_BROKEN=1")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != exitError {
		t.Fatalf("%v, %s", err, stderr.String())
	}
	for _, want := range []string{"liar", "failed: liar/block/CMP/CMP-13-nop\n", "got {nop tag", "1 passed, 0 skipped, 2 failed"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
	if stderr.String() != "sluice: 2 of 3 cases failed\n" {
		t.Errorf("printed %q", stderr.String())
	}
	html, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(html), "<p>Rule: A nop completes with 0.</p>") || !strings.Contains(string(html), `<td class="failed"><details><summary>F1</summary>`) {
		t.Errorf("%v: the page is\n%s", err, html)
	}
}

// TestConformanceInterrupted: what has been done until then is reported, and it is no success.
func TestConformanceInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	opened := 0
	col := suiteColumn{backend: "poll", Column: matrix.Column{Name: "block"}, open: func(o *api.Options) (api.Engine, error) {
		if opened++; opened == 3 { // the first looks whether the column can be had
			cancel()
		}
		return backend.Open("poll", o)
	}}
	s := &suiteCmd{rules: []string{"SUB-1", "CMP-13", "CMP-7"}, timeout: conformance.DefaultTimeout}
	cases, err := s.cases()
	if err != nil || len(cases) < 4 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	rep, err := s.measure(ctx, []suiteColumn{col}, cases, os.Stderr)
	if err != nil || !rep.Interrupted || rep.Passed != 2 || rep.Cases != len(cases) || len(rep.Results) != 2 {
		t.Fatalf("%v, %+v", err, rep)
	}
	if err := rep.verdict(); err == nil || !strings.Contains(rep.sum(), "interrupted after 2 of ") {
		t.Errorf("%v, %s", err, rep.sum())
	}

	status, stdout, stderr := canceled("conformance", "--backend", "poll", "--rule", "CMP-13")
	if status != exitError || stderr != "sluice: interrupted\n" || !strings.Contains(stdout, "interrupted after 0 of 1\n") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	if _, stdout, _ := canceled("conformance", "--backend", "poll", "--rule", "CMP-13", "--json"); !strings.Contains(stdout, `"results": []`) {
		t.Errorf("the results are no list in %s", stdout)
	}
}

// TestConformanceCannotOpen: a column that the machine lacks something for is skipped, and one that fails otherwise is a failure; the next ones are run.
func TestConformanceCannotOpen(t *testing.T) {
	poll := func(o *api.Options) (api.Engine, error) { return backend.Open("poll", o) }
	no := func(err error) matrix.Open { return func(*api.Options) (api.Engine, error) { return nil, err } }
	s := &suiteCmd{rules: []string{"CMP-13", "CMP-7"}, timeout: conformance.DefaultTimeout}
	cases, err := s.cases()
	if err != nil || len(cases) != 2 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	rep, err := s.measure(t.Context(), []suiteColumn{
		{backend: "poll", open: no(&api.UnavailableError{Backend: "poll", Reason: "it is late"}), Column: matrix.Column{Name: "lacks"}},
		{backend: "poll", open: no(io.ErrUnexpectedEOF), Column: matrix.Column{Name: "fails"}},
		{backend: "poll", open: poll, Column: matrix.Column{Name: "block"}},
	}, cases, io.Discard)
	if err != nil || rep.Passed != 2 || rep.Skipped != 2 || rep.Failed != 1 || rep.Cases != 5 || rep.verdict() == nil {
		t.Fatalf("%v, %+v", err, rep)
	}
	if c := rep.Columns[0]; len(rep.Columns) != 3 || !strings.Contains(c.Skipped, "it is late") {
		t.Errorf("%+v", rep.Columns)
	}
	if r := rep.Results[2]; r.Message != io.ErrUnexpectedEOF.Error() || r.Column != "fails" || r.Explanation == "" {
		t.Errorf("%+v", r)
	}
}

// TestConformanceAllocs: allocations are counted, but not those of a column's own.
func TestConformanceAllocs(t *testing.T) {
	open := func(o *api.Options) (api.Engine, error) { return backend.Open("poll", o) }
	s := &suiteCmd{rules: []string{allocRule}, timeout: conformance.DefaultTimeout}
	cases, err := s.cases()
	if err != nil || len(cases) != len(conformance.AllocCases()) {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	wrap := func(e api.Engine) api.Engine { return e }
	rep, err := s.measure(t.Context(), []suiteColumn{{"poll", open, matrix.Column{Name: "block"}}, {"poll", open, matrix.Column{Name: "wrapped", Wrap: wrap}}}, cases[:1], io.Discard)
	if err != nil || len(rep.Results) != 2 || rep.Failed > 0 {
		t.Fatalf("%v, %+v", err, rep)
	}
	if first, second := rep.Results[0], rep.Results[1]; first.Outcome == matrix.Skipped && !strings.Contains(first.Message, "race") || second.Outcome != matrix.Skipped {
		t.Errorf("%+v", rep.Results)
	}
}

// canceled runs the tool with a context that has ended.
func canceled(args ...string) (status int, stdout, stderr string) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	status = run(ctx, args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// TestConformancePage: a page needs nothing but itself, and escapes what it shows.
func TestConformancePage(t *testing.T) {
	const evil = `<script>alert("1 & 2")</script>`
	r := newReport(5)
	r.Backends = []probedBackend{{Name: "uring", Reason: evil}, {Name: "poll", Available: true, Features: map[string]string{"park": "native"}, Modes: []probedMode{{Name: "m", Status: "absent", Reason: evil}}}}
	r.column("poll", "block", "")
	r.column("poll", "park", "")
	c := &conformance.Case{ID: "CMP-13", Name: "nop", Explanation: evil}
	for _, res := range []matrix.Result{
		{Column: "block", Outcome: matrix.Passed}, {Column: "block", Outcome: matrix.Skipped, Message: evil}, {Column: "block", Outcome: matrix.Skipped, Message: evil},
		{Column: "block", Outcome: matrix.Failed, Message: evil + strings.Repeat("x", excerptMax)},
		{Column: "park", Outcome: matrix.Skipped, Message: "for a reason"},
	} {
		res.Backend, res.Family, res.Case = "poll", "CMP", "CMP/CMP-13-nop"
		r.add(c, res)
	}
	var b strings.Builder
	if err := r.page(&b); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{`<td class="failed"><details><summary>1 s2 F1</summary>`, `<td class="skipped"><details><summary>s1</summary>`, "A nop completes with 0.",
		"&lt;script&gt;", "and 31 bytes more</pre>", "<p><strong>skipped</strong>: for a reason</p>", "1 passed, 3 skipped, 1 failed"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, not := range []string{"<script", "src=", "href=", "url(", "http"} {
		if strings.Contains(got, not) {
			t.Errorf("%q is in\n%s", not, got)
		}
	}
	if n := strings.Count(got, "<strong>skipped</strong>"); n != 2 {
		t.Errorf("%d reasons of skips, want 2", n)
	}
}
