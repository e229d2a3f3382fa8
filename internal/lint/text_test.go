package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fileLinesMax is as much as one reads in one go.
const fileLinesMax = 700

// sleepAllowed are the files that may call time.Sleep in spite of the rule, with the reason.
var sleepAllowed = map[string]string{}

func checkParse(files []*file) []string {
	var problems []string
	for _, f := range files {
		if f.err != nil && !outsideBuild(f.path) {
			problems = append(problems, f.err.Error())
		}
	}
	return problems
}

// The words are put together here so that this file does not contain them.
var marker = regexp.MustCompile(`\b(` + "TO" + "DO|FIX" + "ME|XX" + `X)\b`)

func checkMarkers(files []*file) []string {
	var problems []string
	for _, f := range files {
		// Rule ids are written with three such letters for any; only code and scripts are looked at.
		if path.Ext(f.path) == ".md" || f.path == "LICENSE" || path.Ext(f.path) == ".sum" {
			continue
		}
		for i, line := range strings.Split(string(f.src), "\n") {
			if m := marker.FindString(line); m != "" {
				problems = append(problems, fmt.Sprintf("%s:%d: left-over %s", f.path, i+1, m))
			}
		}
	}
	return problems
}

// checkSleeps looks in tests and in the conformance suite, which is one.
func checkSleeps(files []*file) []string {
	var problems []string
	used := map[string]bool{}
	for _, f := range goFiles(files) {
		if !f.isTest() && !f.under("conformance") {
			continue
		}
		name := importName(f, "time")
		if name == "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Sleep" {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); !ok || x.Name != name {
				return true
			}
			if _, ok := sleepAllowed[f.path]; ok {
				used[f.path] = true
			} else {
				problems = append(problems, f.at(sel.Pos())+": sleeps in a test")
			}
			return true
		})
	}
	for name, reason := range sleepAllowed {
		if !used[name] || reason == "" {
			problems = append(problems, fmt.Sprintf("sleepAllowed has %s, which does not sleep or gives no reason", name))
		}
	}
	slices.Sort(problems)
	return problems
}

// importName is what a file calls a package of the standard library, "" if it does not import it.
func importName(f *file, pkg string) string {
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != pkg {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(pkg)
	}
	return ""
}

func checkFileLength(files []*file) []string {
	var problems []string
	for _, f := range files {
		if !f.isGo() || f.err == nil && ast.IsGenerated(f.ast) {
			continue
		}
		if n := bytes.Count(f.src, []byte("\n")); n > fileLinesMax {
			problems = append(problems, fmt.Sprintf("%s: %d lines, the limit is %d", f.path, n, fileLinesMax))
		}
	}
	return problems
}

func checkGofmt(files []*file) []string {
	var problems []string
	for _, f := range files {
		if !f.isGo() || f.err != nil || outsideBuild(f.path) {
			continue
		}
		if want, err := format.Source(f.src); err != nil || !bytes.Equal(want, f.src) {
			problems = append(problems, f.path+": is not as gofmt would have it")
		}
	}
	return problems
}

// A path of someone's machine begins a word; a directory of that name further down a path does not matter.
var machinePath = regexp.MustCompile("(?:^|[\\s\"'`(=:,<>\\[])(/(?:root|home|work|Users)/[^\\s\"'`)]*)")

func checkMachinePaths(files []*file) []string {
	var problems []string
	for _, f := range files {
		for i, line := range strings.Split(string(f.src), "\n") {
			if m := machinePath.FindStringSubmatch(line); m != nil {
				problems = append(problems, fmt.Sprintf("%s:%d: %s is a path of one machine", f.path, i+1, m[1]))
			}
		}
	}
	return problems
}
