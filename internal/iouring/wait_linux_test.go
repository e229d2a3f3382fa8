package iouring

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestEnterTimeout checks both kinds of limit: not before it, and with the error that says so.
func TestEnterTimeout(t *testing.T) {
	const wait = 20 * time.Millisecond
	for _, absolute := range []bool{false, true} {
		name := map[bool]string{false: "relative", true: "absolute"}[absolute]
		t.Run(name, func(t *testing.T) {
			r := newRing(t, 8, 0)
			if absolute && ProbeEnterFlags(IORING_ENTER_ABS_TIMER) != nil {
				t.Skip("kernel without IORING_ENTER_ABS_TIMER")
			}
			start := monotonic(t)
			deadline := start + int64(wait)
			for {
				ns := deadline
				if !absolute {
					ns -= monotonic(t)
				}
				n, errno := r.EnterTimeout(0, 1, 0, ns, absolute)
				if errno == syscall.EINTR {
					continue
				}
				if n != 0 || errno != syscall.ETIME {
					t.Fatalf("got %d, %v, want ETIME", n, errno)
				}
				break
			}
			if now := monotonic(t); now < deadline {
				t.Errorf("returned %v before the limit", time.Duration(deadline-now))
			}
		})
	}
}

func TestEnterTimeoutPassed(t *testing.T) {
	r := newRing(t, 8, 0)
	for _, ns := range []int64{0, -1, -1 << 63} {
		if _, errno := r.EnterTimeout(0, 1, 0, ns, false); errno != syscall.ETIME {
			t.Errorf("EnterTimeout(%d): got %v, want ETIME", ns, errno)
		}
	}
	// What is ready is returned however late it is, and submitting comes before waiting.
	next(t, r).PrepNop()
	if n, errno := r.EnterTimeout(r.Flush(), 1, 0, 0, false); n != 1 || errno != 0 {
		t.Errorf("got %d, %v, want 1", n, errno)
	}
	if got := len(reap(r)); got != 1 {
		t.Errorf("got %d completions, want 1", got)
	}
}

// TestEnterArgMinWait uses the caller's own argument block: with two limits the shorter one ends the wait as soon as
// anything is ready.
func TestEnterArgMinWait(t *testing.T) {
	r := newRing(t, 8, 0)
	if r.Features()&IORING_FEAT_MIN_TIMEOUT == 0 {
		t.Skip("kernel without IORING_FEAT_MIN_TIMEOUT")
	}
	r.Arg.MinWaitUsec = 1000
	r.TS = NsToTimespec(int64(testTimeout) * 2) // The watchdog fires first if the minimal wait is ignored.
	next(t, r).PrepNop()
	n, errno := r.EnterArg(r.Flush(), 2, IORING_ENTER_GETEVENTS, nil)
	if n != 1 || errno != 0 {
		t.Fatalf("got %d, %v", n, errno)
	}
	if got := len(reap(r)); got != 1 {
		t.Errorf("got %d completions, want 1", got)
	}
}

func TestRegWait(t *testing.T) {
	r := newRing(t, 8, IORING_SETUP_R_DISABLED)
	if ProbeEnterFlags(IORING_ENTER_EXT_ARG|IORING_ENTER_EXT_ARG_REG) != nil {
		t.Skip("kernel without IORING_ENTER_EXT_ARG_REG")
	}
	if err := r.RegisterWaitRegion(2); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterWaitRegion(2); err == nil {
		t.Error("a second region was accepted")
	}
	if err := r.EnableRings(); err != nil {
		t.Fatal(err)
	}
	const wait = 5 * time.Millisecond
	r.RegWaits()[1] = RegWait{TS: NsToTimespec(int64(wait)), Flags: IORING_REG_WAIT_TS}
	start := monotonic(t)
	_, errno := r.EnterRegWait(0, 1, 0, 1)
	for errno == syscall.EINTR {
		_, errno = r.EnterRegWait(0, 1, 0, 1)
	}
	if errno != syscall.ETIME {
		t.Errorf("got %v, want ETIME", errno)
	}
	if got := time.Duration(monotonic(t) - start); got < wait {
		t.Errorf("waited %v, want %v", got, wait)
	}
	for _, index := range []int{-1, 2} {
		if _, errno := r.EnterRegWait(0, 1, 0, index); errno != syscall.EINVAL {
			t.Errorf("index %d: got %v, want EINVAL", index, errno)
		}
	}
}

func TestRegisteredRingFD(t *testing.T) {
	r := newOwnedRing(t, 8, 0)
	if err := r.RegisterRingFD(); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterRingFD(); err == nil {
		t.Error("a second registration was accepted")
	}
	if r.enterFlags != IORING_ENTER_REGISTERED_RING || r.enterFD == r.fd {
		t.Errorf("got flags %#x and index %d", r.enterFlags, r.enterFD)
	}
	for range 3 {
		next(t, r).PrepNop()
		if res := one(t, r); res != 0 {
			t.Errorf("got %d", res)
		}
	}
	if _, errno := r.EnterTimeout(0, 1, 0, 1, false); errno != syscall.ETIME {
		t.Errorf("EnterTimeout: got %v, want ETIME", errno)
	}

	other := make(chan error)
	go func() {
		// This goroutine cannot be on the owner, to which the test is locked.
		other <- r.UnregisterRingFD()
	}()
	if err := <-other; err == nil {
		t.Error("another thread unregistered the ring")
	}
	if err := r.UnregisterRingFD(); err != nil {
		t.Fatal(err)
	}
	if err := r.UnregisterRingFD(); err != nil {
		t.Error("unregistering twice:", err)
	}
	next(t, r).PrepNop()
	if res := one(t, r); res != 0 {
		t.Errorf("got %d", res)
	}
}

// TestRegisteredRingFDIsReleased fills the table of the thread (16 entries) several times over.
func TestRegisteredRingFDIsReleased(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	newRing(t, 8, 0)
	for i := range 50 {
		r, err := Setup(8, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.RegisterRingFD(); err != nil {
			t.Fatalf("ring %d: %v", i, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWakeups checks the three ways to end a wait from outside.
func TestWakeups(t *testing.T) {
	for _, tt := range []struct {
		name string
		prep func(t *testing.T, r *Ring) (wake func())
	}{
		{"SendMsgRing", func(t *testing.T, r *Ring) func() {
			fd := r.Fd()
			if errno := SendMsgRing(-1, 0, 0); errno == syscall.EINVAL {
				t.Skip("kernel without IORING_REGISTER_SEND_MSG_RING")
			}
			return func() {
				if errno := SendMsgRing(fd, 42, 7); errno != 0 {
					t.Error(errno)
				}
			}
		}},
		{"MSG_RING", func(t *testing.T, r *Ring) func() {
			fd := int32(r.Fd())
			sender := newRing(t, 8, 0)
			return func() {
				next(t, sender).PrepMsgRing(fd, 42, 7, 0)
				if res := one(t, sender); res != 0 {
					t.Errorf("sender: got %d", res)
				}
			}
		}},
		{"eventfd", func(t *testing.T, r *Ring) func() {
			efd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(efd) })
			s := next(t, r)
			s.PrepPollAdd(int32(efd), unix.POLLIN)
			s.UserData = 7
			submit(t, r, 0)
			return func() {
				if _, err := unix.Write(efd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
					t.Error(err)
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newOwnedRing(t, 8, 0)
			wake := tt.prep(t, r)
			done := make(chan struct{})
			go func() {
				defer close(done)
				wake()
			}()
			submit(t, r, 1)
			if got := reap(r); len(got) != 1 || got[0].UserData != 7 || got[0].Res <= 0 {
				t.Errorf("got %+v", got)
			}
			<-done
		})
	}
}

func TestSendMsgRingNoAllocs(t *testing.T) {
	r := newRing(t, 32, 0)
	if errno := SendMsgRing(-1, 0, 0); errno == syscall.EINVAL {
		t.Skip("kernel without IORING_REGISTER_SEND_MSG_RING")
	}
	fd := r.Fd()
	got := testing.AllocsPerRun(10, func() {
		if errno := SendMsgRing(fd, 1, 2); errno != 0 {
			t.Error(errno)
		}
	})
	if got != 0 || r.CQReady() != 11 { // AllocsPerRun adds one run to warm up.
		t.Errorf("got %v allocations and %d completions, want 0 and 11", got, r.CQReady())
	}
}
