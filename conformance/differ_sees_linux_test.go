package conformance_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance/script"
	"github.com/sluiceio/sluice/epoll"
)

// spoiled is an engine that breaks a rule.
type spoiled struct {
	api.Engine
	spoil func(dst []api.Completion, n int) int
}

func (s *spoiled) Complete(dst []api.Completion, w api.Wait) (int, error) {
	n, err := s.Engine.Complete(dst, w)
	return s.spoil(dst, n), err
}

// TestDifferentialSees: what an engine does wrong is in the trace, or is an error.
func TestDifferentialSees(t *testing.T) {
	const program = `pair unix a b
peer write b 30
submit recv a 10 tag=1 ; recv a 10 tag=2 ; send a 5 tag=3
`
	p, err := script.Parse(program)
	if err != nil {
		t.Fatal(err)
	}
	run := func(spoil func([]api.Completion, int) int) (script.Trace, error) {
		e, err := epoll.New(nil)
		if err != nil {
			backend{name: "epoll", open: epoll.New}.need(t, nil)
		}
		return script.Run(p, &spoiled{e, spoil}, 200*time.Millisecond)
	}
	right, err := run(func(_ []api.Completion, n int) int { return n })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(dst []api.Completion, n int) int
		stuck bool
		want  string // in the difference
	}{
		{"loses a completion", func(dst []api.Completion, n int) int { return max(n-1, 0) }, true, ""},
		{"gives one twice", func(dst []api.Completion, n int) int {
			if n > 0 && n < len(dst) {
				dst[n] = dst[n-1]
				n++
			}
			return n
		}, false, "has ended or never was"},
		{"says less than it has moved", func(dst []api.Completion, n int) int {
			for i := range dst[:n] {
				if dst[i].Code == api.OpRecv {
					dst[i].Res--
				}
			}
			return n
		}, false, "9 bytes"},
		{"takes one for another", func(dst []api.Completion, n int) int {
			for i := range dst[:n] {
				dst[i].Tag ^= 3 // 1 and 2 change places
				if dst[i].Tag == 0 {
					dst[i].Tag = 3
				}
			}
			return n
		}, false, "another id"},
		{"fails what has succeeded", func(dst []api.Completion, n int) int {
			for i := range dst[:n] {
				if dst[i].Code == api.OpSend {
					dst[i].Res = -int32(api.ECanceled)
				}
			}
			return n
		}, false, "ECANCELED"},
	} {
		trace, err := run(c.spoil)
		if c.stuck != errors.Is(err, script.ErrStuck) || err != nil && !c.stuck {
			t.Errorf("an engine that %s: %v\n%s", c.name, err, trace)
		}
		if d := script.Diff("right", "wrong", right, trace); !strings.Contains(d, "≠") || !strings.Contains(d, c.want) {
			t.Errorf("an engine that %s shows no %q:\n%s", c.name, c.want, d)
		}
	}
}
