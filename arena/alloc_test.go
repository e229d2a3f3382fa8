//go:build unix && !race

package arena_test

import (
	"os"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

// TestAllocations: that an engine holds the memory of an arena costs no allocation.
func TestAllocations(t *testing.T) {
	eachBackend(t, func(t *testing.T, e api.Engine) {
		a, b := open(t, 1<<16), open(t, 1)
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fd := int(f.Fd())
		m := &api.Msg{Bufs: [][]byte{alloc(t, a, 8, 0), alloc(t, b, 8, 0), alloc(t, a, 8, 0)}}
		part := alloc(t, a, 64, 0)
		if err := e.RegisterBuffers([][]byte{a.Bytes()}); err != nil {
			t.Fatal(err)
		}
		var dst [3]api.Completion
		var ops [3]api.Op
		round := func() {
			ops = [...]api.Op{api.Read(fd, part, 0, 1), api.Readv(fd, m, 0, 2), api.ReadFixed(fd, 0, part, 0, 3)}
			if n, err := e.Submit(ops[:]); n != 3 || err != nil {
				t.Fatalf("Submit: %d, %v", n, err)
			}
			for n := 0; n < 3; {
				got, err := e.Complete(dst[n:], api.Wait{Min: 1, Deadline: api.After(10 * time.Second)})
				if got == 0 || err != nil {
					t.Fatalf("Complete: %d, %v", got, err)
				}
				n += got
			}
		}
		for range 300 {
			round()
		}
		if n := testing.AllocsPerRun(300, round); n != 0 {
			t.Errorf("%v allocations for three operations", n)
		}
		if err := e.UnregisterBuffers(); err != nil {
			t.Fatal(err)
		}
	})
}
