package conformance_test

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
)

// killersFile has a line for each case: its path, a mutant that makes it fail, the backend under the mutant, and "slow" where the case fails
// by waiting in vain. Between them stand tabs. A mutant that is aimed at a rule is called by the rule and its name, one
// that is made by its name alone.
const killersFile = "testdata/killers.txt"

type killer struct {
	mutant, backend string
	slow            bool
}

// slowTimeout is what cases may take that fail by waiting in vain.
const slowTimeout = 300 * time.Millisecond

// TestKillers shows of each case that it can fail: a mutant that it notices.
func TestKillers(t *testing.T) {
	killers := readKillers(t)
	if name := os.Getenv("SLUICE_KILLERS"); name != "" {
		findKillers(t, killers, name)
		return
	}
	need := map[string]bool{}
	for _, k := range killers {
		need[k.backend] = true
	}
	for _, b := range backends {
		if need[b.name] {
			b.need(t, nil)
		}
	}
	mutants := mutantsByName()
	told := map[string]bool{}
	for _, c := range conformance.Cases() {
		k, ok := killers[c.Path()]
		delete(killers, c.Path())
		if !ok {
			t.Errorf("%s: no mutant is known that it notices; SLUICE_KILLERS=FILE go test -run TestKillers ./conformance looks for one, and writes the line for %s into FILE", c.Path(), killersFile)
			continue
		}
		m, ok := mutants[k.mutant]
		if !ok {
			t.Errorf("%s: there is no mutant %q", c.Path(), k.mutant)
			continue
		}
		t.Run(c.Path(), func(t *testing.T) {
			if failed := killed(t, &c, k, m.m); failed != "" && m.rule == "" && !told[k.mutant] {
				told[k.mutant] = true // the others have tests of their own
				m.rule = c.ID
				note(t, m, c.Path(), failed)
			}
		})
	}
	if runtime.GOOS == "linux" { // which has all cases
		for path := range killers {
			t.Errorf("%s has a line for %s, which is no case", killersFile, path)
		}
	}
}

// killed runs a case with its killer, which it must notice, and says how.
func killed(t *testing.T, c *conformance.Case, k killer, m mutant) string {
	tr := &trial{b: backendNamed(k.backend)}
	if k.slow {
		tr.timeout = slowTimeout
	}
	begin := time.Now()
	for n := 0; !unnoticed(n, begin); n++ {
		failed, skipped := tr.run(t, c, m)
		if skipped != "" {
			t.Skip(skipped)
		}
		if failed != "" {
			tr.mustSettle(t, c.Path())
			return failed
		}
	}
	t.Errorf("%s passes on %s with the mutant %q", c.Path(), k.backend, k.mutant)
	return ""
}

func backendNamed(name string) backend {
	return backends[slices.IndexFunc(backends, func(b backend) bool { return b.name == name })]
}

func readKillers(t *testing.T) map[string]killer {
	t.Helper()
	f, err := os.Open(killersFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]killer{}
	last := ""
	for s := bufio.NewScanner(f); s.Scan(); {
		col := strings.Split(s.Text(), "\t")
		if len(col) < 3 || len(col) > 4 || len(col) == 4 && col[3] != "slow" || !slices.ContainsFunc(backends, func(b backend) bool { return b.name == col[2] }) {
			t.Fatalf("%s: a line that is none: %q", killersFile, s.Text())
		}
		if col[0] <= last {
			t.Errorf("%s: %s is not in its place: the lines are sorted, one for each case", killersFile, col[0])
		}
		last = col[0]
		all[last] = killer{mutant: col[1], backend: col[2], slow: len(col) == 4}
	}
	return all
}

// aimed are the mutants that are aimed at a rule.
func aimed() []fault {
	return slices.Concat(mutants, lateMutants, earlyMutants, chainMutants, bufferMutants, selectedMutants, groupMutants, ringMutants, zeroCopyMutants, systemMutants())
}

func (f *fault) key() string {
	if f.rule == "" {
		return f.name
	}
	return f.rule + " " + f.name
}

func mutantsByName() map[string]fault {
	all := map[string]fault{}
	put := func(faults []fault) {
		for _, f := range faults {
			if _, twice := all[f.key()]; twice {
				panic("two mutants are called " + f.key())
			}
			all[f.key()] = f
		}
	}
	put(aimed())
	put(slices.Concat(flagMutants(), fieldMutants(), optionMutants(), waitMutants(), methodMutants(), submitMutants()))
	for code := range api.OpCode(api.OpCount) {
		put(codeMutants(code))
	}
	return all
}

// suspects are the mutants that a case may notice, those that are closest to its rule first.
func suspects(c *conformance.Case) []fault {
	var rule, family, rest []fault
	for _, f := range aimed() {
		switch {
		case f.rule == c.ID:
			rule = append(rule, f)
		case strings.HasPrefix(f.rule, c.Family()+"-"):
			family = append(family, f)
		default:
			rest = append(rest, f)
		}
	}
	options := optionMutants()
	if c.Tune == nil && !slices.Contains([]string{"ENG", "RNG"}, c.Family()) {
		options = slices.DeleteFunc(options, func(f fault) bool { return strings.HasPrefix(f.name, "Options.") })
	}
	all := slices.Concat(rule, family, flagMutants(), options, methodMutants(), waitMutants(), ofOps(c.Ops&^api.Ops(api.OpNop)),
		fieldMutants(), rest, codeMutants(api.OpNop), submitMutants())
	slices.SortStableFunc(all, func(a, b fault) int { return cmp.Compare(blunt(c, &a), blunt(c, &b)) })
	return all
}

// ofOps are the mutants that are wrong in one of the operations: those first which do the least.
func ofOps(ops api.OpSet) (all []fault) {
	for i := range codeMutants(api.OpNop) {
		for code := range api.OpCode(api.OpCount) {
			if ops.Has(code) {
				all = append(all, codeMutants(code)[i])
			}
		}
	}
	return all
}

// blunt is 1 for a mutant that conformance.T notices in every case, whatever the case looks at, unless the case is about that; else 0.
func blunt(c *conformance.Case, f *fault) int {
	if f.rule == c.ID {
		return 0
	}
	for _, part := range []string{" always", "told twice", "never told", "EIO", "completion twice", "fails behind its work", "in flight miscounted", "Stats.InFlight",
		"Close does nothing", "second Close", "wrong id", "wrong tag", "Submit ", "nothing ever", "completion lost", "Min not heeded"} {
		if strings.Contains(f.key(), part) {
			return 1
		}
	}
	return 0
}

// findKillers looks for a mutant for each case that has none, and adds the lines to the file. SLUICE_SHARD shares the work among processes.
func findKillers(t *testing.T, known map[string]killer, file string) {
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	mine := killerShard(t)
	for _, c := range conformance.Cases() {
		if _, ok := known[c.Path()]; ok || !mine() {
			continue
		}
		t.Run(c.Path(), func(t *testing.T) {
			k, ok := findKiller(t, &c)
			if !ok {
				t.Errorf("%s passes with every mutant", c.Path())
				return
			}
			line := c.Path() + "\t" + k.mutant + "\t" + k.backend
			if k.slow {
				line += "\tslow"
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// killerShard gives a function that says of each case in turn whether it is to be looked at here: with SLUICE_SHARD=i/n every n-th from the i-th on.
func killerShard(t *testing.T) func() bool {
	i, n := 0, 1
	if v := os.Getenv("SLUICE_SHARD"); v != "" {
		if _, err := fmt.Sscanf(v, "%d/%d", &i, &n); err != nil || i < 0 || i >= n {
			t.Fatalf("SLUICE_SHARD is %q, want i/n", v)
		}
	}
	at := -1
	return func() bool { at++; return at%n == i }
}

// findKiller looks on epoll, and where the case is skipped or notices nothing, on uring. A mutant that makes a case wait in
// vain is the last resort.
func findKiller(t *testing.T, c *conformance.Case) (found killer, ok bool) {
	for _, name := range []string{"epoll", "uring"} {
		tr := &trial{b: backendNamed(name)}
		begin := time.Now()
		if failed, skipped := tr.run(t, c, mutant{}); failed != "" {
			t.Fatalf("%s fails without a fault: %s", c.Path(), failed)
		} else if skipped != "" {
			continue
		}
		long := max(slowTimeout, 10*time.Since(begin)) // some take their time
		for _, f := range suspects(c) {
			if ok && (time.Since(begin) > time.Minute || blunt(c, &f) > 0) {
				break
			}
			tr.timeout = long
			begin := time.Now()
			failed, _ := tr.run(t, c, f.m)
			slow := time.Since(begin) >= tr.timeout
			if tr.left != "" {
				t.Errorf("%s does not end with the mutant %q:\n%s", c.Path(), f.key(), tr.left)
				continue
			}
			if failed == "" || slow && ok {
				continue
			}
			if slow && !anyway(t, tr, c, f.m, 4*long) || !slow && !repeatedly(t, tr, c, f.m, long) {
				continue
			}
			found, ok = killer{mutant: f.key(), backend: name, slow: slow}, true
			if !slow {
				return found, true
			}
		}
		if ok {
			return found, true
		}
	}
	return found, ok
}

// anyway says whether the case notices the mutant also with more time: it has waited in vain, and is not late.
func anyway(t *testing.T, tr *trial, c *conformance.Case, m mutant, limit time.Duration) bool {
	tr.timeout = limit
	failed, _ := tr.run(t, c, m)
	return failed != ""
}

// repeatedly says whether the case notices the mutant each time, and without a deadline that is short.
func repeatedly(t *testing.T, tr *trial, c *conformance.Case, m mutant, limit time.Duration) bool {
	tr.timeout = 0
	for range 3 {
		begin := time.Now()
		if failed, _ := tr.run(t, c, m); failed == "" || time.Since(begin) > limit {
			return false
		}
	}
	return true
}
