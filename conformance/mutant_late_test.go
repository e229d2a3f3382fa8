package conformance_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

// lateness is by how much the mutants of this file are late, or early.
const lateness = 100 * time.Millisecond

// later is an instant or a duration that lies that much behind; none stays none, and the longest ones stay what they are.
func later(at int64) int64 {
	if at <= 0 || at > 1<<62 {
		return at
	}
	return at + int64(lateness)
}

// lateOp makes a submit hook that has operations with the code, of one shot or of many, come late.
func lateOp(code api.OpCode, shots api.OpFlags) func(*mutant, []api.Op) (int, error) {
	return onlyFor(code, func(op *api.Op) {
		if op.Flags&api.Multishot == shots {
			op.Off = later(op.Off)
		}
	})
}

// lateDeadlines has the Deadlines of operations come late.
var lateDeadlines = changed(func(_ *mutant, op *api.Op) { op.Deadline = api.Instant(later(int64(op.Deadline))) })

// lateWait has the Deadline of waits come late.
func lateWait(w api.Wait) api.Wait {
	w.Deadline = api.Instant(later(int64(w.Deadline)))
	return w
}

// withOthers keeps completions back that late is true of, until something else ends a Complete.
func withOthers(late func(c *api.Completion) bool) func(*mutant, []api.Completion, int) int {
	return func(m *mutant, dst []api.Completion, n int) int {
		if n > 0 && !slices.ContainsFunc(dst[:n], func(c api.Completion) bool { return !late(&c) }) {
			m.held = append(m.held, dst[:n]...)
			return 0
		}
		k := copy(dst[n:], m.held)
		m.held = m.held[k:]
		return n + k
	}
}

var lateMutants = []fault{
	{"timeout late", "TMO-29", mutant{submit: lateOp(api.OpTimeout, 0)}},
	{"timeout late by a quarter", "TMO-29", mutant{submit: onlyFor(api.OpTimeout, func(op *api.Op) {
		if op.Flags&(api.Abs|api.Multishot) == 0 {
			op.Off += op.Off / 4
		}
	})}},
	{"tick late", "TMO-29", mutant{submit: lateOp(api.OpTimeout, api.Multishot)}},
	{"update late", "TMO-29", mutant{submit: lateOp(api.OpTimeoutRemove, 0)}},
	{"Deadline of a timeout late", "TMO-29", mutant{submit: lateDeadlines}},
	{"expired one for each call", "TMO-29", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		m.held = append(m.held, dst[:n]...)
		n = min(len(m.held), len(dst), 1)
		copy(dst, m.held[:n])
		m.held = m.held[n:]
		return n
	}}},
	{"timeout late for a wait", "TMO-30", mutant{submit: lateOp(api.OpTimeout, 0)}},
	{"tick late for a wait", "TMO-30", mutant{submit: lateOp(api.OpTimeout, api.Multishot)}},
	{"update late for a wait", "TMO-30", mutant{submit: lateOp(api.OpTimeoutRemove, 0)}},
	{"timeout told with the next event", "TMO-30", mutant{complete: withOthers(func(c *api.Completion) bool { return c.Code == api.OpTimeout })}},
	{"Deadline late", "TMO-30", mutant{submit: lateDeadlines}},
	{"Deadline of what waits for data late", "TMO-30", mutant{submit: onlyFor(api.OpRecv, func(op *api.Op) { op.Deadline = api.Instant(later(int64(op.Deadline))) })}},
	{"expired Deadline told with the next event", "TMO-30", mutant{complete: withOthers(func(c *api.Completion) bool { return c.Code == api.OpRecv && c.Res == timedOut })}},
	{"LinkTimeout late", "TMO-30", mutant{submit: lateOp(api.OpLinkTimeout, 0)}},
	{"LinkTimeout told with the next event", "TMO-30", mutant{complete: withOthers(func(c *api.Completion) bool { return c.Code == api.OpLinkTimeout || c.Res == canceled })}},
	{"Wait.Deadline late", "TMO-30", mutant{wait: lateWait}},
	{"Wait.Batch late", "TMO-30", mutant{wait: func(w api.Wait) api.Wait {
		w.Batch = time.Duration(later(int64(w.Batch)))
		return w
	}}},
	{"all clocks late", "TMO-30", mutant{wait: lateWait, submit: changed(func(_ *mutant, op *api.Op) {
		op.Deadline = api.Instant(later(int64(op.Deadline)))
		switch op.Code {
		case api.OpTimeout, api.OpTimeoutRemove, api.OpLinkTimeout:
			op.Off = later(op.Off)
		}
	})}},
}

// earlyOp makes a submit hook that has operations with the code come early, where which is true of them.
func earlyOp(code api.OpCode, which func(op *api.Op) bool) func(*mutant, []api.Op) (int, error) {
	return onlyFor(code, func(op *api.Op) {
		switch {
		case op.Off <= 0 || op.Off > 1<<62 || !which(op):
		case op.Flags.Has(api.Abs):
			op.Off = max(op.Off-int64(2*time.Millisecond), 0)
		default:
			op.Off /= 2
		}
	})
}

const otherClocks = api.Boottime | api.Realtime

// earlyDeadlines has the Deadlines of operations come early.
var earlyDeadlines = mutant{submit: changed(func(_ *mutant, op *api.Op) {
	if op.Deadline > 1 {
		op.Deadline = op.Deadline.Add(-2 * time.Millisecond)
	}
})}

// earlyMutants are aimed at one kind of what has a time each, as lateMutants are.
var earlyMutants = []fault{
	{"instant too early", "TMO-1", mutant{submit: earlyOp(api.OpTimeout, func(op *api.Op) bool { return op.Flags&otherClocks == 0 && op.Flags.Has(api.Abs) })}},
	{"Deadline early", "TMO-10", earlyDeadlines},
	{"Deadline in line early", "TMO-12", earlyDeadlines},
	{"timeout with a count too early", "TMO-16", mutant{submit: earlyOp(api.OpTimeout, func(op *api.Op) bool { return op.Flags&api.Multishot == 0 && op.Arg > 0 })}},
	{"other clocks too early", "TMO-21", mutant{submit: earlyOp(api.OpTimeout, func(op *api.Op) bool { return op.Flags&otherClocks != 0 })}},
	{"instant of an update too early", "TMO-26", mutant{submit: earlyOp(api.OpTimeoutRemove, func(op *api.Op) bool { return op.Flags.Has(api.Abs) })}},
	{"tick too early behind an update", "TMO-27", mutant{submit: earlyOp(api.OpTimeoutRemove, func(op *api.Op) bool { return true })}},
	{"instant of a LinkTimeout early", "LTO-7", mutant{submit: earlyOp(api.OpLinkTimeout, func(op *api.Op) bool { return op.Flags.Has(api.Abs) })}},
}

// TestLateMutants is TestMutants for what comes late, which only shows where a case can tell it from a machine that is late.
func TestLateMutants(t *testing.T) { testMutants(t, slices.Concat(lateMutants, earlyMutants)) }
