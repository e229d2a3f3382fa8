package conformance

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var waitidOps = api.Ops(api.OpWaitid)

// child is a process that ends when its input does, with the status 3.
type child struct {
	t   *T
	pid int
	in  int // the end of the pipe that it reads from
}

// child starts a process, in a process group of its own. It is gone at the end of the case.
func (t *T) child() *child {
	var p [2]int
	t.must("pipe2", unix.Pipe2(p[:], unix.O_CLOEXEC))
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	t.must("open", err)
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "read x; exit 3"}, &syscall.ProcAttr{
		Files: []uintptr{uintptr(p[0]), uintptr(null), uintptr(null)},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	_ = unix.Close(p[0]) // of these, nothing can be lost
	_ = unix.Close(null)
	t.Own(p[1])
	t.must("starting a child", err)
	c := &child{t: t, pid: pid, in: p[1]}
	t.Cleanup(func() {
		// It is ours still if it can be waited for, and only then is the number its own.
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err == nil {
			c.signal(unix.SIGKILL)
			c.reap()
		}
	})
	return c
}

// end lets it exit.
func (c *child) end() { c.t.CloseNow(c.in) }

func (c *child) signal(sig unix.Signal) { _ = unix.Kill(c.pid, sig) } // ESRCH is impossible: it has not been waited for

// reap waits for it without the engine, and says whether it was there.
func (c *child) reap() bool {
	for {
		_, err := unix.Wait4(c.pid, nil, 0, nil)
		if err == nil || err == unix.ECHILD {
			return err == nil
		}
		if err != unix.EINTR {
			c.t.Errorf("wait4: %v", err)
			return false
		}
	}
}

// there fails the case unless the child can be waited for still.
func (c *child) there(want bool) {
	c.t.tb.Helper()
	err := unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if there := err == nil; there != want {
		c.t.Errorf("the child can be waited for: %v (%v), want %v", there, err, want)
	}
}

func (c *child) pidfd(flags int) int {
	fd, err := unix.PidfdOpen(c.pid, flags)
	c.t.must("pidfd_open", err)
	return c.t.Own(fd)
}

// dirty is a ChildInfo that no answer leaves as it is.
func dirty() *api.ChildInfo {
	return &api.ChildInfo{PID: -7, UID: 7, Signo: -7, Status: -7, Code: -7}
}

// is fails the case unless info tells that c has come to code and status.
func (c *child) is(info *api.ChildInfo, code, status int) {
	c.t.tb.Helper()
	want := api.ChildInfo{PID: int32(c.pid), UID: uint32(os.Getuid()), Signo: int32(unix.SIGCHLD), Status: int32(status), Code: int32(code)}
	if *info != want {
		c.t.Errorf("got %+v, want %+v", *info, want)
	}
}

// The codes of linux's asm-generic/siginfo.h.
const (
	cldExited    = 1
	cldKilled    = 2
	cldStopped   = 5
	cldContinued = 6
)

// waits are the ways to wait for c.
func (c *child) ways() map[uint32]int {
	return map[uint32]int{api.WaitPID: c.pid, api.WaitGroup: c.pid, api.WaitPIDFD: c.pidfd(0)}
}

var childCases = []Case{
	{
		ID: "CHD-1", Name: "exited before",
		Explanation: "A waitid of a child that has exited completes with 0, tells which and how, and takes it away.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			for kind := uint32(api.WaitPID); kind <= api.WaitPIDFD; kind++ {
				c := t.child()
				id := c.ways()[kind]
				c.end()
				t.must("waitid", waitNoReap(c.pid))
				info := dirty()
				t.Want(api.Waitid(kind, id, info, unix.WEXITED, 1), 0)
				c.is(info, cldExited, 3)
				c.there(false)
			}
		},
	},
	{
		ID: "CHD-1", Name: "any child",
		Explanation: "With WaitAnyChild a waitid tells of any child.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			c := t.child()
			info := dirty()
			t.Submit(api.Waitid(api.WaitAnyChild, 0, info, unix.WEXITED|unix.WNOWAIT, 1))
			t.StillPending(1)
			c.end()
			t.AwaitRes(1, 0)
			c.is(info, cldExited, 3)
			c.there(true)
		},
	},
	{
		ID: "CHD-2", Name: "exits later",
		Explanation: "A waitid waits until the child has exited.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			for kind := uint32(api.WaitPID); kind <= api.WaitPIDFD; kind++ {
				c := t.child()
				info := dirty()
				t.Submit(api.Waitid(kind, c.ways()[kind], info, unix.WEXITED, 1))
				t.StillPending(1)
				c.end()
				t.AwaitRes(1, 0)
				c.is(info, cldExited, 3)
				c.there(false)
			}
		},
	},
	{
		ID: "CHD-2", Name: "killed",
		Explanation: "Of a child that was killed, waitid tells the signal.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			for kind := uint32(api.WaitPID); kind <= api.WaitPIDFD; kind++ {
				c := t.child()
				info := dirty()
				t.Submit(api.Waitid(kind, c.ways()[kind], info, unix.WEXITED, 1))
				t.Perform()
				c.signal(unix.SIGKILL)
				t.AwaitRes(1, 0)
				c.is(info, cldKilled, int(unix.SIGKILL))
			}
		},
	},
	{
		ID: "CHD-2", Name: "many at a time",
		Explanation: "Any number of waitids wait at a time, each for its own child.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			const n = 12
			var cs [n]*child
			var infos [n]api.ChildInfo
			for i := range cs {
				cs[i] = t.child()
				t.Submit(api.Waitid(api.WaitPID, cs[i].pid, &infos[i], unix.WEXITED, uint64(i)))
			}
			t.Perform()
			for i := n - 1; i >= 0; i-- {
				cs[i].end()
			}
			for range n {
				c := t.One()
				t.WantRes(&c, 0)
				cs[c.Tag].is(&infos[c.Tag], cldExited, 3)
			}
		},
	},
	{
		ID: "CHD-3", Name: "stopped and continued",
		Explanation: "With WSTOPPED and WCONTINUED a waitid waits until the child has been stopped, or goes on.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			for kind := uint32(api.WaitPID); kind <= api.WaitPIDFD; kind++ {
				c := t.child()
				id := c.ways()[kind]
				info := dirty()
				t.Submit(api.Waitid(kind, id, info, unix.WSTOPPED, 1))
				t.StillPending(1)
				c.signal(unix.SIGSTOP)
				t.AwaitRes(1, 0)
				c.is(info, cldStopped, int(unix.SIGSTOP))
				t.Submit(api.Waitid(kind, id, info, unix.WCONTINUED|unix.WEXITED, 2))
				t.StillPending(2)
				c.signal(unix.SIGCONT)
				t.AwaitRes(2, 0)
				c.is(info, cldContinued, int(unix.SIGCONT))
				t.Submit(api.Waitid(kind, id, info, unix.WSTOPPED|unix.WEXITED, 3))
				c.end()
				t.AwaitRes(3, 0)
				c.is(info, cldExited, 3)
			}
		},
	},
	{
		ID: "CHD-4", Name: "nothing to tell",
		Explanation: "With WNOHANG a waitid that would have to wait completes with 0 and a ChildInfo of zeros.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			c := t.child()
			for kind, id := range c.ways() {
				info := dirty()
				t.Want(api.Waitid(kind, id, info, unix.WEXITED|unix.WNOHANG, 1), 0)
				if *info != (api.ChildInfo{}) {
					t.Errorf("kind %d: nothing has happened, and it tells %+v", kind, *info)
				}
			}
			c.end()
			t.must("waitid", waitNoReap(c.pid))
			info := dirty()
			t.Want(api.Waitid(api.WaitPID, c.pid, info, unix.WEXITED|unix.WNOHANG, 1), 0)
			c.is(info, cldExited, 3)
			c.there(false)
		},
	},
	{
		ID: "CHD-5", Name: "left in place",
		Explanation: "With WNOWAIT the child can be waited for again.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			c := t.child()
			t.Submit(api.Waitid(api.WaitPID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, 1), api.Waitid(api.WaitPID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, 2))
			t.Perform()
			c.end()
			t.AwaitRes(1, 0)
			t.AwaitRes(2, 0)
			c.there(true)
			t.Want(api.Waitid(api.WaitPID, c.pid, nil, unix.WEXITED, 3), 0)
			c.there(false)
		},
	},
	{
		ID: "CHD-6", Name: "no child",
		Explanation: "A waitid for a process that is no child, or none any more, is ECHILD, and leaves the ChildInfo alone.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			c := t.child()
			fd := c.pidfd(0)
			c.end()
			c.reap()
			me, err := unix.PidfdOpen(os.Getpid(), 0)
			t.must("pidfd_open", err)
			t.Own(me)
			for _, w := range []struct {
				kind uint32
				id   int
			}{{api.WaitPID, c.pid}, {api.WaitPIDFD, fd}, {api.WaitPID, os.Getpid()}, {api.WaitPIDFD, me}, {api.WaitPID, 1}, {api.WaitGroup, c.pid}, {api.WaitPID, 1<<31 - 1}} {
				info := dirty()
				t.Want(api.Waitid(w.kind, w.id, info, unix.WEXITED, 1), neg(unix.ECHILD))
				t.Want(api.Waitid(w.kind, w.id, info, unix.WEXITED|unix.WNOHANG, 1), neg(unix.ECHILD))
				if *info != *dirty() {
					t.Errorf("a waitid that has failed tells %+v", *info)
				}
			}
		},
	},
	{
		ID: "CHD-6", Name: "taken by another",
		Explanation: "A child is told of once: who else waits for it gets ECHILD.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			for kind := uint32(api.WaitPID); kind <= api.WaitPIDFD; kind++ {
				c := t.child()
				id := c.ways()[kind]
				t.Submit(api.Waitid(kind, id, nil, unix.WEXITED, 1), api.Waitid(kind, id, nil, unix.WEXITED, 2))
				t.Perform()
				c.end()
				got := 0
				if c.reap() {
					got++
				}
				for range 2 {
					switch c := t.One(); int(c.Res) {
					case 0:
						got++
					case neg(unix.ECHILD):
					default:
						t.Errorf("got %s", show(&c))
					}
				}
				if got != 1 {
					t.Errorf("kind %d: the child was told of %d times", kind, got)
				}
			}
		},
	},
	{
		ID: "CHD-7", Name: "bad input",
		Explanation: "An unknown kind or option, no option of what to wait for, a negative id, and a flag are EINVAL; no pidfd is EBADF; no Args are EFAULT.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			c := t.child()
			fd := c.pidfd(0)
			for _, options := range []uint32{0, unix.WNOHANG, unix.WNOWAIT, 0x100, unix.WEXITED | 0x100, unix.WEXITED | 0x40} {
				t.WantErr(api.Waitid(api.WaitPID, c.pid, nil, options, 1), unix.EINVAL)
				t.WantErr(api.Waitid(api.WaitPIDFD, fd, nil, options, 1), unix.EINVAL)
				t.WantErr(api.Waitid(api.WaitAnyChild, 0, nil, options, 1), unix.EINVAL)
			}
			for _, kind := range []uint32{4, 99, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
				t.WantErr(api.Waitid(kind, c.pid, nil, unix.WEXITED, 1), unix.EINVAL)
			}
			op := api.Waitid(api.WaitPID, c.pid, nil, unix.WEXITED, 1)
			for _, off := range []int64{-1, 1<<32 + api.WaitPID, -1 << 63} {
				op.Off = off
				t.WantErr(op, unix.EINVAL)
			}
			for _, id := range []int{0, -1, -c.pid} {
				t.WantErr(api.Waitid(api.WaitPID, id, nil, unix.WEXITED, 1), unix.EINVAL)
			}
			t.WantErr(api.Waitid(api.WaitGroup, -1, nil, unix.WEXITED, 1), unix.EINVAL)
			t.WantErr(api.Waitid(api.WaitPIDFD, -1, nil, unix.WEXITED, 1), unix.EINVAL)
			a, _ := t.Pair(false)
			t.WantErr(api.Waitid(api.WaitPIDFD, a, nil, unix.WEXITED, 1), unix.EBADF)
			t.WantErr(api.Waitid(api.WaitPIDFD, 1<<30, nil, unix.WEXITED, 1), unix.EBADF)
			for _, f := range []api.OpFlags{api.Multishot, api.DontWait, api.Unordered, api.Shared, api.Abs, api.ByFD} {
				op := api.Waitid(api.WaitPID, c.pid, nil, unix.WEXITED, 1)
				op.Flags = f
				t.WantErr(op, unix.EINVAL)
			}
			op = api.Waitid(api.WaitPID, c.pid, nil, unix.WEXITED, 1)
			op.Args = nil
			t.WantErr(op, unix.EFAULT)
			c.there(true)
		},
	},
	{
		ID: "CHD-8", Name: "cancel and deadline",
		Explanation: "A waitid that waits can be cancelled, and ended by its Deadline; the child can be waited for afterwards.",
		Requires:    api.FeatDeadlines,
		Ops:         api.Ops(api.OpWaitid, api.OpCancel),
		Fn: func(t *T) {
			c := t.child()
			for kind, id := range c.ways() {
				for _, options := range []uint32{unix.WEXITED, unix.WSTOPPED, unix.WEXITED | unix.WCONTINUED} {
					info := dirty()
					op := t.Submit(api.Waitid(kind, id, info, options, 1))[0]
					t.Perform()
					t.Want(api.Cancel(op, 2), 0)
					t.AwaitRes(1, ecanceled)
					at := api.After(2 * time.Millisecond)
					t.Want(api.Waitid(kind, id, info, options, 3).Until(at), etime)
					t.wantPassed(at)
					if *info != *dirty() {
						t.Errorf("a waitid that was ended tells %+v", *info)
					}
				}
			}
			c.end()
			info := dirty()
			t.Want(api.Waitid(api.WaitPID, c.pid, info, unix.WEXITED, 4), 0)
			c.is(info, cldExited, 3)
		},
	},
	{
		ID: "CHD-8", Name: "engine closed",
		Explanation: "Close of an engine ends the waitids that wait, leaves nothing open, and the child as it is.",
		Ops:         waitidOps,
		Fn: func(t *T) {
			c := t.child()
			for kind, id := range c.ways() {
				t.Submit(api.Waitid(kind, id, nil, unix.WEXITED, 1), api.Waitid(kind, id, nil, unix.WSTOPPED, 2))
			}
			t.Perform()
			t.CloseEngine()
			c.there(true)
		},
	},
	{
		ID: "CHD-9", Name: "non-blocking pidfd",
		Explanation: "A waitid waits whatever O_NONBLOCK of the pidfd says.",
		Ops:         api.Ops(api.OpWaitid, api.OpCancel),
		Fn: func(t *T) {
			c := t.child()
			fd := c.pidfd(unix.PIDFD_NONBLOCK)
			op := t.Submit(api.Waitid(api.WaitPIDFD, fd, nil, unix.WEXITED, 1))[0]
			t.StillPending(1)
			t.Want(api.Cancel(op, 2), 0)
			t.AwaitRes(1, ecanceled)
			info := dirty()
			t.Submit(api.Waitid(api.WaitPIDFD, fd, info, unix.WSTOPPED|unix.WEXITED, 3))
			t.StillPending(3)
			c.signal(unix.SIGSTOP)
			t.AwaitRes(3, 0)
			c.is(info, cldStopped, int(unix.SIGSTOP))
			c.signal(unix.SIGCONT)
			t.Submit(api.Waitid(api.WaitPIDFD, fd, info, unix.WEXITED, 4))
			t.StillPending(4)
			c.end()
			t.AwaitRes(4, 0)
			c.is(info, cldExited, 3)
		},
	},
	{
		ID: "CHD-10", Name: "pidfd closed",
		Explanation: "The program may close its pidfd while a waitid waits for the process, and the number be that of another file.",
		Ops:         waitidOps | streamOps,
		Fn: func(t *T) {
			for _, flags := range []int{0, unix.PIDFD_NONBLOCK} {
				for _, options := range []uint32{unix.WEXITED, unix.WEXITED | unix.WSTOPPED} {
					c := t.child()
					fd := c.pidfd(flags)
					info := dirty()
					t.Submit(api.Waitid(api.WaitPIDFD, fd, info, options, 1))
					t.Perform()
					t.CloseNow(fd)
					a, b := t.Pair(false)
					t.Put(b, "x")
					t.StillPending(1)
					t.Want(api.Recv(a, make([]byte, 1), 2), 1)
					c.end()
					t.AwaitRes(1, 0)
					c.is(info, cldExited, 3)
				}
			}
		},
	},
}

// waitNoReap waits until a child has exited, and leaves it.
func waitNoReap(pid int) error {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
