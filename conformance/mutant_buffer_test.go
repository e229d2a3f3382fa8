package conformance_test

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/offheap"
)

var fixedCodes = api.Ops(api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed)

// unfixed makes the operations plain ones, which know no registered buffers.
func unfixed(_ *mutant, op *api.Op) {
	switch op.Code {
	case api.OpReadFixed:
		op.Code = api.OpRead
	case api.OpWriteFixed:
		op.Code = api.OpWrite
	case api.OpReadvFixed:
		op.Code = api.OpReadv
	case api.OpWritevFixed:
		op.Code = api.OpWritev
	}
}

func (m *mutant) RegisterBuffers(bufs [][]byte) error {
	if m.register != nil {
		return m.register(m, bufs)
	}
	return m.did("RegisterBuffers", func() error { return m.Engine.RegisterBuffers(bufs) })
}

func (m *mutant) UpdateBuffers(at int, bufs [][]byte) (int, error) {
	if m.update != nil {
		return m.update(m, at, bufs)
	}
	return m.counted("UpdateBuffers", func() (int, error) { return m.Engine.UpdateBuffers(at, bufs) })
}

func (m *mutant) UnregisterBuffers() error {
	if m.unregister != nil {
		return m.unregister(m)
	}
	return m.did("UnregisterBuffers", m.Engine.UnregisterBuffers)
}

func (m *mutant) CloneBuffers(from api.Engine) error {
	if f, ok := from.(*mutant); ok {
		from = f.Engine
	}
	if m.clone != nil {
		return m.clone(m, from)
	}
	return m.did("CloneBuffers", func() error { return m.Engine.CloneBuffers(from) })
}

// ofFixed lets only the completions of operations on registered buffers be changed.
func ofFixed(f func(m *mutant, c *api.Completion)) func(*mutant, []api.Completion, int) int {
	return each(func(m *mutant, c *api.Completion) {
		if fixedCodes.Has(c.Code) {
			f(m, c)
		}
	})
}

var bufferMutants = []fault{
	{"a byte too few", "FIX-1", mutant{complete: ofFixed(func(_ *mutant, c *api.Completion) {
		if c.Res > 1 {
			c.Res--
		}
	})}},
	{"registered buffers move the position", "FIX-1", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if fixedCodes.Has(op.Code) && op.Off == 0 {
			op.Off = api.CurrentPosition
		}
	})}},
	{"bounds are not checked", "FIX-2", mutant{
		submit: changed(unfixed),
		complete: each(func(_ *mutant, c *api.Completion) {
			switch c.Code {
			case api.OpRead:
				c.Code = api.OpReadFixed
			case api.OpWrite:
				c.Code = api.OpWriteFixed
			case api.OpReadv:
				c.Code = api.OpReadvFixed
			case api.OpWritev:
				c.Code = api.OpWritevFixed
			}
		}),
	}},
	{"outside is EINVAL", "FIX-2", mutant{complete: ofFixed(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.EFAULT) {
			c.Res = -int32(syscall.EINVAL)
		}
	})}},
	{"the table is looked at before the fd", "FIX-2", mutant{complete: ofFixed(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.EBADF) {
			c.Res = -int32(syscall.EFAULT)
		}
	})}},
	{"an update ends what is in flight", "FIX-3", mutant{update: func(m *mutant, at int, bufs [][]byte) (int, error) {
		if _, err := m.Engine.CancelSync(api.CancelAny(0), 0); err != nil && err != syscall.ENOENT {
			return 0, err
		}
		return m.Engine.UpdateBuffers(at, bufs)
	}}},
	{"an update waits in vain", "FIX-3", mutant{update: func(_ *mutant, _ int, bufs [][]byte) (int, error) { return len(bufs), nil }}},
	{"a second table", "FIX-4", mutant{register: func(m *mutant, bufs [][]byte) error {
		err := m.Engine.RegisterBuffers(bufs)
		if err == syscall.EBUSY {
			return nil
		}
		return err
	}}},
	{"unregistering what is not there", "FIX-4", mutant{unregister: func(m *mutant) error {
		_ = m.Engine.UnregisterBuffers() // that is the fault
		return nil
	}}},
	{"registered buffers do not wait", "FIX-5", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if fixedCodes.Has(op.Code) {
			op.Flags |= api.DontWait
		}
	})}},
	{"registered buffers in no order", "FIX-5", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if fixedCodes.Has(op.Code) {
			op.Flags |= api.Unordered
		}
	})}},
	{"no bytes are not looked at", "FIX-6", mutant{submit: changed(func(m *mutant, op *api.Op) {
		if len(op.Buf) == 0 {
			unfixed(m, op)
		}
	})}},
	{"registered memory is let go", "ARN-1", mutant{register: func(m *mutant, bufs [][]byte) error { return m.Engine.RegisterBuffers(make([][]byte, len(bufs))) }}},
	{"memory in flight is let go", "ARN-2", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Buf = make([]byte, len(op.Buf)) })}},
	{"an engine that is closed keeps memory", "ARN-3", mutant{closing: func(m *mutant) error {
		offheap.Hold(m.kept) // for ever: that is the fault
		return m.Engine.Close()
	}, register: func(m *mutant, bufs [][]byte) error {
		m.kept = bufs[0]
		return m.Engine.RegisterBuffers(bufs)
	}}},
	{"a clone is empty", "FIX-10", mutant{clone: func(m *mutant, from api.Engine) error {
		if err := m.Engine.CloneBuffers(from); err != nil {
			return err
		}
		_, err := m.Engine.UpdateBuffers(0, make([][]byte, 1))
		return err
	}}},
	{"a clone of anything", "FIX-10", mutant{clone: func(m *mutant, from api.Engine) error {
		if err := m.Engine.CloneBuffers(from); err != syscall.EINVAL {
			return err
		}
		return nil
	}}},
}
