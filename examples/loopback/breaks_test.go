package loopback_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// breaks are ways to break loopback.go, each of which the suite must notice by the rule. The guide has a table of them.
var breaks = []struct {
	name, rule string
	pairs      []string // what is replaced, and by what
}{
	{"no completion for a receive that was cancelled", "CAN-1", []string{
		"	e.done = append(e.done, c)\n	*s",
		"	if res != -int(api.ECanceled) || s.op.Code != api.OpRecv {\n		e.done = append(e.done, c)\n	}\n	*s"}},
	{"ids without generations", "SUB-7", []string{"max(s.id.Generation()+1, 1)", "max(s.id.Generation(), 1)"}},
	{"timeouts some milliseconds early", "TMO-1", []string{"at <= api.Now(); s, at", "at <= api.After(5*time.Millisecond); s, at"}},
	{"no order, and the last submitted tried first", "ORD-1", []string{
		"			return true\n		}\n	}\n	return false\n}\n\n// onFD", "			return false\n		}\n	}\n	return false\n}\n\n// onFD",
		"		for _, s := range e.line {\n			again", "		for i := range e.line {\n			s := e.line[len(e.line)-1-i]\n			again"}},
	{"a cancelled operation loses its bytes", "CAN-10", []string{"	if s.moved > 0 {", "	if s.moved > 0 && res != -int(api.ECanceled) {"}},
	{"Wake does not end the sleep", "WAK-1", []string{"	e.woken.Store(true)\n	e.kick()", "	e.woken.Store(true)"}},
	{"Close of an fd leaves what is in flight", "CLO-2", []string{"		case s.seq < c.seq:\n			e.end(s, -int(api.ECanceled))", "		case s.seq < c.seq:"}},
	{"WaitAll completes with the first bytes", "STR-6", []string{"res > 0 && res < len(buf) && f.Has(api.WaitAll)", "false && f.Has(api.WaitAll)"}},
	{"a peek takes the data", "STR-14", []string{"		if !peek {", "		if !peek || len(p) > 0 {"}},
	{"Post without a bound", "MSG-7", []string{"	case e.posts == e.opt.MaxInFlight:", "	case e.posts < 0:"}},
	{"room is made by successes alone", "CAN-1", []string{"	case !c.More():\n		e.inFlight.Add(-1)", "	case !c.More() && c.Res >= 0:\n		e.inFlight.Add(-1)"}},
	{"deadlines have no effect", "TMO-14", []string{"now, op.Deadline", "now, 0"}},
	{"Submit performs", "SUB-2", []string{"		ops[n].ID = e.take(&ops[n], now)\n", "		ops[n].ID = e.take(&ops[n], now)\n		e.turn()\n"}},
	{"a cancel reaches what was submitted behind it", "CAN-17", []string{"		if s.seq < seq && s.matches(op) {", "		if s.seq != seq && s.matches(op) {"}},
	{"completions come out of order", "CMP-9", []string{
		"		dst[n] = e.done[e.head]\n", "		i := e.head + (len(e.done)-e.head)/2\n		dst[n], e.done[i] = e.done[i], e.done[e.head]\n"}},
	{"a peer that has ended its stream is not heard of", "STR-8", []string{
		"	e.out.ended = e.out.ended || how != api.ShutRead\n	n.changed()", "	e.out.ended = e.out.ended || how != api.ShutRead"}},
	{"DontWait waits", "STR-4", []string{"	if waits && !f.Has(api.DontWait) {", "	if waits {"}},
	{"what does not fit into dst is dropped", "CMP-9", []string{"e.done, e.head = e.done[:copy(e.done, e.done[e.head:])], 0", "e.done, e.head = e.done[:0], 0"}},
}

// TestBreaks runs the cases of the rule on loopback.go with something replaced, by way of an overlay.
func TestBreaks(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the package once for each")
	}
	src, err := os.ReadFile("loopback.go")
	if err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Abs("loopback.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			broken := string(src)
			for i := 0; i < len(b.pairs); i += 2 {
				if strings.Count(broken, b.pairs[i]) != 1 {
					t.Fatalf("loopback.go does not have this once:\n%s", b.pairs[i])
				}
				broken = strings.Replace(broken, b.pairs[i], b.pairs[i+1], 1)
			}
			out, err := runBroken(t, name, broken, b.rule)
			if err == nil {
				t.Fatalf("the cases of %s pass:\n%s", b.rule, out)
			}
			if !regexp.MustCompile(`--- FAIL: TestConformance/\w+/` + b.rule + "-").Match(out) {
				t.Fatalf("not the cases of %s have failed: %v\n%s", b.rule, err, out)
			}
		})
	}
}

// runBroken runs the cases of a rule with another text in the file of that name.
func runBroken(t *testing.T, name, text, rule string) (out []byte, err error) {
	t.Helper()
	dir := t.TempDir()
	broken, overlay := filepath.Join(dir, "broken.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {name: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{broken: []byte(text), overlay: replace} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	family, _, _ := strings.Cut(rule, "-")
	return exec.CommandContext(ctx, "go", "test", "-vet=off", "-overlay", overlay, "-run", "^TestConformance$/^"+family+"$/^"+rule+"-", ".", "-case-timeout=2s").CombinedOutput()
}
