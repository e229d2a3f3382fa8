package lint

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// sources are small files by name.
type sources map[string]string

// selfTest shows one rule one set of files. want is a part of the problem that the rule is to
// find, the only one; "" says that it is to find none.
type selfTest struct {
	rule  string
	name  string
	files sources
	want  string
}

const mod = modulePath + "/"

// selfTests have, for each rule, files with the fault and files without.
var selfTests = []selfTest{
	{"parse", "broken", sources{"api/a.go": "package api\nfunc {"}, "api/a.go:2"},
	{"parse", "whole", sources{"api/a.go": "package api\n"}, ""},
	{"parse", "broken test data", sources{"api/testdata/a.go": "func {"}, ""},

	{"imports", "api imports the module", sources{"api/a.go": importing("api", mod+"internal/optab")}, "api may not import internal/optab"},
	{"imports", "readiness imports a backend", sources{"internal/readiness/a.go": importing("readiness", mod+"epoll")}, "may not import epoll"},
	{"imports", "epoll imports the raw ring", sources{"epoll/a.go": importing("epoll", mod+"internal/iouring")}, "may not import internal/iouring"},
	{"imports", "uring imports the registry", sources{"uring/a.go": importing("uring", mod+"backend")}, "may not import backend"},
	{"imports", "uring imports poll", sources{"uring/a.go": importing("uring", mod+"poll")}, "may not import poll"},
	{"imports", "backend imports a backend", sources{"backend/a.go": importing("backend", mod+"select")}, "may not import select"},
	{"imports", "conformance imports internals", sources{"conformance/a.go": importing("conformance", mod+"internal/sysx")}, "may not import internal/sysx"},
	{"imports", "reactor imports a backend", sources{"reactor/a.go": importing("reactor", mod+"uring")}, "may not import uring"},
	{"imports", "a program imports the raw ring", sources{"cmd/sluice/a.go": importing("main", mod+"internal/iouring")}, "may not import internal/iouring"},
	{"imports", "the raw ring imports api", sources{"internal/iouring/a.go": importing("iouring", mod+"api")}, "may not import api"},
	{"imports", "every platform's files count", sources{"epoll/a_plan9.go": "//go:build plan9\n\n" + importing("epoll", mod+"poll")}, "may not import poll"},
	{"imports", "unknown package", sources{"internal/helpers/a.go": "package helpers\n", "internal/helpers/b.go": "package helpers\n"}, "add it to the table"},
	{"imports", "a test may", sources{"epoll/a_test.go": importing("epoll_test", mod+"backend/all")}, ""},
	{"imports", "a module of its own may", sources{"bench/peers/go.mod": "", "bench/peers/x/a.go": importing("main", "github.com/panjf2000/gnet/v2")}, ""},
	{"imports", "as drawn", sources{
		"api/a.go":         importing("api", "syscall"),
		"uring/a.go":       importing("uring", mod+"internal/iouring"),
		"backend/all/a.go": importing("all", mod+"uring"),
		"cmd/sluice/a.go":  importing("main", mod+"backend/all"),
	}, ""},

	{"dependencies", "core imports a module", sources{"epoll/a.go": importing("epoll", "github.com/spf13/cobra")}, "epoll may not import github.com/spf13/cobra"},
	{"dependencies", "api imports x/sys", sources{"api/a.go": importing("api", "golang.org/x/sys/unix")}, "api may not import golang.org/x/sys/unix"},
	{"dependencies", "api imports unsafe", sources{"api/a.go": importing("api", "unsafe")}, "api, the contract, may not import unsafe"},
	{"dependencies", "a module with a name that only begins alike", sources{"epoll/a.go": importing("epoll", "golang.org/x/system")}, "may not import golang.org/x/system"},
	{"dependencies", "a test imports an unlisted module", sources{"epoll/a_test.go": importing("epoll", "github.com/spf13/cobra")}, "may not import"},
	{"dependencies", "allowed", sources{
		"epoll/a.go":      importing("epoll", "golang.org/x/sys/unix"),
		"epoll/a_test.go": importing("epoll", "github.com/stretchr/testify/require"),
		"api/a.go":        importing("api", "net/netip"),
		"api/a_test.go":   importing("api", "unsafe"),
		"cmd/sluice/a.go": importing("main", "github.com/spf13/cobra"),
	}, ""},

	{"unsafe-packages", "elsewhere", sources{"reactor/a.go": importing("reactor", "unsafe")}, "reactor imports unsafe"},
	{"unsafe-packages", "below an allowed one", sources{"uring/sub/a.go": importing("sub", "unsafe")}, "uring/sub imports unsafe"},
	{"unsafe-packages", "allowed", sources{"uring/a.go": importing("uring", "unsafe"), "api/a_test.go": importing("api", "unsafe")}, ""},

	{"unsafe-comments", "none", sources{"uring/a.go": "package uring\n\nimport \"unsafe\"\n\nvar p = unsafe.Pointer(nil)\n"}, "uring/a.go:5: unsafe.Pointer"},
	{"unsafe-comments", "too far above", sources{"uring/a.go": "package uring\n// SAFETY: far.\n" + strings.Repeat("\n", safetyReach) + "var p = unsafe.Pointer(nil)\n"}, "uring/a.go:15"},
	{"unsafe-comments", "below", sources{"uring/a.go": "package uring\nvar p = unsafe.Pointer(nil)\n// SAFETY: late.\n"}, "uring/a.go:2"},
	{"unsafe-comments", "linkname", sources{"uring/a.go": "package uring\n\n//go:linkname now runtime.nanotime\nfunc now() int64\n"}, "go:linkname"},
	{"unsafe-comments", "given", sources{"uring/a.go": "package uring\n// SAFETY: near.\n" + strings.Repeat("\n", safetyReach-1) + "var p = unsafe.Pointer(nil)\n" +
		"const s = unsafe.Sizeof(p)\n"}, ""},
	{"unsafe-comments", "to an integer", sources{"uring/a.go": "package uring\nfunc f(p unsafe.Pointer) uint64 {\n\treturn uint64(uintptr(p))\n}\n"}, "uring/a.go:3: uintptr(p)"},
	{"unsafe-comments", "to a pointer", sources{"uring/a.go": "package uring\nvar f = func(p unsafe.Pointer) *int {\n\treturn (*int)(p)\n}\n"}, "uring/a.go:3: a conversion"},
	{"unsafe-comments", "only as a type", sources{"uring/a.go": "package uring\nvar p unsafe.Pointer\ntype t struct{ p unsafe.Pointer }\nfunc f(p unsafe.Pointer, n uint) uintptr { return g(p, uintptr(n)) }\n"}, ""},
	{"unsafe-comments", "on the line", sources{"uring/a.go": "package uring\nvar p = unsafe.Pointer(nil) // SAFETY: nil.\n"}, ""},

	{"package-docs", "none", sources{"poll/a.go": "package poll\n", "poll/b.go": "package poll\n"}, "package poll has no doc comment"},
	{"package-docs", "not about the package", sources{"poll/a.go": "// Hello.\npackage poll\n"}, "does not begin"},
	{"package-docs", "detached", sources{"poll/a.go": "// Package poll polls.\n\npackage poll\n"}, "no doc comment"},
	{"package-docs", "one file suffices", sources{
		"poll/a.go":       "package poll\n",
		"poll/doc.go":     "// Package poll polls.\npackage poll\n",
		"select/doc.go":   "// Package fdselect selects.\npackage fdselect\n",
		"cmd/sluice/m.go": "// Sluice is the tool.\npackage main\n",
		"other/a_test.go": "package other\n",
	}, ""},

	{"exported-docs", "function", sources{"api/a.go": "package api\n\nfunc Now() {}\n"}, "Now has no doc"},
	{"exported-docs", "method", sources{"api/a.go": "package api\n\nfunc (t *T[P]) Do() {}\n"}, "Do has no doc"},
	{"exported-docs", "type", sources{"poll/a.go": "package poll\n\ntype T struct{}\n"}, "T has no doc"},
	{"exported-docs", "type in a group", sources{"poll/a.go": "package poll\n\n// Types.\ntype (\n\tT struct{}\n)\n"}, "T has no doc"},
	{"exported-docs", "constant", sources{"select/a.go": "package fdselect\n\nconst (\n\tx = 1\n\tMax = 2\n)\n"}, "Max has no doc"},
	{"exported-docs", "method of an interface", sources{"backend/a.go": "package backend\n\n// Driver drives.\ntype Driver interface {\n\tOpen()\n}\n"}, "Driver.Open has no doc"},
	{"exported-docs", "a directive is no doc", sources{"api/a.go": "package api\n\n//go:noinline\nfunc Now() {}\n"}, "Now has no doc"},
	{"exported-docs", "documented or not exported", sources{
		"api/a.go": "package api\n\n// The limits.\nconst (\n\tMin = 1\n\tMax = 2\n)\n\nconst Z = 1 // Z is one.\n\n" +
			"func now() {}\n\nfunc (e *T) Error() string { return \"\" }\n\nfunc (t t) Do() {}\n",
		"internal/core/a.go": "package core\n\nfunc Now() {}\n",
		"api/a_test.go":      "package api\n\nfunc TestNow() {}\n",
	}, ""},

	{"markers", "in code", sources{"api/a.go": "package api\n\n// TO" + "DO: all of it.\n"}, "api/a.go:3"},
	{"markers", "in a script", sources{"Makefile": "# XX" + "X\n"}, "Makefile:1"},
	{"markers", "part of a word", sources{"api/a.go": "package api\n\nvar aTO" + "DOs int\n", "docs/A.md": "**XX" + "X-1**\n"}, ""},

	{"sleeps", "in a test", sources{"api/a_test.go": importing("api", "time") + "\nfunc f() { time.Sleep(1) }\n"}, "api/a_test.go:5"},
	{"sleeps", "in the suite, by another name", sources{"conformance/a.go": "package conformance\n\nimport clock \"time\"\n\nfunc f() { clock.Sleep(1) }\n"}, "conformance/a.go:5"},
	{"sleeps", "elsewhere or something else", sources{
		"bench/a.go":    importing("bench", "time") + "\nfunc f() { time.Sleep(1) }\n",
		"api/a_test.go": "package api\n\nfunc f() { time.Sleep(1) }\n",
	}, ""},

	{"file-length", "too long", sources{"api/a.go": "package api\n" + strings.Repeat("\n", fileLinesMax)}, "701 lines"},
	{"file-length", "as long as may be, or generated", sources{
		"api/a.go": "package api\n" + strings.Repeat("\n", fileLinesMax-1),
		"api/b.go": "// Code generated by hand. DO NOT EDIT.\n\npackage api\n" + strings.Repeat("\n", fileLinesMax),
	}, ""},

	{"gofmt", "crooked", sources{"api/a.go": "package api\nvar  x int\n"}, "api/a.go"},
	{"gofmt", "straight", sources{"api/a.go": "package api\n\nvar x int\n"}, ""},

	{"machine-paths", "in a string", sources{"api/a.go": "package api\n\nvar p = \"/ro" + "ot/x\"\n"}, "api/a.go:3: /ro" + "ot/x"},
	{"machine-paths", "in a page", sources{"docs/A.md": "see /ho" + "me/me/x\n"}, "docs/A.md:1"},
	{"machine-paths", "further down a path", sources{"docs/A.md": "see https://example.org/ho" + "me/x and /usr/wo" + "rk/\n"}, ""},

	{"cgo", "imported", sources{"bench/a.go": importing("bench", "C")}, "bench/a.go:3: imports C"},
	{"cgo", "not imported", sources{"bench/a.go": importing("bench", "runtime/cgo")}, ""},

	{"rule-ids", "no page", sources{"conformance/a.go": "package conformance\n"}, "there is no such page"},
	{"rule-ids", "an empty page", sources{semanticsPage: "# Rules, such as **SUB-1**\n"}, "defines no rules"},
	{"rule-ids", "no case", sources{semanticsPage: "**SUB-1** All.\n", "conformance/a_test.go": "package conformance\n\nvar x = \"SUB-1\"\n"}, "rule SUB-1 has no case"},
	{"rule-ids", "no rule", sources{semanticsPage: "**SUB-1** All.\n", "conformance/a.go": "package conformance\n\nvar x = []string{\"SUB-1\", \"SUB-2\"}\n"}, "conformance/a.go:3: names rule SUB-2"},
	{"rule-ids", "defined twice", sources{semanticsPage: "**SUB-1** All.\n\n**SUB-1** None.\n", "conformance/a.go": "package conformance\n\nvar x = \"SUB-1\"\n"}, "docs/SEMANTICS.md:3: defines SUB-1"},
	{"rule-ids", "equal", sources{semanticsPage: "**SUB-1** All, see\nSUB-9.\n\n- **CAN-12** None.\n", "conformance/a.go": "package conformance\n\nvar x = []string{\"SUB-1\", \"CAN-12\", \"see SUB-3\"}\n"}, ""},

	{"rule-reasons", "none", sources{semanticsPage: "**SUB-1** All.\n\n**SUB-2** None.\nReason: ours.\n"}, "docs/SEMANTICS.md:1: rule SUB-1 has no reason"},
	{"rule-reasons", "empty", sources{semanticsPage: "**SUB-1** All.\nReason: .\n"}, "no reason"},
	{"rule-reasons", "at the end of the page", sources{semanticsPage: "**SUB-1** All."}, "no reason"},
	{"rule-reasons", "no sentence", sources{semanticsPage: "**SUB-1** All\nReason: ours.\n"}, "full stop"},
	{"rule-reasons", "open end", sources{semanticsPage: "**SUB-1** All.\nReason: ours.\n## And more\n"}, "no reason"},
	{"rule-reasons", "given", sources{semanticsPage: "**SUB-1** All.\nReason: ours.\n**SUB-2** None.\nReason: open(2). **Stricter** here,\nand there.\n\nText\n", "docs/A.md": "**SUB-3** x\n"}, ""},

	{"testing-imports", "in a library", sources{"conformance/a.go": importing("conformance", "testing")}, "conformance/a.go:3: conformance imports testing"},
	{"testing-imports", "a part of it", sources{"api/a.go": importing("api", "testing/iotest")}, "testing/iotest"},
	{"testing-imports", "in a test, or in what is for tests", sources{
		"api/a_test.go":                      importing("api", "testing"),
		"internal/readiness/pollertest/a.go": importing("pollertest", "testing"),
	}, ""},

	{"doc-links", "dead", sources{"README.md": "[a](docs/A.md)\n"}, "docs/A.md leads nowhere"},
	{"doc-links", "relative to the page", sources{"docs/B.md": "[a](docs/A.md)\n", "docs/A.md": ""}, "leads nowhere"},
	{"doc-links", "good", sources{"README.md": "[a](docs/A.md#x), [b](docs), [c](https://example.org), [d](#here)\n", "docs/A.md": "[r](../README.md)\n"}, ""},

	{"make-targets", "unknown", sources{"Makefile": "all: ## all\n", "README.md": "run `make some` now\n"}, "no target some"},
	{"make-targets", "no help", sources{"Makefile": "all: some\n"}, "target all has no ## help"},
	{"make-targets", "good", sources{"Makefile": "VAR := 1\nall: some ## all\n\ttrue\n", "README.md": "run `make all`, and make do\n"}, ""},
}

// importing is the source of a file with one import.
func importing(pkg, path string) string {
	return "package " + pkg + "\n\nimport \"" + path + "\"\n"
}

func (s sources) load() []*file {
	var files []*file
	for _, name := range slices.Sorted(maps.Keys(s)) {
		f := newFile(name, s[name])
		f.nested = f.under("bench/peers")
		files = append(files, f)
	}
	return files
}

func TestSelf(t *testing.T) {
	found := map[string]bool{} // rules that have been seen to find a fault
	spared := map[string]bool{}
	byName := map[string]rule{}
	for _, r := range rules {
		byName[r.name] = r
	}
	for _, st := range selfTests {
		t.Run(st.rule+"/"+st.name, func(t *testing.T) {
			r, ok := byName[st.rule]
			if !ok {
				t.Fatalf("there is no rule %q", st.rule)
			}
			got := r.check(st.files.load())
			switch {
			case st.want == "" && len(got) > 0:
				t.Errorf("got %q, want no problem", got)
			case st.want != "" && (len(got) != 1 || !strings.Contains(got[0], st.want)):
				t.Errorf("got %q, want one problem with %q", got, st.want)
			}
		})
		if st.want == "" {
			spared[st.rule] = true
		} else {
			found[st.rule] = true
		}
	}
	for _, r := range rules {
		if !found[r.name] || !spared[r.name] {
			t.Errorf("rule %s: selfTests lacks files with the fault, or files without", r.name)
		}
	}
}

// TestSleepAllowance covers what the table above cannot: the list of exceptions.
func TestSleepAllowance(t *testing.T) {
	saved := sleepAllowed
	t.Cleanup(func() { sleepAllowed = saved })
	sleepy := sources{"api/a_test.go": importing("api", "time") + "\nfunc f() { time.Sleep(1) }\n"}

	sleepAllowed = map[string]string{"api/a_test.go": "a reason"}
	if got := checkSleeps(sleepy.load()); len(got) != 0 {
		t.Errorf("allowed with a reason: got %q", got)
	}
	sleepAllowed = map[string]string{"api/a_test.go": ""}
	if got := checkSleeps(sleepy.load()); len(got) != 1 {
		t.Errorf("allowed without a reason: got %q, want one problem", got)
	}
	sleepAllowed = map[string]string{"api/b_test.go": "a reason"}
	if got := checkSleeps(sleepy.load()); len(got) != 2 {
		t.Errorf("allowance for a file that does not sleep: got %q, want two problems", got)
	}
}

// TestImportTable holds the table itself to some order: no line that an earlier one hides, and
// no import of a package that has no line.
func TestImportTable(t *testing.T) {
	for i, a := range importTable {
		pkg := strings.TrimSuffix(a.pkg, "/...")
		if got := allowanceOf(pkg); got != &importTable[i] {
			t.Errorf("line %s is hidden by line %s", a.pkg, got.pkg)
		}
		for _, p := range slices.Concat(a.may, a.not) {
			if p != "..." && allowanceOf(strings.TrimSuffix(p, "/...")) == nil {
				t.Errorf("line %s names %s, which has no line", a.pkg, p)
			}
		}
	}
}
