//go:build unix

package conformance

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const fixedBuffers = api.FeatFixedBuffers

var (
	fixedPlain  = api.Ops(api.OpReadFixed, api.OpWriteFixed)
	fixedVector = api.Ops(api.OpReadvFixed, api.OpWritevFixed)
)

// registerBuffers makes a table of registered buffers, which must succeed.
func (t *T) registerBuffers(e api.Engine, bufs ...[]byte) {
	t.tb.Helper()
	if err := e.RegisterBuffers(bufs); err != nil {
		t.tooMuch(err)
		t.Fatalf("RegisterBuffers of %d: %v", len(bufs), err)
	}
}

// tooMuch ends the case when the machine lets the program lock less memory than the case needs.
func (t *T) tooMuch(err error) {
	var m *api.MemlockError
	if t.c.ID != "FIX-11" && errors.As(err, &m) {
		t.Skipf("the case needs more: %v", err)
	}
}

// updateBuffers changes the table, which must succeed.
func (t *T) updateBuffers(at int, bufs ...[]byte) {
	t.tb.Helper()
	if n, err := t.Engine.UpdateBuffers(at, bufs); n != len(bufs) || err != nil {
		t.tooMuch(err)
		t.Fatalf("UpdateBuffers(%d) of %d: %d, %v", at, len(bufs), n, err)
	}
}

func (t *T) unregisterBuffers() {
	t.tb.Helper()
	if err := t.Engine.UnregisterBuffers(); err != nil {
		t.Fatalf("UnregisterBuffers: %v", err)
	}
}

// eachFixed is f for each of the four operations, with the parts that they are about.
func eachFixed(f func(op func(fd, index int, off int64, tag uint64, parts ...[]byte) api.Op)) {
	f(func(fd, index int, off int64, tag uint64, parts ...[]byte) api.Op {
		return api.ReadFixed(fd, index, parts[0], off, tag)
	})
	f(func(fd, index int, off int64, tag uint64, parts ...[]byte) api.Op {
		return api.WriteFixed(fd, index, parts[0], off, tag)
	})
	f(func(fd, index int, off int64, tag uint64, parts ...[]byte) api.Op {
		return api.ReadvFixed(fd, index, &api.Msg{Bufs: parts}, off, tag)
	})
	f(func(fd, index int, off int64, tag uint64, parts ...[]byte) api.Op {
		return api.WritevFixed(fd, index, &api.Msg{Bufs: parts}, off, tag)
	})
}

// fixedIO writes and reads through the fds with every operation, from and into the registered buffer 0, which mem is.
func (t *T) fixedIO(r, w int, mem []byte) {
	out, in := mem[100:108], mem[200:208]
	copy(out, "WriteFix")
	t.Want(api.WriteFixed(w, 0, out, api.CurrentPosition, 1), 8)
	t.Want(api.ReadFixed(r, 0, in, api.CurrentPosition, 2), 8)
	t.WantBytes(in, "WriteFix")
	t.Want(api.WritevFixed(w, 0, &api.Msg{Bufs: [][]byte{out[:1], out[5:8]}}, api.CurrentPosition, 3), 4)
	t.Want(api.ReadvFixed(r, 0, &api.Msg{Bufs: [][]byte{in[6:7], in[:3]}}, api.CurrentPosition, 4), 4)
	t.WantBytes(in, "FixteFWx")
}

var fixedBufferCases = []Case{
	{
		ID: "FIX-1", Name: "files at a position",
		Explanation: "An operation on a part of a registered buffer moves what the plain one does, and does not move the position of the file.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			mem := make([]byte, 3*4096)
			t.registerBuffers(t.Engine, mem[:4096], nil, mem[4096:])
			fd := t.File("0123456789")
			t.Want(api.ReadFixed(fd, 0, mem[4092:4096], 2, 1), 4)
			t.WantBytes(mem[4092:4096], "2345")
			t.Want(api.ReadFixed(fd, 2, mem[4096:4296], 7, 2), 3)
			t.WantBytes(mem[4096:4100], "789\x00")
			t.Want(api.ReadFixed(fd, 2, mem[5000:5100], 10, 3), 0)
			copy(mem[3*4096-3:], "end")
			t.Want(api.WriteFixed(fd, 2, mem[3*4096-3:], 8, 4), 3)
			t.Want(api.WritevFixed(fd, 0, &api.Msg{Bufs: [][]byte{mem[4094:4096], mem[4092:4093]}}, 0, 5), 3)
			m := &api.Msg{Bufs: [][]byte{mem[8:10], mem[:3], mem[3:8], mem[20:40]}}
			t.Want(api.ReadvFixed(fd, 0, m, 0, 6), 11)
			t.WantBytes([]byte(join(m.Bufs))[:11], "45234567end")
			if off := t.Offset(fd); off != 0 {
				t.Errorf("the position has moved to %d", off)
			}
		},
	},
	{
		ID: "FIX-1", Name: "what has no positions, and the current position",
		Explanation: "An operation on a part of a registered buffer does on sockets, pipes, and at CurrentPosition what the plain one does.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			mem := make([]byte, 1000)
			t.registerBuffers(t.Engine, mem)
			for _, nonblock := range []bool{false, true} {
				a, b := t.TCP(nonblock)
				t.fixedIO(a, b, mem)
				a, b = t.Pair(nonblock)
				t.fixedIO(a, b, mem)
				r, w := t.Pipe(nonblock)
				t.fixedIO(r, w, mem)
				t.Want(api.WriteFixed(a, 0, mem[:5], 77, 1), 5)
				t.Want(api.ReadFixed(b, 0, mem[:9], 77, 2), 5)
			}
			name := t.FilePath("")
			w, r := t.OpenFile(name, unix.O_WRONLY), t.OpenFile(name, unix.O_RDONLY)
			t.fixedIO(r, w, mem)
			if off := t.Offset(w); off != 12 {
				t.Errorf("the position is %d, 12 bytes were written", off)
			}
		},
	},
	{
		ID: "FIX-1", Name: "a large transfer",
		Explanation: "A transfer of a file as large as its registered buffer is whole, and a write to a socket moves what there is room for.",
		Requires:    fixedBuffers | api.FeatDontWait,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			mem := make([]byte, 5<<20)
			data := pattern(len(mem))
			copy(mem, data)
			t.registerBuffers(t.Engine, mem)
			fd := t.File("")
			t.Want(api.WriteFixed(fd, 0, mem, 0, 1), len(mem))
			clear(mem)
			t.Evict(fd)
			t.Want(api.ReadFixed(fd, 0, mem, 0, 2), len(mem))
			t.WantBytes(mem, data)
			a, b := t.Pair(false)
			c := t.Do(api.WriteFixed(a, 0, mem, 0, 3).With(api.DontWait))
			if c.Res <= 0 || int(c.Res) >= len(mem) {
				t.Errorf("write: %s", show(&c))
			} else if got := t.Get(b, int(c.Res)); got != data[:c.Res] {
				t.Errorf("%d other bytes arrived", c.Res)
			}
		},
	},
	{
		ID: "FIX-2", Name: "what lies outside",
		Explanation: "Without a table, with an index that is empty or out of range, and for memory that is not wholly inside, it is EFAULT.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector | api.Ops(api.OpNop),
		Fn: func(t *T) {
			mem := make([]byte, 4*4096)
			fd := t.File("untouched")
			a, _ := t.Pair(false)
			eachFixed(func(op func(int, int, int64, uint64, ...[]byte) api.Op) {
				for _, fd := range []int{fd, a} {
					for _, index := range []int{0, 1, api.NoIndex, -1, math.MaxInt} {
						t.WantErr(op(fd, index, 0, 1, mem[:8]), syscall.EFAULT)
					}
				}
			})
			t.registerBuffers(t.Engine, mem[4096:2*4096], nil, mem[2*4096:3*4096])
			other := make([]byte, 8)
			eachFixed(func(op func(int, int, int64, uint64, ...[]byte) api.Op) {
				for _, fd := range []int{fd, a} {
					for _, index := range []int{1, 3, 4, 1 << 14, api.NoIndex, -1, 1 << 16, math.MinInt, math.MaxInt} {
						t.WantErr(op(fd, index, 0, 1, mem[4096:4104]), syscall.EFAULT)
					}
					for _, b := range [][]byte{mem[:8], mem[4092:4100], mem[8188:8196], mem[8192:8200], mem[4096:8193], mem, mem[12287:], other} {
						t.WantErr(op(fd, 0, 0, 2, b), syscall.EFAULT)
					}
					t.WantErr(op(fd, 2, 0, 3, mem[4096:4104]), syscall.EFAULT)
				}
			})
			for _, bad := range [][]byte{mem[:1], mem[8191:8193], other} {
				m := &api.Msg{Bufs: [][]byte{mem[4096:4100], bad, mem[4100:4104]}}
				t.WantErr(api.ReadvFixed(fd, 0, m, 0, 4), syscall.EFAULT)
				t.WantErr(api.WritevFixed(fd, 0, m, 0, 5), syscall.EFAULT)
			}
			t.Want(api.Nop(6), 0)
			t.WantBytes(mem, strings.Repeat("\x00", len(mem)))
		},
	},
	{
		ID: "FIX-2", Name: "what else is wrong",
		Explanation: "EFAULT comes behind EBADF of the fd itself, and before all that is wrong with the file or has to wait.",
		Requires:    fixedBuffers | api.FeatDontWait,
		Ops:         fixedPlain | fixedVector | api.Ops(api.OpRead),
		Fn: func(t *T) {
			mem := make([]byte, 4096)
			t.registerBuffers(t.Engine, mem)
			name := t.FilePath("x")
			r, w, dir := t.OpenFile(name, unix.O_RDONLY), t.OpenFile(name, unix.O_WRONLY), t.OpenFile(t.TempDir(), unix.O_RDONLY)
			eachFixed(func(op func(int, int, int64, uint64, ...[]byte) api.Op) {
				for _, fd := range t.badFDs() {
					t.WantErr(op(fd, 0, 0, 1, mem), syscall.EBADF)
					t.WantErr(op(fd, 9, 0, 1, mem), syscall.EBADF)
				}
				for _, fd := range []int{r, w, dir} {
					t.WantErr(op(fd, 9, 0, 2, mem), syscall.EFAULT)
				}
				t.WantErr(op(r, 9, -2, 3, mem), syscall.EINVAL)
			})
			t.WantErr(api.WriteFixed(r, 0, mem, 0, 4), syscall.EBADF)
			t.WantErr(api.WritevFixed(r, 0, &api.Msg{Bufs: [][]byte{mem}}, 0, 5), syscall.EBADF)
			t.WantErr(api.ReadFixed(w, 0, mem, 0, 6), syscall.EBADF)
			t.WantErr(api.ReadvFixed(w, 0, &api.Msg{Bufs: [][]byte{mem}}, 0, 7), syscall.EBADF)
			t.WantErr(api.ReadFixed(dir, 0, mem, 0, 8), syscall.EISDIR)
			many := &api.Msg{Bufs: make([][]byte, 1025)}
			for i := range many.Bufs {
				many.Bufs[i] = mem[i : i+1]
			}
			t.WantErr(api.ReadvFixed(r, 9, many, 0, 9), syscall.EINVAL)
			t.WantErr(api.WritevFixed(w, 0, many, 0, 10), syscall.EINVAL)
			many.Bufs = many.Bufs[:1024]
			t.Want(api.WritevFixed(w, 0, many, 0, 11), 1024)
			t.Want(api.ReadvFixed(r, 0, many, 0, 12), 1024)
			t.WantErr(api.Op{Code: api.OpReadvFixed, FD: int32(r), Tag: 13}, syscall.EFAULT)
			a, b := t.Pair(false)
			t.Submit(api.Read(a, make([]byte, 4), 0, 14))
			t.StillPending(14)
			t.WantErr(api.ReadFixed(a, 5, mem[:4], 0, 15), syscall.EFAULT)
			t.WantErr(api.ReadFixed(a, 5, mem[:4], 0, 16).With(api.DontWait), syscall.EFAULT)
			t.Put(b, "x")
			t.AwaitRes(14, 1)
		},
	},
	{
		ID: "FIX-3", Name: "changed while in flight",
		Explanation: "What is in flight goes on with the memory that it began with when its buffer is replaced, or the table goes or is another.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			mem := make([]byte, 4*4096)
			t.registerBuffers(t.Engine, mem[:4096], mem[4096:8192])
			a, b := t.Pair(false)
			c, d := t.TCP(false)
			t.Submit(api.ReadFixed(a, 0, mem[:8], api.CurrentPosition, 1), api.ReadFixed(a, 0, mem[8:16], api.CurrentPosition, 2),
				api.ReadvFixed(c, 1, &api.Msg{Bufs: [][]byte{mem[5000:5002], mem[4096:4099]}}, 0, 3))
			t.StillPending(1, 2, 3)
			t.updateBuffers(0, mem[8192:12288], nil)
			t.StillPending(1, 2, 3)
			t.WantErr(api.ReadFixed(a, 0, mem[:8], 0, 4), syscall.EFAULT)
			t.Submit(api.ReadFixed(a, 0, mem[8192:8200], api.CurrentPosition, 5))
			t.unregisterBuffers()
			t.WantErr(api.ReadFixed(a, 0, mem[8192:8200], 0, 6), syscall.EFAULT)
			t.StillPending(1, 2, 3)
			t.registerBuffers(t.Engine, mem[12288:], nil, mem[:10], mem[:5000])
			runtime.GC()
			t.Put(b, "12345678abcdefgh")
			t.AwaitRes(1, 8)
			t.AwaitRes(2, 8)
			t.WantBytes(mem[:16], "12345678abcdefgh")
			t.Put(d, "ABCDE")
			t.AwaitRes(3, 5)
			t.WantBytes(mem[4096:4099], "CDE")
			t.WantErr(api.ReadFixed(a, 0, mem[8192:8200], 0, 7), syscall.EFAULT)
			t.Want(api.WriteFixed(b, 2, mem[:10], 0, 8), 10)
			t.Want(api.ReadFixed(a, 3, mem[4990:5000], 0, 9), 10)
			t.WantBytes(mem[4990:5000], "12345678ab")
		},
	},
	{
		ID: "FIX-3", Name: "changed between Submit and Complete",
		Explanation: "What has been submitted and not performed names the table as it is when it is performed.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			mem := make([]byte, 8192)
			fd := t.File("0123456789")
			t.Submit(api.ReadFixed(fd, 0, mem[:4], 0, 1))
			t.registerBuffers(t.Engine, mem[:4096], mem[4096:])
			t.AwaitRes(1, 4)
			t.Submit(api.ReadFixed(fd, 1, mem[:4], 2, 2), api.ReadFixed(fd, 1, mem[4096:4100], 2, 3))
			t.updateBuffers(1, mem[:4096])
			t.AwaitRes(2, 4)
			t.AwaitRes(3, -int(syscall.EFAULT))
			t.WantBytes(mem[:4], "2345")
			t.Submit(api.ReadFixed(fd, 1, mem[:4], 2, 4))
			t.unregisterBuffers()
			t.AwaitRes(4, -int(syscall.EFAULT))
		},
	},
	{
		ID: "FIX-3", Name: "changed before its turn in a chain",
		Explanation: "What waits in a chain, or behind a drain, finds the table as it is when its turn has come.",
		Requires:    fixedBuffers | api.FeatChains | api.FeatDrain,
		Ops:         fixedPlain | api.Ops(api.OpRecv, api.OpTimeout),
		Fn: func(t *T) {
			mem := make([]byte, 8192)
			t.registerBuffers(t.Engine, mem[:4096], mem[4096:])
			fd := t.File("0123456789")
			a, b := t.Pair(false)
			for _, f := range []api.OpFlags{0, api.Drain} {
				t.updateBuffers(0, mem[:4096], mem[4096:])
				first := api.Recv(a, make([]byte, 1), 1)
				if f == 0 {
					first = first.With(api.Link)
				}
				t.Submit(first, api.ReadFixed(fd, 0, mem[4096:4100], 3, 2).With(f|api.HardLink), api.ReadFixed(fd, 1, mem[4096:4100], 0, 3))
				t.StillPending(1, 2, 3)
				t.updateBuffers(0, mem[4096:], nil)
				t.Put(b, "x")
				t.AwaitRes(1, 1)
				t.AwaitRes(2, 4)
				t.AwaitRes(3, -int(syscall.EFAULT))
				t.WantBytes(mem[4096:4100], "3456")
			}
		},
	},
	{
		ID: "FIX-3", Name: "many changes, many in flight",
		Explanation: "However often the table changes, each operation goes on with its own memory, and none is lost.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			const n = 64
			mem := make([]byte, 4096*n)
			a, b := t.Pair(false)
			part := func(i int) []byte { return mem[i*4096 : i*4096+1] }
			for i := range n {
				if i%8 == 0 {
					if i > 0 {
						t.unregisterBuffers()
					}
					t.registerBuffers(t.Engine, make([][]byte, 8+i)...)
				}
				t.updateBuffers(i%8, mem[i*4096:(i+1)*4096])
				t.Submit(api.ReadFixed(a, i%8, part(i), api.CurrentPosition, uint64(i)))
				t.Perform()
			}
			t.unregisterBuffers()
			t.Put(b, pattern(n))
			for i := range n {
				t.AwaitRes(uint64(i), 1)
				t.WantBytes(part(i), pattern(n)[i:i+1])
			}
		},
	},
	{
		ID: "FIX-4", Name: "errors of the table",
		Explanation: "RegisterBuffers, UpdateBuffers and UnregisterBuffers say what is wrong, and do nothing then.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			mem := make([]byte, 8192)
			e := t.Engine
			_, err := e.UpdateBuffers(0, [][]byte{mem})
			t.wantErrno("update without a table", err, syscall.ENXIO)
			t.wantErrno("unregister without a table", e.UnregisterBuffers(), syscall.ENXIO)
			t.wantErrno("an empty list", e.RegisterBuffers(nil), syscall.EINVAL)
			t.wantErrno("an empty buffer", e.RegisterBuffers([][]byte{mem, mem[:0]}), syscall.EINVAL)
			t.wantErrno("too many", e.RegisterBuffers(make([][]byte, 1<<14+1)), syscall.EMFILE)
			t.wantErrno("still none", e.UnregisterBuffers(), syscall.ENXIO)
			t.registerBuffers(e, mem[:4096], nil)
			t.wantErrno("a second table", e.RegisterBuffers([][]byte{mem}), syscall.EBUSY)
			for _, at := range []int{-1, 2, math.MaxInt, math.MinInt} {
				_, err = e.UpdateBuffers(at, [][]byte{mem})
				t.wantErrno("update out of range", err, syscall.EINVAL)
			}
			_, err = e.UpdateBuffers(1, [][]byte{mem, mem})
			t.wantErrno("update beyond the end", err, syscall.EINVAL)
			_, err = e.UpdateBuffers(0, nil)
			t.wantErrno("update of nothing", err, syscall.EINVAL)
			_, err = e.UpdateBuffers(0, [][]byte{mem[:0]})
			t.wantErrno("update with an empty buffer", err, syscall.EINVAL)
			fd := t.File("abc")
			t.Want(api.ReadFixed(fd, 0, mem[:3], 0, 1), 3)
			if n, err := e.UpdateBuffers(0, [][]byte{mem[4096:], {}}); n != 1 || err != nil {
				t.Errorf("update with an empty buffer behind a good one: %d, %v", n, err)
			}
			t.Want(api.ReadFixed(fd, 0, mem[4096:4099], 0, 2), 3)
			t.WantErr(api.ReadFixed(fd, 0, mem[:3], 0, 3), syscall.EFAULT)
			t.unregisterBuffers()
			t.wantErrno("unregister again", e.UnregisterBuffers(), syscall.ENXIO)
			t.registerBuffers(e, make([][]byte, 1<<14)...)
			t.updateBuffers(1<<14-1, mem)
			t.Want(api.ReadFixed(fd, 1<<14-1, mem[:3], 0, 4), 3)
			t.CloseEngine()
			_, err = e.UpdateBuffers(0, [][]byte{mem})
			if !errors.Is(err, api.ErrClosed) || !errors.Is(e.RegisterBuffers([][]byte{mem}), api.ErrClosed) || !errors.Is(e.UnregisterBuffers(), api.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		},
	},
	{
		ID: "FIX-4", Name: "a buffer that is too large",
		Explanation: "A buffer of 1 GiB can be registered, and a larger one is EINVAL.",
		Requires:    fixedBuffers,
		Fn: func(t *T) {
			if math.MaxInt == math.MaxInt32 {
				t.Skipf("there is no room for two GiB in 32 bits")
			}
			mem, err := unix.Mmap(-1, 0, 1<<30+1, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE) // takes no memory
			t.must("mmap", err)
			t.Cleanup(func() { _ = unix.Munmap(mem) }) // the process ends soon
			t.wantErrno("1 GiB and a byte", t.Engine.RegisterBuffers([][]byte{mem}), syscall.EINVAL)
			if err := t.Engine.RegisterBuffers([][]byte{mem[:1<<30]}); err != nil && !errors.Is(err, syscall.ENOMEM) {
				t.Errorf("1 GiB: %v", err)
			}
		},
	},
	{
		ID: "FIX-5", Name: "in order, and waiting",
		Explanation: "Operations on registered buffers wait, stand in order with all others, and are cancelled and run out of time as the plain ones do.",
		Requires:    fixedBuffers | api.FeatDontWait | api.FeatDeadlines,
		Ops:         fixedPlain | fixedVector | api.Ops(api.OpCancel, api.OpRecv, api.OpRead),
		Fn: func(t *T) {
			mem := make([]byte, 4096)
			t.registerBuffers(t.Engine, mem)
			t.EachStream(func(a, b int) {
				at := api.CurrentPosition
				ids := t.Submit(api.ReadFixed(a, 0, mem[:2], int64(at), 1), api.Recv(a, mem[2:4], 2), api.ReadvFixed(a, 0, &api.Msg{Bufs: [][]byte{mem[4:5], mem[5:6]}}, int64(at), 3),
					api.Read(a, mem[6:8], int64(at), 4), api.ReadFixed(a, 0, mem[8:10], int64(at), 5), api.ReadFixed(a, 0, mem[10:12], int64(at), 6).Until(api.After(1)))
				t.AwaitRes(6, etime)
				t.StillPending(1, 2, 3, 4, 5)
				t.WantErr(api.ReadFixed(a, 0, mem[12:], int64(at), 7).With(api.DontWait), syscall.EAGAIN)
				t.Want(api.Cancel(ids[4], 8), 0)
				t.AwaitRes(5, ecanceled)
				t.Put(b, "01234567")
				for tag := uint64(1); tag <= 4; tag++ {
					t.AwaitRes(tag, 2)
				}
				t.WantBytes(mem[:8], "01234567")
				t.WantErr(api.ReadFixed(a, 0, mem[12:], int64(at), 9).With(api.DontWait), syscall.EAGAIN)
				id := t.Submit(api.ReadFixed(a, 0, mem[:8], int64(at), 10))[0]
				t.StillPending(10)
				t.Want(api.Cancel(id, 11), 0)
				t.AwaitRes(10, ecanceled)
				t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
				c := t.Do(api.ReadFixed(a, 0, mem[:8], int64(at), 12).With(api.EOF))
				if c.Res != 0 || !c.Flags.Has(api.AtEOF) {
					t.Errorf("at the end: %s", show(&c))
				}
			})
		},
	},
	{
		ID: "FIX-5", Name: "room",
		Explanation: "A write from a registered buffer waits for room.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			mem := make([]byte, 4096)
			t.registerBuffers(t.Engine, mem)
			r, w := t.Pipe(false)
			full := t.Fill(w)
			t.Submit(api.WriteFixed(w, 0, mem[:10], 0, 1), api.WritevFixed(w, 0, &api.Msg{Bufs: [][]byte{mem[:3], mem[10:13]}}, api.CurrentPosition, 2))
			t.StillPending(1, 2)
			t.Get(r, full)
			t.AwaitRes(1, 10)
			t.AwaitRes(2, 6)
			t.CloseNow(r)
			t.WantErr(api.WriteFixed(w, 0, mem[:10], 0, 3), syscall.EPIPE)
		},
	},
	{
		ID: "FIX-6", Name: "no bytes",
		Explanation: "A transfer of no bytes within the buffer is 0, also in a vector; outside, and for nil, it is EFAULT.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			mem := make([]byte, 8192)
			t.registerBuffers(t.Engine, mem[:4096], nil)
			fd := t.File("abc")
			a, _ := t.Pair(false)
			eachFixed(func(op func(int, int, int64, uint64, ...[]byte) api.Op) {
				for _, fd := range []int{fd, a} {
					t.Want(op(fd, 0, 0, 1, mem[:0]), 0)
					t.Want(op(fd, 0, 0, 2, mem[4000:4000]), 0)
					t.WantErr(op(fd, 0, 0, 3, mem[5000:5000]), syscall.EFAULT)
					t.WantErr(op(fd, 0, 0, 4, nil), syscall.EFAULT)
					t.WantErr(op(fd, 1, 0, 5, mem[:0]), syscall.EFAULT)
				}
			})
			t.Want(api.ReadvFixed(fd, 0, &api.Msg{}, 0, 6), 0)
			t.Want(api.WritevFixed(fd, 0, &api.Msg{}, 0, 7), 0)
			t.WantErr(api.ReadvFixed(fd, 1, &api.Msg{}, 0, 8), syscall.EFAULT)
			t.Want(api.ReadvFixed(fd, 0, &api.Msg{Bufs: [][]byte{mem[1:1], mem[:2], mem[9:9], mem[2:4]}}, 0, 9), 3)
			t.WantBytes(mem[:3], "abc")
			t.Want(api.WritevFixed(fd, 0, &api.Msg{Bufs: [][]byte{mem[1:1], mem[1:2], mem[9:9]}}, 0, 10), 1)
		},
	},
	{
		ID: "FIX-7", Name: "chains",
		Explanation: "A chain goes on behind a transfer that was whole, and ends at one that was short or EFAULT.",
		Requires:    fixedBuffers | api.FeatChains,
		Ops:         fixedPlain | fixedVector | api.Ops(api.OpNop),
		Fn: func(t *T) {
			mem := make([]byte, 4096)
			t.registerBuffers(t.Engine, mem)
			fd := t.File("0123456789")
			t.Submit(api.ReadFixed(fd, 0, mem[:4], 0, 1).With(api.Link), api.WriteFixed(fd, 0, mem[:4], 10, 2).With(api.Link), api.ReadvFixed(fd, 0, &api.Msg{Bufs: [][]byte{mem[8:10], mem[10:20]}}, 8, 3).With(api.Link), api.Nop(4))
			t.AwaitRes(1, 4)
			t.AwaitRes(2, 4)
			t.AwaitRes(3, 6)
			t.AwaitRes(4, ecanceled)
			t.WantBytes(mem[8:14], "890123")
			t.Submit(api.ReadFixed(fd, 1, mem[:4], 0, 5).With(api.Link), api.ReadFixed(fd, 0, mem[:4], 0, 6))
			t.AwaitRes(5, -int(syscall.EFAULT))
			t.AwaitRes(6, ecanceled)
		},
	},
	{
		ID: "FIX-8", Name: "with registered files",
		Explanation: "An operation can name a registered file and a registered buffer.",
		Requires:    fixedBuffers | fixedFiles,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			mem := make([]byte, 4096)
			t.registerBuffers(t.Engine, mem)
			t.register(t.Engine, -1, t.File("both"))
			t.Want(api.ReadFixed(1, 0, mem[7:20], 0, 1).With(api.FixedFile), 4)
			t.WantBytes(mem[7:11], "both")
			t.WantErr(api.ReadFixed(0, 0, mem[7:20], 0, 2).With(api.FixedFile), syscall.EBADF)
			t.WantErr(api.ReadFixed(1, 1, mem[7:20], 0, 3).With(api.FixedFile), syscall.EFAULT)
		},
	},
	{
		ID: "FIX-9", Name: "closing the engine",
		Explanation: "Closing an engine ends what is in flight on registered buffers, drops the table, and the memory is the program's.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			mem := make([]byte, 8192)
			t.registerBuffers(t.Engine, mem[:4096], mem[4096:])
			a, b := t.Pair(false)
			t.Submit(api.ReadFixed(a, 0, mem[:8], 0, 1), api.ReadFixed(a, 1, mem[4096:4100], api.CurrentPosition, 2))
			t.StillPending(1, 2)
			t.updateBuffers(1, nil)
			t.CloseEngine()
			t.Put(b, "late")
			t.WantBytes(mem[:8], "\x00\x00\x00\x00\x00\x00\x00\x00")
			t.WantGet(a, "late")
		},
	},
	{
		ID: "FIX-10", Name: "a clone of the table",
		Explanation: "CloneBuffers gives an engine the table of another, whole and with its empty slots, and each goes its own way from then on.",
		Requires:    fixedBuffers | api.FeatCloneBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			mem := make([]byte, 3*4096)
			from := t.Open(nil)
			t.registerBuffers(from, mem[:4096], nil, mem[4096:8192])
			if err := t.Engine.CloneBuffers(from); err != nil {
				t.Fatalf("CloneBuffers: %v", err)
			}
			if _, err := from.UpdateBuffers(0, [][]byte{nil, mem[8192:], nil}); err != nil {
				t.Fatalf("UpdateBuffers: %v", err)
			}
			fd := t.File("0123456789")
			try := func() {
				t.Want(api.ReadFixed(fd, 0, mem[:4], 1, 1), 4)
				t.Want(api.ReadFixed(fd, 2, mem[5000:5004], 5, 2), 4)
				t.WantBytes(append(mem[:4:4], mem[5000:5004]...), "12345678")
				clear(mem)
			}
			try()
			t.WantErr(api.ReadFixed(fd, 1, mem[8192:8196], 0, 3), syscall.EFAULT)
			t.must("close the other engine", from.Close())
			runtime.GC()
			try()
			t.updateBuffers(1, mem[8192:])
			t.Want(api.ReadFixed(fd, 1, mem[8192:8196], 0, 4), 4)
			try()
			t.unregisterBuffers()
			t.WantErr(api.ReadFixed(fd, 0, mem[:4], 0, 5), syscall.EFAULT)
		},
	},
	{
		ID: "FIX-10", Name: "in flight on both",
		Explanation: "What is in flight on a clone goes on when either table changes, and a table can be cloned again.",
		Requires:    fixedBuffers | api.FeatCloneBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			mem := make([]byte, 4096)
			from, last := t.Open(nil), t.Open(nil)
			t.registerBuffers(from, mem)
			t.must("clone", t.Engine.CloneBuffers(from))
			a, b := t.Pair(false)
			t.Submit(api.ReadFixed(a, 0, mem[:4], 0, 1))
			t.StillPending(1)
			t.must("unregister there", from.UnregisterBuffers())
			t.must("clone again", last.CloneBuffers(t.Engine))
			t.unregisterBuffers()
			t.must("clone back", t.Engine.CloneBuffers(last))
			t.must("close the last", last.Close())
			t.Put(b, "data")
			t.AwaitRes(1, 4)
			t.WantBytes(mem[:4], "data")
			t.Want(api.WriteFixed(b, 0, mem[:4], 0, 2), 4)
		},
	},
	{
		ID: "FIX-10", Name: "errors",
		Explanation: "CloneBuffers says what is wrong, and does nothing then.",
		Requires:    fixedBuffers | api.FeatCloneBuffers,
		Fn: func(t *T) {
			mem := make([]byte, 4096)
			e, from, gone := t.Engine, t.Open(nil), t.Open(nil)
			t.must("close", gone.Close())
			t.wantErrno("of an engine without a table", e.CloneBuffers(from), syscall.ENXIO)
			t.wantErrno("of itself", e.CloneBuffers(e), syscall.EINVAL)
			t.wantErrno("of nothing", e.CloneBuffers(nil), syscall.EINVAL)
			t.wantErrno("of what is none of sluice's", e.CloneBuffers(struct{ api.Engine }{from}), syscall.EINVAL)
			if err := e.CloneBuffers(gone); !errors.Is(err, api.ErrClosed) {
				t.Errorf("of an engine that is closed: %v", err)
			}
			t.wantErrno("still no table", e.UnregisterBuffers(), syscall.ENXIO)
			t.registerBuffers(from, mem)
			t.registerBuffers(e, mem)
			t.wantErrno("with a table of its own", e.CloneBuffers(from), syscall.EBUSY)
			t.unregisterBuffers()
			t.CloseEngine()
			if err := e.CloneBuffers(from); !errors.Is(err, api.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		},
	},
}
