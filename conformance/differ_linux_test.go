package conformance_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance/script"
	"github.com/sluiceio/sluice/internal/matrix"
)

// player is something that programs run on.
type player struct {
	name string
	open func() (script.Machine, error)
}

// rawName is the name of the raw ring among the players.
const rawName = "raw ring"

func engineOn(name string, open func(*api.Options) (api.Engine, error), o api.Options) player {
	return player{name, func() (script.Machine, error) { return open(&o) }}
}

// players are those whose traces must be equal.
func players(t testing.TB) []player {
	t.Helper()
	var list []player
	for _, b := range backends {
		if e, err := b.open(nil); err == nil {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			b.need(t, nil)
		}
		for _, c := range matrix.Columns(b.name, false) {
			list = append(list, engineOn(b.name+"/"+c.Name, b.open, c.Options))
		}
	}
	if m, err := openRaw(); err == nil {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		list = append(list, player{rawName, openRaw})
	} else if !slices.ContainsFunc(list, func(p player) bool { return strings.HasPrefix(p.name, "uring") }) {
		t.Logf("no raw ring: %v", err)
	} else if !errors.Is(err, unix.EINVAL) { // which a kernel says that does not know its flags
		t.Fatalf("there is uring, and no raw ring: %v", err)
	}
	return list
}

// comparison is what came of running a program on all players.
type comparison struct {
	diff   string // how the traces differ, "" if they do not
	beyond string // why the raw ring did not go on, "" if it did
	steps  int    // of the program, all of them
	plain  int    // of these, those that the raw ring has done
}

// compare runs a program on all players.
func compare(p *script.Program, on []player, patience time.Duration) comparison {
	c := comparison{steps: len(p.Steps), plain: len(p.Steps)}
	var first script.Trace
	for i, pl := range on {
		m, err := pl.open()
		if err != nil {
			c.diff = fmt.Sprintf("%s cannot be opened: %v", pl.name, err)
			return c
		}
		trace, err := script.Run(p, m, patience)
		against := first
		var beyond *beyondError
		if errors.As(err, &beyond) {
			trace, c.plain = settled(trace)
			c.beyond, err = beyond.why, nil
			against = first[:min(len(first), len(trace))]
		}
		if err != nil {
			c.diff = fmt.Sprintf("%s: %v\n%s", pl.name, err, trace)
			return c
		}
		if i == 0 {
			first = trace
		} else if c.diff = script.Diff(on[0].name, pl.name, against, trace); c.diff != "" {
			return c
		}
	}
	return c
}

// settled is what a trace says of the steps before the last one that was begun, and how many these are.
func settled(t script.Trace) (before script.Trace, steps int) {
	last := 0
	for i, line := range t {
		if !strings.HasPrefix(line, " ") {
			last = i
			steps++
		}
	}
	return t[:last], steps - 1
}

// difference says how the traces of a program differ.
func difference(p *script.Program, on []player, patience time.Duration) string {
	return compare(p, on, patience).diff
}

// report shrinks a program whose traces differ, and shows it with the traces.
func report(p *script.Program, on []player, d string) string {
	const tries = 400
	last := d
	small := script.Shrink(p, tries, func(p *script.Program) bool {
		d := difference(p, on, 2*time.Second)
		if d != "" {
			last = d
		}
		return d != ""
	})
	return script.Format(small) + "\n" + last
}

// number is a number of the environment, or def.
func number(t testing.TB, name string, def int) int {
	v := os.Getenv(name)
	if v == "" {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// programs draws them.
var programs = rapid.Custom(func(t *rapid.T) *script.Program {
	return script.Generate(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
})

// TestDifferential runs programs that rapid has drawn, from number SLUICE_DIFFER_SEED on. Without SLUICE_DIFFER_SECONDS they are the same on every
// machine, however fast it is: a change is told by them, and what nobody has seen yet is looked for by long runs and by the fuzzer.
func TestDifferential(t *testing.T) {
	start := time.Now()
	s := &soak{t: t, on: players(t), from: number(t, "SLUICE_DIFFER_SEED", 0), count: 200, beyond: map[string]int{}}
	if limit := number(t, "SLUICE_DIFFER_SECONDS", 0); limit > 0 {
		s.count, s.until = 0, start.Add(time.Duration(limit)*time.Second)
	}
	// A program spends most of its time on waiting for its timers and for the system, so that there is something to do for more goroutines than
	// processors.
	var wg sync.WaitGroup
	for range 3 * runtime.GOMAXPROCS(0) {
		wg.Go(s.work)
	}
	wg.Wait()
	t.Logf("%d programs of %d steps on %d machines in %v", s.ran.Load(), s.steps.Load(), len(s.on), time.Since(start).Round(time.Second))
	if slices.ContainsFunc(s.on, func(p player) bool { return p.name == rawName }) {
		t.Logf("the raw ring has done %d programs to their end, and %d steps in all; the others go on with", s.whole.Load(), s.plain.Load())
		for _, why := range slices.SortedFunc(maps.Keys(s.beyond), func(a, b string) int { return s.beyond[b] - s.beyond[a] }) {
			t.Logf("%6d  %s", s.beyond[why], why)
		}
	}
}

// soak is a number of programs, or what there is time for.
type soak struct {
	t     *testing.T
	on    []player
	from  int
	count int       // 0 when there is a time
	until time.Time // the zero Time when there is a count

	taken, ran, wrong   atomic.Int64
	steps, whole, plain atomic.Int64 // of the raw ring, but for steps

	mu     sync.Mutex
	beyond map[string]int // why the raw ring did not go on, and how often
}

// maxWrong is how many differences are shown. A long run does not end with the first, for that may be of little interest.
const maxWrong = 20

func (s *soak) work() {
	for {
		n := int(s.taken.Add(1)) - 1
		if s.count > 0 && n >= s.count || s.count == 0 && time.Now().After(s.until) || s.wrong.Load() >= maxWrong {
			return
		}
		p := programs.Example(s.from + n)
		c := compare(p, s.on, script.Patience)
		if c.diff != "" {
			s.wrong.Add(1)
			s.t.Errorf("program %d:\n%s", s.from+n, report(p, s.on, c.diff))
		}
		s.note(&c)
	}
}

func (s *soak) note(c *comparison) {
	s.ran.Add(1)
	s.steps.Add(int64(c.steps))
	s.plain.Add(int64(c.plain))
	if c.beyond == "" {
		s.whole.Add(1)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beyond[c.beyond]++
}

// kept is where programs are that have shown a difference once, or that show a feature of the language.
const kept = "testdata/differential"

// TestDifferentialKept runs the programs that are kept.
func TestDifferentialKept(t *testing.T) {
	on := players(t)
	files, err := filepath.Glob(kept + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no programs in %s: %v", kept, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			p, err := script.Parse(string(text))
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			if d := difference(p, on, script.Patience); d != "" {
				t.Fatal(d)
			}
		})
	}
}

// FuzzDifferential lets the fuzzer choose, by what the code of the engines does with the programs. A program that shows a difference is shrunk, and kept.
func FuzzDifferential(f *testing.F) {
	on := players(f)
	for n := range 20 {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		p := script.Generate(func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := int(choices[0]) % n
			choices = choices[1:]
			return c
		})
		d := difference(p, on, script.Patience)
		if d == "" {
			return
		}
		text := report(p, on, d)
		name := fmt.Sprintf("%s/found-%08x.txt", kept, crc32.ChecksumIEEE([]byte(text)))
		program, _, _ := strings.Cut(text, "\n\n")
		if err := os.WriteFile(name, []byte(program+"\n"), 0o644); err != nil {
			t.Errorf("the program cannot be kept: %v", err)
		}
		t.Fatal(text)
	})
}
