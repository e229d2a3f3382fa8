// Command gen writes docs/RULES.md and conformance/rules.txt from docs/SEMANTICS.md and the cases of the suite. It is run by go generate in
// conformance, on Linux, which has all of the cases.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	if runtime.GOOS != "linux" {
		fmt.Fprintln(os.Stderr, "gen: not every case is there on "+runtime.GOOS+": the pages are written on Linux, and left as they are here")
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := repoRoot()
	if err != nil {
		return err
	}
	pages, err := render(root)
	if err != nil {
		return err
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// repoRoot goes up from the working directory to the one with go.mod.
func repoRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("there is no go.mod above the working directory")
		}
		dir = up
	}
	return "", err
}
