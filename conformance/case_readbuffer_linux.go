package conformance

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// counter is a number as an eventfd has it.
func counter(n uint64) string { return string(binary.NativeEndian.AppendUint64(nil, n)) }

// selectedSystemCases are those on provided buffers that only Linux can have.
func selectedSystemCases() []Case { return slices.Concat(readDeviceCases, partsControlCases) }

// readDeviceCases are about reads into buffers of a group from files that are neither sockets nor pipes nor regular.
var readDeviceCases = []Case{
	{
		ID: "RDB-8", Name: "special files",
		Explanation: "A ReadBuffer of a terminal, an eventfd, a timerfd, a FIFO or inotify waits, can be cancelled, and gives what a read gives.",
		Requires:    api.FeatBufferGroups | api.FeatDontWait,
		Ops:         readOnly | api.Ops(api.OpCancel),
		Fn: bothWays(func(t *T, nonblock bool) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 64})
			for _, s := range t.specials(nonblock) {
				t.WantErr(current(s.fd, 0, 1).With(api.DontWait), unix.EAGAIN)
				t.waitsInVain(current(s.fd, 0, 2))
				t.Submit(current(s.fd, 0, 3))
				t.StillPending(3)
				s.kick()
				c := t.Await(3)
				s.check(c.Buf)
				t.Release(g, c.Lease)
				s.kick()
				t.ready(s.fd, unix.POLLIN)
				c = t.Do(current(s.fd, 0, 4).With(api.DontWait))
				s.check(c.Buf)
				t.Release(g, c.Lease)
				if t.Failed() {
					t.Fatalf("that was %s", s.what)
				}
				t.available(g, 2)
			}
			t.must("close the group", g.Close())
		}),
	},
	{
		ID: "RDB-2", Name: "around the page cache",
		Explanation: "Of a file with O_DIRECT, too, reads at the position of the file move it, those at an offset do not, and each gets what comes next.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			const n = 8
			content := numbered(n + 1)[:n*block+512]
			fd := t.direct(t.FilePath(content), unix.O_RDONLY)
			g := t.Group(api.BufferGroupOptions{Count: n, Size: block})
			t.into(g, current(fd, 0, 1), content[:block])
			t.into(g, api.ReadBuffer(fd, 0, 5*block, 2), content[5*block:6*block])
			if at := t.Offset(fd); at != block {
				t.Errorf("the position of the file is %d, want %d", at, block)
			}
			for i := 1; i < 6; i++ {
				t.Submit(current(fd, 0, uint64(i)))
			}
			for i := 1; i < 6; i++ {
				c := t.Await(uint64(i))
				t.WantRes(&c, block)
				t.WantBytes(c.Buf, content[i*block:(i+1)*block])
				t.Release(g, c.Lease)
			}
			t.into(g, current(fd, 0, 7).With(api.Unordered), content[6*block:7*block])
			t.into(g, current(fd, 0, 8), content[7*block:8*block])
			t.into(g, current(fd, 0, 9), content[8*block:])
			if at := t.Offset(fd); at != int64(len(content)) {
				t.Errorf("the position of the file is %d at the end, want %d", at, len(content))
			}
			t.available(g, n)
		},
	},
	{
		ID: "RDB-8", Name: "too small",
		Explanation: "A ReadBuffer of an eventfd into a buffer of less than 8 bytes is EINVAL, and one of a pidfd or epoll fd always.",
		Requires:    readMultishotFeats,
		Ops:         readOnly | readAndMore,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4})
			fd := t.eventfd(1, false)
			t.WantErr(current(fd, 0, 1), unix.EINVAL)
			t.WantErr(api.ReadMultishot(fd, 0, 2), unix.EINVAL)
			r, _ := t.Pipe(false)
			ep, _ := t.epollOf(r)
			_, pid := t.forked()
			for _, fd := range []int{ep, pid} {
				t.WantErr(current(fd, 0, 3), unix.EINVAL)
				t.WantErr(current(fd, 0, 4).With(api.DontWait), unix.EINVAL)
				t.WantErr(api.ReadMultishot(fd, 0, 5), unix.EINVAL)
			}
			t.available(g, 2)
		},
	},
	{
		ID: "RDB-8", Name: "files of procfs and devices",
		Explanation: "A ReadBuffer of a file in /proc or of /dev/zero gives what a read gives, with DontWait too, and one of /dev/null 0.",
		Requires:    api.FeatBufferGroups | api.FeatDontWait,
		Ops:         readOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 64})
			for _, f := range []api.OpFlags{0, api.DontWait} {
				version := t.OpenFile("/proc/version", unix.O_RDONLY)
				want, err := os.ReadFile("/proc/version")
				t.must("reading /proc/version", err)
				t.into(g, current(version, 0, 1).With(f), string(want[:64]))
				t.into(g, api.ReadBuffer(version, 0, 6, 2).With(f), string(want[6:70]))
				t.into(g, current(t.OpenFile("/dev/zero", unix.O_RDONLY), 0, 3).With(f), strings.Repeat("\x00", 64))
				t.Want(current(t.OpenFile("/dev/null", unix.O_RDONLY), 0, 4).With(f), 0)
			}
			t.available(g, 2)
		},
	},
	{
		ID: "RDB-5", Name: "a buffer that a worker has",
		Explanation: "Whoever has DontWait does not wait either for a buffer that a read of a file in /proc has taken and not filled yet.",
		Requires:    api.FeatBufferGroups | api.FeatDontWait,
		Ops:         readOnly | api.Ops(api.OpRecv, api.OpRecvMsg),
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 1, Size: 8})
			a, _ := t.Pair(false)
			for _, op := range []api.Op{api.RecvBuffer(a, 0, 1), api.RecvBuffer(a, 0, 1).With(api.Bundle), api.RecvMsgBuffer(a, 0, new(api.Msg), 1), current(a, 0, 1)} {
				version := t.OpenFile("/proc/version", unix.O_RDONLY)
				t.Submit(current(version, 0, 2), op.With(api.DontWait))
				if c := t.Await(1); int(c.Res) != neg(unix.EAGAIN) && int(c.Res) != neg(unix.ENOBUFS) { // as far as the read has come
					t.Errorf("got %s, want EAGAIN or ENOBUFS", show(&c))
				}
				c := t.Await(2)
				t.Release(g, c.Lease)
				t.available(g, 1)
			}
		},
	},
	{
		ID: "RDB-9", Name: "positions of what has none",
		Explanation: "A ReadBuffer of a pipe, a socket, an eventfd or a device of characters does not heed its position, however large.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 64})
			for _, off := range []int64{0, 7, 1<<63 - 1} {
				t.eachSourceOfBytes(func(r, w int) {
					t.Put(w, "data")
					t.into(g, api.ReadBuffer(r, 0, off, 1), "data")
				})
				t.into(g, api.ReadBuffer(t.eventfd(3, false), 0, off, 2), counter(3))
				t.into(g, api.ReadBuffer(t.OpenFile("/dev/zero", unix.O_RDONLY), 0, off, 4), strings.Repeat("\x00", 64))
				t.Want(api.ReadBuffer(t.OpenFile("/dev/null", unix.O_RDONLY), 0, off, 5), 0)
			}
			t.WantErr(api.ReadBuffer(t.File("x"), 0, 1<<63-1, 3), unix.EINVAL)
			t.available(g, 2)
		},
	},
	{
		ID: "RDM-7", Name: "special files",
		Explanation: "A ReadMultishot goes on for ever on a terminal, an eventfd, a timerfd, a FIFO and inotify, a record or line at a time.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore | api.Ops(api.OpCancel),
		Fn: bothWays(func(t *T, nonblock bool) {
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 64})
			for _, s := range t.specials(nonblock) {
				id := t.Submit(api.ReadMultishot(s.fd, 0, 1))[0]
				t.StillPending(1)
				for range 6 {
					s.kick()
					c := t.Await(1)
					if !c.More() || !c.Flags.Has(api.Buffer) {
						t.Fatalf("of %s: %s", s.what, show(&c))
					}
					s.check(c.Buf)
					t.Release(g, c.Lease)
					t.StillPending(1)
				}
				t.Want(api.Cancel(id, 2), 0)
				t.AwaitRes(1, ecanceled)
				if t.Failed() {
					t.Fatalf("that was %s", s.what)
				}
			}
			t.available(g, 4)
			t.must("close the group", g.Close())
		}),
	},
	{
		ID: "RDM-7", Name: "end of a terminal",
		Explanation: "A ReadMultishot of a terminal ends with 0 when the master has gone, and on the master with EIO when the terminal has.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: bothWays(func(t *T, nonblock bool) {
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 64})
			m, s := t.terminal(true, nonblock)
			t.Submit(api.ReadMultishot(s, 0, 1))
			t.Perform()
			t.Put(m, "x")
			t.Release(g, t.WantBuffer(1, "x"))
			t.CloseNow(m)
			t.AwaitRes(1, 0)
			m, s = t.terminal(true, nonblock)
			t.Submit(api.ReadMultishot(m, 0, 2))
			t.StillPending(2)
			t.CloseNow(s)
			t.AwaitRes(2, neg(unix.EIO))
			t.available(g, 4)
			t.must("close the group", g.Close())
		}),
	},
	{
		ID: "RDM-8", Name: "records",
		Explanation: "A ReadMultishot gives a datagram or record per buffer, cut to its size, and an empty one ends it with 0.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
			for _, pair := range []func() (a, b int){t.Dgrams, t.UDP, func() (a, b int) { return t.Records(false) }} {
				a, b := pair()
				t.Submit(api.ReadMultishot(a, 0, 1))
				t.Perform()
				for _, s := range []string{"ab", "too long", "cd"} {
					_, err := unix.Write(b, []byte(s))
					t.must("write", err)
					t.Release(g, t.WantBuffer(1, s[:min(len(s), 4)]))
				}
				t.must("send", unix.Send(b, nil, 0))
				t.AwaitRes(1, 0)
			}
			t.available(g, 4)
		},
	},
	{
		ID: "RDM-2", Name: "devices that are always ready",
		Explanation: "A ReadMultishot of /dev/null, /dev/zero or a file in /proc is EBADFD, also of one that can be polled.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 64})
			for _, name := range []string{"/dev/null", "/dev/zero", "/proc/version", "/proc/self/mounts"} {
				t.WantErr(api.ReadMultishot(t.OpenFile(name, unix.O_RDONLY), 0, 1), unix.EBADFD)
			}
			t.WantErr(api.ReadMultishot(t.OpenFile("/dev/null", unix.O_WRONLY), 0, 2), unix.EBADF)
			t.WantErr(api.ReadMultishot(t.OpenFile("/dev/null", unix.O_PATH), 0, 3), unix.EBADF)
			t.available(g, 2)
		},
	},
}

const eBadFD = unix.EBADFD

// special is a file that is waited for. kick gives it something, and check looks at what is read then.
type special struct {
	what  string
	fd    int
	kick  func()
	check func([]byte)
}

func (t *T) specials(nonblock bool) []special {
	m, raw := t.terminal(true, nonblock)
	lm, lines := t.terminal(false, nonblock)
	ev := t.eventfd(0, nonblock)
	timer := t.timerfd()
	in, dir := t.inotify()
	fifo, name := t.fifo()
	w := t.OpenFile(name, unix.O_WRONLY)
	t.nonblock(nonblock, timer, in, fifo)
	made := 0
	is := func(want string) func([]byte) { return func(b []byte) { t.tb.Helper(); t.WantBytes(b, want) } }
	return []special{
		{"a terminal", raw, func() { t.Put(m, "keys") }, is("keys")},
		{"a master", m, func() { t.Put(raw, "shown") }, is("shown")},
		{"a terminal by lines", lines, func() { t.Put(lm, "line\n") }, is("line\n")},
		{"an eventfd", ev, func() { t.Put(ev, counter(5)) }, is(counter(5))},
		{"a timerfd", timer, func() {
			t.must("timerfd_settime", unix.TimerfdSettime(timer, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(time.Millisecond))}, nil))
		}, is(counter(1))},
		{"inotify", in, func() {
			made++
			t.must("making a file", os.WriteFile(dir+"/"+string(rune('a'+made)), nil, 0o600))
		}, func(b []byte) {
			if len(b) != unix.SizeofInotifyEvent+16 || b[unix.SizeofInotifyEvent] != byte('a'+made) {
				t.Errorf("got %q", b)
			}
		}},
		{"a FIFO", fifo, func() { t.Put(w, "named") }, is("named")},
	}
}
