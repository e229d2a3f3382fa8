//go:build unix && !linux

package sysx

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// ifIndex looks up an interface. There is no ioctl for it that all unixes share.
func ifIndex(name string) (uint32, syscall.Errno) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return 0, unix.ENODEV
	}
	return uint32(ifi.Index), 0
}

// toSockaddr is the Sockaddr of x/sys for a raw address, nil for one that it cannot be.
func toSockaddr(raw *RawSockaddrAny, n uint32) unix.Sockaddr {
	ap, path := DecodeAddr(raw, n)
	switch {
	case path != "":
		return &unix.SockaddrUnix{Name: path}
	case ap.Addr().Is4():
		return &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}
	case ap.Addr().Is6():
		scope, _ := scopeOf(ap.Addr().Zone()) // numeric: DecodeAddr made it
		return &unix.SockaddrInet6{Addr: ap.Addr().As16(), Port: int(ap.Port()), ZoneId: scope}
	}
	return nil
}

// fromSockaddr is the reverse, 0 bytes for no address.
func fromSockaddr(dst *RawSockaddrAny, sa unix.Sockaddr) uint32 {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return putInet4(dst, sa.Addr, uint16(sa.Port))
	case *unix.SockaddrInet6:
		return putInet6(dst, sa.Addr, uint16(sa.Port), sa.ZoneId)
	case *unix.SockaddrUnix:
		if sa.Name != "" {
			n, _ := encodeUnix(dst, sa.Name) // it came from a sockaddr, so it fits one
			return n
		}
		*dst = RawSockaddrAny{}
		dst.Addr.Family = unix.AF_UNIX
		return unixPathOffset
	}
	*dst = RawSockaddrAny{}
	return 0
}
