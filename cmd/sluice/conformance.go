package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/arena"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/internal/matrix"
)

// suiteCmd is the command conformance.
type suiteCmd struct {
	backends, families, rules, columns []string
	full, list, json                   bool
	html                               string
	timeout                            time.Duration
}

// suiteColumn is a column on a backend, with what is run in it.
type suiteColumn struct {
	backend string
	open    matrix.Open
	matrix.Column
}

func newConformance() *cobra.Command {
	s := &suiteCmd{}
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Run the conformance suite on this machine, and print what passes",
		Long: `Run the public conformance suite on the backends that are available here: some hundred rules that every backend keeps in
the same way (docs/SEMANTICS.md), as cases that need neither Go nor the source. It takes a minute or so, and prints one table, families of rules
by columns, then why cases were skipped, and how others have failed. A column is a backend and a way to open its engines: how they wait, or what
of the kernel they leave unused. In a cell stand the cases that have passed, then s and how many were skipped, and F and how many have failed.

--json prints all of it as JSON: the versions, the backends as "probe --json" has them, the columns, and for each case its backend, column, family, path,
outcome ("passed", "skipped" or "failed"), message and duration in nanoseconds ("ns"), with the sentence of its rule where it has not passed.
--html writes the same as one page that needs no other file: what to attach to a report of a bug.

Cases count the open files and the goroutines of the process, start children (/bin/sh), lower limits of the process for a moment, and make files in
the directory for temporary files. Those that only the superuser can run are skipped for others.

SIGINT ends it behind the case that is running, and prints what there is until then. The exit status is 0 when nothing has failed, 1 when something
has or it was interrupted, and 2 for a command line that is wrong.`,
		Example: `  sluice conformance                               every backend, a few columns
  sluice conformance --backend uring --full        all columns of one backend
  sluice conformance --family STR,DGM --html report.html
  sluice conformance --list --rule CAN-9           what the cases of a rule are about`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&s.backends, "backend", nil, "only these backends (default: all that are available)")
	f.StringSliceVar(&s.families, "family", nil, "only these families of rules, such as STR")
	f.StringSliceVar(&s.rules, "rule", nil, "only the cases of these rules, such as STR-3")
	f.StringSliceVar(&s.columns, "column", nil, "only these columns, of all that --full has")
	f.BoolVar(&s.full, "full", false, "all columns; takes several minutes")
	f.BoolVar(&s.list, "list", false, "print the cases and what each is about, and run none")
	f.BoolVar(&s.json, "json", false, "print JSON")
	f.StringVar(&s.html, "html", "", "write a page to this `file` as well")
	f.DurationVar(&s.timeout, "timeout", conformance.DefaultTimeout, "how long a case may take")
	return cmd
}

func (s *suiteCmd) run(ctx context.Context, stdout, stderr io.Writer) error {
	cases, err := s.cases()
	if err != nil {
		return err
	}
	if err := checkDuration("timeout", s.timeout, time.Second); err != nil {
		return err
	}
	if s.list {
		return listCases(stdout, cases, s.json)
	}
	probes, columns, err := s.choose()
	if err != nil {
		return err
	}
	var page *os.File
	if s.html != "" { // before it takes minutes
		if page, err = os.Create(s.html); err != nil {
			return err
		}
		defer page.Close() // a second time when all is well
	}
	rep, err := s.measure(ctx, columns, cases, stderr)
	if err != nil {
		return err
	}
	rep.Backends = probes
	err = rep.print(stdout, s.json)
	if page != nil { // each of the two is worth having without the other
		err = cmp.Or(err, rep.page(page), page.Close())
	}
	return cmp.Or(err, rep.verdict())
}

// allocRule is the rule of conformance.AllocCases.
const allocRule = "ENG-9"

// cases are those that the command line chooses, of all that the suite has.
func (s *suiteCmd) cases() ([]conformance.Case, error) {
	families, rules := map[string]bool{}, map[string]bool{}
	all := slices.Concat(conformance.Cases(), conformance.AllocCases())
	for _, c := range all {
		families[c.Family()], rules[c.ID] = true, true
	}
	if err := known("family", s.families, families); err != nil {
		return nil, err
	}
	if err := known("rule", s.rules, rules); err != nil {
		return nil, err
	}
	if len(s.families)+len(s.rules) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(c conformance.Case) bool {
		return !slices.Contains(s.families, c.Family()) && !slices.Contains(s.rules, c.ID)
	}), nil
}

// known checks names against those that there are, and makes them as those are.
func known(what string, names []string, all map[string]bool) error {
	for i, name := range names {
		names[i] = strings.ToUpper(strings.TrimSpace(name))
		if all[names[i]] {
			continue
		}
		if len(all) > 100 {
			return usagef("there is no %s %q with cases here: see --list", what, name)
		}
		return usagef("there is no %s %q with cases here: there are %s", what, name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	return nil
}

// choose finds the backends and their columns. A backend that the command line names must be there.
func (s *suiteCmd) choose() ([]probedBackend, []suiteColumn, error) {
	for i, name := range s.backends {
		s.backends[i] = strings.TrimSpace(name)
		if _, err := backend.DefaultRegistry.Driver(s.backends[i]); err != nil {
			if errors.As(err, new(*backend.NotLinkedError)) {
				return nil, nil, err // the name is right, the program is not
			}
			return nil, nil, usageError{err}
		}
	}
	all := backend.Probe()
	var columns []suiteColumn
	found := map[string]bool{}
	for _, st := range all {
		named := slices.Contains(s.backends, st.Name)
		switch {
		case !named && len(s.backends) > 0:
			continue
		case !st.Available && named:
			return nil, nil, st.Err
		case !st.Available:
			continue
		}
		d, err := backend.DefaultRegistry.Driver(st.Name)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range matrix.Columns(st.Name, s.full || len(s.columns) > 0) {
			if len(s.columns) == 0 || slices.Contains(s.columns, c.Name) {
				found[c.Name] = true
				columns = append(columns, suiteColumn{st.Name, d.Open, c})
			}
		}
	}
	for _, name := range s.columns {
		if !found[name] {
			return nil, nil, usagef("no backend has a column %q here: %s", name, columnNames(s.backends))
		}
	}
	if len(columns) == 0 {
		return nil, nil, errors.New("no backend is available here: see sluice probe")
	}
	return probed(all), columns, nil
}

// columnNames lists what --column can be on these backends, or on all if there are none.
func columnNames(backends []string) string {
	if len(backends) == 0 {
		backends = matrix.Backends
	}
	var names []string
	for _, b := range backends {
		for _, c := range matrix.Columns(b, true) {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	return "there are " + strings.Join(names, ", ")
}

// measure runs the cases in all columns, one after the other, until ctx ends.
func (s *suiteCmd) measure(ctx context.Context, columns []suiteColumn, cases []conformance.Case, stderr io.Writer) (*suiteReport, error) {
	dir, err := os.MkdirTemp("", "sluice-conformance-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	rep := newReport(len(columns) * len(cases))
	show, done := caseProgress(stderr, len(columns)*len(cases))
	defer done()
	begin := time.Now()
	for _, col := range columns {
		why, err := col.Lacks(col.open)
		switch {
		case errors.Is(err, api.ErrUnavailable) || errors.Is(err, api.ErrUnsupported):
			why = "no engine can be opened so here: " + strings.TrimPrefix(err.Error(), "sluice: ")
		case err != nil:
			rep.broken(col.backend, col.Name, len(cases), err)
			continue
		}
		rep.column(col.backend, col.Name, why)
		if !s.runColumn(ctx, rep, &col, why, cases, dir, show) {
			rep.Interrupted = true
			break
		}
	}
	rep.Seconds = time.Since(begin).Seconds()
	return rep, nil
}

// runColumn runs the cases in one column, or skips them all for the reason why. It returns false if ctx has ended before the last.
func (s *suiteCmd) runColumn(ctx context.Context, rep *suiteReport, col *suiteColumn, why string, cases []conformance.Case, dir string, show func(*matrix.Result)) bool {
	cfg := &conformance.Config{Options: &col.Options, Restrict: col.Restrict, Memory: arenaMemory, Timeout: s.timeout}
	open := col.On(col.open)
	for i := range cases {
		if ctx.Err() != nil {
			return false
		}
		c := &cases[i]
		res := matrix.Result{Backend: col.backend, Column: col.Name, Family: c.Family(), Case: c.Path(), Outcome: matrix.Skipped, Message: why}
		show(&res)
		if why == "" && c.ID == allocRule && col.Wrap != nil {
			res.Message = "this column does more than its engines, and that allocates"
		} else if why == "" {
			runCase(&res, c, open, cfg, dir)
		}
		rep.add(c, res)
	}
	return true
}

// arenaMemory is memory as conformance.Config wants it.
func arenaMemory(size int) ([]byte, func() error, error) {
	a, err := arena.New(size, nil)
	if err != nil {
		return nil, nil, err
	}
	return a.Bytes(), a.Close, nil
}

// caseProgress makes what shows the case that is being run on a terminal, and what takes it away.
func caseProgress(w io.Writer, total int) (show func(*matrix.Result), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(*matrix.Result) {}, func() {}
	}
	bar := progressbar.NewOptions(total, progressbar.OptionSetWriter(f), progressbar.OptionSetWidth(20), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(50*time.Millisecond))
	// A terminal that is gone is no reason to stop: the errors of bar are let pass.
	first := true
	show = func(r *matrix.Result) {
		if !first {
			_ = bar.Add(1)
		}
		first = false
		rule, _, _ := strings.Cut(strings.TrimPrefix(r.Case, r.Family+"/"+r.Family+"-"), "-")
		where := fmt.Sprintf("%.20s", r.Backend+"/"+r.Column) // a line has 80 characters
		bar.Describe(fmt.Sprintf("%s %s-%s", where, r.Family, rule))
	}
	return show, func() { _ = bar.Clear() }
}

// listedCase is a case of --list --json.
type listedCase struct {
	Case        string `json:"case"`
	Rule        string `json:"rule"`
	Text        string `json:"text"`
	Explanation string `json:"explanation"`
	Features    string `json:"requires_features"`
	Ops         string `json:"requires_ops"`
}

func listCases(w io.Writer, cases []conformance.Case, asJSON bool) error {
	var all []listedCase
	for _, c := range cases {
		r, _ := conformance.RuleOf(c.ID)
		all = append(all, listedCase{c.Path(), c.ID, r.Text, c.Explanation, c.Requires.String(), c.Ops.String()})
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	var b strings.Builder
	rule := ""
	for _, c := range all {
		if c.Rule != rule {
			rule = c.Rule
			fmt.Fprintf(&b, "%s  %s\n", rule, c.Text)
		}
		fmt.Fprintf(&b, "    %s\n        %s\n        requires features: %s; operations: %s\n", c.Case, c.Explanation, c.Features, c.Ops)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
