package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/conformance"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPagesAreFresh(t *testing.T) {
	want, err := render(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, text) {
			t.Errorf("%s is not what the rules and the cases say: run go generate ./conformance", name)
		}
	}
}

// TestRulesAndCases compares the two sets as they are when the suite runs. (internal/lint compares the source, also of cases for other systems.)
func TestRulesAndCases(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(contractPage)))
	if err != nil {
		t.Fatal(err)
	}
	families, err := parse(string(page))
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, c := range slices.Concat(conformance.Cases(), conformance.AllocCases()) {
		has[c.ID] = true
		if file := fileOf(&c); !strings.HasSuffix(file, ".go") {
			t.Errorf("%s is in the file %q", c.Path(), file)
		} else if _, err := os.Stat(filepath.Join(root(t), "conformance", file)); err != nil {
			t.Errorf("%s: %v", c.Path(), err)
		}
	}
	rules := 0
	for _, f := range families {
		for _, r := range f.rules {
			rules++
			if !has[r.ID] {
				t.Errorf("no case is about %s", r.ID)
			}
			delete(has, r.ID)
			if got, ok := conformance.RuleOf(r.ID); !ok || got.Text == "" || got.Reason == "" {
				t.Errorf("package conformance knows of %s: %v, %+v", r.ID, ok, got)
			}
		}
	}
	for id := range has {
		t.Errorf("there is no rule %s, which a case is about", id)
	}
	if rules < 500 {
		t.Errorf("only %d rules found: the search is broken", rules)
	}
}

func TestParse(t *testing.T) {
	families, err := parse("# x\n\n## ABC: Some things, and `more`\n\n**ABC-2** It is **so**.\nReason: ours,\nall of it.\n**ABC-1** It was.\nNo reason.\n")
	if err != nil || len(families) != 1 || len(families[0].rules) != 2 {
		t.Fatalf("%+v, %v", families, err)
	}
	r := families[0].rules
	if r[0].ID != "ABC-1" || r[0].Reason != "" || r[1].Text != "It is **so**." || r[1].Reason != "ours, all of it." {
		t.Errorf("%+v", r)
	}
	if got := string(text(families)); got != "ABC-1\tIt was.\t\nABC-2\tIt is so.\tours, all of it.\n" {
		t.Errorf("%q", got)
	}
	if got := anchor("ABC: Some things, and `more`"); got != "abc-some-things-and-more" {
		t.Errorf("%q", got)
	}
	if _, err := parse("**ABC-1** It is.\n"); err == nil {
		t.Error("a rule without a heading is taken")
	}
}
