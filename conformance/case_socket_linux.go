package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// socketLinuxCases are those of socketCases and optionCases that need Linux.
var socketLinuxCases = []Case{
	{
		ID: "SOC-2", Name: "non-blocking when asked for",
		Explanation: "The new fd is non-blocking if and only if the type has SOCK_NONBLOCK, and close-on-exec either way.",
		Ops:         socketOps,
		Fn: func(t *T) {
			t.wantNewFD(t.made(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
			fd := t.made(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
			if t.Flags(fd)&unix.O_NONBLOCK == 0 {
				t.Errorf("the socket is blocking")
			}
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			t.must("fcntl", err)
			if flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("the socket would be inherited by exec")
			}
		},
	},
	{
		ID: "SOC-3", Name: "types that there are not",
		Explanation: "Socket of a type that the domain does not have is ESOCKTNOSUPPORT, of one that does not exist or with flags that do not EINVAL.",
		Ops:         socketOps,
		Fn: func(t *T) {
			t.WantErr(api.Socket(unix.AF_INET, 0, 0, 1), unix.ESOCKTNOSUPPORT)
			t.WantErr(api.Socket(unix.AF_UNIX, unix.SOCK_RDM, 0, 2), unix.ESOCKTNOSUPPORT)
			t.WantErr(api.Socket(unix.AF_INET, 77, 0, 3), unix.EINVAL)
			t.WantErr(api.Socket(unix.AF_INET, -1, 0, 4), unix.EINVAL)
			t.WantErr(api.Socket(unix.AF_INET, unix.SOCK_STREAM|1<<20, 0, 5), unix.EINVAL)
		},
	},
	{
		ID: "SOC-4", Name: "number of one of another kind",
		Explanation: "A new socket with the number of another that was closed behind the engine's back is taken for what it is.",
		Ops:         socketOps | msgOps | connectOps,
		Fn: func(t *T) {
			l, path := t.unixListener(4)
			n, peer := t.UDP()
			in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(unix.SizeofUcred))}
			t.Submit(api.RecvMsg(n, in, 2))
			t.StillPending(2)
			t.Put(peer, "x")
			t.AwaitRes(2, 1)
			t.CloseNow(n)
			fd := t.made(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if fd != n {
				t.Skipf("the new socket got the number %d, not %d again", fd, n)
			}
			t.set(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
			t.Want(api.Connect(fd, pathMsg(path), 3), 0)
			b := t.AcceptNow(l)
			t.Submit(api.RecvMsg(fd, in, 4))
			t.StillPending(4)
			t.Put(b, "y")
			t.AwaitRes(4, 1)
			t.cmsg(in, unix.SOL_SOCKET, unix.SCM_CREDENTIALS)
		},
	},
	{
		ID: "SOC-6", Name: "in one batch, read at another level",
		Explanation: "What is read of a socket behind a bind and a listen of the same batch is what they have left.",
		Ops:         listenOps | optionOps,
		Fn: func(t *T) {
			const listening = 10 // TCP_LISTEN of linux/tcp_states.h
			for range 2 {
				l := t.made(unix.AF_INET, unix.SOCK_STREAM, 0)
				state := make([]byte, 1)
				t.Submit(api.Bind(l, ipMsg(loopback(0)), 2), api.Listen(l, 16, 3), api.Getsockopt(l, unix.IPPROTO_TCP, unix.TCP_INFO, state, 4))
				t.AwaitRes(2, 0)
				t.AwaitRes(3, 0)
				t.AwaitRes(4, 1)
				if state[0] != listening {
					t.Errorf("the state was %d when it was read", state[0])
				}
			}
		},
	},
	{
		ID: "SOC-7", Name: "abstract name",
		Explanation: "Bind takes a name in the abstract namespace, which is free again when the socket is closed; one that is taken is EADDRINUSE.",
		Ops:         bindOps,
		Fn: func(t *T) {
			name := abstract()
			for range 2 {
				fd := t.made(unix.AF_UNIX, unix.SOCK_STREAM, 0)
				t.Want(api.Bind(fd, pathMsg(name), 2), 0)
				sa, err := unix.Getsockname(fd)
				t.must("getsockname", err)
				if u, ok := sa.(*unix.SockaddrUnix); !ok || u.Name != name {
					t.Errorf("the name is %v, want %s", sa, name)
				}
				t.WantErr(api.Bind(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), pathMsg(name), 3), unix.EADDRINUSE)
				t.CloseNow(fd)
			}
			long := name + pattern(108-len(name))
			t.Want(api.Bind(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), pathMsg(long), 4), 0)
			t.WantErr(api.Bind(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), pathMsg(long+"x"), 5), unix.EINVAL)
		},
	},
	{
		ID: "SOC-7", Name: "IPv4 on an IPv6 socket",
		Explanation: "An IPv4 address on an IPv6 socket becomes an IPv4-mapped one.",
		Ops:         bindOps,
		Fn: func(t *T) {
			l, _ := t.listener6() // or there is no IPv6
			t.CloseNow(l)
			fd := t.made(unix.AF_INET6, unix.SOCK_STREAM, 0)
			t.Want(api.Bind(fd, ipMsg(loopback(0)), 2), 0)
			if got := t.LocalAddr(fd).Addr(); !got.Is4In6() || got.Unmap() != loopback(0).Addr() {
				t.Errorf("the address is %v", got)
			}
		},
	},
	{
		ID: "SOC-12", Name: "option of any size",
		Explanation: "An option that is larger than an int is read whole, or as much of it as there is room for.",
		Ops:         optionOps,
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			for range 2 {
				buf := make([]byte, 1024)
				c := t.Do(api.Getsockopt(a, unix.IPPROTO_TCP, unix.TCP_INFO, buf, 1))
				if c.Res < unix.SizeofTCPInfo/2 || buf[0] != 1 { // ESTABLISHED
					t.Errorf("TCP_INFO gave %s, the state is %d", show(&c), buf[0])
				}
				t.Want(api.Getsockopt(a, unix.IPPROTO_TCP, unix.TCP_INFO, buf[:8], 2), 8)
				t.Want(api.Setsockopt(a, unix.SOL_SOCKET, unix.SO_LINGER, append(cint(1), cint(7)...), 3), 0)
				t.Want(api.Getsockopt(a, unix.SOL_SOCKET, unix.SO_LINGER, buf, 4), 8)
				t.WantBytes(buf[:8], string(append(cint(1), cint(7)...)))
			}
		},
	},
}
