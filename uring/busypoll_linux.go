package uring

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// busyPoll tells the ring for how long, and which queues, to poll before it sleeps.
func (d *driver) busyPoll(o *api.RingOptions) error {
	if o.BusyPoll == 0 {
		return nil
	}
	n := iouring.NAPI{BusyPollTo: uint32((o.BusyPoll + time.Microsecond - 1) / time.Microsecond)}
	if o.PreferBusyPoll {
		n.PreferBusyPoll = 1
	}
	static := o.BusyPollIDs != [api.MaxBusyPollIDs]uint32{}
	if static {
		n.OpParam = iouring.IO_URING_NAPI_TRACKING_STATIC
	}
	if err := d.ring.RegisterNAPI(&n); err != nil {
		switch {
		case errors.Is(err, unix.EOPNOTSUPP):
			u := refused("Options.Ring.BusyPoll", "6.9", err)
			u.Hint = "the kernel has been built without CONFIG_NET_RX_BUSY_POLL; open the engine without it"
			return u
		case static:
			return refused("Options.Ring.BusyPollIDs", "6.13", err)
		}
		return refused("Options.Ring.BusyPoll", "6.9", err)
	}
	d.polls = true
	for _, id := range o.BusyPollIDs {
		if id == 0 {
			continue
		}
		err := d.ring.RegisterNAPI(&iouring.NAPI{Opcode: iouring.IO_URING_NAPI_STATIC_ADD_ID, OpParam: id})
		switch {
		case errors.Is(err, unix.EINVAL):
			return &api.OptionError{Option: "Ring.BusyPollIDs", Reason: "has a number that the kernel gives to no queue"}
		case err != nil && !errors.Is(err, unix.EEXIST): // which is there twice
			return refused("Options.Ring.BusyPollIDs", "6.13", err)
		}
	}
	return nil
}

// stopPolling takes back what busyPoll has set up, before the ring is closed: the kernel frees that some time after it.
func (d *driver) stopPolling() error {
	if !d.polls {
		return nil
	}
	d.polls = false
	if err := d.ring.UnregisterNAPI(nil); err != nil && !errors.Is(err, unix.EEXIST) { // which is about another thread
		return err
	}
	return nil
}
