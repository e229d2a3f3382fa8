package sock

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"

	"github.com/sluiceio/sluice/api"
)

func TestParseAddr(t *testing.T) {
	if runtime.GOOS != "linux" || binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes here are those of Linux on little-endian machines")
	}
	v4 := []byte{2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	v6 := append([]byte{10, 0, 0, 80, 0, 0, 0, 0}, netip.MustParseAddr("fe80::1").AsSlice()...)
	v6 = append(v6, 3, 0, 0, 0)
	for _, c := range []struct {
		name string
		b    []byte
		want api.Addr
	}{
		{"IPv4", v4, api.IPAddr(netip.MustParseAddrPort("127.0.0.1:8080"))},
		{"IPv6 with a zone", v6, api.IPAddr(netip.MustParseAddrPort("[fe80::1%3]:80"))},
		{"a path", append([]byte{1, 0}, "/run/x\x00"...), api.Addr{Path: "/run/x"}},
		{"a path without an end", append([]byte{1, 0}, "/run/x"...), api.Addr{Path: "/run/x"}},
		{"abstract", append([]byte{1, 0, 0}, "name"...), api.Addr{Path: "@name"}},
		{"unnamed", []byte{1, 0}, api.Addr{}},
		{"cut", v4[:7], api.Addr{}},
		{"a cut IPv6 address", v6[:20], api.Addr{}},
		{"one byte", []byte{2}, api.Addr{}},
		{"nothing", nil, api.Addr{}},
		{"another family", []byte{16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, api.Addr{}},
		{"longer than any", make([]byte, 300), api.Addr{}},
	} {
		if got := ParseAddr(c.b); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
