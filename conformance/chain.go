package conformance

import "github.com/sluiceio/sluice/api"

// result is what an operation, named by its tag, is to complete with.
type result struct {
	tag uint64
	res int
}

// Sequence fails the case unless the next completions are these, the last of their operations, in this order.
func (t *T) Sequence(want ...result) {
	t.tb.Helper()
	for i, c := range t.Wait(len(want)) {
		if c.Tag != want[i].tag || int(c.Res) != want[i].res || c.More() {
			t.Fatalf("completion %d is %s, want the tag %d with %s", i, show(&c), want[i].tag, showRes(int32(want[i].res)))
		}
	}
}

// allOf are results that have the tags from first to last, and are all res.
func allOf(first, last uint64, res int) (rs []result) {
	for tag := first; tag <= last; tag++ {
		rs = append(rs, result{tag, res})
	}
	return rs
}

// Left fails the case unless the operations have had no last completion. They have ended without, and must have none later on.
func (t *T) Left(ids ...api.OpID) {
	t.tb.Helper()
	for _, id := range ids {
		op := t.ops[id]
		if op.ended {
			t.Errorf("the operation with the tag %d has had a completion", op.tag)
			continue
		}
		op.ended = true
		t.open--
	}
}

// linked sets f in all of the operations but the last.
func linked(f api.OpFlags, ops ...api.Op) []api.Op {
	for i := range ops[:len(ops)-1] {
		ops[i].Flags |= f
	}
	return ops
}

// Chain submits the operations as one chain of Links.
func (t *T) Chain(ops ...api.Op) []api.OpID {
	t.tb.Helper()
	return t.Submit(linked(api.Link, ops...)...)
}

// wrong are operations that are wrong by themselves, whatever they are about, and what each completes with.
func wrong() []struct {
	op  api.Op
	res int
} {
	return []struct {
		op  api.Op
		res int
	}{
		{api.Nop(0).With(api.WaitAll), -int(eInval)},
		{api.Nop(0).With(api.ByFD), -int(eInval)},
		{api.Timeout(-1, 0), -int(eInval)},
		{api.Timeout(0, 0).With(api.BufferSelect), -int(eInval)},
		{api.Cancel(0, 0).With(api.First), -int(eInval)},
		{api.CancelAny(0).With(api.ByOp), -int(eInval)},
	}
}
