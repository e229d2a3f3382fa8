//go:build linux

package uring

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// every are all operations that an engine can do without.
const every = (api.OpSet(1)<<api.OpCount - 1) &^ api.UringNeeds

// TestFeaturesOfMaskedOps: what is not given to the kernel is emulated, and nothing gets lost.
func TestFeaturesOfMaskedOps(t *testing.T) {
	all := open(t, nil).Features()
	if done := all.OpsNative | all.OpsEmulated; done != optab.Done() {
		t.Errorf("an engine performs %v, want %v", done, optab.Done())
	}
	for _, off := range []api.OpSet{api.Ops(api.OpSend), api.Ops(api.OpRecv, api.OpAccept), every} {
		f := open(t, &api.Options{DisableOps: off}).Features()
		native := all.OpsNative &^ off
		if off.Has(api.OpRecv) {
			native &^= api.Ops(api.OpReadMultishot) // buffers are the kernel's to hand out for all operations or for none
		}
		if f.OpsNative != native || f.OpsNative|f.OpsEmulated != optab.Done() || f.OpsNative&f.OpsEmulated != 0 {
			t.Errorf("without %v: native %v, emulated %v", off, f.OpsNative, f.OpsEmulated)
		}
		if f.Native|f.Emulated != all.Native|all.Emulated || off.Has(api.OpRecv) == f.Native.Has(api.FeatBufferGroups) {
			t.Errorf("without %v: features native %v, emulated %v", off, f.Native, f.Emulated)
		}
	}
	if _, err := New(&api.Options{DisableOps: api.UringNeeds}); !errors.Is(err, api.ErrInvalidOption) {
		t.Errorf("without %v: %v", api.UringNeeds, err)
	}
}

// TestEncoders: each operation that may be given to the kernel is encoded as what it is. The codes are the kernel's.
func TestEncoders(t *testing.T) {
	// As if it had the buffer, and the network card, of an operation without any.
	d := &driver{kern: api.KernAll, held: make([]*core.Buffer, 1), wired: []*wired{{card: &iouring.ZCRX{}}}}
	for c := range api.OpCode(api.OpCount) {
		if !optab.Done().Has(c) {
			continue
		}
		how := optab.DocOf(c).How
		if never := how == optab.Engine || how == optab.Call; never != ours.Has(c) {
			t.Errorf("%v: that it is never given to the kernel is %v here and %v in internal/optab/doc.go", c, ours.Has(c), never)
		}
		if ours.Has(c) {
			continue
		}
		if got, err := encoded(d, c); got != uint8(c) || err != nil {
			t.Errorf("%v, which is %d, is encoded as %d (%v): write an encoder, or put it into the set of those that are ours", c, c, got, err)
		}
	}
	if got, err := encoded(d, api.OpFilesUpdate); got != iouring.IORING_OP_NOP || err != nil {
		t.Errorf("an operation without an encoder becomes %d (%v), which hides that it is missing", got, err)
	}
}

// encoded is the kernel's code of an operation with the code c that has all that any may need.
func encoded(d *driver, c api.OpCode) (op uint8, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	s := &core.Slot{FD: &core.FD{}, Op: api.Op{Code: c, Buf: make([]byte, 8), Msg: &api.Msg{}, Args: &api.Args{
		Path: "a", NewPath: "b", Name: "c", How: &api.OpenHow{}, Stat: &api.StatxBuf{}, Pipe: new([2]int32), Child: &api.ChildInfo{},
		Futexes: []api.Futex{{Addr: new(uint32)}}}}}
	s.NeedMsg().Set([][]byte{s.Op.Buf}, nil)
	s.NeedExtra().Futexes = make([]sysx.FutexWaiter, 1)
	if c == api.OpReadMultishot {
		s.Group = new(core.Group)
	}
	if c == api.OpUringCmd {
		s.Op.Arg = api.SockGetOpt
	}
	if argOps.Has(c) {
		if errno := attempt.Prepare(s); errno != 0 {
			return 0, errno
		}
	}
	var q iouring.SQE
	q.PrepNop()
	if c == api.OpCancel { // the engine's own, which may take several of the kernel's
		encodeCancel(&q, pending{})
	} else {
		d.encodeOp(&q, s)
	}
	return q.Opcode, nil
}

// pooled is a driver that gives every read to the workers. One of an empty pipe keeps its worker busy.
type pooled struct{ *driver }

func (d pooled) Start(s *core.Slot) {
	if s.Op.Code != api.OpRead {
		d.driver.Start(s)
		return
	}
	s.NeedMsg().SetOne(s.Op.Buf, nil)
	setLeg(s, uint64(legWorker))
	d.pool.Submit(s)
}

// openPooled opens an engine over pooled, with one worker, that is at work at a read from a pipe of which
// w is the other end.
func openPooled(t *testing.T, o api.Options) (e *core.Engine, w int) {
	t.Helper()
	watchdog(t)
	o.Workers = 1
	opt, err := o.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDriver(&opt)
	if errors.Is(err, api.ErrUnavailable) && os.Getenv("REQUIRE_BACKENDS") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if e, err = core.New(name, opt, d.features(), pooled{d}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, api.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	r, w := pipe(t)
	submit(t, e, api.Read(r, make([]byte, 1), api.CurrentPosition, 1))
	for end := time.Now().Add(5 * time.Second); ; {
		if n, err := e.Complete(nil, api.Wait{}); n != 0 || err != nil || time.Now().After(end) {
			t.Fatalf("no worker is at work: %d, %v, %+v", n, err, e.Stats())
		}
		if s := e.Stats(); s.PoolDepth == 1 && s.PoolQueued == 0 {
			return e, w
		}
	}
}

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	p := make([]int, 2)
	if err := unix.Pipe2(p, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) })
	return p[0], p[1]
}

func put(t *testing.T, w int, s string) {
	t.Helper()
	if n, err := unix.Write(w, []byte(s)); n != len(s) || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
}

var poolModes = []api.Options{{}, {Strategy: api.Park()}, {Disable: api.KernAll}, {Strategy: api.Spin(20, api.Block())}}

// TestCancelInThePool: what waits for a worker ends by a cancel or its deadline, what a worker has begun does not, and its result
// ends a wait.
func TestCancelInThePool(t *testing.T) {
	for _, o := range poolModes {
		e, w := openPooled(t, o)
		r, w2 := pipe(t)
		put(t, w2, "abc")
		read := func(tag uint64) api.Op {
			return api.Read(r, make([]byte, 1), api.CurrentPosition, tag).With(api.Unordered)
		}
		ops := submit(t, e, read(2), read(3).Until(api.After(5*time.Millisecond)), read(4))
		submit(t, e, api.Cancel(ops[0].ID, 20))
		got := map[uint64]int32{}
		for _, c := range wait(t, e, 3) {
			got[c.Tag] = c.Res
		}
		if got[2] != -int32(api.ECanceled) || got[20] != 0 || got[3] != -int32(api.ETime) {
			t.Errorf("%+v: cancelled and expired in the queue: %v", o, got)
		}
		if s := e.Stats(); s.PoolDepth != 2 || s.PoolQueued != 1 {
			t.Errorf("%+v: one job runs, one waits: %+v", o, s)
		}
		submit(t, e, api.CancelFD(r, 30))
		got = map[uint64]int32{}
		for _, c := range wait(t, e, 2) {
			got[c.Tag] = c.Res
		}
		if got[4] != -int32(api.ECanceled) || got[30] != 1 {
			t.Errorf("%+v: cancelled by fd in the queue: %v", o, got)
		}
		submit(t, e, read(5))
		time.AfterFunc(5*time.Millisecond, func() { put(t, w, "x") })
		want(t, wait(t, e, 1)[0], 1, 1)
		want(t, wait(t, e, 1)[0], 5, 1)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCancelOfRunningJob: the answer is EALREADY, and the job completes by itself.
func TestCancelOfRunningJob(t *testing.T) {
	for _, o := range poolModes {
		e, w := openPooled(t, o)
		r, w2 := pipe(t)
		ops := submit(t, e, api.Read(r, make([]byte, 1), api.CurrentPosition, 2))
		put(t, w, "x")
		want(t, wait(t, e, 1)[0], 1, 1)
		for end := time.Now().Add(5 * time.Second); e.Stats().PoolQueued != 0; {
			if _, err := e.Complete(nil, api.Wait{}); err != nil || time.Now().After(end) {
				t.Fatalf("the second job does not begin: %v", err)
			}
		}
		submit(t, e, api.Cancel(ops[0].ID, 3))
		want(t, wait(t, e, 1)[0], 3, -int(syscall.EALREADY))
		put(t, w2, "y")
		want(t, wait(t, e, 1)[0], 2, 1)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCloseBeginsNothing: Close of an engine waits for the worker that is at work, and what waits is not begun any more.
func TestCloseBeginsNothing(t *testing.T) {
	for _, o := range poolModes {
		e, w := openPooled(t, o)
		r, w2 := pipe(t)
		put(t, w2, "abc")
		for i := range uint64(100) {
			submit(t, e, api.Read(r, make([]byte, 1), api.CurrentPosition, 2+i).With(api.Unordered))
		}
		if _, err := e.Complete(nil, api.Wait{}); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.PoolDepth != 101 || s.PoolQueued != 100 {
			t.Errorf("%+v: one job runs, 100 wait: %+v", o, s)
		}
		time.AfterFunc(5*time.Millisecond, func() { put(t, w, "x") })
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if n, err := unix.Read(r, make([]byte, 8)); n != 3 || err != nil {
			t.Errorf("%+v: of the 3 bytes that the jobs in the queue would have read, %d are left (%v)", o, n, err)
		}
	}
}
