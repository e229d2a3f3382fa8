package conformance

import (
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const none = api.CurrentPosition

var spliceOps = api.Ops(api.OpSplice, api.OpTee)

// sources are the kinds of files that a splice reads from, with the end to write to.
var sources = []struct {
	name string
	make func(*T) (in, from int)
}{
	{"pipe, blocking", func(t *T) (int, int) { return t.Pipe(false) }},
	{"pipe, O_NONBLOCK", func(t *T) (int, int) { return t.Pipe(true) }},
	{"unix stream, blocking", func(t *T) (int, int) { return t.Pair(false) }},
	{"unix stream, O_NONBLOCK", func(t *T) (int, int) { return t.Pair(true) }},
	{"TCP, blocking", func(t *T) (int, int) { return t.TCP(false) }},
	{"TCP, O_NONBLOCK", func(t *T) (int, int) { return t.TCP(true) }},
	{"unix datagram", func(t *T) (int, int) { return t.Dgrams() }},
}

// sinks are the kinds of files that a splice writes to and that can be full, with the end to read from.
var sinks = []struct {
	name string
	make func(*T) (out, to int)
}{
	{"pipe, blocking", func(t *T) (int, int) { r, w := t.Pipe(false); return w, r }},
	{"pipe, O_NONBLOCK", func(t *T) (int, int) { r, w := t.Pipe(true); return w, r }},
	{"unix stream, blocking", func(t *T) (int, int) { return t.Pair(false) }},
	{"unix stream, O_NONBLOCK", func(t *T) (int, int) { return t.Pair(true) }},
}

// eachSource and eachSink say which kind it was when something goes wrong.
func (t *T) eachSource(f func(in, from int)) {
	for _, s := range sources {
		in, from := s.make(t)
		if f(in, from); t.Failed() {
			t.Fatalf("that was from a %s", s.name)
		}
	}
}

func (t *T) eachSink(f func(out, to int)) {
	for _, s := range sinks {
		out, to := s.make(t)
		if f(out, to); t.Failed() {
			t.Fatalf("that was to a %s", s.name)
		}
	}
}

// empty reads what is there without waiting.
func (t *T) empty(fd int) (n int) {
	was := t.Flags(fd)&unix.O_NONBLOCK != 0
	t.nonblock(true, fd)
	defer t.nonblock(was, fd)
	buf := make([]byte, 1<<16)
	for {
		m, err := readNow(fd, buf)
		if n += m; m == 0 || err != nil {
			return n
		}
	}
}

// quietly runs f, which must raise no SIGPIPE.
func (t *T) quietly(f func()) {
	got := make(chan os.Signal, 8)
	// Signals that have been raised are delivered by their numbers: SIGPIPE comes before SIGWINCH.
	signal.Notify(got, unix.SIGPIPE, unix.SIGWINCH)
	defer signal.Stop(got)
	f()
	t.must("kill", unix.Kill(os.Getpid(), unix.SIGWINCH))
	if s := <-got; s != unix.SIGWINCH {
		t.Errorf("the operations have raised %v", s)
	}
}

var spliceCases = []Case{
	{
		ID: "SUB-6", Name: "operations on two files",
		Explanation: "An operation on two files is one operation in flight: MaxInFlight of them are taken, in a chain, too.",
		Requires:    api.FeatChains,
		Ops:         spliceOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 2 },
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			r2, w2 := t.Pipe(false)
			t.Submit(api.Splice(r, api.CurrentPosition, w2, api.CurrentPosition, 4, 0, 1).With(api.HardLink),
				api.Splice(r, api.CurrentPosition, w2, api.CurrentPosition, 4, 0, 2))
			if n, err := t.Engine.Submit([]api.Op{api.Nop(3)}); n != 0 || err != api.ErrQueueFull {
				t.Fatalf("Submit to a full engine: %d, %v", n, err)
			}
			t.StillPending(1, 2)
			t.Put(w, "12345678")
			t.AwaitRes(1, 4)
			t.AwaitRes(2, 4)
			t.WantGet(r2, "12345678")
		},
	},
	{
		ID: "SPL-1", Name: "from everywhere to a pipe",
		Explanation: "A splice into a pipe moves what its input has, and the result is how much.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			t.eachSource(func(in, from int) {
				r, w := t.Pipe(false)
				t.Put(from, "some bytes")
				t.Want(api.Splice(in, none, w, none, 100, 0, 1), 10)
				t.WantGet(r, "some bytes")
			})
			r, w := t.Pipe(false)
			t.Want(api.Splice(t.File("in a file"), none, w, none, 100, unix.SPLICE_F_MOVE|unix.SPLICE_F_MORE, 2), 9)
			t.WantGet(r, "in a file")
			t.Want(api.Splice(t.OpenFile("/dev/zero", 0), none, w, none, 4, 0, 3), 4)
			t.WantGet(r, "\x00\x00\x00\x00")
		},
	},
	{
		ID: "SPL-1", Name: "from a pipe to everywhere",
		Explanation: "A splice out of a pipe moves what the pipe has, and the result is how much.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			for _, s := range append(sinks, struct {
				name string
				make func(*T) (out, to int)
			}{"TCP", func(t *T) (int, int) { return t.TCP(false) }}) {
				out, to := s.make(t)
				t.Put(w, "some bytes")
				t.Want(api.Splice(r, none, out, none, 4, 0, 1), 4)
				t.Want(api.Splice(r, none, out, none, 100, 0, 2), 6)
				t.WantGet(to, "some bytes")
			}
			t.Put(w, "into a file")
			f := t.File("")
			t.Want(api.Splice(r, none, f, none, 100, 0, 3), 11)
			t.must("seek", func() error { _, err := unix.Seek(f, 0, 0); return err }())
			t.WantGet(f, "into a file")
			t.Put(w, "lost")
			t.Want(api.Splice(r, none, t.OpenFile("/dev/null", unix.O_WRONLY), none, 100, 0, 4), 4)
		},
	},
	{
		ID: "SPL-1", Name: "a file through a pipe to a socket",
		Explanation: "A large file goes through a pipe into a socket in many splices, and arrives as it is.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			data := pattern(1<<20 + 13)
			f := t.File(data)
			for _, kind := range []func(bool) (int, int){t.Pair, t.TCP} {
				r, w := t.Pipe(false)
				a, b := kind(false)
				var got strings.Builder
				done := make(chan struct{})
				t.spawn(func() {
					defer close(done)
					buf := make([]byte, 1<<14)
					for got.Len() < len(data) {
						t.ready(b, unix.POLLIN)
						n, err := unix.Read(b, buf)
						if err != nil && err != unix.EINTR || n == 0 {
							return
						}
						got.Write(buf[:max(n, 0)])
					}
				})
				sent, off := 0, int64(0)
				in, out := api.Splice(f, 0, w, none, 1<<17, 0, 1), api.Splice(r, none, a, none, 1<<17, 0, 2)
				t.Submit(in, out)
				for sent < len(data) || off < int64(len(data)) {
					switch c := t.One(); {
					case c.Res <= 0:
						t.Fatalf("after %d of %d bytes: %s", sent, len(data), show(&c))
					case c.Tag == 1:
						if off += int64(c.Res); off < int64(len(data)) {
							in.Off = off
							t.Submit(in)
						}
					default:
						if sent += int(c.Res); sent < len(data) {
							t.Submit(out)
						}
					}
				}
				<-done
				if got.String() != data {
					t.Fatalf("%s arrived, want %s", quote(got.String()), quote(data))
				}
			}
		},
	},
	{
		ID: "SPL-2", Name: "positions",
		Explanation: "A splice at a position leaves that of the file alone, one at CurrentPosition moves it.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			f := t.File("0123456789")
			t.Want(api.Splice(f, 6, w, none, 3, 0, 1), 3)
			t.WantGet(r, "678")
			t.Want(api.Splice(f, none, w, none, 3, 0, 2), 3)
			t.WantGet(r, "012")
			if off := t.Offset(f); off != 3 {
				t.Errorf("the position is %d, want 3", off)
			}
			t.Put(w, "abXY")
			t.Want(api.Splice(r, none, f, 8, 2, 0, 3), 2)
			t.Want(api.Splice(r, none, f, none, 2, 0, 4), 2)
			if off := t.Offset(f); off != 5 {
				t.Errorf("the position is %d, want 5", off)
			}
			buf := make([]byte, 10)
			_, err := unix.Pread(f, buf, 0)
			t.must("pread", err)
			t.WantBytes(buf, "012XY567ab")
			t.Want(api.Splice(f, 10, w, none, 3, 0, 5), 0)
		},
	},
	{
		ID: "SPL-3", Name: "tee",
		Explanation: "Tee copies what a pipe holds into another, and it is still in the first.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			r2, w2 := t.Pipe(true)
			t.Put(w, "twice")
			t.Want(api.Tee(r, w2, 100, 0, 1), 5)
			t.Want(api.Tee(r, w2, 2, 0, 2), 2)
			t.WantGet(r2, "twicetw")
			t.WantGet(r, "twice")
			t.Submit(api.Tee(r, w2, 100, 0, 3))
			t.StillPending(3)
			t.Put(w, "later")
			t.AwaitRes(3, 5)
			t.WantGet(r2, "later")
			t.WantGet(r, "later")
			t.CloseNow(w)
			t.Want(api.Tee(r, w2, 100, 0, 4), 0)
		},
	},
	{
		ID: "SPL-7", Name: "order of the input",
		Explanation: "Splices and reads of one pipe get its bytes in the order of submission.",
		Requires:    api.FeatDontWait,
		Ops:         spliceOps | fileOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			ar, aw := t.Pipe(false)
			br, bw := t.Pipe(false)
			buf := make([]byte, 2)
			t.Submit(api.Splice(r, none, aw, none, 2, 0, 1), api.Read(r, buf, none, 2), api.Tee(r, bw, 2, 0, 3), api.Splice(r, none, bw, none, 2, 0, 4))
			t.StillPending(1, 2, 3, 4)
			t.Put(w, "aabbcc")
			for tag := range uint64(4) {
				t.AwaitRes(tag+1, 2)
			}
			t.WantGet(ar, "aa")
			t.WantBytes(buf, "bb")
			t.WantGet(br, "cccc")
			t.Submit(api.Read(r, buf, none, 5))
			t.WantErr(api.Splice(r, none, aw, none, 2, 0, 6).With(api.DontWait), unix.EAGAIN)
			t.Submit(api.Splice(r, none, aw, none, 2, 0, 7).With(api.Unordered))
			t.Put(w, "dddd")
			t.AwaitRes(5, 2)
			t.AwaitRes(7, 2)
		},
	},
	{
		ID: "SPL-7", Name: "order of the output",
		Explanation: "What is spliced, sent and written to one socket arrives in the order of submission.",
		Requires:    api.FeatDontWait,
		Ops:         spliceOps | fileOps | streamOps,
		Fn: func(t *T) {
			for _, kind := range []func(bool) (int, int){t.Pair, t.TCP} {
				r, w := t.Pipe(false)
				r2, w2 := t.Pipe(false)
				a, b := kind(false)
				t.Submit(api.Send(a, []byte("1"), 1), api.Splice(r, none, a, none, 1, 0, 2), api.Write(a, []byte("3"), none, 3),
					api.Splice(r2, none, a, none, 1, 0, 4), api.Send(a, []byte("5"), 5))
				t.AwaitRes(1, 1)
				t.StillPending(2, 3, 4, 5)
				t.Put(w2, "4")
				t.StillPending(2, 3, 4, 5)
				t.WantErr(api.Send(a, []byte("x"), 6).With(api.DontWait), unix.EAGAIN)
				t.Put(w, "2")
				for tag := range uint64(4) {
					t.AwaitRes(tag+2, 1)
				}
				t.WantGet(b, "12345")
			}
		},
	},
	{
		ID: "SPL-8", Name: "end and loss",
		Explanation: "At the end of the input a splice gives 0, without a reader of the output EPIPE and no signal.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			t.eachSource(func(in, from int) {
				if typ, err := unix.GetsockoptInt(in, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && typ == unix.SOCK_DGRAM {
					return // it has no end
				}
				_, w := t.Pipe(false)
				t.Submit(api.Splice(in, none, w, none, 100, 0, 1))
				t.StillPending(1)
				t.CloseNow(from)
				t.AwaitRes(1, 0)
				t.Want(api.Splice(in, none, w, none, 100, 0, 2), 0)
			})
			t.quietly(func() {
				r, w := t.Pipe(false)
				t.Put(w, "nowhere to go")
				t.eachSink(func(out, to int) {
					t.Fill(out)
					t.Submit(api.Splice(r, none, out, none, 4, 0, 3))
					t.StillPending(3)
					t.CloseNow(to)
					c := t.Await(3)
					if c.Res != -int32(unix.EPIPE) && c.Res != -int32(unix.ECONNRESET) {
						t.Errorf("the reader has gone: %s", show(&c))
					}
					t.WantErr(api.Splice(r, none, out, none, 4, 0, 4), unix.EPIPE)
				})
				gone := t.noReader()
				t.WantErr(api.Splice(t.File("content"), 0, gone, none, 4, 0, 5), unix.EPIPE)
				t.WantErr(api.Tee(r, gone, 4, 0, 6), unix.EPIPE)
				a, b := t.TCP(false)
				t.Reset(b)
				t.ready(a, unix.POLLERR)
				t.Do(api.Splice(r, none, a, none, 4, 0, 7)) // the reset, or EPIPE
				t.WantErr(api.Splice(r, none, a, none, 4, 0, 8), unix.EPIPE)
			})
		},
	},
	{
		ID: "SPL-9", Name: "O_NONBLOCK",
		Explanation: "A splice leaves O_NONBLOCK of its files as it was, however it ends.",
		Ops:         spliceOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			t.Put(w, pattern(1000))
			for _, nonblock := range []bool{false, true} {
				a, b := t.Pair(nonblock)
				check := func(what string) {
					t.tb.Helper()
					if got := t.Flags(a)&unix.O_NONBLOCK != 0; got != nonblock {
						t.Fatalf("O_NONBLOCK is %v after %s, and was %v", got, what, nonblock)
					}
				}
				t.Want(api.Splice(r, none, a, none, 10, 0, 1), 10)
				check("a splice to it")
				t.Put(b, "x")
				t.Want(api.Splice(a, none, w, none, 10, 0, 2), 1)
				check("a splice from it")
				id := t.Submit(api.Splice(a, none, w, none, 10, 0, 3))[0]
				t.StillPending(3)
				check("a splice that waits")
				t.Want(api.Cancel(id, 4), 0)
				t.Await(3)
				check("a splice that was cancelled")
				t.WantErr(api.Splice(a, 5, w, none, 10, 0, 5), unix.EINVAL)
				check("a splice that failed")
			}
		},
	},
	{
		ID: "SPL-10", Name: "lengths",
		Explanation: "A length of 0 gives 0, a negative one EINVAL, and one of more than 32 bits moves what there is.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			r2, w2 := t.Pipe(false)
			f := t.File("0123456789")
			for i, in := range []int{f, r} { // an empty pipe, too
				t.Want(api.Splice(in, none, w2, none, 0, 0, uint64(i)), 0)
				t.WantErr(api.Splice(in, none, w2, none, -1, 0, uint64(10+i)), unix.EINVAL)
			}
			t.Want(api.Tee(r, w2, 0, 0, 20), 0)
			t.WantErr(api.Tee(r, w2, -1, 0, 21), unix.EINVAL)
			t.Put(w, "some bytes")
			t.Want(api.Tee(r, w2, math.MaxInt, 0, 22), 10)
			t.Want(api.Splice(r, none, w2, none, math.MaxInt, 0, 23), 10)
			t.Want(api.Splice(f, none, w2, none, math.MaxInt, 0, 24), 10)
			op := api.Splice(f, 2, w2, none, 0, 0, 25)
			op.Args.Len = 1<<32 + 1
			t.Want(op, 8)
			t.WantGet(r2, "some bytessome bytes012345678923456789")
		},
	},
	{
		ID: "SPL-11", Name: "failures",
		Explanation: "What splice(2) and tee(2) refuse is refused with the same errno.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			r2, w2 := t.Pipe(false)
			t.Put(w, "some bytes")
			name := t.FilePath("content")
			f, ro, wo := t.OpenFile(name, unix.O_RDWR), t.OpenFile(name, unix.O_RDONLY), t.OpenFile(name, unix.O_WRONLY)
			apnd, path := t.OpenFile(name, unix.O_WRONLY|unix.O_APPEND), t.OpenFile(name, unix.O_PATH)
			a, _ := t.Pair(false)
			dir, _ := t.Dir()
			for i, c := range []struct {
				op    api.Op
				errno syscall.Errno
			}{
				{api.Splice(f, none, t.OpenFile(name, unix.O_RDWR), none, 1, 0, 1), unix.EINVAL}, {api.Splice(a, none, a, none, 1, 0, 1), unix.EINVAL}, {api.Splice(f, none, a, none, 1, 0, 1), unix.EINVAL},
				{api.Splice(r, none, w, none, 1, 0, 1), unix.EINVAL}, {api.Splice(r, 0, w2, none, 1, 0, 1), unix.ESPIPE}, {api.Splice(r, none, w2, 0, 1, 0, 1), unix.ESPIPE},
				{api.Splice(f, none, w2, 5, 1, 0, 1), unix.ESPIPE}, {api.Splice(r, 5, f, none, 1, 0, 1), unix.ESPIPE},
				{api.Splice(r, none, a, 0, 1, 0, 1), unix.EINVAL}, {api.Splice(a, 0, w2, none, 1, 0, 1), unix.EINVAL},
				{api.Splice(f, -2, w2, none, 1, 0, 1), unix.EINVAL}, {api.Splice(r, none, f, -2, 1, 0, 1), unix.EINVAL}, {api.Splice(f, -1<<63, w2, none, 1, 0, 1), unix.EINVAL},
				{api.Splice(f, 1<<63-1, w2, none, 10, 0, 1), unix.EINVAL}, {api.Splice(r, none, f, 1<<63-1, 1, 0, 1), unix.EINVAL},
				{api.Splice(r, none, r2, none, 1, 0, 1), unix.EBADF}, {api.Splice(w, none, w2, none, 1, 0, 1), unix.EBADF}, {api.Splice(wo, none, w2, none, 1, 0, 1), unix.EBADF},
				{api.Splice(r, none, ro, none, 1, 0, 1), unix.EBADF}, {api.Splice(r, none, apnd, none, 1, 0, 1), unix.EINVAL}, {api.Splice(path, none, w2, none, 1, 0, 1), unix.EBADF},
				{api.Splice(r, none, path, none, 1, 0, 1), unix.EBADF}, {api.Splice(dir, none, w2, none, 1, 0, 1), unix.EINVAL}, {api.Splice(r, none, dir, none, 1, 0, 1), unix.EBADF},
				{api.Splice(r, none, t.eventfd(0, false), none, 8, 0, 1), unix.EINVAL},
				{api.Splice(r, none, w2, none, 1, 0x10, 1), unix.EINVAL}, {api.Splice(r, none, w2, none, 1, 1<<31, 1), unix.EINVAL}, {api.Splice(r, none, w2, none, 0, 1<<31, 1), unix.EINVAL},
				{api.Tee(f, w2, 1, 0, 1), unix.EINVAL}, {api.Tee(r, f, 1, 0, 1), unix.EINVAL}, {api.Tee(r, w, 1, 0, 1), unix.EINVAL}, {api.Tee(r, a, 1, 0, 1), unix.EINVAL},
				{api.Tee(r, r2, 1, 0, 1), unix.EBADF}, {api.Tee(w, w2, 1, 0, 1), unix.EBADF}, {api.Tee(r, w2, 1, 0x10, 1), unix.EINVAL}, {api.Tee(r, w2, 1, 1<<31, 1), unix.EINVAL},
				{api.Splice(r, none, w2, none, 1, 0, 1).With(api.WaitAll), unix.EINVAL},
			} {
				got := t.Do(c.op)
				if int(got.Res) != neg(c.errno) {
					t.Errorf("%d: %+v %+v: got %s, want %v", i, c.op, *c.op.Args, show(&got), c.errno)
				}
			}
			for _, bad := range t.badFDs() {
				t.WantErr(api.Splice(bad, none, w2, none, 1, 0, 2), unix.EBADF)
				t.WantErr(api.Splice(r, none, bad, none, 1, 0, 3), unix.EBADF)
				t.WantErr(api.Splice(r, none, bad, none, 0, 0, 4), unix.EBADF)
				t.WantErr(api.Tee(bad, w2, 1, 0, 5), unix.EBADF)
				t.WantErr(api.Tee(r, bad, 1, 0, 6), unix.EBADF)
			}
			for _, op := range []api.Op{api.Splice(r, none, w2, none, 1, 0, 7), api.Tee(r, w2, 1, 0, 7)} {
				op.Args = nil
				t.WantErr(op, unix.EFAULT)
			}
			t.WantGet(r, "some bytes")
			t.WantGet(f, "content")
		},
	},
	{
		ID: "SPL-12", Name: "many that wait",
		Explanation: "Hundreds of splices that wait hold up nothing.",
		Ops:         spliceOps | fileOps | api.Ops(api.OpFsync),
		Fn: func(t *T) {
			const n = 200
			t.needFDs(4 * n)
			type end struct{ w, to int }
			ends := make([]end, n)
			for i := range n {
				r, w := t.Pipe(false)
				to, out := t.Pipe(false)
				ends[i] = end{w, to}
				t.Submit(api.Splice(r, none, out, none, 100, 0, uint64(i)))
			}
			f := t.File("content")
			t.Want(api.Fsync(f, 1000), 0)
			r, w := t.Pipe(false)
			t.Want(api.Splice(f, 0, w, none, 100, 0, 1001), 7)
			t.WantGet(r, "content")
			for i := n - 1; i >= 0; i-- {
				t.Put(ends[i].w, "x")
				t.AwaitRes(uint64(i), 1)
				t.WantGet(ends[i].to, "x")
			}
		},
	},
}

// pause lets some milliseconds pass.
func pause(ms int) { _, _ = unix.Poll(nil, ms) } // an interrupted one is shorter

// second is the second of two fds.
func (t *T) second(_, fd int) int { return fd }

// noReader is the end to write to of a pipe that nobody reads.
func (t *T) noReader() int {
	r, w := t.Pipe(false)
	t.CloseNow(r)
	return w
}
