package reactor

import (
	"testing"

	"github.com/sluiceio/sluice/api"
)

// twoLeft is a group with two buffers that are free.
type twoLeft struct{ api.BufferGroup }

func (twoLeft) Available() int { return 2 }

// TestFeed has connections wait for a buffer of which the first have died, or are not to be read: the others must have theirs at once, since nothing
// need ever happen again that would have the loop look.
func TestFeed(t *testing.T) {
	l := &loop{group: twoLeft{}}
	for _, st := range []state{stDead, stFull, 0, stPaused, 0, 0} {
		c := &Conn{}
		c.io.set(stOpened | st)
		l.starve(c)
		if st == stDead && !c.io.is(stStarved) { // it has died behind that
			c.io.set(stStarved)
			l.starved = append(l.starved, c)
		}
	}
	last := l.starved[5]
	l.feed()
	if len(l.ops) != 2 || len(l.starved) != 1 || l.starved[0] != last {
		t.Errorf("%d receive, and %d wait; want 2, and the last to wait", len(l.ops), len(l.starved))
	}
}
