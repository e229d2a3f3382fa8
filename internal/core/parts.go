package core

import (
	"encoding/binary"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// A RecvMsgMultishot has all of a message in the buffer, as struct io_uring_recvmsg_out of linux/io_uring.h begins it:
//
//	0         4          8          12       16        144          144+len(Msg.Control)
//	+---------+----------+----------+--------+---------+------------+-------------------+
//	| length  | length   | length   | flags  | name    | control    | payload           |
//	| of name | of       | of       |        |         | data       |                   |
//	|         | control  | payload  |        |         |            |                   |
//	+---------+----------+----------+--------+---------+------------+-------------------+
const (
	atControlLen = 4
	atPayloadLen = 8
	atFlags      = 12
	atControl    = api.PartsHead + api.PartsName
)

// flagHead in the flags of a completion that is on its way says that there is such a head in Buf. The program never sees it.
const flagHead api.CompletionFlags = 1 << 14

// PartsHead is how much of each buffer is in front of the payload. How much room there is for control data has been put into Off when the
// operation began (Group.serves): a program that changes its Msg all the same must not make us write behind the buffer.
func PartsHead(op *api.Op) int { return atControl + int(op.Off) }

// headed is flagHead for a completion of an operation that begins its buffers with a head, in which it leaves out what the program has not asked for.
func headed(s *Slot, b []byte) api.CompletionFlags {
	if s.Op.Code != api.OpRecvMsg || s.Op.Flags&api.Multishot == 0 {
		return 0
	}
	flags := binary.NativeEndian.Uint32(b[atFlags:])
	binary.NativeEndian.PutUint32(b[atFlags:], flags&^sysx.MsgCmsgCloexec)
	return flagHead
}

// PutParts writes the head of a message of n bytes that has been received with m into b, where SplitParts has told it to.
func PutParts(b []byte, m *sysx.MsgBuf, n int) {
	sa, size := m.RawAddr()
	binary.NativeEndian.PutUint32(b, size)
	binary.NativeEndian.PutUint32(b[atControlLen:], uint32(m.ControlLen()))
	binary.NativeEndian.PutUint32(b[atPayloadLen:], uint32(n))
	binary.NativeEndian.PutUint32(b[atFlags:], uint32(m.Flags()))
	sysx.CopySockaddr(b[api.PartsHead:atControl], sa, size)
}

// SplitParts gives the places of the control data and of the payload of op in a buffer.
func SplitParts(b []byte, op *api.Op) (control, payload []byte) {
	head := PartsHead(op)
	return b[atControl:head:head], b[head:]
}

// Blank says whether the message in b, whose payload is empty, is the end of s and not an empty datagram: it is the end of a
// stream, or there is neither an address nor control data.
func Blank(s *Slot, b []byte) bool {
	if binary.NativeEndian.Uint64(b) == 0 { // both lengths
		return true
	}
	typ, errno := sysx.SocketType(s.Op.FD)
	return errno == 0 && typ == syscall.SOCK_STREAM
}

// dropParts closes the fds that came with a message which nobody will see.
func dropParts(b []byte) {
	n := binary.NativeEndian.Uint32(b[atControlLen:])
	control := b[atControl:]
	sysx.CloseRights(control[:min(uint64(n), uint64(len(control)))])
}
