package conformance

import "github.com/sluiceio/sluice/api"

// zeroCopyOps are the operations with two completions.
var zeroCopyOps = api.Ops(api.OpSendZC, api.OpSendMsgZC)

// checkZeroCopy is what holds for every completion of a zero-copy send: a failure alone, or a result and then a notification.
func (t *T) checkZeroCopy(op *tracked, c *api.Completion) {
	switch {
	case !op.told && c.Res < 0 && c.Flags == 0:
	case !op.told && c.Res >= 0 && c.Flags == api.More:
		op.told = true
	case op.told && c.Res == 0 && (c.Flags == api.Notif || c.Flags == api.Notif|api.Copied && op.flags&api.ReportUsage != 0):
	case op.told:
		t.Errorf("completion of a zero-copy send behind its result: %s, want the notification", show(c))
	default:
		t.Errorf("first completion of a zero-copy send: %s, want a result with More, or a failure without", show(c))
	}
}

// WantZC submits a zero-copy send, which must have the result res, and then its notification. It returns that.
func (t *T) WantZC(op api.Op, res int) api.Completion {
	t.tb.Helper()
	t.Submit(op)
	t.AwaitMore(op.Tag, res)
	return t.AwaitNotif(op.Tag)
}

// AwaitMore is Await for a result with More.
func (t *T) AwaitMore(tag uint64, res int) {
	t.tb.Helper()
	c := t.Await(tag)
	t.WantMore(&c, res)
}

// AwaitNotif is Await for the notification of a zero-copy send.
func (t *T) AwaitNotif(tag uint64) api.Completion {
	t.tb.Helper()
	c := t.Await(tag)
	if !c.Flags.Has(api.Notif) || c.Res != 0 || c.More() {
		t.Errorf("got %s, want the notification", show(&c))
	}
	return c
}
