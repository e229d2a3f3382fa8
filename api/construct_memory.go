package api

// ReadFixed is Read into buf, which must lie within the registered buffer with that index (Engine.RegisterBuffers). Without
// a table, with an index that is empty or out of range, and for a buf that is not wholly inside (nil, too), it is EFAULT. The buffer may be
// replaced or unregistered meanwhile: the operation goes on with the memory that it began with.
func ReadFixed(fd, index int, buf []byte, off int64, tag uint64) Op {
	return Op{Code: OpReadFixed, FD: fd32(fd), Group: index16(index), Buf: buf, Off: off, Tag: tag}
}

// WriteFixed is Write from buf, which must lie within a registered buffer: see ReadFixed.
func WriteFixed(fd, index int, buf []byte, off int64, tag uint64) Op {
	return Op{Code: OpWriteFixed, FD: fd32(fd), Group: index16(index), Buf: buf, Off: off, Tag: tag}
}

// ReadvFixed is Readv into m.Bufs, each of which must lie within the registered buffer with that index: see ReadFixed.
func ReadvFixed(fd, index int, m *Msg, off int64, tag uint64) Op {
	return Op{Code: OpReadvFixed, FD: fd32(fd), Group: index16(index), Msg: m, Off: off, Tag: tag}
}

// WritevFixed is Writev from m.Bufs, each of which must lie within the registered buffer with that index: see ReadFixed.
func WritevFixed(fd, index int, m *Msg, off int64, tag uint64) Op {
	return Op{Code: OpWritevFixed, FD: fd32(fd), Group: index16(index), Msg: m, Off: off, Tag: tag}
}

// ReadBuffer is Read into a buffer of group, taken when there is data. The completion carries it as Buf with a Lease
// to give back; of a regular file it is shorter than a buffer only at the end, and at the end itself Res is 0, without a buffer. An empty group is ENOBUFS.
func ReadBuffer(fd int, group uint16, off int64, tag uint64) Op {
	return Op{Code: OpRead, FD: fd32(fd), Group: group, Off: off, Flags: BufferSelect, Tag: tag}
}

// ReadMultishot reads again and again from a pipe, terminal or other file that is waited for, each time into a buffer of
// group, until the stream ends (Res 0), fails, or the group is empty when there is data (ENOBUFS). A regular file, a directory, and a device
// that is always ready is EBADFD (EBADF on systems that have no such errno). DontWait is EINVAL.
func ReadMultishot(fd int, group uint16, tag uint64) Op {
	return Op{Code: OpReadMultishot, FD: fd32(fd), Group: group, Off: CurrentPosition, Flags: BufferSelect | Multishot, Tag: tag}
}

// RecvMsgBuffer is RecvMsg into a buffer of group, taken when there is data, instead of m.Bufs, which are not used. The
// completion carries the data as Buf with a Lease to give back, and m has the address, the control data and the flags. An empty group is ENOBUFS.
func RecvMsgBuffer(fd int, group uint16, m *Msg, tag uint64) Op {
	return Op{Code: OpRecvMsg, FD: fd32(fd), Group: group, Msg: m, Flags: BufferSelect, Tag: tag}
}

// RecvMsgMultishot receives messages again and again, each into a buffer of group. m says how much room each buffer has
// for control data, len(m.Control), and is not written to: what came is in the buffer, and PartsOf takes it apart. A
// buffer without room for the head and one byte is EFAULT. Otherwise it is as RecvMultishot, but an empty datagram that has an address or control data ends it
// with a buffer that holds those. File descriptors in the control data are the program's to close.
func RecvMsgMultishot(fd int, group uint16, m *Msg, tag uint64) Op {
	return Op{Code: OpRecvMsg, FD: fd32(fd), Group: group, Msg: m, Flags: BufferSelect | Multishot, Tag: tag}
}

// SendZC is Send that does not copy buf where that can be avoided. It has two completions when it succeeds: the result, with More, and
// when the kernel needs buf no longer, the last one, with Notif and Res 0, which may be as late as when the peer has acknowledged the data.
// Until then buf must not be changed. When it fails it has one completion, without More. The next operation of its
// fd, or of its chain, begins after the result, and a cancel, a deadline or a Close of the fd that comes after it has no effect; a
// Drain waits for the notification. SkipSuccess is EINVAL. With ReportUsage the notification has Copied when the data, or some of it, was copied after all, as on a socket that
// has no other way (a Unix socket), over the loopback, and by a backend without io_uring.
//
// Without io_uring, on Linux, a TCP or UDP socket on which the program has set SO_ZEROCOPY before its first SendZC sends with MSG_ZEROCOPY. The notifications in its
// error queue are the engine's then: no other engine, and nobody else, may make such sends at the same time, or read
// them. The engine keeps the socket open until they have come, so that the fd is best closed with Close.
func SendZC(fd int, buf []byte, tag uint64) Op {
	return Op{Code: OpSendZC, FD: fd32(fd), Buf: buf, Tag: tag}
}

// SendZCFixed is SendZC of buf, which must lie within the registered buffer with that index (EFAULT).
func SendZCFixed(fd, index int, buf []byte, tag uint64) Op {
	return Op{Code: OpSendZC, FD: fd32(fd), Group: index16(index), Buf: buf, Flags: FixedBuffer, Tag: tag}
}

// SendMsgZC is SendMsg that does not copy m.Bufs where that can be avoided: see SendZC.
func SendMsgZC(fd int, m *Msg, tag uint64) Op {
	return Op{Code: OpSendMsgZC, FD: fd32(fd), Msg: m, Tag: tag}
}

// SendBundle sends what BufferGroup.Queue has put in line, up to 256 buffers of it, in order; on other than a stream socket as one datagram or record.
// Res is the number of bytes, which may be short only when
// it fails, is cancelled, runs out of time on the way, or has DontWait. Each buffer of which a byte has been sent is free again afterwards, and the others stay in line. Nothing in line is
// ENOBUFS, also when there is no such group. One at a time can be in flight per group (EBUSY). MSG_ZEROCOPY in Arg has no effect.
func SendBundle(fd int, group uint16, tag uint64) Op {
	return Op{Code: OpSend, FD: fd32(fd), Group: group, Flags: BufferSelect | Bundle, Tag: tag}
}

// RecvZC receives again and again from a TCP socket into a group made with BufferGroupOptions.ZeroCopy, without copying where a network card writes into
// that memory. It is RecvMultishot in all that a program sees: each completion has Buf and Lease, at most a page, and More; it ends with 0 at the end of the stream, or
// when it fails. But ENOMEM is what it fails with when there is data, and no page left to copy it to; it may begin without one. A card that finds no page drops
// the packet, which the peer sends again later, so that the receive merely waits until leases are back. With a card, several leases may be of one page. Errors:
// EINVAL, no such group, or another kind of group, and MSG_* flags in Arg; ENOTSOCK; EPROTONOSUPPORT, a socket of another protocol than TCP.
func RecvZC(fd int, group uint16, tag uint64) Op {
	return Op{Code: OpRecvZC, FD: fd32(fd), Group: group, Flags: BufferSelect | Multishot, Tag: tag}
}

// FilesUpdate puts fds into the slots of the table of registered files from at on, as Engine.UpdateFiles does; with AnySlot each into
// an empty one, and fds[i] is then the slot (an fd that is none is EBADF there, -1 and KeepSlot too). Res is how many were done, which is less than
// all only when one failed. Errors, of the first: ENXIO without a table, EINVAL out of range or for no fds at all, EBADF, ENFILE. fds is the
// engine's until the completion.
func FilesUpdate(at int, fds []int32, tag uint64) Op {
	return Op{Code: OpFilesUpdate, FD: -1, Off: int64(at), Args: &Args{FDs: fds}, Tag: tag}
}

// InstallFD gives the file in a slot of the table of registered files an fd, which is Res, close-on-exec. The slot keeps it. An empty slot
// is EBADF.
func InstallFD(slot int, tag uint64) Op {
	return Op{Code: OpFixedFDInstall, FD: fd32(slot), Flags: FixedFile, Tag: tag}
}

// CloseSlot empties a slot of the table of registered files. Operations in flight on it end first, as with Close, before the file is closed; the slot itself
// is empty, and can be filled anew, as soon as it begins. Errors: ENXIO without a table, EINVAL out of range, EBADF when it is empty.
func CloseSlot(slot int, tag uint64) Op {
	return Op{Code: OpClose, FD: fd32(slot), Flags: FixedFile, Tag: tag}
}

// Into returns an accept, socket, openat, openat2 or pipe that puts its file into a slot of the table of registered
// files instead of giving it an fd: into slot, replacing what is there, and then Res is 0; or with AnySlot into an empty one, and then Res is the slot.
// A pipe takes slot and the next, or any two, and Args.Pipe tells them. Errors: ENXIO without a table, EINVAL out of range, ENFILE
// when no slot is empty. These are found before the operation is performed, so that no connection is lost: an accept leaves it in the
// backlog. A multishot accept takes AnySlot only, and ends with ENFILE when the table is full. There is no fd that could be
// close-on-exec: flags that ask for it are EINVAL, as is a multishot accept with a slot of its own.
func (o Op) Into(slot int) Op {
	o.Flags |= IntoSlot
	if o.Group = index16(slot); o.Group == NoIndex && slot != AnySlot {
		o.Group = NoIndex - 1 // which no table has
	}
	return o
}

// NoIndex in Op.Group is AnySlot, and as the index of a buffer one that no table has.
const NoIndex = 1<<16 - 1

// index16 is an index as an Op holds it. What is out of range must not become another one.
func index16(i int) uint16 {
	if i < 0 || i >= NoIndex {
		return NoIndex
	}
	return uint16(i)
}
