package iouring

import "unsafe"

// PrepRecv receives up to n bytes into p; flags are MSG_*.
func (s *SQE) PrepRecv(fd int32, p unsafe.Pointer, n, flags uint32) {
	s.set(IORING_OP_RECV, fd, address(p), n, 0)
	s.OpFlags = flags
}

// PrepRecvMultishot receives whenever fd has data, each time into a buffer of group.
func (s *SQE) PrepRecvMultishot(fd int32, group uint16, flags uint32) {
	s.set(IORING_OP_RECV, fd, 0, 0, 0)
	s.Ioprio = IORING_RECV_MULTISHOT
	s.OpFlags = flags
	s.SetBufferGroup(group)
}

// PrepRecvmsg is recvmsg(2); msg points at a struct msghdr, which has to stay alive like the buffers it names.
func (s *SQE) PrepRecvmsg(fd int32, msg unsafe.Pointer, flags uint32) {
	s.set(IORING_OP_RECVMSG, fd, address(msg), 1, 0)
	s.OpFlags = flags
}

// PrepRecvmsgMultishot is a repeating PrepRecvmsg with buffers of group, each headed by a RecvmsgOut.
func (s *SQE) PrepRecvmsgMultishot(fd int32, msg unsafe.Pointer, group uint16, flags uint32) {
	s.PrepRecvmsg(fd, msg, flags)
	s.Ioprio = IORING_RECV_MULTISHOT
	s.SetBufferGroup(group)
}

// PrepRecvZC is the zero-copy receive from interface queue ifq, always multishot (Linux 6.15).
func (s *SQE) PrepRecvZC(fd int32, n, ifq uint32) {
	s.set(IORING_OP_RECV_ZC, fd, 0, n, 0)
	s.Ioprio = IORING_RECV_MULTISHOT
	s.FileIndex = ifq
}

// PrepSend sends n bytes from p; flags are MSG_*.
func (s *SQE) PrepSend(fd int32, p unsafe.Pointer, n, flags uint32) {
	s.set(IORING_OP_SEND, fd, address(p), n, 0)
	s.OpFlags = flags
}

// PrepSendTo is PrepSend to the sockaddr of addrLen bytes at addr (Linux 6.0).
func (s *SQE) PrepSendTo(fd int32, p unsafe.Pointer, n, flags uint32, addr unsafe.Pointer, addrLen uint16) {
	s.PrepSend(fd, p, n, flags)
	s.SetDestination(addr, addrLen)
}

// SetDestination gives a SEND or SEND_ZC a destination: the sockaddr of addrLen bytes at addr.
func (s *SQE) SetDestination(addr unsafe.Pointer, addrLen uint16) {
	s.Off = address(addr)
	s.FileIndex = uint32(addrLen)
}

// PrepSendZC is the zero-copy send. It completes twice, the second time with IORING_CQE_F_NOTIF if the first one had
// IORING_CQE_F_MORE, and the memory belongs to the kernel until then. zcFlags are IORING_RECVSEND_* and
// IORING_SEND_ZC_REPORT_USAGE.
func (s *SQE) PrepSendZC(fd int32, p unsafe.Pointer, n, flags uint32, zcFlags uint16) {
	s.set(IORING_OP_SEND_ZC, fd, address(p), n, 0)
	s.OpFlags = flags
	s.Ioprio = zcFlags
}

// PrepSendZCFixed is PrepSendZC from registered buffer index.
func (s *SQE) PrepSendZCFixed(fd int32, p unsafe.Pointer, n, flags uint32, zcFlags, index uint16) {
	s.PrepSendZC(fd, p, n, flags, zcFlags|IORING_RECVSEND_FIXED_BUF)
	s.BufIndex = index
}

// PrepSendmsg is sendmsg(2); msg points at a struct msghdr, which has to stay alive like the buffers it names.
func (s *SQE) PrepSendmsg(fd int32, msg unsafe.Pointer, flags uint32) {
	s.set(IORING_OP_SENDMSG, fd, address(msg), 1, 0)
	s.OpFlags = flags
}

// PrepSendmsgZC is the zero-copy PrepSendmsg, with the completions of PrepSendZC.
func (s *SQE) PrepSendmsgZC(fd int32, msg unsafe.Pointer, flags uint32) {
	s.set(IORING_OP_SENDMSG_ZC, fd, address(msg), 1, 0)
	s.OpFlags = flags
}

// PrepAccept is accept4(2); addr and addrLen may both be nil.
func (s *SQE) PrepAccept(fd int32, addr unsafe.Pointer, addrLen *uint32, flags uint32) {
	// SAFETY: see address; addrLen must be heap memory until the completion, because the kernel writes to it.
	s.set(IORING_OP_ACCEPT, fd, address(addr), 0, address(unsafe.Pointer(addrLen)))
	s.OpFlags = flags
}

// PrepAcceptMultishot accepts until it fails. There is no address argument: one buffer could not serve connections that
// arrive together, so that the peer is found with getpeername(2) where it is needed.
func (s *SQE) PrepAcceptMultishot(fd int32, flags uint32) {
	s.PrepAccept(fd, nil, nil, flags)
	s.Ioprio = IORING_ACCEPT_MULTISHOT
}

// PrepConnect is connect(2).
func (s *SQE) PrepConnect(fd int32, addr unsafe.Pointer, addrLen uint32) {
	s.set(IORING_OP_CONNECT, fd, address(addr), 0, uint64(addrLen))
}

// PrepBind is bind(2).
func (s *SQE) PrepBind(fd int32, addr unsafe.Pointer, addrLen uint32) {
	s.set(IORING_OP_BIND, fd, address(addr), 0, uint64(addrLen))
}

// PrepListen is listen(2).
func (s *SQE) PrepListen(fd int32, backlog uint32) { s.set(IORING_OP_LISTEN, fd, 0, backlog, 0) }

// PrepSocket is socket(2).
func (s *SQE) PrepSocket(domain int32, typ, proto, flags uint32) {
	s.set(IORING_OP_SOCKET, domain, 0, proto, uint64(typ))
	s.OpFlags = flags
}

// PrepShutdown is shutdown(2).
func (s *SQE) PrepShutdown(fd int32, how uint32) { s.set(IORING_OP_SHUTDOWN, fd, 0, how, 0) }
