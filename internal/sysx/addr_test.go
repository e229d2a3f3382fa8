//go:build unix

package sysx

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// loopback is the name and the number of an interface that is there, whatever it is called.
func loopback(t *testing.T) (string, string) {
	t.Helper()
	ifs, err := net.Interfaces()
	if err != nil || len(ifs) == 0 {
		t.Skipf("no interfaces: %v", err)
	}
	return ifs[0].Name, strconv.Itoa(ifs[0].Index)
}

func TestAddrRoundTrip(t *testing.T) {
	lo, loIndex := loopback(t)
	for _, c := range []struct {
		name, addr, path   string
		wantAddr, wantPath string // when not the same
		errno              syscall.Errno
	}{
		{name: "IPv4", addr: "192.0.2.1:80"},
		{name: "IPv4 any", addr: "0.0.0.0:0"},
		{name: "IPv4 high port", addr: "127.0.0.1:65535"},
		{name: "port bytes differ", addr: "127.0.0.1:258"},
		{name: "IPv6", addr: "[2001:db8::1]:443"},
		{name: "IPv6 any", addr: "[::]:0"},
		{name: "mapped stays IPv6", addr: "[::ffff:192.0.2.1]:80"},
		{name: "numeric zone", addr: "[fe80::1%7]:1"},
		{name: "largest zone", addr: "[fe80::1%4294967295]:1"},
		{name: "zone 0 is none", addr: "[fe80::1%0]:1", wantAddr: "[fe80::1]:1"},
		{name: "zone by name", addr: "[fe80::1%" + lo + "]:1", wantAddr: "[fe80::1%" + loIndex + "]:1"},
		{name: "no such zone", addr: "[fe80::1%nosuchif0]:1", errno: unix.ENODEV},
		{name: "zone with too long a name", addr: "[fe80::1%" + strings.Repeat("x", 40) + "]:1", errno: unix.ENODEV},
		{name: "zone with a NUL", addr: "[fe80::1%" + lo + "\x00x]:1", errno: unix.ENODEV},
		{name: "zone with a colon", addr: "[fe80::1%" + lo + ":1]:1", errno: unix.ENODEV},
		{name: "zone above 32 bits", addr: "[fe80::1%4294967296]:1", errno: unix.ENODEV},
		{name: "nothing", errno: unix.EINVAL},
		{name: "path", path: "/tmp/a.sock"},
		{name: "short path", path: "a"},
		{name: "longest path", path: strings.Repeat("p", unixPathMax-1)},
		{name: "path too long", path: strings.Repeat("p", unixPathMax), errno: unix.EINVAL},
		{name: "NUL in path", path: "a\x00b", errno: unix.EINVAL},
		{name: "path wins", addr: "127.0.0.1:1", path: "/x", wantAddr: "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ap netip.AddrPort
			if c.addr != "" {
				ap = netip.MustParseAddrPort(c.addr)
			}
			var raw RawSockaddrAny
			n, errno := EncodeAddrFor(&raw, ap, c.path, unix.AF_UNSPEC)
			if errno != c.errno {
				t.Fatalf("EncodeAddrFor: %v, want %v", errno, c.errno)
			}
			if errno != 0 {
				return
			}
			want := ap
			switch c.wantAddr {
			case "":
			case "none":
				want = netip.AddrPort{}
			default:
				want = netip.MustParseAddrPort(c.wantAddr)
			}
			if got, path := DecodeAddr(&raw, n); got != want || path != c.path {
				t.Errorf("got %v %q, want %v %q", got, path, want, c.path)
			}
		})
	}
}

func TestAbstractNames(t *testing.T) {
	if !hasAbstract {
		t.Skip("only Linux has them")
	}
	for _, c := range []struct {
		path, want string
		errno      syscall.Errno
	}{
		{"@name", "@name", 0},
		{"\x00name", "@name", 0},
		{"@a\x00b", "@a\x00b", 0},
		{"@" + strings.Repeat("x", unixPathMax-1), "@" + strings.Repeat("x", unixPathMax-1), 0},
		{"@" + strings.Repeat("x", unixPathMax), "", unix.EINVAL},
		{"@", "", 0},
	} {
		var raw RawSockaddrAny
		n, errno := EncodeAddrFor(&raw, netip.AddrPort{}, c.path, unix.AF_UNSPEC)
		if errno != c.errno {
			t.Errorf("%q: %v, want %v", c.path, errno, c.errno)
			continue
		}
		if _, got := DecodeAddr(&raw, n); errno == 0 && got != c.want {
			t.Errorf("%q: got %q, want %q", c.path, got, c.want)
		}
	}
}

func TestEncodeAddrFor(t *testing.T) {
	for _, c := range []struct {
		addr, path string
		family     int
		want       string
		errno      syscall.Errno
	}{
		{"192.0.2.1:1", "", unix.AF_INET, "192.0.2.1:1", 0},
		{"192.0.2.1:1", "", unix.AF_INET6, "[::ffff:192.0.2.1]:1", 0},
		{"[::ffff:192.0.2.1]:1", "", unix.AF_INET, "192.0.2.1:1", 0},
		{"[::ffff:192.0.2.1]:1", "", unix.AF_INET6, "[::ffff:192.0.2.1]:1", 0},
		{"[::1]:1", "", unix.AF_INET, "", unix.EAFNOSUPPORT},
		{"[::1]:1", "", unix.AF_UNIX, "", unix.EAFNOSUPPORT},
		{"[::1]:1", "/x", unix.AF_INET6, "", unix.EAFNOSUPPORT},
	} {
		var raw RawSockaddrAny
		n, errno := EncodeAddrFor(&raw, netip.MustParseAddrPort(c.addr), c.path, c.family)
		if errno != c.errno {
			t.Errorf("%s %s for %d: %v, want %v", c.addr, c.path, c.family, errno, c.errno)
			continue
		}
		if got, _ := DecodeAddr(&raw, n); errno == 0 && got != netip.MustParseAddrPort(c.want) {
			t.Errorf("%s for %d: %v, want %s", c.addr, c.family, got, c.want)
		}
	}
}

func TestDecodeShort(t *testing.T) {
	for _, s := range []string{"127.0.0.1:1", "[::1]:1"} {
		var raw RawSockaddrAny
		n, errno := EncodeAddrFor(&raw, netip.MustParseAddrPort(s), "", unix.AF_UNSPEC)
		if errno != 0 {
			t.Fatal(errno)
		}
		for k := range n {
			if ap, path := DecodeAddr(&raw, k); ap.IsValid() || path != "" {
				t.Errorf("%d of %d bytes of %s: %v %q", k, n, s, ap, path)
			}
		}
	}
	// An unnamed unix socket, and a path that fills the field without a NUL.
	var raw RawSockaddrAny
	raw.Addr.Family = unix.AF_UNIX
	if _, path := DecodeAddr(&raw, unixPathOffset); path != "" {
		t.Errorf("an unnamed socket is called %q", path)
	}
	for i := range unixPath(&raw) {
		unixPath(&raw)[i] = 'x'
	}
	if _, path := DecodeAddr(&raw, unixPathOffset+uint32(unixPathMax)+1); len(path) != unixPathMax {
		t.Errorf("a full path has %d bytes, want %d", len(path), unixPathMax)
	}
}

func TestAddrAllocs(t *testing.T) {
	var raw RawSockaddrAny
	for _, s := range []string{"192.0.2.1:80", "[2001:db8::1]:443"} {
		ap := netip.MustParseAddrPort(s)
		if got := testing.AllocsPerRun(100, func() {
			n, _ := EncodeAddrFor(&raw, ap, "", unix.AF_UNSPEC)
			if got, _ := DecodeAddr(&raw, n); got != ap {
				panic("wrong address")
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations, want 0", s, got)
		}
	}
}

func FuzzAddrRoundTrip(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1}, uint16(80), uint32(0), "")
	f.Add(make([]byte, 16), uint16(258), uint32(3), "")
	f.Add([]byte(nil), uint16(0), uint32(0), "/tmp/x")
	f.Add([]byte(nil), uint16(0), uint32(0), "@abs\x00tract")
	f.Fuzz(func(t *testing.T, ip []byte, port uint16, zone uint32, path string) {
		var raw RawSockaddrAny
		addr, ok := netip.AddrFromSlice(ip)
		if ok && addr.Is6() && zone != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(zone), 10))
		}
		ap := netip.AddrPortFrom(addr, port)
		n, errno := EncodeAddrFor(&raw, ap, path, unix.AF_UNSPEC)
		if errno != 0 {
			if path == "" && ok {
				t.Fatalf("%v: %v", ap, errno)
			}
			return
		}
		got, gotPath := DecodeAddr(&raw, n)
		if path == "" {
			if got != ap || gotPath != "" {
				t.Fatalf("got %v %q, want %v", got, gotPath, ap)
			}
			return
		}
		if hasAbstract && path[0] == 0 {
			path = "@" + path[1:]
		}
		if hasAbstract && path == "@" {
			path = "" // the empty abstract name reads as unnamed
		}
		if got.IsValid() || gotPath != path {
			t.Fatalf("got %v %q, want %q", got, gotPath, path)
		}
	})
}

// Whatever the kernel, or a slot in a bad state, puts there: no panic.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{2, 0, 0, 80, 127, 0, 0, 1}, uint32(16))
	f.Add([]byte{1, 0, 'x'}, uint32(1<<31))
	f.Fuzz(func(t *testing.T, b []byte, n uint32) {
		var raw RawSockaddrAny
		copy(unixPath(&raw), b)
		for range 12 {

			raw.Addr.Family++
			DecodeAddr(&raw, n)
		}
	})
}
