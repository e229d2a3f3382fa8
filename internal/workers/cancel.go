package workers

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
)

// asked is a cancel whose answer has to wait until its target has come back from a worker.
type asked struct{ target, by api.OpID }

// Cancel implements core.Driver.Cancel for an operation that is in the pool. What a worker has begun goes on; but a
// splice that comes back because it would have to wait does so no more, so that the answer is known by then only.
func (p *Pool) Cancel(e *core.Engine, s, by *core.Slot) core.CancelResult {
	if p.Withdraw(s) {
		e.End(s, -int32(api.ECanceled))
		return core.Ended
	}
	if !attempt.TwoFiles(s.Op.Code) {
		return core.Unstoppable
	}
	if by != nil {
		p.asks = append(p.asks, asked{s.ID(), by.ID()})
	}
	return core.Pending
}

// Answer answers the cancel of the operation target, if there is one, which has ended with res.
func (p *Pool) Answer(e *core.Engine, target api.OpID, res int32) {
	for i, a := range p.asks {
		if a.target != target {
			continue
		}
		p.asks = append(p.asks[:i], p.asks[i+1:]...)
		if res != -int32(api.ECanceled) {
			res = -int32(syscall.EALREADY)
		} else {
			res = 0
		}
		if by := e.Lookup(a.by.Slot(), a.by.Generation()); by != nil {
			e.CancelDone(by, res)
		}
		return
	}
}
