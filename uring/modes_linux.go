package uring

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// modes are the modes of the ring, one row each, as docs/RINGS.md lists them.
var modes = [...]struct {
	name, minKernel string
	opt             func(*api.Options)
}{
	{"Taskrun: TaskrunCoop", "5.19", func(o *api.Options) { o.Ring.Taskrun = api.TaskrunCoop }},
	{"Taskrun: TaskrunInterrupt", "5.6", func(o *api.Options) { o.Ring.Taskrun = api.TaskrunInterrupt }},
	{"SQPoll", "5.11", func(o *api.Options) { o.Ring.SQPoll = true }},
	{"SQCPU", "5.11", func(o *api.Options) { o.Ring.SQPoll, o.Ring.SQCPU = true, usableCPU() }},
	{"IOPoll: IOPollBusy", "5.6", func(o *api.Options) { o.Ring.IOPoll = api.IOPollBusy }},
	{"IOPoll: IOPollHybrid", "6.13", func(o *api.Options) { o.Ring.IOPoll = api.IOPollHybrid }},
	{"BoundedWorkers", "5.15", func(o *api.Options) { o.Ring.BoundedWorkers = 4 }},
	{"UnboundedWorkers", "5.15", func(o *api.Options) { o.Ring.UnboundedWorkers = 4 }},
	{"Restrict", "5.10", func(o *api.Options) { o.Restrict = api.Ops(api.OpNop) }},
	{"Memory: RingMemoryOwn", "6.5", func(o *api.Options) { o.Ring.Memory = api.RingMemoryOwn }},
	{"Memory: RingMemoryHuge", "6.5", func(o *api.Options) { o.Ring.Memory = api.RingMemoryHuge }},
	{"BusyPoll", "6.9", func(o *api.Options) { o.Ring.BusyPoll = time.Microsecond }},
	{"BusyPollIDs", "6.13", func(o *api.Options) { o.Ring.BusyPoll, o.Ring.BusyPollIDs[0] = time.Microsecond, 1<<30 }},
	{"Completions: CompletionsMixed", "6.18", func(o *api.Options) { o.Ring.Completions = api.CompletionsMixed }},
	{"Completions: CompletionsWide", "5.19", func(o *api.Options) { o.Ring.Completions = api.CompletionsWide }},
	{"WorkerCPUs", "5.14", func(o *api.Options) { o.Ring.WorkerCPUs = usableCPU() }},
}

// Modes tries each of the modes of api.RingOptions on this kernel, by opening an engine with it and closing it again. Any goroutine may call it.
func (Driver) Modes() []api.RingMode {
	var all []api.RingMode
	for _, m := range modes {
		o := api.Options{Entries: 8, CQEntries: 16}
		m.opt(&o)
		e, err := New(&o)
		if err == nil {
			err = e.Close()
		}
		all = append(all, api.RingMode{Name: m.name, MinKernel: m.minKernel, Err: err})
	}
	return all
}

// tryModes finds out whether the kernel takes the modes that were asked for, as far as the ring does not show it.
func (d *driver) tryModes(o *api.RingOptions) error {
	if o.Taskrun == api.TaskrunCoop && !d.kern.Has(api.KernCoopTaskrun) {
		return refused("Options.Ring.Taskrun", "5.19", unix.EINVAL)
	}
	if o.SQPoll && d.ring.Features()&iouring.IORING_FEAT_SQPOLL_NONFIXED == 0 {
		return refused("Options.Ring.SQPoll", "5.11", unix.EINVAL) // it takes registered files only
	}
	if err := d.busyPoll(o); err != nil {
		return err
	}
	return d.tryWorkers(o)
}

// refused says that the kernel does not take a mode that was asked for.
func refused(option, minKernel string, err error) *api.UnavailableError {
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		u := unavailable(option, err) // whatever the option, and the hint is another
		u.Reason = option + ": " + u.Reason
		return u
	}
	u := &api.UnavailableError{Backend: name, Reason: option + ": " + err.Error(), Err: err}
	var errno unix.Errno
	if errors.As(err, &errno) {
		u.Err = errno
	}
	u.Hint = "it needs Linux " + minKernel + "; open the engine without it"
	return u
}

// usableCPU is a processor that this thread may use.
func usableCPU() api.CPUSet {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		for n := range cpusMax {
			if set.IsSet(n) {
				return api.CPUs(n)
			}
		}
	}
	return api.CPUs(0)
}
