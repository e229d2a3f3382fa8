//go:build unix

package conformance

import (
	"math"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// position is that of the file.
const position = api.CurrentPosition

// registeredCases are more about registered files, beside fixedFileCases.
var registeredCases = []Case{
	{
		ID: "REG-1", Name: "sockets of all kinds of operations",
		Explanation: "An operation on a socket with FixedFile acts on the registered file in the slot that its FD names.",
		Requires:    fixedFiles,
		Ops: api.Ops(api.OpSendMsg, api.OpRecvMsg, api.OpConnect, api.OpBind, api.OpListen, api.OpUringCmd, api.OpAccept,
			api.OpSend),
		Fn: func(t *T) {
			l, c := t.Socket(unix.AF_INET, unix.SOCK_STREAM), t.Socket(unix.AF_INET, unix.SOCK_STREAM)
			t.register(t.Engine, l, c)
			local := &api.Msg{Addr: api.IPAddr(loopback(0))}
			t.Want(fixed(api.Bind(0, local, 1)), 0)
			t.Want(fixed(api.Listen(0, 8, 2)), 0)
			peer := &api.Msg{Addr: api.IPAddr(t.LocalAddr(l))}
			t.Want(fixed(api.Connect(1, peer, 3)), 0)
			a := t.Do(fixed(api.Accept(0, 4)))
			fd := t.accepted(&a, false)
			t.Want(fixed(api.SendMsg(1, vec("by", " slot"), 5)), 7)
			t.WantGet(fd, "by slot")
			t.Put(fd, "and back")
			in := &api.Msg{Bufs: bytesFor(2, 4)}
			t.Want(fixed(api.RecvMsg(1, in, 6)), 8)
			t.WantBytes(append(in.Bufs[0], in.Bufs[1]...), "and back")
			t.Want(fixed(api.Setsockopt(1, unix.IPPROTO_TCP, unix.TCP_NODELAY, cint(1), 7)), 0)
			if t.option(c, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
				t.Errorf("the option of the registered socket has not been set")
			}
			t.Want(fixed(api.Getsockopt(1, unix.SOL_SOCKET, unix.SO_TYPE, make([]byte, 4), 8)), 4)
			t.Want(fixed(api.SocketInQ(1, 9)), 0)
		},
	},
	{
		ID: "REG-1", Name: "files of all kinds of operations",
		Explanation: "An operation on a file with FixedFile acts on the registered file in the slot that its FD names.",
		Requires:    fixedFiles,
		Ops: api.Ops(api.OpReadv, api.OpWritev, api.OpFallocate, api.OpFtruncate, api.OpFadvise, api.OpSyncFileRange, api.OpFsetxattr,
			api.OpFgetxattr),
		Fn: func(t *T) {
			f := t.File("0123456789")
			t.register(t.Engine, -1, f)
			out := &api.Msg{Bufs: bytesFor(2, 3)}
			t.Want(fixed(api.Readv(1, out, 2, 1)), 6)
			t.WantBytes(append(out.Bufs[0], out.Bufs[1]...), "234567")
			t.Want(fixed(api.Writev(1, vec("ab", "cd"), 0, 2)), 4)
			t.Want(fixed(api.Ftruncate(1, 6, 3)), 0)
			t.wantFile(f, "abcd45")
			c := t.Do(fixed(api.Fallocate(1, 0, 0, 8, 4)))
			if c.Res == -int32(syscall.EOPNOTSUPP) {
				t.Skipf("the file system has no fallocate")
			}
			t.WantRes(&c, 0)
			t.wantFile(f, "abcd45\x00\x00")
			t.Want(fixed(api.Fadvise(1, 0, 0, 0, 5)), 0)
			t.Want(fixed(api.SyncFileRange(1, 0, 0, 0, 6)), 0)
			set := t.Do(fixed(api.Fsetxattr(1, "user.slot", []byte("value"), 0, 7)))
			if set.Res == -int32(syscall.EOPNOTSUPP) {
				return // so has the file system no attributes
			}
			t.WantRes(&set, 0)
			value := make([]byte, 8)
			t.Want(fixed(api.Fgetxattr(1, "user.slot", value, 8)), 5)
			t.WantBytes(value[:5], "value")
			for i, op := range []api.Op{api.Readv(0, out, 0, 0), api.Writev(0, out, 0, 0), api.Ftruncate(0, 0, 0), api.Fallocate(0, 0, 0, 1, 0),
				api.Fadvise(0, 0, 0, 0, 0), api.SyncFileRange(0, 0, 0, 0, 0), api.Fsetxattr(0, "user.x", nil, 0, 0), api.Fgetxattr(0, "user.x", nil, 0)} {
				op.Tag = uint64(100 + i)
				t.WantErr(fixed(op), syscall.EBADF)
			}
		},
	},
	{
		ID: "REG-1", Name: "with registered buffers",
		Explanation: "An operation may name a registered file and a registered buffer.",
		Requires:    fixedFiles | fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			f := t.File("0123456789")
			t.register(t.Engine, -1, f)
			mem := make([]byte, 64)
			t.registerBuffers(t.Engine, mem)
			t.Want(fixed(api.ReadFixed(1, 0, mem[:4], 2, 1)), 4)
			t.WantBytes(mem[:4], "2345")
			t.Want(fixed(api.WriteFixed(1, 0, mem[:4], 0, 2)), 4)
			t.wantFile(f, "2345456789")
			m := &api.Msg{Bufs: [][]byte{mem[8:10], mem[20:23]}}
			t.Want(fixed(api.ReadvFixed(1, 0, m, 5, 3)), 5)
			t.WantBytes(append(mem[8:10:10], mem[20:23]...), "56789")
			t.Want(fixed(api.WritevFixed(1, 0, m, 0, 4)), 5)
			t.wantFile(f, "5678956789")
			t.WantErr(fixed(api.ReadFixed(0, 0, mem[:4], 0, 5)), syscall.EBADF)
			t.WantErr(fixed(api.ReadFixed(1, 1, mem[:4], 0, 6)), syscall.EFAULT)
		},
	},
	{
		ID: "REG-1", Name: "with buffers of a group",
		Explanation: "A multishot receive on a registered file takes the buffers of its group, and ends when its slot is closed.",
		Requires:    directFiles | bufferFeats,
		Ops:         api.Ops(api.OpRecv, api.OpSend, api.OpClose),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.register(t.Engine, -1, a)
			t.CloseNow(a)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 32})
			t.Submit(fixed(api.RecvMultishot(1, 0, 1)))
			for range 6 {
				t.StillPending(1)
				t.Put(b, "piece")
				t.Release(g, t.WantBuffer(1, "piece"))
				t.Want(fixed(api.Send(1, []byte("reply"), 2)), 5)
				t.WantGet(b, "reply")
			}
			t.Want(api.CloseSlot(1, 3), 0)
			t.AwaitRes(1, ecanceled)
			t.WantEnd(b)
		},
	},
	{
		ID: "REG-5", Name: "slots that are kept",
		Explanation: "KeepSlot leaves the slot in its place as it is, and counts as done; in a new table it is EBADF.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpSend, api.OpFsync),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.register(t.Engine, a, a, -1)
			for _, u := range []struct {
				at, n int
				fds   []int
			}{{0, 3, []int{c, api.KeepSlot, api.KeepSlot}}, {0, 2, []int{api.KeepSlot, api.KeepSlot, 1 << 20}}, {2, 1, []int{c}}, {1, 2, []int{api.KeepSlot, -1}}} {
				if n, err := t.Engine.UpdateFiles(u.at, u.fds); n != u.n || err != nil {
					t.Errorf("UpdateFiles(%d, %v): %d, %v, want %d", u.at, u.fds, n, err, u.n)
				}
			}
			t.Want(fixed(api.Send(0, []byte("c"), 1)), 1)
			t.WantGet(d, "c")
			t.Want(fixed(api.Send(1, []byte("a"), 2)), 1)
			t.WantGet(b, "a")
			t.wantEmpty(2)
		},
	},
	{
		ID: "REG-6", Name: "CancelSync by slot",
		Explanation: "CancelSync takes a CancelFD with FixedFile, which ends what was submitted with the file in the slot.",
		Requires:    fixedFiles | api.FeatCancelFD,
		Ops:         api.Ops(api.OpRecv, api.OpCancel),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			c, _ := t.Pair(false)
			t.register(t.Engine, a, c, -1)
			bufs := bytesFor(4, 1)
			t.Submit(fixed(api.Recv(0, bufs[0], 1)), api.Recv(a, bufs[1], 2), fixed(api.Recv(1, bufs[2], 3)), fixed(api.Recv(0, bufs[3], 4)))
			t.StillPending(1, 2, 3, 4)
			t.cancelSync(fixed(api.CancelFD(0, 0)), 2, nil)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(4, ecanceled)
			t.StillPending(2, 3)
			t.cancelSync(fixed(api.CancelFD(1, 0)).With(api.First), 1, nil)
			t.AwaitRes(3, ecanceled)
			t.cancelSync(fixed(api.CancelFD(0, 0)), 0, nil)
			t.cancelSync(fixed(api.CancelFD(2, 0)), 0, syscall.EBADF)
			t.cancelSync(fixed(api.CancelFD(9, 0)), 0, syscall.EBADF)
			t.cancelSync(fixed(api.CancelAny(0)), 0, syscall.EBADF)
			t.StillPending(2)
		},
	},
	{
		ID: "REG-9", Name: "an fd for a registered file",
		Explanation: "InstallFD gives the file in a slot a new fd, close-on-exec, and the slot keeps it.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpFixedFDInstall, api.OpSend, api.OpClose),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.register(t.Engine, -1, a)
			t.CloseNow(a)
			fd := t.opened(api.InstallFD(1, 1))
			t.talks(fd, b)
			t.Want(fixed(api.Send(1, []byte("slot"), 2)), 4)
			t.WantGet(b, "slot")
			t.Want(api.Close(fd, 3), 0)
			t.Want(fixed(api.Send(1, []byte("still"), 4)), 5)
			t.WantGet(b, "still")
			fd = t.opened(api.InstallFD(1, 5))
			t.Want(api.CloseSlot(1, 6), 0)
			t.talks(fd, b)
			t.Want(api.Close(fd, 7), 0)
			t.WantEnd(b)
		},
	},
	{
		ID: "REG-9", Name: "errors of InstallFD",
		Explanation: "InstallFD is EBADF for an empty slot, out of range, without a table and without FixedFile, EMFILE without a free fd, and EINVAL with flags.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpFixedFDInstall, api.OpNop),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			t.WantErr(api.InstallFD(0, 1), syscall.EBADF)
			t.register(t.Engine, a, -1)
			for i, slot := range []int{1, 2, -1, 1 << 20} {
				t.WantErr(api.InstallFD(slot, uint64(i)), syscall.EBADF)
			}
			op := api.InstallFD(0, 7)
			op.Flags = 0
			t.WantErr(op, syscall.EBADF)
			op = api.InstallFD(0, 8)
			op.Arg = 1
			t.WantErr(op, syscall.EINVAL)
			t.WantErr(api.InstallFD(0, 9).With(api.SkipSuccess), syscall.EINVAL)
			t.Want(api.Nop(10), 0)
			t.withoutFDs(func() { t.WantErr(api.InstallFD(0, 11), syscall.EMFILE) })
		},
	},
	{
		ID: "REG-10", Name: "update as an operation",
		Explanation: "FilesUpdate does what UpdateFiles does, when its turn has come, and its result is how many slots it has dealt with.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpFilesUpdate, api.OpRecv, api.OpSend, api.OpFsync),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			t.register(t.Engine, a, -1, a)
			buf := make([]byte, 4)
			t.Submit(fixed(api.Recv(0, buf, 1)), api.FilesUpdate(0, []int32{int32(c), api.KeepSlot, -1}, 2), fixed(api.Send(0, []byte("c"), 3)))
			t.AwaitRes(2, 3)
			t.AwaitRes(3, 1)
			t.WantGet(d, "c")
			t.StillPending(1)
			t.Put(b, "old")
			t.AwaitRes(1, 3)
			t.wantEmpty(1)
			t.wantEmpty(2)
			t.Want(api.FilesUpdate(1, []int32{int32(a), 1 << 20}, 4), 1)
			t.Want(fixed(api.Send(1, []byte("a"), 5)), 1)
			t.WantGet(b, "a")
		},
	},
	{
		ID: "REG-10", Name: "update of any slots",
		Explanation: "FilesUpdate with AnySlot puts each file into an empty slot and tells which, until no slot is empty or an fd is none.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpFilesUpdate, api.OpSend),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			c, d := t.Pair(false)
			t.register(t.Engine, -1, a, -1, -1)
			fds := []int32{int32(c), int32(c)}
			t.Want(api.FilesUpdate(api.AnySlot, fds, 1), 2)
			if fds[0] == fds[1] || fds[0] == 1 || fds[1] == 1 || fds[0] > 3 || fds[1] > 3 {
				t.Fatalf("the files went into the slots %v, want two of 0, 2 and 3", fds)
			}
			for _, slot := range fds {
				t.Want(fixed(api.Send(int(slot), []byte("!"), 2)), 1)
				t.WantGet(d, "!")
			}
			full := []int32{int32(a), int32(a)}
			t.Want(api.FilesUpdate(api.AnySlot, full, 3), 1)
			if full[1] != int32(a) {
				t.Errorf("the fd that was not done has become %d", full[1])
			}
			t.WantErr(api.FilesUpdate(api.AnySlot, full[1:], 4), syscall.ENFILE)
			for i, bad := range []int32{-1, api.KeepSlot, 1 << 20} {
				t.WantErr(api.FilesUpdate(api.AnySlot, []int32{bad}, uint64(i)), syscall.EBADF)
			}
		},
	},
	{
		ID: "REG-10", Name: "errors of updates",
		Explanation: "FilesUpdate is ENXIO without a table, EINVAL out of range or for nothing, EBADF for a bad fd, EFAULT without Args, and does nothing then.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpFilesUpdate, api.OpFsync),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			fds := []int32{int32(a)}
			t.WantErr(api.FilesUpdate(0, fds, 1), syscall.ENXIO)
			t.WantErr(api.FilesUpdate(api.AnySlot, fds, 1), syscall.ENXIO)
			t.slots(2)
			for i, at := range []int{2, 1 << 20, -2, math.MaxInt, math.MinInt} {
				t.WantErr(api.FilesUpdate(at, fds, uint64(i)), syscall.EINVAL)
			}
			t.WantErr(api.FilesUpdate(1, []int32{int32(a), int32(a)}, 2), syscall.EINVAL)
			t.WantErr(api.FilesUpdate(0, nil, 3), syscall.EINVAL)
			t.WantErr(api.FilesUpdate(api.AnySlot, nil, 4), syscall.EINVAL)
			t.WantErr(api.FilesUpdate(0, []int32{1 << 20, int32(a)}, 5), syscall.EBADF)
			t.WantErr(api.FilesUpdate(0, []int32{-3}, 6), syscall.EBADF)
			op := api.FilesUpdate(0, fds, 7)
			op.Args = nil
			t.WantErr(op, syscall.EFAULT)
			t.WantErr(fixed(api.FilesUpdate(0, fds, 8)), syscall.EINVAL)
			t.wantEmpty(0)
			t.wantEmpty(1)
		},
	},
	{
		ID: "REG-11", Name: "both files of a splice and tee",
		Explanation: "FixedFile of a splice or tee is about its input, FixedFD2 about its output; each may be a registered file or an fd.",
		Requires:    fixedFiles,
		Ops:         api.Ops(api.OpSplice, api.OpTee, api.OpRead),
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			r2, w2 := t.Pipe(false)
			f := t.File("stored")
			t.register(t.Engine, r, w2, -1, f)
			for i, flags := range []api.OpFlags{0, api.FixedFile, api.FixedFD2, api.FixedFile | api.FixedFD2} {
				in, out := r, w2
				if flags.Has(api.FixedFile) {
					in = 0
				}
				if flags.Has(api.FixedFD2) {
					out = 1
				}
				tag := uint64(10 * i)
				t.Submit(api.Splice(in, position, out, position, 4, 0, tag).With(flags))
				t.StillPending(tag)
				t.Put(w, "data")
				t.AwaitRes(tag, 4)
				t.WantGet(r2, "data")
				t.Put(w, "twin")
				t.Want(api.Tee(in, out, 4, 0, tag+1).With(flags), 4)
				t.WantGet(r2, "twin")
				t.WantGet(r, "twin")
			}
			t.Want(api.Splice(3, 0, 1, position, 6, 0, 50).With(api.FixedFile|api.FixedFD2), 6)
			t.WantGet(r2, "stored")
			for i, slot := range []int{2, 4, 1 << 20} {
				t.WantErr(api.Splice(r, position, slot, position, 4, 0, uint64(60+i)).With(api.FixedFD2), syscall.EBADF)
				t.WantErr(api.Tee(slot, w2, 4, 0, uint64(70+i)).With(api.FixedFile), syscall.EBADF)
			}
			t.WantErr(api.Splice(r, position, -1, position, 4, 0, 80).With(api.FixedFD2), syscall.EBADF)
			t.WantErr(api.Read(r, make([]byte, 1), position, 81).With(api.FixedFD2), syscall.EINVAL)
		},
	},
	{
		ID: "REG-11", Name: "the output is closed or cancelled by slot",
		Explanation: "CancelFD and CloseSlot of the output of a splice end it, and so does a Close of the slot of the input.",
		Requires:    directFiles | api.FeatCancelFD,
		Ops:         api.Ops(api.OpSplice, api.OpCancel, api.OpClose),
		Fn: func(t *T) {
			r, _ := t.Pipe(false)
			r2, w2 := t.Pipe(false)
			t.register(t.Engine, r, w2, r)
			t.CloseNow(w2)
			both := func(in int, tag uint64) api.Op {
				return api.Splice(in, position, 1, position, 4, 0, tag).With(api.FixedFile | api.FixedFD2)
			}
			t.Submit(both(0, 1), both(2, 2))
			t.StillPending(1, 2)
			t.Want(fixed(api.CancelFD(1, 3)), 2)
			t.AwaitRes(1, ecanceled)
			t.AwaitRes(2, ecanceled)
			t.Submit(both(0, 4), both(2, 5))
			t.StillPending(4, 5)
			t.Want(api.CloseSlot(2, 6), 0)
			t.AwaitRes(5, ecanceled)
			t.StillPending(4)
			t.Want(api.CloseSlot(1, 7), 0)
			t.AwaitRes(4, ecanceled)
			t.WantEnd(r2)
		},
	},
	{
		ID: "REG-12", Name: "where AnySlot looks",
		Explanation: "AnySlot is an empty slot of those that SetFileRange names, of all without it; a new table knows no range.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpSocket, api.OpFilesUpdate, api.OpClose, api.OpPipe),
		Fn: func(t *T) {
			e := t.Engine
			a, _ := t.Pair(false)
			t.slots(70)
			limit := func(at, n int) {
				t.tb.Helper()
				if err := e.SetFileRange(at, n); err != nil {
					t.Fatalf("SetFileRange(%d, %d): %v", at, n, err)
				}
			}
			install := func() int {
				slot, err := e.InstallFile(a, api.AnySlot)
				if err != nil {
					t.Fatalf("InstallFile: %v", err)
				}
				return slot
			}
			limit(63, 3)
			seen := map[int]bool{install(): true, t.wantSlot(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 1).Into(api.AnySlot)): true}
			fds := []int32{int32(a), int32(a)}
			t.WantErr(api.Pipe(new([2]int32), 0, 2).Into(api.AnySlot), syscall.ENFILE)
			t.Want(api.FilesUpdate(api.AnySlot, fds, 3), 1)
			if seen[int(fds[0])] = true; !seen[63] || !seen[64] || !seen[65] || len(seen) != 3 {
				t.Errorf("AnySlot has found %v, want 63, 64 and 65", seen)
			}
			_, err := e.InstallFile(a, api.AnySlot)
			t.wantErrno("InstallFile into a full range", err, syscall.ENFILE)
			t.Want(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 4).Into(69), 0)
			limit(65, 4)
			for range 3 {
				if slot := install(); slot < 66 || slot > 68 {
					t.Errorf("AnySlot has found %d, want one of 66 to 68", slot)
				}
			}
			t.Want(api.CloseSlot(64, 5), 0)
			_, err = e.InstallFile(a, api.AnySlot)
			t.wantErrno("InstallFile into a full range", err, syscall.ENFILE)
			limit(0, 0)
			for range 64 {
				if slot := install(); slot > 64 {
					t.Errorf("AnySlot has found %d, which is not empty", slot)
				}
			}
			_, err = e.InstallFile(a, api.AnySlot)
			t.wantErrno("InstallFile into a full table", err, syscall.ENFILE)
			limit(3, 1)
			if err := e.UnregisterFiles(); err != nil {
				t.Fatalf("UnregisterFiles: %v", err)
			}
			t.slots(2)
			if x, y := install(), install(); x+y != 1 {
				t.Errorf("in a new table AnySlot has found %d and %d, want 0 and 1", x, y)
			}
		},
	},
	{
		ID: "REG-12", Name: "errors of SetFileRange",
		Explanation: "SetFileRange is ENXIO without a table, EINVAL for a range that is not in it or has no slot, and changes nothing then.",
		Requires:    directFiles,
		Fn: func(t *T) {
			e := t.Engine
			a, _ := t.Pair(false)
			t.wantErrno("without a table", e.SetFileRange(0, 1), syscall.ENXIO)
			t.wantErrno("without a table", e.SetFileRange(0, 0), syscall.ENXIO)
			t.slots(4)
			if err := e.SetFileRange(2, 2); err != nil {
				t.Fatalf("SetFileRange: %v", err)
			}
			const most = 1<<63 - 1
			for _, r := range [][2]int64{{-1, 1}, {0, 5}, {4, 1}, {3, 2}, {2, 0}, {0, -1}, {most, 1}, {1, most}, {most, most}, {-most - 1, most}} {
				t.wantErrno("a bad range", e.SetFileRange(int(r[0]), int(r[1])), syscall.EINVAL)
			}
			for range 2 {
				if slot, err := e.InstallFile(a, api.AnySlot); err != nil || slot < 2 {
					t.Errorf("InstallFile: %d, %v, want 2 or 3", slot, err)
				}
			}
			t.CloseEngine()
			if err := e.SetFileRange(0, 0); err != api.ErrClosed {
				t.Errorf("after Close: %v", err)
			}
		},
	},
	{
		ID: "REG-13", Name: "a slot changes while an operation waits in a chain",
		Explanation: "A slot is looked up when the operation begins: in a chain when those before it have ended, and not when it is submitted.",
		Requires:    fixedFiles | api.FeatChains,
		Ops:         api.Ops(api.OpRecv, api.OpSend),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			c, d := t.Pair(false)
			first, peer := t.Pair(false)
			t.register(t.Engine, a)
			t.Submit(api.Recv(first, make([]byte, 1), 1).With(api.Link), fixed(api.Send(0, []byte("chain"), 2)))
			t.StillPending(1, 2)
			if _, err := t.Engine.UpdateFiles(0, []int{c}); err != nil {
				t.Fatalf("UpdateFiles: %v", err)
			}
			t.Put(peer, "x")
			t.AwaitRes(1, 1)
			t.AwaitRes(2, 5)
			t.WantGet(d, "chain")
		},
	},
}

// wantFile compares the content of a file.
func (t *T) wantFile(fd int, want string) {
	t.tb.Helper()
	buf := make([]byte, len(want)+1)
	n, err := unix.Pread(fd, buf, 0)
	t.must("pread", err)
	t.WantBytes(buf[:n], want)
}
