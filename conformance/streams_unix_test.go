//go:build unix

package conformance_test

import (
	"testing"

	"github.com/sluiceio/sluice/conformance"
	"golang.org/x/sys/unix"
)

// pairs are Config.Streams that are sockets after all, so that the engines of this module can be asked to work on them.
type pairs struct{}

func (pairs) Pair() (a, b int, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, -1, err
	}
	for _, fd := range p {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			return -1, -1, err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<14); err != nil {
			return -1, -1, err
		}
	}
	return p[0], p[1], nil
}

func (pairs) Read(fd int, p []byte) (int, error) {
	if len(p) == 0 { // where read(2) would tell nothing of fd
		_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return 0, err
	}
	return again(func() (int, error) { return unix.Read(fd, p) })
}

func (pairs) Write(fd int, p []byte) (int, error) {
	return again(func() (int, error) { return unix.Write(fd, p) })
}

func (pairs) CloseWrite(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

func (pairs) Close(fd int) error { return unix.Close(fd) }

// again calls f until no signal interrupts it.
func again(f func() (int, error)) (n int, err error) {
	for n, err = f(); err == unix.EINTR; n, err = f() {
	}
	return max(n, 0), err
}

// TestStreams runs the cases that need streams alone on such that the suite knows through Config.Streams only.
func TestStreams(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			b.need(t, nil)
			cfg := &conformance.Config{Streams: pairs{}, Memory: arenaOf}
			ran := 0
			for _, c := range conformance.Cases() {
				if c.Needs == conformance.NeedNothing {
					continue // it is the same without
				}
				t.Run(c.Path(), func(t *testing.T) {
					why := c.Run(t, b.open, cfg)
					switch c.Needs {
					case conformance.NeedStreams:
						ran++
						if why != "" {
							t.Errorf("skipped: %s", why)
						}
					case conformance.NeedFiles:
						if why == "" {
							t.Errorf("a case that needs files has run on streams")
						}
					}
				})
			}
			t.Logf("%d cases on streams", ran)
		})
	}
}
