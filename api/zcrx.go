package api

// ZCRX is what asking one network interface for zero-copy receives has shown (IORING_OP_RECV_ZC, Linux 6.15): whether its driver can have a
// queue write into memory of the program's. No engine of this version receives so; OpRecvZC is an *UnsupportedError.
type ZCRX struct {
	// Interface is its name; empty when the kernel, or this process, cannot have them on any.
	Interface string
	// Err is an *UnavailableError that says why not, nil when the driver can.
	Err error
}
