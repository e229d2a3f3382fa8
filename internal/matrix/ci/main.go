// Command ci runs the whole conformance matrix: every column of internal/matrix, in a process of its own, under the race detector, the usual one
// of each backend several times, and once more with the internal checks compiled in; the usual one also without either. Beside them it runs the other
// tests of package conformance. It ends with one table, and behind it, where no log is cut off, with each test that has failed and what it said. It is
// what .ci/conformance starts; run it in the module's root.
//
// A case that fails without a race, a panic or the end of its process is run again: see the rule in unsteady.go. With REQUIRE_CASES set, a case that a usual column
// skips fails, too, but for those of skips.go.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluiceio/sluice/internal/matrix"
)

// pkg is the package whose tests are run.
const pkg = "github.com/sluiceio/sluice/conformance"

// config is what the command line says.
type config struct {
	count  int
	procs  int
	builds string
	only   string
	json   string
}

func main() {
	var c config
	flag.IntVar(&c.count, "count", 3, "how many times the usual column of each backend is run under the race detector; the others run once")
	flag.IntVar(&c.procs, "procs", 6, "how many processes run at a time")
	flag.StringVar(&c.builds, "builds", "race,invariants,plain", "the builds of the tests: race, invariants, plain")
	flag.StringVar(&c.only, "only", "", "run only the jobs with this in their name")
	flag.StringVar(&c.json, "json", "", "write the results of the cases to this file, a JSON object on each line")
	flag.Parse()
	if flag.NArg() > 0 || c.count < 1 || c.procs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ok, err := c.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}

// build is a test binary.
type build struct {
	name   string
	args   []string // of go test
	count  int      // of the usual column of each backend
	binary string
}

// suffix tells the tests of the build from those of the first.
func (b *build) suffix() string {
	if b.name == "race" {
		return ""
	}
	return " [" + b.name + "]"
}

// plan are the builds that names names.
func plan(names string, count int) ([]*build, error) {
	var out []*build
	for _, name := range strings.Split(names, ",") {
		b := &build{name: name, count: 1}
		switch name {
		case "race":
			b.args, b.count = []string{"-race"}, count
		case "invariants":
			b.args = []string{"-tags", "invariants"}
		case "plain":
		default:
			return nil, fmt.Errorf("there is no build called %q", name)
		}
		out = append(out, b)
	}
	return out, nil
}

// compile makes the test binaries in dir.
func compile(builds []*build, dir string) error {
	for _, b := range builds {
		b.binary = filepath.Join(dir, "suite-"+b.name)
		if runtime.GOOS == "windows" {
			b.binary += ".exe"
		}
		c := exec.Command("go", append(append([]string{"test", "-c", "-o", b.binary}, b.args...), pkg)...)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		fmt.Println(strings.Join(c.Args, " "))
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(c.Args, " "), err)
		}
	}
	return nil
}

// The tests of the package besides TestConformance that have jobs of their own: some take long, and wait most of the time.
const (
	bySlot  = "^TestBySlot$"
	killers = "^TestKillers$"
	mutants = "^Test.*Mutants$"
	allocs  = "^TestAllocs$"
	ownJob  = "^TestConformance$|" + bySlot + "|" + killers + "|" + mutants + "|" + allocs
)

// jobs are what is to be run with the builds, those that take longest first, so that none is left running alone at the end.
//
// A build for which nothing is compiled in, and which is not the only one, has but the usual columns, which are what programs run; and as it is the only one
// that does not allocate itself, the allocations. The tests that show of the suite what it notices need one build, the first.
func jobs(builds []*build) []*job {
	var columns, others []*job
	for i, b := range builds {
		first, plain := i == 0, b.name == "plain"
		for _, name := range matrix.Backends {
			for _, c := range matrix.Columns(name, true) {
				j := &job{name: name + "/" + c.Name + b.suffix(), build: b, run: pattern("TestConformance/" + name + "/" + c.Name), count: 1, cases: true}
				if c.Name == matrix.Usual {
					j.count, j.usual = b.count, name
				} else if plain && !first {
					continue
				}
				columns = append(columns, j)
			}
		}
		other := func(name, run, skip string) {
			others = append(others, &job{name: name + b.suffix(), build: b, run: run, skip: skip, count: 1})
		}
		if first {
			other("killers", killers, "")
			other("mutants", mutants, "")
			other("by slot", bySlot, "")
		}
		if plain {
			other("allocations", allocs, "")
		}
		if first || !plain {
			other("other tests", "", ownJob)
		}
	}
	slices.SortStableFunc(columns, func(x, y *job) int { return y.count - x.count })
	return append(others, columns...)
}

func (c *config) run() (ok bool, err error) {
	begun := time.Now()
	builds, err := plan(c.builds, c.count)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if err := compile(builds, dir); err != nil {
		return false, err
	}
	var todo []*job
	for _, j := range jobs(builds) {
		if strings.Contains(j.name, c.only) {
			todo = append(todo, j)
		}
	}
	table := filepath.Join(dir, "mutants")
	if err := os.Setenv(mutantsEnv, table); err != nil {
		return false, err
	}
	runAll(todo, c.procs)
	r := collect(todo, skipsHere())
	r.judge(func(f *failure) string { return f.again(retries) })
	r.took, r.procs = time.Since(begun), c.procs
	if r.mutants, err = mutantTable(table); err != nil {
		return false, err
	}
	if err := c.write(r); err != nil {
		return false, err
	}
	return r.print(os.Stdout)
}

// write writes the results of the cases to the file that the user wants.
func (c *config) write(r *report) error {
	if c.json == "" {
		return nil
	}
	f, err := os.Create(c.json)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	for _, one := range r.cases {
		if err := e.Encode(one); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}

// runAll runs the jobs, procs at a time, and tells of each that has ended.
func runAll(todo []*job, procs int) {
	next := make(chan *job)
	var wg sync.WaitGroup
	var mu sync.Mutex // around the output
	ended := 0
	for range procs {
		wg.Go(func() {
			for j := range next {
				j.start()
				mu.Lock()
				ended++
				fmt.Printf("%2d/%d %s: %s\n", ended, len(todo), j.name, j.summary())
				mu.Unlock()
			}
		})
	}
	for _, j := range todo {
		next <- j
	}
	close(next)
	wg.Wait()
}
