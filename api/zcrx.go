package api

import "fmt"

// ZeroCopyOptions make a buffer group one for zero-copy receives (RecvZC): a network card writes what it receives into the memory of the group, and no
// processor touches it on the way. That takes all of this:
//   - Linux 6.15, built with CONFIG_IO_URING_ZCRX, and CAP_NET_ADMIN
//   - the backend uring, with the strategy Block, and with Options.Ring.Completions CompletionsWide, or CompletionsMixed
//   - a card whose driver lets a program have the memory of one of its queues, and splits headers from data: `sluice probe` asks each
//   - a queue that nobody else uses, and to which the card steers the connections (ethtool -X and -N), and no others.
//
// Otherwise, on every backend, the group works as well, and the data is copied into it; Completion.Flags have Copied then. What the card has not
// written there (the first packets of a connection whose flow is steered too late, say) the kernel copies, and does not tell.
//
// The engine has the queue until it is closed, not only until the group is. The memory is the engine's, locked, and outside of the Go heap: it is unmapped when the group
// is closed and the last lease back, so that to touch what has been released may end the program.
type ZeroCopyOptions struct {
	// Interface is the name of the network interface. Default: none, and the data is copied. Backends: uring; the others only look whether there is one.
	Interface string
	// Queue is the number of its receive queue, 0 to 65535. Default: 0. Backends: uring.
	Queue int
	// Refill is the number of entries of the ring by which the pieces that have been released go back to the card, a power of two from 1 to 32768.
	// What finds no room there is kept until it does. Default: as many as pages. Backends: uring.
	Refill int
	// Require makes NewBufferGroup fail with an *UnavailableError, which says what is missing, rather than have the data copied. Default: off. Backends: all.
	Require bool
}

// The limits of ZeroCopyOptions.
const (
	MaxZeroCopyQueue  = 1<<16 - 1
	MaxZeroCopyRefill = 1 << 15
)

// Check returns an *OptionError for a field that is out of range. Whether there is such an interface is for the engine to find out.
func (o *ZeroCopyOptions) Check() error {
	switch {
	case o.Queue < 0 || o.Queue > MaxZeroCopyQueue:
		return &OptionError{Option: "ZeroCopyOptions.Queue", Reason: fmt.Sprintf("is %d, must be from 0 to %d", o.Queue, MaxZeroCopyQueue)}
	case o.Refill < 0 || o.Refill > MaxZeroCopyRefill || o.Refill&(o.Refill-1) != 0:
		return &OptionError{Option: "ZeroCopyOptions.Refill", Reason: fmt.Sprintf("is %d, must be a power of two from 1 to %d, or 0", o.Refill, MaxZeroCopyRefill)}
	case o.Interface == "" && o.Require:
		return &OptionError{Option: "ZeroCopyOptions.Require", Reason: "takes the name of an interface"}
	}
	return nil
}

// ZCRX is what asking one network interface for zero-copy receives has shown (IORING_OP_RECV_ZC, Linux 6.15): whether its driver can have a
// queue write into memory of the program's.
type ZCRX struct {
	// Interface is its name; empty when the kernel, or this process, cannot have them on any.
	Interface string
	// Err is an *UnavailableError that says why not, nil when the driver can.
	Err error
}
