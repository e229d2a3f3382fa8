package reactor

import "github.com/sluiceio/sluice/api"

const (
	gatherMax   = 16        // buffers that are sent at a time
	gatherBytes = 256 << 10 // and bytes, beyond which no further buffer is taken: what is being sent counts as unsent until all of it is
	gathersMax  = 64        // that a loop keeps for later
)

// gather is several buffers that are sent by one operation.
type gather struct {
	msg   api.Msg
	bufs  [gatherMax][]byte
	items [gatherMax]item
	n     int
	bytes int
}

func (g *gather) add(it item) {
	g.items[g.n] = it
	g.bufs[g.n] = it.buf
	g.n++
	g.bytes += len(it.buf)
}

func (g *gather) full() bool { return g.n == gatherMax || g.bytes >= gatherBytes }

func (l *loop) newGather() *gather {
	if n := len(l.gathers); n > 0 {
		g := l.gathers[n-1]
		l.gathers = l.gathers[:n-1]
		return g
	}
	return new(gather)
}

// dropGather gives the buffers of g back, and g.
func (l *loop) dropGather(g *gather) {
	for i := range g.items[:g.n] {
		l.giveBack(&g.items[i])
		g.items[i], g.bufs[i] = item{}, nil
	}
	g.n, g.bytes = 0, 0
	if len(l.gathers) < gathersMax {
		l.gathers = append(l.gathers, g)
	}
}

// giveBack gives the memory of an item back to where it belongs.
func (l *loop) giveBack(it *item) {
	switch {
	case it.lane != nil:
		l.unladen(it.lane)
	case it.buf == nil:
	case it.owner == ownGroup:
		l.held--
		l.release(it.lease)
	case it.owner == ownFiles:
		l.putFileBuf(it.buf)
	default:
		l.chunks.put(it.buf)
	}
}
