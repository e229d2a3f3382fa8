package core

import (
	"slices"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// reaped checks completions.
func (m *model) reaped(cs []api.Completion) {
	for i := range cs {
		c := &cs[i]
		m.t.Logf("completion of %v: %d, flags %#x", c.Tag, c.Res, uint16(c.Flags))
		if c.Code == api.OpMsgRing && c.ID == 0 {
			if len(m.posted) == 0 || c.Tag != m.posted[0] || c.More() {
				m.fail("%+v was not posted next: %v", *c, m.posted)
			}
			m.posted = m.posted[1:]
			continue
		}
		o := m.byID[c.ID]
		switch {
		case o == nil || o.told:
			m.fail("a completion of nothing, or behind the last: %+v", *c)
		case c.Tag != o.op.Tag || c.Code != o.op.Code:
			m.fail("%+v of %+v", *c, o.op)
		}
		m.checkBuffer(o, c)
		m.inOrder(o)
		switch {
		case optab.Of(c.Code).Notifies && (c.More() || o.result):
			m.reapNotified(o, c)
		case c.More():
			if o.emitted--; o.emitted < 0 || !o.begun || c.Res <= 0 {
				m.fail("operation %d was not to complete with %+v", o.at, *c)
			}
		default:
			o.told, o.res = true, c.Res
			if o.emitted != 0 {
				m.fail("the last completion of operation %d, and %d were to come before", o.at, o.emitted)
			}
			m.checkResult(o)
			if o.res >= 0 {
				m.performable(o)
			}
		}
	}
}

// reapNotified takes in the two completions of a zero-copy send.
func (m *model) reapNotified(o *modelOp, c *api.Completion) {
	switch {
	case c.More() && !o.result && o.given && o.gave >= 0 && c.Res == o.gave:
		o.result, o.res = true, c.Res
	case !c.More() && o.result && c.Flags&api.Notif != 0 && c.Res == 0:
		o.told = true
	default:
		m.fail("operation %d, %+v, has completed with %+v", o.at, *o, *c)
	}
}

// checkBuffer takes in the lease of a completion.
func (m *model) checkBuffer(o *modelOp, c *api.Completion) {
	if (c.Flags&api.Buffer != 0) != (len(o.bufs) > 0 && c.Res > 0) {
		m.fail("operation %d has %d buffers to come: %+v", o.at, len(o.bufs), *c)
	}
	if c.Flags&api.Buffer == 0 {
		return
	}
	l := o.bufs[0]
	o.bufs = o.bufs[1:]
	if !slices.Equal(c.Buf, l.want) || int(c.Res) != len(l.want) {
		m.fail("operation %d has %v in its buffer, want %v", o.at, c.Buf, l.want)
	}
	if m.seen[c.Lease] {
		m.fail("the lease %#x is given out twice", uint64(c.Lease))
	}
	m.seen[c.Lease] = true
	l.l, l.buf = c.Lease, c.Buf
	m.leases = append(m.leases, l)
}

// checkResult checks the last result of o.
func (m *model) checkResult(o *modelOp) {
	res, now := o.res, api.Now()
	late := o.op.Deadline != 0 && o.op.Deadline <= now
	if o.invalid() {
		if res != -int32(syscall.EINVAL) && res != -int32(api.ECanceled) && !(late && res == -int32(api.ETime)) && !(o.closes() && res == -int32(syscall.EBADF)) {
			m.fail("operation %d is wrong by itself, and has completed with %d", o.at, res)
		}
		return
	}
	if o.given && (o.gave >= 0 || o.moved > 0 || o.gave != -int32(api.ECanceled)) {
		want := o.gave
		if o.moved > 0 {
			want = o.moved
		}
		if res != want {
			m.fail("operation %d has completed with %d, and the driver has said %d", o.at, res, want)
		}
		return
	}
	ok := res >= 0 && !o.begun
	switch -res {
	case int32(api.ECanceled):
		ok = o.mayCancel() || o.broken() || o.op.Code == api.OpLinkTimeout
	case int32(api.ETime):
		ok = late
		if o.op.Code == api.OpTimeout || o.op.Code == api.OpLinkTimeout {
			ok = late || o.since.Add(time.Duration(o.op.Off)) <= now
		}
	case int32(syscall.EBADF):
		ok = o.closes()
	case int32(syscall.ENOBUFS):
		ok = o.op.Flags&api.BufferSelect != 0 && !o.begun
	case int32(syscall.EAGAIN):
		ok = o.op.Flags&api.DontWait != 0 && !o.begun
	case int32(syscall.ENOENT), int32(syscall.EALREADY):
		ok = o.op.Code == api.OpCancel || o.op.Code == api.OpLinkTimeout
	}
	if !ok {
		m.fail("operation %d, %+v, has completed with %d", o.at, *o, res)
	}
	if o.op.Code == api.OpCancel && o.op.Flags&byMany == 0 {
		m.checkAnswer(o)
	}
}

// checkAnswer checks that the cancel o has said the truth. What it says that has been ended may complete later.
func (m *model) checkAnswer(o *modelOp) {
	t := m.byID[o.op.Target]
	switch {
	case t == nil:
		if o.res == 0 {
			m.fail("the cancel %d has ended what there is not", o.at)
		}
	case o.res == 0 && t.told && t.res != -int32(api.ECanceled) && t.res != t.moved:
		m.fail("the cancel %d has ended %d, which has completed with %d", o.at, t.at, t.res)
	case o.res == 0 && t.at > t.unit && m.live(m.ops[t.at-1]) && !m.settled(m.ops[t.at-1]):
		m.fail("the cancel %d has found %d, which waits in its chain", o.at, t.at)
	case o.res != -int32(syscall.ENOENT) && o.res != -int32(syscall.EALREADY):
	case o.res == -int32(syscall.EALREADY) && t.refused, t.asked, t.at >= o.at, m.settled(t):
	case t.op.Code == api.OpCancel, t.op.Code == api.OpClose, t.op.Code == api.OpLinkTimeout, t.given: // cannot be stopped
	case t.at == t.unit:
		m.fail("the cancel %d says %d, and %d goes on", o.at, o.res, t.at)
	}
}
