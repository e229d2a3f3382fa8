//go:build unix

package conformance

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var connectOps = api.Ops(api.OpConnect)

func ipMsg(addr netip.AddrPort) *api.Msg { return &api.Msg{Addr: api.IPAddr(addr)} }

func pathMsg(path string) *api.Msg { return &api.Msg{Addr: api.UnixAddr(path)} }

// listener6 is a TCP listener on the IPv6 loopback address.
func (t *T) listener6() (fd int, addr netip.AddrPort) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	t.Own(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}); err != nil {
		t.Skipf("this machine has no IPv6 loopback address: %v", err)
	}
	t.must("listen", unix.Listen(fd, 8))
	return fd, t.LocalAddr(fd)
}

// socketPath is a path for a Unix socket, short enough for one.
func (t *T) socketPath() string {
	dir := t.TempDir()
	if len(dir) > 80 { // it has the name of the case in it, and an address has 108 bytes at most
		short, err := os.MkdirTemp("", "sluice")
		t.must("make a directory", err)
		t.Cleanup(func() { os.RemoveAll(short) })
		dir = short
	}
	path := filepath.Join(dir, strconv.FormatInt(int64(api.Now()), 36))
	if len(path) > 100 {
		t.Skipf("the directory for temporary files has too long a path for a Unix socket: %s", path)
	}
	return path
}

// unixListener is a Unix listener bound to a path.
func (t *T) unixListener(backlog int) (fd int, path string) {
	path = t.socketPath()
	fd = t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
	t.must("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	t.must("listen", unix.Listen(fd, backlog))
	return fd, path
}

// refusedPort is an address that nothing listens on.
func (t *T) refusedPort() netip.AddrPort {
	l, addr := t.Listener()
	t.CloseNow(l)
	return addr
}

var connectCases = []Case{
	{
		ID: "CON-1", Name: "TCP",
		Explanation: "Connect completes with 0 when the connection stands, on a blocking socket and on a non-blocking one.",
		Ops:         connectOps,
		Fn: func(t *T) {
			l, addr := t.Listener()
			for _, nonblock := range []bool{false, true} {
				fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
				t.nonblock(nonblock, fd)
				t.Want(api.Connect(fd, ipMsg(addr), 1), 0)
				t.nonblock(false, fd)
				t.talks(fd, t.AcceptNow(l))
			}
		},
	},
	{
		ID: "CON-1", Name: "TCP over IPv6",
		Explanation: "Connect takes an IPv6 address.",
		Ops:         connectOps,
		Fn: func(t *T) {
			l, addr := t.listener6()
			fd := t.Socket(unix.AF_INET6, unix.SOCK_STREAM)
			t.Want(api.Connect(fd, ipMsg(addr), 1), 0)
			t.talks(fd, t.AcceptNow(l))
		},
	},
	{
		ID: "CON-1", Name: "unix path",
		Explanation: "Connect takes the path of a Unix socket.",
		Ops:         connectOps,
		Fn: func(t *T) {
			l, path := t.unixListener(8)
			for _, nonblock := range []bool{false, true} {
				fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
				t.nonblock(nonblock, fd)
				t.Want(api.Connect(fd, pathMsg(path), 1), 0)
				t.nonblock(false, fd)
				t.talks(fd, t.AcceptNow(l))
			}
		},
	},
	{
		ID: "CON-2", Name: "refused",
		Explanation: "Connect to a port that nobody listens on is ECONNREFUSED.",
		Ops:         connectOps,
		Fn: func(t *T) {
			addr := t.refusedPort()
			for _, nonblock := range []bool{false, true} {
				fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
				t.nonblock(nonblock, fd)
				t.WantErr(api.Connect(fd, ipMsg(addr), 1), unix.ECONNREFUSED)
			}
		},
	},
	{
		ID: "CON-2", Name: "refused by a unix socket that does not listen",
		Explanation: "Connect to a Unix socket that does not listen is ECONNREFUSED, and to a path that does not exist ENOENT.",
		Ops:         connectOps,
		Fn: func(t *T) {
			l, path := t.unixListener(1)
			t.CloseNow(l) // the file stays
			fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			t.WantErr(api.Connect(fd, pathMsg(path), 1), unix.ECONNREFUSED)
			t.WantErr(api.Connect(fd, pathMsg(path+".none"), 2), unix.ENOENT)
		},
	},
	{
		ID: "CON-3", Name: "twice",
		Explanation: "Connect of a socket that is connected is EISCONN.",
		Ops:         connectOps,
		Fn: func(t *T) {
			_, addr := t.Listener()
			fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			t.Want(api.Connect(fd, ipMsg(addr), 1), 0)
			t.WantErr(api.Connect(fd, ipMsg(addr), 2), unix.EISCONN)
			a, _ := t.TCP(true)
			t.WantErr(api.Connect(a, ipMsg(addr), 3), unix.EISCONN)
		},
	},
	{
		ID: "CON-4", Name: "full backlog of a unix socket",
		Explanation: "Connect to a Unix socket whose backlog is full waits until there is room, also on a non-blocking socket.",
		Ops:         api.Ops(api.OpConnect),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				l, path := t.unixListener(0)
				t.fillBacklog(path)
				fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
				t.nonblock(nonblock, fd)
				t.Submit(api.Connect(fd, pathMsg(path), 1))
				t.StillPending(1)
				t.AcceptNow(l)
				t.AwaitRes(1, 0)
				t.CloseNow(l)
			}
		},
	},
	{
		ID: "CON-5", Name: "cancelled",
		Explanation: "A connect that waits can be cancelled: it ends with ErrCanceled, and the socket can be closed.",
		Ops:         api.Ops(api.OpConnect, api.OpCancel, api.OpClose),
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				_, path := t.unixListener(0)
				t.fillBacklog(path)
				fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
				t.nonblock(nonblock, fd)
				id := t.Submit(api.Connect(fd, pathMsg(path), 1))[0]
				t.StillPending(1)
				t.Want(api.Cancel(id, 2), 0)
				t.AwaitRes(1, ecanceled)
				t.Want(api.Close(fd, 3), 0)
			}
		},
	},
	{
		ID: "CON-6", Name: "datagram socket",
		Explanation: "Connect of a datagram socket sets its peer.",
		Ops:         api.Ops(api.OpConnect, api.OpSend),
		Fn: func(t *T) {
			b, addr := t.UDPBound()
			a := t.Socket(unix.AF_INET, unix.SOCK_DGRAM)
			t.Want(api.Connect(a, ipMsg(addr), 1), 0)
			t.Want(api.Send(a, []byte("hello"), 2), 5)
			t.WantGet(b, "hello")
		},
	},
	{
		ID: "CON-7", Name: "no socket or no address",
		Explanation: "Connect of a file that is no socket is ENOTSOCK; without an address EINVAL; with an address of another family an error and no connection.",
		Ops:         connectOps,
		Fn: func(t *T) {
			_, addr := t.Listener()
			t.WantErr(api.Connect(t.File("x"), ipMsg(addr), 1), unix.ENOTSOCK)
			t.WantErr(api.Connect(t.Socket(unix.AF_INET, unix.SOCK_STREAM), &api.Msg{}, 2), unix.EINVAL)
			c := t.Do(api.Connect(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), ipMsg(addr), 3))
			if c.Res >= 0 {
				t.Errorf("a Unix socket connected to an IP address gave %s", show(&c))
			}
		},
	},
	{
		ID: "CON-8", Name: "send in the same batch",
		Explanation: "A send that was submitted behind a connect of the same socket waits for the connection.",
		Requires:    api.FeatOrdered,
		Ops:         api.Ops(api.OpConnect, api.OpSend),
		Fn: func(t *T) {
			l, addr := t.Listener()
			for _, nonblock := range []bool{false, true} {
				fd := t.Socket(unix.AF_INET, unix.SOCK_STREAM)
				t.nonblock(nonblock, fd)
				t.Submit(api.Connect(fd, ipMsg(addr), 1), api.Send(fd, []byte("first"), 2))
				t.AwaitRes(1, 0)
				t.AwaitRes(2, 5)
				t.WantGet(t.AcceptNow(l), "first")
			}
		},
	},
}

// fillBacklog connects to a Unix listener until it takes no more.
func (t *T) fillBacklog(path string) {
	for range 64 {
		fd := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
		t.nonblock(true, fd)
		err := unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		if err == unix.EAGAIN {
			return
		}
		t.must("connect", err)
	}
	t.Skipf("the backlog of a Unix socket has no bound here")
}
