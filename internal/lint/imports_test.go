package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// outside says what a package may import from outside the module.
type outside int

const (
	stdOnly outside = iota // the standard library
	xsys                   // and golang.org/x/sys
	anyone                 // and any module: for programs, which no user of the library links
)

// allowance is a line of importTable.
type allowance struct {
	pkg string   // relative to the module; "x/..." is x and all below
	may []string // what it may import of the module, in the same form; "..." is everything
	not []string // exceptions to may
	out outside
}

// leaf are the packages that everything but api and the raw ring may stand on.
var leaf = []string{
	"internal/optab", "internal/timerq", "internal/fifo", "internal/wakefd", "internal/sysx", "internal/invariants",
}

// importTable is the import graph of the module, from the bottom up. The first line whose pkg
// matches holds, so that special cases stand above general ones. Only code that is not a test is
// measured by it: a test of a lower package may well need a higher one.
var importTable = []allowance{
	{pkg: "api"},
	{pkg: "internal/invariants"},
	{pkg: "internal/fifo"},
	{pkg: "internal/timerq", may: []string{"api", "internal/invariants"}},
	{pkg: "internal/optab", may: []string{"api"}},
	{pkg: "internal/optab/gen", may: []string{"api", "internal/optab"}},
	{pkg: "internal/sysx", may: []string{"api", "internal/invariants"}, out: xsys},
	{pkg: "internal/wakefd", may: []string{"internal/sysx", "internal/invariants"}, out: xsys},
	{pkg: "internal/offheap", may: []string{"api"}, out: xsys},
	{pkg: "internal/lint"},

	// The raw ring knows nothing of the rest.
	{pkg: "internal/iouring", out: xsys},

	// The emulation, which knows no backend.
	{pkg: "internal/core", may: join(leaf, "api", "internal/offheap"), out: xsys},
	{pkg: "internal/attempt", may: join(leaf, "api", "internal/core"), out: xsys},
	{pkg: "internal/workers", may: join(leaf, "api", "internal/core", "internal/attempt")},
	{pkg: "internal/futexq", may: join(leaf, "api", "internal/core")},
	{pkg: "internal/readiness", may: join(leaf, "api", "internal/core", "internal/attempt", "internal/workers", "internal/futexq"), out: xsys},

	{pkg: "internal/readiness/pollertest", may: []string{"internal/readiness", "internal/sysx"}, out: xsys},

	// The backends, which know neither one another nor the registry.
	{pkg: "epoll", may: join(leaf, "api", "internal/core", "internal/readiness"), out: xsys},
	{pkg: "poll", may: join(leaf, "api", "internal/core", "internal/readiness"), out: xsys},
	{pkg: "select", may: join(leaf, "api", "internal/core", "internal/readiness"), out: xsys},
	{pkg: "uring", may: join(leaf, "internal/futexq", "api", "internal/core", "internal/attempt", "internal/workers", "internal/iouring"), out: xsys},

	// The registry, and the one package that knows all backends.
	{pkg: "backend", may: join(leaf, "api")},
	{pkg: "backend/all", may: []string{"api", "backend", "uring", "epoll", "poll", "select"}},

	// Memory for buffers.
	{pkg: "arena", may: []string{"api", "internal/offheap"}},

	// What sockets need beside operations.
	{pkg: "sock", may: []string{"api", "internal/sysx"}, out: xsys},

	// The columns and the tables of the suite, for what runs it.
	{pkg: "internal/matrix", may: []string{"api", "internal/optab"}},
	{pkg: "internal/matrix/ci", may: []string{"internal/matrix"}},

	// The public suite sees what any backend's author sees, and so does the language of its programs.
	{pkg: "conformance/script", may: []string{"api"}, out: xsys},
	{pkg: "conformance/...", may: []string{"api", "conformance/..."}, out: xsys},

	// A protocol on the reactor needs nothing but that, and knows no engine.
	{pkg: "reactor/http1", may: []string{"api", "reactor"}},

	// The protocol of Redis, as bytes.
	{pkg: "reactor/resp"},

	// What stands on an engine takes it from the registry.
	{pkg: "reactor/...", may: join(leaf, "api", "backend", "sock", "reactor/..."), out: xsys},
	{pkg: "ionet/...", may: join(leaf, "api", "backend", "reactor", "ionet/..."), out: xsys},
	{pkg: "iofile/...", may: join(leaf, "api", "backend", "reactor", "iofile/..."), out: xsys},

	// What tests use of the system: programs, ports, and many connections, and servers.
	{pkg: "internal/tooltest"},
	{pkg: "internal/porttest"},
	{pkg: "internal/servertest", may: []string{"reactor"}},
	{pkg: "internal/halfopen", may: []string{"backend"}, out: xsys},

	// The echo server and client that the tool and the benchmarks run on any engine.
	{pkg: "internal/echo", may: []string{"api", "internal/sysx"}, out: xsys},

	// The servers that the tool runs on the reactor.
	{pkg: "internal/proxy", may: []string{"api", "reactor"}},
	{pkg: "internal/kv", may: []string{"api", "arena", "backend", "internal/sysx", "reactor", "reactor/resp"}},

	// Programs. The raw ring stays behind the backend even here.
	{pkg: "cmd/...", may: []string{"..."}, not: []string{"internal/iouring"}, out: anyone},
	{pkg: "bench/...", may: []string{"..."}, not: []string{"internal/iouring"}, out: anyone},
	{pkg: "examples/loopback", may: []string{"api"}}, // as a backend of somebody else's
	{pkg: "examples/...", may: []string{"..."}, not: []string{"internal/iouring"}, out: anyone},
}

// testModules are what tests may import besides.
var testModules = []string{
	"golang.org/x/sys",
	"golang.org/x/net", // nettest
	"github.com/stretchr/testify",
	"pgregory.net/rapid",
	"go.uber.org/goleak",
}

func join(a []string, b ...string) []string { return slices.Concat(a, b) }

// matches says whether pkg is, or with "..." lies below, the pattern.
func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == dir || strings.HasPrefix(pkg, dir+"/")
	}
	return pkg == pattern
}

func anyMatches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

// allowanceOf is the line for a package, nil if the table has none.
func allowanceOf(pkg string) *allowance {
	for i := range importTable {
		if matches(importTable[i].pkg, pkg) {
			return &importTable[i]
		}
	}
	return nil
}

// imported is one import of a file.
type imported struct {
	path string
	at   string
}

func importsOf(f *file) []imported {
	var out []imported
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has complained about it
		}
		out = append(out, imported{p, f.at(spec.Pos())})
	}
	return out
}

// inModule cuts the module's path off an import path.
func inModule(path string) (pkg string, ok bool) {
	if path == modulePath {
		return ".", true
	}
	return strings.CutPrefix(path, modulePath+"/")
}

// isStd tells the standard library by its first element, which has no dot.
func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func checkImports(files []*file) []string {
	var problems []string
	unknown := map[string]bool{}
	for _, f := range goFiles(files) {
		if f.nested {
			continue
		}
		a := allowanceOf(f.pkg())
		if a == nil {
			if !unknown[f.pkg()] {
				unknown[f.pkg()] = true
				problems = append(problems, fmt.Sprintf("%s: package %s is not in importTable of internal/lint: add it to the table", f.path, f.pkg()))
			}
			continue
		}
		if f.isTest() {
			continue
		}
		for _, im := range importsOf(f) {
			pkg, ok := inModule(im.path)
			if !ok {
				continue
			}
			if !anyMatches(a.may, pkg) || anyMatches(a.not, pkg) {
				problems = append(problems, fmt.Sprintf("%s: %s may not import %s", im.at, f.pkg(), pkg))
			}
		}
	}
	return problems
}

func checkDependencies(files []*file) []string {
	var problems []string
	for _, f := range goFiles(files) {
		a := allowanceOf(f.pkg())
		if f.nested || a == nil { // checkImports reports what has no line
			continue
		}
		for _, im := range importsOf(f) {
			if _, own := inModule(im.path); own || im.path == "C" || a.out == anyone {
				continue
			}
			if isStd(im.path) {
				if f.pkg() == "api" && !f.isTest() && (im.path == "unsafe" || strings.HasPrefix(im.path, "runtime/")) {
					problems = append(problems, fmt.Sprintf("%s: api, the contract, may not import %s", im.at, im.path))
				}
				continue
			}
			ok := a.out == xsys && matches("golang.org/x/sys/...", im.path)
			if f.isTest() {
				ok = slices.ContainsFunc(testModules, func(m string) bool { return matches(m+"/...", im.path) })
			}
			if !ok {
				problems = append(problems, fmt.Sprintf("%s: %s may not import %s", im.at, f.pkg(), im.path))
			}
		}
	}
	return problems
}

func checkCgo(files []*file) []string {
	var problems []string
	for _, f := range goFiles(files) {
		for _, im := range importsOf(f) {
			if im.path == "C" {
				problems = append(problems, im.at+": imports C")
			}
		}
	}
	return problems
}
