//go:build unix

package pollertest

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/readiness"
)

const (
	r = readiness.Readable
	w = readiness.Writable
	p = readiness.Priority
	h = readiness.Hangup
)

// watchdog bounds each blocking test. It is far longer than anything should take on a loaded machine.
const watchdog = 20 * time.Second

// fixture is one poller under test.
type fixture struct {
	*testing.T
	readiness.Poller
	ev  []readiness.Event
	own map[int]bool // open fds of the test, closed at its end
}

// Run checks the pollers that open makes.
func Run(t *testing.T, open func() (readiness.Poller, error)) {
	for _, c := range []struct {
		name string
		test func(f *fixture)
	}{
		{"NothingArmed", testNothingArmed},
		{"MaskTable", testMaskTable},
		{"Disarm", testDisarm},
		{"ArmReportsWhatHolds", testArmReportsWhatHolds},
		{"ReplaceInterest", testReplaceInterest},
		{"NewDataIsReported", testNewDataIsReported},
		{"Forget", testForget},
		{"ReusedNumber", testReusedNumber},
		{"ReusedNumberWithDup", testReusedNumberWithDup},
		{"BadFD", testBadFD},
		{"ClosedFD", testClosedFD},
		{"ClosedFDAmongReadyOnes", testClosedFDAmongReadyOnes},
		{"RegularFile", testRegularFile},
		{"ShortEventSlice", testShortEventSlice},
		{"ShortEventSliceWithRearm", testShortEventSliceWithRearm},
		{"HighFD", testHighFD},
		{"Timeout", testTimeout},
		{"WaitWakesUp", testWaitWakesUp},
		{"SignalStorm", testSignalStorm},
		{"OutOfBand", testOutOfBand},
		{"PollFD", testPollFD},
		{"WaitAllocs", testWaitAllocs},
		{"CloseLeavesFDs", testCloseLeavesFDs},
	} {
		t.Run(c.name, func(t *testing.T) {
			pl, err := open()
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			f := &fixture{T: t, Poller: pl, ev: make([]readiness.Event, 256), own: map[int]bool{}}
			defer func() {
				for fd := range f.own {
					f.close(fd)
				}
			}()
			dog := time.AfterFunc(watchdog, func() { panic("pollertest: " + t.Name() + " hangs") })
			defer dog.Stop()
			c.test(f)
			if err := pl.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// arm arms and expects success.
func (f *fixture) arm(fd int, in readiness.Interest) {
	f.Helper()
	if err := f.Arm(int32(fd), in); err != nil {
		f.Fatalf("Arm(%d, %s): %v", fd, name(in), err)
	}
}

// look waits not at all, or as long as a loopback needs, and returns what was reported by fd.
func (f *fixture) look() map[int]readiness.Interest {
	f.Helper()
	return f.wait(0)
}

func (f *fixture) wait(d time.Duration) map[int]readiness.Interest {
	f.Helper()
	n, err := f.Wait(f.ev, d)
	if err != nil {
		f.Fatalf("Wait(%v): %v", d, err)
	}
	got := map[int]readiness.Interest{}
	for _, e := range f.ev[:n] {
		if _, twice := got[int(e.FD)]; twice {
			f.Errorf("fd %d reported twice in one Wait", e.FD)
		}
		if e.Ready == 0 {
			f.Errorf("fd %d reported with nothing ready", e.FD)
		}
		got[int(e.FD)] = e.Ready
	}
	return got
}

// until waits until fd reports all of want, or fails.
func (f *fixture) until(fd int, want readiness.Interest) readiness.Interest {
	f.Helper()
	var all readiness.Interest
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		all |= f.wait(50 * time.Millisecond)[fd]
		if all&want == want {
			return all
		}
	}
	f.Fatalf("fd %d reported %s in 5 s, want %s", fd, name(all), name(want))
	return 0
}

// quiet fails if fd is reported by any of three looks.
func (f *fixture) quiet(fd int, when string) {
	f.Helper()
	for range 3 {
		if got := f.look()[fd]; got != 0 {
			f.Errorf("%s: fd %d reported %s, want nothing", when, fd, name(got))
			return
		}
	}
}

func name(in readiness.Interest) string {
	s := ""
	for i, c := range "RWPH" {
		if in>>i&1 != 0 {
			s += string(c)
		}
	}
	if s == "" {
		return "nothing"
	}
	return s
}

func (f *fixture) check(what string, err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

// pair makes two connected non-blocking unix sockets, closed at the end of the test.
func (f *fixture) pair() (a, b int) {
	f.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	f.check("socketpair", err)
	for _, fd := range fds {
		f.check("set non-blocking", unix.SetNonblock(fd, true))
		unix.CloseOnExec(fd)
		f.closeLater(fd)
	}
	return fds[0], fds[1]
}

// pipe makes a non-blocking pipe.
func (f *fixture) pipe() (rd, wr int) {
	f.Helper()
	var fds [2]int
	f.check("pipe", unix.Pipe(fds[:]))
	for _, fd := range fds {
		f.check("set non-blocking", unix.SetNonblock(fd, true))
		unix.CloseOnExec(fd)
		f.closeLater(fd)
	}
	return fds[0], fds[1]
}

// closeLater closes fd at the end, unless the test does it before by f.close.
func (f *fixture) closeLater(fd int) { f.own[fd] = true }

// close closes an fd of the test.
func (f *fixture) close(fd int) {
	f.Helper()
	delete(f.own, fd)
	f.check("close", unix.Close(fd))
}

// tcp makes a connected pair of TCP sockets on the loopback, non-blocking.
func (f *fixture) tcp() (a, b int) {
	f.Helper()
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	f.check("socket", err)
	defer unix.Close(ln)
	f.check("bind", unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	f.check("listen", unix.Listen(ln, 1))
	sa, err := unix.Getsockname(ln)
	f.check("getsockname", err)
	a, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	f.check("socket", err)
	f.closeLater(a)
	f.check("connect", unix.Connect(a, sa))
	b, _, err = unix.Accept(ln)
	f.check("accept", err)
	f.closeLater(b)
	f.check("set non-blocking", unix.SetNonblock(a, true))
	f.check("set non-blocking", unix.SetNonblock(b, true))
	return a, b
}

func (f *fixture) write(fd int, s string) {
	f.Helper()
	if n, err := unix.Write(fd, []byte(s)); n != len(s) {
		f.Fatalf("write to %d: %d, %v", fd, n, err)
	}
}

// fill writes until the file takes no more.
func (f *fixture) fill(fd int) {
	f.Helper()
	buf := make([]byte, 64<<10)
	for {
		if _, err := unix.Write(fd, buf); err == unix.EAGAIN {
			if len(buf) == 1 {
				return
			}
			buf = buf[:1]
		} else if err != nil {
			f.Fatalf("fill: %v", err)
		}
	}
}

// empty reads until there is nothing more.
func (f *fixture) empty(fd int) {
	f.Helper()
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EAGAIN || n == 0 && err == nil {
			return
		}
		if err != nil {
			f.Fatalf("read: %v", err)
		}
	}
}
