package conformance_test

import (
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
)

// TestSkips checks that a case which the engine does not declare the needs of, or that Config.Skip names, says why
// it did not run.
func TestSkips(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	open := func(o *api.Options) (api.Engine, error) {
		e, err := b.open(o)
		if err != nil {
			return nil, err
		}
		return &mutant{Engine: e, features: func(api.Features) api.Features {
			return api.Features{OpsEmulated: api.Ops(api.OpNop)}
		}}, nil
	}
	ran := 0
	for _, c := range conformance.Cases() {
		r := &recorder{t: t}
		cfg := &conformance.Config{Skip: map[string]string{"SUB-4": "the engine under it does more than it declares", "SUB-11": "the same", "ENG-12": "the same", "RNG-53": "the same", "CMP-13-nop": "for this test"}}
		why := c.Run(r, open, cfg)
		if r.Failed() {
			t.Errorf("%s: %s", c.Path(), r.first())
		}
		switch needs := c.Requires != 0 || c.Ops&^api.Ops(api.OpNop) != 0; {
		case c.ID == "SUB-4", c.ID == "SUB-11", c.ID == "ENG-12", c.ID == "RNG-53", c.ID == "CMP-13":
			if !strings.Contains(why, "Config.Skip") {
				t.Errorf("%s: %q", c.Path(), why)
			}
		case needs && !strings.Contains(why, "does not declare"):
			t.Errorf("%s needs what the engine does not declare, and was skipped with %q", c.Path(), why)
		case !needs && why != "":
			t.Errorf("%s needs nothing, and was skipped: %s", c.Path(), why)
		case !needs:
			ran++
		}
	}
	if ran < 10 {
		t.Errorf("only %d cases have run", ran)
	}
}
