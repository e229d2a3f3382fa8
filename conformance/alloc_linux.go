package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// systemAllocs are those that only Linux can have. The program makes its Args once.
func systemAllocs() []allocCase {
	return []allocCase{
		{name: "read around the page cache", ops: fileOps, prepare: func(t *T) func() {
			fd := t.direct(t.FilePath(numbered(16)), unix.O_RDWR)
			u := &turner{t: t}
			buf := t.pages(block)
			off := int64(0)
			return func() {
				u.want(u.do(api.Read(fd, buf, off, 1)), block)
				off = (off + block) % (16 * block)
			}
		}},
		{name: "splice and tee", ops: spliceOps, prepare: func(t *T) func() {
			r, w := t.Pipe(false)
			r2, w2 := t.Pipe(false)
			a, b := t.Pair(false)
			u := &turner{t: t}
			tee, splice := api.Tee(r, w2, 16, 0, 1), api.Splice(r, none, a, none, 16, 0, 2)
			buf := make([]byte, 16)
			return func() {
				u.put(w, buf)
				u.want(u.do(tee), 16)
				u.want(u.do(splice), 16)
				u.get(r2, buf)
				u.get(b, buf)
			}
		}},
		{name: "splice that waits", ops: spliceOps, prepare: func(t *T) func() {
			r, w := t.Pipe(false)
			r2, w2 := t.Pipe(false)
			u := &turner{t: t}
			op := api.Splice(r, none, w2, none, 16, 0, 1)
			buf := make([]byte, 16)
			return func() {
				u.op[0] = op
				if n, err := t.Engine.Submit(u.op[:]); n != 1 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				if n, err := t.Engine.Complete(u.dst[:1], api.Wait{}); n != 0 || err != nil {
					t.Fatalf("Complete: %d, %v", n, err)
				}
				u.put(w, buf)
				u.want(u.one(), 16)
				u.get(r2, buf)
			}
		}},
		{name: "splice of a file", ops: spliceOps, prepare: func(t *T) func() {
			f := t.File(pattern(4096))
			r, w := t.Pipe(false)
			u := &turner{t: t}
			op := api.Splice(f, 0, w, none, 4096, 0, 1)
			buf := make([]byte, 4096)
			return func() {
				u.want(u.do(op), 4096)
				u.get(r, buf)
			}
		}},
		{name: "statx", ops: statxOps, prepare: func(t *T) func() {
			name := t.FilePath("content")
			u := &turner{t: t}
			op := api.Statx(api.AtCWD, name, 0, unix.STATX_BASIC_STATS, &api.StatxBuf{}, 1)
			return func() { u.want(u.do(op), 0) }
		}},
		{name: "open and close", ops: openOps | api.Ops(api.OpClose), prepare: func(t *T) func() {
			dir, _ := t.Dir()
			u := &turner{t: t}
			op := api.Openat(dir, ".", unix.O_RDONLY, 0, 1)
			return func() {
				c := u.do(op)
				if c.Res < 0 {
					t.Fatalf("got %s", show(c))
				}
				u.want(u.do(api.Close(int(c.Res), 2)), 0)
			}
		}},
	}
}
