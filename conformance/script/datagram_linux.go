package script

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// udpPair is a pair of UDP sockets that are connected to each other over the loopback interface.
func udpPair() (fds [2]int, err error) {
	fds = [2]int{-1, -1}
	var addrs [2]unix.Sockaddr
	for i := range fds {
		if err == nil {
			fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			err = unix.Bind(fds[i], &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
		}
		if err == nil {
			addrs[i], err = unix.Getsockname(fds[i])
		}
	}
	for i := range fds {
		if err == nil {
			err = unix.Connect(fds[i], addrs[1-i])
		}
	}
	if err != nil {
		for _, fd := range fds {
			if fd >= 0 {
				_ = unix.Close(fd) // it was for nothing
			}
		}
	}
	return fds, err
}

// collect takes the datagrams that have come to the peer. It does so whenever it is looked whether they have arrived: nothing else tells of UDP,
// and no queue is ever full.
func (o *object) collect() {
	buf := make([]byte, MaxSize)
	for o.peer >= 0 {
		n := 0
		err := retry(func() (err error) { n, err = unix.Read(o.peer, buf); return err })
		if err != nil {
			return // EAGAIN, for nothing else happens to a peer that is not closed
		}
		o.arrivals++
		o.inbox = append(o.inbox, buf[:n]...)
	}
}

// queued is how much room the datagrams take that wait for the engine, -1 where none does.
func (o *object) queued() int {
	if o.Kind != UDP || o.fd < 0 || !o.ready(unix.POLLIN) {
		return -1
	}
	// The first word of it is SK_MEMINFO_RMEM_ALLOC (linux/sock_diag.h), and of more there is no need.
	n, err := unix.GetsockoptInt(o.fd, unix.SOL_SOCKET, unix.SO_MEMINFO)
	if err != nil {
		return -1
	}
	return n
}

// land waits until a datagram has come to the engine's end, behind others that took so much room before. Nobody waits to receive them, or they
// would not be there. Where none was, come tells whether it is there.
func (o *object) land(before int, patience time.Duration) error {
	if before < 0 {
		return nil
	}
	for end := time.Now().Add(patience); o.queued() <= before; {
		if time.Now().After(end) {
			return fmt.Errorf("%w: a datagram to %s does not arrive", ErrStuck, o.Object)
		}
		_, _ = unix.Poll(nil, 1) // lets the kernel's thread have the processor; the loop looks again in any case
	}
	return nil
}

// come says whether all datagrams have come: to the peer, and to the engine, where what has not been received is there, or has been
// received by what is about to complete.
func (o *object) come() bool {
	o.collect()
	return (o.peer < 0 || o.arrivals >= o.datagrams) && (o.fd < 0 || o.received >= o.written || o.ready(unix.POLLIN))
}
