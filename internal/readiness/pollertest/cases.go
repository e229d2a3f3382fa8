//go:build unix

package pollertest

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/readiness"
)

func testNothingArmed(f *fixture) {
	if got := f.look(); len(got) != 0 {
		f.Errorf("a new poller reports %v", got)
	}
	if got := f.wait(time.Millisecond); len(got) != 0 {
		f.Errorf("a new poller reports %v", got)
	}
	f.check("Arm(0) of an unknown fd", f.Arm(0, 0))
	f.Forget(0)
	f.Forget(1 << 20)
	f.Forget(-1)
	if f.Traits().MaxFD < 0 {
		f.Errorf("MaxFD = %d", f.Traits().MaxFD)
	}
}

// The table in notes/semantics.md, as far as it can be had without a network. A hang-up shows as Hangup, or
// as readiness where the call cannot tell them apart.
func testMaskTable(f *fixture) {
	for _, c := range []struct {
		name string
		make func() int
		in   readiness.Interest
		want readiness.Interest // all of these; for a level-triggered poller no more, but for Hangup
		hup  bool               // Hangup, or whatever else of in
	}{
		{"unix idle", func() int { a, _ := f.pair(); return a }, r | w, w, false},
		{"unix data", func() int { a, b := f.pair(); f.write(b, "x"); return a }, r | w, r | w, false},
		{"unix data, reader only", func() int { a, b := f.pair(); f.write(b, "x"); return a }, r, r, false},
		{"unix peer closed", func() int { a, b := f.pair(); f.close(b); return a }, r | w, r | w, true},
		{"unix peer shut down", func() int { a, b := f.pair(); unix.Shutdown(b, unix.SHUT_WR); return a }, r, r, false},
		{"unix full", func() int { a, _ := f.pair(); f.fill(a); return a }, r | w, 0, false},
		{"unix full, peer shut down, writer only", func() int { a, b := f.pair(); f.fill(a); unix.Shutdown(b, unix.SHUT_WR); return a }, w, 0, false},
		{"pipe empty", func() int { a, _ := f.pipe(); return a }, r, 0, false},
		{"pipe data", func() int { a, b := f.pipe(); f.write(b, "x"); return a }, r, r, false},
		{"pipe data and writer closed", func() int { a, b := f.pipe(); f.write(b, "x"); f.close(b); return a }, r, r, true},
		{"pipe writer closed", func() int { a, b := f.pipe(); f.close(b); return a }, r, 0, true},
		{"pipe writable", func() int { _, b := f.pipe(); return b }, w, w, false},
		{"pipe full", func() int { _, b := f.pipe(); f.fill(b); return b }, w, 0, false},
		{"pipe reader closed", func() int { a, b := f.pipe(); f.close(a); return b }, w, w, true},
		{"pipe full and reader closed", func() int { a, b := f.pipe(); f.fill(b); f.close(a); return b }, w, 0, true},
		{"TCP idle", func() int { a, _ := f.tcp(); return a }, r | w, w, false},
		{"TCP peer closed", func() int { a, b := f.tcp(); f.close(b); return a }, r, r, false},
	} {
		f.Run(c.name, func(t *testing.T) {
			f := &fixture{T: t, Poller: f.Poller, ev: f.ev, own: f.own}
			fd := c.make()
			f.arm(fd, c.in)
			defer f.Forget(int32(fd))
			var got readiness.Interest
			// A FIN takes its time, even on the loopback.
			for range 100 {
				if got |= f.look()[fd]; got&c.want == c.want && (!c.hup || got&h != 0 || got&c.in != 0) {
					break
				}
				time.Sleep(time.Millisecond)
			}
			if got&c.want != c.want {
				f.Errorf("armed %s: reported %s, want %s", name(c.in), name(got), name(c.want))
			}
			if c.hup && got == 0 {
				f.Errorf("armed %s: a hang-up is not reported at all", name(c.in))
			}
			if !f.Traits().EdgeTriggered && !c.hup {
				if more := got &^ c.want &^ h; more != 0 {
					f.Errorf("armed %s: reported %s too, which does not hold or is not armed", name(c.in), name(more))
				}
			}
			// B3: a level-triggered poller must not repeat what an armed waiter can do nothing about.
			if !f.Traits().EdgeTriggered {
				again := f.look()[fd]
				if c.want == 0 && !c.hup && again != 0 {
					f.Errorf("reported %s again", name(again))
				}
				if c.want != 0 && again&c.want != c.want {
					f.Errorf("second Wait reported %s, want %s: it is level-triggered", name(again), name(c.want))
				}
			}
		})
	}
}

func testDisarm(f *fixture) {
	a, b := f.pair()
	f.arm(a, r|w)
	f.until(a, w)
	f.arm(a, 0)
	f.write(b, "x")
	f.quiet(a, "disarmed")
	f.close(b)
	f.quiet(a, "disarmed, and hung up")
	f.arm(a, r)
	f.until(a, r)
}

// A condition that holds already is reported by the Wait after each Arm, also when the same interest is armed again.
func testArmReportsWhatHolds(f *fixture) {
	a, b := f.pair()
	f.write(b, "x")
	for i := range 3 {
		f.arm(a, r)
		if got := f.look()[a]; got&r == 0 {
			f.Errorf("Arm %d: reported %s, want R", i+1, name(got))
		}
	}
	for i := range 3 {
		f.arm(a, r|w)
		if got := f.look()[a]; got&(r|w) != r|w {
			f.Errorf("Arm %d: reported %s, want RW", i+1, name(got))
		}
	}
	f.arm(a, 0)
	f.look()
	f.arm(a, w)
	if got := f.look()[a]; got&w == 0 {
		f.Errorf("after disarming: reported %s, want W", name(got))
	}
}

func testReplaceInterest(f *fixture) {
	a, b := f.pair()
	f.arm(a, r)
	if !f.Traits().EdgeTriggered {
		f.quiet(a, "armed R, only W holds")
	}
	f.arm(a, w)
	f.until(a, w)
	f.write(b, "x")
	if !f.Traits().EdgeTriggered {
		if got := f.look()[a]; got != w {
			f.Errorf("armed W, RW hold: reported %s", name(got))
		}
	}
	f.arm(a, r)
	f.until(a, r)
}

// Each change is reported without another Arm.
func testNewDataIsReported(f *fixture) {
	a, b := f.pair()
	f.arm(a, r)
	f.look()
	for range 3 {
		f.write(b, "x")
		f.until(a, r)
		f.empty(a)
		f.quiet(a, "emptied") // an edge-triggered one reports W at most once, before
		f.write(b, "x")
		f.until(a, r)
		f.empty(a)
	}
	f.arm(a, r|w)
	f.until(a, w)
	f.fill(a)
	for range 3 {
		f.look() // what is left of the edge
	}
	f.quiet(a, "full")
	f.empty(b)
	f.until(a, w)
}

func testForget(f *fixture) {
	a, b := f.pair()
	f.arm(a, r|w)
	f.Forget(int32(a))
	f.write(b, "x")
	f.quiet(a, "forgotten")
	f.Forget(int32(a))
	f.arm(a, r)
	f.until(a, r)
	f.Forget(int32(a))
	f.close(a)
	f.Forget(int32(a))
	f.quiet(a, "forgotten and closed")
}

// A number that was closed and given to another file behind the poller's back is picked up by the next Arm.
func testReusedNumber(f *fixture) {
	for _, forget := range []bool{false, true} {
		a, _ := f.pair()
		f.arm(a, r)
		f.look()
		if forget {
			f.Forget(int32(a))
		}
		// dup2 closes a and gives its number to another file in one go.
		c, d := f.pair()
		f.check("dup2", dup2(c, a))
		f.write(d, "x")
		f.arm(a, r)
		if got := f.until(a, r); got&h != 0 {
			f.Errorf("forget %v: reported %s of the old file", forget, name(got))
		}
		f.arm(a, 0)
		f.quiet(a, "disarmed")
	}
}

// C2: the old file lives on by a dup, and nobody can take it out of an epoll set any more. What it reports must not be
// taken for the new file.
func testReusedNumberWithDup(f *fixture) {
	a, b := f.pair()
	f.arm(a, r)
	f.look()
	keep, err := unix.Dup(a)
	f.check("dup", err)
	f.closeLater(keep)
	c, d := f.pair()
	f.check("dup2", dup2(c, a))
	f.arm(a, r)
	for range 3 {
		f.look()
	}
	for range 3 {
		f.write(b, "x") // for the old file
		f.quiet(a, "data for the old file")
	}
	f.write(d, "x")
	f.until(a, r)
}

func testBadFD(f *fixture) {
	if err := f.Arm(-1, r); !errors.Is(err, unix.EBADF) {
		f.Errorf("Arm(-1): %v, want EBADF", err)
	}
	// Closed: EBADF at once, or a report.
	fd, _ := f.pipe()
	f.close(fd)
	f.closedIsNoticed(fd)
	// A number that has never been in use, beyond the table of open files.
	high := 900
	if max := f.Traits().MaxFD; max == 0 {
		high = 900_000
	} else if err := f.Arm(int32(max), r); !errors.Is(err, unix.EINVAL) {
		f.Errorf("Arm(MaxFD): %v, want EINVAL", err)
	}
	f.closedIsNoticed(high)
}

func (f *fixture) closedIsNoticed(fd int) {
	f.Helper()
	if err := f.Arm(int32(fd), r|w); err != nil {
		if !errors.Is(err, unix.EBADF) {
			f.Errorf("Arm of closed fd %d: %v, want EBADF", fd, err)
		}
		f.quiet(fd, "could not be armed")
		return
	}
	if got := f.wait(time.Second)[fd]; got != r|w|h {
		f.Errorf("closed fd %d: reported %s, want RWH", fd, name(got))
	}
	f.Forget(int32(fd))
	f.quiet(fd, "forgotten")
}

// An fd that is closed while it is armed.
func testClosedFD(f *fixture) {
	if f.Traits().EdgeTriggered {
		f.Skip("closing takes an fd out of an epoll set without a word")
	}
	for _, in := range []readiness.Interest{r, w, p, r | w, r | w | p} {
		a, _ := f.pair()
		f.arm(a, in)
		f.look()
		f.close(a)
		for range 2 {
			if got := f.wait(-1)[a]; got != in|h {
				f.Errorf("armed %s, closed: reported %s, want %s", name(in), name(got), name(in|h))
			}
		}
		f.arm(a, 0)
		f.quiet(a, "disarmed")
	}
}

// A closed fd must not keep others from being reported, nor the other way round.
func testClosedFDAmongReadyOnes(f *fixture) {
	if f.Traits().EdgeTriggered {
		f.Skip("closing takes an fd out of an epoll set without a word")
	}
	ready, idle, closed := map[int]bool{}, map[int]bool{}, map[int]bool{}
	for i := range 30 {
		a, b := f.pair()
		f.arm(a, r)
		switch i % 3 {
		case 0:
			f.write(b, "x")
			ready[a] = true
		case 1:
			idle[a] = true
		case 2:
			closed[a] = true
		}
	}
	for fd := range closed {
		f.close(fd)
	}
	for _, size := range []int{len(f.ev), 3} {
		seen := map[int]readiness.Interest{}
		full := f.ev
		f.ev = f.ev[:size]
		for range 20 {
			for fd, got := range f.wait(-1) {
				seen[fd] |= got
			}
		}
		f.ev = full
		for fd := range ready {
			if seen[fd] != r {
				f.Errorf("%d events at a time: ready fd reported %s, want R", size, name(seen[fd]))
			}
		}
		for fd := range closed {
			if seen[fd] != r|h {
				f.Errorf("%d events at a time: closed fd reported %s, want RH", size, name(seen[fd]))
			}
		}
		for fd := range idle {
			if seen[fd] != 0 {
				f.Errorf("%d events at a time: idle fd reported %s", size, name(seen[fd]))
			}
		}
	}
}

func testRegularFile(f *fixture) {
	file, err := os.CreateTemp(f.TempDir(), "")
	f.check("create", err)
	defer file.Close()
	fd := int(file.Fd())
	if err := f.Arm(int32(fd), r); errors.Is(err, unix.EPERM) {
		f.quiet(fd, "could not be armed")
		return
	} else if err != nil {
		f.Fatalf("Arm: %v, want nil or EPERM", err)
	}
	if got := f.look()[fd]; got&r == 0 {
		f.Errorf("reported %s, want R", name(got))
	}
}
