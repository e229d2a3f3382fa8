package reactor

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/sluiceio/sluice/api"
)

// lookup is the first address of a host; no host is this machine.
func lookup(ctx context.Context, network, host string, port int) (api.Addr, error) {
	if host == "" {
		host = "localhost"
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, strings.Replace(network, "tcp", "ip", 1), host)
	if err != nil {
		return api.Addr{}, err
	}
	return api.IPAddr(netip.AddrPortFrom(ips[0].Unmap(), uint16(port))), nil
}
