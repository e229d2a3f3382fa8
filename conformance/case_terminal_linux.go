package conformance

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// terminalCases are about reads and writes of terminals.
var terminalCases = []Case{
	{
		ID: "DEV-4", Name: "terminal by lines",
		Explanation: "A read of a terminal waits for a line and gives no more than that, or 0 for an end of file.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			m, s := t.terminal(false, nonblock)
			t.WantErr(read(s, 100, 1).With(api.DontWait), unix.EAGAIN)
			t.Put(m, "half")
			t.waitsInVain(read(s, 100, 2))
			t.late(read(s, 100, 3), 9, func() { t.Put(m, "line\n") })
			t.Put(m, "one\ntwo\n")
			t.ready(s, unix.POLLIN)
			t.Want(read(s, 2, 4), 2)
			t.Want(readv(s, 5, 1, 1, 50), 2)
			t.Want(api.Read(s, make([]byte, 100), 7, 6), 4)
			t.Want(read(s, 0, 7), 0)
			t.late(read(s, 100, 8), 0, func() { t.Put(m, "\x04") })
			t.waitsInVain(read(s, 100, 9))
		}),
	},
	{
		ID: "DEV-4", Name: "raw terminal",
		Explanation: "A read of a terminal in raw mode, and of the master of one, gives what there is.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			m, s := t.terminal(true, nonblock)
			for _, ends := range [][2]int{{m, s}, {s, m}} {
				from, to := ends[0], ends[1]
				t.WantErr(read(to, 100, 1).With(api.DontWait), unix.EAGAIN)
				t.waitsInVain(read(to, 100, 2))
				t.late(read(to, 100, 3), 1, func() { t.Want(write(from, "x", 4), 1) })
				t.Want(writev(from, 5, "abc", "", "def"), 6)
				got := ""
				for len(got) < 6 {
					buf := make([]byte, 6-len(got))
					c := t.Do(api.Read(to, buf, api.CurrentPosition, 6))
					if c.Res <= 0 {
						t.Fatalf("got %s", show(&c))
					}
					got += string(buf[:c.Res])
				}
				t.WantBytes([]byte(got), "abcdef")
			}
		}),
	},
	{
		ID: "DEV-4", Name: "end of a terminal",
		Explanation: "When its master is gone, a terminal is read to 0, and written with EIO; when no terminal is open, its master is read with EIO.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			m, s := t.terminal(true, nonblock)
			t.late(read(s, 8, 1), 0, func() { t.CloseNow(m) })
			t.Want(read(s, 8, 2), 0)
			t.Want(read(s, 8, 3).With(api.DontWait), 0)
			t.WantErr(write(s, "x", 4), unix.EIO)
			t.WantErr(write(s, "x", 5).With(api.DontWait), unix.EIO)
			m, s = t.terminal(true, nonblock)
			t.late(read(m, 8, 6), neg(unix.EIO), func() { t.CloseNow(s) })
			t.WantErr(read(m, 8, 7), unix.EIO)
			t.WantErr(read(m, 8, 8).With(api.DontWait), unix.EIO)
		}),
	},
	{
		ID: "DEV-5", Name: "full terminal",
		Explanation: "A write to a terminal moves what there is room for and holds up nobody; without room it waits, and can be cancelled.",
		Requires:    api.FeatDontWait,
		Ops:         deviceOps | api.Ops(api.OpNop),
		Fn: bothWays(func(t *T, nonblock bool) {
			for _, raw := range []bool{true, false} {
				m, s := t.terminal(raw, nonblock)
				timer := time.AfterFunc(promptTime, func() { _ = unix.IoctlSetInt(s, unix.TCFLSH, unix.TCIOFLUSH) }) // lets a write go
				data := strings.Repeat("0123456789abcde\n", 1<<13)
				left := len(data)
				for n := 0; ; left -= n {
					t.Submit(write(s, data[len(data)-left:], 1), api.Nop(2))
					t.Prompt(2, 0)
					if t.stillWaits(1) {
						break
					}
					c := t.Await(1)
					if n = int(c.Res); n <= 0 || n >= left {
						t.Fatalf("with %d bytes left: %s", left, show(&c))
					}
				}
				timer.Stop()
				t.WantErr(write(s, "x", 3).With(api.DontWait), unix.EAGAIN)
				got := t.Get(m, 4096)
				// The kernel makes room when it likes: not for each piece that is read.
				t.nonblock(true, m)
				for buf := make([]byte, 1024); t.stillWaits(1) && api.Now() < t.deadline(); {
					_, _ = readNow(m, buf)
				}
				t.nonblock(nonblock, m)
				c := t.Await(1)
				if c.Res <= 0 {
					t.Errorf("with room again: %s", show(&c))
				}
				if !strings.HasPrefix(strings.ReplaceAll(got, "\r", ""), data[:3000]) {
					t.Errorf("what arrives is not what was written: %s", quote(got))
				}
			}
		}),
	},
	{
		ID: "DEV-5", Name: "flags",
		Explanation: "A write to a terminal or eventfd leaves the file-status flags as they were.",
		Ops:         transferOps,
		Fn: bothWays(func(t *T, nonblock bool) {
			_, s := t.terminal(true, nonblock)
			for _, fd := range []int{s, t.eventfd(0, nonblock)} {
				was := t.Flags(fd)
				t.Want(write(fd, wordOf(1), 1), 8)
				if now := t.Flags(fd); now != was {
					t.Errorf("the flags were %#x and are %#x", was, now)
				}
			}
		}),
	},
}

// terminal is a pseudoterminal, the master and the terminal itself.
func (t *T) terminal(raw, nonblock bool) (m, s int) {
	m = t.OpenFile("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY)
	t.must("TIOCSPTLCK", unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	t.must("TIOCGPTN", err)
	s = t.OpenFile("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY)
	mode, err := unix.IoctlGetTermios(s, unix.TCGETS)
	t.must("TCGETS", err)
	mode.Lflag &^= unix.ECHO
	if raw {
		mode.Iflag, mode.Oflag, mode.Lflag = 0, 0, 0
	}
	t.must("TCSETS", unix.IoctlSetTermios(s, unix.TCSETS, mode))
	t.nonblock(nonblock, m, s)
	return m, s
}

// stillWaits looks for a while whether the operation with the tag completes, and says whether it does not.
func (t *T) stillWaits(tag uint64) bool {
	for end := api.After(lookTime); api.Now() < end; {
		t.pull(1, end)
	}
	return !slices.ContainsFunc(t.stash, func(c api.Completion) bool { return c.Tag == tag })
}
