package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Outcome is how the run of a case ended.
type Outcome string

const (
	Passed   Outcome = "passed"
	Skipped  Outcome = "skipped"
	Unsteady Outcome = "unsteady" // has failed, and then passed many times alone
	Failed   Outcome = "failed"
)

// outcomes are all of them, from the best to the worst.
var outcomes = []Outcome{Passed, Skipped, Unsteady, Failed}

// UnmarshalText takes no other words than those of the constants.
func (o *Outcome) UnmarshalText(text []byte) error {
	if !slices.Contains(outcomes, Outcome(text)) {
		return fmt.Errorf("there is no outcome %q", text)
	}
	*o = Outcome(text)
	return nil
}

// Result is one run of a case in a column. As JSON it is an object on one line.
type Result struct {
	Backend string `json:"backend"`
	Column  string `json:"column"`
	// Family is that of the case's rule, "STR" of "STR-3".
	Family string `json:"family"`
	// Case is the case's path, "STR/STR-3-name-with-dashes" (conformance.Case.Path).
	Case    string  `json:"case"`
	Outcome Outcome `json:"outcome"`
	// Message is why the case was skipped, or how it failed, which may be many lines. Default: "".
	Message string `json:"message,omitempty"`
	// Duration is how long it took.
	Duration time.Duration `json:"ns"`
}

// Path names the case and its column, "uring/block/STR/STR-3-name".
func (r *Result) Path() string { return r.Backend + "/" + r.Column + "/" + r.Case }

// Read reads results that stand one behind the other, as a json.Encoder writes them.
func Read(r io.Reader) ([]Result, error) {
	var out []Result
	d := json.NewDecoder(r)
	for {
		var one Result
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("result %d: %w", len(out)+1, err)
		}
		out = append(out, one)
	}
}

// Merge makes one of all runs of a case in a column: the worst, and of two that are equally bad the first. What it returns is in the order of the
// table: by backend, column and case. The durations are added up.
func Merge(results []Result) []Result {
	at := map[string]int{}
	var out []Result
	for _, r := range results {
		i, ok := at[r.Path()]
		if !ok {
			at[r.Path()] = len(out)
			out = append(out, r)
			continue
		}
		sum := out[i].Duration + r.Duration
		if slices.Index(outcomes, r.Outcome) > slices.Index(outcomes, out[i].Outcome) {
			out[i] = r
		}
		out[i].Duration = sum
	}
	order := columnOrder()
	slices.SortFunc(out, func(a, b Result) int { return compareResults(order, &a, &b) })
	return out
}
