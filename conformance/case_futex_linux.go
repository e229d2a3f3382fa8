package conformance

import (
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	futexOps  = api.Ops(api.OpFutexWait, api.OpFutexWake)
	waitvOps  = api.Ops(api.OpFutexWaitv, api.OpFutexWake)
	everybody = uint32(1<<31 - 1)
)

// word is a futex of its own, in no memory that another object has a part of.
func word(val uint32) *uint32 {
	w := new([16]uint32)
	w[0] = val
	return &w[0]
}

// shared makes an operation on a futex one on a futex that other processes use too.
func shared(op api.Op) api.Op {
	op.Flags |= api.Shared
	return op
}

// waker is another engine to wake futexes with, in another goroutine.
type waker struct {
	work chan api.Op
	res  chan int
}

// Waker starts a waker.
func (t *T) waker() *waker {
	w := &waker{work: make(chan api.Op), res: make(chan int)}
	opened, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		o := t.opt
		e, err := t.f(&o)
		opened <- err
		if err == nil {
			w.serve(t, e)
		}
	}()
	t.must("opening another engine", <-opened)
	t.Cleanup(func() {
		close(w.work)
		<-done
	})
	return w
}

func (w *waker) serve(t *T, e api.Engine) {
	var dst [1]api.Completion
	for op := range w.work {
		_, err := e.Submit([]api.Op{op})
		n := 0
		if err == nil {
			n, err = e.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
		}
		if n != 1 {
			t.Errorf("%v in another engine: %d completions, %v", op.Code, n, err)
		}
		w.res <- int(dst[0].Res)
	}
	if err := e.Close(); err != nil {
		t.Errorf("closing another engine: %v", err)
	}
}

// wake wakes up to n who wait for the word at addr, and says how many.
func (w *waker) wake(addr *uint32, n uint32) int {
	w.work <- api.FutexWake(addr, n, 0)
	return <-w.res
}

// wakes fails the case unless exactly want of n are woken.
func (t *T) wakes(w *waker, addr *uint32, n uint32, want int) {
	t.tb.Helper()
	t.wakesBy(n, want, func(n uint32) int { return w.wake(addr, n) })
}

// wakesBy is wakes for anything that wakes up to n. Where a thread waits in the engine's stead it is repeated for those that were missed:
// a thread that was the owner of a ring not long ago is interrupted by what the kernel has to do for that, and its call starts anew.
func (t *T) wakesBy(n uint32, want int, wake func(n uint32) int) {
	t.tb.Helper()
	got := wake(n)
	if t.Engine.Features().Op(api.OpFutexWait) != api.Native && got >= 0 && got < want {
		within(time.Second, func() bool {
			more := wake(n - uint32(got))
			got += max(more, 0)
			return more < 0 || got >= want
		})
	}
	if got != want {
		t.Errorf("a wake of up to %d has woken %s, want %d", n, showRes(int32(got)), want)
	}
}

// wantWoken is Want for a FutexWake that wakes somebody.
func (t *T) wantWoken(op api.Op, want int) {
	t.tb.Helper()
	t.wakesBy(uint32(op.Off), want, func(n uint32) int {
		op.Off = int64(n)
		c := t.Do(op)
		return int(c.Res)
	})
}

// signalThreads sends each thread of the process a signal that Go uses all the time, and ignores. One to the process
// would as a rule go to the same thread each time.
func signalThreads() {
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return // without /proc there are no signals, and the case is about nothing else than wakes
	}
	for _, d := range list {
		if tid, err := strconv.Atoi(d.Name()); err == nil {
			_ = unix.Tgkill(unix.Getpid(), tid, unix.SIGURG) // ESRCH: it has ended meanwhile
		}
	}
}

var futexCases = []Case{
	{
		ID: "FTX-1", Name: "woken",
		Explanation: "A futex wait waits, and completes with 0 when somebody wakes the word, whatever it holds by then.",
		Ops:         futexOps,
		Fn: func(t *T) {
			a, b := word(5), word(5)
			t.Submit(api.FutexWait(a, 5, 1), api.FutexWait(b, 5, 2))
			t.StillPending(1, 2)
			t.wantWoken(api.FutexWake(a, 1, 3), 1)
			t.AwaitRes(1, 0)
			t.StillPending(2)
			t.Want(api.FutexWake(a, 1, 3), 0)
			t.wantWoken(api.FutexWake(b, 1, 3), 1)
			t.AwaitRes(2, 0)
		},
	},
	{
		ID: "FTX-2", Name: "another value",
		Explanation: "A futex wait for a value that the word does not hold is EAGAIN at once.",
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWaitv),
		Fn: func(t *T) {
			a, b := word(5), word(1<<31)
			for _, val := range []uint32{0, 4, 6, 1 << 31, 1<<32 - 1} {
				t.WantErr(api.FutexWait(a, val, 1), unix.EAGAIN)
				t.WantErr(shared(api.FutexWait(a, val, 1)), unix.EAGAIN)
				t.WantErr(api.FutexWaitv([]api.Futex{{Addr: b, Val: 1 << 31}, {Addr: a, Val: val}}, 1), unix.EAGAIN)
			}
			t.WantErr(api.FutexWaitv([]api.Futex{{Addr: b, Val: 0}, {Addr: a, Val: 5}}, 1), unix.EAGAIN)
		},
	},
	{
		ID: "FTX-3", Name: "how many",
		Explanation: "FutexWake wakes up to n and completes with how many it has woken; 0 wakes none.",
		Ops:         futexOps,
		Fn: func(t *T) {
			a := word(0)
			const n = 10
			for i := range uint64(n) {
				t.Submit(api.FutexWait(a, 0, 10+i))
			}
			t.Perform()
			woken := 0
			for _, k := range []uint32{0, 1, 3, 0, 5, 1<<32 - 1, 1} {
				want := min(int(k), n-woken)
				if k > n {
					want = n - woken
				}
				t.wantWoken(api.FutexWake(a, k, 1), want)
				for range want {
					if c := t.One(); c.Res != 0 || c.Code != api.OpFutexWait {
						t.Fatalf("got %s", show(&c))
					}
				}
				woken += want
				t.Quiet()
			}
			op := api.FutexWake(a, 0, 1)
			op.Off = 1 << 40
			t.Want(op, 0)
		},
	},
	{
		ID: "FTX-4", Name: "from another engine",
		Explanation: "Whoever wakes a word after the Complete that has performed a wait for it wakes that wait: none is lost, and each counts.",
		Ops:         futexOps,
		Fn: func(t *T) {
			w := t.waker()
			a := word(0)
			for i := range uint64(60) {
				// Nothing changes the word, so that a wake which comes before the wait would be lost for good.
				t.Submit(api.FutexWait(a, 0, i))
				t.Perform()
				t.wakes(w, a, 1, 1)
				t.AwaitRes(i, 0)
			}
			t.Submit(api.FutexWait(a, 0, 1), api.FutexWait(a, 0, 2), api.FutexWait(a, 0, 3))
			t.Perform()
			t.wakes(w, a, 1, 1)
			t.wakes(w, a, 5, 2)
			t.wakes(w, a, 1, 0)
			for tag := range uint64(3) {
				t.AwaitRes(tag+1, 0)
			}
		},
	},
	{
		ID: "FTX-4", Name: "ends a wait",
		Explanation: "A futex that is woken in another goroutine ends a Complete that waits.",
		Ops:         futexOps,
		Fn: func(t *T) {
			w := t.waker()
			for i := range 20 {
				a := word(0)
				t.Submit(api.FutexWait(a, 0, 1))
				t.Perform()
				done := make(chan struct{})
				go func() {
					defer close(done)
					within(time.Duration(i)*50*time.Microsecond, func() bool { return false })
					t.wakes(w, a, 1, 1)
				}()
				t.AwaitRes(1, 0)
				<-done
			}
		},
	},
	{
		ID: "FTX-5", Name: "which of them",
		Explanation: "FutexWaitv completes with the index of a word that was woken.",
		Ops:         waitvOps,
		Fn: func(t *T) {
			for _, n := range []int{1, 2, 64, 125, 126, 127, 128} {
				list := make([]api.Futex, n)
				for i := range list {
					list[i] = api.Futex{Addr: word(uint32(i)), Val: uint32(i)}
				}
				for _, i := range []int{0, n / 2, n - 1} {
					t.Submit(api.FutexWaitv(list, 1))
					t.StillPending(1)
					t.wantWoken(api.FutexWake(list[i].Addr, 1, 2), 1)
					t.AwaitRes(1, i)
					t.Want(api.FutexWake(list[0].Addr, 1, 2), 0)
					t.Want(api.FutexWake(list[n-1].Addr, 1, 2), 0)
				}
				*list[n-1].Addr ^= 1
				t.WantErr(api.FutexWaitv(list, 3), unix.EAGAIN)
				t.Want(api.FutexWake(list[0].Addr, 1, 2), 0)
			}
		},
	},
	{
		ID: "FTX-5", Name: "several woken",
		Explanation: "When several words of a FutexWaitv are woken, it completes once, with one of them.",
		Ops:         waitvOps,
		Fn: func(t *T) {
			w := t.waker()
			for _, n := range []int{3, 128} {
				list := make([]api.Futex, n)
				for i := range list {
					list[i].Addr = word(0)
				}
				for range 10 {
					t.Submit(api.FutexWaitv(list, 1))
					t.Perform()
					woken := map[int32]bool{}
					for _, i := range []int32{1, 0, int32(n) - 1} {
						if w.wake(list[i].Addr, 1) == 1 {
							woken[i] = true
						}
					}
					if c := t.Await(1); !woken[c.Res] {
						t.Errorf("of %d got %s, woken were %v", n, show(&c), woken)
					}
				}
			}
			t.Quiet()
		},
	},
	{
		ID: "FTX-6", Name: "shared and private",
		Explanation: "A private wake reaches private waits of the word, a shared one shared waits, in a FutexWaitv too.",
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv),
		Fn: func(t *T) {
			a := word(0)
			both := shared(api.FutexWait(a, 0, 2))
			alone := api.FutexWait(a, 0, 3)
			alone.Args.Futexes[0].Shared = true
			t.Submit(api.FutexWait(a, 0, 1), both, alone, api.FutexWaitv([]api.Futex{{Addr: word(0)}, {Addr: a, Shared: true}}, 4))
			t.Perform()
			t.wantWoken(api.FutexWake(a, everybody, 5), 1)
			t.AwaitRes(1, 0)
			t.StillPending(2, 3, 4)
			t.wantWoken(shared(api.FutexWake(a, everybody, 6)), 3)
			t.AwaitRes(2, 0)
			t.AwaitRes(3, 0)
			t.AwaitRes(4, 1)
		},
	},
	{
		ID: "FTX-7", Name: "bad input",
		Explanation: "No word is EINVAL, as are too many, and a nil word is EFAULT; so are no Args.",
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv),
		Fn: func(t *T) {
			a := word(0)
			t.WantErr(api.FutexWait(nil, 0, 1), unix.EFAULT)
			t.WantErr(shared(api.FutexWait(nil, 0, 1)), unix.EFAULT)
			t.WantErr(api.FutexWake(nil, 1, 1), unix.EFAULT)
			t.WantErr(api.FutexWake(nil, 0, 1), unix.EFAULT)
			t.WantErr(shared(api.FutexWake(nil, 1, 1)), unix.EFAULT)
			t.WantErr(api.FutexWaitv([]api.Futex{{Addr: a}, {}}, 1), unix.EFAULT)
			t.WantErr(api.FutexWaitv([]api.Futex{{Addr: a, Val: 1}, {}}, 1), unix.EAGAIN)
			t.WantErr(api.FutexWaitv(nil, 1), unix.EINVAL)
			many := make([]api.Futex, 129)
			for i := range many {
				many[i].Addr = a
			}
			t.WantErr(api.FutexWaitv(many, 1), unix.EINVAL)
			t.WantErr(shared(api.FutexWaitv(many[:1], 1)), unix.EINVAL)
			for _, op := range []api.Op{api.FutexWait(a, 0, 1), api.FutexWake(a, 1, 1)} {
				bad := op
				bad.Args = nil
				t.WantErr(bad, unix.EFAULT)
				for _, list := range [][]api.Futex{nil, many[:2]} {
					bad.Args = &api.Args{Futexes: list}
					t.WantErr(bad, unix.EINVAL)
				}
				for _, f := range []api.OpFlags{api.Multishot, api.DontWait, api.Abs, api.Unordered} {
					bad := op
					bad.Flags = f
					t.WantErr(bad, unix.EINVAL)
				}
			}
			op := api.FutexWake(a, 1, 1)
			op.Off = -1
			t.WantErr(op, unix.EINVAL)
			op = api.FutexWaitv(many[:1], 1)
			op.Args = nil
			t.WantErr(op, unix.EFAULT)
			t.Want(api.FutexWake(a, 1, 1), 0)
		},
	},
	{
		ID: "FTX-8", Name: "cancel and deadline",
		Explanation: "A futex wait that is cancelled, or whose Deadline has passed, takes no wake.",
		Requires:    api.FeatDeadlines,
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv, api.OpCancel),
		Fn: func(t *T) {
			a := word(0)
			list := make([]api.Futex, 128)
			for i := range list {
				list[i].Addr = a
			}
			for _, op := range []api.Op{api.FutexWait(a, 0, 1), shared(api.FutexWait(a, 0, 1)), api.FutexWaitv(list[:3], 1), api.FutexWaitv(list, 1)} {
				id := t.Submit(op)[0]
				t.Perform()
				t.Want(api.Cancel(id, 2), 0)
				t.AwaitRes(1, ecanceled)
				t.Want(api.Cancel(id, 2), neg(unix.ENOENT))
				at := api.After(2 * time.Millisecond)
				t.Want(op.Until(at), etime)
				t.wantPassed(at)
				t.Want(op.Until(1), etime)
				t.Want(api.FutexWake(a, everybody, 3), 0)
				t.Want(shared(api.FutexWake(a, everybody, 3)), 0)
			}
			t.Quiet()
		},
	},
	{
		ID: "FTX-8", Name: "cancel races with wake",
		Explanation: "When a cancel or Deadline races with a wake, a wait completes with 0 if and only if the wake has counted it.",
		Requires:    api.FeatDeadlines,
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWake, api.OpCancel),
		Fn: func(t *T) {
			w := t.waker()
			a := word(0)
			for i := range 100 {
				ops := []api.Op{api.FutexWait(a, 0, 1), api.FutexWait(a, 0, 2), api.FutexWait(a, 0, 3).Until(api.After(50 * time.Microsecond))}
				ids := t.Submit(ops...)
				t.Perform()
				counted := make(chan int, 1)
				go func() { counted <- w.wake(a, everybody) }()
				if i%2 == 0 {
					runtime.Gosched()
				}
				t.Submit(api.Cancel(ids[0], 11), api.Cancel(ids[1], 12))
				woken, cancelled, answers := 0, 0, 0
				for range 5 {
					switch c := t.One(); {
					case c.Tag < 10 && c.Res == 0:
						woken++
					case c.Tag == 3 && int(c.Res) == etime:
					case c.Tag < 3 && int(c.Res) == ecanceled:
						cancelled++
					case c.Tag > 10 && c.Res == 0:
						answers++
					case c.Tag > 10 && (int(c.Res) == neg(unix.ENOENT) || int(c.Res) == neg(unix.EALREADY)):
					default:
						t.Errorf("got %s", show(&c))
					}
				}
				if n := <-counted; n != woken || answers != cancelled {
					t.Fatalf("the wake counted %d, %d waits completed with 0; %d cancels said 0, %d waits were cancelled", n, woken, answers, cancelled)
				}
			}
			t.Quiet()
		},
	},
	{
		ID: "FTX-9", Name: "engine closed",
		Explanation: "Close of an engine ends its futex waits, which take no wake any more, and leaves nothing behind.",
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv),
		Fn: func(t *T) {
			w := t.waker()
			a := word(0)
			list := make([]api.Futex, 128)
			for i := range list {
				list[i].Addr = a
			}
			for i := range uint64(10) {
				t.Submit(api.FutexWait(a, 0, i), api.FutexWaitv(list[:i+1], 100+i))
			}
			t.Submit(api.FutexWaitv(list, 1))
			t.Perform()
			t.CloseEngine()
			t.wakes(w, a, everybody, 0)
		},
	},
	{
		ID: "FTX-10", Name: "kept alive",
		Explanation: "The engine keeps the words and the list alive until the last completion.",
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv, api.OpCancel),
		Fn: func(t *T) {
			// Nobody but the engine knows of the words. A collected one would be another object's memory, whose value differs, and the wait
			// be made again with it, or not be found by the cancel.
			var ids []api.OpID
			for i := range uint64(20) {
				ids = append(ids, t.Submit(api.FutexWait(word(7), 7, i), api.FutexWaitv([]api.Futex{{Addr: word(8), Val: 8}, {Addr: word(9), Val: 9}}, 100+i))...)
			}
			freed := make(chan struct{})
			a := word(0)
			runtime.AddCleanup(a, func(c chan struct{}) { close(c) }, freed)
			t.Submit(api.FutexWait(a, 0, 1000))
			t.Perform()
			for range 3 {
				runtime.GC()
				for range 100 {
					*word(1) = 2
				}
			}
			t.StillPending(0, 19, 100, 119, 1000)
			t.wantWoken(api.FutexWake(a, 1, 1), 1)
			t.AwaitRes(1000, 0)
			for _, id := range ids {
				t.Want(api.Cancel(id, 2000), 0)
			}
			for range ids {
				c := t.One()
				t.WantRes(&c, ecanceled)
			}
			// And no longer.
			a = nil
			if !within(t.timeout/2, func() bool {
				runtime.GC()
				select {
				case <-freed:
					return true
				default:
					return false
				}
			}) {
				t.Errorf("a word that nobody waits for any more is kept alive")
			}
		},
	},
	{
		ID: "FTX-11", Name: "files go on",
		Explanation: "Futex waits take none of the workers that files need.",
		Ops:         api.Ops(api.OpFutexWait, api.OpFutexWake, api.OpFsync),
		Tune:        func(o *api.Options) { o.Workers = 1 },
		Fn: func(t *T) {
			a := word(0)
			for i := range uint64(20) {
				t.Submit(api.FutexWait(a, 0, 10+i))
			}
			t.Want(api.Fsync(t.File(""), 1), 0)
			t.wantWoken(api.FutexWake(a, everybody, 2), 20)
			for range 20 {
				c := t.One()
				t.WantRes(&c, 0)
			}
		},
	},
	{
		ID: "FTX-12", Name: "too many",
		Explanation: "At least 1000 futex waits can be pending in a process; one that is too many is ENOMEM, and the others are woken all the same.",
		Ops:         futexOps,
		Fn: func(t *T) {
			a := word(0)
			const n = 1100
			for i := range uint64(n) {
				t.Submit(api.FutexWait(a, 0, 10+i))
			}
			refused := 0
			t.Perform()
			c := t.Do(api.FutexWake(a, everybody, 1))
			for range n {
				switch c := t.One(); int(c.Res) {
				case 0:
				case neg(unix.ENOMEM):
					refused++
				default:
					t.Fatalf("got %s", show(&c))
				}
			}
			if refused > n-1000 || int(c.Res) != n-refused {
				t.Errorf("of %d waits %d were refused, and %s woken", n, refused, showRes(c.Res))
			}
			t.Submit(api.FutexWait(a, 0, 2))
			t.wantWoken(api.FutexWake(a, 1, 3), 1)
			t.AwaitRes(2, 0)
		},
	},
	{
		ID: "FTX-13", Name: "signals",
		Explanation: "A signal ends no futex wait, and loses no wake.",
		Ops:         futexOps,
		Fn: func(t *T) {
			w := t.waker()
			stop, done := make(chan struct{}), make(chan struct{})
			t.Cleanup(func() { // also of a case that fails
				close(stop)
				<-done
			})
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					default:
						signalThreads()
						runtime.Gosched()
					}
				}
			}()
			a := word(0)
			for i := range uint64(100) {
				t.Submit(api.FutexWait(a, 0, i))
				t.Perform()
				if i%10 == 0 {
					t.StillPending(i)
				}
				t.wakes(w, a, 1, 1)
				t.AwaitRes(i, 0)
			}
		},
	},
}
