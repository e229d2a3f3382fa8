package http1

import (
	"errors"
	"strconv"
)

// ErrMore says that a request is not complete: try again with more of it.
var ErrMore = errors.New("http1: the request is not complete")

// ProtocolError says why a request is refused, and with which status it is to be answered. The connection cannot be used after it: where the next
// request would begin is not known.
type ProtocolError struct {
	Status int // 400, 408, 413, 414, 417, 431, 501, 505
	Reason string
}

func (e *ProtocolError) Error() string {
	return "http1: " + strconv.Itoa(e.Status) + ": " + e.Reason
}

// All of them, made once: a refusal allocates nothing.
var (
	errMethod        = &ProtocolError{400, "the method is not a token followed by a space"}
	errMethodLong    = &ProtocolError{501, "the method is too long to be one"}
	errConnect       = &ProtocolError{501, "CONNECT is not implemented"}
	errTarget        = &ProtocolError{400, "the target has a character that it must not have"}
	errTargetForm    = &ProtocolError{400, "the target is neither a path, nor http:// with a host, nor the * of OPTIONS"}
	errTargetLong    = &ProtocolError{414, "the target is too long"}
	errEscape        = &ProtocolError{400, "the path has a % without two hexadecimal digits"}
	errVersion       = &ProtocolError{400, "the request line does not end with a version of HTTP and CR LF"}
	errVersionOther  = &ProtocolError{505, "the version is neither HTTP/1.1 nor HTTP/1.0"}
	errFieldName     = &ProtocolError{400, "a header line does not begin with a name and a colon, or is folded"}
	errFieldValue    = &ProtocolError{400, "a header line has a control character, or does not end with CR LF"}
	errFields        = &ProtocolError{431, "too many headers"}
	errHeadLong      = &ProtocolError{431, "the headers are too long"}
	errHostCount     = &ProtocolError{400, "there must be one Host"}
	errHost          = &ProtocolError{400, "the host is not valid"}
	errLength        = &ProtocolError{400, "the Content-Length is not a number, or there are several"}
	errBodyLong      = &ProtocolError{413, "the body is too long"}
	errBoth          = &ProtocolError{400, "both Content-Length and Transfer-Encoding"}
	errCoding        = &ProtocolError{501, "a Transfer-Encoding other than chunked"}
	errCodings       = &ProtocolError{400, "several Transfer-Encodings"}
	errCodingVersion = &ProtocolError{400, "a Transfer-Encoding in HTTP/1.0"}
	errExpect        = &ProtocolError{417, "an expectation other than 100-continue"}
	errChunkSize     = &ProtocolError{400, "the size of a chunk is not a hexadecimal number"}
	errChunkLine     = &ProtocolError{400, "the line of a chunk's size is too long, or has a control character"}
	errChunkEnd      = &ProtocolError{400, "a chunk does not end where it should"}
	errLate          = &ProtocolError{408, "the request has not come to its end in time"}
	errTrailer       = &ProtocolError{400, "a trailer that must not be one"}
)
