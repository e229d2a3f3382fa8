//go:build unix

package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// TestGroupsAlike has each backend receive the same data, at random, into a group that is resized and whose leases come back at random, and
// compares what each of them has said: results, flags, pieces, and what is left. uring does it with and without the kernel's help.
func TestGroupsAlike(t *testing.T) {
	type engine struct {
		name string
		open func(*api.Options) (api.Engine, error)
		opt  api.Options
	}
	var engines []engine
	for _, b := range backends {
		engines = append(engines, engine{b.name, b.open, api.Options{}})
		if b.name == "uring" {
			engines = append(engines, engine{"uring without bundles and incremental buffers", b.open, api.Options{Disable: api.KernBundles | api.KernIncremental}})
		}
	}
	const seeds = 100
	for seed := range uint64(seeds) {
		var first []string
		for i, k := range engines {
			b := backend{k.name, k.open}
			e, err := k.open(&k.opt)
			if err != nil {
				b.need(t, &k.opt)
			}
			g := &groupScript{r: rand.New(rand.NewPCG(seed, 2)), room: rand.New(rand.NewPCG(seed, 3)), e: e}
			err = g.run(200)
			if c := e.Close(); err == nil {
				err = c
			}
			g.close()
			if err != nil {
				t.Fatalf("seed %d: %s: %v\nafter\n%s", seed, k.name, err, strings.Join(g.log[max(len(g.log)-10, 0):], "\n"))
			}
			if i == 0 {
				first = g.log
				continue
			}
			for l := range first {
				if l >= len(g.log) || first[l] != g.log[l] {
					t.Fatalf("seed %d, line %d: %s and %s differ:\n%s\n%s\nafter\n%s", seed, l, engines[0].name, k.name, first[l], append(g.log, "(the end)")[min(l, len(g.log))],
						strings.Join(first[max(l-10, 0):l], "\n"))
				}
			}
		}
	}
}

// groupScript is a random sequence of steps, the same for the same seed.
type groupScript struct {
	r    *rand.Rand
	room *rand.Rand // of Complete, which is not called as often by each backend
	e    api.Engine
	g    api.BufferGroup
	log  []string

	socks [4]scriptSocket // the last takes datagrams
	held  []api.Lease
	low   int
	dst   [16]api.Completion
}

type scriptSocket struct {
	rx, tx int
	armed  bool // a receive is in flight
	id     api.OpID
	sent   int   // bytes in the socket
	at     int   // of the stream, what is to come next
	grams  []int // the sizes of the datagrams in the socket
}

func (g *groupScript) run(steps int) error {
	o := api.BufferGroupOptions{Count: 1 << g.r.IntN(4), Max: 16, Size: 1 + g.r.IntN(40), Incremental: g.r.IntN(2) == 0, LowWater: 2,
		OnLow: func(api.BufferGroup) { g.low++ }}
	var err error
	if g.g, err = g.e.NewBufferGroup(o); err != nil {
		return err
	}
	for i := range g.socks {
		typ := unix.SOCK_STREAM
		if i == len(g.socks)-1 {
			typ = unix.SOCK_DGRAM
		}
		p, err := unix.Socketpair(unix.AF_UNIX, typ, 0)
		if err != nil {
			return err
		}
		g.socks[i].rx, g.socks[i].tx = p[0], p[1]
	}
	for range steps {
		i := g.r.IntN(len(g.socks))
		switch k := g.r.IntN(11); {
		case k == 10:
			err = g.cancel(i)
		case k < 4:
			err = g.put(i)
		case k < 6:
			err = g.receive(i, g.r.IntN(2) == 0, g.r.IntN(2) == 0)
		case k < 9:
			err = g.release(g.r.IntN(len(g.held) + 1))
		default:
			n := 1 + g.r.IntN(16)
			err = g.g.Resize(n)
			g.say("resize to %d", n)
		}
		if err != nil {
			return err
		}
	}
	return g.release(len(g.held))
}

func (g *groupScript) say(format string, args ...any) {
	g.log = append(g.log, fmt.Sprintf(format, args...)+fmt.Sprintf(": %d of %d left, OnLow %d", g.g.Available(), g.g.Count(), g.low))
}

func (g *groupScript) put(i int) error {
	s := &g.socks[i]
	b := make([]byte, 1+g.r.IntN(120))
	for k := range b {
		b[k] = byte(s.at + s.sent + k)
	}
	if n, err := unix.Write(s.tx, b); n != len(b) || err != nil {
		return fmt.Errorf("write: %d, %w", n, err)
	}
	s.sent += len(b)
	if i == len(g.socks)-1 {
		s.grams = append(s.grams, len(b))
	}
	g.say("put %d into %d", len(b), i)
	return g.settle(i)
}

func (g *groupScript) receive(i int, multishot, bundle bool) error {
	s := &g.socks[i]
	if s.armed {
		return nil
	}
	op := api.RecvBuffer(s.rx, 0, uint64(i))
	if multishot {
		op = api.RecvMultishot(s.rx, 0, uint64(i))
	}
	if bundle {
		op = op.With(api.Bundle)
	}
	ops := []api.Op{op}
	if n, err := g.e.Submit(ops); n != 1 || err != nil {
		return err
	}
	s.armed, s.id = true, ops[0].ID
	g.say("receive from %d, multishot %v", i, multishot)
	if s.sent > 0 {
		return g.settle(i)
	}
	n, err := g.e.Complete(g.dst[:], api.Wait{})
	if n > 0 && err == nil { // there is no buffer
		g.say("from %d: %d, flags %#x", g.dst[0].Tag, g.dst[0].Res, g.dst[0].Flags)
		s.armed = false
	}
	return err
}

// settle reaps until nothing more can come from the socket i.
func (g *groupScript) settle(i int) error {
	s := &g.socks[i]
	for s.armed && s.sent > 0 {
		n, err := g.e.Complete(g.dst[:1+g.room.IntN(len(g.dst))], api.Wait{Min: 1, Deadline: api.After(crossWait)})
		if err != nil || n == 0 {
			return fmt.Errorf("%d completions: %w", n, err)
		}
		for k := range g.dst[:n] {
			c := &g.dst[k]
			g.log = append(g.log, fmt.Sprintf("from %d: %d, flags %#x, %d bytes", c.Tag, c.Res, c.Flags, len(c.Buf)))
			if int(c.Tag) != i {
				return fmt.Errorf("a completion of %d when it was the turn of %d", c.Tag, i)
			}
			for k, x := range c.Buf {
				if x != byte(s.at+k) {
					return fmt.Errorf("byte %d of the stream %d is %d", s.at+k, i, x)
				}
			}
			n := len(c.Buf)
			if n > 0 && len(s.grams) > 0 { // the rest of it is lost
				n, s.grams = s.grams[0], s.grams[1:]
			}
			s.at, s.sent = s.at+n, s.sent-n
			if c.Lease != 0 {
				g.held = append(g.held, c.Lease)
			}
			if !c.More() {
				s.armed = false
			}
		}
	}
	g.say("settled")
	return nil
}

// cancel ends a receive that waits.
func (g *groupScript) cancel(i int) error {
	s := &g.socks[i]
	if !s.armed {
		return nil
	}
	if n, err := g.e.CancelSync(api.Cancel(s.id, 0), crossWait); n != 1 || err != nil {
		return fmt.Errorf("CancelSync: %d, %w", n, err)
	}
	n, err := g.e.Complete(g.dst[:], api.Wait{Min: 1, Deadline: api.After(crossWait)})
	if n != 1 || err != nil || g.dst[0].Err() != api.ErrCanceled || g.dst[0].Tag != uint64(i) {
		return fmt.Errorf("%d completions, %+v, %w", n, g.dst[0], err)
	}
	s.armed = false
	g.say("cancel %d", i)
	return nil
}

func (g *groupScript) release(n int) error {
	for range n {
		k := g.r.IntN(len(g.held))
		if err := g.g.Release(g.held[k]); err != nil {
			return err
		}
		if err := g.g.Release(g.held[k]); err != api.ErrLease {
			return fmt.Errorf("second release: %w", err)
		}
		g.held[k] = g.held[len(g.held)-1]
		g.held = g.held[:len(g.held)-1]
	}
	g.say("release %d", n)
	return nil
}

func (g *groupScript) close() {
	for i := range g.socks {
		_ = unix.Close(g.socks[i].rx) // nothing depends on it
		_ = unix.Close(g.socks[i].tx)
	}
}
