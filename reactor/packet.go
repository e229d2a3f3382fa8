package reactor

import (
	"iter"
	"net/netip"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/sock"
)

// PacketHandler is what a Handler must be, too, when Config.Listen has an address of UDP.
type PacketHandler interface {
	// OnPacket is called for each datagram that has come, or for several of one sender at once, where the kernel puts them together. It is called in the loop
	// that has received it, also in the variants with workers: there is no connection whose order had to be kept, and the kernel already spreads peers over the
	// sockets of the loops. It must not wait. The calls of one loop come one at a time, those of several loops at once; all datagrams of a peer come to one loop. A
	// panic is logged, and nothing else.
	OnPacket(p *Packet)
}

// Packet is what has come on a socket of UDP. It must not be used when OnPacket has returned.
type Packet struct {
	// Data is what was received. It is valid until OnPacket returns.
	Data []byte
	// From is the sender, an IPv4 one as such also on a socket of both.
	From netip.AddrPort
	// Local is the address that it was sent to, as far as that is known: its IP address is unspecified for a socket which is bound
	// to none, on systems other than Linux.
	Local netip.AddrPort
	// SegmentSize is the size of the datagrams that Data consists of, of which the last may be shorter. It is len(Data) when there is one.
	SegmentSize int

	socket *packets
	to     route // back to the sender
}

// route is the way of a reply.
type route struct {
	peer  netip.AddrPort // as the system has it
	local netip.Addr     // the address to send from, the zero Addr if the socket is bound to it
}

// Segments are the datagrams that Data consists of.
func (p *Packet) Segments() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if p.SegmentSize == 0 {
			yield(p.Data)
			return
		}
		for rest := p.Data; len(rest) > 0; {
			n := min(len(rest), p.SegmentSize)
			if !yield(rest[:n:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Reply sends a datagram with b to the sender, from the address that the packet was sent to. It copies b, and does not wait. Several of the same size are
// handed to the kernel as one, where it takes that (UDP_SEGMENT). Errors: ErrOutputFull when Config.PacketQueue bytes wait already, and EMSGSIZE; b is dropped then. That a datagram is
// dropped later nobody tells, but for Stats.PacketsDropped.
func (p *Packet) Reply(b []byte) error { return p.socket.queue(p.to, b) }

// ReplyTo is Reply to somebody else, from the address that the kernel chooses.
func (p *Packet) ReplyTo(to netip.AddrPort, b []byte) error {
	if !to.IsValid() {
		return syscall.EINVAL
	}
	return p.socket.queue(route{peer: to}, b)
}

// checkPackets says whether the handler can do what Config.Listen wants.
func (s *Server) checkPackets() error {
	for _, where := range s.cfg.Listen {
		if _, ok := s.handler.(PacketHandler); !ok && strings.HasPrefix(where, "udp") {
			return &ConfigError{"Listen", where + ": the handler has no OnPacket, see PacketHandler"}
		}
	}
	return nil
}

// unmapped is ap as an IPv4 address, if it is one.
func unmapped(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// packetControl is the control data that may come with a packet: the size of the segments, and the address that it was sent to.
var packetControl = sock.Space(4, 20)
