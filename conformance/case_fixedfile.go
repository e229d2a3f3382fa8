//go:build unix

package conformance

import (
	"errors"
	"math"
	"sync"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const fixedFiles = api.FeatFixedFiles

// register makes a table of registered files, which must succeed.
func (t *T) register(e api.Engine, fds ...int) {
	t.tb.Helper()
	if err := e.RegisterFiles(fds); err != nil {
		t.Fatalf("RegisterFiles(%v): %v", fds, err)
	}
}

// wantErrno fails the case unless err is errno.
func (t *T) wantErrno(what string, err error, errno syscall.Errno) {
	t.tb.Helper()
	if !errors.Is(err, errno) {
		t.Errorf("%s: %v, want %v", what, err, errno)
	}
}

var fixedFileCases = []Case{
	{
		ID: "REG-1", Name: "each kind of operation",
		Explanation: "An operation with FixedFile acts on the registered file in the slot that its FD names.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpSend, api.OpRecv, api.OpRead, api.OpWrite, api.OpFsync, api.OpPoll, api.OpAccept, api.OpShutdown),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			f := t.File("registered")
			l, addr := t.Listener()
			t.register(t.Engine, a, -1, f, l)
			fixed := func(op api.Op) api.Op { return op.With(api.FixedFile) }
			t.Want(fixed(api.Send(0, []byte("ping"), 1)), 4)
			t.WantGet(b, "ping")
			t.Put(b, "pong!")
			buf := make([]byte, 10)
			t.Want(fixed(api.Poll(0, api.PollIn, 2)), api.PollIn)
			t.Want(fixed(api.Recv(0, buf, 3)), 5)
			t.Want(fixed(api.Read(2, buf, 0, 4)), 10)
			t.WantBytes(buf, "registered")
			t.Want(fixed(api.Write(2, []byte("R"), 0, 5)), 1)
			t.Want(fixed(api.Fsync(2, 6)), 0)
			t.Dial(addr)
			if c := t.Do(fixed(api.Accept(3, 7))); c.Res < 0 {
				t.Errorf("accept: %s", show(&c))
			}
			t.Want(fixed(api.Shutdown(0, api.ShutWrite, 8)), 0)
			t.WantEnd(b)
		},
	},
	{
		ID: "REG-1", Name: "without the flag it is an fd",
		Explanation: "Without FixedFile the same number is an fd.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpRead),
		Fn: func(t *T) {
			f, g := t.File("fd"), t.File("registered")
			table := make([]int, f+1)
			for i := range table {
				table[i] = g
			}
			t.register(t.Engine, table...)
			buf := make([]byte, 20)
			t.Want(api.Read(f, buf, 0, 1), 2)
			t.Want(api.Read(f, buf, 0, 2).With(api.FixedFile), 10)
		},
	},
	{
		ID: "REG-2", Name: "bad slots",
		Explanation: "A slot that is empty or outside the table, or without a table, is EBADF; so are paths.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpRecv, api.OpRead, api.OpPoll, api.OpOpenat, api.OpNop, api.OpTimeout),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			buf := make([]byte, 1)
			t.WantErr(api.Recv(0, buf, 1).With(api.FixedFile), syscall.EBADF)
			t.register(t.Engine, a, -1)
			for i, slot := range []int{1, 2, -1, -100, 1 << 20, 1<<31 - 1} {
				t.WantErr(api.Recv(slot, buf, uint64(i)).With(api.FixedFile), syscall.EBADF)
				t.WantErr(api.Read(slot, buf, 0, uint64(i)).With(api.FixedFile), syscall.EBADF)
				t.WantErr(api.Poll(slot, api.PollIn, uint64(i)).With(api.FixedFile), syscall.EBADF)
			}
			t.WantErr(api.Openat(0, "/", unix.O_RDONLY, 0, 9).With(api.FixedFile), syscall.EBADF)
			t.Want(api.Nop(10).With(api.FixedFile), -int(eInval))
			t.Want(api.Timeout(0, 11).With(api.FixedFile), -int(eInval))
		},
	},
	{
		ID: "REG-3", Name: "the program may close its fd",
		Explanation: "A registered file stays open when the program closes its fd, and is another when the number comes back.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpSend, api.OpRecv),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.register(t.Engine, a)
			t.CloseNow(a)
			c, d := t.Pair(false) // c has the number of a, most likely
			t.Put(b, "x")
			t.Want(api.Recv(0, make([]byte, 4), 1).With(api.FixedFile), 1)
			t.Want(api.Send(0, []byte("to b"), 2).With(api.FixedFile), 4)
			t.WantGet(b, "to b")
			t.Want(api.Send(c, []byte("to d"), 3), 4)
			t.WantGet(d, "to d")
		},
	},
	{
		ID: "REG-4", Name: "update while in flight",
		Explanation: "What is in flight on a slot goes on with the file that it began with, when the slot is given another, or the table goes.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpRecv),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.register(t.Engine, a)
			bufs := bytesFor(3, 4)
			t.Submit(api.Recv(0, bufs[0], 1).With(api.FixedFile))
			t.StillPending(1)
			if n, err := t.Engine.UpdateFiles(0, []int{c}); n != 1 || err != nil {
				t.Fatalf("UpdateFiles: %d, %v", n, err)
			}
			t.Submit(api.Recv(0, bufs[1], 2).With(api.FixedFile))
			t.StillPending(1, 2)
			if err := t.Engine.UnregisterFiles(); err != nil {
				t.Fatalf("UnregisterFiles: %v", err)
			}
			t.StillPending(1, 2)
			t.WantErr(api.Recv(0, bufs[2], 3).With(api.FixedFile), syscall.EBADF)
			t.Put(d, "dd")
			t.AwaitRes(2, 2)
			t.Put(b, "b")
			t.AwaitRes(1, 1)
		},
	},
	{
		ID: "REG-4", Name: "the file is closed when the slot is emptied",
		Explanation: "A file that is in no slot any more, and on which nothing is in flight, is closed: its peer sees the end.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpRecv, api.OpNop),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.register(t.Engine, a, a)
			t.CloseNow(a)
			t.Submit(api.Recv(1, make([]byte, 4), 1).With(api.FixedFile))
			t.StillPending(1)
			if _, err := t.Engine.UpdateFiles(0, []int{-1, -1}); err != nil {
				t.Fatalf("UpdateFiles: %v", err)
			}
			t.StillPending(1)
			t.Put(b, "last")
			t.AwaitRes(1, 4)
			t.Want(api.Nop(2), 0)
			t.Perform()
			t.WantEnd(b)
		},
	},
	{
		ID: "REG-4", Name: "replaced while the engine waits",
		Explanation: "A file that another goroutine replaces is closed although the engine waits, and nothing else happens.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpRecv),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.register(t.Engine, a)
			t.CloseNow(a)
			t.Submit(api.Recv(d, make([]byte, 4), 1))
			t.StillPending(1)
			var ended int
			var err error
			done := make(chan struct{})
			t.spawn(func() {
				defer close(done)
				p := []unix.PollFd{{Fd: int32(b), Events: unix.POLLIN}}
				_, _ = unix.Poll(p, 20) // the engine falls asleep meanwhile
				_, err = t.Engine.InstallFile(c, 0)
				for end := t.deadline(); ended <= 0 && api.Now() < end && !t.over.Load(); {
					ended, _ = unix.Poll(p, 100) // a signal may interrupt it
				}
				_, _ = unix.Write(c, []byte("done"))
			})
			t.AwaitRes(1, 4)
			<-done
			if err != nil || ended != 1 {
				t.Errorf("InstallFile: %v; the peer has seen %d ends", err, ended)
			}
			t.WantEnd(b)
		},
	},
	{
		ID: "REG-4", Name: "in flight, but in no slot, takes no room",
		Explanation: "A file that is in no slot and has something in flight takes no room from operations, nor from CancelSync.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpRecv, api.OpCancel),
		Tune:        func(o *api.Options) { o.MaxInFlight = 4 },
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.register(t.Engine, make4(a)...)
			t.CloseNow(a)
			bufs := bytesFor(4, 1)
			for i := range 3 {
				t.Submit(api.Recv(i, bufs[i], uint64(i)).With(api.FixedFile))
			}
			t.StillPending(0, 1, 2)
			if err := t.Engine.UnregisterFiles(); err != nil {
				t.Fatalf("UnregisterFiles: %v", err)
			}
			t.StillPending(0, 1, 2)
			c, _ := t.Pair(false)
			t.Submit(api.Recv(c, bufs[3], 3))
			t.StillPending(0, 1, 2, 3)
			t.cancelSync(api.CancelAny(0), 4, nil)
			for range 4 {
				if c := t.One(); c.Err() != api.ErrCanceled {
					t.Errorf("%s", show(&c))
				}
			}
			t.Perform()
			t.WantEnd(b)
		},
	},
	{
		ID: "REG-4", Name: "many at once",
		Explanation: "However many files the table had, all are closed when it goes, in a small engine, too.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpNop),
		Tune:        func(o *api.Options) { o.MaxInFlight = 2 },
		Fn: func(t *T) {
			a, b := t.Pair(false)
			table := make([]int, 100)
			for i := range table {
				table[i] = a
			}
			t.register(t.Engine, table...)
			t.CloseNow(a)
			if err := t.Engine.UnregisterFiles(); err != nil {
				t.Fatalf("UnregisterFiles: %v", err)
			}
			t.Want(api.Nop(1), 0)
			t.Perform()
			t.WantEnd(b)
		},
	},
	{
		ID: "REG-5", Name: "errors of the table",
		Explanation: "RegisterFiles, UpdateFiles, UnregisterFiles and InstallFile say what is wrong, and do nothing then.",
		Requires:    fixedFiles,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			e := t.Engine
			_, err := e.UpdateFiles(0, []int{a})
			t.wantErrno("update without a table", err, syscall.ENXIO)
			t.wantErrno("unregister without a table", e.UnregisterFiles(), syscall.ENXIO)
			_, err = e.InstallFile(a, 0)
			t.wantErrno("install without a table", err, syscall.ENXIO)
			t.wantErrno("an empty table", e.RegisterFiles(nil), syscall.EINVAL)
			t.wantErrno("a bad fd", e.RegisterFiles([]int{a, 1 << 20}), syscall.EBADF)
			t.wantErrno("a negative fd", e.RegisterFiles([]int{a, -2}), syscall.EBADF)
			t.wantErrno("too many", e.RegisterFiles(make([]int, 1<<15+1)), syscall.EMFILE)
			t.register(e, a, -1)
			t.wantErrno("a second table", e.RegisterFiles([]int{a}), syscall.EBUSY)
			for _, at := range []int{-1, 2, math.MaxInt} {
				_, err = e.UpdateFiles(at, []int{a})
				t.wantErrno("update out of range", err, syscall.EINVAL)
				_, err = e.InstallFile(a, max(at, 2))
				t.wantErrno("install out of range", err, syscall.EINVAL)
			}
			_, err = e.UpdateFiles(1, []int{a, a})
			t.wantErrno("update beyond the end", err, syscall.EINVAL)
			_, err = e.UpdateFiles(0, nil)
			t.wantErrno("update of nothing", err, syscall.EINVAL)
			_, err = e.UpdateFiles(0, []int{1 << 20})
			t.wantErrno("update with a bad fd", err, syscall.EBADF)
			if n, err := e.UpdateFiles(0, []int{a, 1 << 20}); n != 1 || err != nil {
				t.Errorf("update with a bad fd behind a good one: %d, %v", n, err)
			}
			if n, err := e.InstallFile(a, api.AnySlot); n != 1 || err != nil {
				t.Errorf("install anywhere: %d, %v; slot 1 is empty", n, err)
			}
			_, err = e.InstallFile(a, api.AnySlot)
			t.wantErrno("install into a full table", err, syscall.ENFILE)
			_, err = e.InstallFile(-1, 0)
			t.wantErrno("install of a bad fd", err, syscall.EBADF)
			t.CloseEngine()
			_, err = e.InstallFile(a, 0)
			if !errors.Is(err, api.ErrClosed) || !errors.Is(e.RegisterFiles([]int{a}), api.ErrClosed) || !errors.Is(e.UnregisterFiles(), api.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		},
	},
	{
		ID: "REG-6", Name: "cancel by slot",
		Explanation: "CancelFD with FixedFile ends the operations that were submitted with the file in the slot.",
		Requires:    fixedFiles | api.FeatCancelFD,
		Ops:         api.Ops(api.OpRecv, api.OpCancel),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.register(t.Engine, a, -1)
			t.Submit(api.Recv(0, make([]byte, 1), 1).With(api.FixedFile), api.Recv(a, make([]byte, 1), 2))
			t.StillPending(1, 2)
			t.Want(api.CancelFD(0, 3).With(api.FixedFile), 1)
			t.AwaitRes(1, ecanceled)
			t.StillPending(2)
			t.WantErr(api.CancelFD(1, 4).With(api.FixedFile), syscall.EBADF)
		},
	},
	{
		ID: "REG-6", Name: "cancel by slot, of what is held up",
		Explanation: "CancelFD with FixedFile ends what a drain holds up and was submitted with a slot that has the file.",
		Requires:    fixedFiles | api.FeatDrain | api.FeatCancelFD,
		Ops:         api.Ops(api.OpRecv, api.OpCancel, api.OpTimeout),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			c, _ := t.Pair(false)
			t.register(t.Engine, a, c)
			t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(0, make([]byte, 1), 2).With(api.FixedFile|api.Drain),
				api.Recv(0, make([]byte, 1), 3).With(api.FixedFile), api.Recv(1, make([]byte, 1), 4).With(api.FixedFile), api.Recv(a, make([]byte, 1), 5))
			t.StillPending(1, 2, 3, 4, 5)
			t.Want(api.CancelFD(0, 6).With(api.FixedFile), 2)
			t.AwaitRes(2, ecanceled)
			t.AwaitRes(3, ecanceled)
			t.StillPending(1, 4, 5)
		},
	},
	{
		ID: "REG-7", Name: "passed to another engine",
		Explanation: "MessageFile puts the file into a slot of the other engine, and completes on both with the slot.",
		Requires:    fixedFiles | api.FeatPost,
		Ops:         api.Ops(api.OpMsgRing, api.OpRecv),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			other := t.Open(nil)
			t.register(t.Engine, a)
			t.register(other, -1, -1, -1)
			pass := func(to, want int, tag uint64) {
				t.Want(api.MessageFile(other, 0, to, 70+tag, tag), want)
				var dst [4]api.Completion
				n, err := other.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
				if n != 1 || err != nil || dst[0].Tag != 70+tag || int(dst[0].Res) != want || dst[0].Code != api.OpMsgRing {
					t.Fatalf("the other engine: %d completions, %v, %s", n, err, show(&dst[0]))
				}
			}
			pass(2, 2, 1)
			pass(api.AnySlot, 0, 2)
			pass(2, 2, 3)
			if err := t.Engine.UnregisterFiles(); err != nil {
				t.Fatalf("UnregisterFiles: %v", err)
			}
			t.Put(b, "across")
			ops := []api.Op{api.Recv(2, make([]byte, 8), 5).With(api.FixedFile)}
			if _, err := other.Submit(ops); err != nil {
				t.Fatalf("Submit: %v", err)
			}
			var dst [4]api.Completion
			n, err := other.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
			if n != 1 || err != nil || dst[0].Res != 6 {
				t.Errorf("receive there: %d completions, %v, %s", n, err, show(&dst[0]))
			}
		},
	},
	{
		ID: "REG-7", Name: "bad input",
		Explanation: "MessageFile says what is wrong: the slot, the engine, the slot there.",
		Requires:    fixedFiles | api.FeatPost,
		Ops:         api.Ops(api.OpMsgRing),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			other, gone := t.Open(nil), t.Open(nil)
			_ = gone.Close()
			t.register(t.Engine, a, -1)
			t.WantErr(api.MessageFile(other, 0, 0, 0, 1), syscall.ENXIO)
			t.register(other, a)
			t.WantErr(api.MessageFile(nil, 0, 0, 0, 2), syscall.EBADF)
			t.WantErr(api.MessageFile(gone, 0, 0, 0, 3), syscall.EBADF)
			t.WantErr(api.MessageFile(other, 1, 0, 0, 4), syscall.EBADF)
			t.WantErr(api.MessageFile(other, 5, 0, 0, 5), syscall.EBADF)
			t.WantErr(api.MessageFile(other, 0, 1, 0, 6), syscall.EINVAL)
			t.WantErr(api.MessageFile(other, 0, -2, 0, 7), syscall.EINVAL)
			t.WantErr(api.MessageFile(other, 0, api.AnySlot, 0, 8), syscall.ENFILE)
			t.WantErr(api.MessageFile(t.Engine, 0, 1, 0, 9), syscall.EINVAL)
		},
	},
	{
		ID: "REG-8", Name: "installing from many goroutines",
		Explanation: "InstallFile may be called by any goroutine at any time, and no file is lost or leaked.",
		Requires:    fixedFiles | api.FeatDontWait,
		Ops:         api.Ops(api.OpSend),
		Fn: func(t *T) {
			t.needFDs(4 * 200) // what nobody has taken over yet
			a, _ := t.Pair(false)
			t.register(t.Engine, make4(-1)...)
			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() {
					for range 200 {
						if _, err := t.Engine.InstallFile(a, g); err != nil {
							t.Errorf("InstallFile: %v", err)
							return
						}
					}
				})
			}
			for i := range 200 {
				c := t.Do(api.Send(i%4, []byte("x"), 1).With(api.FixedFile | api.DontWait))
				if c.Res != 1 && c.Res != -int32(syscall.EBADF) && c.Res != -int32(syscall.EAGAIN) {
					t.Errorf("send: %s", show(&c))
				}
			}
			wg.Wait()
		},
	},
}

// make4 is a table of four slots with fd in each.
func make4(fd int) []int { return []int{fd, fd, fd, fd} }
