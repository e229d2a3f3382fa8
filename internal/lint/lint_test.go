package lint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rule is one rule of the project.
type rule struct {
	name  string
	fix   string // what to do about a problem, printed once below the list
	check func([]*file) []string
}

// rules are all of them. A new one needs an entry in selfTests too.
var rules = []rule{
	{"parse", "correct the syntax.", checkParse},
	{"imports", "import in the direction of the graph in docs/ARCHITECTURE.md, or, where the graph itself is to change, change importTable and that page together.", checkImports},
	{"dependencies", "the library depends on the standard library and golang.org/x/sys alone; move the code to cmd, bench or examples, or do without. Test code may use what testModules lists.", checkDependencies},
	{"unsafe-packages", "keep package unsafe behind the packages in unsafePackages: have one of them offer what you need.", checkUnsafePackages},
	{"unsafe-comments", "write a comment that begins SAFETY: on the line or at most 12 lines above: what must hold, who sees to it, what breaks otherwise.", checkUnsafeComments},
	{"package-docs", "give one file of the package (doc.go, where there is much to say) a comment above the package clause; that of a library begins \"Package name\".", checkPackageDocs},
	{"exported-docs", "write what it does, with units, the meaning of zero, who owns each buffer, and which errors there are.", checkExportedDocs},
	{"markers", "do it, or file an issue and name the issue in a plain sentence.", checkMarkers},
	{"sleeps", "wait for the event itself (a channel, a completion, a deadline); a sleep that nothing can replace goes into sleepAllowed with its reason.", checkSleeps},
	{"file-length", "split the file: one concept each.", checkFileLength},
	{"gofmt", "run gofmt -w on it.", checkGofmt},
	{"machine-paths", "use a relative path, t.TempDir() or a flag.", checkMachinePaths},
	{"cgo", "there is no cgo in this project: use the raw system call, in internal/sysx or internal/iouring.", checkCgo},
	{"rule-ids", "docs/SEMANTICS.md defines a rule by a line that begins **ABC-1**, and a case in conformance names it by the string \"ABC-1\"; add the one that is missing.", checkRuleIDs},
	{"rule-reasons", "write the rule on one line, and \"Reason: \" with the reason and its source below it.", checkRuleReasons},
	{"testing-imports", "take an interface that *testing.T satisfies, as conformance.Runner; a package for tests alone goes into testPackages.", checkTestingImports},
	{"doc-links", "correct the link, or write the page.", checkDocLinks},
	{"make-targets", "name a target that the Makefile has, each with a ## help text.", checkMakeTargets},
}

func TestRules(t *testing.T) {
	files := load(t, repoRoot(t))
	if len(goFiles(files)) == 0 {
		t.Fatal("found no Go files: the walk is broken")
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			problems := r.check(files)
			for _, p := range problems {
				t.Errorf("%s: %s", r.name, p)
			}
			if len(problems) > 0 {
				t.Logf("to fix: %s", r.fix)
			}
		})
	}
}

var goBlock = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")

// TestReadmeExample vets the programs in README.md, which type-checks them against the API as it is.
func TestReadmeExample(t *testing.T) {
	root := repoRoot(t)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("README.md has no program: a block ```go that begins with package main")
	}
	for i, b := range blocks {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(name, b[1], 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "vet", name)
			cmd.Dir = root // where the imports are resolved
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("go vet: %v\n%s", err, out)
			}
			problems := checkGofmt([]*file{newFile("README.md.go", string(b[1]))})
			if len(problems) > 0 {
				t.Errorf("README.md: %s", strings.Join(problems, "\n"))
			}
		})
	}
}

// TestRaceBuild keeps a step that says "race" honest: with REQUIRE_RACE=1, which make race and
// make conformance set, a test binary without the race detector fails.
func TestRaceBuild(t *testing.T) {
	if os.Getenv("REQUIRE_RACE") != "1" {
		t.Skip("REQUIRE_RACE is not 1: this run does not claim to be a race build")
	}
	if !raceEnabled {
		t.Fatal("REQUIRE_RACE=1, but this test binary was built without -race")
	}
}

// TestInvariantsBuild does the same for REQUIRE_INVARIANTS=1, which make invariants sets.
func TestInvariantsBuild(t *testing.T) {
	if os.Getenv("REQUIRE_INVARIANTS") != "1" {
		t.Skip("REQUIRE_INVARIANTS is not 1: this run does not claim to be built with -tags invariants")
	}
	if !invariantsEnabled {
		t.Fatal("REQUIRE_INVARIANTS=1, but this test binary was built without -tags invariants")
	}
}
