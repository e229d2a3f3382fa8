package matrix

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// some are results of two runs of four cases on two backends.
var some = []Result{
	{"epoll", "block", "STR", "STR/STR-1-one", Passed, "", 1},
	{"uring", "block", "STR", "STR/STR-1-one", Passed, "", 1},
	{"uring", "block", "STR", "STR/STR-2-two", Skipped, "the kernel lacks it\nand more", 1},
	{"uring", "block", "STR", "STR/STR-1-one", Failed, "first\nsecond", 2},
	{"uring", "block", "ADR", "ADR/ADR-1-one", Skipped, "the kernel lacks it\nand more", 1},
	{"epoll", "block", "STR", "STR/STR-2-two", Unsteady, "", 1},
	{"uring", "block", "STR", "STR/STR-1-one", Failed, "another", 4},
	{"uring", "block", "STR", "STR/STR-3-three", Passed, "", 1},
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, some); err != nil {
		t.Fatal(err)
	}
	want := `     uring/block  epoll/block
ADR  s1           -
STR  1 s1 F1      1 u1
all  1 s2 F1      1 u1
skipped 2 in uring/block (ADR STR): the kernel lacks it
failed: uring/block/STR/STR-1-one
	first
	second
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestWideTable: with too many columns for their names they have numbers, and those that are the same have one.
func TestWideTable(t *testing.T) {
	var rs []Result
	for _, c := range Columns("uring", true) {
		r := Result{Backend: "uring", Column: c.Name, Family: "STR", Case: "STR/STR-1-one", Outcome: Passed}
		if c.Name == "bare" || c.Name == "park" {
			r.Outcome, r.Message = Skipped, "no"
		}
		rs = append(rs, r)
	}
	rs = append(rs, Result{Backend: "other", Column: "own", Family: "STR", Case: "STR/STR-1-one", Outcome: Failed, Message: "bad"})
	var b bytes.Buffer
	if err := Table(&b, rs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"#1: uring/block, uring/spin, uring/no-multishot, ",
		"\n#2: uring/park, uring/bare\n#3: other/own\n     #1  #2  #3\nSTR  1   s1  F1\nall  1   s1  F1\n",
		"skipped 2 in 2 columns (STR): no\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestNoResults(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, nil); err != nil || b.Len() > 0 {
		t.Errorf("%v, %q", err, b.String())
	}
}

// TestMerge: of several runs of a case the worst counts, and the first of those; the order is that of the table.
func TestMerge(t *testing.T) {
	got := Merge(some)
	var paths []string
	for _, r := range got {
		paths = append(paths, r.Path()+" "+string(r.Outcome))
	}
	want := []string{
		"uring/block/ADR/ADR-1-one skipped", "uring/block/STR/STR-1-one failed", "uring/block/STR/STR-2-two skipped", "uring/block/STR/STR-3-three passed",
		"epoll/block/STR/STR-1-one passed", "epoll/block/STR/STR-2-two unsteady",
	}
	if strings.Join(paths, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(paths, "\n"), strings.Join(want, "\n"))
	}
	if r := got[1]; r.Message != "first\nsecond" || r.Duration != 7 {
		t.Errorf("got %+v, want the first failure, and the sum of the durations", r)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, r := range some {
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(b.String(), "\n"); n != len(some) {
		t.Errorf("%d results on %d lines", len(some), n)
	}
	if line, _, _ := strings.Cut(b.String(), "\n"); line != `{"backend":"epoll","column":"block","family":"STR","case":"STR/STR-1-one","outcome":"passed","ns":1}` {
		t.Errorf("a result is %s", line)
	}
	got, err := Read(&b)
	if err != nil || len(got) != len(some) {
		t.Fatalf("%d results, %v", len(got), err)
	}
	for i := range got {
		if got[i] != some[i] {
			t.Errorf("%d: got %+v, want %+v", i, got[i], some[i])
		}
	}
	for _, bad := range []string{`{"outcome":"good"}`, `{"outcome":"passed"}{`, `[]`} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// TestExcerpt: long messages and long lines are cut, and say so.
func TestExcerpt(t *testing.T) {
	if got, want := Excerpt("one\ntwo\n"), "\tone\n\ttwo\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Excerpt(strings.Repeat("line\n", messageLines+7)); strings.Count(got, "\tline\n") != messageLines || !strings.HasSuffix(got, "\t... and 7 lines more\n") {
		t.Errorf("got %q", got)
	}
	// The cut must not be within the character.
	if got, want := Excerpt(strings.Repeat("a", lineMax-1)+"éé"), "\t"+strings.Repeat("a", lineMax-1)+"...\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDurationIsNs: the tool's --json is read by others.
func TestDurationIsNs(t *testing.T) {
	out, err := json.Marshal(Result{Duration: time.Millisecond, Outcome: Passed})
	if err != nil || !strings.Contains(string(out), `"ns":1000000`) {
		t.Errorf("%s, %v", out, err)
	}
}
