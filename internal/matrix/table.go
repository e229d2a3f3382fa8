package matrix

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// cell is what came of the cases of a family in a column.
type cell struct{ passed, skipped, unsteady, failed int }

func (c *cell) add(o Outcome) {
	switch o {
	case Passed:
		c.passed++
	case Skipped:
		c.skipped++
	case Unsteady:
		c.unsteady++
	default:
		c.failed++
	}
}

// String is "34" for cases that have passed, with "s2" for those skipped, "u1" for those unsteady and "F1" for those failed behind it; "-" if there are none.
func (c cell) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		mark string
	}{{c.passed, ""}, {c.skipped, "s"}, {c.unsteady, "u"}, {c.failed, "F"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprint(p.mark, p.n))
		}
	}
	if parts == nil {
		return "-"
	}
	return strings.Join(parts, " ")
}

// place is a column on a backend.
type place struct{ backend, column string }

func (p place) String() string { return p.backend + "/" + p.column }

// columnOrder is where each of the known columns stands.
func columnOrder() map[place]int {
	order := map[place]int{}
	for _, b := range Backends {
		for _, c := range Columns(b, true) {
			order[place{b, c.Name}] = len(order) + 1
		}
	}
	return order
}

// compareResults puts columns that are not known behind the others, by name.
func compareResults(order map[place]int, a, b *Result) int {
	at := func(r *Result) int {
		if n := order[place{r.Backend, r.Column}]; n > 0 {
			return n
		}
		return len(order) + 1
	}
	return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.Backend, b.Backend), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Case, b.Case))
}

// widthMax is how wide the heads of a table may be if they are the names of the columns; a terminal has more than that.
const widthMax = 100

// messageLines is how many lines of a failure are shown: the first say what came and what should have come, and stacks of all goroutines follow.
const messageLines = 15

// Table prints results as a table of families and columns, then the reasons of skips, then the failures. Where there are many columns they have
// numbers, which the lines above the table explain, and those whose cells are all the same share one.
func Table(w io.Writer, results []Result) error {
	merged := Merge(results)
	var b strings.Builder
	writeCells(&b, merged)
	writeSkips(&b, merged)
	writeFailures(&b, merged)
	_, err := io.WriteString(w, b.String())
	return err
}

// Cells prints the table alone.
func Cells(w io.Writer, results []Result) error {
	var b strings.Builder
	writeCells(&b, Merge(results))
	_, err := io.WriteString(w, b.String())
	return err
}

// Skips prints the reasons of skips alone.
func Skips(w io.Writer, results []Result) error {
	var b strings.Builder
	writeSkips(&b, Merge(results))
	_, err := io.WriteString(w, b.String())
	return err
}

// counted is the table before it is laid out.
type counted struct {
	families []string
	places   []place
	cells    map[place]map[string]*cell
	total    map[place]*cell
}

func count(merged []Result) *counted {
	t := &counted{cells: map[place]map[string]*cell{}, total: map[place]*cell{}}
	for i := range merged {
		r := &merged[i]
		p := place{r.Backend, r.Column}
		if t.cells[p] == nil {
			t.places = append(t.places, p)
			t.cells[p], t.total[p] = map[string]*cell{}, &cell{}
		}
		if t.cells[p][r.Family] == nil {
			t.cells[p][r.Family] = &cell{}
		}
		t.cells[p][r.Family].add(r.Outcome)
		t.total[p].add(r.Outcome)
		if !slices.Contains(t.families, r.Family) {
			t.families = append(t.families, r.Family)
		}
	}
	slices.Sort(t.families)
	return t
}

// column is what stands below the head of a place: the families, and the sum.
func (t *counted) column(p place) []string {
	var out []string
	for _, f := range t.families {
		c := t.cells[p][f]
		if c == nil {
			c = &cell{}
		}
		out = append(out, c.String())
	}
	return append(out, t.total[p].String())
}

func writeCells(b *strings.Builder, merged []Result) {
	t := count(merged)
	heads := make([]string, len(t.places))
	columns := make([][]string, len(t.places))
	width := 0
	for i, p := range t.places {
		heads[i], columns[i] = p.String(), t.column(p)
		width += len(heads[i]) + 2
	}
	if width > widthMax {
		heads, columns = number(b, heads, columns)
	}
	left := append(slices.Clone(t.families), "all")
	if len(heads) == 0 {
		left = nil // no table at all
	}
	lay(b, left, heads, columns)
}

// number gives columns numbers, one number to those that are the same, and prints what each stands for.
func number(b *strings.Builder, names []string, columns [][]string) (heads []string, distinct [][]string) {
	var who [][]string
	for i, c := range columns {
		n := slices.IndexFunc(distinct, func(d []string) bool { return slices.Equal(c, d) })
		if n < 0 {
			n = len(distinct)
			distinct = append(distinct, c)
			who = append(who, nil)
			heads = append(heads, fmt.Sprint("#", n+1))
		}
		who[n] = append(who[n], names[i])
	}
	for i := range who {
		fmt.Fprintf(b, "%s: %s\n", heads[i], strings.Join(who[i], ", "))
	}
	return heads, distinct
}

// lay prints the table, each column as wide as it must be.
func lay(b *strings.Builder, left, heads []string, columns [][]string) {
	if len(left) == 0 {
		return
	}
	first := 0
	for _, l := range left {
		first = max(first, len(l))
	}
	widths := make([]int, len(heads))
	for i := range heads {
		widths[i] = len(heads[i])
		for _, c := range columns[i] {
			widths[i] = max(widths[i], len(c))
		}
	}
	line := func(name string, at func(i int) string) {
		text := fmt.Sprintf("%-*s", first, name)
		for i := range heads {
			text += fmt.Sprintf("  %-*s", widths[i], at(i))
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("", func(i int) string { return heads[i] })
	for row, name := range left {
		line(name, func(i int) string { return columns[i][row] })
	}
}

// skips are the cases that have been skipped for a reason.
type skips struct {
	reason   string
	n        int
	families map[string]bool
	places   map[place]bool
}

func writeSkips(b *strings.Builder, merged []Result) {
	by := map[string]*skips{}
	var all []*skips
	for i := range merged {
		r := &merged[i]
		if r.Outcome != Skipped {
			continue
		}
		reason := r.Message
		if reason == "" {
			reason = "for no reason that it says"
		}
		s := by[reason]
		if s == nil {
			s = &skips{reason, 0, map[string]bool{}, map[place]bool{}}
			by[reason] = s
			all = append(all, s)
		}
		s.n++
		s.families[r.Family] = true
		s.places[place{r.Backend, r.Column}] = true
	}
	slices.SortStableFunc(all, func(a, b *skips) int { return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.reason, b.reason)) })
	for _, s := range all {
		families := make([]string, 0, len(s.families))
		for f := range s.families {
			families = append(families, f)
		}
		slices.Sort(families)
		where := fmt.Sprint(len(s.places), " columns")
		if len(s.places) == 1 {
			for p := range s.places {
				where = p.String()
			}
		}
		fmt.Fprintf(b, "skipped %d in %s (%s): %s\n", s.n, where, strings.Join(families, " "), oneLine(s.reason))
	}
}

func writeFailures(b *strings.Builder, merged []Result) {
	for i := range merged {
		if r := &merged[i]; r.Outcome == Failed {
			fmt.Fprintf(b, "failed: %s\n%s", r.Path(), Excerpt(r.Message))
		}
	}
}

// oneLine is the first line of s.
func oneLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// lineMax is how long a line of an excerpt may be.
const lineMax = 300

// Excerpt is the beginning of a failure's message, a tab before each line.
func Excerpt(message string) string {
	lines := strings.Split(strings.TrimRight(message, "\n"), "\n")
	var b strings.Builder
	for i, l := range lines {
		if i == messageLines {
			fmt.Fprintf(&b, "\t... and %d lines more\n", len(lines)-i)
			break
		}
		if len(l) > lineMax {
			cut := lineMax
			for !utf8.RuneStart(l[cut]) {
				cut--
			}
			l = l[:cut] + "..."
		}
		b.WriteString("\t" + l + "\n")
	}
	return b.String()
}
