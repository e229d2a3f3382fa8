package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// mutantsEnv names the file that the tests of the mutants add lines to: mutant, rule, the first case that has failed, and what it said, with tabs
// between them.
const mutantsEnv = "SLUICE_MUTANTS"

// mutantTable is a table of what such a file holds, by rule, a line for each mutant; "" when there is none, since no such test has run.
func mutantTable(file string) (string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	slices.SortFunc(lines, func(a, b string) int {
		x, y := strings.Split(a, "\t"), strings.Split(b, "\t")
		return cmp.Or(cmp.Compare(x[1], y[1]), cmp.Compare(x[0], y[0]))
	})
	// A test that has been run again has told of the same mutant again.
	lines = slices.CompactFunc(lines, func(a, b string) bool { return key(a) == key(b) })
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mutant\trule\tfirst case that fails")
	for _, line := range lines {
		col := strings.Split(line, "\t")
		fmt.Fprintf(w, "%s\t%s\t%s\n", col[0], col[1], strings.TrimPrefix(col[2], strings.Split(col[1], "-")[0]+"/"))
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return b.String() + fmt.Sprintf("mutants: %d, each noticed by a case\n", len(lines)), nil
}

// key is the mutant and its rule.
func key(line string) string { return strings.Join(strings.Split(line, "\t")[:2], "\t") }
