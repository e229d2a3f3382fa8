package conformance_test

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// ofCode makes a complete hook that changes one completion at a time, of operations with the code.
func ofCode(code api.OpCode, f func(m *mutant, c *api.Completion)) func(*mutant, []api.Completion, int) int {
	return each(func(m *mutant, c *api.Completion) {
		if c.Code == code {
			f(m, c)
		}
	})
}

// greedy is a group of which one buffer more seems to be out.
type greedy struct{ api.BufferGroup }

func (g greedy) Available() int { return g.BufferGroup.Available() - 1 }

// backwards is a group that puts every second buffer in line before the one that came first.
type backwards struct {
	api.BufferGroup
	lease api.Lease
	n     int
}

func (g *backwards) Queue(l api.Lease, n int) error {
	if g.n == 0 {
		g.lease, g.n = l, n
		return nil
	}
	first, k := g.lease, g.n
	g.n = 0
	if err := g.BufferGroup.Queue(l, n); err != nil {
		return err
	}
	return g.BufferGroup.Queue(first, k)
}

// lax is a group that says nothing of what cannot be put in line.
type lax struct{ api.BufferGroup }

func (g lax) Queue(l api.Lease, n int) error {
	_ = g.BufferGroup.Queue(l, n) // that is the fault
	return nil
}

// selectedMutants are faults of operations that take buffers of a group, and are no receives.
var selectedMutants = []fault{
	{"read into no buffer", "RDB-1", mutant{complete: ofCode(api.OpRead, func(_ *mutant, c *api.Completion) { c.Buf = c.Buf[:0] })}},
	{"buffer taken at the end", "RDB-1", mutant{complete: ofCode(api.OpRead, func(_ *mutant, c *api.Completion) {
		if c.Res == 0 {
			c.Flags |= api.Buffer
		}
	})}},
	{"read at the wrong position", "RDB-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRead && op.Off > 0 {
			op.Off = 0
		}
	})}},
	{"no buffer is EAGAIN", "RDB-3", mutant{complete: told(api.OpRead, becomes(-int32(syscall.ENOBUFS), -int32(syscall.EAGAIN)))}},
	{"buffer lost", "RDB-4", mutant{group: func(g api.BufferGroup) api.BufferGroup { return greedy{g} }}},
	{"read waits all the same", "RDB-5", mutant{submit: without(api.DontWait)}},
	{"cancelled read is EINTR", "RDB-6", mutant{complete: told(api.OpRead, becomes(-int32(api.ECanceled), -int32(syscall.EINTR)))}},
	{"short read goes on", "RDB-7", mutant{submit: instead(api.Link, api.HardLink)}},
	{"multishot read without More", "RDM-1", mutant{complete: ofCode(api.OpReadMultishot, func(_ *mutant, c *api.Completion) { c.Flags &^= api.More })}},
	{"file read for ever", "RDM-2", mutant{complete: told(api.OpReadMultishot, func(res int32) int32 { return max(res, 0) })}},
	{"ENOBUFS is the end", "RDM-3", mutant{complete: told(api.OpReadMultishot, becomes(-int32(syscall.ENOBUFS), 0))}},
	{"cancelled multishot read is EINTR", "RDM-4", mutant{complete: told(api.OpReadMultishot, becomes(-int32(api.ECanceled), -int32(syscall.EINTR)))}},
	{"read out of order", "RDM-5", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags |= api.Unordered })}},
	{"address left out", "RMM-1", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRecvMsg {
			op.Code, op.Msg = api.OpRecv, nil
		}
	})}},
	{"control data has other room", "RMM-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRecvMsg && op.Flags&api.Multishot != 0 {
			op.Msg = &api.Msg{Control: make([]byte, len(op.Msg.Control)+8)}
		}
	})}},
	{"cut in silence", "RMM-3", mutant{complete: ofCode(api.OpRecvMsg, func(_ *mutant, c *api.Completion) {
		if len(c.Buf) > api.PartsHead {
			clear(c.Buf[api.PartsHead-4 : api.PartsHead])
		}
	})}},
	{"head that does not fit is EINVAL", "RMM-4", mutant{complete: told(api.OpRecvMsg, becomes(-int32(syscall.EFAULT), -int32(syscall.EINVAL)))}},
	{"empty datagram goes on", "RMM-5", mutant{complete: ofCode(api.OpRecvMsg, func(_ *mutant, c *api.Completion) {
		if c.Res > 0 {
			c.Flags |= api.More
		}
	})}},
	{"cancelled messages are EINTR", "RMM-7", mutant{complete: told(api.OpRecvMsg, becomes(-int32(api.ECanceled), -int32(syscall.EINTR)))}},
	{"messages without waiting", "RMM-8", mutant{submit: without(api.WaitAll)}},
	{"message lost", "RMM-9", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if m.n++; m.n%37 == 0 {
				return drop(dst, n, i)
			}
		}
		return n
	}}},
	{"last in line goes first", "SBN-1", mutant{group: func(g api.BufferGroup) api.BufferGroup { return &backwards{BufferGroup: g} }}},
	{"bundle sent in part", "SBN-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpSend && op.Flags&api.Bundle != 0 {
			op.Flags |= api.DontWait
		}
	})}},
	{"what has been sent is not told", "SBN-3", mutant{complete: told(api.OpSend, func(res int32) int32 { return min(res, 1) })}},
	{"one bundle too many", "SBN-4", mutant{complete: told(api.OpSend, becomes(-int32(syscall.EBUSY), 0))}},
	{"put in line twice", "SBN-5", mutant{group: func(g api.BufferGroup) api.BufferGroup { return lax{g} }}},
	{"too large is EINVAL", "SBN-6", mutant{complete: told(api.OpSend, becomes(-int32(syscall.EMSGSIZE), -int32(syscall.EINVAL)))}},
	{"line outlives its group", "SBN-7", mutant{group: func(g api.BufferGroup) api.BufferGroup { return lax{g} }}},
	{"short bundle goes on", "SBN-8", mutant{submit: instead(api.Link, api.HardLink)}},
	{"received buffers are not sent", "SBN-9", mutant{group: func(g api.BufferGroup) api.BufferGroup { return &backwards{BufferGroup: g} }}},
	{"flags of a read not heeded", "RDM-6", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpReadMultishot {
			op.Flags |= api.BufferSelect | api.Multishot
		}
	})}},
}
