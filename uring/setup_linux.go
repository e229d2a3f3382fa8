package uring

import (
	"errors"
	"math"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// optional are the features that are flags of io_uring_setup(2), the newest first: that is the order in which they are
// dropped until the kernel takes what is left.
var optional = [...]struct {
	feature api.KernelFeature
	flags   uint32
}{
	{api.KernNoSQArray, iouring.IORING_SETUP_NO_SQARRAY},
	{api.KernDeferTaskrun, iouring.IORING_SETUP_DEFER_TASKRUN},
	// Disabled until Bind: the thread that enables the ring is the one that it belongs to, and the
	// one that opens it need not be that.
	{api.KernSingleIssuer, iouring.IORING_SETUP_SINGLE_ISSUER | iouring.IORING_SETUP_R_DISABLED},
	{api.KernCoopTaskrun, iouring.IORING_SETUP_COOP_TASKRUN},
	{api.KernSubmitAll, iouring.IORING_SETUP_SUBMIT_ALL},
}

// newDriver opens a ring with all that the kernel and the options allow.
func newDriver(o *api.Options) (*driver, error) {
	d := &driver{block: o.Strategy.Mode == api.ModeBlock, modes: o.Ring, attach: attachCard}
	allowed := api.KernAll &^ o.Disable
	runtime.LockOSThread() // some of what is tried is about the thread that has made the ring
	defer runtime.UnlockOSThread()
	if err := d.open(o, allowed); err != nil {
		return nil, err
	}
	for _, try := range [...]func() error{
		func() error { return d.openPolled(o) },
		func() error { return d.chooseOps(o.DisableOps, allowed) },
		d.tryEnter,
		func() error { return d.tryModes(&o.Ring) },
	} {
		if err := try(); err != nil {
			_, _ = d.closePolled(), d.ring.Close() // the error before is the one to report
			return nil, err
		}
	}
	d.kern |= allowed & (api.KernRegisteredRing | tryFlags(&zeros) | d.enterFeatures())
	d.ringFeatures(allowed)
	d.soft = !d.kern.Has(api.KernBufferRings|api.KernMultishotRecv) || d.emulated&api.Ops(api.OpRecv, api.OpRecvMsg) != 0
	if !d.kern.Has(api.KernZeroCopy) {
		d.emulated |= zeroCopyOps
	}
	d.gathers = d.emulated&api.Ops(api.OpSend, api.OpSendMsg) == 0 && (o.Restrict == 0 || o.Restrict.Has(api.OpSendMsg))
	if d.soft || !d.kern.Has(api.KernMultishotRead) {
		d.emulated |= api.Ops(api.OpReadMultishot)
	}
	d.special = prepared | d.emulated
	if d.kern.Has(api.KernNoSignal) {
		d.noSignal, d.tries.NoSignal = sysx.RWFNoSignal, sysx.RWFNoSignal
	}
	d.waitFlags = iouring.IORING_ENTER_GETEVENTS
	if d.kern.Has(api.KernNoIOWait) {
		// The CPU is idle while we wait, not waiting for a disk, and shall be counted so.
		d.waitFlags |= iouring.IORING_ENTER_NO_IOWAIT
	}
	d.clockOff = clockOffset()
	d.pauses = [...]iouring.Timespec{iouring.NsToTimespec(1e6), iouring.NsToTimespec(1e7)}
	if err := d.restrict(o.Restrict); err != nil {
		_, _ = d.closePolled(), d.ring.Close() // the error before is the one to report
		return nil, err
	}
	return d, nil
}

// tryEnter finds out whether a seccomp profile that lets io_uring_setup through stops io_uring_enter, which would be noticed
// when it is too late to choose another backend. A ring that is disabled still answers EBADFD.
func (d *driver) tryEnter() error {
	switch _, errno := d.ring.EnterNoWait(0, 0); errno {
	case unix.EPERM, unix.EACCES, unix.ENOSYS:
		return unavailable("io_uring_enter", os.NewSyscallError("io_uring_enter", errno))
	}
	return nil
}

// clockOffset is CLOCK_MONOTONIC minus api.Now. If the thread is held up between the two it comes out too large by
// that, and so is measured several times; never too small, which would end each wait early.
func clockOffset() int64 {
	best := int64(math.MaxInt64)
	for range 5 {
		ours := int64(api.Now())
		best = min(best, sysx.MonotonicNow()-ours)
	}
	return best
}

// open sets the ring up.
func (d *driver) open(o *api.Options, allowed api.KernelFeature) error {
	if !d.block {
		// The goroutine moves from thread to thread.
		allowed &^= api.KernSingleIssuer
	}
	switch {
	case o.Ring.Taskrun == api.TaskrunCoop:
		allowed &^= api.KernDeferTaskrun
	case o.Ring.Taskrun == api.TaskrunInterrupt, o.Ring.SQPoll:
		allowed &^= api.KernDeferTaskrun | api.KernCoopTaskrun
	}
	for drop := 0; ; drop++ {
		if !allowed.Has(api.KernSingleIssuer) {
			allowed &^= api.KernDeferTaskrun // the kernel has it only together
		}
		p := iouring.Params{Flags: setupFlags(o, allowed), CQEntries: cqEntries(o)}
		if err := sqpollParams(&o.Ring, &p); err != nil {
			return err
		}
		ring, err := iouring.SetupIn(places[o.Ring.Memory], uint32(o.Entries), &p)
		if err == nil {
			d.ring = ring
			d.kern = granted(ring.Flags())
			d.sqpoll = ring.Flags()&iouring.IORING_SETUP_SQPOLL != 0
			d.deferred = d.kern.Has(api.KernDeferTaskrun)
			d.mixed = ring.Flags()&iouring.IORING_SETUP_CQE_MIXED != 0
			// Without either of the two the kernel interrupts us to make completions.
			d.flagged = ring.Flags()&iouring.IORING_SETUP_TASKRUN_FLAG != 0 ||
				d.kern&(api.KernDeferTaskrun|api.KernCoopTaskrun) == 0
			return nil
		}
		if drop == len(optional) || !errors.Is(err, unix.EINVAL) {
			return asked(o, err)
		}
		allowed &^= optional[drop].feature
	}
}

// asked finds out which of the options it was that the kernel has refused.
func asked(o *api.Options, err error) error {
	switch {
	case errors.Is(err, unix.EINVAL) && unusable(&o.Ring.SQCPU) >= 0:
		return &api.OptionError{Option: "Ring.SQCPU", Reason: "is " + o.Ring.SQCPU.String() + ", and the kernel refuses that: it is no processor that this program may use"}
	case errors.Is(err, iouring.ErrNoHugePages):
		return noHugePages(err)
	case errors.Is(err, unix.EINVAL) && o.Ring.Completions != api.CompletionsDefault:
		return refused("Options.Ring.Completions", sizes[o.Ring.Completions].minKernel, err)
	case o.Ring.Attach != nil && (errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EBADF) || errors.Is(err, unix.EINVAL)):
		return refused("Options.Ring.Attach", "5.6", err)
	case o.Ring.SQPoll && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)):
		return refused("Options.Ring.SQPoll", "5.11", err)
	case errors.Is(err, unix.EINVAL) && o.Ring.Memory != api.RingMemoryDefault:
		return refused("Options.Ring.Memory", "6.5", err)
	case errors.Is(err, unix.EINVAL) && o.Restrict != 0:
		return refused("Options.Restrict", "5.10", err)
	}
	return unavailable("io_uring_setup", err)
}

func setupFlags(o *api.Options, allowed api.KernelFeature) uint32 {
	flags := uint32(iouring.IORING_SETUP_CLAMP|iouring.IORING_SETUP_CQSIZE) | sizes[o.Ring.Completions].flag
	if allowed.Has(api.KernDeferTaskrun) {
		allowed &^= api.KernCoopTaskrun
	}
	for _, f := range optional {
		if allowed.Has(f.feature) {
			flags |= f.flags
		}
	}
	if o.Restrict != 0 {
		flags |= iouring.IORING_SETUP_R_DISABLED // the only time when a ring can be restricted
	}
	// The flag costs the kernel two atomic operations per batch. It saves those an enter per look who look without waiting.
	looks := o.Strategy.Mode == api.ModePark || o.Strategy.Spin > 0 || o.Ring.IOPoll != api.IOPollOff
	if looks && allowed&(api.KernDeferTaskrun|api.KernCoopTaskrun) != 0 {
		flags |= iouring.IORING_SETUP_TASKRUN_FLAG
	}
	return flags
}

func granted(flags uint32) (k api.KernelFeature) {
	for _, f := range optional {
		if flags&f.flags == f.flags {
			k |= f.feature
		}
	}
	return k
}

// Bind implements core.Driver.
func (d *driver) Bind() error {
	if d.bound {
		return nil
	}
	if d.block {
		// Not only for a ring that belongs to a thread: the kernel cancels what a thread has
		// submitted when that thread ends.
		runtime.LockOSThread()
		d.tid = unix.Gettid()
	}
	if d.ring.Flags()&iouring.IORING_SETUP_R_DISABLED != 0 {
		err := d.ring.EnableRings()
		if err == nil {
			err = d.bindPolled()
		}
		if err != nil {
			if d.block { // another's lock of the thread is not for us to undo
				runtime.UnlockOSThread()
			}
			return err
		}
	}
	if d.block && d.kern.Has(api.KernRegisteredRing) && d.ring.RegisterRingFD() != nil {
		d.kern &^= api.KernRegisteredRing // an older kernel, or 16 rings of this thread: it works without
	}
	d.bound = true
	d.armWake()
	return d.bindWorkers()
}

// Close implements core.Driver.
func (d *driver) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.pool.Close()
	d.futex.Close()
	d.tries.ZC.Close()
	var err error
	for _, g := range d.groups {
		if g != nil {
			err = errors.Join(err, g.ring.Close())
		}
	}
	d.groups, d.dirty = nil, nil
	if len(d.fixed.fds) > 0 {
		_ = d.ring.UnregisterFiles() // the ring goes in any case, but later: the kernel does that in another thread
	}
	mine := d.bound && d.block && unix.Gettid() == d.tid
	if d.bound {
		d.unbindWorkers(mine || d.sqpoll)
	}
	err = errors.Join(err, d.stopPolling(), d.closePolled(), d.ring.Close(), d.freeCards())
	if mine {
		runtime.UnlockOSThread()
	}
	return err
}

// unavailable tells why there can be no engine, and what would help.
func unavailable(what string, err error) *api.UnavailableError {
	u := &api.UnavailableError{Backend: name, Reason: err.Error(), Err: err}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		u.Reason = what + ": " + u.Reason
		return u
	}
	u.Err = errno
	switch errno {
	case unix.ENOSYS:
		u.Hint = "the kernel is older than 5.1 or built without io_uring, or a seccomp profile hides it; another backend works here"
	case unix.EPERM, unix.EACCES:
		u.Hint = "allow it: `sysctl kernel.io_uring_disabled` must be 0 (1 allows the group in kernel.io_uring_group), and the seccomp profile of the container must permit io_uring_setup, io_uring_enter and io_uring_register"
	case unix.ENOMEM:
		u.Hint = "raise RLIMIT_MEMLOCK (`ulimit -l`), or make Options.Entries and CQEntries smaller"
	case unix.EMFILE:
		u.Hint = "raise RLIMIT_NOFILE (`ulimit -n`), or close files"
	case unix.ENFILE:
		u.Hint = "the whole system is out of files: raise `sysctl fs.file-max`"
	case unix.EINVAL:
		u.Hint = "the kernel is too old for it: Linux 5.6 is the least"
	}
	return u
}
