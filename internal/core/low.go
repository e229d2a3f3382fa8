package core

import "github.com/sluiceio/sluice/api"

// low is what a group keeps to call OnLow with.
//
//	high ──falls──▶ fell ──OnLow──▶ told
//	 ▲                │              │
//	 └────rises───────┴──────────────┘
type low struct {
	water int
	call  func(api.BufferGroup)
	state lowState
}

type lowState uint8

const (
	lowHigh lowState = iota
	lowFell          // it is in Engine.lows
	lowTold
)

// taken counts a buffer as out.
func (g *Group) taken() {
	g.out++
	if g.low.water > 0 && g.low.state == lowHigh && g.Available() < g.low.water && g.low.call != nil {
		g.low.state = lowFell
		g.e.lows = append(g.e.lows, g)
	}
}

// rise is called when there is more than there was. Who is in Engine.lows already stays there: callLow looks again.
func (g *Group) rise() {
	if g.low.state == lowTold && g.Available() >= g.low.water {
		g.low.state = lowHigh
	}
}

// callLow calls OnLow of the groups that have fallen below their water mark. They may submit, release, resize and make groups, but make no turn.
func (e *Engine) callLow() {
	e.calling = true
	defer func() { e.calling = false }() // also when one of them panics
	for i := 0; i < len(e.lows); i++ {
		g := e.lows[i]
		if g.low.state = lowHigh; g.closed || g.Available() >= g.low.water {
			continue
		}
		g.low.state = lowTold
		g.low.call(g)
	}
	clear(e.lows)
	e.lows = e.lows[:0]
}

// enterWait is enter for what makes turns, which nothing called in a Complete may do.
func (e *Engine) enterWait() error {
	if err := e.enter(); err != nil {
		return err // also in another goroutine, which must not look at calling
	}
	if e.calling {
		return api.ErrReentrant
	}
	return nil
}
