package conformance_test

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// Faults that are made rather than thought of: of each operation, of each flag, of each field. They are aimed at no rule: testdata/killers.txt says
// which cases notice them.

// opensFD says whether a result of the operation may be an fd. A fault must leave it alone, since the case closes it: another fd would
// be that of somebody else.
func opensFD(c api.OpCode) bool { return optab.Of(c).Opens || c == api.OpPipe }

// noted makes a submit hook that remembers what was submitted and submits what f makes of it.
func noted(f func(op *api.Op)) func(*mutant, []api.Op) (int, error) {
	return func(m *mutant, ops []api.Op) (int, error) {
		asked := append([]api.Op(nil), ops...)
		n, err := changed(func(_ *mutant, op *api.Op) {
			if f != nil {
				f(op)
			}
		})(m, ops)
		if m.seen == nil {
			m.seen = map[api.OpID]api.Op{}
		}
		for i := range asked[:n] {
			m.seen[ops[i].ID] = asked[i]
		}
		return n, err
	}
}

// codeMutants are wrong in one kind of operation.
func codeMutants(code api.OpCode) []fault {
	ours := func(f func(m *mutant, c *api.Completion)) func(*mutant, []api.Completion, int) int {
		return ofCode(code, f)
	}
	info := optab.Of(code)
	all := []struct {
		what string
		m    mutant
	}{
		{"with its errors hidden", mutant{complete: ours(func(_ *mutant, c *api.Completion) {
			if c.Res < 0 && !opensFD(code) {
				c.Res = 0
			}
		})}},
		{"with one error for all", mutant{complete: ours(func(_ *mutant, c *api.Completion) {
			if c.Res < 0 {
				c.Res = -int32(syscall.EDOM)
			}
		})}},
		{"without its flags", mutant{submit: onlyFor(code, func(op *api.Op) { op.Flags &= api.ChainFlags | api.FixedFile })}},
		{"without Off", mutant{submit: onlyFor(code, func(op *api.Op) { op.Off = 0 })}},
		{"without Arg", mutant{submit: onlyFor(code, func(op *api.Op) { op.Arg = 0 })}},
		{"without Group", mutant{submit: onlyFor(code, func(op *api.Op) { op.Group = 0 })}},
		{"without Deadline", mutant{submit: onlyFor(code, func(op *api.Op) { op.Deadline = 0 })}},
		{"out of chains", mutant{submit: onlyFor(code, func(op *api.Op) { op.Flags &^= api.Link | api.HardLink })}},
		{"that never waits", mutant{submit: onlyFor(code, func(op *api.Op) { op.Flags |= info.Flags & api.DontWait })}},
		{"out of order", mutant{submit: onlyFor(code, func(op *api.Op) { op.Flags |= info.Flags & api.Unordered })}},
		{"with a result one too low", mutant{complete: ours(func(_ *mutant, c *api.Completion) {
			if c.Res > 0 && !opensFD(code) {
				c.Res--
			}
		})}},
		{"that moves other bytes", garbled(code)},
		{"that does not happen", notDone(code)},
		{"of which a success is EIO", mutant{complete: ours(func(_ *mutant, c *api.Completion) {
			if c.Res >= 0 && !opensFD(code) {
				c.Res = -int32(syscall.EIO)
			}
		})}},
		{"told twice", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
			for i := range dst[:n] {
				if dst[i].Code == code && n < len(dst) {
					dst[n] = dst[i]
					return n + 1
				}
			}
			return n
		}}},
		{"never told", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
			for i := 0; i < n; {
				if dst[i].Code == code {
					n = drop(dst, n, i)
				} else {
					i++
				}
			}
			return n
		}}},
	}
	faults := make([]fault, len(all))
	for i, f := range all {
		faults[i] = fault{name: code.String() + " " + f.what, m: f.m}
	}
	return faults
}

// notDone has nops done in the place of operations, which say that all went well.
func notDone(code api.OpCode) mutant {
	return mutant{
		submit: noted(func(op *api.Op) {
			if op.Code == code && !opensFD(code) {
				*op = api.Op{Tag: op.Tag, Deadline: op.Deadline, Flags: op.Flags & api.ChainFlags}
			}
		}),
		complete: each(func(m *mutant, c *api.Completion) {
			op, ok := m.seen[c.ID]
			if !ok || c.Code == op.Code {
				return
			}
			if c.Code = op.Code; c.Res < 0 {
				return
			}
			c.Res = int32(len(op.Buf))
			if op.Msg != nil && optab.Of(code).Vector {
				for _, b := range op.Msg.Bufs {
					c.Res += int32(len(b))
				}
			}
			if op.Code == api.OpTimeout {
				c.Res = timedOut
			}
		}),
	}
}

// garbled changes a byte of what is written before, and of what is read behind.
func garbled(code api.OpCode) mutant {
	if optab.Of(code).Dir == optab.Write {
		return mutant{submit: onlyFor(code, func(op *api.Op) {
			op.Buf = otherBytes(op.Buf)
			if op.Msg != nil {
				m := *op.Msg
				m.Bufs = append([][]byte(nil), m.Bufs...)
				for i := range m.Bufs {
					m.Bufs[i] = otherBytes(m.Bufs[i])
				}
				op.Msg = &m
			}
		})}
	}
	return mutant{submit: noted(nil), complete: ofCode(code, func(m *mutant, c *api.Completion) {
		if c.Res <= 0 {
			return
		}
		op := m.seen[c.ID]
		for _, b := range [][]byte{c.Buf, op.Buf} {
			if len(b) > 0 {
				b[0] ^= 1
			}
		}
		if op.Msg != nil && len(op.Msg.Bufs) > 0 && len(op.Msg.Bufs[0]) > 0 {
			op.Msg.Bufs[0][0] ^= 1
		}
	})}
}

// otherBytes is a copy of b with another first byte; b itself where it cannot be read.
func otherBytes(b []byte) (out []byte) {
	if len(b) == 0 {
		return b
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			out = b
		}
	}()
	out = append([]byte(nil), b...)
	out[0] ^= 1
	return out
}

// flagMutants do not know a flag of operations, or add or leave out one of completions.
func flagMutants() (all []fault) {
	for i, name := range []string{"Multishot", "BufferSelect", "DontWait", "WaitAll", "Unordered", "EOF", "ByFD", "DataSync", "Abs", "Link", "HardLink", "Drain",
		"SkipSuccess", "ByOp", "Any", "First", "Level", "Update", "UpdateTag", "Boottime", "Realtime", "TimeoutOK", "FixedFile", "Shared",
		"FixedBuffer", "IntoSlot", "Bundle", "ReportUsage", "FixedFD2"} {
		f := api.OpFlags(1) << i
		if f == api.IntoSlot {
			continue // the file would get an fd that nobody closes
		}
		all = append(all, fault{name: name + " not looked at", m: mutant{submit: without(f)}})
	}
	for _, f := range []struct {
		flag api.CompletionFlags
		name string
	}{{api.More, "More"}, {api.Buffer, "Buffer"}, {api.BufferMore, "BufferMore"}, {api.Notif, "Notif"}, {api.AtEOF, "AtEOF"}, {api.Copied, "Copied"}} {
		all = append(all,
			fault{name: name(f.name, "left out"), m: mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Flags &^= f.flag })}},
			fault{name: name(f.name, "always"), m: mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Flags |= f.flag })}})
	}
	return append(all, fault{name: "flag that there is not", m: mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags &= 1<<29 - 1 })}})
}

func name(a, b string) string { return a + " " + b }

// fieldMutants do not look at a field, or do not set one. FD is not among them: 0 is one, and not the case's.
func fieldMutants() (all []fault) {
	zero := func(v any, name string) { reflect.ValueOf(v).Elem().FieldByName(name).SetZero() }
	for _, f := range []string{"Off", "Deadline", "Target", "Arg", "Group", "Personality", "Args", "Msg", "Buf"} {
		all = append(all, fault{name: "Op." + f + " not looked at", m: mutant{submit: changed(func(_ *mutant, op *api.Op) { zero(op, f) })}})
	}
	for _, f := range []string{"Bufs", "Addr", "Control"} {
		all = append(all, fault{name: "Msg." + f + " not looked at", m: mutant{submit: changed(func(_ *mutant, op *api.Op) {
			if op.Msg != nil {
				m := *op.Msg
				zero(&m, f)
				op.Msg = &m
			}
		})}})
	}
	for _, f := range []string{"Addr", "ControlLen", "Flags"} {
		all = append(all, fault{name: "Msg." + f + " not set", m: mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
			if op := m.seen[c.ID]; op.Msg != nil {
				zero(op.Msg, f)
			}
		})}})
	}
	for _, f := range []string{"Path", "NewPath", "Name", "Off2", "Len", "How", "Futexes", "ToTag"} {
		all = append(all, fault{name: "Args." + f + " not looked at", m: mutant{submit: changed(func(_ *mutant, op *api.Op) {
			if op.Args != nil {
				a := *op.Args
				zero(&a, f)
				op.Args = &a
			}
		})}})
	}
	for _, f := range []string{"Stat", "Child"} {
		all = append(all, fault{name: "Args." + f + " not set", m: mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
			op := m.seen[c.ID]
			if op.Args == nil {
				return
			}
			if v := reflect.ValueOf(op.Args).Elem().FieldByName(f); !v.IsNil() {
				v.Elem().SetZero()
			}
		})}})
	}
	return append(all, fault{name: "Args.FDs not set", m: mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
		if op := m.seen[c.ID]; op.Args != nil {
			for i := range op.Args.FDs {
				op.Args.FDs[i]++
			}
		}
	})}})
}

// optionMutants do not look at an option, of an engine or of a group.
func optionMutants() (all []fault) {
	options := func(t reflect.Type, of func(o *api.Options) any, prefix string) {
		for _, f := range reflect.VisibleFields(t) {
			if f.Name == "Ring" {
				continue // field by field
			}
			all = append(all, fault{name: prefix + f.Name + " not looked at", m: mutant{opening: func(o *api.Options) {
				reflect.ValueOf(of(o)).Elem().FieldByIndex(f.Index).SetZero()
			}}})
		}
	}
	options(reflect.TypeFor[api.Options](), func(o *api.Options) any { return o }, "Options.")
	options(reflect.TypeFor[api.RingOptions](), func(o *api.Options) any { return &o.Ring }, "Options.Ring.")
	for _, f := range reflect.VisibleFields(reflect.TypeFor[api.BufferGroupOptions]()) {
		all = append(all, fault{name: "BufferGroupOptions." + f.Name + " not looked at", m: mutant{options: func(o *api.BufferGroupOptions) {
			reflect.ValueOf(o).Elem().FieldByIndex(f.Index).SetZero()
		}}})
	}
	return all
}

// waitMutants do not look at a field of a Wait, and submitMutants answer a Submit wrongly.
func waitMutants() (all []fault) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[api.Wait]()) {
		all = append(all, fault{name: "Wait." + f.Name + " not looked at", m: mutant{wait: func(w api.Wait) api.Wait {
			reflect.ValueOf(&w).Elem().FieldByIndex(f.Index).SetZero()
			return w
		}}})
	}
	return append(all, fault{name: "Wait.Min one too low", m: mutant{wait: func(w api.Wait) api.Wait { w.Min = max(w.Min-1, 0); return w }}},
		fault{name: "Complete has one for each call", m: mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
			m.held = append(m.held, dst[:n]...)
			n = min(len(m.held), len(dst), 1)
			copy(dst, m.held[:n])
			m.held = m.held[n:]
			return n
		}}})
}

func submitMutants() []fault {
	return []fault{
		{name: "Submit hides its errors", m: mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
			n, _ := m.Engine.Submit(ops)
			return n, nil
		}}},
		{name: "Submit has one error for all", m: mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
			n, err := m.Engine.Submit(ops)
			if err != nil {
				err = fmt.Errorf("one for all: %w", syscall.EDOM)
			}
			return n, err
		}}},
		{name: "Submit tells one too few", m: mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
			n, err := m.Engine.Submit(ops)
			return max(n-1, 0), err
		}}},
		{name: "Submit gives no ids", m: mutant{submit: func(m *mutant, ops []api.Op) (int, error) { return m.Engine.Submit(append([]api.Op(nil), ops...)) }}},
		{name: "Submit refuses all", m: mutant{submit: func(*mutant, []api.Op) (int, error) { return 0, api.ErrQueueFull }}},
		{name: "nothing ever completes", m: mutant{complete: func(*mutant, []api.Completion, int) int { return 0 }}},
	}
}
