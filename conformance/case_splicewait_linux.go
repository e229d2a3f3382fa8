package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// spliceWaitCases are about splices that cannot go on at once.
var spliceWaitCases = []Case{
	{
		ID: "SPL-4", Name: "empty input",
		Explanation: "A splice whose input has nothing waits until it has.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			t.eachSource(func(in, from int) {
				r, w := t.Pipe(false)
				for range 3 {
					t.Submit(api.Splice(in, none, w, none, 100, 0, 1))
					t.StillPending(1)
					t.Put(from, "at last")
					t.AwaitRes(1, 7)
					t.WantGet(r, "at last")
				}
			})
		},
	},
	{
		ID: "SPL-4", Name: "full output",
		Explanation: "A splice whose output is full waits until it has room.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			t.eachSink(func(out, to int) {
				r, w := t.Pipe(false)
				t.Put(w, "waits")
				for range 2 {
					t.Fill(out)
					t.Submit(api.Splice(r, none, out, none, 100, 0, 1))
					t.StillPending(1)
					t.empty(to)
					t.AwaitRes(1, 5)
					t.WantGet(to, "waits")
					t.Put(w, "waits")
				}
			})
		},
	},
	{
		ID: "SPL-4", Name: "first one side, then the other",
		Explanation: "A splice waits for its input and then for its output, or the other way round.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			t.eachSink(func(out, to int) {
				r, w := t.Pipe(false)
				t.Fill(out)
				t.Submit(api.Splice(r, none, out, none, 100, 0, 1))
				t.StillPending(1)
				t.Put(w, "through")
				t.StillPending(1)
				t.empty(to)
				t.AwaitRes(1, 7)
				t.WantGet(to, "through")
				t.Fill(out)
				t.Submit(api.Splice(r, none, out, none, 100, 0, 2))
				t.StillPending(2)
				t.empty(to)
				t.StillPending(2)
				t.Put(w, "again")
				t.AwaitRes(2, 5)
				t.WantGet(to, "again")
			})
		},
	},
	{
		ID: "ORD-3", Name: "unordered beside a splice that waits",
		Explanation: "An Unordered send goes past what waits for its turn or its input on the same socket, and an ordered one past what is Unordered.",
		Requires:    api.FeatDontWait,
		Ops:         spliceOps | streamOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			t.EachStream(func(a, b int) {
				t.Submit(api.Splice(r, none, a, none, 1, 0, 1))
				t.StillPending(1)
				t.WantErr(api.Send(a, []byte("x"), 2).With(api.DontWait), unix.EAGAIN)
				t.Want(api.Send(a, []byte("past"), 3).With(api.DontWait|api.Unordered), 4)
				t.Want(api.Send(a, []byte(" it"), 4).With(api.Unordered), 3)
				t.Put(w, ".")
				t.AwaitRes(1, 1)
				t.WantGet(b, "past it.")
				t.Submit(api.Splice(r, none, a, none, 1, 0, 5).With(api.Unordered))
				t.StillPending(5)
				t.Want(api.Send(a, []byte("first"), 6), 5)
				t.Put(w, "!")
				t.AwaitRes(5, 1)
				t.WantGet(b, "first!")
			})
		},
	},
	{
		ID: "SPL-4", Name: "both sides in one wait",
		Explanation: "A splice that has waited for one side waits for the other without the program doing anything.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			t.eachSink(func(out, to int) {
				r, w := t.Pipe(false)
				t.Fill(out)
				was := t.Flags(to)&unix.O_NONBLOCK != 0
				t.nonblock(true, to)
				t.Submit(api.Splice(r, none, out, none, 100, 0, 1))
				t.StillPending(1)
				done := make(chan struct{})
				t.spawn(func() {
					defer close(done)
					_, _ = unix.Write(w, []byte("through")) // if it fails, the splice waits for ever
					pause(5)
					for buf := make([]byte, 1<<16); ; {
						if n, err := readNow(to, buf); n <= 0 || err != nil {
							return
						}
					}
				})
				t.AwaitRes(1, 7)
				<-done
				t.empty(to)
				t.nonblock(was, to)
			})
		},
	},
	{
		ID: "SPL-4", Name: "a file and a pipe",
		Explanation: "A splice between a file and a pipe waits for the pipe.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			f := t.File("in a file")
			r, w := t.Pipe(false)
			t.Fill(w)
			t.Submit(api.Splice(f, 0, w, none, 100, 0, 1))
			t.StillPending(1)
			t.empty(r)
			t.AwaitRes(1, 9)
			t.WantGet(r, "in a file")
			t.Submit(api.Splice(r, none, f, 3, 100, 0, 2))
			t.StillPending(2)
			t.Put(w, "ALL")
			t.AwaitRes(2, 3)
			t.WantGet(f, "in ALLile")
		},
	},
	{
		ID: "SPL-5", Name: "without waiting",
		Explanation: "With DontWait or SPLICE_F_NONBLOCK a splice or tee that would have to wait is EAGAIN.",
		Requires:    api.FeatDontWait,
		Ops:         spliceOps,
		Fn: func(t *T) {
			both := func(op api.Op) {
				t.tb.Helper()
				t.WantErr(op.With(api.DontWait), unix.EAGAIN)
				op.Arg |= unix.SPLICE_F_NONBLOCK
				t.WantErr(op, unix.EAGAIN)
			}
			r, w := t.Pipe(false)
			t.eachSource(func(in, from int) { both(api.Splice(in, none, w, none, 100, 0, 1)) })
			both(api.Tee(r, t.second(t.Pipe(false)), 100, 0, 2))
			f := t.File("0123456789")
			both(api.Splice(r, none, f, none, 100, 0, 3))
			t.Put(w, "x")
			t.eachSink(func(out, to int) {
				t.Fill(out)
				both(api.Splice(r, none, out, none, 100, 0, 4))
			})
			t.Fill(w)
			both(api.Splice(f, 0, w, none, 100, 0, 5))
			t.WantGet(r, "x")
		},
	},
	{
		ID: "SPL-6", Name: "cancel",
		Explanation: "A splice or tee that waits can be cancelled, and moves nothing afterwards.",
		Ops:         spliceOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			end := func(op api.Op) {
				t.tb.Helper()
				id := t.Submit(op)[0]
				t.StillPending(op.Tag)
				t.Want(api.Cancel(id, 99), 0)
				c := t.Await(op.Tag)
				if c.Err() != api.ErrCanceled {
					t.Errorf("got %s", show(&c))
				}
			}
			t.eachSource(func(in, from int) {
				r, w := t.Pipe(false)
				end(api.Splice(in, none, w, none, 100, 0, 1))
				t.Put(from, "stays")
				t.WantGet(in, "stays")
				if n := t.empty(r); n != 0 {
					t.Errorf("a splice that was cancelled has moved %d bytes", n)
				}
			})
			r, w := t.Pipe(false)
			f := t.File("")
			end(api.Tee(r, t.second(t.Pipe(false)), 100, 0, 2))
			end(api.Splice(r, none, f, none, 100, 0, 3))
			t.Put(w, "stays")
			t.eachSink(func(out, to int) {
				t.Fill(out)
				end(api.Splice(r, none, out, none, 100, 0, 4))
			})
			t.WantGet(r, "stays")
			t.Fill(w)
			end(api.Splice(t.File("content"), 0, w, none, 100, 0, 5))
		},
	},
	{
		ID: "SPL-6", Name: "deadline",
		Explanation: "A splice that waits ends at its Deadline, whichever side it waits for.",
		Requires:    api.FeatDeadlines,
		Ops:         spliceOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			full, f := t.second(t.Pipe(false)), t.File("content")
			t.Fill(full)
			soon := func() api.Instant { return api.After(time.Millisecond) }
			t.Want(api.Splice(r, none, t.second(t.Pipe(false)), none, 100, 0, 1).Until(soon()), neg(api.ETime))
			t.Want(api.Splice(r, none, f, none, 100, 0, 2).Until(soon()), neg(api.ETime))
			t.Want(api.Splice(f, 0, full, none, 100, 0, 3).Until(soon()), neg(api.ETime))
			t.Put(w, "x")
			t.Want(api.Splice(r, none, full, none, 100, 0, 4).Until(soon()), neg(api.ETime))
		},
	},
	{
		ID: "SPL-6", Name: "close",
		Explanation: "Close of either file ends a splice that waits, and then closes the file.",
		Requires:    api.FeatSafeClose,
		Ops:         spliceOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			for side := range 6 {
				r, w := t.Pipe(false)
				a, b := t.Pair(false)
				if side%2 == 1 {
					t.Fill(a)
					t.Put(w, "x")
				}
				out, kept := a, b
				switch side / 2 {
				case 1:
					out, kept = t.File(""), -1
				case 2:
					kept, out = t.Pipe(false)
					if side%2 == 1 {
						t.Fill(out)
					}
				}
				first, second := r, out
				if side%2 == 1 {
					first, second = out, r
				}
				if side == 3 {
					t.empty(r) // a file is never full
				}
				t.Submit(api.Splice(r, none, out, none, 100, 0, 1))
				t.StillPending(1)
				t.Submit(api.Close(first, 2))
				c := t.Await(1)
				if c.Err() != api.ErrCanceled {
					t.Errorf("side %d: %s", side, show(&c))
				}
				t.AwaitRes(2, 0)
				t.Want(api.Close(second, 3), 0)
				if kept >= 0 {
					t.empty(kept)
				}
			}
		},
	},
	{
		ID: "SPL-6", Name: "race with a worker",
		Explanation: "A splice of a file that is cancelled, or whose pipe is closed, while a worker looks at it, ends all the same.",
		Requires:    api.FeatSafeClose,
		Ops:         spliceOps | api.Ops(api.OpCancel, api.OpClose),
		Fn: func(t *T) {
			const n = 32
			f := t.File("content")
			for round := range 20 {
				var pipes [n][2]int
				var ops, ends []api.Op
				for i := range n {
					r, w := t.Pipe(false)
					pipes[i] = [2]int{r, w}
					if i%2 == 0 {
						_, err := unix.FcntlInt(uintptr(w), unix.F_SETPIPE_SZ, 4096)
						t.must("fcntl", err)
						t.Put(w, pattern(4096))
					}
					ops = append(ops, api.Splice(f, 0, w, none, 100, 0, uint64(i)))
				}
				ids := t.Submit(ops...)
				for i := range n {
					end := api.Cancel(ids[i], uint64(n+i))
					if round%2 == 0 {
						end = api.Close(pipes[i][1], uint64(n+i))
					}
					ends = append(ends, end)
				}
				t.Submit(ends...) // while the workers are at the splices
				for i := range n {
					a, b := t.Await(uint64(i)), t.Await(uint64(n+i))
					canceled := a.Err() == api.ErrCanceled
					switch {
					case round%2 == 0 && b.Res != 0,
						i%2 == 0 && !canceled, // nobody reads
						!canceled && a.Res != 7,
						round%2 == 1 && (b.Res == 0) != canceled:
						t.Fatalf("%d: %s and %s do not go together", i, show(&a), show(&b))
					}
					t.CloseNow(pipes[i][0])
					if round%2 == 1 {
						t.CloseNow(pipes[i][1])
					}
				}
			}
		},
	},
	{
		ID: "SPL-6", Name: "engine closed",
		Explanation: "An engine can be closed while splices wait.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			e := t.Open(nil)
			r, _ := t.Pipe(false)
			full := t.second(t.Pipe(false))
			t.Fill(full)
			ops := []api.Op{api.Splice(r, none, full, none, 1, 0, 1), api.Splice(t.File("x"), 0, full, none, 1, 0, 2), api.Tee(r, full, 1, 0, 3), api.Splice(r, none, t.File(""), none, 1, 0, 4)}
			for range 2 {
				if n, err := e.Submit(ops); n != len(ops) || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				if n, err := e.Complete(make([]api.Completion, 4), api.Wait{}); n != 0 || err != nil {
					t.Fatalf("Complete: %d, %v", n, err)
				}
			}
			t.must("Close", e.Close())
		},
	},
}
