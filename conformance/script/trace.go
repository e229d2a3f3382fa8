package script

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluiceio/sluice/api"
)

// Machine is what a program runs on. An api.Engine is one.
type Machine interface {
	// Submit is that of an engine.
	Submit(ops []api.Op) (n int, err error)
	// Complete is that of an engine.
	Complete(dst []api.Completion, w api.Wait) (n int, err error)
	// NewBufferGroup is that of an engine. Of a group, ID and Release are used.
	NewBufferGroup(o api.BufferGroupOptions) (api.BufferGroup, error)
	// Close is that of an engine. It is called once.
	Close() error
}

// Trace is what a program did, one line for each step and each thing that came of it.
type Trace []string

// String is the trace as text.
func (t Trace) String() string { return strings.Join(t, "\n") + "\n" }

// ErrStuck is that something did not come that had to, as an error of Run. The trace says what.
var ErrStuck = errors.New("script: the program is stuck")

// Diff shows two traces side by side, and marks the lines that differ; "" when none does. The names stand above them.
func Diff(nameA, nameB string, a, b Trace) string {
	if a.String() == b.String() {
		return ""
	}
	width := len(nameA)
	for _, l := range a {
		width = max(width, len(l))
	}
	var out strings.Builder
	row := func(mark, l, r string) { fmt.Fprintf(&out, "%s %-*s | %s\n", mark, width, l, r) }
	row(" ", nameA, nameB)
	at := func(t Trace, i int) string {
		if i < len(t) {
			return t[i]
		}
		return ""
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		if at(a, i) == at(b, j) && i < len(a) && j < len(b) {
			row(" ", a[i], b[j])
			i++
			j++
			continue
		}
		// The headings of the steps are the same on both sides: what differs is up to the next one.
		di, dj := section(a, i), section(b, j)
		for i < di || j < dj {
			l, r := "", ""
			if i < di {
				l = a[i]
				i++
			}
			if j < dj {
				r = b[j]
				j++
			}
			mark := "≠"
			if l == r {
				mark = " "
			}
			row(mark, l, r)
		}
	}
	return out.String()
}

// section is where the next heading behind line i is.
func section(t Trace, i int) int {
	for i++; i < len(t); i++ {
		if !strings.HasPrefix(t[i], " ") {
			return i
		}
	}
	return len(t)
}
