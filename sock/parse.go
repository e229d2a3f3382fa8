package sock

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// ParseAddr is the address in the bytes of a struct sockaddr, as Parts.Name has them: the zero Addr for none, an unnamed Unix socket, a family
// other than IPv4, IPv6 and Unix, and bytes that are cut short. It is written as LocalAddr and PeerAddr write theirs. b is not kept.
func ParseAddr(b []byte) api.Addr {
	ip, path := sysx.ParseSockaddr(b)
	return api.Addr{IP: ip, Path: path}
}
