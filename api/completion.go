package api

import (
	"io"
	"os"
)

// CompletionFlags say more about a completion.
type CompletionFlags uint16

const (
	// More means that further completions of the same operation follow. The one without it is the last.
	More CompletionFlags = 1 << iota
	// Buffer means that Buf is a leased buffer of a group, to be given back by its Lease.
	Buffer
	// BufferMore means that the buffer is not full: what comes next in its group goes behind Buf (incremental groups).
	BufferMore
	// Notif means that the memory of a zero-copy send is free again.
	Notif
	// AtEOF means that the stream has ended, and that the operation asked for EOF.
	AtEOF
	// Copied, in a notification that was asked for with ReportUsage, means that the data of the zero-copy send, or some of it, was copied. Of a
	// RecvZC, that no network card writes into its group: the data was copied there, as any receive does.
	Copied
)

// Has says whether all of the flags in g are set.
func (f CompletionFlags) Has(g CompletionFlags) bool { return f&g == g }

// Completion is one result of an operation, a plain value.
type Completion struct {
	// Tag is Op.Tag.
	Tag uint64
	// ID is what Submit put into Op.ID.
	ID OpID
	// Buf is the data in a provided buffer, when Flags has Buffer. It is valid until its
	// Lease is released, or the group closed.
	Buf []byte
	// Lease is what BufferGroup.Release takes back.
	Lease Lease
	// Res is the result: ≥ 0 as the system call would return it, or a negative errno.
	Res int32
	// Flags say more.
	Flags CompletionFlags
	// Code is Op.Code.
	Code OpCode
}

// More says whether further completions of the operation follow.
func (c *Completion) More() bool { return c.Flags&More != 0 }

// Err is the error of the completion, nil for none. It allocates nothing, and the same result
// gives the same error on every backend:
//   - io.EOF at the end of a stream, where the operation asked for EOF
//   - ErrCanceled when the operation was ended by a cancel, a close, or the engine's Close
//   - os.ErrDeadlineExceeded when its deadline passed, and for a timeout that fired
//   - else the syscall.Errno.
func (c *Completion) Err() error {
	if c.Res >= 0 {
		if c.Flags&AtEOF != 0 {
			return io.EOF
		}
		return nil
	}
	switch e := uint32(-c.Res); e {
	case uint32(ECanceled):
		return ErrCanceled
	case uint32(ETime):
		return os.ErrDeadlineExceeded
	default:
		return errnoError(e)
	}
}
