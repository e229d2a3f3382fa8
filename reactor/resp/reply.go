package resp

import (
	"math"
	"strconv"
)

// Version is a version of the protocol, which a client chooses with HELLO. What takes one writes what version 2 does not have as the
// nearest that it has. The zero Version is 2.
type Version uint8

// The versions.
const (
	V2 Version = iota
	V3
)

// VersionOf is the version with that number.
func VersionOf(n int64) (v Version, ok bool) { return Version(n - 2), n == 2 || n == 3 }

// Number is the number of the version.
func (v Version) Number() int64 { return int64(v) + 2 }

func appendLine(b []byte, kind byte, n int64) []byte {
	b = append(b, kind)
	if uint64(n) < 10 {
		return append(b, byte('0'+n), '\r', '\n')
	}
	b = strconv.AppendInt(b, n, 10)
	return append(b, '\r', '\n')
}

// appendText appends a text as one line: what would end it becomes a space.
func appendText(b []byte, s string) []byte {
	from := len(b)
	b = append(b, s...)
	for i := from; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return append(b, '\r', '\n')
}

// AppendSimple appends a status, such as OK. Line ends in it become spaces.
func AppendSimple(b []byte, s string) []byte { return appendText(append(b, '+'), s) }

// AppendError appends an error: by custom its kind in capitals, a space, and a text. Line ends in it become spaces.
func AppendError(b []byte, s string) []byte { return appendText(append(b, '-'), s) }

// AppendInt appends an integer.
func AppendInt(b []byte, n int64) []byte { return appendLine(b, ':', n) }

// AppendBulk appends a string of any bytes. A nil one is empty; see AppendNull.
func AppendBulk(b, s []byte) []byte {
	b = appendLine(b, '$', int64(len(s)))
	b = append(b, s...)
	return append(b, '\r', '\n')
}

// AppendBulkString is AppendBulk of a string.
func AppendBulkString(b []byte, s string) []byte {
	b = appendLine(b, '$', int64(len(s)))
	b = append(b, s...)
	return append(b, '\r', '\n')
}

// AppendBulkInt is AppendBulk of a number in decimal.
func AppendBulkInt(b []byte, n int64) []byte {
	var digits [20]byte
	return AppendBulk(b, strconv.AppendInt(digits[:0], n, 10))
}

// AppendNull appends the absence of a value: in version 2 that of a string.
func AppendNull(b []byte, v Version) []byte {
	if v == V3 {
		return append(b, "_\r\n"...)
	}
	return append(b, "$-1\r\n"...)
}

// AppendNullArray is AppendNull where otherwise an array would be.
func AppendNullArray(b []byte, v Version) []byte {
	if v == V3 {
		return append(b, "_\r\n"...)
	}
	return append(b, "*-1\r\n"...)
}

// AppendArray begins an array: n values are to follow.
func AppendArray(b []byte, n int) []byte { return appendLine(b, '*', int64(n)) }

// AppendMap begins a map: n keys are to follow, each with its value behind it. Version 2 has an array of both.
func AppendMap(b []byte, v Version, n int) []byte {
	if v == V3 {
		return appendLine(b, '%', int64(n))
	}
	return appendLine(b, '*', 2*int64(n))
}

// AppendSet begins a set: n values are to follow. Version 2 has an array.
func AppendSet(b []byte, v Version, n int) []byte {
	if v == V3 {
		return appendLine(b, '~', int64(n))
	}
	return appendLine(b, '*', int64(n))
}

// AppendPush begins a message that no command asked for: n values are to follow. Version 2 has an array.
func AppendPush(b []byte, v Version, n int) []byte {
	if v == V3 {
		return appendLine(b, '>', int64(n))
	}
	return appendLine(b, '*', int64(n))
}

// AppendBool appends a truth value. Version 2 has 1 and 0.
func AppendBool(b []byte, v Version, t bool) []byte {
	switch {
	case v == V3 && t:
		return append(b, "#t\r\n"...)
	case v == V3:
		return append(b, "#f\r\n"...)
	case t:
		return append(b, ":1\r\n"...)
	}
	return append(b, ":0\r\n"...)
}

// AppendDouble appends a number with a fraction. Version 2 has a string of it.
func AppendDouble(b []byte, v Version, f float64) []byte {
	var digits [32]byte
	var s []byte
	switch {
	case math.IsInf(f, 1):
		s = append(digits[:0], "inf"...)
	case math.IsInf(f, -1):
		s = append(digits[:0], "-inf"...)
	case math.IsNaN(f):
		s = append(digits[:0], "nan"...)
	default:
		s = strconv.AppendFloat(digits[:0], f, 'g', -1, 64)
	}
	if v == V2 {
		return AppendBulk(b, s)
	}
	b = append(append(b, ','), s...)
	return append(b, '\r', '\n')
}

// AppendVerbatim appends a text that is for people to read. Its format has three letters: txt, mkd. Version 2 has a string.
func AppendVerbatim(b []byte, v Version, format, s string) []byte {
	if v == V2 {
		return AppendBulkString(b, s)
	}
	b = appendLine(b, '=', int64(len(format)+1+len(s)))
	b = append(append(append(b, format...), ':'), s...)
	return append(b, '\r', '\n')
}

// AppendCommand appends a command as a client sends it.
func AppendCommand(b []byte, args ...[]byte) []byte {
	b = AppendArray(b, len(args))
	for _, a := range args {
		b = AppendBulk(b, a)
	}
	return b
}
