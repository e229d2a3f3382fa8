package core

import (
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
)

// published is what other goroutines may read of the counters. The owner stores a counter only
// when it has changed, for an atomic store costs more than counting.
type published struct {
	v [10]atomic.Uint64
}

func (e *Engine) publish() {
	c := e.drv.Counters()
	inFlight := e.submitted - e.ended
	if e.ending {
		inFlight = uint64(e.told)
	}
	for i, n := range [...]uint64{e.submitted, e.completed, inFlight, c.Enters, c.Waits, c.Overflows, c.Blocking, c.PoolDepth, c.Stale, c.PoolQueued} {
		if e.pub.v[i].Load() != n {
			e.pub.v[i].Store(n)
		}
	}
}

// Stats implements api.Engine. The counters are those of the end of the last Complete.
func (e *Engine) Stats() api.Stats {
	v := &e.pub.v
	return api.Stats{
		Submitted: v[0].Load(), Completions: v[1].Load(), InFlight: v[2].Load(),
		Enters: v[3].Load(), Waits: v[4].Load(), Overflows: v[5].Load(),
		Blocking: v[6].Load(), PoolDepth: v[7].Load(), Stale: v[8].Load(),
		PoolQueued: v[9].Load(), Wakes: e.wake.calls.Load(),
	}
}
