package core

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// TestRunQueue compares the queue with a list.
func TestRunQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q runQueue
		var m []api.OpID
		next := api.OpID(1)
		push := func() api.OpID { m, next = append(m, next), next+1; return next - 1 }
		n := rapid.IntRange(0, 20)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range n.Draw(t, "n") {
					q.Push(push())
				}
			},
			"extend": func(t *rapid.T) {
				n, back := n.Draw(t, "n"), n.Draw(t, "back")
				ids := q.extend(n + back)
				for i := range n {
					ids[i] = push()
				}
				q.shorten(back)
			},
			"pop": func(t *rapid.T) {
				for range min(len(m), n.Draw(t, "n")) {
					if got := q.Pop(); got != m[0] {
						t.Fatalf("got %d, want %d", got, m[0])
					}
					m = m[1:]
				}
			},
			"skip": func(t *rapid.T) {
				if n := min(len(m), n.Draw(t, "n")); n > 0 {
					q.skip(n)
					m = m[n:]
				}
			},
			"": func(t *rapid.T) {
				if q.Len() != len(m) || !slices.Equal(q.rest(), m) {
					t.Fatalf("%d, and %v in rest, want %v", q.Len(), q.rest(), m)
				}
			},
		})
	})
}

// TestSlotSet compares the set with a list of what is taken.
func TestSlotSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 300).Draw(t, "size")
		s, m := newSlotSet(size), make([]bool, size)
		at := rapid.IntRange(0, size-1)
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) { i := at.Draw(t, "i"); s.take(i); m[i] = true },
			"free": func(t *rapid.T) { i := at.Draw(t, "i"); s.free(i); m[i] = false },
			"fill": func(t *rapid.T) {
				from, to := at.Draw(t, "from"), at.Draw(t, "to")
				for i := from; i < to; i++ {
					s.take(i)
					m[i] = true
				}
			},
			"empty": func(t *rapid.T) {
				from, to := at.Draw(t, "from"), at.Draw(t, "to")+1
				want := none
				for i := from; i < to && want == none; i++ {
					if !m[i] {
						want = i
					}
				}
				if got := s.empty(from, to); got != want {
					t.Fatalf("the first from %d on and below %d is %d, want %d", from, to, got, want)
				}
			},
		})
	})
}

// TestFDTable compares the lists of one fd, those of its two directions and that of all, with slices.
func TestFDTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &Engine{slots: slotTable{limit: 1000}}
		f := &FD{ops: none, closing: none, head: [2]int32{none, none}, tail: [2]int32{none, none}}
		var all []*Slot
		var line [2][]*Slot
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				s := e.slots.get()
				if s == nil {
					t.Skip("there are no more slots")
				}
				s.state = stateQueued
				d := rapid.SampledFrom([]optab.Direction{optab.Read, optab.Write, optab.None}).Draw(t, "direction")
				e.link(f, s)
				all = append([]*Slot{s}, all...)
				if d == optab.None {
					return
				}
				if got, want := e.enqueue(f, s, d), len(line[d]) == 0; got != want {
					t.Fatalf("is it the turn of what comes behind %d others? %v", len(line[d]), got)
				}
				line[d] = append(line[d], s)
			},
			"end": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip("there is none")
				}
				s := rapid.SampledFrom(all).Draw(t, "which")
				all = slices.DeleteFunc(all, func(o *Slot) bool { return o == s })
				if s.inFIFO {
					d := s.dir
					first := line[d][0] == s
					line[d] = slices.DeleteFunc(line[d], func(o *Slot) bool { return o == s })
					before := e.run.Len()
					e.dequeue(s)
					if next := first && len(line[d]) > 0; next != (e.run.Len() > before) || next && e.run.rest()[before] != line[d][0].ID() {
						t.Fatalf("the first has gone %v, %d are left, and %v have their turn", first, len(line[d]), e.run.rest()[before:])
					}
				}
				e.unlink(s)
				e.slots.put(s)
			},
			"": func(t *rapid.T) {
				var got []*Slot
				e.eachOn(f, func(s *Slot) { got = append(got, s) })
				if !slices.Equal(got, all) || int(f.count) != len(all) {
					t.Fatalf("%d are on the list, and %d are counted, of %d", len(got), f.count, len(all))
				}
				behind := 0
				for d := range line {
					got = got[:0]
					for i := f.head[d]; i != none; i = e.slots.at(i).fifoNext {
						got = append(got, e.slots.at(i))
					}
					if !slices.Equal(got, line[d]) || len(got) > 0 && f.tail[d] != got[len(got)-1].Index {
						t.Fatalf("direction %d has %d in line, want %d", d, len(got), len(line[d]))
					}
					behind += max(len(got)-1, 0)
				}
				if e.behind != behind {
					t.Fatalf("%d are counted behind others, want %d", e.behind, behind)
				}
			},
		})
	})
}

// TestSlotsByIndex takes more slots than are made at a time, and finds each by its id until it is put back.
func TestSlotsByIndex(t *testing.T) {
	table := slotTable{limit: 2*slotChunk + 10}
	var taken []*Slot
	for s := table.get(); s != nil; s = table.get() {
		s.state = stateSubmitted
		taken = append(taken, s)
	}
	if len(taken) != table.limit || table.used != table.limit {
		t.Fatalf("%d slots, %d in use, of %d", len(taken), table.used, table.limit)
	}
	for i, s := range taken {
		if table.lookup(s.ID()) != s || table.at(s.Index) != s {
			t.Fatalf("slot %d is not found", i)
		}
		id := s.ID()
		table.put(s)
		if table.lookup(id) != nil {
			t.Fatalf("slot %d is found when it is free", i)
		}
	}
	if len(table.free) != table.limit || table.used != 0 || table.lookup(api.MakeOpID(uint32(table.limit), 1)) != nil {
		t.Fatalf("%d free, %d in use", len(table.free), table.used)
	}
}
