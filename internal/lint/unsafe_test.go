package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// unsafePackages are those whose code, tests aside, may import unsafe.
var unsafePackages = []string{
	"internal/iouring", // maps the rings, hands addresses to the kernel
	"internal/sysx",    // system calls that x/sys does not have
	"internal/offheap", // maps memory
	"internal/core",    // tells the race detector about the buffers in flight
	"uring",            // fills in the entries of the submission queue
}

// safetyReach is how many lines above its use a SAFETY comment still counts.
const safetyReach = 12

func checkUnsafePackages(files []*file) []string {
	var problems []string
	for _, f := range goFiles(files) {
		if f.nested || f.isTest() || slices.Contains(unsafePackages, f.pkg()) {
			continue
		}
		for _, im := range importsOf(f) {
			if im.path == "unsafe" {
				problems = append(problems, fmt.Sprintf("%s: %s imports unsafe", im.at, f.pkg()))
			}
		}
	}
	return problems
}

// checkUnsafeComments asks for a SAFETY comment near each act that the compiler does not check: a
// conversion to or from unsafe.Pointer, unsafe.Slice and the like, a go:linkname. It lets pass
// unsafe.Pointer as the type of a parameter, field or variable, which does nothing, and Sizeof,
// Alignof and Offsetof, which are constants that the compiler works out.
func checkUnsafeComments(files []*file) []string {
	var problems []string
	for _, f := range goFiles(files) {
		if f.nested || f.isTest() {
			continue
		}
		covered := safetyLines(f)
		report := func(p token.Pos, what string) {
			if n := f.line(p); !covered[n] {
				covered[n] = true // one problem a line
				problems = append(problems, fmt.Sprintf("%s:%d: %s without a SAFETY: comment", f.path, n, what))
			}
		}
		types := map[ast.Expr]bool{} // where unsafe.Pointer is but a type
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				types[n.Type] = true
			case *ast.ValueSpec:
				types[n.Type] = true
			case *ast.FuncDecl:
				conversions(n.Type, n.Body, report)
			case *ast.FuncLit:
				conversions(n.Type, n.Body, report)
			case *ast.SelectorExpr:
				if isUnsafe(n) && !types[n] && !slices.Contains([]string{"Sizeof", "Alignof", "Offsetof"}, n.Sel.Name) {
					report(n.Pos(), "unsafe."+n.Sel.Name)
				}
			}
			return true
		})
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname ") {
					report(c.Pos(), "go:linkname")
				}
			}
		}
	}
	return problems
}

// safetyLines are the lines that a SAFETY comment covers.
func safetyLines(f *file) map[int]bool {
	covered := map[int]bool{}
	for _, group := range f.ast.Comments {
		if !strings.Contains(group.Text(), "SAFETY:") {
			continue
		}
		for n := f.line(group.Pos()); n <= f.line(group.End())+safetyReach; n++ {
			covered[n] = true
		}
	}
	return covered
}

// isUnsafe says whether e is unsafe.Something.
func isUnsafe(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "unsafe"
}

// conversions reports uintptr(p) and (*T)(p) of the unsafe.Pointers p that a function is given.
func conversions(t *ast.FuncType, body *ast.BlockStmt, report func(token.Pos, string)) {
	if body == nil {
		return
	}
	given := map[string]bool{}
	for _, field := range t.Params.List {
		for _, name := range field.Names {
			if isUnsafe(field.Type) {
				given[name.Name] = true
			}
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		arg, ok := call.Args[0].(*ast.Ident)
		if !ok || !given[arg.Name] {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			if fun.Name == "uintptr" {
				report(call.Pos(), "uintptr("+arg.Name+")")
			}
		case *ast.ParenExpr:
			if _, ok := fun.X.(*ast.StarExpr); ok {
				report(call.Pos(), "a conversion of the unsafe.Pointer "+arg.Name)
			}
		}
		return true
	})
}
