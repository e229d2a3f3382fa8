package uring

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// The kernel's workers (io-wq) belong to a task: of a ring without SQPOLL, to the thread that submits. All rings of
// a thread share them, and so the limits and processors that are set here, in Bind, and put back in Close.

// cpusMax is how many processors cpu_set_t knows.
const cpusMax = 1024

// tryWorkers finds out whether the kernel takes what the options say of its workers, before there is an engine that would do without.
func (d *driver) tryWorkers(o *api.RingOptions) error {
	if o.BoundedWorkers|o.UnboundedWorkers != 0 {
		if _, err := d.ring.RegisterIOWQMaxWorkers(0, 0); err != nil { // which only asks
			return refused("Options.Ring.BoundedWorkers, UnboundedWorkers", "5.15", err)
		}
	}
	if o.WorkerCPUs == (api.CPUSet{}) {
		return nil
	}
	wrong := &api.OptionError{Option: "Ring.WorkerCPUs", Reason: "has " + o.WorkerCPUs.String() +
		", and the kernel refuses that: not all of them are processors that this program may use, or Linux is older than 5.14"}
	if unusable(&o.WorkerCPUs) >= 0 {
		return wrong // the kernel passes over numbers that no processor here can have, and takes a set of none but these
	}
	// The kernel looks at the processors when they are set. This thread, which need not be the owner's, gets back what it had.
	if err := d.setCPUs(&o.WorkerCPUs); err != nil {
		if errors.Is(err, unix.EINVAL) {
			return wrong
		}
		return refused("Options.Ring.WorkerCPUs", "5.14", err)
	}
	if d.sqpoll {
		return nil // they are those of a thread that is there for this ring
	}
	return d.ring.UnregisterIOWQAff()
}

// unusable is a processor of the set that this program may not use, or that is not there; -1 if there is none. Those that the thread runs on need no further look.
func unusable(cpus *api.CPUSet) int {
	var mine unix.CPUSet
	if unix.SchedGetaffinity(0, &mine) != nil {
		return -1 // it cannot be told
	}
	var others []int
	for n := range cpusMax {
		if cpus.Has(n) && !mine.IsSet(n) {
			others = append(others, n)
		}
	}
	if others == nil {
		return -1
	}
	found := make(chan int)
	go func() {
		runtime.LockOSThread() // for good: the thread, which runs where it is told to, ends with the goroutine
		for _, n := range others {
			one := new(unix.CPUSet)
			one.Set(n)
			if errors.Is(unix.SchedSetaffinity(0, one), unix.EINVAL) {
				found <- n
				return
			}
		}
		found <- -1
	}()
	return <-found
}

func (d *driver) setCPUs(cpus *api.CPUSet) error {
	set := new(unix.CPUSet)
	for n := range cpusMax {
		if cpus.Has(n) {
			set.Set(n)
		}
	}
	return d.ring.RegisterIOWQAff(set)
}

// bindWorkers sets the limits and processors of the owner's workers.
func (d *driver) bindWorkers() error {
	o := &d.modes
	if o.BoundedWorkers|o.UnboundedWorkers == 0 && o.WorkerCPUs == (api.CPUSet{}) {
		return nil
	}
	d.flush() // the kernel gives a thread workers, of which no limit is exceeded yet, when it submits for the first time
	var err error
	if o.BoundedWorkers|o.UnboundedWorkers != 0 {
		d.oldWorkers, err = d.ring.RegisterIOWQMaxWorkers(uint32(o.BoundedWorkers), uint32(o.UnboundedWorkers))
	}
	if err == nil && o.WorkerCPUs != (api.CPUSet{}) {
		err = d.setCPUs(&o.WorkerCPUs)
	}
	if err != nil {
		d.note(err)
	}
	return d.failed
}

// unbindWorkers puts back what bindWorkers has changed: the thread goes on without us. Nothing is lost where that fails.
func (d *driver) unbindWorkers() {
	if d.oldWorkers != [2]uint32{} {
		_, _ = d.ring.RegisterIOWQMaxWorkers(d.oldWorkers[iouring.IO_WQ_BOUND], d.oldWorkers[iouring.IO_WQ_UNBOUND])
	}
	if d.modes.WorkerCPUs != (api.CPUSet{}) {
		_ = d.ring.UnregisterIOWQAff()
	}
}
