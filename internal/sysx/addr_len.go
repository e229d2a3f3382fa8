//go:build aix || darwin || dragonfly || freebsd || netbsd || openbsd

package sysx

// hasAbstract: only Linux has the abstract namespace of unix sockets.
const hasAbstract = false

// setLen fills in sa_len.
func setLen(sa *RawSockaddrAny, n uint32) { sa.Addr.Len = uint8(n) }
