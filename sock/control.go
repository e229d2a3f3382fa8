package sock

import (
	"encoding/binary"
	"iter"
	"syscall"
)

// Message is one message of control data.
type Message struct {
	// Level and Type are what kind of message it is: SOL_SOCKET and SCM_RIGHTS, for example.
	Level, Type int
	// Data is part of the control data that the message was found in.
	Data []byte
}

// A message in control data (cmsg(3)):
//
//	0         lenSize    +4       +8         dataAt          length      aligned length
//	+---------+----------+--------+----------+---------------+-----------+
//	| length  | level    | type   | padding  | data          | padding   | next message
//	+---------+----------+--------+----------+---------------+-----------+
//
// The length counts from 0, without the padding behind the data; the last message may lack that.

// Next is the first message of control, and what is behind it. ok is false when there is none: at the end, where rest is empty, and
// where the bytes are no message, which are rest then.
func Next(control []byte) (m Message, rest []byte, ok bool) {
	if len(control) < dataAt {
		return Message{}, control, false
	}
	n := length(control)
	if n < uint64(dataAt) || n > uint64(len(control)) {
		return Message{}, control, false
	}
	m = Message{
		Level: parseInt(control[lenSize:]),
		Type:  parseInt(control[lenSize+4:]),
		Data:  control[dataAt:n:n],
	}
	return m, control[min(aligned(int(n)), len(control)):], true
}

// Messages are the messages of control, which is Msg.Control[:Msg.ControlLen] as a rule. It stops at bytes that are no message; Next
// tells where.
func Messages(control []byte) iter.Seq[Message] {
	return func(yield func(Message) bool) {
		for {
			m, rest, ok := Next(control)
			if !ok || !yield(m) {
				return
			}
			control = rest
		}
	}
}

// Space is how much room the control data of messages takes whose data have these sizes in bytes: Space(4*n) for
// n file descriptors, for example. A negative size counts as 0.
func Space(sizes ...int) int {
	total := 0
	for _, n := range sizes {
		total += dataAt + aligned(max(n, 0))
	}
	return total
}

// Append appends a message of any kind to dst.
func Append(dst []byte, level, typ int, data []byte) []byte {
	dst = appendHeader(dst, level, typ, len(data))
	return pad(append(dst, data...))
}

// appendHeader appends all of a message but n bytes of data and what pads them.
func appendHeader(dst []byte, level, typ, n int) []byte {
	dst = pad(dst)
	at := len(dst)
	dst = append(dst, make([]byte, dataAt)...)
	if lenSize == 8 {
		binary.NativeEndian.PutUint64(dst[at:], uint64(dataAt+n))
	} else {
		binary.NativeEndian.PutUint32(dst[at:], uint32(dataAt+n))
	}
	binary.NativeEndian.PutUint32(dst[at+lenSize:], uint32(level))
	binary.NativeEndian.PutUint32(dst[at+lenSize+4:], uint32(typ))
	return dst
}

// pad appends zeros up to where the next message may begin.
func pad(dst []byte) []byte {
	for len(dst)%alignment != 0 {
		dst = append(dst, 0)
	}
	return dst
}

func aligned(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

// length is the length that the header at the beginning of b says.
func length(b []byte) uint64 {
	if lenSize == 8 {
		return binary.NativeEndian.Uint64(b)
	}
	return uint64(binary.NativeEndian.Uint32(b))
}

// is says whether m is a message of that kind whose data has at least size bytes. A kind that the system lacks is absent.
func (m Message) is(level, typ, size int) bool {
	return typ != absent && m.Level == level && m.Type == typ && len(m.Data) >= size
}

// absent is the type of messages that the system does not have.
const absent = -1

// errAbsent is the error for those: it is errors.ErrUnsupported.
const errAbsent = syscall.ENOSYS
