package reactor

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// errAgain says that what was tried would have to wait, or that a wait has ended for another reason.
var errAgain = errors.New("reactor: not now")

// stream is a connected socket of which one goroutine has charge. That one calls all of its methods but interrupt. What fails is a
// syscall.Errno wherever the system has said so.
type stream interface {
	// begin is called once, by the goroutine that has charge of it.
	begin(o *runner) error
	// read receives what is there: 0 without an error is the end of the stream. It does not wait (errAgain).
	read(b []byte) (int, error)
	// write sends what there is room for. It does not wait (errAgain).
	write(b []byte) (int, error)
	// sendFile is write of n bytes of a file from off on, straight from the page cache. errors.ErrUnsupported: not here, or not from this file.
	sendFile(f *os.File, off, n int64) (int, error)
	// prepare is called before each wait with the same arguments, of which b is looked at only whether it is nil.
	prepare(b []byte, room bool, now, until api.Instant)
	// wait waits until there is input, which it receives into b, unless b is nil; until there is room for output, if room; until an interrupt that comes behind
	// the call of prepare; until a point in time, 0 being never. errAgain: it was not input. It may return errAgain for no reason.
	wait(b []byte, room bool, now, until api.Instant) (int, error)
	// interrupt ends a wait. Any goroutine may call it, also behind close.
	interrupt()
	// share is called before other goroutines get hold of the connection, and so may interrupt it often.
	share()
	closeWrite() error
	addrs() (local, remote net.Addr)
	// reset has close tell a peer of TCP that it was not the regular end.
	reset()
	close()
}

// errnoIn is err as a loop would have it: the system's, if it comes from there, and os.ErrDeadlineExceeded for a time that is over.
func errnoIn(err error) error {
	var errno syscall.Errno
	var late net.Error
	switch {
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &late) && late.Timeout():
		return os.ErrDeadlineExceeded
	}
	return err
}
