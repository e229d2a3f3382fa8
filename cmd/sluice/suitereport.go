package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/internal/matrix"
)

// suiteReport is what the command conformance finds out.
type suiteReport struct {
	Sluice string `json:"sluice"`
	Go     string `json:"go"`
	System string `json:"system"` // GOOS/GOARCH
	Kernel string `json:"kernel,omitempty"`
	// CPUs is what the program may use.
	CPUs     int             `json:"cpus"`
	Seconds  float64         `json:"seconds"`
	Backends []probedBackend `json:"backends"`
	Columns  []reportColumn  `json:"columns"`
	// Interrupted says that not all of the Cases have been run.
	Interrupted bool `json:"interrupted"`
	Cases       int  `json:"cases"`
	Passed      int  `json:"passed"`
	Skipped     int  `json:"skipped"`
	Failed      int  `json:"failed"`
	// Results are those of all cases that have been run or skipped, in the order in which they were.
	Results []reportResult `json:"results"`
}

// reportColumn is a column on a backend.
type reportColumn struct {
	Backend string `json:"backend"`
	Column  string `json:"column"`
	// Skipped says why none of its cases was run.
	Skipped string `json:"skipped,omitempty"`
}

// reportResult is a result, and what it is about unless it is that all is well.
type reportResult struct {
	matrix.Result
	Rule        string `json:"rule,omitempty"`        // the sentence
	Explanation string `json:"explanation,omitempty"` // what an engine that fails does wrong
}

func newReport(cases int) *suiteReport {
	return &suiteReport{Sluice: version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Kernel: kernel(), CPUs: runtime.NumCPU(), Cases: cases,
		Columns: []reportColumn{}, Results: []reportResult{}} // lists in JSON, whatever is in them
}

func (r *suiteReport) column(backend, name, why string) {
	r.Columns = append(r.Columns, reportColumn{backend, name, why})
}

// openFamily stands for the family of what fails before any case.
const openFamily = "opening"

// broken is a column in which an engine cannot be opened, for another reason than that the machine lacks something. It is one failure.
func (r *suiteReport) broken(backend, name string, cases int, err error) {
	r.column(backend, name, "")
	r.Cases -= cases - 1
	r.add(&conformance.Case{Explanation: "An engine can be opened, or is unavailable and says why."},
		matrix.Result{Backend: backend, Column: name, Family: openFamily, Case: openFamily, Outcome: matrix.Failed, Message: err.Error()})
}

func (r *suiteReport) add(c *conformance.Case, res matrix.Result) {
	out := reportResult{Result: res}
	switch res.Outcome {
	case matrix.Passed:
		r.Passed++
	case matrix.Skipped:
		r.Skipped++
	default:
		r.Failed++
	}
	if res.Outcome != matrix.Passed {
		rule, _ := conformance.RuleOf(c.ID)
		out.Rule, out.Explanation = rule.Text, c.Explanation
	}
	r.Results = append(r.Results, out)
}

// results are those of the matrix.
func (r *suiteReport) results() []matrix.Result {
	out := make([]matrix.Result, len(r.Results))
	for i := range r.Results {
		out[i] = r.Results[i].Result
	}
	return out
}

func (r *suiteReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	fmt.Fprintf(w, "%s\n\n", r.head())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range r.Backends {
		fmt.Fprintf(t, "%s\t%s\n", p.Name, p.Summary())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := matrix.Table(w, r.results()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.sum())
	return err
}

// head says what has been tested, on what.
func (r *suiteReport) head() string {
	parts := []string{"sluice " + r.Sluice, r.Go, r.System}
	if r.Kernel != "" {
		parts = append(parts, "kernel "+r.Kernel)
	}
	return strings.Join(append(parts, fmt.Sprint(r.CPUs, " CPUs")), ", ")
}

// sum says how it has ended.
func (r *suiteReport) sum() string {
	s := fmt.Sprintf("%d passed, %d skipped, %d failed, in %.1f s", r.Passed, r.Skipped, r.Failed, r.Seconds)
	if r.Interrupted {
		s += fmt.Sprintf("; interrupted after %d of %d", len(r.Results), r.Cases)
	}
	return s
}

// verdict is what the exit status is made of.
func (r *suiteReport) verdict() error {
	switch {
	case r.Failed > 0:
		return fmt.Errorf("%d of %d cases failed", r.Failed, r.Passed+r.Failed)
	case r.Interrupted:
		return errors.New("interrupted")
	case r.Passed == 0:
		return errors.New("every case was skipped")
	}
	return nil
}

// Summary is one line about a backend: what the kernel does for it, what it does by itself, and what it lacks.
func (p probedBackend) Summary() string {
	if !p.Available {
		if p.Remedy != "" {
			return "unavailable: " + p.Reason + " (" + p.Remedy + ")"
		}
		return "unavailable: " + p.Reason
	}
	s := fmt.Sprintf("%d features native, %d emulated", count(p.Features, "native"), count(p.Features, "emulated"))
	if lacks := with(p.Features, "absent"); len(lacks) > 0 {
		s += ", absent: " + strings.Join(lacks, " ")
	}
	return fmt.Sprintf("%s; %d operations native, %d emulated", s, count(p.Ops, "native"), count(p.Ops, "emulated"))
}

// with are the names in m that have the value.
func with(m map[string]string, value string) []string {
	var out []string
	for name, v := range m {
		if v == value {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func count(m map[string]string, value string) int { return len(with(m, value)) }
