package fifo

import (
	"testing"

	"pgregory.net/rapid"
)

// TestOrderOverGrowthAndWrap compares the queue with a list.
func TestOrderOverGrowthAndWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Queue[int]
		var m []int
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 50).Draw(t, "n") {
					q.Push(next)
					m = append(m, next)
					next++
				}
			},
			"pop": func(t *rapid.T) {
				for range min(len(m), rapid.IntRange(1, 60).Draw(t, "n")) {
					if v := q.Pop(); v != m[0] {
						t.Fatalf("got %d, want %d", v, m[0])
					}
					m = m[1:]
				}
			},
			"replace": func(t *rapid.T) {
				if len(m) == 0 {
					t.Skip("it is empty")
				}
				i := rapid.IntRange(0, len(m)-1).Draw(t, "i")
				*q.At(i), m[i] = -next, -next
			},
			"": func(t *rapid.T) {
				if q.Len() != len(m) {
					t.Fatalf("length %d, want %d", q.Len(), len(m))
				}
				for i, want := range m {
					if v := *q.At(i); v != want {
						t.Fatalf("At(%d) is %d, want %d", i, v, want)
					}
				}
			},
		})
	})
}

func TestNoAllocationOnceGrown(t *testing.T) {
	var q Queue[int]
	step := func() {
		for i := range 100 {
			q.Push(i)
		}
		for q.Len() > 0 {
			q.Pop()
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
