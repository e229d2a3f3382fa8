//go:build !unix

package sock

// The kinds of messages: there are none.
const (
	solSocket      = 0
	scmRights      = absent
	scmCredentials = absent
	ipprotoIP      = 0
	ipPktinfo      = absent
	ipTTL          = absent
	ipprotoIPv6    = 0
	ipv6Pktinfo    = absent
	ipv6HopLimit   = absent
	ipprotoUDP     = 0
	udpSegment     = absent
	udpGRO         = absent
)
