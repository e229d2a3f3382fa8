//go:build linux

package uring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
)

// watchdog ends the test binary when a test hangs, with all stacks.
func watchdog(t testing.TB) {
	t.Helper()
	w := time.AfterFunc(30*time.Second, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs\n%s", t.Name(), buf[:runtime.Stack(buf, true)]))
	})
	t.Cleanup(func() { w.Stop() })
}

// open opens an engine for the calling goroutine, which the tests thereby lock to a thread.
func open(t testing.TB, o *api.Options) api.Engine {
	t.Helper()
	watchdog(t)
	e, err := New(o)
	if errors.Is(err, api.ErrUnavailable) && os.Getenv("REQUIRE_BACKENDS") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, api.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

func submit(t testing.TB, e api.Engine, ops ...api.Op) []api.Op {
	t.Helper()
	if n, err := e.Submit(ops); n != len(ops) || err != nil {
		t.Fatalf("Submit took %d of %d: %v", n, len(ops), err)
	}
	return ops
}

// wait reaps n completions.
func wait(t testing.TB, e api.Engine, n int) []api.Completion {
	t.Helper()
	out := make([]api.Completion, 0, n)
	for len(out) < n {
		dst := make([]api.Completion, n-len(out))
		m, err := e.Complete(dst, api.Wait{Min: 1, Deadline: api.After(10 * time.Second)})
		if err != nil {
			t.Fatalf("Complete: %v", err)
		}
		if m == 0 {
			t.Fatalf("%d of %d completions came: %+v", len(out), n, out)
		}
		out = append(out, dst[:m]...)
	}
	return out
}

func want(t testing.TB, c api.Completion, tag uint64, res int) {
	t.Helper()
	if c.Tag != tag || int(c.Res) != res {
		t.Fatalf("got tag %d res %d (%v), want tag %d res %d", c.Tag, c.Res, c.Err(), tag, res)
	}
}

func pair(t testing.TB) (a, b int) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) })
	return p[0], p[1]
}

func nops(n int) []api.Op {
	ops := make([]api.Op, n)
	for i := range ops {
		ops[i] = api.Nop(uint64(i))
	}
	return ops
}

func TestFullSubmissionQueueIsFlushed(t *testing.T) {
	e := open(t, &api.Options{Entries: 8, CQEntries: 64})
	const n = 5000
	submit(t, e, nops(n)...)
	for i, c := range wait(t, e, n) {
		want(t, c, uint64(i), 0)
	}
	if s := e.Stats(); s.InFlight != 0 || s.Completions != n {
		t.Errorf("stats: %+v", s)
	}
}

func TestOverflowIsDrainedInOrder(t *testing.T) {
	for _, mask := range []api.KernelFeature{0, api.KernDeferTaskrun, api.KernAll} {
		t.Run(mask.String(), func(t *testing.T) {
			e := open(t, &api.Options{Entries: 8, CQEntries: 8, Disable: mask})
			const n = 1000
			submit(t, e, nops(n)...)
			if m, err := e.Complete(nil, api.Wait{}); m != 0 || err != nil {
				t.Fatalf("Complete(nil) = %d, %v", m, err)
			}
			for i, c := range wait(t, e, n) {
				want(t, c, uint64(i), 0)
			}
			if got := e.Stats().Overflows; got == 0 || got > n {
				t.Errorf("Stats().Overflows = %d", got)
			}
		})
	}
}

func TestSecondThreadIsNotOwner(t *testing.T) {
	for _, mask := range []api.KernelFeature{0, api.KernRegisteredRing} {
		e := open(t, &api.Options{Disable: mask})
		submit(t, e, api.Nop(1))
		want(t, wait(t, e, 1)[0], 1, 0)
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			_, err := e.Complete(make([]api.Completion, 1), api.Wait{})
			done <- err
		}()
		if err := <-done; !errors.Is(err, api.ErrNotOwner) {
			t.Errorf("Complete in a second thread, without %v: %v", mask, err)
		}
		submit(t, e, api.Nop(2))
		want(t, wait(t, e, 1)[0], 2, 0)
	}
}

// openFDs counts the open files of the process.
func openFDs(t testing.TB) int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

func TestNoFilesLeak(t *testing.T) {
	watchdog(t)
	before := openFDs(t)
	for i := range 20 {
		o := &api.Options{Strategy: api.Block()}
		if i%2 == 1 {
			o.Strategy = api.Park()
		}
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := listener(t)
		if _, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 3}); err != nil {
			t.Fatal(err)
		}
		submit(t, e, api.AcceptMultishot(l, 1), api.Timeout(time.Hour, 2), api.Poll(l, api.PollIn, 3))
		if n, err := e.Complete(make([]api.Completion, 4), api.Wait{Min: 1, Deadline: api.After(time.Millisecond)}); n != 0 || err != nil {
			t.Fatalf("Complete = %d, %v", n, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(l)
	}
	if after := openFDs(t); after != before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

func listener(t testing.TB) (fd int, sa unix.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err == nil {
		sa, err = unix.Getsockname(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd, sa
}

// masks are what the smoke test goes without: each feature, all, and nothing.
func masks() []api.KernelFeature {
	m := []api.KernelFeature{0, api.KernAll}
	for f := api.KernelFeature(1); f < api.KernAll; f <<= 1 {
		m = append(m, f)
	}
	return m
}

func TestEachMask(t *testing.T) {
	for _, mask := range masks() {
		for _, s := range []api.Strategy{api.Block(), api.Park(), api.Spin(10, api.Block())} {
			t.Run(fmt.Sprintf("without=%v/mode=%d/spin=%d", mask, s.Mode, s.Spin), func(t *testing.T) {
				e := open(t, &api.Options{Disable: mask, Strategy: s})
				smokeEcho(t, e)
				smokeAccept(t, e)
				smokeTimeout(t, e)
				smokeCancel(t, e)
				smokeClose(t, e)
				smokeWake(t, e)
			})
		}
	}
}

// smokeEcho receives by multishot, with fewer buffers than there are messages.
func smokeEcho(t *testing.T, e api.Engine) {
	t.Helper()
	a, b := pair(t)
	g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 7, Count: 4, Size: 64})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, e, api.RecvMultishot(b, 7, 1))
	for i := range 100 {
		msg := []byte(fmt.Sprintf("message %d", i))
		submit(t, e, api.Send(a, msg, 2).With(api.WaitAll))
		for range 2 {
			c := wait(t, e, 1)[0]
			if c.Tag == 2 {
				want(t, c, 2, len(msg))
				continue
			}
			if string(c.Buf) != string(msg) || !c.More() {
				t.Fatalf("received %q, %+v", c.Buf, c)
			}
			if err := g.Release(c.Lease); err != nil {
				t.Fatal(err)
			}
		}
	}
	submit(t, e, api.Shutdown(a, api.ShutWrite, 3))
	for range 2 {
		if c := wait(t, e, 1)[0]; c.Res != 0 || c.More() {
			t.Fatalf("at the end: %+v", c)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

func smokeAccept(t *testing.T, e api.Engine) {
	t.Helper()
	l, sa := listener(t)
	defer unix.Close(l)
	ops := submit(t, e, api.AcceptMultishot(l, 1), api.Poll(l, api.PollIn, 3))
	seen := 0
	for i := range 10 {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(c, sa); err != nil {
			t.Fatal(err)
		}
		for got := false; !got; {
			r := wait(t, e, 1)[0]
			if r.Tag == 3 {
				seen++
				continue
			}
			if r.Res < 0 || !r.More() {
				t.Fatalf("accept %d: %+v", i, r)
			}
			_ = unix.Close(int(r.Res))
			got = true
		}
		_ = unix.Close(c)
	}
	submit(t, e, api.Cancel(ops[0].ID, 2), api.Cancel(ops[1].ID, 4))
	for n := 4 - seen; n > 0; n-- {
		switch c := wait(t, e, 1)[0]; {
		case c.Tag == 1 && !errors.Is(c.Err(), api.ErrCanceled), c.Tag == 2 && c.Res != 0:
			t.Fatalf("cancelling an accept: %+v", c)
		}
	}
}

func smokeTimeout(t *testing.T, e api.Engine) {
	t.Helper()
	a, _ := pair(t)
	start := api.Now()
	submit(t, e, api.Timeout(3*time.Millisecond, 1), api.Recv(a, make([]byte, 8), 2).Until(start.Add(time.Millisecond)))
	for range 2 {
		c := wait(t, e, 1)[0]
		if !errors.Is(c.Err(), os.ErrDeadlineExceeded) || api.Now() < start.Add(time.Millisecond) || c.Tag == 1 && api.Now() < start.Add(3*time.Millisecond) {
			t.Fatalf("timeout or deadline: %+v after %v", c, api.Now().Sub(start))
		}
	}
}

func smokeCancel(t *testing.T, e api.Engine) {
	t.Helper()
	a, b := pair(t)
	buf := make([]byte, 10)
	ops := submit(t, e, api.Recv(a, buf, 1).With(api.WaitAll), api.Recv(a, make([]byte, 1), 2))
	_, _ = unix.Write(b, []byte("abc"))
	if n, err := e.Complete(make([]api.Completion, 1), api.Wait{}); n != 0 || err != nil {
		t.Fatalf("Complete = %d, %v", n, err)
	}
	submit(t, e, api.Cancel(ops[1].ID, 3))
	for range 2 {
		if c := wait(t, e, 1)[0]; c.Tag == 3 && c.Res != 0 || c.Tag == 2 && !errors.Is(c.Err(), api.ErrCanceled) {
			t.Fatalf("cancelling what waits for its turn: %+v", c)
		}
	}
	submit(t, e, api.CancelFD(a, 4))
	for range 2 {
		c := wait(t, e, 1)[0]
		if c.Tag == 1 && c.Res != 3 || c.Tag == 4 && c.Res != 1 {
			t.Fatalf("cancelling a receive of 3 of 10 bytes: %+v", c)
		}
	}
}

func smokeClose(t *testing.T, e api.Engine) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[1])
	buf := make([]byte, 8)
	submit(t, e, api.Recv(p[0], buf, 1), api.Recv(p[0], buf, 2), api.Poll(p[0], api.PollPri, 3), api.Close(p[0], 9))
	cs := wait(t, e, 4)
	for _, c := range cs[:3] {
		if !errors.Is(c.Err(), api.ErrCanceled) {
			t.Errorf("in flight on a closed fd: %+v", c)
		}
	}
	want(t, cs[3], 9, 0)
	if n, err := unix.Read(p[1], buf); n != 0 || err != nil {
		t.Errorf("the peer of a closed socket reads %d, %v", n, err)
	}
}

func smokeWake(t *testing.T, e api.Engine) {
	t.Helper()
	var woke atomic.Bool
	for range 3 {
		woke.Store(false)
		w := time.AfterFunc(time.Millisecond, func() { woke.Store(true); _ = e.Wake() })
		if n, err := e.Complete(make([]api.Completion, 4), api.Wait{Min: 3}); n != 0 || err != nil || !woke.Load() {
			t.Fatalf("Complete = %d, %v, woken: %v", n, err, woke.Load())
		}
		w.Stop()
	}
}

// The kernel refuses submissions only when it is out of memory, so that a wrong entry stands in for that.
func TestWhatFindsNoRoomIsNotLost(t *testing.T) {
	e := open(t, nil)
	d := e.(*core.Engine).Driver().(*driver)
	full := func() { d.unsent = append(d.unsent, pending{userData: kindIgnore << kindShift, target: ^uint64(0)}) }
	a, b := pair(t)
	full()
	ops := submit(t, e, api.Recv(a, make([]byte, 4), 1), api.Poll(a, api.PollPri, 2), api.Send(b, []byte("ping"), 3))
	for range 2 {
		if c := wait(t, e, 1)[0]; c.Res != 4 {
			t.Fatalf("got %+v", c)
		}
	}
	full()
	submit(t, e, api.Recv(a, make([]byte, 4), 4), api.Cancel(ops[1].ID, 5))
	for range 2 {
		if c := wait(t, e, 1)[0]; c.Tag == 5 && c.Res != 0 || c.Tag == 2 && !errors.Is(c.Err(), api.ErrCanceled) || c.Tag == 4 {
			t.Fatalf("cancelling what the kernel has: %+v", c)
		}
	}
	full()
	submit(t, e, api.Poll(b, api.PollPri, 6), api.CancelFD(b, 7))
	for range 2 {
		if c := wait(t, e, 1)[0]; c.Tag == 7 && c.Res != 1 || c.Tag == 6 && !errors.Is(c.Err(), api.ErrCanceled) {
			t.Fatalf("cancelling what waits for room: %+v", c)
		}
	}
}

// A kernel before 5.7 answers EAGAIN to the read of the wake fd.
func TestWakeByPoll(t *testing.T) {
	e := open(t, nil)
	e.(*core.Engine).Driver().(*driver).pollWake = true
	smokeWake(t, e)
}

func TestErrorsSayWhatHelps(t *testing.T) {
	for errno, hint := range map[unix.Errno]string{
		unix.ENOSYS: "seccomp", unix.EPERM: "sysctl kernel.io_uring_disabled", unix.ENOMEM: "RLIMIT_MEMLOCK",
		unix.EMFILE: "RLIMIT_NOFILE", unix.ENFILE: "fs.file-max", unix.EINVAL: "5.6",
	} {
		err := unavailable("io_uring_setup", os.NewSyscallError("io_uring_setup", errno))
		if !errors.Is(err, api.ErrUnavailable) || !errors.Is(err, errno) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if _, err := New(&api.Options{Entries: -1}); !errors.Is(err, api.ErrInvalidOption) {
		t.Errorf("Entries -1: %v", err)
	}
}

func TestManyOps(t *testing.T) {
	e := open(t, &api.Options{Entries: 16, CQEntries: 32})
	const n = 200
	for range n {
		a, b := pair(t)
		buf := make([]byte, 4)
		submit(t, e, api.Recv(a, buf, 1).With(api.WaitAll), api.Send(b, []byte("ping"), 2))
	}
	for _, c := range wait(t, e, 2*n) {
		want(t, c, c.Tag, 4)
	}
}

func TestNoAllocations(t *testing.T) {
	e := open(t, nil)
	turn := pingPong(t, e)
	for range 100 {
		turn()
	}
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Errorf("a round trip allocates %v times", n)
	}
}

// pingPong makes a function that sends one message and waits until the other side has received it
// by multishot.
func pingPong(t testing.TB, e api.Engine) func() {
	a, b := pair(t)
	g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 1, Count: 16, Size: 64})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, e, api.RecvMultishot(b, 1, 1))
	ops := []api.Op{api.Send(a, make([]byte, 64), 2)}
	dst := make([]api.Completion, 2)
	return func() {
		if _, err := e.Submit(ops); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < 2; {
			n, err := e.Complete(dst, api.Wait{Min: 1})
			if err != nil {
				t.Fatal(err)
			}
			for i := range dst[:n] {
				if c := &dst[i]; c.Flags.Has(api.Buffer) {
					_ = g.Release(c.Lease)
				}
			}
			got += n
		}
	}
}

func BenchmarkNop(b *testing.B) {
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			e := open(b, nil)
			ops, dst := nops(batch), make([]api.Completion, batch)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Submit(ops); err != nil {
					b.Fatal(err)
				}
				if n, err := e.Complete(dst, api.Wait{Min: batch}); n != batch || err != nil {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/nop")
		})
	}
}

func BenchmarkPingPong(b *testing.B) {
	for _, s := range []api.Strategy{api.Block(), api.Park()} {
		b.Run(fmt.Sprintf("mode=%d", s.Mode), func(b *testing.B) {
			e := open(b, &api.Options{Strategy: s})
			turn := pingPong(b, e)
			b.ReportAllocs()
			for b.Loop() {
				turn()
			}
		})
	}
}
