package iouring

import (
	"errors"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// setups are the kinds of ring whose memory layout or progress differs.
var setups = []struct {
	name  string
	flags uint32
	owned bool
}{
	{"default", 0, false},
	{"NO_SQARRAY", IORING_SETUP_NO_SQARRAY, false},
	{"COOP_TASKRUN", IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, false},
	{"DEFER_TASKRUN", IORING_SETUP_NO_SQARRAY | IORING_SETUP_SUBMIT_ALL, true},
}

func forSetups(t *testing.T, entries uint32, f func(t *testing.T, r *Ring)) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			if s.owned {
				f(t, newOwnedRing(t, entries, s.flags))
			} else {
				f(t, newRing(t, entries, s.flags))
			}
		})
	}
}

func TestNop(t *testing.T) {
	forSetups(t, 8, func(t *testing.T, r *Ring) {
		s := next(t, r)
		s.PrepNop()
		s.UserData = 0xdeadbeefcafe
		if got := r.Unsubmitted(); got != 1 {
			t.Errorf("Unsubmitted: got %d, want 1", got)
		}
		c := run(t, r, 1)[0]
		if c.UserData != 0xdeadbeefcafe || c.Res != 0 || c.Flags != 0 {
			t.Errorf("got %+v", c)
		}
		if r.Unsubmitted() != 0 || r.CQReady() != 0 {
			t.Errorf("got %d unsubmitted and %d ready, want none", r.Unsubmitted(), r.CQReady())
		}
	})
}

func TestQueueFull(t *testing.T) {
	forSetups(t, 8, func(t *testing.T, r *Ring) {
		for round := range 5 {
			for i := range r.SQEntries() {
				if got, want := r.SQSpace(), r.SQEntries()-i; got != want {
					t.Fatalf("SQSpace: got %d, want %d", got, want)
				}
				s := next(t, r)
				s.PrepNop()
				s.UserData = uint64(i)
			}
			if r.NextSQE() != nil {
				t.Fatal("NextSQE gave out more entries than there are")
			}
			for i, c := range run(t, r, int(r.SQEntries())) {
				if c.UserData != uint64(i) || c.Res != 0 {
					t.Fatalf("round %d, completion %d: got %+v", round, i, c)
				}
			}
		}
	})
}

// TestWraparound goes round both rings many times with batches that do not divide their sizes, so that every index is
// the start of a batch at some point.
func TestWraparound(t *testing.T) {
	forSetups(t, 8, func(t *testing.T, r *Ring) {
		var sent, got uint64
		for range 20_000 {
			for range sent%7 + 1 {
				s := next(t, r)
				s.PrepNop()
				s.UserData = sent
				sent++
			}
			submit(t, r, 0)
			for _, c := range reap(r) {
				if c.UserData != got {
					t.Fatalf("got completion %d, want %d", c.UserData, got)
				}
				got++
			}
		}
		if got != sent || r.CQOverflow() != 0 || r.SQDropped() != 0 {
			t.Errorf("got %d of %d, %d lost, %d dropped", got, sent, r.CQOverflow(), r.SQDropped())
		}
	})
}

// TestPartialSubmit checks the accounting when the kernel takes fewer entries than offered.
func TestPartialSubmit(t *testing.T) {
	r := newRing(t, 8, 0)
	for i := range 3 {
		s := next(t, r)
		s.PrepNop()
		if i == 1 {
			s.Opcode = 0xff
		}
	}
	n, errno := r.Enter(r.Flush(), 0, 0)
	if n != 2 || errno != 0 {
		t.Fatalf("Enter: got %d, %v, want 2: it stops after an invalid entry", n, errno)
	}
	if got := r.Unsubmitted(); got != 1 {
		t.Errorf("Unsubmitted: got %d, want 1", got)
	}
	if got := r.Flush(); got != 1 {
		t.Errorf("Flush: got %d, want the 1 left over", got)
	}
	cqes := run(t, r, 3)
	for i, want := range []int32{0, -int32(unix.EINVAL), 0} {
		if cqes[i].Res != want {
			t.Errorf("completion %d: got %d, want %d", i, cqes[i].Res, want)
		}
	}
}

// TestOverflow submits more than the completion queue holds. The kernel keeps the rest (IORING_FEAT_NODROP) and hands it
// over in order.
func TestOverflow(t *testing.T) {
	forSetups(t, 8, func(t *testing.T, r *Ring) {
		if r.Features()&IORING_FEAT_NODROP == 0 {
			t.Skip("kernel without IORING_FEAT_NODROP")
		}
		const batches = 4
		for i := range batches * int(r.SQEntries()) {
			s := next(t, r)
			s.PrepNop()
			s.UserData = uint64(i)
			if r.SQSpace() == 0 {
				submit(t, r, 0)
			}
		}
		if r.CQReady() != r.CQEntries() {
			t.Errorf("CQReady: got %d, want a full queue of %d", r.CQReady(), r.CQEntries())
		}
		if r.SQFlags()&IORING_SQ_CQ_OVERFLOW == 0 {
			t.Errorf("SQFlags: got %#x, want CQ_OVERFLOW", r.SQFlags())
		}
		for i, c := range run(t, r, batches*int(r.SQEntries())) {
			if c.UserData != uint64(i) {
				t.Fatalf("completion %d: got %d", i, c.UserData)
			}
		}
		if r.SQFlags()&IORING_SQ_CQ_OVERFLOW != 0 || r.CQOverflow() != 0 {
			t.Errorf("flags %#x, %d lost, want neither", r.SQFlags(), r.CQOverflow())
		}
	})
}

func TestDisabledRing(t *testing.T) {
	r := newRing(t, 8, IORING_SETUP_R_DISABLED)
	next(t, r).PrepNop()
	if n, errno := r.Enter(r.Flush(), 0, 0); errno != syscall.EBADFD {
		t.Errorf("Enter on a disabled ring: got %d, %v, want EBADFD", n, errno)
	}
	if err := r.EnableRings(); err != nil {
		t.Fatal(err)
	}
	if res := one(t, r); res != 0 {
		t.Errorf("got %d", res)
	}
	if err := r.EnableRings(); !errors.Is(err, syscall.EBADFD) {
		t.Errorf("EnableRings again: got %v, want EBADFD", err)
	}
}

// TestSingleIssuer checks that a ring belongs to the thread that enabled it, not to the one that made it.
func TestSingleIssuer(t *testing.T) {
	watchdog(t)
	r := newRing(t, 8, ownedFlags)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread ends with the goroutine, as it is not unlocked: nothing else ever runs on the owner.
		runtime.LockOSThread()
		if err := r.EnableRings(); err != nil {
			t.Error(err)
			return
		}
		next(t, r).PrepNop()
		if n, errno := r.Enter(r.Flush(), 1, IORING_ENTER_GETEVENTS); n != 1 || errno != 0 {
			t.Errorf("Enter by the owner: got %d, %v", n, errno)
		}
		reap(r)
	}()
	<-done
	next(t, r).PrepNop()
	if n, errno := r.Enter(r.Flush(), 0, 0); errno != syscall.EEXIST {
		t.Errorf("Enter by another thread: got %d, %v, want EEXIST", n, errno)
	}
}

func TestSQPoll(t *testing.T) {
	r := newRing(t, 8, IORING_SETUP_SQPOLL)
	for i := range 100 {
		s := next(t, r)
		s.PrepNop()
		s.UserData = uint64(i)
		r.Flush()
		flags := uint32(IORING_ENTER_GETEVENTS)
		if r.SQFlags()&IORING_SQ_NEED_WAKEUP != 0 {
			flags |= IORING_ENTER_SQ_WAKEUP
		}
		for r.CQReady() == 0 {
			if _, errno := r.Enter(0, 1, flags); errno != 0 && errno != syscall.EINTR {
				t.Fatal(errno)
			}
		}
		if got := reap(r); len(got) != 1 || got[0].UserData != uint64(i) {
			t.Fatalf("got %+v, want %d", got, i)
		}
	}
}

// TestNoAllocs keeps the hot path free of allocations, waits and timeouts included.
func TestNoAllocs(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func(r *Ring)
	}{
		{"Enter", func(r *Ring) { r.Enter(r.Flush(), 1, IORING_ENTER_GETEVENTS) }},
		{"EnterNoWait", func(r *Ring) { r.EnterNoWait(r.Flush(), IORING_ENTER_GETEVENTS) }},
		{"EnterTimeout", func(r *Ring) { r.EnterTimeout(r.Flush(), 1, 0, 1e9, false) }},
		{"EnterArg", func(r *Ring) { r.EnterArg(r.Flush(), 1, IORING_ENTER_GETEVENTS, nil) }},
		{"failing Enter", func(r *Ring) { r.Enter(r.Flush(), 0, IORING_ENTER_GETEVENTS); r.Enter(0, 0, 1<<31) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newOwnedRing(t, 64, 0)
			var reaped int
			allocs := testing.AllocsPerRun(100, func() {
				s := r.NextSQE()
				s.PrepNop()
				s.UserData = 1
				tt.f(r)
				head, tail := r.Peek()
				for i := head; i != tail; i++ {
					reaped += int(r.CQEAt(i).UserData)
				}
				r.Advance(tail - head)
			})
			if allocs != 0 || reaped != 101 { // AllocsPerRun adds one run to warm up.
				t.Errorf("got %v allocations and %d completions, want 0 and 101", allocs, reaped)
			}
		})
	}
}

func TestCloseIsFinal(t *testing.T) {
	r := newRing(t, 8, 0)
	next(t, r).PrepNop()
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if r.Fd() != -1 || r.NextSQE() != nil || r.Flush() != 0 || r.CQReady() != 0 || r.SQSpace() != 0 {
		t.Error("a closed ring still hands something out")
	}
	r.Advance(3)
	if head, tail := r.Peek(); head != tail {
		t.Errorf("Peek: got %d, %d, want nothing", head, tail)
	}
	_ = r.CQEAt(77)
	r.SetEventfdDisabled(true)
	if _, errno := r.Enter(1, 0, 0); errno != syscall.EBADF {
		t.Errorf("Enter: got %v, want EBADF", errno)
	}
	if _, err := r.Probe(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Probe: got %v, want EBADF", err)
	}
}

func TestNoFDLeak(t *testing.T) {
	newRing(t, 8, 0) // skips where there is nothing to test
	before := countFDs(t)
	for i := range 50 {
		r, err := Setup(8, nil)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			b, err := NewBufRing(r, 8, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Setup(0, nil); err == nil {
			t.Fatal("Setup(0) succeeded")
		}
	}
	if after := countFDs(t); after != before {
		t.Errorf("got %d descriptors, want %d", after, before)
	}
}
