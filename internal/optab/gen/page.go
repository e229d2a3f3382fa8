package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// pagePath is the page, from the root of the repository.
const pagePath = "docs/OPERATIONS.md"

const head = `# Operations

Written by ` + "`go generate ./internal/optab`" + ` from the table there; a test fails when this page is not as the table has it.

Every operation gives the same result on every backend ([SEMANTICS.md](SEMANTICS.md)). ` + "`Engine.Features`" + ` tells which of them
the kernel performs. Errors that are not listed are those of the system call of the same name, and EBADF where an fd is not open; an
operation that was ended early gives ErrCanceled or os.ErrDeadlineExceeded, or what it had moved. All take the flags of chains, Link, HardLink,
Drain and SkipSuccess, and a Deadline.

How they are performed where the kernel's io_uring does not, because it is older, ` + "`Options.DisableOps`" + ` names
them, or the backend is epoll, poll or select:

| | |
|---|---|
| engine | by the engine itself, on io_uring too |
| call | by a system call that never waits, on io_uring too |
| quick | at once, by system calls that never wait, if it takes any |
| tried | by system calls that do not wait; the engine waits until the file is ready (on io_uring with a poll in the ring) |
| worker | by a system call in one of at most ` + "`Options.Workers`" + ` threads; ` + "`Options.WorkQueue`" + ` bounds those that wait for one |

`

var hows = [...]string{optab.Nobody: "", optab.Engine: "engine", optab.Call: "call", optab.Quick: "quick", optab.Tried: "tried", optab.Worker: "worker"}

// page is what is being written.
type page struct {
	bytes.Buffer
	flags    []string          // the names of the flags, by bit
	families map[string]string // the anchors of the families of rules
}

// render gives the page as it should be.
func render(root string) ([]byte, error) {
	var p page
	var err error
	if p.flags, err = flagNames(filepath.Join(root, "api", "op.go")); err != nil {
		return nil, err
	}
	if p.families, err = families(filepath.Join(root, "docs", "SEMANTICS.md")); err != nil {
		return nil, err
	}
	p.WriteString(head)
	p.WriteString("## Overview\n\n| operation | constructors | io_uring since Linux | otherwise | rules |\n|---|---|---|---|---|\n")
	p.each(true, p.row)
	p.WriteString("\n## Results, flags and errors\n")
	p.each(true, p.details)
	p.WriteString("\n## Not performed\n\n`Submit` answers UnsupportedError for these.\n\n| operation | io_uring since Linux | why not |\n|---|---|---|\n")
	p.each(false, func(c api.OpCode, in *optab.Info, d *optab.Doc) {
		why := d.Not
		if why == "" {
			why = "Its time has not come yet: see " + code(d.Make) + " in package api."
		}
		fmt.Fprintf(&p, "| %v | %s | %s |\n", c, in.MinKernel, why)
	})
	return p.Bytes(), nil
}

// each calls f for every operation that is done, or not.
func (p *page) each(done bool, f func(api.OpCode, *optab.Info, *optab.Doc)) {
	for c := range api.OpCode(api.OpCount) {
		if in := optab.Of(c); in.Done == done {
			f(c, in, optab.DocOf(c))
		}
	}
}

func (p *page) row(c api.OpCode, in *optab.Info, d *optab.Doc) {
	since := in.MinKernel
	switch {
	case d.How == optab.Engine || d.How == optab.Call:
		since = "never (it has it since " + since + ")"
	case api.UringNeeds.Has(c):
		since += ", required"
	}
	var links []string
	for _, r := range d.Rules {
		if a := p.families[r]; a != "" {
			links = append(links, fmt.Sprintf("[%s](SEMANTICS.md#%s)", r, a))
		}
	}
	system := ""
	if optab.LinuxOnly(c) {
		system = "; Linux only"
	}
	fmt.Fprintf(p, "| [%v](#%v) | %s | %s | %s%s | %s |\n", c, c, code(d.Make), since, hows[d.How], system, strings.Join(links, " "))
}

func (p *page) details(c api.OpCode, in *optab.Info, d *optab.Doc) {
	fmt.Fprintf(p, "\n### %v\n\n- Res: %s.\n", c, d.Res)
	if d.Errors != "" {
		fmt.Fprintf(p, "- Errors of its own: %s\n", d.Errors)
	}
	var flags []string
	for i, name := range p.flags {
		if in.Flags&(1<<i) != 0 {
			flags = append(flags, name)
		}
	}
	if len(flags) > 0 {
		fmt.Fprintf(p, "- Flags: %s.\n", code(flags))
	}
	if d.Note != "" {
		fmt.Fprintf(p, "- %s\n", d.Note)
	}
}

// code puts names into a list of code spans.
func code(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

// flagNames are the constants of the type OpFlags in a file, in the order of their bits.
func flagNames(file string) (names []string, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		if t, ok := g.Specs[0].(*ast.ValueSpec).Type.(*ast.Ident); !ok || t.Name != "OpFlags" {
			continue
		}
		for _, s := range g.Specs {
			if name := s.(*ast.ValueSpec).Names[0]; name.IsExported() {
				names = append(names, name.Name)
			}
		}
		return names, nil
	}
	return nil, fmt.Errorf("%s: there are no constants of the type OpFlags", file)
}

var heading = regexp.MustCompile(`(?m)^## (([A-Z]{3}): .*)$`)

// families are the anchors of the families of rules that a page defines.
func families(file string) (map[string]string, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, h := range heading.FindAllStringSubmatch(string(src), -1) {
		a := strings.ToLower(h[1])
		m[h[2]] = strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(a, ""), " ", "-")
	}
	return m, nil
}
