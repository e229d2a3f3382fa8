//go:build unix

package sysx

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RawSockaddrAny has room for every socket address that the codec knows.
type RawSockaddrAny = unix.RawSockaddrAny

// SockaddrLen is the size of a RawSockaddrAny: what a kernel that fills one in is told.
const SockaddrLen = uint32(unix.SizeofSockaddrAny)

// unixPathOffset is offsetof(struct sockaddr_un, sun_path), 2 on every unix.
const unixPathOffset = uint32(unsafe.Offsetof(unix.RawSockaddrUnix{}.Path))

// unixPathMax is sizeof(sun_path): 108 on Linux, 104 on the BSDs.
const unixPathMax = len(unix.RawSockaddrUnix{}.Path)

// EncodeAddrFor writes a socket address to dst, for a socket of the given family,
// and returns how many bytes of it count. A non-empty path means AF_UNIX, and ap
// is ignored; on Linux a leading '@' or NUL means the abstract namespace. An IPv4
// address becomes an IPv4-mapped one for AF_INET6, and a mapped one becomes IPv4
// for AF_INET. AF_UNSPEC asks for no change: an IPv4-mapped address stays an IPv6
// one. A zone is a number or the name of an interface. It does not allocate,
// except to look up the name of an interface.
//
// Errors:
//   - EINVAL: neither an address nor a path; a path that is too long, or that
//     has a NUL and is not abstract.
//   - ENODEV: there is no interface with the name that the zone has.
//   - EAFNOSUPPORT: any other mismatch of address and family.
func EncodeAddrFor(dst *RawSockaddrAny, ap netip.AddrPort, path string, family int) (uint32, syscall.Errno) {
	if path != "" {
		if family != unix.AF_UNSPEC && family != unix.AF_UNIX {
			return 0, unix.EAFNOSUPPORT
		}
		return encodeUnix(dst, path)
	}
	addr := ap.Addr()
	switch {
	case !addr.IsValid():
		return 0, unix.EINVAL
	case family == unix.AF_UNSPEC:
	case family == unix.AF_INET6:
		if addr.Is4() {
			addr = netip.AddrFrom16(addr.As16())
		}
	case family == unix.AF_INET && (addr.Is4() || addr.Is4In6()):
		addr = addr.Unmap()
	default:
		return 0, unix.EAFNOSUPPORT
	}
	if addr.Is4() {
		return putInet4(dst, addr.As4(), ap.Port()), 0
	}
	scope, errno := scopeOf(addr.Zone())
	if errno != 0 {
		return 0, errno
	}
	return putInet6(dst, addr.As16(), ap.Port(), scope), 0
}

// DecodeAddr reads the first n bytes of src, as the kernel left them. An IP
// address comes back as such, with an IPv6 scope as a numeric zone (the name of
// the interface would cost a system call). A unix path comes back as a string,
// with a leading '@' for the abstract namespace; an unnamed unix socket, an
// unknown family and an address that is cut short give two zero values. Only a
// path, and a zone of three digits, allocate.
func DecodeAddr(src *RawSockaddrAny, n uint32) (netip.AddrPort, string) {
	if n < unixPathOffset {
		return netip.AddrPort{}, ""
	}
	switch src.Addr.Family {
	case unix.AF_INET:
		if n < unix.SizeofSockaddrInet4 {
			break
		}
		// SAFETY: RawSockaddrAny is larger than RawSockaddrInet4 and at least as
		// strictly aligned, which the definition of struct sockaddr guarantees.
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(src))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), hton16(sa.Port)), ""
	case unix.AF_INET6:
		if n < unix.SizeofSockaddrInet6 {
			break
		}
		// SAFETY: as above; RawSockaddrInet6 has 28 bytes and RawSockaddrAny over 100.
		// The uint32 fields need four-byte alignment, and struct sockaddr_storage has it.
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(src))
		addr := netip.AddrFrom16(sa.Addr)
		if sa.Scope_id != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(sa.Scope_id), 10))
		}
		return netip.AddrPortFrom(addr, hton16(sa.Port)), ""
	case unix.AF_UNIX:
		return netip.AddrPort{}, decodeUnix(src, n)
	}
	return netip.AddrPort{}, ""
}

func putInet4(dst *RawSockaddrAny, addr [4]byte, port uint16) uint32 {
	*dst = RawSockaddrAny{}
	// SAFETY: RawSockaddrAny is larger than RawSockaddrInet4 and at least as aligned.
	sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(dst))
	sa.Family = unix.AF_INET
	sa.Port = hton16(port)
	sa.Addr = addr
	setLen(dst, unix.SizeofSockaddrInet4)
	return unix.SizeofSockaddrInet4
}

func putInet6(dst *RawSockaddrAny, addr [16]byte, port uint16, scope uint32) uint32 {
	*dst = RawSockaddrAny{}
	// SAFETY: RawSockaddrAny is larger than RawSockaddrInet6 and aligned for it.
	sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(dst))
	sa.Family = unix.AF_INET6
	sa.Port = hton16(port)
	sa.Addr = addr
	sa.Scope_id = scope
	setLen(dst, unix.SizeofSockaddrInet6)
	return unix.SizeofSockaddrInet6
}

func encodeUnix(dst *RawSockaddrAny, path string) (uint32, syscall.Errno) {
	abstract := hasAbstract && (path[0] == '@' || path[0] == 0)
	// A file name needs room for its final NUL: Linux would take one without, but
	// then nobody could read it back, and the BSDs would not take it.
	room := unixPathMax - 1
	if abstract {
		room = unixPathMax
	}
	if len(path) > room {
		return 0, unix.EINVAL
	}
	if !abstract {
		for i := 0; i < len(path); i++ {
			if path[i] == 0 {
				return 0, unix.EINVAL
			}
		}
	}
	*dst = RawSockaddrAny{}
	dst.Addr.Family = unix.AF_UNIX
	copy(unixPath(dst), path)
	n := unixPathOffset + uint32(len(path))
	if abstract {
		// The length of an abstract name is all that ends it (unix(7)).
		unixPath(dst)[0] = 0
	} else {
		n++
	}
	setLen(dst, n)
	return n, 0
}

func decodeUnix(src *RawSockaddrAny, n uint32) string {
	// The kernel says one more than fits when a path without a final NUL fills the field.
	b := unixPath(src)[:min(int(n-unixPathOffset), unixPathMax)]
	if len(b) == 0 {
		return ""
	}
	if hasAbstract && b[0] == 0 {
		if len(b) == 1 {
			return ""
		}
		return "@" + string(b[1:])
	}
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	return string(b)
}

// unixPath is sun_path as bytes.
func unixPath(sa *RawSockaddrAny) []byte {
	// SAFETY: RawSockaddrAny is at least as large as RawSockaddrUnix, and int8 and byte have the
	// same size. The slice keeps sa alive.
	p := (*unix.RawSockaddrUnix)(unsafe.Pointer(sa))
	return unsafe.Slice((*byte)(unsafe.Pointer(&p.Path[0])), len(p.Path))
}

// hton16 turns a port around between the order of the host and of the network.
func hton16(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// scopeOf gives the number of a zone: "" is 0, "3" is 3, "eth0" is looked up.
func scopeOf(zone string) (uint32, syscall.Errno) {
	if zone == "" {
		return 0, 0
	}
	var n uint64
	for i := 0; i < len(zone); i++ {
		c := zone[i]
		if c < '0' || c > '9' {
			return ifIndex(zone)
		}
		if n = n*10 + uint64(c-'0'); n > 1<<32-1 {
			return ifIndex(zone)
		}
	}
	return uint32(n), 0
}

// InterfaceIndex is the number of a network interface, by its name. ENODEV: there is none.
func InterfaceIndex(name string) (uint32, syscall.Errno) { return ifIndex(name) }
