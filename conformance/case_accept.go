//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var acceptOps = api.Ops(api.OpAccept)

// talks checks that two fds are the ends of one connection.
func (t *T) talks(a, b int) {
	t.tb.Helper()
	t.Put(a, "ping")
	t.WantGet(b, "ping")
	t.Put(b, "pong")
	t.WantGet(a, "pong")
}

// accepted checks that c is a new connection and gives its fd.
func (t *T) accepted(c *api.Completion, more bool) int {
	t.tb.Helper()
	if c.Res < 0 || c.More() != more {
		t.Fatalf("got %s, want a connection, More: %v", show(c), more)
	}
	return int(c.Res)
}

var acceptCases = []Case{
	{
		ID: "ACC-1", Name: "before and after the connection",
		Explanation: "Accept takes one connection off the backlog, or waits for one; its result is the new fd.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				l, addr := t.Listener()
				t.nonblock(nonblock, l)
				t.Submit(api.Accept(l, 1))
				t.StillPending(1)
				fd := t.Dial(addr)
				c := t.Await(1)
				t.talks(fd, t.accepted(&c, false))
				fd = t.Dial(addr)
				c = t.Do(api.Accept(l, 2))
				t.talks(fd, t.accepted(&c, false))
				t.Submit(api.Accept(l, 3))
				t.StillPending(3)
			}
		},
	},
	{
		ID: "ACC-2", Name: "close on exec and blocking",
		Explanation: "The accepted fd is close-on-exec, and blocking even where the listener is not.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				l, addr := t.Listener()
				t.nonblock(nonblock, l)
				t.Dial(addr)
				c := t.Do(api.Accept(l, 1))
				t.wantNewFD(t.accepted(&c, false))
			}
		},
	},
	{
		ID: "ACC-2", Name: "close on exec and blocking of a multishot",
		Explanation: "The fds of a multishot accept are close-on-exec, and blocking even where the listener is not.",
		Requires:    api.FeatMultishotAccept,
		Ops:         acceptOps,
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.nonblock(true, l)
			t.Submit(api.AcceptMultishot(l, 1))
			for range 3 {
				t.Dial(addr)
				c := t.Await(1)
				t.wantNewFD(t.accepted(&c, true))
			}
		},
	},
	{
		ID: "ACC-3", Name: "address of the peer",
		Explanation: "Accept with a Msg sets Addr to the peer's address.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			l, addr := t.Listener()
			for _, first := range []bool{true, false} {
				m := &api.Msg{Addr: api.UnixAddr("left over")}
				op := api.Accept(l, 1)
				op.Msg = m
				var fd int
				if first {
					fd = t.Dial(addr)
					t.Submit(op)
				} else {
					t.Submit(op)
					t.StillPending(1)
					fd = t.Dial(addr)
				}
				c := t.Await(1)
				t.accepted(&c, false)
				if want := api.IPAddr(t.LocalAddr(fd)); m.Addr != want {
					t.Errorf("the address is %v, want %v", m.Addr, want)
				}
			}
		},
	},
	{
		ID: "ACC-3", Name: "address of an IPv6 peer",
		Explanation: "Accept with a Msg sets Addr to the peer's address, IPv6 too.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			l, addr := t.listener6()
			fd := t.Dial(addr)
			op := api.Accept(l, 1)
			op.Msg = new(api.Msg)
			c := t.Do(op)
			t.accepted(&c, false)
			if want := api.IPAddr(t.LocalAddr(fd)); op.Msg.Addr != want {
				t.Errorf("the address is %v, want %v", op.Msg.Addr, want)
			}
		},
	},
	{
		ID: "ACC-3", Name: "address of a unix peer",
		Explanation: "Accept with a Msg sets Addr to the peer's path, or to the zero Addr when it has none.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			l, path := t.unixListener(8)
			nameless := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			t.must("connect", unix.Connect(nameless, &unix.SockaddrUnix{Name: path}))
			named := t.Socket(unix.AF_UNIX, unix.SOCK_STREAM)
			name := path + ".peer"
			t.must("bind", unix.Bind(named, &unix.SockaddrUnix{Name: name}))
			t.must("connect", unix.Connect(named, &unix.SockaddrUnix{Name: path}))
			for _, want := range []api.Addr{{}, api.UnixAddr(name)} {
				op := api.Accept(l, 1)
				op.Msg = &api.Msg{Addr: api.UnixAddr("left over")}
				c := t.Do(op)
				t.accepted(&c, false)
				if op.Msg.Addr != want {
					t.Errorf("the address is %v, want %v", op.Msg.Addr, want)
				}
			}
		},
	},
	{
		ID: "ACC-4", Name: "multishot with 32 connections",
		Explanation: "A multishot accept gives one completion with More per connection, each with an fd of its own.",
		Requires:    api.FeatMultishotAccept,
		Ops:         acceptOps,
		Fn: func(t *T) {
			l, addr := t.Listener()
			for range 8 {
				t.Dial(addr) // these wait in the backlog
			}
			t.Submit(api.AcceptMultishot(l, 1))
			seen := map[int]bool{}
			take := func() {
				c := t.Await(1)
				fd := t.accepted(&c, true)
				if seen[fd] {
					t.Fatalf("the fd %d came twice", fd)
				}
				seen[fd] = true
			}
			for range 8 {
				take()
			}
			for range 4 {
				for range 6 {
					t.Dial(addr)
				}
				for range 6 {
					take()
				}
			}
			t.Quiet()
		},
	},
	{
		ID: "ACC-5", Name: "cancelled",
		Explanation: "A cancelled accept ends with ErrCanceled and takes no connection along.",
		Ops:         api.Ops(api.OpAccept, api.OpCancel),
		Fn: func(t *T) {
			l, addr := t.Listener()
			id := t.Submit(api.Accept(l, 1))[0]
			t.StillPending(1)
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
			fd := t.Dial(addr)
			t.Quiet()
			c := t.Do(api.Accept(l, 3))
			t.talks(fd, t.accepted(&c, false))
		},
	},
	{
		ID: "ACC-5", Name: "multishot cancelled",
		Explanation: "A cancelled multishot accept ends with ErrCanceled without More, and leaves later connections in the backlog.",
		Requires:    api.FeatMultishotAccept,
		Ops:         api.Ops(api.OpAccept, api.OpCancel),
		Fn: func(t *T) {
			l, addr := t.Listener()
			id := t.Submit(api.AcceptMultishot(l, 1))[0]
			t.Perform()
			t.Dial(addr)
			c := t.Await(1)
			t.accepted(&c, true)
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
			fd := t.Dial(addr)
			t.Quiet()
			c = t.Do(api.Accept(l, 3))
			t.talks(fd, t.accepted(&c, false))
		},
	},
	{
		ID: "ACC-6", Name: "cancel races with a connection",
		Explanation: "When a cancel races with a connection, the accept either delivers its fd or leaves the connection in the backlog: none leaks.",
		Ops:         api.Ops(api.OpAccept, api.OpCancel),
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.nonblock(true, l)
			for i := range 60 {
				id := t.Submit(api.Accept(l, 1))[0]
				if i%2 == 0 {
					t.Perform()
				}
				fd := t.Dial(addr)
				t.Submit(api.Cancel(id, 2))
				c, answer := t.Await(1), t.Await(2)
				if (answer.Res == 0) != (int(c.Res) == ecanceled) {
					t.Fatalf("the accept gave %s, the cancel %s", show(&c), show(&answer))
				}
				if c.Res >= 0 {
					t.CloseNow(int(c.Res))
				} else {
					t.CloseNow(t.AcceptNow(l)) // fails if the connection is not there
				}
				t.CloseNow(fd)
			}
		},
	},
	{
		ID: "ACC-7", Name: "sockets that do not listen",
		Explanation: "Accept on a socket that does not listen, or that has been shut down, is EINVAL; on another file ENOTSOCK.",
		Ops:         acceptOps,
		Fn: func(t *T) {
			t.WantErr(api.Accept(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 1), unix.EINVAL)
			l, _ := t.Listener()
			t.must("shutdown", unix.Shutdown(l, unix.SHUT_RDWR))
			t.WantErr(api.Accept(l, 2), unix.EINVAL)
			t.WantErr(api.Accept(t.File("x"), 3), unix.ENOTSOCK)
			r, _ := t.Pipe(false)
			t.WantErr(api.Accept(r, 4), unix.ENOTSOCK)
		},
	},
	{
		ID: "ACC-7", Name: "multishot on sockets that do not listen",
		Explanation: "A multishot accept that fails ends with the errno and without More.",
		Requires:    api.FeatMultishotAccept,
		Ops:         acceptOps,
		Fn: func(t *T) {
			t.WantErr(api.AcceptMultishot(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 1), unix.EINVAL)
			t.WantErr(api.AcceptMultishot(t.File("x"), 2), unix.ENOTSOCK)
		},
	},
	{
		ID: "ACC-8", Name: "listener is shut down",
		Explanation: "Shutting a listener down ends the accepts that wait on it with EINVAL.",
		Requires:    api.FeatMultishotAccept,
		Ops:         acceptOps,
		Fn: func(t *T) {
			l, _ := t.Listener()
			l2, _ := t.Listener()
			t.Submit(api.Accept(l, 1), api.AcceptMultishot(l2, 2))
			t.StillPending(1, 2)
			t.must("shutdown", unix.Shutdown(l, unix.SHUT_RDWR))
			t.must("shutdown", unix.Shutdown(l2, unix.SHUT_RDWR))
			t.AwaitRes(1, neg(unix.EINVAL))
			t.AwaitRes(2, neg(unix.EINVAL))
		},
	},
	{
		ID: "ACC-9", Name: "out of file descriptors",
		Explanation: "An accept that gets no fd ends with EMFILE; the connection stays in the backlog, and a new accept gets it.",
		Requires:    api.FeatMultishotAccept,
		Ops:         acceptOps,
		Fn: func(t *T) {
			for _, multishot := range []bool{false, true} {
				l, addr := t.Listener()
				op := api.Accept(l, 1)
				if multishot {
					op = api.AcceptMultishot(l, 1)
				}
				t.Perform() // what the engine opens at its first turn is open by now
				fd := t.Dial(addr)
				t.withoutFDs(func() { t.WantErr(op, unix.EMFILE) })
				op.Tag = 2
				c := t.Do(op)
				t.talks(fd, t.accepted(&c, multishot))
			}
		},
	},
	{
		ID: "ACC-10", Name: "without waiting",
		Explanation: "Accept with DontWait is EAGAIN when the backlog is empty, and takes a connection when it is not.",
		Requires:    api.FeatDontWait,
		Ops:         acceptOps,
		Fn: func(t *T) {
			for _, nonblock := range []bool{false, true} {
				l, addr := t.Listener()
				t.nonblock(nonblock, l)
				t.WantErr(api.Accept(l, 1).With(api.DontWait), unix.EAGAIN)
				fd := t.Dial(addr)
				c := t.Do(api.Accept(l, 2).With(api.DontWait))
				t.talks(fd, t.accepted(&c, false))
			}
		},
	},
}

// wantNewFD checks the flags of an accepted fd.
func (t *T) wantNewFD(fd int) {
	t.tb.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	t.must("fcntl", err)
	if flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the accepted fd would be inherited by exec")
	}
	if t.Flags(fd)&unix.O_NONBLOCK != 0 {
		t.Errorf("the accepted fd is O_NONBLOCK, which nobody asked for")
	}
}

// withoutFDs runs f while the process can open no more files.
func (t *T) withoutFDs(f func()) {
	next, err := unix.Dup(0)
	t.must("dup", err)
	t.must("close", unix.Close(next))
	var was unix.Rlimit
	t.must("getrlimit", unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	low := was
	setNumber(&low.Cur, next)
	t.must("setrlimit", unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	defer func() { t.must("setrlimit", unix.Setrlimit(unix.RLIMIT_NOFILE, &was)) }()
	f()
}

// setNumber assigns to a field whose type differs by system.
func setNumber[N int64 | uint64](p *N, n int) { *p = N(n) }
