package uring

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// places are where the rings can be, by Options.Ring.Memory.
var places = [...]iouring.Memory{
	api.RingMemoryDefault: iouring.KernelMemory,
	api.RingMemoryOwn:     iouring.OwnMemory,
	api.RingMemoryHuge:    iouring.HugeMemory,
}

// noHugePages says that there is no memory such as was asked for.
func noHugePages(err error) error {
	return &api.UnavailableError{Backend: name, Reason: "Options.Ring.Memory: " + err.Error(), Err: err,
		Hint: "set some apart with `sysctl vm.nr_hugepages`, or allow transparent ones in /sys/kernel/mm/transparent_hugepage/enabled; RingMemoryOwn does without"}
}
