package sock

import "encoding/binary"

// intSize is sizeof(int).
const intSize = 4

// IntOption is a number as api.Setsockopt takes it, for the many options that are an int. What does not fit into
// 32 bits is cut.
func IntOption(v int) []byte { return appendInt(nil, v) }

// ParseIntOption is the number in what api.Getsockopt has read: buf[:Res], of 4 bytes, or of 1 for those options of IPv4 that
// are a char. ok is false for other lengths.
func ParseIntOption(b []byte) (v int, ok bool) {
	switch len(b) {
	case intSize:
		return parseInt(b), true
	case 1:
		return int(b[0]), true
	}
	return 0, false
}

func appendInt(dst []byte, v int) []byte {
	return binary.NativeEndian.AppendUint32(dst, uint32(v))
}

// parseInt reads the int at the beginning of b, which has one.
func parseInt(b []byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }
