//go:build unix && !linux

package sock

import "golang.org/x/sys/unix"

// The kinds of messages.
const (
	solSocket      = unix.SOL_SOCKET
	scmRights      = unix.SCM_RIGHTS
	scmCredentials = absent
	ipprotoIP      = unix.IPPROTO_IP
	ipPktinfo      = absent
	ipTTL          = absent
	ipprotoIPv6    = unix.IPPROTO_IPV6
	ipv6Pktinfo    = absent
	ipv6HopLimit   = absent
	ipprotoUDP     = unix.IPPROTO_UDP
	udpSegment     = absent
	udpGRO         = absent
)
