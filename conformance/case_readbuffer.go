//go:build unix

package conformance

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const readMultishotFeats = api.FeatBufferGroups | api.FeatMultishotRead

var (
	readOnly    = api.Ops(api.OpRead)
	readAndMore = api.Ops(api.OpReadMultishot)
)

// current is ReadBuffer at the current position.
func current(fd int, group uint16, tag uint64) api.Op {
	return api.ReadBuffer(fd, group, api.CurrentPosition, tag)
}

// into performs op, which must end with data in a buffer, and gives that back.
func (t *T) into(g api.BufferGroup, op api.Op, data string) {
	t.tb.Helper()
	c := t.Do(op)
	if c.Res != int32(len(data)) || c.Flags != api.Buffer || string(c.Buf) != data {
		t.Fatalf("got %s with %s, want %s", show(&c), quote(string(c.Buf)), quote(data))
	}
	t.Release(g, c.Lease)
}

// available fails the case unless n buffers of the group are not out.
func (t *T) available(g api.BufferGroup, n int) {
	t.tb.Helper()
	if got := g.Available(); got != n {
		t.Errorf("%d of %d buffers available, want %d", got, g.Count(), n)
	}
}

// eachSourceOfBytes calls f with the two ends of pipes and sockets.
func (t *T) eachSourceOfBytes(f func(r, w int)) {
	for _, nonblock := range []bool{false, true} {
		f(t.Pipe(nonblock))
		f(t.Pair(nonblock))
		f(t.TCP(nonblock))
	}
}

// selectedCases are those on provided buffers that are about more than receives.
func selectedCases() []Case {
	return slices.Concat(mixedCases, readBufferCases, readMultishotCases, recvMsgBufferCases, sendBundleCases, selectedSystemCases())
}

var readBufferCases = []Case{
	{
		ID: "RDB-1", Name: "pipes and sockets",
		Explanation: "A ReadBuffer waits for data, takes a buffer then, and gives at most as much as that has; at the end of the stream it gives 0 and takes none.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{ID: 3, Count: 2, Size: 4})
			t.eachSourceOfBytes(func(r, w int) {
				t.Submit(current(r, 3, 1))
				t.StillPending(1)
				t.available(g, 2)
				t.Put(w, "123456")
				c := t.Await(1)
				if c.Res != 4 || c.Flags != api.Buffer || string(c.Buf) != "1234" || cap(c.Buf) > 4 || c.Lease.Group() != 3 {
					t.Fatalf("got %s with %q of %d", show(&c), c.Buf, cap(c.Buf))
				}
				t.available(g, 1)
				t.into(g, current(r, 3, 2), "56")
				t.Release(g, c.Lease)
				t.CloseNow(w)
				t.Want(current(r, 3, 3), 0)
				c = t.Do(current(r, 3, 4).With(api.EOF))
				if c.Res != 0 || !c.Flags.Has(api.AtEOF) || c.Flags.Has(api.Buffer) {
					t.Errorf("at the end: %s", show(&c))
				}
				t.available(g, 2)
			})
		},
	},
	{
		ID: "RDB-1", Name: "order",
		Explanation: "Reads into buffers take their turns with other reads of the file.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 2})
			buf := make([]byte, 2)
			t.Submit(current(r, 0, 1), api.Read(r, buf, api.CurrentPosition, 2), current(r, 0, 3))
			t.StillPending(1, 2, 3)
			t.Put(w, "aabbcc")
			for tag, want := range map[uint64]string{1: "aa", 3: "cc"} {
				c := t.Await(tag)
				t.WantBytes(c.Buf, want)
				t.Release(g, c.Lease)
			}
			t.AwaitRes(2, 2)
			t.WantBytes(buf, "bb")
		},
	},
	{
		ID: "RDB-2", Name: "regular file",
		Explanation: "A ReadBuffer of a regular file reads at its offset, or at the position of the file, which it moves; it is short only at the end, and behind that 0.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			content := pattern(3*4096 + 5)
			fd := t.File(content)
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4096})
			for _, evict := range []bool{false, true} {
				if evict {
					t.Evict(fd)
				}
				t.into(g, api.ReadBuffer(fd, 0, 4096, 1), content[4096:8192])
				t.into(g, api.ReadBuffer(fd, 0, 1, 2), content[1:4097])
				t.into(g, api.ReadBuffer(fd, 0, 3*4096, 3), content[3*4096:])
				t.Want(api.ReadBuffer(fd, 0, 1<<40, 4), 0)
				t.available(g, 2)
			}
			if at := t.Offset(fd); at != 0 {
				t.Errorf("reads at offsets have moved the position of the file to %d", at)
			}
			for i := range 4 {
				t.into(g, current(fd, 0, 5), content[i*4096:min((i+1)*4096, len(content))])
			}
			t.Want(current(fd, 0, 6), 0)
			if at := t.Offset(fd); at != int64(len(content)) {
				t.Errorf("the position of the file is %d", at)
			}
		},
	},
	{
		ID: "RDB-2", Name: "many at a time",
		Explanation: "Reads of a file that is not in memory can be in flight by the hundred, each into a buffer of its own.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			const n, size = 128, 8192
			content := pattern(n * size)
			fd := t.File(content)
			g := t.Group(api.BufferGroupOptions{Count: n, Size: size})
			t.Evict(fd)
			for i := range n {
				t.Submit(api.ReadBuffer(fd, 0, int64(i*size), uint64(i)))
			}
			var cs [n]api.Completion
			for i := range n {
				cs[i] = t.Await(uint64(i))
			}
			t.available(g, 0)
			for i := range n {
				t.WantBytes(cs[i].Buf, content[i*size:(i+1)*size])
				t.Release(g, cs[i].Lease)
			}
		},
	},
	{
		ID: "RDB-3", Name: "no buffer",
		Explanation: "With no buffer left, or no such group, a ReadBuffer is ENOBUFS at once, and the data and the position of the file stay as they are.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			fd := t.File("content")
			g := t.Group(api.BufferGroupOptions{Count: 1, Size: 4})
			lease := t.Do(api.ReadBuffer(fd, 0, 0, 1)).Lease
			t.WantErr(current(r, 0, 2), unix.ENOBUFS)
			t.WantErr(current(fd, 0, 3), unix.ENOBUFS)
			t.WantErr(current(fd, 9, 4), unix.ENOBUFS)
			t.Put(w, "kept")
			t.WantErr(current(r, 0, 5), unix.ENOBUFS)
			t.Release(g, lease)
			t.into(g, current(r, 0, 6), "kept")
			t.into(g, current(fd, 0, 7), "cont")
		},
	},
	{
		ID: "RDB-3", Name: "more reads than buffers",
		Explanation: "Of many reads at a time as many succeed as there are buffers, and the others are ENOBUFS.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			const n, size, count = 40, 4096, 8
			content := pattern(n * size)
			fd := t.File(content)
			g := t.Group(api.BufferGroupOptions{Count: count, Size: size})
			for _, evict := range []bool{false, true} {
				if evict {
					t.Evict(fd)
				}
				for i := range n {
					t.Submit(api.ReadBuffer(fd, 0, int64(i*size), uint64(i)))
				}
				var leases []api.Lease
				for i := range n {
					c := t.Await(uint64(i))
					if c.Res == int32(neg(unix.ENOBUFS)) {
						continue
					}
					t.WantBytes(c.Buf, content[i*size:(i+1)*size])
					leases = append(leases, c.Lease)
				}
				if len(leases) != count {
					t.Errorf("%d reads have succeeded, want %d", len(leases), count)
				}
				t.available(g, 0)
				for _, l := range leases {
					t.Release(g, l)
				}
			}
		},
	},
	{
		ID: "RDB-3", Name: "last buffer goes elsewhere",
		Explanation: "When the last buffer is taken while a ReadBuffer waits, it is ENOBUFS when there is data, which stays.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			t.eachSourceOfBytes(func(r, w int) {
				g := t.Group(api.BufferGroupOptions{Count: 1, Size: 4})
				t.Submit(current(r, 0, 1))
				t.StillPending(1)
				lease := t.Do(api.ReadBuffer(t.File("x"), 0, 0, 2)).Lease
				t.StillPending(1)
				t.Put(w, "kept")
				t.AwaitRes(1, neg(unix.ENOBUFS))
				t.Release(g, lease)
				t.into(g, current(r, 0, 3), "kept")
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "RDB-4", Name: "failures",
		Explanation: "A ReadBuffer that fails takes no buffer: EBADF of a file not open for reading, EISDIR of a directory, EINVAL at a position below the current one.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly,
		Fn: func(t *T) {
			_, w := t.Pipe(false)
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4})
			dir := t.OpenFile(t.TempDir(), unix.O_RDONLY)
			t.WantErr(current(w, 0, 1), unix.EBADF)
			t.WantErr(api.ReadBuffer(dir, 0, 0, 2), unix.EISDIR)
			t.WantErr(api.ReadBuffer(t.File("x"), 0, -2, 3), unix.EINVAL)
			t.WantErr(current(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, 4), unix.ENOTCONN)
			t.WantErr(api.ReadBuffer(t.File("x"), 0, 0, 5).With(api.SkipSuccess), unix.EINVAL)
			t.WantErr(api.ReadBuffer(t.File("x"), 0, 0, 6).With(api.Multishot), unix.EINVAL)
			for _, fd := range t.badFDs() {
				t.WantErr(current(fd, 0, 7), unix.EBADF)
			}
			t.available(g, 2)
		},
	},
	{
		ID: "RDB-5", Name: "without waiting",
		Explanation: "With DontWait a ReadBuffer is EAGAIN where it would wait, and takes no buffer.",
		Requires:    api.FeatBufferGroups | api.FeatDontWait,
		Ops:         readOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 8})
			t.eachSourceOfBytes(func(r, w int) {
				t.WantErr(current(r, 0, 1).With(api.DontWait), unix.EAGAIN)
				t.Put(w, "here")
				t.ready(r, unix.POLLIN)
				t.into(g, current(r, 0, 2).With(api.DontWait), "here")
				t.available(g, 2)
			})
			fd := t.File("cached")
			t.into(g, current(fd, 0, 3), "cached")
			t.into(g, api.ReadBuffer(fd, 0, 0, 4).With(api.DontWait), "cached")
		},
	},
	{
		ID: "RDB-6", Name: "cancelled and closed",
		Explanation: "A ReadBuffer that waits can be cancelled, by itself, with its group, by a deadline, by a close of its file; no data is lost and no buffer.",
		Requires:    api.FeatBufferGroups | api.FeatDeadlines,
		Ops:         readOnly | api.Ops(api.OpClose, api.OpCancel),
		Fn: func(t *T) {
			t.eachSourceOfBytes(func(r, w int) {
				g := t.Group(api.BufferGroupOptions{Count: 2, Size: 8})
				id := t.Submit(current(r, 0, 1))[0]
				t.StillPending(1)
				t.Want(api.Cancel(id, 2), 0)
				t.AwaitRes(1, ecanceled)
				t.Want(current(r, 0, 3).Until(api.After(lookTime)), -int(api.ETime))
				t.Submit(current(r, 0, 4))
				t.Perform()
				t.must("close the group", g.Close())
				t.AwaitRes(4, ecanceled)
				g = t.Group(api.BufferGroupOptions{Count: 2, Size: 8})
				t.Put(w, "data")
				t.into(g, current(r, 0, 5), "data")
				t.Submit(current(r, 0, 6), api.Close(r, 7))
				t.AwaitRes(6, ecanceled)
				t.AwaitRes(7, 0)
				t.available(g, 2)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "RDB-6", Name: "cancelled on the disk",
		Explanation: "Reads of a file that is not in memory, and that are cancelled or whose engine is closed, give back all buffers.",
		Requires:    api.FeatBufferGroups,
		Ops:         readOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			const n, size = 64, 4096
			content := pattern(n * size)
			fd := t.File(content)
			g := t.Group(api.BufferGroupOptions{Count: n, Size: size})
			for round := range 4 {
				t.Evict(fd)
				var ids []api.OpID
				for i := range n {
					ids = append(ids, t.Submit(api.ReadBuffer(fd, 0, int64(i*size), uint64(i)))...)
				}
				if round > 1 {
					t.Perform()
				}
				for i, id := range ids {
					t.Submit(api.Cancel(id, uint64(1000+i)))
				}
				for i := range n {
					t.Await(uint64(1000 + i))
					c := t.Await(uint64(i))
					switch {
					case c.Res == size && c.Flags == api.Buffer:
						t.WantBytes(c.Buf, content[i*size:(i+1)*size])
						t.Release(g, c.Lease)
					case c.Err() != api.ErrCanceled || c.Flags != 0:
						t.Errorf("got %s", show(&c))
					}
				}
				t.available(g, n)
			}
			t.Evict(fd)
			for i := range n {
				t.Submit(api.ReadBuffer(fd, 0, int64(i*size), uint64(i)))
			}
			t.CloseEngine()
		},
	},
	{
		ID: "RDB-7", Name: "chains",
		Explanation: "A ReadBuffer that fills its buffer lets its chain go on, and one that does not breaks it.",
		Requires:    api.FeatBufferGroups | api.FeatChains,
		Ops:         readOnly | api.Ops(api.OpNop),
		Fn: func(t *T) {
			fd := t.File("12345678abc")
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 8})
			t.Submit(api.ReadBuffer(fd, 0, 0, 1).With(api.Link), api.Nop(2))
			t.Release(g, t.Await(1).Lease)
			t.AwaitRes(2, 0)
			t.Submit(api.ReadBuffer(fd, 0, 8, 3).With(api.Link), api.Nop(4))
			c := t.Await(3)
			t.WantBytes(c.Buf, "abc")
			t.AwaitRes(4, ecanceled)
			t.Release(g, c.Lease)
		},
	},
}

var readMultishotCases = []Case{
	{
		ID: "RDM-1", Name: "pipes and sockets",
		Explanation: "A ReadMultishot delivers each piece of data in a buffer, with More, and ends with 0 and without a buffer at the end of the stream.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 8})
			t.eachSourceOfBytes(func(r, w int) {
				t.Submit(api.ReadMultishot(r, 0, 1).With(api.EOF))
				t.StillPending(1)
				for _, s := range []string{"one", "two", "three"} {
					t.Put(w, s)
					t.Release(g, t.WantBuffer(1, s))
				}
				t.StillPending(1)
				t.Put(w, "longer than it is")
				for _, s := range []string{"longer t", "han it i", "s"} {
					t.Release(g, t.WantBuffer(1, s))
				}
				t.CloseNow(w)
				c := t.Await(1)
				if c.Res != 0 || c.Flags != api.AtEOF {
					t.Errorf("at the end: %s", show(&c))
				}
				t.Want(api.ReadMultishot(r, 0, 2), 0)
				t.available(g, 4)
			})
		},
	},
	{
		ID: "RDM-2", Name: "what has no end",
		Explanation: "A ReadMultishot of a regular file, or a directory, is EBADFD, and of one that is not open for reading EBADF.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 8})
			name := filepath.Join(t.TempDir(), "file")
			t.must("writing a file", os.WriteFile(name, []byte("content"), 0o600))
			t.WantErr(api.ReadMultishot(t.OpenFile(name, unix.O_RDWR), 0, 1), eBadFD)
			t.WantErr(api.ReadMultishot(t.OpenFile(name, unix.O_WRONLY), 0, 2), unix.EBADF)
			t.WantErr(api.ReadMultishot(t.OpenFile(t.TempDir(), unix.O_RDONLY), 0, 3), eBadFD)
			_, w := t.Pipe(false)
			t.WantErr(api.ReadMultishot(w, 0, 4), unix.EBADF)
			t.WantErr(api.ReadMultishot(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, 5), unix.ENOTCONN)
			for _, fd := range t.badFDs() {
				t.WantErr(api.ReadMultishot(fd, 0, 6), unix.EBADF)
			}
			t.available(g, 2)
		},
	},
	{
		ID: "RDM-3", Name: "no buffer",
		Explanation: "The last buffer is delivered with More; data for which there is none ends a ReadMultishot with ENOBUFS and stays; without a buffer to begin with that is at once.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: func(t *T) {
			t.WantErr(api.ReadMultishot(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 7, 9), unix.ENOBUFS)
			t.eachSourceOfBytes(func(r, w int) {
				g := t.Group(api.BufferGroupOptions{Count: 2, Size: 4})
				t.Submit(api.ReadMultishot(r, 0, 1))
				t.Perform()
				t.Put(w, "11112222")
				first, second := t.WantBuffer(1, "1111"), t.WantBuffer(1, "2222")
				t.StillPending(1)
				t.Put(w, "3")
				t.AwaitRes(1, neg(unix.ENOBUFS))
				t.WantErr(api.ReadMultishot(r, 0, 2), unix.ENOBUFS)
				t.Release(g, first)
				t.Submit(api.ReadMultishot(r, 0, 3))
				t.Release(g, t.WantBuffer(3, "3"))
				t.Release(g, second)
				t.must("close the group", g.Close())
				t.AwaitRes(3, ecanceled)
			})
		},
	},
	{
		ID: "RDM-3", Name: "a buffer comes back in time",
		Explanation: "A ReadMultishot whose last buffer is out goes on when one is given back before there is data.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: func(t *T) {
			t.eachSourceOfBytes(func(r, w int) {
				g := t.Group(api.BufferGroupOptions{Count: 1, Size: 4})
				t.Submit(api.ReadMultishot(r, 0, 1))
				for range 50 {
					t.Put(w, "abcd")
					l := t.WantBuffer(1, "abcd")
					t.StillPending(1)
					t.Release(g, l)
				}
				t.must("close the group", g.Close())
				t.AwaitRes(1, ecanceled)
			})
		},
	},
	{
		ID: "RDM-4", Name: "cancelled",
		Explanation: "A cancel ends a ReadMultishot with ErrCanceled; each byte is delivered before that or stays in the file.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore | readOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 64, Size: 1})
			t.eachSourceOfBytes(func(r, w int) {
				for range 20 {
					id := t.Submit(api.ReadMultishot(r, 0, 1))[0]
					t.Perform()
					t.Put(w, "0123456789")
					t.Submit(api.Cancel(id, 2))
					got := ""
					for {
						c := t.Await(1)
						if !c.More() {
							if c.Err() != api.ErrCanceled {
								t.Fatalf("got %s", show(&c))
							}
							break
						}
						got += string(c.Buf)
						t.Release(g, c.Lease)
					}
					t.AwaitRes(2, 0)
					for len(got) < 10 {
						c := t.Do(current(r, 0, 3))
						got += string(c.Buf)
						t.Release(g, c.Lease)
					}
					t.WantBytes([]byte(got), "0123456789")
				}
				t.available(g, 64)
			})
		},
	},
	{
		ID: "RDM-4", Name: "file and engine closed",
		Explanation: "A ReadMultishot ends with its file, by a deadline, and with its engine, and buffers that are out then can be released.",
		Requires:    readMultishotFeats | api.FeatDeadlines,
		Ops:         readAndMore | api.Ops(api.OpClose),
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 8})
			r, w := t.Pipe(false)
			t.Submit(api.ReadMultishot(r, 0, 1).Until(api.After(lookTime)))
			t.Put(w, "x")
			t.Release(g, t.WantBuffer(1, "x"))
			t.AwaitRes(1, -int(api.ETime))
			t.Submit(api.ReadMultishot(r, 0, 2))
			t.Put(w, "y")
			t.Release(g, t.WantBuffer(2, "y"))
			t.Want(api.Close(r, 3), 0)
			t.AwaitRes(2, ecanceled)
			r, w = t.Pipe(false)
			t.Submit(api.ReadMultishot(r, 0, 4))
			t.Put(w, "held")
			c := t.Await(4)
			t.Put(w, "nobody reaps it")
			t.CloseEngine()
			t.WantBytes(c.Buf, "held")
			t.must("release", g.Release(c.Lease))
		},
	},
	{
		ID: "RDM-5", Name: "completions that wait",
		Explanation: "A ReadMultishot loses nothing while its completions are not reaped, more than the kernel's queue has room for.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore | api.Ops(api.OpNop),
		Tune:        func(o *api.Options) { o.Entries, o.CQEntries = 4, 8 },
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			g := t.Group(api.BufferGroupOptions{Count: 256, Size: 1})
			t.Submit(api.ReadMultishot(r, 0, 1))
			t.Perform()
			data := pattern(200)
			t.Put(w, data)
			t.Want(api.Nop(2), 0)
			for i := range len(data) {
				t.Release(g, t.WantBuffer(1, data[i:i+1]))
			}
			t.StillPending(1)
		},
	},
	{
		ID: "RDM-5", Name: "one after the other",
		Explanation: "Reads of the same file behind a ReadMultishot wait for its end.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore | readOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 8})
			id := t.Submit(api.ReadMultishot(r, 0, 1), api.Read(r, make([]byte, 8), api.CurrentPosition, 2))[0]
			t.Put(w, "first")
			t.Release(g, t.WantBuffer(1, "first"))
			t.StillPending(1, 2)
			t.Want(api.Cancel(id, 3), 0)
			t.AwaitRes(1, ecanceled)
			t.Put(w, "second")
			t.AwaitRes(2, 6)
		},
	},
	{
		ID: "RDM-6", Name: "flags",
		Explanation: "A ReadMultishot with DontWait, without BufferSelect or without Multishot is EINVAL; a position is not heeded.",
		Requires:    readMultishotFeats,
		Ops:         readAndMore,
		Fn: func(t *T) {
			r, w := t.Pipe(false)
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 8})
			t.WantErr(api.ReadMultishot(r, 0, 1).With(api.DontWait), unix.EINVAL)
			t.WantErr(api.ReadMultishot(r, 0, 2).With(api.SkipSuccess), unix.EINVAL)
			for _, f := range []api.OpFlags{0, api.BufferSelect, api.Multishot} {
				op := api.ReadMultishot(r, 0, 3)
				op.Flags = f
				t.WantErr(op, unix.EINVAL)
			}
			t.Put(w, "x")
			op := api.ReadMultishot(r, 0, 4)
			op.Off, op.Buf = 1<<40, make([]byte, 1)
			t.Submit(op)
			t.Release(g, t.WantBuffer(4, "x"))
		},
	},
}
