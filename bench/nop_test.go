//go:build unix

package bench

import (
	"fmt"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// BenchmarkNop is what an operation costs that does nothing: submitting, the way through the engine, reaping.
func BenchmarkNop(b *testing.B) { measure(b, nops()) }

func nops() (list []scenario) {
	for _, name := range backends {
		for _, batch := range []int{1, 32, 256} {
			list = append(list, scenario{
				name:  fmt.Sprintf("backend=%s/batch=%d", name, batch),
				steps: func(r *rig) func() error { return nop(r.open(name, api.Block()), batch) },
			})
		}
	}
	return list
}

func nop(e api.Engine, batch int) func() error {
	p := newPump(e, batch, func(p *pump, c *api.Completion) error {
		if c.Res != 0 || c.Code != api.OpNop {
			return fmt.Errorf("a nop gave %+v", *c)
		}
		p.ops = append(p.ops, api.Nop(c.Tag))
		return nil
	})
	for i := range batch {
		p.ops = append(p.ops, api.Nop(uint64(i)))
	}
	return p.next
}
