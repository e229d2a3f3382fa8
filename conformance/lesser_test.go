package conformance_test

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
)

// less is an engine that has some features and operations less than the one below it, and says so: what another backend may be.
type less struct {
	api.Engine
	feats  api.Feature
	ops    api.OpSet
	closed atomic.Bool
}

// lesser is e without feats and ops.
func lesser(e api.Engine, o *api.Options, feats api.Feature, ops api.OpSet) (api.Engine, error) {
	l := &less{Engine: e, feats: feats, ops: ops}
	if o.Strategy.Mode == api.ModePark && feats.Has(api.FeatPark) {
		return nil, errors.Join(l.lacks(api.FeatPark), e.Close())
	}
	return l, nil
}

func (l *less) Features() api.Features {
	f := l.Engine.Features()
	f.Native &^= l.feats
	f.Emulated &^= l.feats
	f.OpsNative &^= l.ops
	f.OpsEmulated &^= l.ops
	return f
}

// lacks is the error for feat, nil if the engine has it.
func (l *less) lacks(feat api.Feature) error {
	switch {
	case l.closed.Load():
		return api.ErrClosed
	case l.feats&feat != 0:
		return &api.UnsupportedError{Feature: feat, Reason: "it was taken away"}
	}
	return nil
}

// flagFeatures are the features that a flag asks for, whatever the operation.
var flagFeatures = []struct {
	flags api.OpFlags
	feat  api.Feature
}{
	{api.Link | api.HardLink | api.SkipSuccess, api.FeatChains}, {api.Drain, api.FeatDrain}, {api.WaitAll, api.FeatWaitAll}, {api.DontWait, api.FeatDontWait},
	{api.ByFD, api.FeatCancelFD}, {api.BufferSelect, api.FeatBufferGroups}, {api.FixedFile, api.FeatFixedFiles}, {api.IntoSlot, api.FeatDirectFiles},
	{api.FixedBuffer, api.FeatFixedBuffers}, {api.Bundle, api.FeatBundles},
}

// asks are the features that op asks for.
func asks(op *api.Op) (feats api.Feature) {
	for _, f := range flagFeatures {
		if op.Flags&f.flags != 0 {
			feats |= f.feat
		}
	}
	if op.Deadline != 0 {
		feats |= api.FeatDeadlines
	}
	if op.Flags&api.Multishot != 0 {
		feats |= map[api.OpCode]api.Feature{api.OpAccept: api.FeatMultishotAccept, api.OpRecv: api.FeatMultishotRecv,
			api.OpRecvMsg: api.FeatMultishotRecvMsg, api.OpPoll: api.FeatMultishotPoll}[op.Code]
	}
	switch op.Code {
	case api.OpRecvZC:
		feats |= api.FeatZeroCopyRecv
	case api.OpReadMultishot:
		feats |= api.FeatMultishotRead
	case api.OpLinkTimeout:
		feats |= api.FeatChains
	case api.OpSendZC, api.OpSendMsgZC:
		feats |= api.FeatZeroCopy
	case api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed:
		feats |= api.FeatFixedBuffers
	case api.OpMsgRing:
		feats |= api.FeatPost
	case api.OpFilesUpdate, api.OpFixedFDInstall:
		feats |= api.FeatFixedFiles
	}
	return feats
}

// noSuchFlags are flags that no operation knows together: it is EINVAL.
const noSuchFlags = api.ByFD | api.DataSync | api.Abs | api.EOF | api.Level

func (l *less) Submit(ops []api.Op) (int, error) {
	inner := append([]api.Op(nil), ops...)
	var refusal error
	for i := range inner {
		op := &inner[i]
		if op.Args != nil {
			if to, ok := op.Args.To.(*less); ok {
				args := *op.Args
				args.To = to.Engine
				op.Args = &args
			}
		}
		if op.Code.Valid() && l.ops.Has(op.Code) {
			refusal = &api.UnsupportedError{Op: op.Code, Reason: "it was taken away"}
			inner = inner[:i]
			break
		}
		if asks(op)&l.feats != 0 {
			op.Flags, op.Deadline = noSuchFlags|op.Flags&(api.Link|api.HardLink|api.SkipSuccess|api.Drain), 0
		}
	}
	n, err := l.Engine.Submit(inner)
	for i := range n {
		ops[i].ID = inner[i].ID
	}
	if err == nil {
		err = refusal
	}
	return n, err
}

func (l *less) Close() error {
	err := l.Engine.Close()
	if err == nil {
		l.closed.Store(true)
	}
	return err
}

func (l *less) Post(tag uint64, res int32) error {
	if err := l.lacks(api.FeatPost); err != nil {
		return err
	}
	return l.Engine.Post(tag, res)
}

func (l *less) CancelSync(c api.Op, limit time.Duration) (int, error) {
	if c.Flags.Has(api.ByFD) {
		if err := l.lacks(api.FeatCancelFD); err != nil {
			return 0, err
		}
	}
	return l.Engine.CancelSync(c, limit)
}

func (l *less) RegisterFiles(fds []int) error {
	if err := l.lacks(api.FeatFixedFiles); err != nil {
		return err
	}
	return l.Engine.RegisterFiles(fds)
}

func (l *less) SetFileRange(at, n int) error {
	if err := l.lacks(api.FeatDirectFiles); err != nil {
		return err
	}
	return l.Engine.SetFileRange(at, n)
}

func (l *less) RegisterBuffers(bufs [][]byte) error {
	if err := l.lacks(api.FeatFixedBuffers); err != nil {
		return err
	}
	return l.Engine.RegisterBuffers(bufs)
}

func (l *less) CloneBuffers(from api.Engine) error {
	if err := l.lacks(api.FeatCloneBuffers); err != nil {
		return err
	}
	if f, ok := from.(*less); ok {
		from = f.Engine
	}
	return l.Engine.CloneBuffers(from)
}

func (l *less) RegisterPersonality() (api.Personality, error) {
	if err := l.lacks(api.FeatPersonality); err != nil {
		return 0, err
	}
	return l.Engine.RegisterPersonality()
}

func (l *less) ResizeQueues(entries, cqEntries int) error {
	if err := l.lacks(api.FeatQueueResize); err != nil {
		return err
	}
	return l.Engine.ResizeQueues(entries, cqEntries)
}

func (l *less) NewBufferGroup(o api.BufferGroupOptions) (api.BufferGroup, error) {
	err := l.lacks(api.FeatBufferGroups)
	if err == nil && o.Incremental {
		err = l.lacks(api.FeatIncremental)
	}
	if err == nil && o.ZeroCopy != nil {
		err = l.lacks(api.FeatZeroCopyRecv)
	}
	if err != nil {
		return nil, err
	}
	g, err := l.Engine.NewBufferGroup(o)
	if err != nil || !l.feats.Has(api.FeatGroupResize) {
		return g, err
	}
	return &lessGroup{g}, nil
}

// lessGroup is a group that cannot be resized.
type lessGroup struct{ api.BufferGroup }

func (g *lessGroup) Resize(int) error { return &api.UnsupportedError{Feature: api.FeatGroupResize} }
