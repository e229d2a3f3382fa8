package sysx

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasAbstract: Linux has the abstract namespace of unix sockets (unix(7)).
const hasAbstract = true

// setLen does nothing: struct sockaddr has no length here.
func setLen(*RawSockaddrAny, uint32) {}

// ifIndex looks up an interface as if_nametoindex(3) does, with SIOCGIFINDEX. Asking
// package net would read the whole table of interfaces over netlink.
func ifIndex(name string) (uint32, syscall.Errno) {
	if strings.ContainsAny(name, "\x00:") {
		return 0, unix.ENODEV // the kernel would look for what is in front of that
	}
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, unix.ENODEV // too long to be a name
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == unix.EAFNOSUPPORT {
		// A kernel without IPv4.
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return 0, errnoOf(err)
	}
	defer unix.Close(fd)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, errnoOf(err)
	}
	return ifr.Uint32(), 0
}
