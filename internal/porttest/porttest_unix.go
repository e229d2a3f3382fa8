//go:build unix

package porttest

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

type socket = int

var closeSocket = syscall.Close

// Silent is an address at which clients get no answer until the test ends: that of a listener whose backlog is full.
func Silent(t testing.TB) netip.AddrPort {
	t.Helper()
	fd, addr := bound(t)
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	// Several in a row: one alone fails, too, when something else has kept this process from running until its time was over.
	for unanswered := 0; unanswered < 3; {
		c, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		switch {
		case err == nil:
			t.Cleanup(func() { c.Close() })
			unanswered = 0
		case isTimeout(err):
			unanswered++
		default:
			t.Fatal(err)
		}
	}
	return addr
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
