package matrix

import (
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// TestColumns: the operations of the columns are as they say, and each feature is off in one.
func TestColumns(t *testing.T) {
	left := api.KernAll
	for _, c := range lacking() {
		left &^= c.Options.Disable
	}
	if left != 0 {
		t.Errorf("no column switches off %v: put it into one of those above", left)
	}
	for _, c := range []struct {
		version string
		has     api.OpSet
		lacks   api.OpSet
	}{
		{"5.10", api.Ops(api.OpSend, api.OpOpenat2, api.OpTee), api.Ops(api.OpShutdown, api.OpMkdirat, api.OpSocket, api.OpPipe)},
		{"5.15", api.Ops(api.OpShutdown, api.OpMkdirat), api.Ops(api.OpMsgRing, api.OpSocket)},
		{"6.1", api.Ops(api.OpSocket, api.OpSendMsgZC), api.Ops(api.OpWaitid, api.OpBind)},
	} {
		off := like(c.version, 0).Options.DisableOps
		if off&c.has != 0 || off&c.lacks != c.lacks || off&api.UringNeeds != 0 {
			t.Errorf("Linux %s is taken to lack %v", c.version, off)
		}
	}
}

// TestColumnNames: a column is one part of a subtest's name, and no backend has two of a name.
func TestColumnNames(t *testing.T) {
	for _, b := range Backends {
		seen := map[string]bool{}
		for _, c := range Columns(b, true) {
			if c.Name == "" || strings.ContainsAny(c.Name, "/ #") || seen[c.Name] {
				t.Errorf("%s has a column called %q", b, c.Name)
			}
			seen[c.Name] = true
		}
		for _, c := range Columns(b, false) {
			if !seen[c.Name] {
				t.Errorf("the short list of %s has %s, and the full one has it not", b, c.Name)
			}
		}
	}
}

// closer is an engine that can be closed, and has no features.
type closer struct {
	api.Engine
	closed int
}

func (c *closer) Close() error           { c.closed++; return nil }
func (c *closer) Features() api.Features { return api.Features{Native: api.FeatQueueResize} }

// TestLacks: a column says what an engine lacks for it, closes the engine, and wraps no other than that it opens.
func TestLacks(t *testing.T) {
	e := &closer{}
	open := func(*api.Options) (api.Engine, error) { return e, nil }
	c := Column{Need: api.FeatQueueResize, Wrap: resizeAlways}
	if why, err := c.Lacks(open); why != "" || err != nil || e.closed != 1 {
		t.Errorf("%q, %v, closed %d times", why, err, e.closed)
	}
	c.Need |= api.FeatFixedBuffers
	if why, err := c.Lacks(open); why != "this kernel lacks "+api.FeatFixedBuffers.String() || err != nil || e.closed != 2 {
		t.Errorf("%q, %v, closed %d times", why, err, e.closed)
	}
	if got, err := c.On(open)(nil); err != nil || got.(*resizing).Engine != api.Engine(e) {
		t.Errorf("%v, %v", got, err)
	}
	no := func(*api.Options) (api.Engine, error) { return nil, api.ErrUnavailable }
	if _, err := c.On(no)(nil); err != api.ErrUnavailable {
		t.Errorf("%v", err)
	}
	if _, err := c.Lacks(no); err != api.ErrUnavailable {
		t.Errorf("%v", err)
	}
}
