package api

import "net/netip"

// Msg holds what does not fit into an Op. The caller makes it, may use it for one operation
// at a time, and leaves it alone until that operation's last completion.
type Msg struct {
	// Bufs are the vectors, at most 1024.
	Bufs [][]byte
	// Addr is the destination of sendmsg and connect; recvmsg and accept set it to the peer.
	Addr Addr
	// Control is ancillary data: what sendmsg sends; recvmsg fills it up to its length and
	// then sets ControlLen.
	Control []byte
	// ControlLen is how much of Control recvmsg filled.
	ControlLen int
	// Flags is what recvmsg reports: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, ….
	Flags int
}

// Addr is the address of a socket: an IP address and port, or the path of a Unix socket. The
// zero Addr is no address.
type Addr struct {
	// IP is the address and port of an IPv4 or IPv6 socket.
	IP netip.AddrPort
	// Path is the file of a Unix socket; a leading '@' stands for the abstract namespace (Linux).
	Path string
}

// IPAddr is the Addr of an IP address and port.
func IPAddr(ap netip.AddrPort) Addr { return Addr{IP: ap} }

// UnixAddr is the Addr of a Unix socket; "@name" is in the abstract namespace.
func UnixAddr(path string) Addr { return Addr{Path: path} }

// IsZero says whether a is no address.
func (a Addr) IsZero() bool { return a.Path == "" && !a.IP.IsValid() }

// String is the address as net would print it.
func (a Addr) String() string {
	if a.Path != "" || !a.IP.IsValid() {
		return a.Path
	}
	return a.IP.String()
}
