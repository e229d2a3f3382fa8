package http1

import "encoding/binary"

// What a byte may be part of.
const (
	isToken  = 1 << iota // a method or the name of a header: tchar of RFC 9110, 5.6.2
	isTarget             // a request target: what RFC 3986 lets stand in a path or query
	isHost               // a host's name without its port: unreserved and sub-delims of RFC 3986, 3.2.2
	isHex
)

// class says of each byte what it may be part of.
var class = classes()

func classes() (t [256]uint8) {
	set := func(chars string, bits uint8) {
		for _, c := range []byte(chars) {
			t[c] |= bits
		}
	}
	for c := 0; c < 256; c++ {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if digit := '0' <= c && c <= '9'; letter || digit {
			t[c] |= isToken | isHost
		}
		// All that is printable, but for the number sign, behind which a fragment would stand.
		if 0x21 <= c && c <= 0x7e && c != '#' {
			t[c] |= isTarget
		}
	}
	set("!#$%&'*+-.^_`|~", isToken)
	set("-._~!$&'()*+,;=", isHost)
	set("0123456789abcdefABCDEF", isHex)
	return t
}

// A byte in each of the eight of a word.
const (
	ones   = 0x0101010101010101
	highs  = 0x80 * ones
	spaces = 0x20 * ones
	dels   = 0x7f * ones
)

// valueEnd is the index of the first byte at or behind i which a header's value cannot have: a control character other than the tab. len(b) if there is none.
func valueEnd(b []byte, i int) int {
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		less := (x - spaces) & ^x           // the high bit of each byte below 0x20
		d := x ^ dels                       // 0 for each DEL
		odd := (less | (d-ones)&^d) & highs // a borrow sets only bits above a true one
		if odd == 0 {
			continue
		}
		break
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return i
		}
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// isFold compares without regard to case, in ASCII.
func isFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c != s[i] && lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

// nextToken cuts the first element off a list with commas. ok is false behind the last.
func nextToken(list []byte) (token, rest []byte, ok bool) {
	for len(list) > 0 {
		end := 0
		for end < len(list) && list[end] != ',' {
			end++
		}
		token, rest = trimBlanks(list[:end]), list[min(end+1, len(list)):]
		if len(token) > 0 {
			return token, rest, true
		}
		list = rest
	}
	return nil, nil, false
}
