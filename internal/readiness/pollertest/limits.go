//go:build unix

package pollertest

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/readiness"
)

// many makes n armed sockets with data.
func (f *fixture) many(n int) []int {
	var fds []int
	for range n {
		a, b := f.pair()
		f.write(b, "x")
		f.arm(a, r)
		fds = append(fds, a)
	}
	return fds
}

// Over several Waits every ready fd gets its turn however short ev is.
func testShortEventSlice(f *fixture) {
	const n = 100
	for _, size := range []int{1, 3, 7, 64} {
		fds := f.many(n)
		full := f.ev
		f.ev = f.ev[:size]
		seen := map[int]int{}
		for range (n + size - 1) / size {
			for fd := range f.look() {
				seen[fd]++
			}
		}
		f.ev = full
		if len(seen) != n {
			f.Errorf("%d at a time: %d of %d ready fds had their turn in one round", size, len(seen), n)
		}
		if !f.Traits().EdgeTriggered {
			if got := len(f.look()); got != n {
				f.Errorf("%d at a time, then all: %d of %d ready fds reported at once", size, got, n)
			}
		}
		for fd, k := range seen {
			if k > 2 {
				f.Errorf("%d at a time: fd %d came %d times in one round", size, fd, k)
			}
		}
		for _, fd := range fds {
			f.Forget(int32(fd))
		}
	}
}

// The same when each one that was reported is disarmed and armed again, as the core does it.
func testShortEventSliceWithRearm(f *fixture) {
	const n, size = 100, 3
	f.many(n)
	f.ev = f.ev[:size]
	seen := map[int]bool{}
	var again []int
	for range 10 * n / size {
		for _, fd := range again {
			f.arm(fd, r)
		}
		again = again[:0]
		for fd := range f.look() {
			seen[fd] = true
			f.arm(fd, 0)
			again = append(again, fd)
		}
	}
	if len(seen) != n {
		f.Errorf("%d of %d ready fds had their turn in ten rounds", len(seen), n)
	}
}

func testHighFD(f *fixture) {
	if f.Traits().MaxFD != 0 && f.Traits().MaxFD <= 1500 {
		f.Skipf("MaxFD is %d", f.Traits().MaxFD)
	}
	var lim unix.Rlimit
	f.check("getrlimit", unix.Getrlimit(unix.RLIMIT_NOFILE, &lim))
	if lim.Cur <= 1600 {
		lim.Cur = min(lim.Max, 4096)
		if lim.Cur <= 1600 {
			f.Skipf("RLIMIT_NOFILE cannot be raised above %d", lim.Max)
		}
		f.check("setrlimit", unix.Setrlimit(unix.RLIMIT_NOFILE, &lim))
	}
	a, b := f.pair()
	for _, high := range []int{1023, 1024, 1500} {
		f.check("dup2", dup2(a, high))
		f.closeLater(high)
	}
	for _, high := range []int{1500, 1024, 1023} {
		f.arm(high, r)
	}
	if !f.Traits().EdgeTriggered {
		f.quiet(1500, "no data")
	}
	f.look()
	f.write(b, "x")
	seen := map[int]readiness.Interest{}
	for end := time.Now().Add(5 * time.Second); len(seen) < 3 && time.Now().Before(end); {
		for fd, got := range f.wait(50 * time.Millisecond) {
			seen[fd] |= got
		}
	}
	for _, high := range []int{1023, 1024, 1500} {
		if seen[high]&r == 0 {
			f.Errorf("fd %d: reported %s, want R", high, name(seen[high]))
		}
	}
	f.arm(1500, 0)
	f.quiet(1500, "disarmed")
	if f.Traits().EdgeTriggered {
		f.arm(1024, r)
	}
	if got := f.look()[1024]; got&r == 0 {
		f.Errorf("fd 1024 reported %s after the highest one was disarmed", name(got))
	}
	for _, high := range []int{1023, 1024, 1500} {
		f.Forget(int32(high))
	}
}

// A time-out is never early. A signal may be (the runtime sends them), so one of several tries has to show it.
func testTimeout(f *fixture) {
	a, _ := f.pair()
	f.arm(a, r)
	f.look()
	for _, d := range []time.Duration{1, time.Microsecond, 300 * time.Microsecond, time.Millisecond, 1500 * time.Microsecond, 20 * time.Millisecond} {
		const tries = 10
		early := 0
		for range tries {
			start := time.Now()
			if got := f.wait(d); len(got) != 0 {
				f.Fatalf("Wait(%v) reported %v", d, got)
			}
			took := time.Since(start)
			if took < d {
				early++
			}
			if took > d+5*time.Second {
				f.Errorf("Wait(%v) took %v", d, took)
			}
		}
		if early > tries/2 {
			f.Errorf("Wait(%v) was early %d times of %d", d, early, tries)
		}
	}
	start := time.Now()
	f.look()
	if took := time.Since(start); took > time.Second {
		f.Errorf("Wait(0) took %v", took)
	}
	// Longer than the clocks of some calls can tell. It must neither fail nor return.
	woken := time.AfterFunc(20*time.Millisecond, func() { unix.Shutdown(a, unix.SHUT_RDWR) })
	defer woken.Stop()
	for range 100 {
		if got := f.wait(1<<63 - 1); got[a] != 0 {
			return
		}
	}
	f.Error("a very long Wait does not wait")
}

func testWaitWakesUp(f *fixture) {
	for _, d := range []time.Duration{-1, 10 * time.Second} {
		a, b := f.pair()
		f.arm(a, r)
		f.look()
		time.AfterFunc(10*time.Millisecond, func() { unix.Write(b, []byte("x")) })
		start := time.Now()
		for f.wait(d)[a]&r == 0 {
			if time.Since(start) > 5*time.Second {
				f.Fatalf("Wait(%v) did not wake up", d)
			}
		}
		f.Forget(int32(a))
	}
}

// EINTR gives (0, nil), and is no excuse to lose an event.
func testSignalStorm(f *fixture) {
	a, b := f.pair()
	f.arm(a, r)
	f.look()
	var stop atomic.Bool
	done := make(chan struct{})
	tid := make(chan func(), 1)
	go func() {
		defer close(done)
		kill := <-tid
		for i := 0; i < 20_000 && !stop.Load(); i++ {
			kill()
			time.Sleep(50 * time.Microsecond)
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid <- signalThisThread()
	defer func() { stop.Store(true); <-done }()

	const total = 50 * time.Millisecond
	waits := 0
	for start := time.Now(); ; waits++ {
		left := total - time.Since(start)
		if left <= 0 {
			break
		}
		if got := f.wait(left); len(got) != 0 {
			f.Fatalf("reported %v", got)
		}
	}
	f.Logf("%d Waits for one of %v", waits, total)
	time.AfterFunc(10*time.Millisecond, func() { unix.Write(b, []byte("x")) })
	for start := time.Now(); f.wait(-1)[a]&r == 0; {
		if time.Since(start) > 5*time.Second {
			f.Fatal("an event was lost in a storm of signals")
		}
	}
}

func testOutOfBand(f *fixture) {
	a, b := f.tcp()
	f.arm(a, p)
	if !f.Traits().EdgeTriggered {
		f.quiet(a, "no out-of-band data")
	}
	f.look()
	f.check("send", unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
	f.until(a, p)
	f.arm(a, r|p)
	f.until(a, p)
	f.arm(a, 0)
	f.quiet(a, "disarmed")
}

func testPollFD(f *fixture) {
	fd := f.PollFD()
	if fd < 0 {
		if fd != -1 {
			f.Errorf("PollFD = %d, want -1 where there is none", fd)
		}
		return
	}
	ready := func() bool {
		f.Helper()
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, 0)
		f.check("poll", err)
		return fds[0].Revents&unix.POLLIN != 0
	}
	a, b := f.pair()
	if ready() {
		f.Error("readable before anything is armed")
	}
	f.arm(a, r)
	f.look()
	f.look()
	if ready() {
		f.Error("readable with nothing to report")
	}
	f.write(b, "x")
	if !ready() {
		f.Error("not readable with something to report")
	}
	f.until(a, r)
}

func testWaitAllocs(f *fixture) {
	fds := f.many(20)
	f.look()
	ev := make([]readiness.Event, 64)
	for _, d := range []time.Duration{0, time.Nanosecond, -1} {
		if got := testing.AllocsPerRun(100, func() {
			for _, fd := range fds {
				if f.Arm(int32(fd), 0) != nil || f.Arm(int32(fd), r) != nil {
					panic("Arm")
				}
			}
			for n := 0; n == 0; {
				var err error
				if n, err = f.Wait(ev, d); err != nil {
					panic(err)
				}
			}
		}); got != 0 {
			f.Errorf("%v allocations per Wait(%v) and 40 Arms, want 0", got, d)
		}
	}
}

func testCloseLeavesFDs(f *fixture) {
	a, b := f.pair()
	f.arm(a, r)
	f.look()
	f.check("Close", f.Close())
	f.write(b, "x")
	var buf [1]byte
	if n, err := unix.Read(a, buf[:]); n != 1 || err != nil {
		f.Errorf("read from a watched fd after Close: %d, %v", n, err)
	}
}

// dup2 makes to another name of from, close-on-exec, on every unix.
func dup2(from, to int) error {
	if err := sysDup2(from, to); err != nil {
		return fmt.Errorf("dup2(%d, %d): %w", from, to, err)
	}
	syscall.CloseOnExec(to)
	return nil
}

// Bench measures one Wait and one Arm per event with one ready fd among n that are armed.
func Bench(b *testing.B, open func() (readiness.Poller, error)) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("fds=%d", n), func(b *testing.B) {
			pl, err := open()
			if err != nil {
				b.Fatal(err)
			}
			defer pl.Close()
			var last [2]int
			for range n {
				fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
				if err != nil {
					b.Skip(err)
				}
				defer unix.Close(fds[0])
				defer unix.Close(fds[1])
				if pl.Traits().MaxFD != 0 && fds[0] >= pl.Traits().MaxFD {
					b.Skip("too many fds for this poller")
				}
				if err := pl.Arm(int32(fds[0]), r); err != nil {
					b.Fatal(err)
				}
				last = [2]int(fds)
			}
			ev := make([]readiness.Event, 64)
			for k := 1; k > 0; {
				k, _ = pl.Wait(ev, 0) // the first edges; an error comes again below
			}
			x := []byte("x")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := unix.Write(last[1], x); err != nil {
					b.Fatal(err)
				}
				for k := 0; k == 0; {
					if k, err = pl.Wait(ev, -1); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := unix.Read(last[0], x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
