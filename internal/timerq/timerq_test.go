package timerq

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is what Queue should do, by a slice in the order of expiry.
type model []struct {
	when int64
	id   int32
}

func (m *model) remove(id int32) bool {
	n := len(*m)
	*m = slices.DeleteFunc(*m, func(e struct {
		when int64
		id   int32
	}) bool {
		return e.id == id
	})
	return len(*m) < n
}

func (m *model) push(when int64, id int32) {
	m.remove(id)
	at := len(*m)
	for at > 0 && (*m)[at-1].when > when {
		at--
	}
	*m = slices.Insert(*m, at, struct {
		when int64
		id   int32
	}{when, id})
}

// verify checks the heap order and that pos and heap agree.
func (q *Queue) verify() error {
	n := 0
	for id, p := range q.pos {
		if p == 0 {
			continue
		}
		n++
		if int(p) > len(q.heap) || q.heap[p-1].id != int32(id) {
			return fmt.Errorf("pos[%d] = %d is wrong", id, p)
		}
	}
	if n != len(q.heap) {
		return fmt.Errorf("%d positions for %d entries", n, len(q.heap))
	}
	for i := 1; i < len(q.heap); i++ {
		if q.heap[i].before(&q.heap[(i-1)/arity]) {
			return fmt.Errorf("entry %d is before its parent", i)
		}
	}
	return nil
}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Int32Range(0, rapid.Int32Range(0, 120).Draw(t, "ids"))
		when := rapid.Int64Range(-30, rapid.Int64Range(-30, 30).Draw(t, "span")) // a small one makes many equal deadlines
		var q Queue
		var m model
		pop := func(t *rapid.T, now int64) {
			got, ok := q.PopExpired(now)
			if want := len(m) > 0 && m[0].when <= now; ok != want || ok && got != m[0].id {
				t.Fatalf("PopExpired = %d, %v, want %v of %v", got, ok, want, m)
			}
			if ok {
				m.remove(got)
			}
		}
		push := func(t *rapid.T) {
			when, id := when.Draw(t, "when"), id.Draw(t, "id")
			q.Push(when, id)
			m.push(when, id)
		}
		t.Repeat(map[string]func(*rapid.T){
			"push":  push,
			"push2": push,
			"pushes": func(t *rapid.T) {
				for range rapid.IntRange(0, 40).Draw(t, "n") {
					push(t)
				}
			},
			"remove": func(t *rapid.T) {
				id := id.Draw(t, "id")
				if got, want := q.Remove(id), m.remove(id); got != want {
					t.Fatalf("Remove(%d) = %v, want %v", id, got, want)
				}
			},
			"pop": func(t *rapid.T) { pop(t, when.Draw(t, "now")) },
			"": func(t *rapid.T) {
				if err := q.verify(); err != nil {
					t.Fatal(err)
				}
				if when, ok := q.Next(); q.Len() != len(m) || ok != (len(m) > 0) || ok && when != m[0].when {
					t.Fatalf("Len %d Next %d %v, model %v", q.Len(), when, ok, m)
				}
			},
		})
		for len(m) > 0 {
			pop(t, math.MaxInt64)
		}
	})
}

func TestEqualDeadlinesAreFIFO(t *testing.T) {
	var q Queue
	const n = 1000
	for id := range int32(n) {
		q.Push(5, id)
	}
	q.Push(5, 0) // again: now the last
	q.Push(5, 1) // and then this one
	for want := int32(2); want < n; want++ {
		if id, ok := q.PopExpired(5); !ok || id != want {
			t.Fatalf("got %d, %v, want %d", id, ok, want)
		}
	}
	for want := range int32(2) {
		if id, ok := q.PopExpired(5); !ok || id != want {
			t.Fatalf("got %d, %v, want %d", id, ok, want)
		}
	}
}

func TestUnknownIDs(t *testing.T) {
	var q Queue
	for _, id := range []int32{-1, 0, 1 << 30} {
		if q.Remove(id) {
			t.Errorf("id %d is known to an empty queue", id)
		}
	}
	if id, ok := q.PopExpired(math.MaxInt64); ok {
		t.Errorf("an empty queue gave %d", id)
	}
}

func TestAllocs(t *testing.T) {
	var q Queue
	const n = 1000
	fill := func() {
		for id := range int32(n) {
			q.Push(int64(id*7919%n), id)
		}
		for id := int32(0); id < n; id += 2 {
			q.Remove(id)
		}
		for q.Len() > 0 {
			q.PopExpired(n)
		}
	}
	fill()
	if got := testing.AllocsPerRun(10, fill); got != 0 {
		t.Errorf("%v allocations once grown, want 0", got)
	}
}

// The common case: a deadline is set, and removed because the operation has ended in time.
func BenchmarkPushRemove(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("timers=%d", n), func(b *testing.B) {
			var q Queue
			rnd := rand.New(rand.NewPCG(1, 2))
			for id := range n {
				q.Push(int64(id)+rnd.Int64N(1000), int32(id))
			}
			now := int64(n)
			b.ReportAllocs()
			for b.Loop() {
				id := int32(rnd.IntN(n))
				q.Remove(id)
				now++
				q.Push(now+rnd.Int64N(1000), id)
			}
		})
	}
}

func BenchmarkPopPush(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("timers=%d", n), func(b *testing.B) {
			var q Queue
			rnd := rand.New(rand.NewPCG(1, 2))
			for id := range n {
				q.Push(rnd.Int64N(1<<30), int32(id))
			}
			b.ReportAllocs()
			for b.Loop() {
				now, _ := q.Next()
				id, _ := q.PopExpired(now)
				q.Push(now+rnd.Int64N(1<<30), id)
			}
		})
	}
}
