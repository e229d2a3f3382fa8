package uring

import (
	"errors"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// noQueue is a receive queue that no interface has. A driver that could register one says ERANGE to it (net_mp_open_rxq in net/core/netdev_rx_queue.c), and
// does not restart a queue that is in use, as it would for one that there is.
const noQueue = 1 << 30

// ZCRX asks each network interface whether zero-copy receives are to be had. It changes nothing. Any goroutine may call it.
func (Driver) ZCRX() []api.ZCRX {
	if !iouring.HasRecvZC() {
		return []api.ZCRX{{Err: noZCRX("", unix.EINVAL)}}
	}
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		return []api.ZCRX{{Err: noZCRX("", unix.ENODEV)}}
	}
	// The ring belongs to one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := make([]api.ZCRX, 0, len(all))
	for _, i := range all {
		z, err := iouring.OpenZCRX(uint32(i.Index), noQueue, 8, os.Getpagesize())
		if err == nil {
			err = z.Close()
		}
		out = append(out, api.ZCRX{Interface: i.Name, Err: zcrxError(i.Name, err)})
	}
	return out
}

// zcrxError is the answer of an interface in words, nil when its driver can.
func zcrxError(iface string, err error) error {
	var errno unix.Errno
	switch {
	case err == nil, errors.Is(err, unix.ERANGE):
		return nil
	case !errors.As(err, &errno):
		return &api.UnavailableError{Backend: name, Reason: err.Error(), Err: err}
	}
	return noZCRX(iface, errno)
}

func noZCRX(iface string, errno unix.Errno) *api.UnavailableError {
	u := &api.UnavailableError{Backend: name, Reason: "IORING_REGISTER_ZCRX_IFQ for " + iface + ": " + errno.Error(), Err: errno}
	switch errno {
	case unix.EOPNOTSUPP:
		u.Hint = "the driver of " + iface + " cannot give a receive queue memory of a program; it takes a network card, and a driver, with header split (tcp-data-split), flow steering and queue management operations"
	case unix.EPERM, unix.EACCES:
		u.Hint = "it takes CAP_NET_ADMIN"
	case unix.EINVAL:
		if u.Hint = "Linux 6.15 or later has it, when built with CONFIG_IO_URING_ZCRX"; iface == "" {
			u.Reason = "the kernel has no IORING_OP_RECV_ZC"
			break
		}
		u.Hint = "switch header split on (ethtool -G " + iface + " tcp-data-split on)"
	case unix.EEXIST, unix.EBUSY:
		u.Hint = "take the XDP program, or the other user, off the queue"
	case unix.ENODEV:
		if u.Hint = ""; iface == "" {
			u.Reason = "there is no network interface"
		}
	}
	return u
}
