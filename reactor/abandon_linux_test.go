package reactor_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// What the engine has been told to close is not closed again when it has failed, for the number may be another file's by then; and what it has not is closed.
func TestBrokenBehindClose(t *testing.T) {
	for _, listener := range []bool{false, true} {
		for _, submitted := range []bool{false, true} {
			t.Run(fmt.Sprintf("listener=%v/submitted=%v", listener, submitted), func(t *testing.T) {
				eachEngine(t, func(t *testing.T, cfg reactor.Config) { brokenBehindClose(t, cfg, listener, submitted) })
			})
		}
	}
}

func brokenBehindClose(t *testing.T, cfg reactor.Config, listener, submitted bool) {
	cfg.Loops = 1
	opened := make(chan reactor.Remote, 1)
	s, err := reactor.Start(cfg, remotes{to: opened})
	if err != nil {
		t.Fatal(err)
	}
	nc := dial(t, s)
	within(t, opened)
	mine, err := os.Create(t.TempDir() + "/mine")
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	number := make(chan int, 1)
	reactor.BreakBehindClose(s, listener, submitted, func(fd int) {
		if submitted { // it is free now, and the next file gets it
			if fd, err = unix.FcntlInt(mine.Fd(), unix.F_DUPFD_CLOEXEC, fd); err != nil {
				fd = -1
			}
		}
		number <- fd
	})
	fd := within(t, number)
	if err := s.Wait(); !errors.Is(err, api.ErrClosed) {
		t.Errorf("Wait returned %v, want %v", err, api.ErrClosed)
	}
	if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the client got %v, want the end of the connection", err)
	}
	var own, other unix.Stat_t
	errOwn, errOther := unix.Fstat(int(mine.Fd()), &own), unix.Fstat(fd, &other)
	switch {
	case errOwn != nil:
		t.Fatal(errOwn)
	case submitted && (errOther != nil || own.Ino != other.Ino || own.Dev != other.Dev):
		t.Errorf("fd %d, which was a file of the test by then, has been closed", fd)
	case submitted:
		unix.Close(fd)
	case listener:
		a := s.Addrs()[0]
		if c, err := net.DialTimeout(a.Network(), a.String(), watchdog); err == nil {
			c.Close()
			t.Error("it still listens")
		}
	}
}

// A connection that has come with the failure of the engine is closed.
func TestBrokenAtAccept(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Loops = 1
		why := errors.New("why")
		s, err := reactor.Start(cfg, reactor.Base{})
		if err != nil {
			t.Fatal(err)
		}
		reactor.BreakAtAccept(s, why)
		nc := dial(t, s)
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the client got %v, want the end of the connection", err)
		}
		if err := s.Wait(); !errors.Is(err, why) {
			t.Errorf("Wait returned %v, want %v", err, why)
		}
	})
}
