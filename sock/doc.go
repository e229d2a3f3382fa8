// Package sock is about what sockets need beside operations: the addresses at both ends of one, the bytes of its integer options,
// and control data (the ancillary data of sendmsg(2) and recvmsg(2), cmsg(3)), which is file descriptors, credentials, packet
// information and segment sizes.
//
// It is for programs that use api.SendMsg, api.RecvMsg, api.Setsockopt or api.Getsockopt and do not want to lay out structures of the kernel
// by hand. Those that only send and receive bytes do not need it.
//
// To send control data, append messages to a slice and make it Msg.Control:
//
//	m.Control, err = sock.AppendRights(m.Control[:0], fd)
//
// To receive, make room, and go through what came:
//
//	m.Control = make([]byte, sock.Space(4))
//	// api.RecvMsg(fd, m, tag) completes
//	for c := range sock.Messages(m.Control[:m.ControlLen]) {
//		if fds, ok := c.Rights(); ok { … }
//	}
//
// Nothing here panics, whatever the bytes are. What a system does not have is an error that is errors.ErrUnsupported: outside Linux that
// is all control data but Rights. All functions may be called from any goroutine.
package sock
