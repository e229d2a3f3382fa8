package uring

import (
	"errors"
	"runtime"
	"slices"
	"sync"

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
	if !d.sqpoll {
		sharing.add(d)
	}
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

// unbindWorkers puts back what bindWorkers has changed: the thread, if it is here, goes on without us. Nothing is lost where that fails.
func (d *driver) unbindWorkers(here bool) {
	later, cpus := []*driver(nil), (*api.CPUSet)(nil)
	if !d.sqpoll {
		later, cpus = sharing.remove(d)
	}
	if old := d.oldWorkers; old != [2]uint32{} {
		if i := slices.IndexFunc(later, func(o *driver) bool { return o.oldWorkers != [2]uint32{} }); i >= 0 {
			later[i].oldWorkers = old // its limits hold, and what it has to put back is what there was before ours
		} else if here {
			_, _ = d.ring.RegisterIOWQMaxWorkers(old[iouring.IO_WQ_BOUND], old[iouring.IO_WQ_UNBOUND])
		}
	}
	switch {
	case d.modes.WorkerCPUs == (api.CPUSet{}) || !here:
	case cpus != nil:
		_ = d.setCPUs(cpus)
	default:
		_ = d.ring.UnregisterIOWQAff()
	}
}

// sharing are the engines that have set limits or processors, by their threads, in the order in which they did. It is for all engines of the program because the
// kernel's workers are: who is closed must not put back what another has changed since, nor leave behind what it has changed itself.
var sharing = sharers{of: map[int][]*driver{}}

type sharers struct {
	mu sync.Mutex
	of map[int][]*driver // those of a thread are used by that thread alone, unless it is gone
}

func (s *sharers) add(d *driver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[d.tid] = append(s.of[d.tid], d)
}

// remove gives those that came later than d, and the processors that hold without d: of the last that has set any.
func (s *sharers) remove(d *driver) (later []*driver, cpus *api.CPUSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.of[d.tid]
	i := slices.Index(all, d)
	if i < 0 {
		return nil, nil // it has nothing to put back
	}
	all = slices.Delete(all, i, i+1)
	if s.of[d.tid] = all; len(all) == 0 {
		delete(s.of, d.tid)
	}
	for _, o := range all {
		if o.modes.WorkerCPUs != (api.CPUSet{}) {
			cpus = &o.modes.WorkerCPUs
		}
	}
	return all[i:], cpus
}
