package api

// Nop does nothing and completes with 0.
func Nop(tag uint64) Op { return Op{Code: OpNop, FD: -1, Tag: tag} }

// Read reads into buf at the position off, or at the file's own position with
// CurrentPosition, which is also what sockets, pipes and terminals take.
// Res is the number of bytes, 0 at the end. Of a regular file it is short only at the end.
func Read(fd int, buf []byte, off int64, tag uint64) Op {
	return Op{Code: OpRead, FD: fd32(fd), Buf: buf, Off: off, Tag: tag}
}

// Write writes buf at the position off, or at the file's own position with CurrentPosition.
// Res is the number of bytes, which may be short on a socket or pipe.
func Write(fd int, buf []byte, off int64, tag uint64) Op {
	return Op{Code: OpWrite, FD: fd32(fd), Buf: buf, Off: off, Tag: tag}
}

// Readv is Read into m.Bufs, one after the other (at most 1024 of them).
func Readv(fd int, m *Msg, off int64, tag uint64) Op {
	return Op{Code: OpReadv, FD: fd32(fd), Msg: m, Off: off, Tag: tag}
}

// Writev is Write from m.Bufs, one after the other (at most 1024 of them).
func Writev(fd int, m *Msg, off int64, tag uint64) Op {
	return Op{Code: OpWritev, FD: fd32(fd), Msg: m, Off: off, Tag: tag}
}

// Recv receives into buf from a socket. Res is the number of bytes, 0 at the end of
// a stream. An empty buf completes with 0 at once and receives nothing.
func Recv(fd int, buf []byte, tag uint64) Op {
	return Op{Code: OpRecv, FD: fd32(fd), Buf: buf, Tag: tag}
}

// RecvBuffer receives into a buffer of group, taken when there is data. The
// completion carries it as Buf with a Lease to give back. An empty group is ENOBUFS. With Bundle it takes as many
// buffers as there is data for.
func RecvBuffer(fd int, group uint16, tag uint64) Op {
	return Op{Code: OpRecv, FD: fd32(fd), Group: group, Flags: BufferSelect, Tag: tag}
}

// RecvMultishot receives again and again, each time into a buffer of group, until the
// stream ends (Res 0), fails, or the group is empty when there is data (ENOBUFS). A datagram
// of 0 bytes ends it too, with Res 0.
func RecvMultishot(fd int, group uint16, tag uint64) Op {
	return Op{Code: OpRecv, FD: fd32(fd), Group: group, Flags: BufferSelect | Multishot, Tag: tag}
}

// Send sends buf on a connected socket. Res is the number of bytes, which may be short
// unless WaitAll is set. It never raises SIGPIPE.
func Send(fd int, buf []byte, tag uint64) Op {
	return Op{Code: OpSend, FD: fd32(fd), Buf: buf, Tag: tag}
}

// RecvMsg receives into m.Bufs, and sets m.Addr to the sender, m.Control to its length and
// m.Flags to the MSG_* flags of what was received.
func RecvMsg(fd int, m *Msg, tag uint64) Op {
	return Op{Code: OpRecvMsg, FD: fd32(fd), Msg: m, Tag: tag}
}

// SendMsg sends m.Bufs with m.Control, to m.Addr unless it is zero.
func SendMsg(fd int, m *Msg, tag uint64) Op {
	return Op{Code: OpSendMsg, FD: fd32(fd), Msg: m, Tag: tag}
}

// Accept takes one connection off the backlog of a listening socket. Res is the new fd,
// close-on-exec, and blocking unless Arg has SOCK_NONBLOCK. A Msg, where one is set,
// receives the peer's address in Addr.
func Accept(fd int, tag uint64) Op { return Op{Code: OpAccept, FD: fd32(fd), Tag: tag} }

// AcceptMultishot accepts again and again. It ends when it fails (EMFILE, say:
// the connection stays in the backlog, and accepting anew gets it), or is cancelled.
func AcceptMultishot(fd int, tag uint64) Op {
	return Op{Code: OpAccept, FD: fd32(fd), Flags: Multishot, Tag: tag}
}

// Connect connects a socket to m.Addr. After a cancelled or failed connect, close the socket.
func Connect(fd int, m *Msg, tag uint64) Op {
	return Op{Code: OpConnect, FD: fd32(fd), Msg: m, Tag: tag}
}

// The directions of Shutdown.
const (
	ShutRead  = 0 // no more receiving
	ShutWrite = 1 // no more sending; takes effect behind the sends submitted before
	ShutBoth  = 2 // neither; takes effect at once
)

// Shutdown ends one or both directions of a connection: how is ShutRead, ShutWrite or ShutBoth.
func Shutdown(fd, how int, tag uint64) Op {
	return Op{Code: OpShutdown, FD: fd32(fd), Arg: uint32(how), Tag: tag}
}

// Close ends every operation in flight on fd (ErrCanceled, or with what it had moved),
// then closes fd, and completes after all of them. Operations submitted on fd behind
// it complete with EBADF. From Submit on fd is the engine's: if that fails, or is closed, before the completion
// has been seen, fd may have been closed, and its number be another file's, or not.
func Close(fd int, tag uint64) Op { return Op{Code: OpClose, FD: fd32(fd), Tag: tag} }

// The conditions of Poll, as poll(2) numbers them on Linux. PollErr and PollHup are reported whether
// or not they are asked for; PollRDHup to those who ask for it, or for PollIn.
const (
	PollIn    = 0x1    // there is data, a connection, or the end of the stream
	PollPri   = 0x2    // there is out-of-band data
	PollOut   = 0x4    // there is room to write
	PollErr   = 0x8    // an error is pending
	PollHup   = 0x10   // the file has hung up
	PollRDHup = 0x2000 // the peer has stopped writing
)

// Poll completes when fd has one of the conditions in mask (PollIn | PollOut | …), or
// an error or hang-up. Res is what holds.
func Poll(fd int, mask uint32, tag uint64) Op {
	return Op{Code: OpPoll, FD: fd32(fd), Arg: mask, Tag: tag}
}

// PollMultishot completes at each change that leaves one of the conditions true, until it is
// cancelled. A report may be repeated while the condition holds; with Level it is, once in each Complete.
func PollMultishot(fd int, mask uint32, tag uint64) Op {
	return Op{Code: OpPoll, FD: fd32(fd), Arg: mask, Flags: Multishot, Tag: tag}
}

// fd32 is fd as an Op holds it. What is out of range is no fd, and must not become another one.
func fd32(fd int) int32 {
	if int(int32(fd)) != fd {
		return -1
	}
	return int32(fd)
}

// With returns the operation with more flags: api.Recv(…).With(api.WaitAll | api.EOF).
func (o Op) With(f OpFlags) Op { o.Flags |= f; return o }

// Until returns the operation with a deadline.
func (o Op) Until(at Instant) Op { o.Deadline = at; return o }
