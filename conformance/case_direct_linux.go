package conformance

import (
	"fmt"
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// block is what a file with O_DIRECT is read and written in: a multiple of the blocks of any disk.
const block = 4096

// direct opens a file around the page cache. It ends the case where the file system of the temporary folder does not do that.
func (t *T) direct(name string, flags int) int {
	fd, err := unix.Open(name, unix.O_DIRECT|unix.O_CLOEXEC|flags, 0)
	if err == unix.EINVAL {
		t.Skipf("the file system of %s has no O_DIRECT", t.TempDir())
	}
	t.must("open with O_DIRECT", err)
	return t.Own(fd)
}

// numbered is n blocks, each full of its number.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(fmt.Sprintf("%08d", i), block/8))
	}
	return b.String()
}

var directCases = []Case{
	{
		ID: "FIL-18", Name: "many reads",
		Explanation: "Of a file that goes around the page cache as many blocks can be read at a time as there is room for, each its own.",
		Ops:         fileOps,
		Fn: func(t *T) {
			const n = 600 // more than a context of Linux's asynchronous IO has room for here
			data := numbered(n)
			fd := t.direct(t.FilePath(data), unix.O_RDONLY)
			mem := t.pages(n * block)
			for range 2 {
				clear(mem)
				ops := make([]api.Op, n)
				for i := range ops {
					at := (i * 7) % n
					ops[i] = api.Read(fd, mem[at*block:][:block], int64(at*block), uint64(i))
				}
				t.Submit(ops...)
				for i := range uint64(n) {
					t.AwaitRes(i, block)
				}
				t.WantBytes(mem, data)
			}
		},
	},
	{
		ID: "FIL-18", Name: "writes",
		Explanation: "Writes behind the end of such a file make it longer, those within it change it.",
		Ops:         fileOps | api.Ops(api.OpWritev, api.OpReadv),
		Fn: func(t *T) {
			const n = 40
			data := numbered(n)
			name := t.FilePath("")
			fd := t.direct(name, unix.O_RDWR)
			mem := t.pages(n * block)
			copy(mem, data)
			for range 2 {
				for i := range n {
					at := n - 1 - i
					t.Submit(api.Write(fd, mem[at*block:][:block], int64(at*block), uint64(i)))
				}
				for i := range uint64(n) {
					t.AwaitRes(i, block)
				}
				t.WantGet(t.OpenFile(name, unix.O_RDONLY), data)
			}
			m := &api.Msg{Bufs: [][]byte{mem[2*block : 3*block], mem[:block]}}
			t.Want(api.Writev(fd, m, 4*block, 1), 2*block)
			into := t.pages(3 * block)
			t.Want(api.Readv(fd, &api.Msg{Bufs: [][]byte{into[:block], into[block:]}}, 3*block, 2), 3*block)
			t.WantBytes(into, data[3*block:4*block]+data[2*block:3*block]+data[:block])
		},
	},
	{
		ID: "FIL-18", Name: "the end",
		Explanation: "A read across the end of such a file is short, one behind it 0.",
		Ops:         fileOps,
		Fn: func(t *T) {
			data := numbered(3)[:2*block+100]
			fd := t.direct(t.FilePath(data), unix.O_RDONLY)
			mem := t.pages(4 * block)
			t.Want(api.Read(fd, mem, 0, 1), len(data))
			t.WantBytes(mem[:len(data)], data)
			t.Want(api.Read(fd, mem[:2*block], 2*block, 2), 100)
			t.Want(api.Read(fd, mem[:block], 3*block, 3), 0)
			t.Want(api.Read(fd, mem[:block], 1<<40, 4), 0)
		},
	},
	{
		ID: "FIL-18", Name: "refused",
		Explanation: "What the system calls refuse of such a file is refused with the same errno: a position, length or address that is none of a block, and what its mode forbids.",
		Ops:         fileOps,
		Fn: func(t *T) {
			name := t.FilePath(numbered(4))
			ro, rw := t.direct(name, unix.O_RDONLY), t.direct(name, unix.O_RDWR)
			mem := t.pages(2 * block)
			for _, c := range []struct {
				skip, n int
				off     int64
			}{{0, block, 1}, {0, 100, 0}, {1, block, 0}, {1, 99, 7}, {0, block, 1<<63 - 1 - block}} {
				buf := mem[c.skip:][:c.n]
				want, err := unix.Pread(rw, buf, c.off)
				if err != nil {
					want = number(err)
				}
				t.Want(api.Read(rw, buf, c.off, 1), want)
				if want, err = unix.Pwrite(rw, buf, c.off); err != nil {
					want = number(err)
				}
				t.Want(api.Write(rw, buf, c.off, 2), want)
			}
			t.WantErr(api.Write(ro, mem[:block], 0, 3), unix.EBADF)
		},
	},
	{
		ID: "FIL-18", Name: "position of the file",
		Explanation: "Reads of such a file at its own position are in order, and move it.",
		Ops:         fileOps,
		Fn: func(t *T) {
			const n = 20
			data := numbered(n)
			fd := t.direct(t.FilePath(data), unix.O_RDONLY)
			mem := t.pages(n * block)
			for i := range n {
				t.Submit(api.Read(fd, mem[i*block:][:block], api.CurrentPosition, uint64(i)))
			}
			for i := range uint64(n) {
				t.AwaitRes(i, block)
			}
			t.WantBytes(mem, data)
			if got := t.Offset(fd); got != n*block {
				t.Errorf("the position is %d, want %d", got, n*block)
			}
		},
	},
	{
		ID: "FIL-18", Name: "cancel",
		Explanation: "A read of such a file that is cancelled or runs out of time has all of its block or none, and nothing is written to its buffer after its completion.",
		Requires:    api.FeatDeadlines | api.FeatCancelFD,
		Ops:         fileOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			const n = 100
			data := numbered(n)
			fd := t.direct(t.FilePath(data), unix.O_RDONLY)
			mem := t.pages(n * block)
			for round := range 4 {
				for i := range n {
					op := api.Read(fd, mem[i*block:][:block], int64(i*block), uint64(i))
					if i%4 == 1 {
						op = op.Until(api.Now())
					}
					t.Submit(op)
				}
				if round%2 == 1 {
					t.Perform()
				}
				t.Submit(api.CancelFD(fd, n))
				for i := range n {
					got := mem[i*block:][:block]
					switch c := t.Await(uint64(i)); int(c.Res) {
					case block:
						t.WantBytes(got, data[i*block:][:block])
					case ecanceled, etime:
					default:
						t.Errorf("read %d gave %s", i, show(&c))
					}
					clear(got)
				}
				if c := t.Await(n); c.Res < 0 && int(c.Res) != enoent && int(c.Res) != neg(unix.EALREADY) {
					t.Errorf("the cancel gave %s", show(&c))
				}
				t.WantBytes(mem, strings.Repeat("\x00", n*block))
			}
		},
	},
	{
		ID: "CLO-7", Name: "number of a file around the page cache",
		Explanation: "A read and a write on the number of such a file that has become another's act on that: a pipe is waited for, a file without O_DIRECT takes any length.",
		Ops:         fileOps,
		Fn: func(t *T) {
			name := t.FilePath(numbered(2))
			mem := t.pages(block)
			fd := t.direct(name, unix.O_RDWR)
			t.Want(api.Read(fd, mem, 0, 1), block)
			r, w := t.Pipe(false)
			t.renumber(r, fd)
			t.Submit(api.Read(fd, mem[:8], block, 2))
			t.StillPending(2)
			t.Put(w, "abc")
			t.AwaitRes(2, 3)

			fd = t.direct(name, unix.O_RDWR)
			t.Want(api.Read(fd, mem, 0, 3), block)
			t.renumber(t.OpenFile(name, unix.O_RDWR), fd)
			t.Want(api.Write(fd, []byte("xyz"), 5, 4), 3)
			t.Want(api.Read(fd, mem[:9], 0, 5), 9)
			t.WantBytes(mem[:9], "00000xyz0")
		},
	},
	{
		ID: "ENG-3", Name: "reads around the page cache",
		Explanation: "Close waits for what the disk is at, and leaves the buffers alone afterwards.",
		Ops:         fileOps,
		Fn: func(t *T) {
			const n = 300
			fd := t.direct(t.FilePath(numbered(n)), unix.O_RDONLY)
			mem := t.pages(n * block)
			for i := range n {
				t.Submit(api.Read(fd, mem[i*block:][:block], int64(i*block), uint64(i)))
			}
			t.Perform()
			t.CloseEngine()
			clear(mem)
			e := t.Open(nil)
			if n, err := e.Complete(make([]api.Completion, 1), api.Wait{Min: 1, Deadline: api.After(lookTime)}); n != 0 || err != nil {
				t.Errorf("a wait of another engine: %d, %v", n, err)
			}
			t.WantBytes(mem, strings.Repeat("\x00", n*block))
		},
	},
}
