//go:build unix

package conformance

import (
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/api"
)

// ringFileCases are those of how a ring works that need files.
func ringFileCases() []Case { return slices.Concat(resizeFileCases, batchFileCases) }

var resizeFileCases = []Case{
	{
		ID: "RNG-50", Name: "receives in flight",
		Explanation: "Receives that wait while the queues are resized get their data afterwards, in order, also those that wait for others.",
		Needs:       NeedStreams,
		Requires:    api.FeatQueueResize,
		Ops:         api.Ops(api.OpRecv, api.OpSend),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				bufs := make([][]byte, 6)
				for i := range bufs {
					bufs[i] = make([]byte, 4)
					t.Submit(api.Recv(a, bufs[i], uint64(i)))
					t.Perform()
					t.resize(1<<i, 32<<(i%3))
				}
				for i := range bufs {
					t.Put(b, fmt.Sprintf("%04d", i))
					t.resize(8>>(i%4), 8)
					t.AwaitRes(uint64(i), 4)
					if want := fmt.Sprintf("%04d", i); string(bufs[i]) != want {
						t.Errorf("receive %d got %q", i, bufs[i])
					}
				}
			})
		},
	},
	{
		ID: "RNG-50", Name: "multishot goes on",
		Explanation: "A multishot receive goes on across changes of the queues, and no buffer is lost.",
		Needs:       NeedStreams,
		Requires:    api.FeatQueueResize | api.FeatMultishotRecv | api.FeatBufferGroups,
		Ops:         api.Ops(api.OpRecv, api.OpCancel),
		Fn: func(t *T) {
			g, err := t.Engine.NewBufferGroup(api.BufferGroupOptions{ID: 1, Count: 4, Size: 16})
			if err != nil {
				t.Fatalf("NewBufferGroup: %v", err)
			}
			a, b := t.Pair(false)
			id := t.Submit(api.RecvMultishot(a, 1, 1))[0]
			for i := range 40 {
				want := fmt.Sprintf("%04d", i)
				t.Put(b, want)
				t.resize(1+i%5, 5+i%3)
				c := t.Await(1)
				if string(c.Buf) != want || !c.More() {
					t.Fatalf("got %s with %q, want %q", show(&c), c.Buf, want)
				}
				if err := g.Release(c.Lease); err != nil {
					t.Fatalf("Release: %v", err)
				}
			}
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
		},
	},
	{
		ID: "RNG-51", Name: "order of what waits",
		Explanation: "Completions of a multishot receive that nobody has reaped when the queues become too small keep their order, and come before later ones.",
		Requires:    api.FeatQueueResize | api.FeatMultishotRecv | api.FeatBufferGroups,
		Ops:         api.Ops(api.OpRecv),
		Fn: func(t *T) {
			const n = 8
			if _, err := t.Engine.NewBufferGroup(api.BufferGroupOptions{ID: 1, Count: 4 * n, Size: 16}); err != nil {
				t.Fatalf("NewBufferGroup: %v", err)
			}
			a, b := t.Dgrams()
			t.Submit(api.RecvMultishot(a, 1, 1))
			t.Perform()
			put := 0
			for size := n; size > 0; size /= 2 {
				for range n / 2 {
					t.Put(b, fmt.Sprintf("%04d", put))
					put++
				}
				for range 3 {
					if _, err := t.Engine.Complete(nil, api.Wait{}); err != nil {
						t.Fatalf("Complete: %v", err)
					}
				}
				t.resize(size, size)
			}
			for i := range put {
				if c := t.Await(1); string(c.Buf) != fmt.Sprintf("%04d", i) || !c.More() {
					t.Fatalf("got %s with %q, want %04d", show(&c), c.Buf, i)
				}
			}
		},
	},
}
