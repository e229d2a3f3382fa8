package api

import "encoding/binary"

// Parts are a message that a RecvMsgMultishot has received. They point into the buffer, and are valid as long as its lease.
type Parts struct {
	// Name is the sender's address, as a struct sockaddr; sock.ParseAddr reads it. It is empty on a stream.
	Name []byte
	// Control is the control data.
	Control []byte
	// Payload is the data.
	Payload []byte
	// Flags are the MSG_* flags: MSG_TRUNC when Payload lacks the end of a datagram, MSG_CTRUNC when Control lacks some.
	Flags int
}

// PartsHead is how much of each buffer of a RecvMsgMultishot the head takes (struct io_uring_recvmsg_out of linux/io_uring.h), and PartsName
// how much the sender's address has room for (struct sockaddr_storage).
const (
	PartsHead = 16
	PartsName = 128
)

// PartsOf takes apart what a RecvMsgMultishot with m has put into buf, which is Completion.Buf; of m it looks at len(m.Control) alone, which must be what it was
// when the operation was submitted. ok is false for a buf that is nothing of the kind. Any goroutine may call it.
func PartsOf(buf []byte, m *Msg) (p Parts, ok bool) {
	const controlAt = PartsHead + PartsName
	if m == nil || len(buf) < controlAt+len(m.Control) {
		return Parts{}, false
	}
	// The lengths are those of what has come, which may be more than there was room for.
	name := PartsHead + int(min(binary.NativeEndian.Uint32(buf), PartsName))
	control := controlAt + int(min(uint64(binary.NativeEndian.Uint32(buf[4:])), uint64(len(m.Control))))
	p.Name = buf[PartsHead:name:name]
	p.Control = buf[controlAt:control:control]
	p.Payload = buf[controlAt+len(m.Control):]
	p.Flags = int(int32(binary.NativeEndian.Uint32(buf[12:])))
	return p, true
}
