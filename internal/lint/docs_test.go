package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// documented are the packages that users import: every exported name there is documented.
var documented = []string{
	"api", "backend/...", "conformance/...", "uring", "epoll", "poll", "select",
	"reactor/...", "ionet/...", "iofile/...",
}

// selfEvident are methods whose meaning the interface that they satisfy has fixed.
var selfEvident = []string{"Error", "String", "Unwrap", "Is"}

func checkPackageDocs(files []*file) []string {
	type state struct {
		name, first string
		docs        []string
	}
	seen := map[string]*state{}
	var order []string
	for _, f := range goFiles(files) {
		if f.isTest() {
			continue
		}
		s := seen[f.pkg()]
		if s == nil {
			s = &state{name: f.ast.Name.Name, first: f.path}
			seen[f.pkg()] = s
			order = append(order, f.pkg())
		}
		if d := f.ast.Doc.Text(); d != "" {
			s.docs = append(s.docs, d)
		}
	}
	var problems []string
	for _, dir := range order {
		s := seen[dir]
		switch {
		case len(s.docs) == 0:
			problems = append(problems, fmt.Sprintf("%s: package %s has no doc comment", s.first, s.name))
		case s.name != "main" && !slices.ContainsFunc(s.docs, func(d string) bool { return strings.HasPrefix(d, "Package "+s.name+" ") }):
			problems = append(problems, fmt.Sprintf("%s: the doc comment of package %s does not begin %q", s.first, s.name, "Package "+s.name))
		}
	}
	return problems
}

func checkExportedDocs(files []*file) []string {
	var problems []string
	for _, f := range goFiles(files) {
		if f.isTest() || !anyMatches(documented, f.pkg()) {
			continue
		}
		report := func(n ast.Node, what string) {
			problems = append(problems, fmt.Sprintf("%s: %s has no doc comment", f.at(n.Pos()), what))
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Doc.Text() == "" && needsDoc(d) {
					report(d, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					undocumented(d, spec, report)
				}
			}
		}
	}
	return problems
}

// needsDoc says whether a function, or a method of an exported type, is exported.
func needsDoc(d *ast.FuncDecl) bool {
	if !d.Name.IsExported() {
		return false
	}
	if d.Recv == nil {
		return true
	}
	return ast.IsExported(receiver(d.Recv.List[0].Type)) && !slices.Contains(selfEvident, d.Name.Name)
}

// receiver is the name of a receiver's type: T of T, *T and *T[P].
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	}
	return ""
}

// undocumented reports the exported names of one spec, and the methods of an exported interface,
// that nothing documents: neither the declaration as a whole, nor the spec, nor a comment at its end.
func undocumented(d *ast.GenDecl, spec ast.Spec, report func(ast.Node, string)) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return
		}
		if spec.Doc.Text() == "" && (d.Lparen != token.NoPos || d.Doc.Text() == "") {
			report(spec, spec.Name.Name)
		}
		it, ok := spec.Type.(*ast.InterfaceType)
		if !ok {
			return
		}
		for _, m := range it.Methods.List {
			for _, name := range m.Names {
				if name.IsExported() && m.Doc.Text() == "" && m.Comment.Text() == "" && !slices.Contains(selfEvident, name.Name) {
					report(m, spec.Name.Name+"."+name.Name)
				}
			}
		}
	case *ast.ValueSpec:
		if spec.Doc.Text() != "" || spec.Comment.Text() != "" || d.Doc.Text() != "" {
			return
		}
		for _, name := range spec.Names {
			if name.IsExported() {
				report(name, name.Name)
			}
		}
	}
}

const semanticsPage = "docs/SEMANTICS.md"

var (
	ruleID         = regexp.MustCompile(`^[A-Z]{3}-[0-9]+$`)
	ruleDefinition = regexp.MustCompile(`^(?:[-*] )?\*\*([A-Z]{3}-[0-9]+)\*\*`)
)

// checkRuleIDs compares the rules that the page defines with those that the suite has cases for.
func checkRuleIDs(files []*file) []string {
	var problems []string
	defined := map[string]string{} // rule → place
	page := false
	for _, f := range files {
		if f.path != semanticsPage {
			continue
		}
		page = true
		for i, line := range strings.Split(string(f.src), "\n") {
			m := ruleDefinition.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			at := fmt.Sprintf("%s:%d", f.path, i+1)
			if first, ok := defined[m[1]]; ok {
				problems = append(problems, fmt.Sprintf("%s: defines %s, which %s has defined", at, m[1], first))
				continue
			}
			defined[m[1]] = at
		}
	}
	if !page {
		return []string{semanticsPage + ": there is no such page"}
	}
	if len(defined) == 0 {
		return []string{semanticsPage + ": defines no rules"}
	}

	cases := map[string]string{} // rule → first place
	for _, f := range goFiles(files) {
		if f.isTest() || f.nested || !f.under("conformance") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			id := strings.Trim(lit.Value, "\"`")
			if _, seen := cases[id]; ruleID.MatchString(id) && !seen {
				cases[id] = f.at(lit.Pos())
			}
			return true
		})
	}
	for id, at := range defined {
		if _, ok := cases[id]; !ok {
			problems = append(problems, fmt.Sprintf("%s: rule %s has no case in conformance", at, id))
		}
	}
	for id, at := range cases {
		if _, ok := defined[id]; !ok {
			problems = append(problems, fmt.Sprintf("%s: names rule %s, which %s does not define", at, id, semanticsPage))
		}
	}
	slices.Sort(problems)
	return problems
}

// checkRuleReasons asks that each rule is a line that ends as a sentence does, with the reason below it, up to an empty line or the next rule. It is how
// the index of the rules is made of the page, too.
func checkRuleReasons(files []*file) []string {
	var problems []string
	for _, f := range files {
		if f.path != semanticsPage {
			continue
		}
		lines := strings.Split(string(f.src), "\n")
		for i, line := range lines {
			m := ruleDefinition.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			end := i + 1
			for end < len(lines) && lines[end] != "" && !ruleDefinition.MatchString(lines[end]) {
				end++
			}
			reason, ok := strings.CutPrefix(strings.Join(lines[i+1:end], " "), "Reason: ")
			switch {
			case !strings.HasSuffix(line, "."):
				problems = append(problems, fmt.Sprintf("%s:%d: rule %s is not a line that ends with a full stop", f.path, i+1, m[1]))
			case !ok || len(reason) < len("ours.") || !strings.HasSuffix(reason, "."):
				problems = append(problems, fmt.Sprintf("%s:%d: rule %s has no reason: below it, a line that begins \"Reason: \", and a full stop at the end", f.path, i+1, m[1]))
			}
		}
	}
	return problems
}

// checkTestingImports keeps package testing, and with it the flags of go test, out of what programs link. Packages that are for tests alone are excepted.
func checkTestingImports(files []*file) []string {
	var problems []string
	for _, f := range goFiles(files) {
		if f.isTest() || slices.Contains(testPackages, f.pkg()) {
			continue
		}
		for _, im := range importsOf(f) {
			if im.path == "testing" || strings.HasPrefix(im.path, "testing/") {
				problems = append(problems, fmt.Sprintf("%s: %s imports %s", im.at, f.pkg(), im.path))
			}
		}
	}
	return problems
}

// testPackages are packages for tests alone.
var testPackages = []string{"internal/readiness/pollertest", "internal/halfopen", "internal/tooltest", "internal/porttest", "internal/servertest"}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// checkDocLinks follows the relative links of the Markdown pages. A link to a directory is good
// when a file lies below it.
func checkDocLinks(files []*file) []string {
	exists := map[string]bool{".": true}
	for _, f := range files {
		for p := f.path; p != "."; p = path.Dir(p) {
			exists[p] = true
		}
	}
	var problems []string
	for _, f := range files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for i, line := range strings.Split(string(f.src), "\n") {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				target, _, _ := strings.Cut(m[1], "#")
				if target == "" || strings.Contains(target, ":") {
					continue // within the page, or a URL
				}
				if !exists[path.Join(path.Dir(f.path), target)] {
					problems = append(problems, fmt.Sprintf("%s:%d: the link to %s leads nowhere", f.path, i+1, m[1]))
				}
			}
		}
	}
	return problems
}

var (
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):(.*)$`)
	makeCall   = regexp.MustCompile("`make ([a-z][a-z-]*)")
)

// checkMakeTargets looks up each `make target` of the pages, and asks each target for a help text.
func checkMakeTargets(files []*file) []string {
	targets := map[string]bool{}
	var problems []string
	for _, f := range files {
		if f.path != "Makefile" {
			continue
		}
		for _, m := range makeTarget.FindAllStringSubmatch(string(f.src), -1) {
			targets[m[1]] = true
			if !strings.Contains(m[2], "##") {
				problems = append(problems, fmt.Sprintf("Makefile: target %s has no ## help text", m[1]))
			}
		}
	}
	for _, f := range files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for i, line := range strings.Split(string(f.src), "\n") {
			for _, m := range makeCall.FindAllStringSubmatch(line, -1) {
				if !targets[m[1]] {
					problems = append(problems, fmt.Sprintf("%s:%d: the Makefile has no target %s", f.path, i+1, m[1]))
				}
			}
		}
	}
	return problems
}
