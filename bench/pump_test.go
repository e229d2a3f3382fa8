//go:build unix

package bench

import "github.com/sluiceio/sluice/api"

// pump hands out the completions of an engine one at a time, and goes to the engine for more when it
// has none left. What handle appends to ops is submitted then, all at once.
type pump struct {
	engine api.Engine
	ops    []api.Op
	done   []api.Completion
	ready  []api.Completion // of done, not handed out yet
	refill func() error     // called, off the clock, before the engine is; nil: nothing
	handle func(p *pump, c *api.Completion) error

	pending []api.OpID // of timeouts that do not fire
}

func newPump(e api.Engine, batch int, handle func(p *pump, c *api.Completion) error) *pump {
	return &pump{engine: e, ops: make([]api.Op, 0, batch), done: make([]api.Completion, batch), handle: handle}
}

// next handles one completion.
func (p *pump) next() error {
	if len(p.ready) == 0 {
		if err := p.turn(); err != nil {
			return err
		}
	}
	c := &p.ready[0]
	p.ready = p.ready[1:]
	return p.handle(p, c)
}

func (p *pump) turn() error {
	if p.refill != nil {
		if err := p.refill(); err != nil {
			return err
		}
	}
	if len(p.ops) > 0 {
		if _, err := p.engine.Submit(p.ops); err != nil {
			return err
		}
		p.ops = p.ops[:0]
	}
	n, err := p.engine.Complete(p.done, api.Wait{Min: 1})
	p.ready = p.done[:n]
	return err
}

// exchange submits ops, waits for want completions, and returns them.
func (p *pump) exchange(ops []api.Op, want int) ([]api.Completion, error) {
	if _, err := p.engine.Submit(ops); err != nil {
		return nil, err
	}
	n, err := p.engine.Complete(p.done, api.Wait{Min: want})
	return p.done[:n], err
}
