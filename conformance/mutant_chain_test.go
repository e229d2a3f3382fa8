package conformance_test

import (
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
)

func (m *mutant) CancelSync(c api.Op, limit time.Duration) (int, error) {
	if m.sync != nil {
		return m.sync(m, c, limit)
	}
	return m.counted("CancelSync", func() (int, error) { return m.Engine.CancelSync(c, limit) })
}

// without makes a submit hook that leaves a flag out. A slot that becomes an fd that way is made one that nobody has: fd 1 is not the case's to
// write to, or to close.
func without(f api.OpFlags) func(*mutant, []api.Op) (int, error) {
	const nobodys = 1 << 20
	return changed(func(_ *mutant, op *api.Op) {
		switch op.Flags & f {
		case 0:
			return
		case api.FixedFile:
			op.FD += nobodys
		case api.FixedFD2:
			if op.Args != nil {
				a := *op.Args
				a.FD2 += nobodys
				op.Args = &a
			}
		}
		op.Flags &^= f
	})
}

// instead makes a submit hook that exchanges a flag for another.
func instead(f, g api.OpFlags) func(*mutant, []api.Op) (int, error) {
	return changed(func(_ *mutant, op *api.Op) {
		if op.Flags.Has(f) {
			op.Flags = op.Flags&^f | g
		}
	})
}

// told makes a complete hook that reports another result for operations with the code.
func told(code api.OpCode, res func(int32) int32) func(*mutant, []api.Completion, int) int {
	return each(func(_ *mutant, c *api.Completion) {
		if c.Code == code {
			c.Res = res(c.Res)
		}
	})
}

// becomes makes a result into another.
func becomes(was, is int32) func(int32) int32 {
	return func(res int32) int32 {
		if res == was {
			return is
		}
		return res
	}
}

// fromSubmit makes a submit hook that has timeouts with the code count from Submit.
func fromSubmit(code api.OpCode) func(*mutant, []api.Op) (int, error) {
	return changed(func(_ *mutant, op *api.Op) {
		if op.Code == code && op.Flags&api.Abs == 0 && op.Off >= 0 {
			op.Off = int64(api.Now().Add(time.Duration(op.Off)))
			op.Flags |= api.Abs
		}
	})
}

// overtake submits what stands behind a drain before it.
func overtake(m *mutant, ops []api.Op) (int, error) {
	i := slices.IndexFunc(ops, func(op api.Op) bool { return op.Flags.Has(api.Drain) }) + 1
	moved := slices.Concat(ops[i:], ops[:i])
	n, err := m.Engine.Submit(moved)
	for k := range moved {
		ops[(k+i)%len(ops)].ID = moved[k].ID
	}
	return n, err
}

// torn takes as much of a chain as there is room for.
func torn(m *mutant, ops []api.Op) (int, error) {
	n, err := m.Engine.Submit(ops)
	for err != nil && n < len(ops) {
		k, _ := m.Engine.Submit(ops[n : n+1])
		if k == 0 {
			break
		}
		n++
	}
	return n, err
}

// onlyFor makes a submit hook that changes the operations with the code.
func onlyFor(code api.OpCode, f func(op *api.Op)) func(*mutant, []api.Op) (int, error) {
	return changed(func(_ *mutant, op *api.Op) {
		if op.Code == code {
			f(op)
		}
	})
}

const (
	canceled = -int32(api.ECanceled)
	timedOut = -int32(api.ETime)
	invalid  = -int32(syscall.EINVAL)
	notFound = -int32(syscall.ENOENT)
)

var chainMutants = []fault{
	{"Link ignored", "LNK-1", mutant{submit: without(api.Link)}},
	{"Link treated as HardLink", "LNK-2", mutant{submit: instead(api.Link, api.HardLink)}},
	{"rest of a chain told to have succeeded", "LNK-2", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Res = becomes(canceled, 0)(c.Res) })}},
	{"HardLink treated as Link", "LNK-3", mutant{submit: instead(api.HardLink, api.Link)}},
	{"HardLink ignored", "LNK-3", mutant{submit: without(api.HardLink)}},
	{"all of a Submit is one chain", "LNK-4", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags |= api.Link })}},
	{"short read does not break", "LNK-5", mutant{submit: onlyFor(api.OpRead, func(op *api.Op) { op.Flags = op.Flags&^api.Link | api.HardLink })}},
	{"short receive with WaitAll does not break", "LNK-6", mutant{submit: without(api.WaitAll)}},
	{"truncation does not break", "LNK-7", mutant{submit: onlyFor(api.OpRecvMsg, func(op *api.Op) { op.Flags &^= api.WaitAll })}},
	{"TimeoutOK ignored", "LNK-8", mutant{submit: without(api.TimeoutOK)}},
	{"timeout in a chain counts from Submit", "LNK-8", mutant{submit: fromSubmit(api.OpTimeout)}},
	{"culprit is not told", "LNK-9", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Res = becomes(invalid, canceled)(c.Res) })}},
	{"chain goes on behind what was cancelled", "LNK-10", mutant{submit: instead(api.Link, api.HardLink)}},
	{"cancel finds what waits in a chain", "LNK-11", mutant{complete: told(api.OpCancel, becomes(notFound, 0))}},
	{"chain torn by a full queue", "LNK-12", mutant{submit: torn}},
	{"chain comes backwards", "LNK-13", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		slices.Reverse(dst[:n])
		return n
	}}},
	{"Deadline in a chain not heeded", "LNK-14", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Deadline = 0 })}},
	{"Close leaves chains alone", "LNK-15", mutant{submit: instead(api.Link, 0)}},
	{"chain does not wait for a multishot", "LNK-16", mutant{submit: onlyFor(api.OpAccept, func(op *api.Op) { op.Flags &^= api.Link | api.HardLink })}},
	{"shutdown in a chain goes wrong", "LNK-17", mutant{submit: onlyFor(api.OpShutdown, func(op *api.Op) { op.Arg = 7 })}},
	{"chain keeps its place", "LNK-18", mutant{submit: without(api.Link)}},

	{"LinkTimeout too early", "LTO-1", mutant{submit: onlyFor(api.OpLinkTimeout, func(op *api.Op) { op.Off /= 2 })}},
	{"LinkTimeout says 0", "LTO-1", mutant{complete: told(api.OpLinkTimeout, becomes(timedOut, 0))}},
	{"operation says ETIME", "LTO-1", mutant{complete: told(api.OpTimeout, becomes(canceled, timedOut))}},
	{"LinkTimeout says ETIME in any case", "LTO-2", mutant{complete: told(api.OpLinkTimeout, becomes(canceled, timedOut))}},
	{"LinkTimeout alone expires", "LTO-3", mutant{complete: told(api.OpLinkTimeout, becomes(invalid, timedOut))}},
	{"LinkTimeout ends the chain", "LTO-4", mutant{submit: onlyFor(api.OpLinkTimeout, func(op *api.Op) { op.Flags &^= api.Link })}},
	{"LinkTimeout counts from Submit", "LTO-5", mutant{submit: fromSubmit(api.OpLinkTimeout)}},
	{"cancel finds a LinkTimeout", "LTO-6", mutant{complete: told(api.OpCancel, becomes(notFound, 0))}},
	{"instant of a LinkTimeout not heeded", "LTO-7", mutant{submit: onlyFor(api.OpLinkTimeout, func(op *api.Op) {
		if op.Flags.Has(api.Abs) {
			op.Off = 1
		}
	})}},
	{"LinkTimeout does not know how it went", "LTO-8", mutant{complete: told(api.OpLinkTimeout, becomes(timedOut, canceled))}},

	{"skip posts all the same", "SKP-1", mutant{submit: without(api.SkipSuccess)}},
	{"failure is skipped", "SKP-2", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := 0; i < n; i++ {
			if dst[i].Res < 0 {
				n = drop(dst, n, i)
				i--
			}
		}
		return n
	}}},
	{"rest of a chain is told", "SKP-2", mutant{submit: without(api.SkipSuccess)}},
	{"failure skips what follows", "SKP-3", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags |= api.SkipSuccess })}},
	{"fd without a completion", "SKP-4", mutant{submit: onlyFor(api.OpAccept, func(op *api.Op) { op.Flags &^= api.SkipSuccess })}},
	{"LinkTimeout posts all the same", "SKP-5", mutant{submit: onlyFor(api.OpLinkTimeout, func(op *api.Op) { op.Flags &^= api.SkipSuccess })}},
	{"skipped failure breaks a HardLink", "SKP-6", mutant{submit: instead(api.HardLink, api.Link)}},
	{"later operation does not wait for the skipped one", "SKP-7", mutant{submit: instead(api.Link, 0)}},

	{"drain ignored", "DRN-1", mutant{submit: without(api.Drain)}},
	{"later operations overtake a drain", "DRN-2", mutant{submit: overtake}},
	{"drain inside of a chain ignored", "DRN-3", mutant{submit: without(api.Drain)}},
	{"drain holds up cancels", "DRN-4", mutant{submit: onlyFor(api.OpCancel, func(op *api.Op) { op.Flags |= api.Drain })}},
	{"Deadline of what is held up not heeded", "DRN-5", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Deadline = 0 })}},
	{"several drains are one", "DRN-6", mutant{submit: without(api.Drain)}},
	{"drain does not wait for what is skipped", "DRN-7", mutant{submit: without(api.Drain)}},
	{"drain does not wait for a multishot", "DRN-8", mutant{submit: without(api.Drain)}},
	{"timeout that is held up counts from Submit", "DRN-10", mutant{submit: fromSubmit(api.OpTimeout)}},
	{"completions lost in a full engine", "DRN-11", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int { return max(n-1, 0) }}},

	{"CancelOp does not look at the code", "CAN-16", mutant{submit: onlyFor(api.OpCancel, func(op *api.Op) {
		if op.Flags&(api.ByOp|api.ByFD) == api.ByOp {
			op.Flags = op.Flags&^api.ByOp | api.Any
		}
	})}},
	{"CancelAny counts one too few", "CAN-17", mutant{complete: told(api.OpCancel, func(res int32) int32 { return res - min(max(res, 0), 1) })}},
	{"First cancels all", "CAN-18", mutant{submit: without(api.First)}},
	{"contradiction is let pass", "CAN-19", mutant{complete: told(api.OpCancel, becomes(invalid, 0))}},
	{"CancelAny counts what waits in chains", "CAN-20", mutant{complete: told(api.OpCancel, becomes(2, 4))}},
	{"CancelSync does not wait", "CAN-21", mutant{sync: func(m *mutant, c api.Op, _ time.Duration) (int, error) {
		_, err := m.Engine.Submit([]api.Op{c})
		return 1, err
	}}},
	{"CancelSync counts one too many", "CAN-21", mutant{sync: func(m *mutant, c api.Op, limit time.Duration) (int, error) {
		n, err := m.Engine.CancelSync(c, limit)
		return n + 1, err
	}}},
	{"CancelSync always gives up", "CAN-22", mutant{sync: func(m *mutant, c api.Op, limit time.Duration) (int, error) {
		n, _ := m.Engine.CancelSync(c, limit)
		return n, os.ErrDeadlineExceeded
	}}},
	{"CancelSync has no errors", "CAN-23", mutant{sync: func(m *mutant, c api.Op, limit time.Duration) (int, error) {
		n, _ := m.Engine.CancelSync(c, limit)
		return n, nil
	}}},
	{"cancel does not know how it went", "CAN-24", mutant{complete: told(api.OpCancel, func(res int32) int32 { return max(res, 0) })}},
}
