package readiness

import (
	"errors"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// Unavailable is the error of a backend whose Poller could not be made. hint is for where the
// system does not have it.
func Unavailable(name string, err error, hint string) error {
	u := &api.UnavailableError{Backend: name, Reason: err.Error(), Hint: hint, Err: err}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		u.Hint = "close files, or raise the limit with ulimit -n"
	}
	return u
}

// errnoOf is the number in an error of a Poller.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EIO
}
