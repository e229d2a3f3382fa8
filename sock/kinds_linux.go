package sock

import "golang.org/x/sys/unix"

// The kinds of messages.
const (
	solSocket      = unix.SOL_SOCKET
	scmRights      = unix.SCM_RIGHTS
	scmCredentials = unix.SCM_CREDENTIALS

	ipprotoIP    = unix.IPPROTO_IP
	ipPktinfo    = unix.IP_PKTINFO
	ipTTL        = unix.IP_TTL
	ipprotoIPv6  = unix.IPPROTO_IPV6
	ipv6Pktinfo  = unix.IPV6_PKTINFO
	ipv6HopLimit = unix.IPV6_HOPLIMIT

	ipprotoUDP = unix.IPPROTO_UDP
	udpSegment = 103 // UDP_SEGMENT of linux/udp.h
	udpGRO     = 104 // UDP_GRO
)
