package core

import (
	"testing"

	"github.com/sluiceio/sluice/api"
)

// TestRunQueue compares the queue with a list, over growth and when it becomes empty in between.
func TestRunQueue(t *testing.T) {
	var q runQueue
	var want []api.OpID
	next := api.OpID(1)
	push := func() api.OpID { want, next = append(want, next), next+1; return next - 1 }
	for round := range 300 {
		for range round % 5 {
			q.Push(push())
		}
		ids := q.extend(round%7 + 2)
		for i := range ids[:round%7] {
			ids[i] = push()
		}
		q.shorten(2)
		if rest := q.rest(); len(rest) != len(want) || q.Len() != len(want) {
			t.Fatalf("round %d: %d, and %d in rest, of %d", round, q.Len(), len(rest), len(want))
		}
		for range min(len(want), round%11) {
			if got := q.Pop(); got != want[0] {
				t.Fatalf("round %d: %d, want %d", round, got, want[0])
			}
			want = want[1:]
		}
		if n := min(len(want), round%3); n > 0 {
			q.skip(n)
			want = want[n:]
		}
	}
	if len(want) == 0 {
		t.Fatal("it has been empty all the time")
	}
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
