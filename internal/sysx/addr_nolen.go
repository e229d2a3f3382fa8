//go:build solaris

package sysx

// hasAbstract: only Linux has the abstract namespace of unix sockets.
const hasAbstract = false

// setLen does nothing: struct sockaddr has no length here.
func setLen(*RawSockaddrAny, uint32) {}
