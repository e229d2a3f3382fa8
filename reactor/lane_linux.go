package reactor

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/sysx"
)

// newLane makes a pipe of some size.
func newLane(size int) (*lane, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	ln := &lane{r: p[0], w: p[1]}
	if err := ln.resize(size); err != nil {
		ln.close()
		return nil, err
	}
	return ln, nil
}

// resize makes an empty pipe larger or smaller. A user who has many may not have a larger one.
func (ln *lane) resize(size int) error {
	if ln.size == size {
		return nil
	}
	if _, err := unix.FcntlInt(uintptr(ln.w), unix.F_SETPIPE_SZ, size); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	ln.size = size
	return nil
}

// read takes all out that is in it, which is as much as b has room for.
func (ln *lane) read(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(ln.r, b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return syscall.EPIPE
		}
		b = b[n:]
		ln.n -= n
	}
	return nil
}

// laneError is what the failure of a transfer from a pipe means.
func laneError(err error) error {
	if err == syscall.ENODATA {
		return io.ErrUnexpectedEOF // of a file that was made shorter when what is in the pipe had not been read from the disk yet
	}
	return err
}

func (ln *lane) close() {
	sysx.Close(int32(ln.r))
	sysx.Close(int32(ln.w))
}
