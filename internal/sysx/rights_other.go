//go:build !unix

package sysx

import "net/netip"

// CloseRights has nothing to close here.
func CloseRights([]byte) {}

// CopySockaddr has nothing to copy here.
func CopySockaddr([]byte, *RawSockaddrAny, uint32) {}

// ParseSockaddr is not available here.
func ParseSockaddr([]byte) (netip.AddrPort, string) { return netip.AddrPort{}, "" }
