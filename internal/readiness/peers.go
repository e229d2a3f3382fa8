package readiness

import (
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/optab"
)

// peers are the files with sends that wait for an event, and are tried from time to time all the same (attempt.WaitsForPeer).
type peers struct {
	list  []*file
	spare []*file // for those whose turn it is
	at    api.Instant
	pause time.Duration // until the look after that
}

// left is how long there is until the next look, negative when there is none.
func (p *peers) left() time.Duration {
	if len(p.list) == 0 {
		return -1
	}
	return max(p.at.Sub(api.Now()), 0)
}

// soon has the next look come as early as any.
func (p *peers) soon() {
	at := api.After(attempt.PeerEvery)
	if len(p.list) == 0 || at < p.at {
		p.at = at
	}
	p.pause = attempt.PeerEvery
}

// watchPeer is called when s has become a waiter of f.
func (d *driver) watchPeer(f *file, s *core.Slot) {
	if f.isPeer || !d.try.WaitsForPeer(s) {
		return
	}
	d.peers.soon()
	f.isPeer = true
	d.peers.list = append(d.peers.list, f)
}

// lookPeers tries what waits, if it is time for that. However many there are, they cost no more than attempt.PeerShare attempts each time; and where
// nothing comes of a look at all of them, the next one is later.
func (d *driver) lookPeers() {
	p := &d.peers
	if len(p.list) == 0 || api.Now() < p.at {
		return
	}
	n := min(len(p.list), attempt.PeerShare)
	if n == len(p.list) {
		p.pause = min(2*p.pause, attempt.PeerSeldom)
	}
	p.at = api.After(p.pause)
	p.spare = append(p.spare[:0], p.list[:n]...)
	p.list = slices.Delete(p.list, 0, n)
	for _, f := range p.spare {
		if f.isPeer = d.lookPeer(f); f.isPeer {
			p.list = append(p.list, f)
		} else {
			p.soon()
		}
	}
	clear(p.spare)
}

// lookPeer tries the sends that wait for f, and says whether any of them goes on waiting.
func (d *driver) lookPeer(f *file) (any bool) {
	if s := f.first[optab.Write]; s != nil {
		any = d.lookSend(f, s)
	}
	for i := 0; i < len(f.loose); {
		s := f.loose[i]
		if isSecond(f, s) || verdictOf(s) == attempt.Writable && s.Op.Code != api.OpPoll {
			any = d.lookSend(f, s) || any
		}
		if i < len(f.loose) && f.loose[i] == s {
			i++
		}
	}
	return any
}

// lookSend tries a send, and says whether it goes on waiting.
func (d *driver) lookSend(f *file, s *core.Slot) bool {
	if d.e.Room() <= 0 {
		return true
	}
	res, bid, v := d.once(f, s)
	if v == attempt.Writable {
		return true
	}
	d.unpark(f, s)
	d.settle(f, s, res, bid, v)
	return f.first[optab.Write] != nil
}
