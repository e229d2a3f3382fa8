package conformance

import (
	"encoding/binary"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	transferOps = api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev)
	deviceOps   = transferOps | api.Ops(api.OpCancel)
)

// bothWays runs f for blocking files and for those with O_NONBLOCK, which must make no difference.
func bothWays(f func(t *T, nonblock bool)) func(*T) {
	return func(t *T) {
		for _, nonblock := range []bool{false, true} {
			f(t, nonblock)
			if t.Failed() {
				t.Fatalf("that was with O_NONBLOCK: %v", nonblock)
			}
		}
	}
}

// read is a Read at the current position.
func read(fd, n int, tag uint64) api.Op {
	return api.Read(fd, make([]byte, n), api.CurrentPosition, tag)
}

// write is a Write at the current position.
func write(fd int, s string, tag uint64) api.Op {
	return api.Write(fd, []byte(s), api.CurrentPosition, tag)
}

// readv is a Readv into buffers of these sizes.
func readv(fd int, tag uint64, sizes ...int) api.Op {
	m := &api.Msg{}
	for _, n := range sizes {
		m.Bufs = append(m.Bufs, make([]byte, n))
	}
	return api.Readv(fd, m, api.CurrentPosition, tag)
}

// writev is a Writev of these strings.
func writev(fd int, tag uint64, parts ...string) api.Op {
	return api.Writev(fd, vec(parts...), api.CurrentPosition, tag)
}

func wordOf(n uint64) string { return string(binary.NativeEndian.AppendUint64(nil, n)) }

// pipeWith is a pipe with the flags of pipe2(2).
func (t *T) pipeWith(flags int) (r, w int) {
	p := make([]int, 2)
	t.must("pipe2", unix.Pipe2(p, flags|unix.O_CLOEXEC))
	return t.Own(p[0]), t.Own(p[1])
}

// late submits op, which must wait, then calls kick, after which it must have the result res.
func (t *T) late(op api.Op, res int, kick func()) {
	t.tb.Helper()
	t.Submit(op)
	t.StillPending(op.Tag)
	kick()
	t.AwaitRes(op.Tag, res)
}

// waitsInVain submits op, which must wait, and be stopped by a cancel.
func (t *T) waitsInVain(op api.Op) {
	t.tb.Helper()
	id := t.Submit(op)[0]
	t.StillPending(op.Tag)
	t.Want(api.Cancel(id, op.Tag+1000), 0)
	t.AwaitRes(op.Tag, ecanceled)
}

// deviceCases are about reads and writes of files that are neither sockets nor regular.
var deviceCases = []Case{
	{
		ID: "DEV-9", Name: "without positions",
		Explanation: "A write at a position that the mode of the fd forbids is EBADF, also of a file that has no positions to write at.",
		Requires:    api.FeatDontWait,
		Ops:         api.Ops(api.OpWrite, api.OpWritev),
		Fn: func(t *T) {
			fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Skipf("no file of procfs: %v", err)
			}
			t.Own(fd)
			for _, off := range []int64{0, 5, api.CurrentPosition} {
				t.WantErr(api.Write(fd, []byte("x"), off, 1), unix.EBADF)
				t.WantErr(api.Writev(fd, &api.Msg{Bufs: [][]byte{[]byte("x")}}, off, 2), unix.EBADF)
				t.WantErr(api.Write(fd, []byte("x"), off, 3).With(api.DontWait), unix.EBADF)
			}
		},
	},
	{
		ID: "DEV-1", Name: "reading a pipe",
		Explanation: "A read of a pipe gives what there is, waits where there is nothing, and gives 0 when nobody writes any more, again and again.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			r, w := t.Pipe(nonblock)
			t.WantErr(read(r, 8, 1).With(api.DontWait), unix.EAGAIN)
			t.waitsInVain(read(r, 8, 2))
			part, parts, rest := read(r, 8, 3), readv(r, 4, 2, 2), read(r, 8, 5)
			t.late(part, 3, func() { t.Put(w, "abc") })
			t.late(parts, 4, func() { t.Put(w, "abcdef") })
			t.Want(rest.With(api.DontWait), 2)
			t.WantBytes(part.Buf[:3], "abc")
			t.WantBytes(slices.Concat(parts.Msg.Bufs...), "abcd")
			t.WantBytes(rest.Buf[:2], "ef")
			t.Want(read(r, 0, 6), 0)
			t.Put(w, "rest")
			t.CloseNow(w)
			t.Want(read(r, 3, 7), 3)
			t.Want(read(r, 3, 8), 1)
			for range 2 {
				t.Want(read(r, 3, 9), 0)
				t.Want(readv(r, 10, 3), 0)
				t.Want(read(r, 3, 11).With(api.DontWait), 0)
			}
			r, w = t.Pipe(nonblock)
			t.late(read(r, 8, 12), 0, func() { t.CloseNow(w) })
		}),
	},
	{
		ID: "DEV-1", Name: "FIFO",
		Explanation: "A FIFO is a pipe: a read waits for the first writer, and gives 0 when the last has gone; one that is open for both never ends.",
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			name := filepath.Join(t.TempDir(), "fifo"+strconv.FormatBool(nonblock))
			t.must("mkfifo", unix.Mkfifo(name, 0o600))
			r := t.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK)
			t.nonblock(nonblock, r)
			t.waitsInVain(read(r, 8, 1))
			w := t.OpenFile(name, unix.O_WRONLY)
			t.nonblock(nonblock, w)
			first := read(r, 8, 2)
			t.late(first, 3, func() { t.Want(write(w, "abc", 3), 3) })
			t.WantBytes(first.Buf[:3], "abc")
			t.CloseNow(w)
			t.Want(read(r, 8, 4), 0)
			both := t.OpenFile(name, unix.O_RDWR)
			t.nonblock(nonblock, both)
			t.waitsInVain(read(both, 8, 5))
			t.late(read(both, 8, 6), 2, func() { t.Put(both, "xy") })
			t.CloseNow(r)
			t.Want(write(both, "z", 7), 1)
			t.WantGet(both, "z")
			t.late(readv(both, 8, 1, 1, 8), 4, func() { t.Put(both, "bcde") })
		}),
	},
	{
		ID: "DEV-2", Name: "writing a FIFO",
		Explanation: "A write to a FIFO moves what there is room for, and does not hold up others until there is more.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps | api.Ops(api.OpNop),
		Fn: bothWays(func(t *T, nonblock bool) {
			name := filepath.Join(t.TempDir(), "fifo"+strconv.FormatBool(nonblock))
			t.must("mkfifo", unix.Mkfifo(name, 0o600))
			fd := t.OpenFile(name, unix.O_RDWR)
			full := t.Fill(fd)
			t.nonblock(nonblock, fd)
			timer := time.AfterFunc(promptTime, func() { _, _ = unix.Read(fd, make([]byte, full)) }) // lets a write go
			defer timer.Stop()
			t.WantErr(write(fd, "x", 1).With(api.DontWait), unix.EAGAIN)
			t.waitsInVain(write(fd, "x", 2))
			t.Get(fd, 8192)
			t.Submit(write(fd, strings.Repeat("y", 10000), 3), api.Nop(4))
			t.Prompt(4, 0)
			t.Prompt(3, 8192)
			t.Get(fd, 8192)
			t.Submit(writev(fd, 5, strings.Repeat("y", 5000), strings.Repeat("z", 5000)))
			t.Prompt(5, 8192)
			if t.Get(fd, full-8192); t.Get(fd, 8192) != strings.Repeat("y", 5000)+strings.Repeat("z", 3192) {
				t.Errorf("what was written is not what arrived")
			}
		}),
	},
	{
		ID: "DEV-1", Name: "packets",
		Explanation: "A read of a pipe with O_DIRECT gives one packet, of which what does not fit is lost.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			r, w := t.pipeWith(unix.O_DIRECT)
			if nonblock {
				// Not by fcntl, which takes O_DIRECT off.
				r, w = t.pipeWith(unix.O_DIRECT | unix.O_NONBLOCK)
			}
			for _, s := range []string{"hello", "world", "!"} {
				t.Want(write(w, s, 1), len(s))
			}
			for i, want := range []string{"he", "world", "!"} {
				op := read(r, []int{2, 100, 100}[i], uint64(2+i))
				t.Want(op, len(want))
				t.WantBytes(op.Buf[:len(want)], want)
			}
			t.waitsInVain(read(r, 100, 5))
		}),
	},
	{
		ID: "DEV-2", Name: "writing a pipe",
		Explanation: "A write to a pipe moves what there is room for, waits where there is none, and is EPIPE when nobody reads any more.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			r, w := t.Pipe(nonblock)
			full := t.Fill(w)
			t.WantErr(write(w, "x", 1).With(api.DontWait), unix.EAGAIN)
			t.waitsInVain(write(w, "x", 2))
			t.Get(r, 4096)
			t.Want(write(w, strings.Repeat("y", 10000), 3), 4096)
			t.Get(r, 4096)
			t.Want(writev(w, 4, strings.Repeat("y", 3000), strings.Repeat("z", 3000)), 4096)
			t.late(write(w, "late", 5), 4, func() { t.Get(r, full) })
			t.Get(r, 4)
			t.Want(write(w, strings.Repeat("y", 2*full), 6), full)
			t.late(write(w, "x", 7), neg(unix.EPIPE), func() { t.CloseNow(r) })
			t.WantErr(write(w, "x", 8), unix.EPIPE)
			t.WantErr(writev(w, 9, "x", "y"), unix.EPIPE)
			t.WantErr(write(w, "x", 10).With(api.DontWait), unix.EPIPE)
			t.Want(write(w, "", 11), 0)
		}),
	},
	{
		ID: "DEV-3", Name: "no signal",
		Explanation: "A write to a pipe or socket whose reader is gone raises no SIGPIPE, where the kernel can be told so.",
		Ops:         transferOps,
		Fn: func(t *T) {
			const noSignal = 0x100 // RWF_NOSIGNAL
			r, w := t.Pipe(false)
			if _, err := unix.Pwritev2(w, [][]byte{[]byte("x")}, -1, noSignal); err != nil {
				t.Skipf("the kernel does not know RWF_NOSIGNAL: %v", err)
			}
			if t.Options().Disable.Has(api.KernNoSignal) {
				t.Skipf("RWF_NOSIGNAL is switched off")
			}
			got := make(chan os.Signal, 8)
			// Signals that have been raised are delivered by their numbers: SIGPIPE comes before SIGWINCH.
			signal.Notify(got, unix.SIGPIPE, unix.SIGWINCH)
			defer signal.Stop(got)
			t.CloseNow(r)
			a, b := t.Pair(false)
			t.CloseNow(b)
			name := filepath.Join(t.TempDir(), "fifo")
			t.must("mkfifo", unix.Mkfifo(name, 0o600))
			r = t.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK)
			fifo := t.OpenFile(name, unix.O_WRONLY)
			t.CloseNow(r)
			for _, fd := range []int{w, a, fifo} {
				t.WantErr(write(fd, "x", 1), unix.EPIPE)
				t.WantErr(writev(fd, 2, "x", "y"), unix.EPIPE)
				t.must("kill", unix.Kill(os.Getpid(), unix.SIGWINCH))
				if s := <-got; s != unix.SIGWINCH {
					t.Errorf("the write has raised %v", s)
				}
			}
		},
	},
	{
		ID: "DEV-6", Name: "eventfd",
		Explanation: "A write to an eventfd adds, waits while the sum is too large, and is EINVAL for less than 8 bytes or the largest number.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			const most = 1<<64 - 2
			fd := t.eventfd(3, nonblock)
			t.Want(write(fd, wordOf(4), 1), 8)
			t.Want(api.Write(fd, []byte(wordOf(1)), 7, 2), 8)
			t.Want(write(fd, wordOf(1), 3).With(api.DontWait), 8)
			buf := make([]byte, 16)
			t.Want(api.Read(fd, buf, 5, 4), 8)
			if n := binary.NativeEndian.Uint64(buf); n != 9 {
				t.Errorf("the eventfd had %d, want 9", n)
			}
			t.WantErr(write(fd, wordOf(1<<64-1), 5), unix.EINVAL)
			for _, s := range []string{"1234567", wordOf(1) + "9"} {
				t.WantErr(write(fd, s, 6), unix.EINVAL)
			}
			t.WantErr(writev(fd, 7, wordOf(1)[:4], wordOf(1)[4:]), unix.EINVAL)
			t.WantErr(read(fd, 7, 8), unix.EINVAL)
			t.Want(write(fd, "", 9), 0)
			t.Want(writev(fd, 10), 0)
			t.Want(write(fd, wordOf(most-10), 11), 8)
			t.Want(write(fd, wordOf(10), 12), 8)
			t.WantErr(write(fd, wordOf(1), 13).With(api.DontWait), unix.EAGAIN)
			t.waitsInVain(write(fd, wordOf(1), 14))
			t.late(write(fd, wordOf(1), 15), 8, func() { t.Get(fd, 8) })
		}),
	},
	{
		ID: "DEV-6", Name: "not enough room in an eventfd",
		Explanation: "A write to an eventfd waits for room for all of its number, although poll(2) says that there is room.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps | api.Ops(api.OpNop),
		Fn: bothWays(func(t *T, nonblock bool) {
			fd := t.eventfd(1<<64-10, nonblock)
			timer := time.AfterFunc(promptTime, func() { _, _ = unix.Read(fd, make([]byte, 8)) }) // lets a write go
			defer timer.Stop()
			t.WantErr(write(fd, wordOf(20), 1).With(api.DontWait), unix.EAGAIN)
			t.Submit(write(fd, wordOf(20), 2), api.Nop(3))
			t.Prompt(3, 0)
			t.StillPending(2)
			t.Get(fd, 8)
			t.Prompt(2, 8)
		}),
	},
	{
		ID: "DEV-6", Name: "semaphore",
		Explanation: "A read of an eventfd with EFD_SEMAPHORE takes 1.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: func(t *T) {
			fd, err := unix.Eventfd(2, unix.EFD_CLOEXEC|unix.EFD_SEMAPHORE)
			t.must("eventfd", err)
			t.Own(fd)
			for range 2 {
				buf := make([]byte, 8)
				t.Want(api.Read(fd, buf, api.CurrentPosition, 1), 8)
				if n := binary.NativeEndian.Uint64(buf); n != 1 {
					t.Errorf("read %d, want 1", n)
				}
			}
			t.WantErr(read(fd, 8, 2).With(api.DontWait), unix.EAGAIN)
			t.late(read(fd, 8, 3), 8, func() { t.Want(write(fd, wordOf(1), 4), 8) })
		},
	},
	{
		ID: "DEV-7", Name: "timerfd",
		Explanation: "A read of a timerfd waits until it expires and gives 8 bytes; less, and a write, is EINVAL.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
			t.must("timerfd_create", err)
			t.Own(fd)
			t.nonblock(nonblock, fd)
			arm := func() {
				t.must("timerfd_settime", unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}, nil))
			}
			t.WantErr(read(fd, 8, 1).With(api.DontWait), unix.EAGAIN)
			t.waitsInVain(read(fd, 8, 2))
			t.late(read(fd, 64, 3), 8, arm)
			t.late(readv(fd, 4, 4, 4), 8, arm)
			t.WantErr(read(fd, 7, 5), unix.EINVAL)
			t.WantErr(write(fd, wordOf(1), 6), unix.EINVAL)
			t.Want(read(fd, 0, 7), 0)
		}),
	},
	{
		ID: "DEV-7", Name: "signalfd",
		Explanation: "A read of a signalfd waits for a signal, and less than the 128 bytes of one is EINVAL; so is a write.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			fd, err := unix.Signalfd(-1, &unix.Sigset_t{}, unix.SFD_CLOEXEC)
			t.must("signalfd", err)
			t.Own(fd)
			t.nonblock(nonblock, fd)
			t.WantErr(read(fd, 128, 1).With(api.DontWait), unix.EAGAIN)
			t.waitsInVain(read(fd, 128, 2))
			t.WantErr(read(fd, 127, 3), unix.EINVAL)
			t.WantErr(write(fd, "x", 4), unix.EINVAL)
		}),
	},
	{
		ID: "DEV-7", Name: "inotify",
		Explanation: "A read of an inotify fd waits for an event and gives whole ones; EINVAL when the buffer is too small; a readv completes with what fits into the first buffers.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
			t.must("inotify_init1", err)
			t.Own(fd)
			t.nonblock(nonblock, fd)
			dir := filepath.Join(t.TempDir(), strconv.FormatBool(nonblock))
			t.must("mkdir", os.Mkdir(dir, 0o700))
			_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE)
			t.must("inotify_add_watch", err)
			const size = unix.SizeofInotifyEvent + 16 // of the event of a short name
			made := 0
			event := func() {
				made++
				t.must("mkdir", os.Mkdir(filepath.Join(dir, strconv.Itoa(made)), 0o700))
			}
			t.WantErr(read(fd, 100, 1).With(api.DontWait), unix.EAGAIN)
			t.waitsInVain(read(fd, 100, 2))
			t.late(read(fd, 100, 3), size, event)
			timer := time.AfterFunc(promptTime, event) // lets a read go
			defer timer.Stop()
			t.late(readv(fd, 4, size, size), size, event)
			t.late(read(fd, size-1, 5), neg(unix.EINVAL), event)
			event()
			t.Want(read(fd, 100, 6), 2*size)
			t.WantErr(write(fd, "x", 7), unix.EBADF)
		}),
	},
	{
		ID: "DEV-8", Name: "neither read nor written",
		Explanation: "A read or write of a pidfd or an epoll fd is EINVAL at once, whatever waits there.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: func(t *T) {
			pid, err := unix.PidfdOpen(os.Getpid(), 0)
			t.must("pidfd_open", err)
			empty, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			t.must("epoll_create1", err)
			full, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			t.must("epoll_create1", err)
			t.must("epoll_ctl", unix.EpollCtl(full, unix.EPOLL_CTL_ADD, t.eventfd(1, false), &unix.EpollEvent{Events: unix.EPOLLIN}))
			for _, fd := range []int{pid, empty, full} {
				t.Own(fd)
				for range 2 {
					for tag, op := range []api.Op{read(fd, 8, 0), readv(fd, 0, 8), write(fd, "x", 0), writev(fd, 0, "x"), write(fd, "", 0),
						api.Read(fd, make([]byte, 8), 5, 0), read(fd, 8, 0).With(api.DontWait), write(fd, "x", 0).With(api.DontWait)} {
						op.Tag = uint64(tag)
						t.Submit(op)
						t.Prompt(op.Tag, neg(unix.EINVAL))
					}
				}
			}
		},
	},
	{
		ID: "DEV-8", Name: "number is used again",
		Explanation: "When the number of an epoll fd has become that of a pipe, reads of it are as those of any pipe.",
		Ops:         deviceOps,
		Fn: func(t *T) {
			fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			t.must("epoll_create1", err)
			t.Own(fd)
			t.WantErr(read(fd, 8, 1), unix.EINVAL)
			r, w := t.Pipe(false)
			t.renumber(r, fd)
			t.late(read(fd, 8, 2), 3, func() { t.Put(w, "abc") })
		},
	},
	{
		ID: "DEV-9", Name: "O_PATH",
		Explanation: "A read, write or poll of an fd with O_PATH is EBADF.",
		Ops:         transferOps | pollOps,
		Fn: func(t *T) {
			for _, name := range []string{t.FilePath("abc"), t.TempDir(), "/dev/null"} {
				fd := t.OpenFile(name, unix.O_PATH)
				t.WantErr(read(fd, 1, 1), unix.EBADF)
				t.WantErr(write(fd, "x", 2), unix.EBADF)
				t.WantErr(readv(fd, 3, 1), unix.EBADF)
				t.WantErr(writev(fd, 4, "x"), unix.EBADF)
				t.WantErr(api.Poll(fd, api.PollIn, 5), unix.EBADF)
			}
		},
	},
	{
		ID: "DEV-9", Name: "modes",
		Explanation: "A read or write, of vectors and of nothing too, that the mode of the fd forbids is EBADF, and of a directory EISDIR or EBADF.",
		Requires:    api.FeatDontWait,
		Ops:         transferOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			flags := 0
			if nonblock {
				flags = unix.O_NONBLOCK
			}
			for _, name := range []string{t.FilePath("abc"), "/dev/null"} {
				ro, wo := t.OpenFile(name, unix.O_RDONLY|flags), t.OpenFile(name, unix.O_WRONLY|flags)
				t.WantErr(read(wo, 1, 1), unix.EBADF)
				t.WantErr(readv(wo, 2, 1), unix.EBADF)
				t.WantErr(read(wo, 1, 3).With(api.DontWait), unix.EBADF)
				t.WantErr(write(ro, "x", 4), unix.EBADF)
				t.WantErr(writev(ro, 5, "x"), unix.EBADF)
				t.WantErr(write(ro, "", 6), unix.EBADF)
				t.WantErr(write(ro, "x", 7).With(api.DontWait), unix.EBADF)
			}
			dir := t.OpenFile(t.TempDir(), unix.O_RDONLY|flags)
			t.WantErr(read(dir, 1, 8), unix.EISDIR)
			t.WantErr(readv(dir, 9, 1), unix.EISDIR)
			t.WantErr(api.Read(dir, make([]byte, 1), 5, 10), unix.EISDIR)
			t.WantErr(read(dir, 1, 11).With(api.DontWait), unix.EISDIR)
			t.WantErr(write(dir, "x", 12), unix.EBADF)
		}),
	},
	{
		ID: "DEV-10", Name: "null zero and full",
		Explanation: "The devices that are always ready do what null(4), zero(4) and full(4) say, at any position, with vectors, and for 0 bytes.",
		Requires:    api.FeatDontWait,
		Ops:         transferOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			flags := unix.O_RDWR
			if nonblock {
				flags |= unix.O_NONBLOCK
			}
			for _, d := range []struct {
				name        string
				read, write int
			}{{"/dev/null", 0, 5}, {"/dev/zero", 5, 5}, {"/dev/full", 5, neg(unix.ENOSPC)}} {
				fd := t.OpenFile(d.name, flags)
				for _, off := range []int64{api.CurrentPosition, 0, 5, 1 << 40} {
					buf := []byte("abcde")
					t.Want(api.Read(fd, buf, off, 1), d.read)
					if d.read > 0 {
						t.WantBytes(buf, "\x00\x00\x00\x00\x00")
					}
					t.Want(api.Write(fd, buf, off, 2), d.write)
				}
				t.Want(readv(fd, 3, 2, 0, 3), d.read)
				t.Want(writev(fd, 4, "ab", "", "cde"), d.write)
				t.Want(read(fd, 5, 5).With(api.DontWait), d.read)
				t.Want(write(fd, "abcde", 6).With(api.DontWait), d.write)
				t.Want(read(fd, 0, 7), 0)
				t.Want(write(fd, "", 8), 0)
				t.Want(writev(fd, 9), 0)
			}
		}),
	},
	{
		ID: "DEV-11", Name: "files that need no disk",
		Explanation: "Files of /proc and /sys, and those in memory, are read and written like regular ones, with DontWait too.",
		Requires:    api.FeatDontWait,
		Ops:         transferOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			flags := 0
			if nonblock {
				flags = unix.O_NONBLOCK
			}
			for _, name := range []string{"/proc/version", "/proc/self/mounts", "/proc/sys/kernel/ostype", "/sys/kernel/uevent_seqnum"} {
				want, err := os.ReadFile(name)
				if err != nil {
					continue // not every container has it
				}
				for _, f := range []api.OpFlags{0, api.DontWait} {
					fd := t.OpenFile(name, flags)
					t.Want(read(fd, 1, 1).With(f), 1)
					buf := make([]byte, 1)
					t.Want(api.Read(fd, buf, 0, 2).With(f), 1)
					t.WantBytes(buf, string(want[:1]))
					t.Want(api.Read(fd, buf, 1<<20, 3).With(f), 0)
					t.WantErr(write(fd, "x", 4).With(f), unix.EBADF)
				}
			}
			fd, err := unix.MemfdCreate("conformance", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
			t.must("memfd_create", err)
			t.Own(fd)
			t.nonblock(nonblock, fd)
			t.Want(write(fd, "hello", 5), 5)
			t.Want(write(fd, " world", 6).With(api.DontWait), 6)
			buf := make([]byte, 20)
			t.Want(api.Read(fd, buf, 0, 7).With(api.DontWait), 11)
			t.WantBytes(buf[:11], "hello world")
			_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
			t.must("fcntl", err)
			t.WantErr(write(fd, "x", 8), unix.EPERM)
			t.WantErr(write(fd, "x", 9).With(api.DontWait), unix.EPERM)
		}),
	},
	{
		ID: "DEV-12", Name: "log of the kernel",
		Explanation: "A read of a file in /proc that has nothing to be read waits, whatever O_NONBLOCK says, and can be cancelled.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			fd, err := unix.Open("/proc/kmsg", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
			if err != nil {
				t.Skipf("open /proc/kmsg: %v", err)
			}
			t.Own(fd)
			for {
				if _, err := readNow(fd, make([]byte, 1<<16)); err != nil {
					break
				}
			}
			t.nonblock(nonblock, fd)
			for _, op := range []api.Op{read(fd, 100, 1), readv(fd, 1, 100), api.Read(fd, make([]byte, 100), 0, 1)} {
				id := t.Submit(op)[0]
				t.Perform()
				t.Want(api.Cancel(id, 2), 0)
				t.AwaitRes(1, ecanceled)
			}
			t.WantErr(read(fd, 100, 3).With(api.DontWait), unix.EAGAIN)
		}),
	},
}
