package iouring

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// testTimeout is far beyond what any test needs on a loaded machine: it only turns a hang into a failure.
const testTimeout = 60 * time.Second

// watchdog makes a test that hangs fail by itself, with the stacks, long before the limit of the whole test binary.
func watchdog(tb testing.TB) {
	tb.Helper()
	timer := time.AfterFunc(testTimeout, func() { panic(tb.Name() + ": hangs") })
	tb.Cleanup(func() { timer.Stop() })
}

// newRing makes a ring that is closed with the test. Where io_uring does not exist or is forbidden the test is skipped,
// unless REQUIRE_BACKENDS says that it has to exist.
func newRing(tb testing.TB, entries, flags uint32) *Ring {
	tb.Helper()
	watchdog(tb)
	r, err := Setup(entries, &Params{Flags: flags})
	if os.Getenv("REQUIRE_BACKENDS") == "" && (errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EPERM)) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error("Close:", err)
		}
	})
	return r
}

// ownedFlags are those of a ring with one thread that submits and reaps.
const ownedFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED

// newOwnedRing is newRing for the calling thread, to which the test is locked from then on.
func newOwnedRing(tb testing.TB, entries, flags uint32) *Ring {
	tb.Helper()
	runtime.LockOSThread()
	tb.Cleanup(runtime.UnlockOSThread)
	r := newRing(tb, entries, ownedFlags|flags)
	if err := r.EnableRings(); err != nil {
		tb.Fatal(err)
	}
	return r
}

// next is NextSQE for tests that know there is room.
func next(tb testing.TB, r *Ring) *SQE {
	tb.Helper()
	s := r.NextSQE()
	if s == nil {
		tb.Fatal("NextSQE: queue is full")
	}
	return s
}

// submit enters with everything that was prepared, retrying when a signal interrupts the wait.
func submit(tb testing.TB, r *Ring, wait uint32) {
	tb.Helper()
	for {
		n := r.Flush()
		got, errno := r.Enter(n, wait, IORING_ENTER_GETEVENTS)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			tb.Fatalf("Enter: %v", errno)
		}
		if uint32(got) != n {
			tb.Fatalf("Enter: got %d, want %d submitted", got, n)
		}
		return
	}
}

// reap returns copies of all completions that are ready.
func reap(r *Ring) []CQE {
	head, tail := r.Peek()
	var cqes []CQE
	for i := head; i != tail; i++ {
		cqes = append(cqes, *r.CQEAt(i))
	}
	r.Advance(tail - head)
	return cqes
}

// run submits what was prepared and returns exactly n completions.
func run(tb testing.TB, r *Ring, n int) []CQE {
	tb.Helper()
	submit(tb, r, uint32(n))
	cqes := reap(r)
	for len(cqes) < n {
		submit(tb, r, 1)
		cqes = append(cqes, reap(r)...)
	}
	if len(cqes) != n {
		tb.Fatalf("got %d completions, want %d: %v", len(cqes), n, cqes)
	}
	return cqes
}

// one runs a single prepared request and returns its result.
func one(tb testing.TB, r *Ring) int32 {
	tb.Helper()
	return run(tb, r, 1)[0].Res
}

// heap returns memory that is certainly not on a stack, because it leaves the function.
//
//go:noinline
func heap(n int) []byte { return make([]byte, n) }

// cstring returns s on the heap with a NUL, and has to be kept alive by the caller.
func cstring(s string) unsafe.Pointer {
	b := heap(len(s) + 1)
	copy(b, s)
	return unsafe.Pointer(unsafe.SliceData(b))
}

func socketPair(tb testing.TB, typ int) (a, b int32) {
	tb.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		unix.Close(p[0])
		unix.Close(p[1])
	})
	return int32(p[0]), int32(p[1])
}

func tempFile(tb testing.TB) *os.File {
	tb.Helper()
	f, err := os.Create(filepath.Join(tb.TempDir(), "file"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

// countFDs returns the number of open descriptors of the process.
func countFDs(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(entries)
}

// monotonic returns CLOCK_MONOTONIC in nanoseconds, which is the clock of absolute waits.
func monotonic(tb testing.TB) int64 {
	tb.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		tb.Fatal(err)
	}
	return ts.Nano()
}
