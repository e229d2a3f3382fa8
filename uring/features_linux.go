package uring

import (
	"errors"
	"math"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// ours are the operations that are never given to the kernel. Timeouts, removals, messages and the table of files are the engine's own, as on every
// backend (docs/DESIGN.md); shutdown and close are plain system calls: see there. So is what gives a registered file an fd, a duplicate of ours.
var ours = api.Ops(api.OpTimeout, api.OpTimeoutRemove, api.OpLinkTimeout, api.OpPollRemove, api.OpMsgRing, api.OpShutdown, api.OpClose,
	api.OpFilesUpdate, api.OpFixedFDInstall)

// partly are the operations that are given to the kernel in some cases only: see native.
var partly = api.Ops(api.OpSplice, api.OpTee)

// chooseOps asks the kernel which operations it has, and settles which of them are performed here in its stead. allowed are the
// features that are not switched off.
func (d *driver) chooseOps(disabled api.OpSet, allowed api.KernelFeature) error {
	p, err := d.ring.Probe()
	if err != nil {
		return unavailable("asking for the operations", err)
	}
	var lacks api.OpSet
	for c := range api.OpCode(api.OpCount) {
		if !iouring.OpSupported(p, uint8(c)) { // the codes are the kernel's
			lacks |= api.Ops(c)
		}
	}
	if needed := lacks & api.UringNeeds; needed != 0 {
		return &api.UnavailableError{Backend: name, Reason: "the kernel lacks the operations " + needed.String(),
			Hint: "Linux 5.6 or later has them"}
	}
	d.emulated = (lacks | disabled) & optab.Done() &^ ours
	if !lacks.Has(api.OpReadMultishot) {
		d.kern |= allowed & api.KernMultishotRead
	}
	return nil
}

// enterFeatures are the features of io_uring_enter(2).
func (d *driver) enterFeatures() (k api.KernelFeature) {
	if d.ring.Features()&iouring.IORING_FEAT_EXT_ARG != 0 {
		k |= api.KernExtArg
		if iouring.ProbeEnterFlags(iouring.IORING_ENTER_ABS_TIMER) == nil {
			k |= api.KernAbsTimer
		}
		if d.ring.Features()&iouring.IORING_FEAT_MIN_TIMEOUT != 0 {
			k |= api.KernMinWait
		}
	}
	if d.ring.Features()&iouring.IORING_FEAT_NO_IOWAIT != 0 {
		k |= api.KernNoIOWait
	}
	return k
}

// ringFeatures takes what the ring itself can be asked for, as long as it is disabled.
func (d *driver) ringFeatures(allowed api.KernelFeature) {
	if allowed.Has(api.KernWaitRegion) && d.kern.Has(api.KernExtArg) && d.ring.Flags()&iouring.IORING_SETUP_R_DISABLED != 0 &&
		d.ring.RegisterWaitRegion(1) == nil {
		// The argument of a wait, which the kernel need not copy from there (some 20 ns). What keeps it from being had (RLIMIT_MEMLOCK,
		// say) is no reason to fail.
		d.kern |= api.KernWaitRegion
	}
	if allowed.Has(api.KernResize) && d.resizes() {
		d.kern |= api.KernResize
	}
}

// zeros are what tryFlags writes and sends. Nobody changes them.
var zeros [8]byte

// tryFlags finds out which flags of operations the kernel knows. No bit tells, so they are tried on a ring of their own
// and a file that is no socket: a kernel that knows the flag says so, one that does not says EINVAL or EOPNOTSUPP. buf is not on a stack.
func tryFlags(buf *[8]byte) (k api.KernelFeature) {
	fd, errno := sysx.Eventfd()
	if errno != 0 {
		return 0
	}
	defer sysx.Close(fd)
	r, err := iouring.Setup(8, nil)
	if err != nil {
		return 0
	}
	defer func() { _ = r.Close() }() // nothing was at stake
	q := r.NextSQE()
	q.PrepAcceptMultishot(fd, 0)
	q.UserData = uint64(api.KernMultishotAccept)
	q = r.NextSQE()
	q.PrepAccept(fd, nil, nil, 0)
	q.Ioprio = iouring.IORING_ACCEPT_DONTWAIT
	q.UserData = uint64(api.KernAcceptDontWait)
	q = r.NextSQE()
	q.PrepRecvMultishot(fd, 0, 0)
	q.UserData = uint64(api.KernMultishotRecv)
	q = r.NextSQE()
	q.PrepPollAdd(fd, unix.POLLOUT)
	q.Len = iouring.IORING_POLL_ADD_MULTI
	q.UserData = uint64(api.KernMultishotPoll)
	p, n := iouring.Bytes(buf[:])
	q = r.NextSQE()
	q.PrepWrite(fd, p, n, 0)
	q.OpFlags = sysx.RWFNoSignal
	q.UserData = uint64(api.KernNoSignal)
	q = r.NextSQE()
	q.PrepSendZC(fd, p, n, 0, iouring.IORING_SEND_ZC_REPORT_USAGE)
	q.UserData = uint64(api.KernZeroCopy)
	// Each enter stops behind an entry that is refused; all of them complete at once.
	for range 6 {
		if _, errno := r.Enter(r.Flush(), 0, iouring.IORING_ENTER_GETEVENTS); errno != 0 && errno != unix.EINTR {
			return 0
		}
	}
	head, tail := r.Peek()
	for ; head != tail; head++ {
		if c := r.CQEAt(head); c.Res == -int32(unix.ENOTSOCK) || c.Res == int32(len(buf)) || c.Res >= 0 && c.Flags&iouring.IORING_CQE_F_MORE != 0 {
			k |= api.KernelFeature(c.UserData)
		}
	}
	if r.Features()&iouring.IORING_FEAT_RECVSEND_BUNDLE != 0 && tryBundle(r) {
		k |= api.KernBundles
	}
	return k | tryRegister(r)
}

// tryRegister is tryFlags for what is registered.
func tryRegister(r *iouring.Ring) (k api.KernelFeature) {
	if b, err := iouring.NewBufRing(r, 1, 0, 0); err == nil {
		k |= api.KernBufferRings
		_ = b.Close() // the ring goes right after it
	}
	if b, err := iouring.NewBufRing(r, 1, 0, iouring.IOU_PBUF_RING_INC); err == nil {
		k |= api.KernIncremental
		_ = b.Close()
	}
	// What is no ring is refused by those kernels that know how to clone, if there is no table yet; the rest do not look at it.
	if err := r.CloneBuffers(&iouring.CloneBuffers{SrcFd: math.MaxUint32}); errors.Is(err, unix.EBADF) {
		k |= api.KernCloneBuffers
	}
	// An empty slot is put into a table of one, which has to be empty itself.
	none := []unix.Iovec{{}}
	if r.RegisterBuffersTags(none, nil) == nil {
		if n, err := r.BuffersUpdate(0, none, nil); n == 1 && err == nil {
			k |= api.KernFixedBuffers
		}
	}
	if letsGo(r) {
		k |= api.KernFixedFiles
	}
	return k
}

// tryBundle finds out whether a receive with Bundle leaves alone what it does not fill. Kernels that cut the last buffer of a bundle to the
// data that they expect (before 6.16) leave it so when less comes, and then it is not certain which part of a bundle is where. With ten bytes
// it must fill two buffers of four, from a socket whose length the kernel knows (6.17, for Unix sockets). Nothing is in flight in r.
func tryBundle(r *iouring.Ring) bool {
	const size, count, data = 4, 4, 10
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer sysx.Close(int32(pair[0]))
	defer sysx.Close(int32(pair[1]))
	b, err := iouring.NewBufRing(r, count, 0, 0)
	if err != nil {
		return false
	}
	mem := make([]byte, size*count)
	for i := range count {
		p, n := iouring.Bytes(mem[i*size : (i+1)*size])
		b.Add(p, n, uint16(i))
	}
	b.Publish()
	r.Advance(r.CQReady())
	if _, err = unix.Write(pair[1], mem[:data]); err == nil {
		q := r.NextSQE()
		q.PrepRecv(int32(pair[0]), nil, 0, unix.MSG_DONTWAIT)
		q.SetBufferGroup(0)
		q.Ioprio = iouring.IORING_RECVSEND_BUNDLE
		_, _ = r.Enter(r.Flush(), 0, iouring.IORING_ENTER_GETEVENTS) // it either completes or does not
	}
	head, tail := r.Peek()
	right := head != tail && r.CQEAt(head).Res == data/size*size
	err = b.Close()
	runtime.KeepAlive(mem)
	return right && err == nil
}

// features tells what the kernel does, and what is done here or in the engine in its stead.
func (d *driver) features() (f api.Features) {
	moves := api.Ops(api.OpRecv, api.OpSend, api.OpRecvMsg, api.OpSendMsg)
	files := api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev)
	fixed := api.Ops(api.OpReadFixed, api.OpWriteFixed)
	f.Native = api.FeatPark | api.FeatPersonality
	f.Emulated = api.FeatOrdered | api.FeatCancelFD | api.FeatSafeClose | api.FeatDeadlines | api.FeatChains | api.FeatDrain |
		api.FeatPost | api.FeatDirectFiles | api.FeatGroupResize
	for _, m := range [...]struct {
		feat api.Feature
		kern api.KernelFeature
		ops  api.OpSet
	}{
		{api.FeatMultishotAccept, api.KernMultishotAccept, api.Ops(api.OpAccept)},
		{api.FeatMultishotRecv, api.KernMultishotRecv | api.KernBufferRings, api.Ops(api.OpRecv, api.OpRecvMsg)},
		{api.FeatMultishotPoll, api.KernMultishotPoll, api.Ops(api.OpPoll)},
		{api.FeatMultishotRecvMsg, api.KernMultishotRecv | api.KernBufferRings, api.Ops(api.OpRecv, api.OpRecvMsg)},
		{api.FeatMultishotRead, 0, api.Ops(api.OpReadMultishot)},
		{api.FeatBufferGroups, api.KernBufferRings | api.KernMultishotRecv, api.Ops(api.OpRecv, api.OpRecvMsg)},
		{api.FeatIncremental, api.KernIncremental | api.KernBufferRings | api.KernMultishotRecv, api.Ops(api.OpRecv, api.OpRecvMsg)},
		{api.FeatBundles, api.KernBundles | api.KernBufferRings | api.KernMultishotRecv, api.Ops(api.OpRecv, api.OpRecvMsg)},
		{api.FeatWaitAll, 0, moves},
		{api.FeatDontWait, 0, moves | files | api.Ops(api.OpAccept)},
		{api.FeatAsyncFiles, 0, files},
		{api.FeatFixedFiles, api.KernFixedFiles, 0},
		{api.FeatFixedBuffers, api.KernFixedBuffers, fixed},
		{api.FeatCloneBuffers, api.KernFixedBuffers | api.KernCloneBuffers, fixed},
		{api.FeatZeroCopy, api.KernZeroCopy, zeroCopyOps},
	} {
		if d.kern.Has(m.kern) && d.emulated&m.ops == 0 {
			f.Native |= m.feat
		} else {
			f.Emulated |= m.feat
		}
	}
	if d.kern.Has(api.KernResize) {
		f.Native |= api.FeatQueueResize
	}
	f.OpsEmulated = optab.Done() & (ours | partly | d.emulated)
	if d.wires() {
		f.Native |= api.FeatZeroCopyRecv
	} else {
		f.Emulated |= api.FeatZeroCopyRecv
		f.OpsEmulated |= api.Ops(api.OpRecvZC)
	}
	if !d.kern.Has(api.KernFixedBuffers) {
		f.OpsEmulated |= fixedOps
	}
	f.OpsNative = optab.Done() &^ f.OpsEmulated
	return f
}
