package main

import (
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/internal/matrix"
)

// pageCell is a cell of the page's table: a family in a column.
type pageCell struct {
	Text  string // as in the table of the terminal
	Class string // the worst that is in it
	// Notes are what has not passed; skips for the same reason are one.
	Notes []pageNote
}

// pageNote is a failure, or all skips of a cell that have the same reason.
type pageNote struct {
	Failed      bool
	Cases       []string
	Rule        string // the sentence, of a failure
	Explanation string
	Message     string
}

type pageRow struct {
	Family string
	Cells  []pageCell
}

// page writes the report as one page of HTML.
func (r *suiteReport) page(w io.Writer) error {
	families := []string{}
	byCell := map[[3]string][]*reportResult{} // backend, column, family
	for i := range r.Results {
		res := &r.Results[i]
		key := [3]string{res.Backend, res.Column, res.Family}
		byCell[key] = append(byCell[key], res)
		if !slices.Contains(families, res.Family) {
			families = append(families, res.Family)
		}
	}
	slices.Sort(families)
	var rows []pageRow
	for _, f := range families {
		row := pageRow{Family: f}
		for _, c := range r.Columns {
			row.Cells = append(row.Cells, newCell(byCell[[3]string{c.Backend, c.Column, f}]))
		}
		rows = append(rows, row)
	}
	return pageTemplate.Execute(w, map[string]any{"Report": r, "Head": r.head(), "Sum": r.sum(), "Rows": rows})
}

func newCell(results []*reportResult) pageCell {
	var passed, skipped, failed int
	var c pageCell
	reasons := map[string]int{} // reason → index among the notes
	var skips, failures []pageNote
	for _, r := range results {
		switch r.Outcome {
		case matrix.Passed:
			passed++
		case matrix.Skipped:
			skipped++
			i, ok := reasons[r.Message]
			if !ok {
				i = len(skips)
				reasons[r.Message] = i
				skips = append(skips, pageNote{Message: r.Message})
			}
			skips[i].Cases = append(skips[i].Cases, r.Case)
		default:
			failed++
			failures = append(failures, pageNote{Failed: true, Cases: []string{r.Case}, Rule: r.Rule, Explanation: r.Explanation, Message: excerpt(r.Message)})
		}
	}
	c.Notes = slices.Concat(failures, skips)
	var parts []string
	if passed > 0 {
		parts, c.Class = append(parts, fmt.Sprint(passed)), "passed"
	}
	if skipped > 0 {
		parts, c.Class = append(parts, fmt.Sprint("s", skipped)), "skipped"
	}
	if failed > 0 {
		parts, c.Class = append(parts, fmt.Sprint("F", failed)), "failed"
	}
	if c.Text = strings.Join(parts, " "); c.Text == "" {
		c.Text = "-"
	}
	return c
}

// excerptMax bounds what a page has of one failure: a watchdog prints the stacks of all goroutines.
const excerptMax = 16 << 10

func excerpt(s string) string {
	if len(s) <= excerptMax {
		return s
	}
	return strings.ToValidUTF8(s[:excerptMax], "") + fmt.Sprintf("\n... and %d bytes more", len(s)-excerptMax)
}

// pageTemplate has all that it needs in it, so that the page can be attached to a report as it is. What is put into it is escaped by html/template.
var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sluice conformance: {{.Sum}}</title>
<style>
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 1.5em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border: 1px solid #8886; padding: .2em .5em; text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: Canvas; }
td.passed { background: #2a22; } td.skipped { background: #aa22; } td.failed { background: #d226; }
summary { cursor: pointer; }
.notes { width: 50em; max-width: 80vw; }
.notes p { margin: .4em 0; }
code, pre { font: 13px/1.35 ui-monospace, monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8882; padding: .5em; max-height: 30em; overflow: auto; }
.failed > summary { font-weight: bold; }
</style>
</head>
<body>
<h1>sluice conformance</h1>
<p>{{.Head}}</p>
<p><strong>{{.Sum}}</strong></p>
{{with .Report}}
<h2>Backends</h2>
<table>
{{range .Backends}}<tr><th>{{.Name}}</th><td>{{if .Available}}<details><summary>{{.Summary}}</summary><div class="notes">
<p>Features: {{range $name, $how := .Features}}<code>{{$name}}</code> {{$how}}; {{end}}</p>
<p>Operations: {{range $name, $how := .Ops}}<code>{{$name}}</code> {{$how}}; {{end}}</p>
{{if .Modes}}<p>Modes: {{range .Modes}}<code>{{.Name}}</code> {{.Status}}{{if .Reason}} ({{.Reason}}){{end}}; {{end}}</p>{{end}}
</div></details>{{else}}{{.Summary}}{{end}}</td></tr>
{{end}}</table>
{{end}}
<h2>Families and columns</h2>
<p>In a cell: the cases that have passed, s and those that were skipped, F and those that have failed. What has not passed can be opened.</p>
<table>
<thead><tr><th></th>{{range .Report.Columns}}<th>{{.Backend}}<br>{{.Column}}</th>{{end}}</tr></thead>
<tbody>
{{range .Rows}}<tr><th>{{.Family}}</th>{{range .Cells}}<td class="{{.Class}}">{{if .Notes}}<details><summary>{{.Text}}</summary><div class="notes">
{{range .Notes}}{{if .Failed}}<p><strong>failed</strong> {{range .Cases}}<code>{{.}}</code>{{end}}</p>
<p>Rule: {{.Rule}}</p>
<p>Case: {{.Explanation}}</p>
<pre>{{.Message}}</pre>
{{else}}<p><strong>skipped</strong>: {{.Message}}</p>
<p>{{range .Cases}}<code>{{.}}</code> {{end}}</p>
{{end}}{{end}}</div></details>{{else}}{{.Text}}{{end}}</td>{{end}}</tr>
{{end}}</tbody>
</table>
</body>
</html>
`))
