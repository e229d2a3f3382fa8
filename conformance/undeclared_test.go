package conformance_test

import (
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
)

// hides is an engine that does more than it declares.
type hides struct {
	api.Engine
	feat api.Feature
}

func (h *hides) Features() api.Features {
	f := h.Engine.Features()
	f.Native &^= h.feat
	f.Emulated &^= h.feat
	return f
}

// TestUndeclaredFeatures: an engine that does what it does not declare is found out, feature by feature, but for promises.
func TestUndeclaredFeatures(t *testing.T) {
	const promises = api.FeatOrdered | api.FeatSafeClose | api.FeatAsyncFiles
	var cases []conformance.Case
	for _, c := range conformance.Cases() {
		switch c.ID {
		case "SUB-11", "ENG-12", "RNG-8", "RNG-53": // the latter are those of what has rules of its own
			cases = append(cases, c)
		}
	}
	for _, b := range []backend{backends[0], backends[1]} {
		t.Run(b.name, func(t *testing.T) {
			b.need(t, nil)
			e, err := b.open(&api.Options{})
			if err != nil {
				t.Fatal(err)
			}
			has := e.Features()
			e.Close()
			for feat := api.Feature(1); feat <= api.AllFeatures; feat <<= 1 {
				if !has.Has(feat) && feat != api.FeatPark {
					continue
				}
				var r recorder
				r.t = t
				for _, c := range cases {
					c.Run(&r, func(o *api.Options) (api.Engine, error) {
						e, err := b.open(o)
						if err != nil {
							return nil, err
						}
						return &hides{e, feat}, nil
					}, nil)
				}
				if found := r.Failed(); found == promises.Has(feat) {
					t.Errorf("%v, which works and is not declared: found out %v %s", feat, found, r.first())
				}
			}
		})
	}
}

// TestHonestEngine: an engine that has all operations and not one feature, and refuses what asks for them, passes: cases say what they require.
func TestHonestEngine(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	passed := 0
	for _, c := range conformance.Cases() {
		r := &recorder{t: t}
		why := c.Run(r, func(o *api.Options) (api.Engine, error) {
			e, err := b.open(o)
			if err != nil {
				return nil, err
			}
			return lesser(e, o, api.AllFeatures, 0)
		}, nil)
		if r.Failed() {
			t.Errorf("%s: %s", c.Path(), r.first())
		} else if why == "" {
			passed++
		}
	}
	if passed < 20 {
		t.Errorf("only %d cases have passed", passed)
	}
}
