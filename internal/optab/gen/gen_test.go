package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPageIsFresh(t *testing.T) {
	want, err := render(root(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(pagePath)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table says: run go generate ./internal/optab", pagePath)
	}
}

// TestEveryCodeIsDocumented: an operation says what it is, or why it is not performed.
func TestEveryCodeIsDocumented(t *testing.T) {
	known, err := families(filepath.Join(root(t), "docs", "SEMANTICS.md"))
	if err != nil || len(known) < 10 {
		t.Fatalf("%d families of rules: %v", len(known), err)
	}
	for c := range api.OpCode(api.OpCount) {
		in, d := optab.Of(c), optab.DocOf(c)
		switch {
		case (d.Not == "") == (d.How == optab.Nobody):
			t.Errorf("%v: say either how it is performed or why it is not, in internal/optab/doc.go", c)
		case in.Done && d.Not != "":
			t.Errorf("%v is performed, and said not to be: %s", c, d.Not)
		case d.Not == "" && (d.Res == "" || len(d.Make) == 0 || len(d.Rules) == 0):
			t.Errorf("%v: the row in internal/optab/doc.go lacks its constructors, its result or its rules", c)
		case (d.How == optab.Worker) != in.Pool:
			t.Errorf("%v: internal/optab/doc.go and the column Pool say different things about workers", c)
		}
		for _, r := range d.Rules {
			if in.Done && known[r] == "" {
				t.Errorf("%v: docs/SEMANTICS.md has no family %s", c, r)
			}
		}
	}
}

// TestConstructors: the constructors of package api and those of the table are the same.
func TestConstructors(t *testing.T) {
	made := map[string]string{} // constructor → code
	for _, f := range parseAll(t, "api", func(name string) bool { return strings.HasPrefix(name, "construct") }) {
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if kv, ok := n.(*ast.KeyValueExpr); ok && name(kv.Key) == "Code" {
					made[fn.Name.Name] = name(kv.Value)
				}
				return true
			})
		}
	}
	made["Nop"] = "OpNop"
	if len(made) < 40 {
		t.Fatalf("only %d constructors found: the search is broken", len(made))
	}
	codes := codeNames(t)
	for c := range api.OpCode(api.OpCount) {
		for _, m := range optab.DocOf(c).Make {
			if made[m] != codes[c] {
				t.Errorf("the table says that %s makes %v; in package api it makes %q", m, codes[c], made[m])
			}
			delete(made, m)
		}
	}
	for m, c := range made {
		t.Errorf("%s, which makes %s, is not in the table: add it to internal/optab/doc.go", m, c)
	}
}

// TestEveryOperationIsImplemented: what is called done has a case in the attempts, the readiness driver or the core, whichever is to perform it. That
// uring has an encoder for it, a test there says, and that the suite has a case, one in conformance.
func TestEveryOperationIsImplemented(t *testing.T) {
	handled := map[optab.How]map[string]bool{
		optab.Engine: cases(t, "internal/core"),
		optab.Call:   cases(t, "internal/attempt", "internal/readiness", "internal/core"),
		optab.Quick:  cases(t, "internal/attempt", "internal/core"),
		optab.Tried:  cases(t, "internal/attempt"),
		optab.Worker: cases(t, "internal/attempt"),
	}
	codes := codeNames(t)
	for c := range api.OpCode(api.OpCount) {
		if how := optab.DocOf(c).How; optab.Of(c).Done && !handled[how][codes[c]] {
			t.Errorf("%v is called done, and to be performed as %q, and nothing does that", c, hows[how])
		}
	}
	if handled[optab.Tried]["OpFilesUpdate"] {
		t.Error("an operation that nobody performs is found: the search is broken")
	}
}

// cases are the operations that stand behind a case in the packages. Those that only Wait performs are among them.
func cases(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range dirs {
		for _, f := range parseAll(t, dir, func(name string) bool { return !strings.HasSuffix(name, "_test.go") }) {
			ast.Inspect(f, func(n ast.Node) bool {
				if c, ok := n.(*ast.CaseClause); ok {
					for _, e := range c.List {
						found[name(e)] = true
					}
				}
				return true
			})
		}
	}
	return found
}

// name is that of an identifier, with or without a package in front.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// codeNames are the names of the constants in package api, by code.
func codeNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range parseAll(t, "api", func(name string) bool { return name == "opcode.go" }) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && len(names) < api.OpCount && strings.HasPrefix(s.Names[0].Name, "Op") && name(s.Type) == "OpCode" {
				names = append(names, s.Names[0].Name) // they stand in the order of the codes
			}
			return true
		})
	}
	if len(names) != api.OpCount || names[api.OpPipe] != "OpPipe" || names[api.OpRecv] != "OpRecv" {
		t.Fatalf("%d names of operations in api/opcode.go: the search is broken", len(names))
	}
	return names
}

func parseAll(t *testing.T, dir string, want func(name string) bool) (files []*ast.File) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root(t), filepath.FromSlash(dir)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".go" || !want(e.Name()) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), filepath.FromSlash(dir), e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		t.Fatalf("%s: no files", dir)
	}
	return files
}
