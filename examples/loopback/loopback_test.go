package loopback_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/examples/loopback"
)

var caseTimeout = flag.Duration("case-timeout", 0, "how long a case may take; 0 is as long as the suite has it")

// noBootClock is why two cases are left out.
const noBootClock = "the standard library does not read CLOCK_BOOTTIME, so that a timeout by it is EINVAL"

// config is what the suite needs to know of an engine that has streams of its own.
func config(n *loopback.Net) *conformance.Config {
	return &conformance.Config{
		Streams: n,
		Timeout: *caseTimeout,
		Skip:    map[string]string{"TMO-21-boottime": noBootClock, "TMO-26-boottime": noBootClock},
	}
}

func TestConformance(t *testing.T) {
	n := loopback.NewNet()
	conformance.Run(t, n.Open, config(n))
}

func TestAllocs(t *testing.T) {
	n := loopback.NewNet()
	conformance.RunAllocs(t, n.Open, config(n))
}

// stages are the steps of docs/WRITING_A_BACKEND.md: what an engine has when it has come so far.
var stages = []struct {
	name  string
	ops   []api.OpCode
	feats api.Feature
}{
	{"nop", []api.OpCode{api.OpNop}, api.FeatPark},
	{"timeout", []api.OpCode{api.OpTimeout, api.OpTimeoutRemove}, api.FeatDeadlines},
	{"transfer", []api.OpCode{api.OpRecv, api.OpSend, api.OpShutdown}, api.FeatOrdered | api.FeatWaitAll | api.FeatDontWait},
	{"cancel", []api.OpCode{api.OpCancel}, api.FeatCancelFD},
	{"close", []api.OpCode{api.OpClose}, api.FeatSafeClose},
	{"post", []api.OpCode{api.OpMsgRing}, api.FeatPost},
}

// TestStages runs the cases that each step makes possible. They are those of TestConformance, in another order.
func TestStages(t *testing.T) {
	n := loopback.NewNet()
	var ops api.OpSet
	var feats api.Feature
	ran := map[string]bool{}
	streams := slices.ContainsFunc(conformance.Cases(), func(c conformance.Case) bool { return c.Needs == conformance.NeedStreams }) // not on every platform
	for _, s := range stages {
		ops |= api.Ops(s.ops...)
		feats |= s.feats
		t.Run(s.name, func(t *testing.T) {
			some := 0
			for _, c := range conformance.Cases() {
				if ran[c.Path()] || c.Ops&^ops != 0 || c.Requires&^feats != 0 {
					continue
				}
				ran[c.Path()] = true
				t.Run(c.Path(), func(t *testing.T) {
					if why := c.Run(t, n.Open, config(n)); why != "" {
						t.Skip(why)
					}
					some++
				})
			}
			t.Logf("%d cases", some)
			if some == 0 && streams {
				t.Error("no case has run")
			}
		})
	}
}

func BenchmarkEngine(b *testing.B) {
	n := loopback.NewNet()
	conformance.RunBenchmarks(b, n.Open, config(n))
}

// driver makes a Net a backend that can be opened by name.
type driver struct{ *loopback.Net }

func (driver) Name() string { return "loopback" }

func (d driver) Probe() (api.Features, error) {
	e, err := d.Open(nil)
	if err != nil {
		return api.Features{}, err
	}
	return e.Features(), e.Close()
}

func TestRegister(t *testing.T) {
	t.Setenv(backend.Env, "")
	var r backend.Registry // a program uses backend.Register, and so the one that all of it shares
	r.Register(driver{loopback.NewNet()})
	e, err := r.Open("loopback", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.Name() != "loopback" {
		t.Errorf("the engine is called %q", e.Name())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	for _, s := range r.Probe() {
		if s.Name == "loopback" && (!s.Available || !s.Features.Has(api.FeatPost)) {
			t.Errorf("Probe says %+v", s)
		}
	}
}

// TestGuide checks that the code in the guide is the code of this package.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "WRITING_A_BACKEND.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 2 {
		t.Fatalf("the files of this package: %v, %v", files, err)
	}
	var code [][]byte
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, src)
	}
	for _, b := range breaks {
		if !regexp.MustCompile(`(?m)^\| ` + b.name + ` \|.*\b` + b.rule + `\b`).Match(guide) {
			t.Errorf("the table of the guide does not say that %s tells when %s", b.rule, b.name)
		}
	}
	excerpts := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(guide), -1)
	if len(excerpts) < 8 {
		t.Errorf("the guide has %d excerpts", len(excerpts))
	}
	for _, e := range excerpts {
		// Parts that are left out are marked by a line of its own.
		for _, part := range strings.Split(e[1], "// …\n") {
			part = strings.TrimRight(part, " \t")
			found := false
			for _, src := range code {
				found = found || bytes.Contains(src, []byte("\n"+part))
			}
			if !found {
				t.Errorf("the guide has code that this package has not:\n%s", part)
			}
		}
	}
}
