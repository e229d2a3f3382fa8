package api

// Socket makes a socket: AF_*, SOCK_* and the protocol, as socket(2). Res is the new fd, close-on-exec, and blocking unless typ
// has SOCK_NONBLOCK.
func Socket(domain, typ, protocol int, tag uint64) Op {
	return Op{Code: OpSocket, FD: -1, Arg: uint32(typ), Off: pair(protocol, domain), Tag: tag}
}

// Bind gives a socket the address m.Addr; port 0 has the kernel choose one. The file that it makes for a Unix path stays
// when the socket is closed. Without a Msg it is EFAULT, with the zero Addr EINVAL.
func Bind(fd int, m *Msg, tag uint64) Op {
	return Op{Code: OpBind, FD: fd32(fd), Msg: m, Tag: tag}
}

// Listen lets a socket take connections, backlog of which wait until they are accepted. A backlog that is too large, or
// negative, is the most that the system allows.
func Listen(fd, backlog int, tag uint64) Op {
	return Op{Code: OpListen, FD: fd32(fd), Arg: uint32(backlog), Tag: tag}
}

// The commands of OpUringCmd, as the kernel numbers them (SOCKET_URING_OP_*).
const (
	SockInQ    = 0 // how many bytes wait to be received
	SockOutQ   = 1 // how many bytes wait to be sent
	SockGetOpt = 2
	SockSetOpt = 3
)

// Getsockopt reads an option of a socket into buf, as much of it as there is room for. Res is how much that is. Package sock turns
// options that are numbers into bytes and back. Outside Linux only these can be read: others are ENOSYS.
func Getsockopt(fd, level, name int, buf []byte, tag uint64) Op {
	return Op{Code: OpUringCmd, FD: fd32(fd), Arg: SockGetOpt, Off: pair(level, name), Buf: buf, Tag: tag}
}

// Setsockopt sets an option of a socket to value, which belongs to the engine until the completion.
func Setsockopt(fd, level, name int, value []byte, tag uint64) Op {
	return Op{Code: OpUringCmd, FD: fd32(fd), Arg: SockSetOpt, Off: pair(level, name), Buf: value, Tag: tag}
}

// SocketInQ tells in Res how many bytes wait to be received (SIOCINQ), of the next datagram on a socket of datagrams.
func SocketInQ(fd int, tag uint64) Op {
	return Op{Code: OpUringCmd, FD: fd32(fd), Arg: SockInQ, Tag: tag}
}

// SocketOutQ tells in Res how many bytes wait to be sent, or to be acknowledged (SIOCOUTQ).
func SocketOutQ(fd int, tag uint64) Op {
	return Op{Code: OpUringCmd, FD: fd32(fd), Arg: SockOutQ, Tag: tag}
}

// pair puts two numbers into an Op.Off.
func pair(upper, lower int) int64 { return int64(upper)<<32 | int64(uint32(lower)) }
