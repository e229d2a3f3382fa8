package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/conformance"
)

const (
	contractPage = "docs/SEMANTICS.md"
	indexPage    = "docs/RULES.md"
	embedded     = "conformance/rules.txt"
)

// family is a section of the contract.
type family struct {
	id, title string
	rules     []conformance.Rule
}

var (
	heading    = regexp.MustCompile(`^## ([A-Z]{3}): (.+)$`)
	definition = regexp.MustCompile(`^\*\*([A-Z]{3}-[0-9]+)\*\* (.+)$`)
)

// parse reads the rules of the contract: a line each that begins with the id in bold, and the reason below it, up to an empty line or the next rule.
func parse(page string) ([]*family, error) {
	var all []*family
	byID := map[string]*family{}
	lines := strings.Split(page, "\n")
	for i, line := range lines {
		if m := heading.FindStringSubmatch(line); m != nil {
			if byID[m[1]] == nil {
				byID[m[1]] = &family{id: m[1], title: m[2]}
				all = append(all, byID[m[1]])
			}
			continue
		}
		m := definition.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		id, _, _ := strings.Cut(m[1], "-")
		f := byID[id]
		if f == nil {
			return nil, fmt.Errorf("%s:%d: %s stands above the heading of its family", contractPage, i+1, m[1])
		}
		r := conformance.Rule{ID: m[1], Text: m[2]}
		end := i + 1
		for end < len(lines) && lines[end] != "" && !definition.MatchString(lines[end]) {
			end++
		}
		if reason, ok := strings.CutPrefix(strings.Join(lines[i+1:end], " "), "Reason: "); ok {
			r.Reason = reason
		}
		f.rules = append(f.rules, r)
	}
	for _, f := range all {
		slices.SortStableFunc(f.rules, func(a, b conformance.Rule) int { return cmp.Compare(number(a.ID), number(b.ID)) })
	}
	return all, nil
}

// number is 12 of CAN-12.
func number(id string) int {
	_, n, _ := strings.Cut(id, "-")
	i, _ := strconv.Atoi(n) // the pattern of a definition has digits there
	return i
}

// fileOf is the file that holds a case.
func fileOf(c *conformance.Case) string {
	pc := reflect.ValueOf(c.Fn).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	return path.Base(filepath.ToSlash(file))
}

// render gives the contents of the files by their names.
func render(root string) (map[string][]byte, error) {
	page, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(contractPage)))
	if err != nil {
		return nil, err
	}
	families, err := parse(string(page))
	if err != nil {
		return nil, err
	}
	cases := map[string][]conformance.Case{}
	n := 0
	for _, c := range slices.Concat(conformance.Cases(), conformance.AllocCases()) {
		cases[c.ID] = append(cases[c.ID], c)
		n++
	}
	return map[string][]byte{indexPage: index(families, cases, n), embedded: text(families)}, nil
}

const preface = `# Index of the rules and their cases

This page is written by ` + "`go generate ./conformance`" + ` from [SEMANTICS.md](SEMANTICS.md) and from the cases of package conformance, and a test fails
when it is stale. It leads from each rule to the cases that hold an engine to it. The other way, a case carries the id of its rule: it stands in front
of its name, in the output of a failure, and in each of the commands below.

    go test ./conformance -run 'TestConformance/uring/block/STR/STR-3-'     the cases of one rule, on one backend
    sluice conformance --rule STR-3                                         the same on every backend, without Go
    sluice conformance --list --rule STR-3                                  what they are about

`

// index is the page.
func index(families []*family, cases map[string][]conformance.Case, n int) []byte {
	var b bytes.Buffer
	rules := 0
	for _, f := range families {
		rules += len(f.rules)
	}
	b.WriteString(preface)
	fmt.Fprintf(&b, "There are %d rules in %d families, and %d cases.\n", rules, len(families), n)
	for _, f := range families {
		fmt.Fprintf(&b, "\n## %s: %s\n\n[The rules with their reasons](SEMANTICS.md#%s)\n\n| rule | what it says | cases |\n|---|---|---|\n", f.id, f.title, anchor(f.id+": "+f.title))
		for _, r := range f.rules {
			var links []string
			for _, c := range cases[r.ID] {
				links = append(links, fmt.Sprintf("[%s](../conformance/%s)", cell(c.Name), fileOf(&c)))
			}
			fmt.Fprintf(&b, "| **%s** | %s | %s |\n", r.ID, cell(r.Text), strings.Join(links, "; "))
		}
	}
	return b.Bytes()
}

// cell is s in a table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "[", `\[`, "]", `\]`).Replace(s) }

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// text is what package conformance embeds: a line for each rule, with tabs between its parts.
func text(families []*family) []byte {
	var b bytes.Buffer
	plain := strings.NewReplacer("**", "", "`", "", "\t", " ")
	for _, f := range families {
		for _, r := range f.rules {
			fmt.Fprintf(&b, "%s\t%s\t%s\n", r.ID, plain.Replace(r.Text), plain.Replace(r.Reason))
		}
	}
	return b.Bytes()
}
