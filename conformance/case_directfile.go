//go:build unix

package conformance

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const directFiles = api.FeatFixedFiles | api.FeatDirectFiles

var (
	directOps = api.Ops(api.OpAccept, api.OpClose)
	madeOps   = directOps | api.Ops(api.OpSocket, api.OpOpenat, api.OpRead, api.OpSend, api.OpRecv)
)

// fixed makes op one on a registered file.
func fixed(op api.Op) api.Op { return op.With(api.FixedFile) }

// slots makes a table of n empty slots.
func (t *T) slots(n int) {
	t.tb.Helper()
	empty := make([]int, n)
	for i := range empty {
		empty[i] = -1
	}
	t.register(t.Engine, empty...)
}

// talksBySlot checks that the slot and the fd are the ends of one connection.
func (t *T) talksBySlot(slot, fd int) {
	t.tb.Helper()
	t.Want(fixed(api.Send(slot, []byte("ping"), 9001)), 4)
	t.WantGet(fd, "ping")
	t.Put(fd, "pong")
	buf := make([]byte, 8)
	t.Want(fixed(api.Recv(slot, buf, 9002)), 4)
	t.WantBytes(buf[:4], "pong")
}

// wantEmpty checks that a slot is empty.
func (t *T) wantEmpty(slot int) {
	t.tb.Helper()
	t.WantErr(fixed(api.Fsync(slot, 9003)), syscall.EBADF)
}

// wantSlot checks that op puts a file into an empty slot, and gives the slot.
func (t *T) wantSlot(op api.Op) int {
	t.tb.Helper()
	c := t.Do(op)
	if c.Res < 0 || c.More() {
		t.Fatalf("got %s, want a slot", show(&c))
	}
	return int(c.Res)
}

var directFileCases = []Case{
	{
		ID: "DIR-1", Name: "each operation into a slot",
		Explanation: "An accept, socket or openat with Into puts its file into the slot, and its result is 0.",
		Requires:    directFiles,
		Ops:         madeOps | api.Ops(api.OpFsync),
		Fn: func(t *T) {
			name := filepath.Join(t.TempDir(), "f")
			t.must("write", os.WriteFile(name, []byte("by slot"), 0o600))
			l, addr := t.Listener()
			t.slots(4)
			t.Submit(api.Accept(l, 1).Into(2))
			t.StillPending(1)
			fd := t.Dial(addr)
			t.AwaitRes(1, 0)
			t.talksBySlot(2, fd)
			fd = t.Dial(addr)
			t.Want(api.Accept(l, 2).Into(3), 0)
			t.talksBySlot(3, fd)
			t.Want(api.Openat(api.AtCWD, name, unix.O_RDONLY, 0, 3).Into(0), 0)
			buf := make([]byte, 16)
			t.Want(fixed(api.Read(0, buf, 0, 4)), 7)
			t.WantBytes(buf[:7], "by slot")
			t.Want(api.Socket(unix.AF_INET, unix.SOCK_STREAM, 0, 5).Into(1), 0)
			t.WantErr(fixed(api.Recv(1, buf, 6)), syscall.ENOTCONN)
		},
	},
	{
		ID: "DIR-1", Name: "openat2 and pipe into slots",
		Explanation: "An openat2 with Into puts its file into the slot, and a pipe its ends into that and the next; the result is 0.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpOpenat2, api.OpPipe, api.OpRead, api.OpWrite),
		Fn: func(t *T) {
			name := filepath.Join(t.TempDir(), "f")
			t.must("write", os.WriteFile(name, []byte("openat2"), 0o600))
			t.slots(4)
			t.Want(api.Openat2(api.AtCWD, name, &api.OpenHow{Flags: unix.O_RDONLY}, 1).Into(3), 0)
			buf := make([]byte, 16)
			t.Want(fixed(api.Read(3, buf, 0, 2)), 7)
			ends := new([2]int32)
			t.Want(api.Pipe(ends, 0, 3).Into(1), 0)
			if *ends != [2]int32{1, 2} {
				t.Errorf("the ends of the pipe are in the slots %v, want 1 and 2", *ends)
			}
			t.Want(fixed(api.Write(2, []byte("through"), position, 4)), 7)
			t.Want(fixed(api.Read(1, buf, position, 5)), 7)
			t.WantBytes(buf[:7], "through")
		},
	},
	{
		ID: "DIR-2", Name: "any slot",
		Explanation: "With AnySlot the file goes into a slot that was empty, and the result is the slot.",
		Requires:    directFiles,
		Ops:         madeOps,
		Fn: func(t *T) {
			name := filepath.Join(t.TempDir(), "f")
			t.must("write", os.WriteFile(name, []byte("anywhere"), 0o600))
			l, addr := t.Listener()
			a, _ := t.Pair(false)
			t.register(t.Engine, a, -1, -1, a, -1)
			fd := t.Dial(addr)
			seen := map[int]bool{0: true, 3: true}
			take := func(slot int) int {
				if slot > 4 || seen[slot] {
					t.Fatalf("the file went into slot %d, which is not empty", slot)
				}
				seen[slot] = true
				return slot
			}
			t.talksBySlot(take(t.wantSlot(api.Accept(l, 1).Into(api.AnySlot))), fd)
			slot := take(t.wantSlot(api.Openat(api.AtCWD, name, unix.O_RDONLY, 0, 2).Into(api.AnySlot)))
			t.Want(fixed(api.Read(slot, make([]byte, 16), 0, 3)), 8)
			take(t.wantSlot(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 4).Into(api.AnySlot)))
			t.WantErr(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 5).Into(api.AnySlot), syscall.ENFILE)
			t.Want(api.CloseSlot(slot, 6), 0)
			if got := t.wantSlot(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 7).Into(api.AnySlot)); got != slot {
				t.Errorf("the slot is %d, and %d alone is empty", got, slot)
			}
		},
	},
	{
		ID: "DIR-2", Name: "any two slots for a pipe",
		Explanation: "With AnySlot the ends of a pipe go into two slots that were empty, and Args.Pipe tells which.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpPipe, api.OpRead, api.OpWrite, api.OpClose, api.OpFsync),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.register(t.Engine, -1, a, -1, a)
			ends := new([2]int32)
			t.Want(api.Pipe(ends, 0, 1).Into(api.AnySlot), 0)
			if *ends != [2]int32{0, 2} && *ends != [2]int32{2, 0} {
				t.Fatalf("the ends of the pipe are in the slots %v, want 0 and 2", *ends)
			}
			t.Want(fixed(api.Write(int(ends[1]), []byte("x"), position, 2)), 1)
			t.Want(fixed(api.Read(int(ends[0]), make([]byte, 4), position, 3)), 1)
			t.Want(api.CloseSlot(0, 4), 0)
			t.WantErr(api.Pipe(ends, 0, 5).Into(api.AnySlot), syscall.ENFILE)
			t.WantErr(api.Pipe(ends, 0, 6).Into(3), syscall.EINVAL)
			t.wantEmpty(0)
		},
	},
	{
		ID: "DIR-3", Name: "a slot that is in use",
		Explanation: "The new file replaces the one in the slot; what is in flight goes on with the old one, which is closed afterwards.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpAccept, api.OpRecv, api.OpSend, api.OpNop),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			l, addr := t.Listener()
			t.register(t.Engine, a)
			t.CloseNow(a)
			buf := make([]byte, 8)
			t.Submit(fixed(api.Recv(0, buf, 1)))
			t.StillPending(1)
			fd := t.Dial(addr)
			t.Want(api.Accept(l, 2).Into(0), 0)
			t.talksBySlot(0, fd)
			t.StillPending(1)
			t.Put(b, "old")
			t.AwaitRes(1, 3)
			t.WantBytes(buf[:3], "old")
			t.Want(api.Nop(3), 0)
			t.Perform()
			t.WantEnd(b)
			t.talksBySlot(0, fd)
		},
	},
	{
		ID: "DIR-4", Name: "nothing is made for a slot that is not there",
		Explanation: "Without a table an operation with Into is ENXIO, with a slot out of range EINVAL, and has made and taken nothing.",
		Requires:    directFiles,
		Ops:         madeOps | api.Ops(api.OpPipe),
		Fn: func(t *T) {
			l, addr := t.Listener()
			fd := t.Dial(addr)
			name := filepath.Join(t.TempDir(), "new")
			ends := new([2]int32)
			fails := func(slot int, errno syscall.Errno) {
				t.tb.Helper()
				t.WantErr(api.Accept(l, 1).Into(slot), errno)
				t.WantErr(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 2).Into(slot), errno)
				t.WantErr(api.Openat(api.AtCWD, name, unix.O_RDWR|unix.O_CREAT, 0o600, 3).Into(slot), errno)
				t.WantErr(api.Pipe(ends, 0, 4).Into(slot), errno)
				if what := t.exists(name); what != "" {
					t.Errorf("an openat that failed has made a %s", what)
				}
			}
			fails(0, syscall.ENXIO)
			fails(api.AnySlot, syscall.ENXIO)
			a, _ := t.Pair(false)
			t.register(t.Engine, a)
			for _, slot := range []int{1, 2, -2, 1 << 15, 1<<16 - 2, 1<<16 - 1, 1 << 16, 1 << 20} {
				fails(slot, syscall.EINVAL)
			}
			fails(api.AnySlot, syscall.ENFILE)
			if *ends != [2]int32{} {
				t.Errorf("a pipe that failed tells of %v", *ends)
			}
			c := t.Do(api.Accept(l, 5))
			t.talks(fd, t.accepted(&c, false))
		},
	},
	{
		ID: "DIR-4", Name: "the table goes while an accept waits",
		Explanation: "An accept whose slot is not there any more when a connection comes fails, and leaves it in the backlog.",
		Requires:    directFiles | api.FeatMultishotAccept,
		Ops:         directOps,
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			l, addr := t.Listener()
			t.slots(2)
			t.Submit(api.Accept(l, 1).Into(1))
			t.StillPending(1)
			if err := t.Engine.UnregisterFiles(); err != nil {
				t.Fatalf("UnregisterFiles: %v", err)
			}
			t.StillPending(1)
			first := t.Dial(addr)
			t.AwaitRes(1, -int(syscall.ENXIO))
			c := t.Do(api.Accept(l, 2))
			t.talks(first, t.accepted(&c, false))
			t.slots(2)
			t.Submit(api.Accept(l, 3).Into(api.AnySlot), api.AcceptMultishot(l, 4).Into(api.AnySlot))
			t.StillPending(3, 4)
			if _, err := t.Engine.UpdateFiles(0, []int{a, a}); err != nil {
				t.Fatalf("UpdateFiles: %v", err)
			}
			second := t.Dial(addr)
			t.AwaitRes(3, -int(syscall.ENFILE))
			t.AwaitRes(4, -int(syscall.ENFILE))
			c = t.Do(api.Accept(l, 5))
			t.talks(second, t.accepted(&c, false))
		},
	},
	{
		ID: "DIR-5", Name: "bad flags",
		Explanation: "Into with a close-on-exec flag, for a multishot accept with a slot of its own, and for any other operation, is EINVAL.",
		Requires:    directFiles,
		Ops:         madeOps | api.Ops(api.OpNop, api.OpPipe, api.OpOpenat2, api.OpFsync),
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.Dial(addr)
			t.slots(3)
			into := func(op api.Op) { t.tb.Helper(); t.WantErr(op.Into(1), syscall.EINVAL) }
			into(api.Openat(api.AtCWD, ".", unix.O_RDONLY|unix.O_CLOEXEC, 0, 1))
			into(api.Openat2(api.AtCWD, ".", &api.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC}, 2))
			into(api.Pipe(new([2]int32), unix.O_CLOEXEC, 3))
			into(api.AcceptMultishot(l, 4))
			into(api.Nop(5))
			into(api.Recv(l, make([]byte, 1), 6))
			into(api.Close(l, 7))
			op := api.Accept(l, 8)
			if op.Arg = cloexecFlag; op.Arg != 0 {
				into(op)
				into(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM|cloexecFlag, 0, 9))
			}
			t.WantErr(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 10).Into(api.AnySlot).With(api.SkipSuccess), syscall.EINVAL)
			t.wantEmpty(1)
			t.Want(api.Accept(l, 11).Into(0), 0)
		},
	},
	{
		ID: "DIR-6", Name: "multishot accept until the table is full",
		Explanation: "A multishot accept with AnySlot gives one completion with More per connection, each in a slot of its own, and ends with ENFILE when no slot is empty, with what it has no slot for in the backlog.",
		Requires:    directFiles | api.FeatMultishotAccept,
		Ops:         directOps | api.Ops(api.OpSend, api.OpRecv),
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.slots(5)
			conn := map[int]int{}
			await := func(fd int) {
				t.tb.Helper()
				c := t.Await(1)
				slot := t.accepted(&c, true)
				if _, ok := conn[slot]; ok || slot > 4 {
					t.Fatalf("the connection went into slot %d, which is not empty", slot)
				}
				conn[slot] = fd
			}
			first, second := t.Dial(addr), t.Dial(addr)
			t.Submit(api.AcceptMultishot(l, 1).Into(api.AnySlot))
			await(first)
			await(second)
			for range 3 {
				t.StillPending(1)
				await(t.Dial(addr))
			}
			waits := [3]int{t.Dial(addr), t.Dial(addr), t.Dial(addr)}
			t.AwaitRes(1, -int(syscall.ENFILE))
			for slot, fd := range conn {
				t.talksBySlot(slot, fd)
			}
			t.WantErr(api.AcceptMultishot(l, 2).Into(api.AnySlot), syscall.ENFILE)
			t.Want(api.CloseSlot(3, 3), 0)
			t.WantEnd(conn[3])
			t.Submit(api.AcceptMultishot(l, 4).Into(api.AnySlot))
			c := t.Await(4)
			if slot := t.accepted(&c, true); slot != 3 {
				t.Errorf("the connection went into slot %d, and 3 alone is empty", slot)
			}
			t.talksBySlot(3, waits[0])
			t.AwaitRes(4, -int(syscall.ENFILE))
			t.Want(api.CloseSlot(0, 5), 0)
			t.Want(api.Accept(l, 6).Into(api.AnySlot), 0)
			t.talksBySlot(0, waits[1])
		},
	},
	{
		ID: "DIR-6", Name: "a burst into a small table",
		Explanation: "However many connections wait, a multishot accept takes no more than there are slots, and loses none.",
		Requires:    directFiles | api.FeatMultishotAccept,
		Ops:         directOps | api.Ops(api.OpSend, api.OpRecv),
		Fn: func(t *T) {
			l, addr := t.Listener()
			t.slots(7)
			var fds []int
			for range 30 {
				fds = append(fds, t.Dial(addr))
			}
			for len(fds) > 0 {
				t.Submit(api.AcceptMultishot(l, 1).Into(api.AnySlot))
				got := 0
				for c := t.Await(1); c.More(); c = t.Await(1) {
					t.talksBySlot(int(c.Res), fds[got]) // the backlog is a queue
					if got++; got == len(fds) {
						break
					}
				}
				if got != min(7, len(fds)) {
					t.Fatalf("%d connections were accepted into 7 slots while %d waited", got, len(fds))
				}
				fds = fds[got:]
				if len(fds) == 0 {
					return
				}
				for slot := range 7 {
					t.Want(api.CloseSlot(slot, 2), 0)
				}
			}
		},
	},
	{
		ID: "DIR-7", Name: "CloseSlot ends what is in flight first",
		Explanation: "CloseSlot ends what is in flight on the file, completes after all of it, and closes the file; the slot is empty.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpClose, api.OpRecv, api.OpSend, api.OpPoll, api.OpFsync),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.register(t.Engine, a, -1)
			t.CloseNow(a)
			bufs := bytesFor(2, 8)
			t.Submit(fixed(api.Recv(0, bufs[0], 1)), fixed(api.Recv(0, bufs[1], 2)), fixed(api.Poll(0, api.PollPri, 3)))
			t.StillPending(1, 2, 3)
			t.Submit(api.CloseSlot(0, 4), fixed(api.Send(0, []byte("late"), 5)))
			last := map[uint64]bool{1: true, 2: true, 3: true}
			for range 5 {
				c := t.One()
				switch {
				case c.Tag == 5:
					t.WantRes(&c, -int(syscall.EBADF))
				case c.Tag == 4:
					if t.WantRes(&c, 0); len(last) > 0 {
						t.Errorf("CloseSlot has completed before %v", last)
					}
				default:
					t.WantRes(&c, ecanceled)
					delete(last, c.Tag)
				}
			}
			t.WantEnd(b)
			t.wantEmpty(0)
		},
	},
	{
		ID: "DIR-7", Name: "errors of CloseSlot",
		Explanation: "CloseSlot is ENXIO without a table, EINVAL out of range, EBADF for an empty slot, and closes no fd of that number.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpClose, api.OpFsync),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.WantErr(api.CloseSlot(0, 1), syscall.ENXIO)
			t.WantErr(api.CloseSlot(a, 1), syscall.ENXIO)
			t.slots(a + 1)
			for i, slot := range []int{-1, -2, a + 1, 1 << 20, 1<<31 - 1} {
				t.WantErr(api.CloseSlot(slot, uint64(i)), syscall.EINVAL)
			}
			t.WantErr(api.CloseSlot(a, 2), syscall.EBADF)
			t.talks(a, b)
			if _, err := t.Engine.InstallFile(b, a); err != nil {
				t.Fatalf("InstallFile: %v", err)
			}
			t.Want(api.CloseSlot(a, 3), 0)
			t.WantErr(api.CloseSlot(a, 4), syscall.EBADF)
			t.talks(a, b)
		},
	},
	{
		ID: "DIR-8", Name: "filled anew at once",
		Explanation: "A slot can be filled as soon as CloseSlot begins, and nothing of the old file reaches the new one.",
		Requires:    directFiles,
		Ops:         directOps | api.Ops(api.OpRecv, api.OpSend),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			l, addr := t.Listener()
			t.register(t.Engine, a)
			t.CloseNow(a)
			for i := range 20 {
				bufs := bytesFor(2, 8)
				fd := t.Dial(addr)
				t.Submit(fixed(api.Recv(0, bufs[0], 1)), api.CloseSlot(0, 2), api.Accept(l, 3).Into(0))
				t.AwaitRes(3, 0)
				t.Submit(fixed(api.Recv(0, bufs[1], 4)))
				t.AwaitRes(1, ecanceled)
				t.AwaitRes(2, 0)
				t.WantEnd(b)
				t.StillPending(4)
				t.Put(fd, "new")
				t.AwaitRes(4, 3)
				t.WantBytes(bufs[1][:3], "new")
				if b = fd; t.Failed() {
					t.Fatalf("that was in round %d", i)
				}
			}
		},
	},
	{
		ID: "DIR-9", Name: "a chain by slots",
		Explanation: "A slot is looked up when the operation begins: in a chain it may be filled by one, used by the next, and closed by the last.",
		Requires:    directFiles | api.FeatChains,
		Ops:         api.Ops(api.OpOpenat, api.OpRead, api.OpClose, api.OpFsync),
		Fn: func(t *T) {
			name := filepath.Join(t.TempDir(), "f")
			t.must("write", os.WriteFile(name, []byte("in a chain"), 0o600))
			t.slots(2)
			buf := make([]byte, 10)
			open := api.Openat(api.AtCWD, name, unix.O_RDONLY, 0, 1).Into(1)
			t.Submit(open.With(api.Link), fixed(api.Read(1, buf, 0, 2)).With(api.Link), api.CloseSlot(1, 3))
			t.AwaitRes(1, 0)
			t.AwaitRes(2, 10)
			t.AwaitRes(3, 0)
			t.wantEmpty(1)
			ids := t.Submit(api.Openat(api.AtCWD, name, unix.O_RDONLY, 0, 4).Into(0).With(api.Link|api.SkipSuccess),
				fixed(api.Read(0, buf, 0, 5)).With(api.Link), api.CloseSlot(0, 6).With(api.SkipSuccess))
			t.AwaitRes(5, 10)
			t.wantInFlight(0)
			t.Quiet()
			t.Left(ids[0], ids[2])
			t.wantEmpty(0)
			t.Submit(api.Openat(api.AtCWD, name+"-missing", unix.O_RDONLY, 0, 7).Into(1).With(api.Link),
				fixed(api.Read(1, buf, 0, 8)))
			t.AwaitRes(7, -int(syscall.ENOENT))
			t.AwaitRes(8, ecanceled)
			t.wantEmpty(1)
		},
	},
	{
		ID: "DIR-10", Name: "cancelled",
		Explanation: "An accept with Into that is cancelled leaves its slot as it was, and the connection in the backlog.",
		Requires:    directFiles | api.FeatMultishotAccept,
		Ops:         directOps | api.Ops(api.OpCancel, api.OpRecv, api.OpSend, api.OpFsync),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			l, addr := t.Listener()
			t.register(t.Engine, a, -1)
			id := t.Submit(api.Accept(l, 1).Into(0), api.AcceptMultishot(l, 2).Into(api.AnySlot))
			t.StillPending(1, 2)
			t.Want(api.Cancel(id[0], 3), 0)
			t.Want(api.Cancel(id[1], 4), 0)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, ecanceled)
			fd := t.Dial(addr)
			t.Quiet()
			t.talksBySlot(0, b)
			t.wantEmpty(1)
			t.Want(api.Accept(l, 5).Into(1), 0)
			t.talksBySlot(1, fd)
		},
	},
	{
		ID: "DIR-10", Name: "opens that are cancelled at once",
		Explanation: "An openat with Into that is cancelled has either filled its slot or not: no file is lost.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpOpenat, api.OpCancel, api.OpClose),
		Fn: func(t *T) {
			name := filepath.Join(t.TempDir(), "f")
			t.must("write", os.WriteFile(name, []byte("x"), 0o600))
			t.slots(4)
			for range 50 {
				ids := t.Submit(api.Openat(api.AtCWD, name, unix.O_RDONLY, 0, 1).Into(2))
				t.Perform()
				t.Do(api.Cancel(ids[0], 2))
				c := t.Await(1)
				switch {
				case c.Res == 0:
					t.Want(api.CloseSlot(2, 3), 0)
				case int(c.Res) == ecanceled:
					t.WantErr(api.CloseSlot(2, 3), syscall.EBADF)
				default:
					t.Fatalf("openat: %s", show(&c))
				}
			}
		},
	},
	{
		ID: "DIR-10", Name: "the engine is closed",
		Explanation: "Close closes all files in the table, those too whose completions nobody has reaped, or that are under way.",
		Requires:    directFiles,
		Ops:         madeOps | api.Ops(api.OpPipe),
		Fn: func(t *T) {
			l, addr := t.Listener()
			name := filepath.Join(t.TempDir(), "f")
			t.must("write", os.WriteFile(name, []byte("x"), 0o600))
			t.slots(10)
			fd, reaped := t.Dial(addr), t.Dial(addr)
			t.Want(api.Accept(l, 1).Into(0), 0)
			t.Submit(api.Accept(l, 2).Into(1), api.Accept(l, 3).Into(2), api.Pipe(new([2]int32), 0, 4).Into(3),
				api.Openat(api.AtCWD, name, unix.O_RDONLY, 0, 5).Into(api.AnySlot), api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 6).Into(api.AnySlot))
			t.untaken = true
			for range 3 {
				if _, err := t.Engine.Complete(nil, api.Wait{}); err != nil {
					t.Fatalf("Complete: %v", err)
				}
			}
			t.Submit(api.Openat(api.AtCWD, name, unix.O_RDONLY, 0, 7).Into(api.AnySlot))
			t.CloseEngine()
			t.WantEnd(fd)
			t.WantEnd(reaped)
		},
	},
	{
		ID: "DIR-11", Name: "several goroutines fill the table",
		Explanation: "Accepts and InstallFile that look for an empty slot at the same time never get the same, and no file is lost.",
		Requires:    directFiles,
		Ops:         directOps | api.Ops(api.OpRecv, api.OpSend),
		Fn: func(t *T) {
			const each = 40
			l, addr := t.Listener()
			a, _ := t.Pair(false)
			t.slots(2 * each)
			got := make(chan int, 2*each)
			var wg sync.WaitGroup
			wg.Go(func() {
				for range each {
					slot, err := t.Engine.InstallFile(a, api.AnySlot)
					if err != nil {
						t.Errorf("InstallFile: %v", err)
						return
					}
					got <- slot
				}
			})
			for range each {
				t.Dial(addr)
				got <- t.wantSlot(api.Accept(l, 1).Into(api.AnySlot))
			}
			wg.Wait()
			close(got)
			seen := map[int]bool{}
			for slot := range got {
				if seen[slot] {
					t.Errorf("slot %d was given out twice", slot)
				}
				seen[slot] = true
			}
			t.WantErr(api.Accept(l, 2).Into(api.AnySlot), syscall.ENFILE)
		},
	},
}
