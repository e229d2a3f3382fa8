package resp

import "bytes"

// What ReplyLength finds wrong.
const (
	errReplyType   ProtocolError = "no reply begins so"
	errReplyLength ProtocolError = "invalid length of a reply"
)

// replyCountMax bounds the values that a reply claims to have, so that counting them cannot overflow.
const replyCountMax = 1 << 32

// ReplyLength is how many bytes the first reply of in has, with all that is in it, 0 when it is not complete. It does not look at what
// numbers and doubles say. It is for proxies, and for tests that compare replies. The error is a ProtocolError.
func ReplyLength(in []byte) (int, error) {
	at := 0
	for missing := int64(1); missing > 0; missing-- {
		end := bytes.Index(in[at:], crlf)
		if end < 0 {
			return 0, nil
		}
		end += at + len(crlf)
		switch kind := in[at]; kind {
		case '+', '-', ':', '_', '#', ',', '(':
			at = end
		case '$', '=', '!', '*', '~', '>', '%', '|':
			n, behind, ok := number(in, at+1)
			if !ok || n < -1 || n > replyCountMax || n == -1 && kind != '$' && kind != '*' {
				return 0, errReplyLength
			}
			at = behind
			switch {
			case n == -1: // the null of version 2
			case kind == '$' || kind == '=' || kind == '!':
				if int64(len(in)-at) < n+int64(len(crlf)) {
					return 0, nil
				}
				at += int(n)
				if !bytes.HasPrefix(in[at:], crlf) {
					return 0, errTerminator
				}
				at += len(crlf)
			case kind == '%':
				missing += 2 * n
			case kind == '|':
				missing += 2*n + 1 // attributes stand before a reply, and are none
			default:
				missing += n
			}
			if missing > replyCountMax {
				return 0, errReplyLength
			}
		default:
			return 0, errReplyType
		}
	}
	return at, nil
}

var crlf = []byte("\r\n")
