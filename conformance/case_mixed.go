//go:build unix

package conformance

import (
	"math/rand/v2"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// mixedSource is a stream or pipe of a case that reads from many, in one of several ways.
type mixedSource struct {
	r, w      int
	kind      int // of the operation that reads from it
	tag       uint64
	id        api.OpID
	on        bool // the operation is in flight
	sent, got int
	m         api.Msg
}

// the kinds of operations of a mixedSource, over and over.
const (
	mixedRecv = iota
	mixedRead
	mixedMessage
	mixedOnce
	mixedKinds
)

func (s *mixedSource) op() api.Op {
	switch s.kind {
	case mixedRecv:
		return api.RecvMultishot(s.r, 0, s.tag)
	case mixedRead:
		return api.ReadMultishot(s.r, 0, s.tag)
	case mixedMessage:
		return api.RecvMsgMultishot(s.r, 0, &s.m, s.tag)
	}
	return current(s.r, 0, s.tag)
}

// mixed is a case in which operations of all kinds share a group of few buffers, and are cancelled and started again.
type mixed struct {
	*T
	g    api.BufferGroup
	all  []*mixedSource
	held []api.Lease
	data string
	rnd  *rand.Rand
}

// take looks at a completion: the data must be what comes next in its source.
func (x *mixed) take(c *api.Completion) {
	x.tb.Helper()
	if c.Tag >= uint64(len(x.all)) {
		return // of a cancel, which may have come too late
	}
	s := x.all[c.Tag]
	s.on = c.More()
	if !c.Flags.Has(api.Buffer) {
		switch int(c.Res) {
		case ecanceled, neg(unix.ENOBUFS):
		default:
			x.Fatalf("the source %d: %s", c.Tag, show(c))
		}
		return
	}
	b := c.Buf
	if c.Code == api.OpRecvMsg {
		p, ok := api.PartsOf(b, &s.m)
		if !ok {
			x.Fatalf("no message: %s", show(c))
		}
		b = p.Payload
	}
	if want := x.data[s.got : s.got+len(b)]; string(b) != want || len(b) == 0 {
		x.Fatalf("the source %d, at %d: got %s, want %s", c.Tag, s.got, quote(string(b)), quote(want))
	}
	s.got += len(b)
	x.held = append(x.held, c.Lease)
}

// step does one thing at random.
func (x *mixed) step() {
	s := x.all[x.rnd.IntN(len(x.all))]
	switch n := x.rnd.IntN(10); {
	case n < 4 && s.sent-s.got < 4096:
		k := 1 + x.rnd.IntN(300)
		x.Put(s.w, x.data[s.sent:s.sent+k])
		s.sent += k
	case n < 6 && !s.on:
		s.id, s.on = x.Submit(s.op())[0], true
	case n < 7 && s.on:
		x.Submit(api.Cancel(s.id, uint64(len(x.all))))
	case len(x.held) > 0:
		i := x.rnd.IntN(len(x.held))
		x.Release(x.g, x.held[i])
		x.held[i] = x.held[len(x.held)-1]
		x.held = x.held[:len(x.held)-1]
	}
}

func (x *mixed) reap(wait bool) {
	if wait {
		x.more("anything")
	} else {
		x.Perform()
	}
	for _, c := range x.stash {
		x.take(&c)
	}
	x.stash = x.stash[:0]
}

var mixedCases = []Case{
	{
		ID: "BUF-9", Name: "all kinds of operations at random",
		Explanation: "Reads, receives and messages that share a group of few buffers, are cancelled, and run out of buffers, lose no byte and no buffer.",
		Requires:    bufferFeats | readMultishotFeats | recvMsgFeats,
		Ops:         recvOnly | readOnly | readAndMore | recvMsgOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			const size = 256
			x := &mixed{T: t, data: pattern(1 << 20), rnd: rand.New(rand.NewPCG(1, 2))}
			x.g = t.Group(api.BufferGroupOptions{Count: 8, Size: size})
			for i := range 16 {
				s := &mixedSource{kind: i % mixedKinds, tag: uint64(i)}
				if s.kind == mixedRead && i%8 < 4 {
					s.r, s.w = t.Pipe(false)
				} else {
					s.r, s.w = t.Pair(i%2 == 0)
				}
				x.all = append(x.all, s)
			}
			for range 4000 {
				x.step()
				if x.rnd.IntN(3) == 0 {
					x.reap(false)
				}
			}
			for _, s := range x.all { // the rest
				for s.got < s.sent || s.on {
					for _, l := range x.held {
						t.Release(x.g, l)
					}
					x.held = x.held[:0]
					switch {
					case s.got == s.sent:
						t.Submit(api.Cancel(s.id, uint64(len(x.all))))
					case !s.on:
						s.id, s.on = t.Submit(s.op())[0], true
					}
					x.reap(true)
				}
			}
			for x.InFlight() > 0 {
				x.reap(true)
			}
			for _, l := range x.held {
				t.Release(x.g, l)
			}
			t.available(x.g, 8)
			total := 0
			for _, s := range x.all {
				total += s.got
			}
			t.Logf("%d bytes in %d completions", total, t.Engine.Stats().Completions)
		},
	},
}
