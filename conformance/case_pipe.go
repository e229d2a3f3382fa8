//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var pipeOps = api.Ops(api.OpPipe)

// newPipe makes a pipe with the engine.
func (t *T) newPipe(flags uint32) (r, w int) {
	t.tb.Helper()
	fds := &[2]int32{-1, -1}
	t.Want(api.Pipe(fds, flags, 1), 0)
	r, w = int(fds[0]), int(fds[1])
	for _, fd := range []int{t.Own(r), t.Own(w)} {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || n&unix.FD_CLOEXEC == 0 {
			t.Errorf("the flags of an end of the new pipe are %#x, %v: it is not close-on-exec", n, err)
		}
	}
	return r, w
}

var pipeCases = []Case{
	{
		ID: "PIP-1", Name: "ends",
		Explanation: "Pipe makes a pipe: what is written to the second end comes out of the first. Both are close-on-exec, and O_NONBLOCK if that was asked for.",
		Ops:         pipeOps,
		Fn: func(t *T) {
			for _, flags := range []uint32{0, unix.O_NONBLOCK, unix.O_CLOEXEC} {
				r, w := t.newPipe(flags)
				t.Put(w, "through")
				t.WantGet(r, "through")
				for _, fd := range []int{r, w} {
					if got, want := t.Flags(fd)&unix.O_NONBLOCK, int(flags)&unix.O_NONBLOCK; got != want {
						t.Errorf("O_NONBLOCK of the new fd is %#o, want %#o", got, want)
					}
				}
				t.CloseNow(w)
				t.WantEnd(r)
			}
		},
	},
	{
		ID: "PIP-1", Name: "used by the engine",
		Explanation: "The ends of a new pipe are files like others, also when their numbers were used before.",
		Ops:         pipeOps | fileOps | api.Ops(api.OpClose),
		Fn: func(t *T) {
			buf := make([]byte, 8)
			for range 20 {
				r, w := t.newPipe(0)
				t.Submit(api.Read(r, buf, api.CurrentPosition, 2))
				t.StillPending(2)
				t.Want(api.Write(w, []byte("data"), api.CurrentPosition, 3), 4)
				t.AwaitRes(2, 4)
				t.Submit(api.Read(r, buf, api.CurrentPosition, 4), api.Close(r, 5))
				c := t.Await(4)
				if c.Err() != api.ErrCanceled {
					t.Errorf("a read on a closed fd: %s", show(&c))
				}
				t.AwaitRes(5, 0)
				t.WantErr(api.Write(w, buf, api.CurrentPosition, 6), unix.EPIPE)
				t.Want(api.Close(w, 7), 0)
			}
		},
	},
	{
		ID: "PIP-2", Name: "failures",
		Explanation: "Pipe with flags that do not exist is EINVAL, with nowhere to put the ends EFAULT, without fds EMFILE, and leaves nothing behind.",
		Ops:         pipeOps,
		Fn: func(t *T) {
			fds := &[2]int32{-1, -1}
			t.WantErr(api.Pipe(fds, 1<<30, 1), unix.EINVAL)
			t.WantErr(api.Pipe(nil, 0, 2), unix.EFAULT)
			op := api.Pipe(fds, 0, 3)
			op.Args = nil
			t.WantErr(op, unix.EFAULT)
			before := len(openFDs())
			t.withoutFDs(func() { t.WantErr(api.Pipe(fds, 0, 4), unix.EMFILE) })
			if n := len(openFDs()); n != before {
				t.Errorf("%d files are open, %d were before", n, before)
			}
			if *fds != [2]int32{-1, -1} {
				t.Errorf("a pipe that was not made has given %v", *fds)
			}
			t.newPipe(0)
		},
	},
	{
		ID: "PIP-3", Name: "engine closed",
		Explanation: "Both ends of a pipe whose completion nobody reaps because the engine is closed are closed too.",
		Ops:         pipeOps,
		Fn: func(t *T) {
			for _, kept := range []int{0, 1, 2} {
				before := len(openFDs())
				e := t.Open(nil)
				ops := make([]api.Op, 5)
				for i := range ops {
					ops[i] = api.Pipe(new([2]int32), 0, uint64(i))
				}
				if n, err := e.Submit(ops); n != len(ops) || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				dst := make([]api.Completion, 1)
				for i := range kept {
					n, err := e.Complete(dst, api.Wait{Min: 1})
					if n != 1 || err != nil || dst[0].Res != 0 || dst[0].Tag != uint64(i) {
						t.Fatalf("Complete: %d, %v, %s", n, err, show(&dst[0]))
					}
					for _, fd := range ops[i].Args.Pipe {
						t.CloseNow(int(fd))
					}
				}
				t.must("Close", e.Close())
				if n := len(openFDs()); n > before {
					t.Errorf("after %d completions, %d files are open, %d were before", kept, n, before)
				}
			}
		},
	},
}
