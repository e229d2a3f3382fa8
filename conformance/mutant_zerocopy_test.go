package conformance_test

import (
	"syscall"
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

// isPiece says whether c carries data of a RecvZC.
func isPiece(c *api.Completion) bool { return c.Code == api.OpRecvZC && c.Res > 0 }

// twice is a group that takes a lease as often as it is given one.
type twice struct{ api.BufferGroup }

func (g twice) Release(l api.Lease) error {
	_ = g.BufferGroup.Release(l) // that is the fault
	return nil
}

// recvZCMutants break the rules of zero-copy receives.
var recvZCMutants = []fault{
	{"no More", "ZCR-1", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if isPiece(c) {
			c.Flags &^= api.More
		}
	})}},
	{"a byte short", "ZCR-1", mutant{complete: each(func(m *mutant, c *api.Completion) {
		if isPiece(c) && c.Res > 1000 {
			c.Res, c.Buf = c.Res-1, c.Buf[1:]
		}
	})}},
	{"end of the stream not told", "ZCR-1", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Flags &^= api.AtEOF })}},
	{"ENOBUFS", "ZCR-2", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.ENOMEM) {
			c.Res = -int32(syscall.ENOBUFS)
		}
	})}},
	{"refused without a page", "ZCR-2", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		for i := range ops {
			if m.n++; ops[i].Code == api.OpRecvZC && m.n > 1 {
				ops[i].Group = 9
			}
		}
		return m.Engine.Submit(ops)
	}}},
	{"any socket will do", "ZCR-3", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.EPROTONOSUPPORT) {
			c.Res = 0
		}
	})}},
	{"flags not looked at", "ZCR-3", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRecvZC {
			op.Arg = 0
		}
	})}},
	{"a group for everything", "ZCR-4", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpRecv && c.Res == -int32(syscall.EINVAL) {
			c.Res = -int32(syscall.ENOBUFS)
		}
	})}},
	{"a group that grows", "ZCR-4", mutant{group: oddly(odd{resize: func(*odd, int) error { return nil }})}},
	{"options not looked at", "ZCR-5", mutant{options: func(o *api.BufferGroupOptions) {
		if o.ZeroCopy != nil {
			z := *o.ZeroCopy
			z.Refill, o.ZeroCopy = 0, &z
		}
	}}},
	{"an interface that there is not", "ZCR-5", mutant{options: func(o *api.BufferGroupOptions) {
		if o.ZeroCopy != nil {
			z := *o.ZeroCopy
			z.Interface, o.ZeroCopy = "", &z
		}
	}}},
	{"second release taken", "ZCR-6", mutant{group: func(g api.BufferGroup) api.BufferGroup { return twice{g} }}},
	{"OnLow never called", "ZCR-6", mutant{options: func(o *api.BufferGroupOptions) { o.OnLow = nil }}},
	{"a cancel is the end of the stream", "ZCR-7", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpRecvZC && c.Err() == api.ErrCanceled {
			c.Res = 0
		}
	})}},
	{"out of line", "ZCR-8", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRecvZC {
			op.Flags |= api.Unordered
		}
	})}},
	{"the same page twice", "ZCR-9", mutant{complete: each(func(m *mutant, c *api.Completion) {
		if isPiece(c) {
			if m.n++; m.n%5 == 0 {
				c.Lease = m.last
			}
			m.last = c.Lease
		}
	})}},
	{"copied and not told", "ZCR-10", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Flags &^= api.Copied })}},
	{"told by all receives", "ZCR-10", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpRecv {
			c.Flags |= api.Copied
		}
	})}},
	{"Require without effect", "ZCR-11", mutant{options: func(o *api.BufferGroupOptions) {
		if o.ZeroCopy != nil {
			z := *o.ZeroCopy
			z.Require, o.ZeroCopy = false, &z
		}
	}}},
	{"lost while nobody looks", "ZCR-12", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if m.n++; isPiece(&dst[i]) && m.n > 1 {
				return drop(dst, n, i)
			}
		}
		return n
	}}},
}

func TestRecvZCMutants(t *testing.T) { testMutants(t, recvZCMutants) }
