package conformance

import (
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
)

// Factory opens a fresh engine. o is never nil. It is called in the goroutine that will own
// the engine. The suite closes the engine.
type Factory func(o *api.Options) (api.Engine, error)

// Config says how to run the suite. A nil *Config and the zero Config stand for the defaults.
type Config struct {
	// Options are what each engine is opened with; cases change the fields that they are about.
	// Default: the zero Options.
	Options *api.Options
	// Skip leaves cases out: the id of a rule ("STR-3") or of one case ("STR-3-name-with-dashes") and the
	// reason, which is printed. Default: none.
	Skip map[string]string
	// Restrict has the engine of each case do only the operations that the case uses (api.Options.Restrict), Case.Ops. Default: false.
	Restrict bool
	// Memory gives memory outside of the Go heap that an engine keeps for as long as it uses it, of size bytes or more, and the function that frees
	// it, whose error says that it is in use. That of package arena is such memory to the engines of this module. Default: nil, and the cases
	// of ARN are left out.
	Memory func(size int) (mem []byte, free func() error, err error)
	// Streams are the engine's own, if it works on those and not on files of the operating system. The cases that need such files are left
	// out then. Default: nil, and the suite makes sockets, pipes and files.
	Streams Streams
	// Timeout is how long a case may take before the watchdog ends it. Default: 10 s.
	Timeout time.Duration
}

// DefaultTimeout is Config.Timeout where it is 0. A case takes milliseconds.
const DefaultTimeout = 10 * time.Second

func (c *Config) timeout() time.Duration {
	if c == nil || c.Timeout == 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

func (c *Config) memory() func(int) ([]byte, func() error, error) {
	if c == nil {
		return nil
	}
	return c.Memory
}

func (c *Config) options() api.Options {
	if c == nil || c.Options == nil {
		return api.Options{}
	}
	return *c.Options
}

// TB is what a case needs of a test: a *testing.T has it, and a program can bring its own. Errorf
// and Logf are called from several goroutines, one at a time.
type TB interface {
	// Helper marks the caller as a helper function.
	Helper()
	// Errorf reports a failure; the case goes on.
	Errorf(format string, args ...any)
	// Fatalf reports a failure and ends the test.
	Fatalf(format string, args ...any)
	// Logf prints something.
	Logf(format string, args ...any)
	// Cleanup has f called when the test is over.
	Cleanup(f func())
	// TempDir is a directory that is removed when the test is over.
	TempDir() string
	// Failed says whether a failure has been reported.
	Failed() bool
}

// Runner is a test that can have subtests: a *testing.T is one, of the type Runner[*testing.T]. A program that runs the
// suite by itself brings a type of its own, or calls Case.Run for each case. The suite does not import package testing, so that
// such a program does not either.
type Runner[R any] interface {
	TB
	// Run runs f as a subtest, to its end, and says whether it passed.
	Run(name string, f func(R)) bool
	// Skip says why a test is left out, and ends it.
	Skip(why ...any)
}

// Case is one case of the suite.
type Case struct {
	// ID is the rule of docs/SEMANTICS.md that the case is about. Several cases may share one.
	ID string
	// Name tells the case from others of the same rule.
	Name string
	// Explanation says what an engine that fails does wrong.
	Explanation string
	// Requires are the features without which the case makes no sense.
	Requires api.Feature
	// Ops are the operations that the case uses.
	Ops api.OpSet
	// Needs says what the case needs besides the engine.
	Needs Need
	// Tune changes the options that the engine is opened with. It may be nil.
	Tune func(*api.Options)
	// Refusable says that Tune asks for what a kernel may refuse: the case is skipped where no engine can be opened so.
	Refusable bool
	// Fn is the case.
	Fn func(*T)
}

// Family is the first part of the rule's id: "STR" of "STR-3".
func (c *Case) Family() string {
	f, _, _ := strings.Cut(c.ID, "-")
	return f
}

// Path is the name of the subtest, family/rule-name with dashes for spaces.
func (c *Case) Path() string { return c.Family() + "/" + c.key() }

func (c *Case) key() string { return c.ID + "-" + strings.ReplaceAll(c.Name, " ", "-") }

// Cases are the cases for this platform, family by family. The slice is the caller's.
func Cases() []Case {
	all := slices.Concat(portableCases(), platformCases())
	slices.SortStableFunc(all, func(a, b Case) int { return strings.Compare(a.Family(), b.Family()) })
	return all
}

// portableCases need no files.
func portableCases() []Case {
	return slices.Concat(submitCases, completionCases, timeoutCases, timerCases, retimeCases, lateCases, cancelCases, wakeCases, messageCases,
		overflowCases, engineCases, linkCases, linkTimeoutCases, skipCases, drainCases, cancelManyCases, undeclaredCases, ringPortableCases())
}

// Run puts the engines that f opens through all cases, each in a subtest named after its family and
// rule. t is a *testing.T, or what else has subtests. f must be able to open an engine: whether the backend is there at all is for
// the caller to find out first.
func Run[R Runner[R]](t R, f Factory, cfg *Config) {
	t.Helper()
	settleProcess()
	cases := Cases()
	for i := 0; i < len(cases); {
		family := cases[i].Family()
		n := 1
		for i+n < len(cases) && cases[i+n].Family() == family {
			n++
		}
		group := cases[i : i+n]
		i += n
		t.Run(family, func(t R) {
			for _, c := range group {
				t.Run(c.key(), func(t R) {
					if why := c.Run(t, f, cfg); why != "" {
						t.Skip(why)
					}
				})
			}
		})
	}
}

// Run runs the case with an engine of f. It returns the reason if the case was skipped, else "";
// failures go to tb. It must not run at the same time as another case.
func (c *Case) Run(tb TB, f Factory, cfg *Config) (skipped string) {
	tb.Helper()
	if cfg != nil {
		for _, key := range []string{c.ID, c.key()} {
			if why, ok := cfg.Skip[key]; ok {
				return "skipped by Config.Skip: " + why
			}
		}
	}
	skipped, grown := c.once(tb, f, cfg)
	for n := 0; n < growths && grown > 0; n++ {
		_, again := c.once(tb, f, cfg)
		grown = min(grown, again)
	}
	if grown > 0 {
		tb.Errorf("%s %s: the case leaves memory mapped, each time it is run %d KiB more", c.ID, c.Name, (grown+1023)>>10)
	}
	return skipped
}

// once runs the case one time. grown is by how much the process has more memory mapped afterwards, 0 of a case that has failed.
func (c *Case) once(tb TB, f Factory, cfg *Config) (skipped string, grown int64) {
	tb.Helper()
	before := takeSnapshot()
	t := newT(tb, c, f, cfg)
	t.before = before
	defer t.mute() // goroutines that a failed case has left behind have nobody to tell
	done := make(chan struct{})
	go t.run(done)
	if !t.watch(done) {
		return "", 0
	}
	if t.failed.Load() {
		// What a failed case has left behind says nothing.
		return "", 0
	}
	if leak := before.leaks(); leak != "" {
		tb.Errorf("%s %s: the case left something behind:\n%s", c.ID, c.Name, leak)
		return t.skipped, 0
	}
	return t.skipped, before.grown()
}

// missing says which of its needs the engine does not declare.
func (c *Case) missing(f api.Features) string {
	var names []string
	for code := range api.OpCode(api.OpCount) {
		if c.Ops.Has(code) && !f.HasOp(code) {
			names = append(names, "operation "+code.String())
		}
	}
	if lacks := c.Requires &^ (f.Native | f.Emulated); lacks != 0 {
		names = append(names, "feature "+lacks.String())
	}
	if len(names) == 0 {
		return ""
	}
	return "the engine does not declare " + strings.Join(names, ", ")
}
