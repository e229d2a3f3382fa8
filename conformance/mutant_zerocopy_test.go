package conformance_test

import (
	"testing"

	"github.com/sluiceio/sluice/api"
)

func isZC(c api.OpCode) bool { return c == api.OpSendZC || c == api.OpSendMsgZC }

// zeroCopyMutants break the rules of zero-copy sends.
var zeroCopyMutants = []fault{
	{"result without More", "ZCP-1", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if isZC(c.Code) {
			c.Flags &^= api.More
		}
	})}},
	{"no notification", "ZCP-1", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := 0; i < n; {
			if dst[i].Flags.Has(api.Notif) {
				n = drop(dst, n, i)
				continue
			}
			i++
		}
		return n
	}}},
	{"notification before the result", "ZCP-1", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := range dst[:max(n-1, 0)] {
			if dst[i].ID == dst[i+1].ID {
				dst[i], dst[i+1] = dst[i+1], dst[i]
			}
		}
		return n
	}}},
	{"notification with the bytes", "ZCP-1", mutant{complete: each(func(m *mutant, c *api.Completion) {
		if c.Flags.Has(api.Notif) {
			c.Res = 5
		}
	})}},
	{"failure with a notification", "ZCP-2", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if c := &dst[i]; isZC(c.Code) && c.Res < 0 && n < len(dst) {
				c.Flags |= api.More
				dst[n] = api.Completion{Tag: c.Tag, ID: c.ID, Code: c.Code, Flags: api.Notif}
				n++
			}
		}
		return n
	}}},
	{"SkipSuccess taken", "ZCP-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if isZC(op.Code) {
			op.Flags &^= api.SkipSuccess
		}
	})}},
	{"two notifications", "ZCP-3", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if dst[i].Flags.Has(api.Notif) && n < len(dst) {
				dst[n] = dst[i]
				return n + 1
			}
		}
		return n
	}}},
	{"memory changed on the way", "ZCP-3", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpSendZC && len(op.Buf) > 0 {
			op.Buf = append([]byte(nil), op.Buf...)
			op.Buf[len(op.Buf)-1] ^= 1
		}
	})}},
	{"what comes behind goes first", "ZCP-4", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		for i := range ops {
			if ops[i].Code == api.OpSend {
				ops[i].Flags |= api.Unordered
			}
		}
		return m.Engine.Submit(ops)
	}, complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := 2; i < n; i++ {
			if dst[i].Code == api.OpNop && dst[i-1].Code == api.OpSendZC {
				dst[i].Res = -int32(api.ECanceled)
			}
		}
		return n
	}}},
	{"cancelled with a notification", "ZCP-5", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if isZC(c.Code) && c.Err() == api.ErrCanceled {
			c.Flags |= api.Notif
		}
	})}},
	{"bytes lost in a cancel", "ZCP-5", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if c := &dst[i]; isZC(c.Code) && c.More() {
				c.Res, c.Flags = -int32(api.ECanceled), 0
			}
		}
		return n
	}}},
	{"cancel finds what has its result", "ZCP-6", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpCancel {
			c.Res = 0
		}
	})}},
	{"close waits", "ZCP-7", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if dst[i].Code == api.OpClose {
				return drop(dst, n, i)
			}
		}
		return n
	}}},
	{"drain does not wait", "ZCP-8", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := 1; i < n; i++ {
			if dst[i-1].Flags.Has(api.Notif) {
				dst[i-1], dst[i] = dst[i], dst[i-1]
			}
		}
		if n == 1 && dst[0].Flags.Has(api.Notif) {
			m.held = append(m.held, dst[0])
			return 0
		}
		if len(m.held) > 0 && n < len(dst) {
			dst[n] = m.held[0]
			m.held = nil
			n++
		}
		return n
	}}},
	{"usage not told", "ZCP-9", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags &^= api.ReportUsage })}},
	{"usage told to all", "ZCP-9", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if isZC(op.Code) {
			op.Flags |= api.ReportUsage
		}
	})}},
	{"over with the result", "ZCP-10", mutant{stats: func(s api.Stats) api.Stats {
		s.InFlight = min(s.InFlight, 1)
		return s
	}}},
	{"notification lost with the connection", "ZCP-11", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if dst[i].Flags.Has(api.Notif) {
				return drop(dst, n, i)
			}
		}
		return n
	}}},
	{"registered or not", "ZCP-13", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if isZC(op.Code) {
			op.Flags &^= api.FixedBuffer
		}
	})}},
	{"closed twice", "ZCP-12", mutant{closing: func(m *mutant) error {
		_ = m.Engine.Close() // that is the fault
		return nil
	}}},
}

func TestZeroCopyMutants(t *testing.T) { testMutants(t, zeroCopyMutants) }
