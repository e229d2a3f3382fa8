package uring

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
)

var _ core.Resizer = (*driver)(nil)

// resizes says whether the ring can be resized.
func (d *driver) resizes() bool {
	const needs = iouring.IORING_SETUP_DEFER_TASKRUN | iouring.IORING_SETUP_NO_SQARRAY
	return d.ring.Flags()&needs == needs && d.ring.KnowsRegister(iouring.IORING_REGISTER_RESIZE_RINGS, 1)
}

// emptyMax bounds how often what has come meanwhile is dealt with before the queues are given up as too full.
const emptyMax = 64

// Resize implements core.Resizer. The kernel moves what is in the queues. Only what does not fit into the new ones is dealt with
// first: submitted, and taken in.
func (d *driver) Resize(o *api.Options) error {
	if !d.kern.Has(api.KernResize) {
		return &api.UnsupportedError{Feature: api.FeatQueueResize, MinKernel: "6.13",
			Reason: "io_uring resizes only a ring that belongs to a thread: with the strategy Block, neither SQPoll nor Taskrun in Options.Ring, and none of what that takes in Options.Disable"}
	}
	err := d.resize(o)
	for n := 0; n < emptyMax && errors.Is(err, unix.EOVERFLOW); n++ {
		if err := d.empty(); err != nil {
			return err
		}
		err = d.resize(o)
	}
	switch {
	case err == nil:
		return nil
	case d.ring.Fd() < 0:
		d.note(err) // the old queues are gone, and there are no new ones
	case errors.Is(err, unix.EOVERFLOW):
		return api.ErrQueueFull
	case errors.Is(err, unix.EEXIST):
		return api.ErrNotOwner
	}
	return err
}

func (d *driver) resize(o *api.Options) error {
	d.count.Enters++
	return d.ring.ResizeRings(&iouring.Params{SQEntries: uint32(o.Entries), CQEntries: cqEntries(o),
		Flags: iouring.IORING_SETUP_CQSIZE | iouring.IORING_SETUP_CLAMP})
}

// empty submits what is in the submission queue, and takes in all completions. What goes on from there is in the queues again.
func (d *driver) empty() error {
	d.publish()
	if n := d.ring.Unsubmitted(); n > 0 {
		if err := d.enter(n, 0); err != nil {
			return err
		}
	}
	d.reap()
	return nil
}
