package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// modulePath is the module whose packages the import table is about.
const modulePath = "github.com/sluiceio/sluice"

// fileSizeMax bounds what is read: larger files are data, not text that someone wrote.
const fileSizeMax = 1 << 20

// file is one text file of the repository.
type file struct {
	path   string // from the root of the repository, with slashes
	src    []byte
	nested bool // in a module of its own, such as bench/peers

	// Only for Go files.
	fset *token.FileSet
	ast  *ast.File
	err  error // why it does not parse
}

// pkg is the directory of the file, "." for the root.
func (f *file) pkg() string { return path.Dir(f.path) }

func (f *file) isGo() bool   { return strings.HasSuffix(f.path, ".go") }
func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// under says whether the file is in one of the directories or below.
func (f *file) under(dirs ...string) bool {
	for _, d := range dirs {
		if strings.HasPrefix(f.path, d+"/") {
			return true
		}
	}
	return false
}

// line is the line of a position in the file.
func (f *file) line(p token.Pos) int { return f.fset.PositionFor(p, false).Line }

// at begins a problem with the place, in the form that editors jump to.
func (f *file) at(p token.Pos) string { return fmt.Sprintf("%s:%d", f.path, f.line(p)) }

// newFile parses src if the name is that of a Go file. Build constraints are not looked at,
// so that the files of every platform are checked on each.
func newFile(name, src string) *file {
	f := &file{path: name, src: []byte(src)}
	if f.isGo() {
		f.fset = token.NewFileSet()
		f.ast, f.err = parser.ParseFile(f.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	}
	return f
}

// repoRoot goes up from the directory of the test to the one with go.mod.
func repoRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod in any directory above the test's")
		}
		dir = up
	}
}

// load reads the text files below root. It leaves out what git, the build or the go command
// leave out: .git, bin, dist, profiles, test binaries, symbolic links.
func load(t *testing.T, root string) []*file {
	t.Helper()
	var files []*file
	var nested []string // directories with a go.mod of their own; WalkDir sees them before what is below
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if rel == ".git" && !d.IsDir() {
			return nil // a work tree's, which names the repository
		}
		if d.IsDir() {
			switch rel {
			case ".git", "bin", "dist":
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && rel != "." {
				nested = append(nested, rel)
			}
			return nil
		}
		if !d.Type().IsRegular() || ignored(rel) {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > fileSizeMax {
			return err
		}
		src, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(src, 0) >= 0 {
			return err
		}
		f := newFile(rel, string(src))
		f.nested = f.under(nested...)
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// ignored is what .gitignore lists besides directories.
func ignored(rel string) bool {
	switch path.Ext(rel) {
	case ".test", ".prof", ".out":
		return true
	}
	return false
}

// goFiles are the Go files that parse and that the go command would take: those in testdata
// and in directories that begin with '.' or '_' are left out.
func goFiles(files []*file) []*file {
	var out []*file
	for _, f := range files {
		if f.isGo() && f.err == nil && !outsideBuild(f.path) {
			out = append(out, f)
		}
	}
	return out
}

func outsideBuild(name string) bool {
	for _, elem := range strings.Split(name, "/") {
		if elem == "testdata" || strings.HasPrefix(elem, ".") || strings.HasPrefix(elem, "_") {
			return true
		}
	}
	return false
}
