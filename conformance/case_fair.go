//go:build unix

package conformance

import (
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// withStrategies are the case once for each way to wait, whichever the suite runs with.
func withStrategies(c Case) []Case {
	block, park, spin := c, c, c
	tune := func(s api.Strategy) func(*api.Options) {
		return func(o *api.Options) {
			if c.Tune != nil {
				c.Tune(o)
			}
			o.Strategy = s
		}
	}
	block.Name, block.Tune = c.Name+" blocked", tune(api.Block())
	park.Name, park.Tune = c.Name+" parked", tune(api.Park())
	park.Requires |= api.FeatPark
	spin.Name, spin.Tune = c.Name+" spinning", tune(api.Spin(50, api.Block()))
	return []Case{block, park, spin}
}

// fairCases are about those whose turn comes although others are busy.
var fairCases = slices.Concat(withStrategies(Case{
	ID: "CMP-15", Name: "many events that complete nothing",
	Explanation: "A receive completes although hundreds of other files have had events that complete nothing.",
	Needs:       NeedStreams,
	Requires:    api.FeatWaitAll,
	Ops:         recvOnly,
	Fn: func(t *T) {
		const n = 300
		t.needFDs(2 * n)
		var peers [n]int
		ops := make([]api.Op, n)
		for i := range n {
			a, b := t.Pair(false)
			peers[i] = b
			ops[i] = api.Recv(a, make([]byte, 10), uint64(i))
			if i < n-1 {
				ops[i] = ops[i].With(api.WaitAll)
			}
		}
		t.Submit(ops...)
		t.StillPending(n - 1)
		t.pull(1, api.After(2*lookTime))
		for _, b := range peers {
			t.Put(b, "x")
		}
		t.Prompt(n-1, 1)
	},
}), []Case{
	{
		ID: "CMP-16", Name: "completions that always fill dst",
		Explanation: "A timeout, a deadline and a receive that has data complete although others fill dst each time.",
		Needs:       NeedStreams,
		Requires:    api.FeatDeadlines,
		Ops:         api.Ops(api.OpNop, api.OpTimeout, api.OpRecv),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			idle, _ := t.Pair(false)
			t.Submit(api.Timeout(time.Millisecond, 100), api.Recv(idle, make([]byte, 1), 101).Until(api.After(time.Millisecond)), api.Recv(a, make([]byte, 8), 102))
			t.complete(nil, api.Wait{})
			t.Put(b, "x")
			t.submitNops(4)
			dst := make([]api.Completion, 4)
			seen := map[uint64]int{}
			for end := api.After(promptTime); len(seen) < 3 && api.Now() < end; {
				for _, c := range dst[:t.complete(dst, api.Wait{Min: 1, Deadline: end})] {
					if c.Tag >= 100 {
						seen[c.Tag] = int(c.Res)
						continue
					}
					t.Submit(api.Nop(c.Tag))
				}
			}
			for tag, res := range map[uint64]int{100: etime, 101: etime, 102: 1} {
				if got, ok := seen[tag]; !ok || got != res {
					t.Errorf("of the operation with the tag %d, which should give %d, came %d (%v) within %v", tag, res, got, ok, promptTime)
				}
			}
		},
	},
	{
		ID: "CMP-16", Name: "a timeout of nothing each time",
		Explanation: "A receive that has data completes although each Complete has an expired timeout to deliver.",
		Needs:       NeedStreams,
		Ops:         api.Ops(api.OpTimeout, api.OpRecv),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Submit(api.Recv(a, make([]byte, 8), 1))
				t.StillPending(1)
				t.Put(b, "data")
				dst := make([]api.Completion, 8)
				calls := 0
				for end := api.After(promptTime / 4); calls < 100 || api.Now() < end; calls++ {
					t.Submit(api.Timeout(0, 2))
					for _, c := range dst[:t.complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})] {
						if c.Tag == 1 {
							t.WantRes(&c, 4)
							return
						}
					}
				}
				t.Errorf("a receive whose data is there has not completed in %d calls of Complete", calls)
			})
		},
	},
	{
		ID: "MSH-8", Name: "three that are flooded",
		Explanation: "Multishot receives that always have data get about the same share of the completions.",
		Requires:    bufferFeats,
		Ops:         recvOnly,
		Fn:          flood,
	},
})

// flood keeps three connections full and counts what each of their receives delivers. There are buffers for all
// that it sends, for a kernel may receive it as soon as it comes.
func flood(t *T) {
	const n, rounds, size, perRound = 3, 250, 64, 16
	g := t.Group(api.BufferGroupOptions{Count: 1 << 14, Size: size})
	var peers, count [n]int
	for i := range n {
		a, b := t.TCP(false)
		t.nonblock(true, b)
		peers[i] = b
		t.Submit(api.RecvMultishot(a, 0, uint64(i)))
	}
	t.Perform()
	put := func(blocks int) {
		for _, b := range peers {
			if _, err := unix.Write(b, make([]byte, blocks*size)); err != nil && err != unix.EAGAIN && err != unix.EINTR {
				t.must("write", err)
			}
		}
	}
	// What is there at first may well be received from one after the other.
	put(4 * perRound)
	dst := make([]api.Completion, perRound)
	total := 0
	for range rounds {
		put(perRound)
		for _, c := range dst[:t.complete(dst, api.Wait{Min: perRound, Deadline: t.deadline()})] {
			total++
			count[c.Tag]++
			if c.Flags.Has(api.Buffer) {
				t.Release(g, c.Lease)
			}
			if !c.More() {
				t.Fatalf("a multishot receive has ended: %s", show(&c))
			}
		}
	}
	if slices.Min(count[:]) < total/5 {
		t.Errorf("of %d completions the three receives got %v", total, count)
	}
}
