//go:build unix

package conformance

import (
	"encoding/binary"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// command is an OpUringCmd with any number.
func command(fd int, cmd uint32) api.Op {
	op := api.SocketInQ(fd, 1)
	op.Arg = cmd
	return op
}

var optionCases = []Case{
	{
		ID: "SOC-11", Name: "set and read",
		Explanation: "Setsockopt sets an option at any level and completes with 0, Getsockopt reads it and completes with its length.",
		Ops:         optionOps,
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			// Twice: what the engine knows of the fd differs.
			for i := range 2 {
				for _, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_NODELAY}} {
					on := 1 - i
					t.Want(api.Setsockopt(a, o[0], o[1], cint(on), 1), 0)
					if v := t.option(a, o[0], o[1]); (v != 0) != (on != 0) {
						t.Errorf("level %d, option %d: set to %d, is %d", o[0], o[1], on, v)
					}
					buf := make([]byte, 4)
					t.Want(api.Getsockopt(a, o[0], o[1], buf, 2), 4)
					if v := binary.NativeEndian.Uint32(buf); (v != 0) != (on != 0) {
						t.Errorf("level %d, option %d: set to %d, read %d", o[0], o[1], on, v)
					}
				}
			}
		},
	},
	{
		ID: "SOC-11", Name: "on other kinds of sockets",
		Explanation: "Options of datagram, Unix and listening sockets can be set and read.",
		Ops:         optionOps,
		Fn: func(t *T) {
			udp, _ := t.UDPBound()
			u, _ := t.Pair(false)
			l, _ := t.Listener()
			for _, fd := range []int{udp, u, l} {
				for range 2 {
					buf := make([]byte, 4)
					t.Want(api.Setsockopt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, cint(20000), 1), 0)
					t.Want(api.Getsockopt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buf, 2), 4)
					if v := binary.NativeEndian.Uint32(buf); v < 20000 {
						t.Errorf("SO_RCVBUF is %d", v)
					}
				}
			}
		},
	},
	{
		ID: "SOC-12", Name: "short buffers",
		Explanation: "Getsockopt fills no more than its buffer; a value that is too short is EINVAL.",
		Ops:         optionOps,
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			for range 2 {
				t.Want(api.Getsockopt(a, unix.SOL_SOCKET, unix.SO_TYPE, nil, 1), 0)
				t.WantErr(api.Setsockopt(a, unix.SOL_SOCKET, unix.SO_KEEPALIVE, nil, 2), unix.EINVAL)
				t.WantErr(api.Setsockopt(a, unix.IPPROTO_TCP, unix.TCP_NODELAY, []byte{1}, 3), unix.EINVAL)
				buf := []byte{9, 9, 9, 9, 9, 9, 9, 9}
				t.Want(api.Getsockopt(a, unix.SOL_SOCKET, unix.SO_TYPE, buf, 4), 4)
				if string(buf[4:]) != "\x09\x09\x09\x09" {
					t.Errorf("more has been written than the option has: %v", buf)
				}
			}
		},
	},
	{
		ID: "SOC-13", Name: "no such option or no socket",
		Explanation: "An option or level that does not exist is ENOPROTOOPT, an unknown command EOPNOTSUPP, and all of them on another file ENOTSOCK.",
		Ops:         optionOps,
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			buf := make([]byte, 4)
			r, w := t.Pipe(false)
			for range 2 {
				t.WantErr(api.Getsockopt(a, unix.SOL_SOCKET, 9999, buf, 1), unix.ENOPROTOOPT)
				t.WantErr(api.Setsockopt(a, unix.SOL_SOCKET, 9999, buf, 2), unix.ENOPROTOOPT)
				t.WantErr(api.Getsockopt(a, unix.IPPROTO_TCP, 9999, buf, 3), unix.ENOPROTOOPT)
				t.WantErr(api.Setsockopt(a, 9999, 1, buf, 4), unix.ENOPROTOOPT)
				t.WantErr(command(a, 77), unix.EOPNOTSUPP)
				for _, fd := range []int{t.File("x"), r, w, t.OpenFile("/dev/null", unix.O_RDWR)} {
					t.WantErr(api.Getsockopt(fd, unix.SOL_SOCKET, unix.SO_TYPE, buf, 5), unix.ENOTSOCK)
					t.WantErr(api.Setsockopt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, buf, 6), unix.ENOTSOCK)
					t.WantErr(api.SocketInQ(fd, 7), unix.ENOTSOCK)
					t.WantErr(api.SocketOutQ(fd, 8), unix.ENOTSOCK)
					t.WantErr(command(fd, 77), unix.ENOTSOCK)
				}
			}
		},
	},
	{
		ID: "SOC-14", Name: "queues of a stream",
		Explanation: "SocketInQ tells how many bytes wait to be received, SocketOutQ how many the peer has not taken.",
		Ops:         optionOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				for range 2 {
					t.Want(api.SocketInQ(a, 1), 0)
					t.Want(api.SocketOutQ(a, 2), 0)
				}
				t.Put(b, "hello")
				t.ready(a, unix.POLLIN)
				t.Want(api.SocketInQ(a, 3), 5)
				t.WantGet(a, "hello")
				t.Want(api.SocketInQ(a, 4), 0)
				t.SmallBuffers(a, b)
				t.Fill(a)
				if c := t.Do(api.SocketOutQ(a, 5)); c.Res <= 0 {
					t.Errorf("a full socket has %s bytes to be taken", show(&c))
				}
			})
		},
	},
	{
		ID: "SOC-14", Name: "queue of a datagram socket",
		Explanation: "SocketInQ of a datagram socket tells the size of the next datagram.",
		Ops:         optionOps,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				a, b := pair()
				t.Put(a, "three")
				t.Put(a, "four")
				t.ready(b, unix.POLLIN)
				for range 2 {
					t.Want(api.SocketInQ(b, 1), 5)
				}
			}
		},
	},
	{
		ID: "SOC-14", Name: "queue of a listener",
		Explanation: "A socket that listens has no bytes to be received: EINVAL.",
		Ops:         optionOps,
		Fn: func(t *T) {
			l, _ := t.Listener()
			u, _ := t.unixListener(1)
			for range 2 {
				t.WantErr(api.SocketInQ(l, 1), unix.EINVAL)
				t.WantErr(api.SocketInQ(u, 2), unix.EINVAL)
			}
		},
	},
}
