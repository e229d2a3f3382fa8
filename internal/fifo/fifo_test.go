package fifo

import "testing"

func TestOrderOverGrowthAndWrap(t *testing.T) {
	var q Queue[int]
	in, out := 0, 0
	for round := range 500 {
		for range round % 7 {
			q.Push(in)
			in++
		}
		for range min(q.Len(), round%5) {
			if v := q.Pop(); v != out {
				t.Fatalf("got %d, want %d", v, out)
			}
			out++
		}
	}
	for i := range q.Len() {
		if v := *q.At(i); v != out+i {
			t.Fatalf("At(%d) is %d, want %d", i, v, out+i)
		}
	}
	if q.Len() != in-out {
		t.Fatalf("length %d, want %d", q.Len(), in-out)
	}
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
