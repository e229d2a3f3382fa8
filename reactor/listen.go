package reactor

import (
	"context"
	"net"
	"strings"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// listen opens the listeners of all loops.
func (s *Server) listen() ([][]listener, error) {
	lists := make([][]listener, s.cfg.Loops)
	for _, where := range s.cfg.Listen {
		err := s.listenAt(where, lists)
		if err != nil {
			for _, l := range lists {
				closeAll(l)
			}
			return nil, err
		}
	}
	return lists, nil
}

// listenAt opens the listeners on one address.
func (s *Server) listenAt(where string, lists [][]listener) error {
	network, addr, err := splitAddr(where)
	if err != nil {
		return err
	}
	packets := strings.HasPrefix(network, "udp") // of which none can be handed over
	if s.cfg.Loops == 1 || s.cfg.Balance != ReusePort && !packets || network == "unix" {
		ln, err := s.open(network, addr, false, 0)
		if err != nil {
			return err
		}
		ln.hands = network == "unix"
		s.addrs = append(s.addrs, ln.addr)
		lists[0] = append(lists[0], ln)
		return nil
	}
	first, err := s.openShared(network, addr)
	if err != nil {
		return err
	}
	lists[0] = append(lists[0], first)
	for i := 1; i < len(lists); i++ {
		ln, err := s.open(network, first.addr.String(), true, i)
		if err != nil {
			return err
		}
		lists[i] = append(lists[i], ln)
	}
	s.addrs = append(s.addrs, first.addr)
	return nil
}

// openShared opens the first of several listeners on one address. A port that another server shares out would be joined without a word: to this one, which is
// bound without SO_REUSEPORT, it is taken.
func (s *Server) openShared(network, addr string) (listener, error) {
	first, err := s.open(network, addr, false, 0)
	if err != nil || sysx.ShareBound(first.fd) {
		return first, err
	}
	// Somebody may be faster between the two.
	first.close()
	return s.open(network, first.addr.String(), true, 0)
}

func closeAll(list []listener) {
	for i := range list {
		list[i].close()
	}
}

// Resolve turns "tcp://host:port" or "unix:///path" into an address for Conn.Dial. It is the first one of a host that has several. ctx bounds the
// look-up. Errors: *net.AddrError, those of the look-up.
func Resolve(ctx context.Context, addr string) (api.Addr, error) {
	network, where, err := splitAddr(addr)
	if err != nil || strings.HasPrefix(network, "udp") {
		return api.Addr{}, &net.AddrError{Err: "reactor: want tcp://host:port or unix:///path", Addr: addr}
	}
	if network == "unix" {
		return api.UnixAddr(where), nil
	}
	host, service, err := net.SplitHostPort(where)
	if err != nil {
		return api.Addr{}, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return api.Addr{}, err
	}
	return lookup(ctx, network, host, port)
}
