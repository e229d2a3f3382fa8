//go:build unix

package bench

import (
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/echo"
)

// acceptBatch is how many connections wait in the backlog at a time.
const acceptBatch = 128

// BenchmarkAccept takes connections off the backlog of a listener, which is filled while the clock stands.
func BenchmarkAccept(b *testing.B) { measure(b, accepts()) }

func accepts() (list []scenario) {
	for _, name := range backends {
		list = append(list, scenario{
			name:  "backend=" + name,
			steps: func(r *rig) func() error { return accept(r, name) },
		})
	}
	return append(list, scenario{name: "backend=net", steps: acceptNet})
}

func accept(r *rig, name string) func() error {
	r.require(name)
	fd, addr, err := echo.Listen("127.0.0.1:0", false)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { echo.CloseFD(fd) })
	d := newDialer(r, addr)
	e := r.open(name, api.Block())
	p := newPump(e, acceptBatch, func(p *pump, c *api.Completion) error {
		if c.Res < 0 {
			return fmt.Errorf("accept: %w", c.Err())
		}
		if !c.More() {
			p.ops = append(p.ops, api.AcceptMultishot(int(fd), 0))
		}
		d.accepted = append(d.accepted, int(c.Res))
		return nil
	})
	p.ops = append(p.ops, api.AcceptMultishot(int(fd), 0))
	p.refill = func() error {
		if len(d.accepted) < len(d.dialed) {
			return nil
		}
		return r.offClock(d.fill)
	}
	return p.next
}

func acceptNet(r *rig) func() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { l.Close() })
	d := newDialer(r, l.Addr())
	var conns []net.Conn
	r.Cleanup(func() { closeAll(&conns) })
	taken := 0
	return func() error {
		if taken == len(d.dialed) {
			taken = 0
			err := r.offClock(func() error {
				closeAll(&conns)
				return d.fill()
			})
			if err != nil {
				return err
			}
		}
		c, err := l.Accept()
		if err != nil {
			return err
		}
		taken++
		conns = append(conns, c)
		return nil
	}
}

func closeAll(conns *[]net.Conn) {
	for _, c := range *conns {
		c.Close()
	}
	*conns = (*conns)[:0]
}

// dialer fills the backlog of a listener.
type dialer struct {
	to               unix.SockaddrInet4
	dialed, accepted []int // fds of either end
}

func newDialer(r *rig, addr net.Addr) *dialer {
	tcp := addr.(*net.TCPAddr)
	d := &dialer{to: unix.SockaddrInet4{Port: tcp.Port, Addr: tcp.AddrPort().Addr().As4()}}
	r.Cleanup(d.drop)
	return d
}

// fill drops the connections of the last time and makes acceptBatch new ones.
func (d *dialer) fill() error {
	d.drop()
	for range acceptBatch {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		d.dialed = append(d.dialed, fd)
		// Closing resets the connection. A normal end would leave a port in TIME_WAIT for each, and
		// there are not enough of them.
		if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		if err := unix.Connect(fd, &d.to); err != nil {
			return os.NewSyscallError("connect", err)
		}
	}
	return nil
}

// drop closes the connections, the dialing end first.
func (d *dialer) drop() {
	for _, fds := range []*[]int{&d.dialed, &d.accepted} {
		for _, fd := range *fds {
			_ = unix.Close(fd) // nothing depends on it
		}
		*fds = (*fds)[:0]
	}
}
