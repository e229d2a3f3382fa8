package readiness

import (
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
)

// How long an operation waits before it is tried again that nothing tells about; the pause doubles while
// there is any.
const (
	pauseMin = time.Millisecond
	pauseMax = 10 * time.Millisecond
)

// later is a list of operations that are tried again after a pause.
type later struct {
	list  []*core.Slot
	spare []*core.Slot
	at    api.Instant
	pause time.Duration
}

// add puts s on the list.
func (l *later) add(s *core.Slot) {
	if len(l.list) == 0 {
		// One that comes and goes shall not be asked about at the shortest pause for ever.
		if l.pause == 0 || api.Now() > l.at.Add(2*pauseMax) {
			l.pause = pauseMin
		} else {
			l.pause = min(2*l.pause, pauseMax)
		}
		l.at = api.After(l.pause)
	}
	l.list = append(l.list, s)
}

// remove takes s off the list, if it is on it.
func (l *later) remove(s *core.Slot) {
	for i := range l.list {
		if l.list[i] == s {
			l.list = append(l.list[:i], l.list[i+1:]...)
			return
		}
	}
}

// left is how long there is until the next attempt, negative when there is none.
func (l *later) left() time.Duration {
	if len(l.list) == 0 {
		return -1
	}
	return max(l.at.Sub(api.Now()), 0)
}

// runSoon tries again what nothing tells about. Polls among them are looked at in each turn: when what they
// have reported does not hold any more, the Poller can be asked for it again.
func (d *driver) runSoon() {
	l := &d.soon
	if len(l.list) == 0 {
		return
	}
	due := api.Now() >= l.at
	pause := min(2*l.pause, pauseMax)
	list := l.list
	l.list, l.spare = l.spare[:0], list
	for _, s := range list {
		if due && d.e.Room() > 0 {
			if s.Op.Code == api.OpWaitid {
				d.free(s)
			} else {
				d.run(d.file(s.Op.FD), s)
			}
			continue
		}
		if s.Op.Code == api.OpPoll && s.Op.Flags&api.Multishot != 0 {
			if _, v := d.try.Try(s); v != attempt.Done {
				d.park(d.file(s.Op.FD), s, v)
				continue
			}
		}
		l.list = append(l.list, s)
	}
	if due && len(l.list) > 0 {
		l.pause, l.at = pause, api.After(pause)
	}
}
