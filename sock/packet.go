package sock

import (
	"encoding/binary"
	"net/netip"
	"syscall"
)

// PacketInfo says by which way a datagram has come, or is to go.
type PacketInfo struct {
	// Interface is the index of the network interface. To be sent, 0 lets the kernel choose.
	Interface int
	// Local is the address of this machine: where the answer to a datagram that was received should come from, and, to be sent, the
	// source. It is the zero Addr for an IPv6 datagram that was sent to a group. To be sent it must be set; an unspecified one lets the
	// kernel choose.
	Local netip.Addr
	// Dest is the address that a datagram which was received was sent to, that of a group for example. It is ignored to be sent.
	Dest netip.Addr
}

const (
	pktinfoSize  = 12 // struct in_pktinfo: the interface, the local address, the destination
	pktinfo6Size = 20 // struct in6_pktinfo: the destination, the interface
)

// AppendPacketInfo appends a message that says by which interface and from which address a datagram goes: IP_PKTINFO (ip(7)) or, when
// p.Local is an IPv6 address, IPV6_PKTINFO (ipv6(7)). A Local that is not set, and an Interface that cannot be one, are EINVAL.
func AppendPacketInfo(dst []byte, p PacketInfo) ([]byte, error) {
	switch {
	case ipPktinfo == absent:
		return dst, errAbsent
	case !p.Local.IsValid(), p.Interface < 0, int(int32(p.Interface)) != p.Interface:
		return dst, syscall.EINVAL
	case p.Local.Is4():
		local := p.Local.As4()
		dst = appendHeader(dst, ipprotoIP, ipPktinfo, pktinfoSize)
		dst = appendInt(dst, p.Interface)
		dst = append(dst, local[:]...)
		return pad(append(dst, 0, 0, 0, 0)), nil
	}
	local := p.Local.As16()
	dst = appendHeader(dst, ipprotoIPv6, ipv6Pktinfo, pktinfo6Size)
	dst = append(dst, local[:]...)
	return pad(appendInt(dst, p.Interface)), nil
}

// PacketInfo is the way by which a datagram has come, for sockets with IP_PKTINFO or IPV6_RECVPKTINFO. ok is false when m
// is of another kind.
func (m Message) PacketInfo() (p PacketInfo, ok bool) {
	switch {
	case m.is(ipprotoIP, ipPktinfo, pktinfoSize):
		return PacketInfo{
			Interface: parseInt(m.Data),
			Local:     netip.AddrFrom4([4]byte(m.Data[4:8])),
			Dest:      netip.AddrFrom4([4]byte(m.Data[8:12])),
		}, true
	case m.is(ipprotoIPv6, ipv6Pktinfo, pktinfo6Size):
		p = PacketInfo{Interface: parseInt(m.Data[16:]), Dest: netip.AddrFrom16([16]byte(m.Data[:16]))}
		if !p.Dest.IsMulticast() {
			p.Local = p.Dest
		}
		return p, true
	}
	return PacketInfo{}, false
}

// AppendTTL appends a message with the time to live of an IPv4 datagram (IP_TTL), from 1 to 255.
func AppendTTL(dst []byte, ttl int) ([]byte, error) {
	return appendHops(dst, ipprotoIP, ipTTL, ttl)
}

// AppendHopLimit appends a message with the hop limit of an IPv6 datagram (IPV6_HOPLIMIT), from 0 to 255.
func AppendHopLimit(dst []byte, hops int) ([]byte, error) {
	return appendHops(dst, ipprotoIPv6, ipv6HopLimit, hops)
}

func appendHops(dst []byte, level, typ, n int) ([]byte, error) {
	switch {
	case typ == absent:
		return dst, errAbsent
	case n < 0 || n > 255 || n == 0 && level == ipprotoIP:
		return dst, syscall.EINVAL
	}
	return pad(appendInt(appendHeader(dst, level, typ, intSize), n)), nil
}

// HopLimit is the time to live, or hop limit, with which a datagram has come, for sockets with IP_RECVTTL or IPV6_RECVHOPLIMIT. ok is
// false when m is of another kind.
func (m Message) HopLimit() (n int, ok bool) {
	if m.is(ipprotoIP, ipTTL, intSize) || m.is(ipprotoIPv6, ipv6HopLimit, intSize) {
		return parseInt(m.Data), true
	}
	return 0, false
}

// AppendSegmentSize appends a message that has the kernel send what follows as several datagrams of n bytes each, the last of
// what is left (UDP_SEGMENT, udp(7)). n is from 1 to 65535; more datagrams than 64 at a time, or longer ones than the path takes, are
// refused by the kernel.
func AppendSegmentSize(dst []byte, n int) ([]byte, error) {
	switch {
	case udpSegment == absent:
		return dst, errAbsent
	case n < 1 || n > 0xffff:
		return dst, syscall.EINVAL
	}
	dst = appendHeader(dst, ipprotoUDP, udpSegment, 2)
	return pad(binary.NativeEndian.AppendUint16(dst, uint16(n))), nil
}

// SegmentSize is the size of the datagrams that the kernel has put together to what was received, for sockets with UDP_GRO; the last
// of them may be shorter. Without such a message one datagram was received. ok is false when m is of another kind.
func (m Message) SegmentSize() (n int, ok bool) {
	if !m.is(ipprotoUDP, udpGRO, intSize) {
		return 0, false
	}
	return parseInt(m.Data), true
}
