//go:build unix

package conformance

import (
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var fileOps = api.Ops(api.OpRead, api.OpWrite)

var fileCases = []Case{
	{
		ID: "FIL-1", Name: "read at a position",
		Explanation: "A read at a position gives the bytes there and leaves the file's own position alone.",
		Ops:         fileOps,
		Fn: func(t *T) {
			fd := t.File("0123456789")
			_, err := unix.Seek(fd, 2, 0)
			t.must("seek", err)
			buf := make([]byte, 4)
			t.Want(api.Read(fd, buf, 5, 1), 4)
			t.WantBytes(buf, "5678")
			t.Want(api.Read(fd, buf, 0, 2), 4)
			t.WantBytes(buf, "0123")
			if off := t.Offset(fd); off != 2 {
				t.Errorf("the position has moved to %d", off)
			}
		},
	},
	{
		ID: "FIL-1", Name: "write at a position",
		Explanation: "A write at a position puts the bytes there and leaves the file's own position alone.",
		Ops:         fileOps,
		Fn: func(t *T) {
			fd := t.File("0123456789")
			t.Want(api.Write(fd, []byte("abc"), 4, 1), 3)
			t.Want(api.Write(fd, []byte("END"), 12, 2), 3)
			if off := t.Offset(fd); off != 0 {
				t.Errorf("the position has moved to %d", off)
			}
			t.WantGet(fd, "0123abc789\x00\x00END")
		},
	},
	{
		ID: "FIL-2", Name: "current position",
		Explanation: "A read or write at CurrentPosition begins at the file's own position and moves it.",
		Ops:         fileOps,
		Fn: func(t *T) {
			fd := t.File("0123456789")
			buf := make([]byte, 3)
			t.Want(api.Read(fd, buf, api.CurrentPosition, 1), 3)
			t.WantBytes(buf, "012")
			t.Want(api.Write(fd, []byte("ab"), api.CurrentPosition, 2), 2)
			if off := t.Offset(fd); off != 5 {
				t.Errorf("the position is %d, want 5", off)
			}
			t.Want(api.Read(fd, buf, api.CurrentPosition, 3), 3)
			t.WantBytes(buf, "567")
		},
	},
	{
		ID: "FIL-3", Name: "offset below the current position",
		Explanation: "An Off below CurrentPosition is EINVAL.",
		Ops:         api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev),
		Fn: func(t *T) {
			fd := t.File("abc")
			buf := make([]byte, 1)
			m := &api.Msg{Bufs: bytesFor(1, 1)}
			for _, off := range []int64{-2, -1 << 63} {
				t.WantErr(api.Read(fd, buf, off, 1), unix.EINVAL)
				t.WantErr(api.Write(fd, buf, off, 2), unix.EINVAL)
				t.WantErr(api.Readv(fd, m, off, 3), unix.EINVAL)
				t.WantErr(api.Writev(fd, m, off, 4), unix.EINVAL)
			}
		},
	},
	{
		ID: "FIL-4", Name: "end of file",
		Explanation: "A read of a regular file is short only at the end, and 0 behind it.",
		Ops:         fileOps,
		Fn: func(t *T) {
			fd := t.File(pattern(1000))
			buf := make([]byte, 4096)
			t.Want(api.Read(fd, buf, 0, 1), 1000)
			t.WantBytes(buf[:1000], pattern(1000))
			t.Want(api.Read(fd, buf, 900, 2), 100)
			t.Want(api.Read(fd, buf, 1000, 3), 0)
			t.Want(api.Read(fd, buf, 1<<40, 4), 0)
		},
	},
	{
		ID: "FIL-4", Name: "large",
		Explanation: "A large read or write of a regular file is done as a whole.",
		Ops:         fileOps,
		Fn: func(t *T) {
			data := pattern(1<<20 + 17)
			fd := t.File("")
			t.Want(api.Write(fd, t.patternSent(len(data)), 0, 1), len(data))
			buf := make([]byte, len(data)+100)
			t.Want(api.Read(fd, buf, 0, 2), len(data))
			t.WantBytes(buf[:len(data)], data)
		},
	},
	{
		ID: "FIL-5", Name: "many at a time",
		Explanation: "Any number of reads and writes at positions of one file can be in flight at a time.",
		Ops:         fileOps,
		Fn: func(t *T) {
			const n, size = 64, 512
			data := pattern(n * size)
			fd := t.File(data)
			bufs := bytesFor(n, size)
			for i := range n {
				t.Submit(api.Read(fd, bufs[i], int64(i*size), uint64(i)))
			}
			for i := range uint64(n) {
				t.AwaitRes(i, size)
			}
			t.WantBytes([]byte(join(bufs)), data)
			for i := range n {
				t.Submit(api.Write(fd, []byte(strings.ToUpper(data[i*size:][:size])), int64(i*size), uint64(i)))
			}
			for i := range uint64(n) {
				t.AwaitRes(i, size)
			}
			t.WantGet(fd, strings.ToUpper(data))
		},
	},
	{
		ID: "FIL-6", Name: "mode",
		Explanation: "A read of an fd opened for writing, and a write to one opened for reading, is EBADF.",
		Ops:         fileOps,
		Fn: func(t *T) {
			name := t.FilePath("abc")
			ro, wo := t.OpenFile(name, unix.O_RDONLY), t.OpenFile(name, unix.O_WRONLY)
			t.WantErr(api.Write(ro, []byte("x"), 0, 1), unix.EBADF)
			t.WantErr(api.Read(wo, make([]byte, 1), 0, 2), unix.EBADF)
			r, w := t.Pipe(false)
			t.WantErr(api.Write(r, []byte("x"), api.CurrentPosition, 3), unix.EBADF)
			t.WantErr(api.Read(w, make([]byte, 1), api.CurrentPosition, 4), unix.EBADF)
		},
	},
	{
		ID: "FIL-6", Name: "directory",
		Explanation: "A read of a directory is EISDIR.",
		Ops:         fileOps,
		Fn: func(t *T) {
			t.WantErr(api.Read(t.OpenFile(t.TempDir(), unix.O_RDONLY), make([]byte, 1), 0, 1), unix.EISDIR)
		},
	},
	{
		ID: "FIL-7", Name: "append",
		Explanation: "A write to a file opened with O_APPEND goes to its end, whatever Off says.",
		Ops:         fileOps,
		Fn: func(t *T) {
			name := t.FilePath("head ")
			fd := t.OpenFile(name, unix.O_WRONLY|unix.O_APPEND)
			t.Want(api.Write(fd, []byte("one "), api.CurrentPosition, 1), 4)
			t.Want(api.Write(fd, []byte("two"), 0, 2), 3)
			t.WantGet(t.OpenFile(name, 0), "head one two")
		},
	},
	{
		ID: "FIL-8", Name: "devices",
		Explanation: "Devices that are always ready, such as /dev/null and /dev/zero, are read and written like files.",
		Ops:         fileOps,
		Fn: func(t *T) {
			null := t.OpenFile("/dev/null", unix.O_RDWR)
			buf := []byte("abc")
			for _, off := range []int64{api.CurrentPosition, 0} {
				t.Want(api.Read(null, buf, off, 1), 0)
				t.Want(api.Write(null, buf, off, 2), 3)
			}
			t.Want(api.Read(t.OpenFile("/dev/zero", 0), buf, api.CurrentPosition, 3), 3)
			t.WantBytes(buf, "\x00\x00\x00")
		},
	},
	{
		ID: "FIL-9", Name: "fsync",
		Explanation: "Fsync of a regular file is 0, with DataSync too.",
		Ops:         api.Ops(api.OpFsync, api.OpWrite),
		Fn: func(t *T) {
			fd := t.File("")
			t.Want(api.Write(fd, []byte("abc"), 0, 1), 3)
			t.Want(api.Fsync(fd, 2), 0)
			t.Want(api.Fsync(fd, 3).With(api.DataSync), 0)
		},
	},
	{
		ID: "FIL-9", Name: "fsync of what has no storage",
		Explanation: "Fsync of a socket or pipe is EINVAL.",
		Ops:         api.Ops(api.OpFsync),
		Fn: func(t *T) {
			a, _ := t.Pair(false)
			r, _ := t.Pipe(false)
			t.WantErr(api.Fsync(a, 1), unix.EINVAL)
			t.WantErr(api.Fsync(r, 2), unix.EINVAL)
		},
	},
	{
		ID: "FIL-10", Name: "file work leaves sockets alone",
		Explanation: "Operations on files and on sockets go on side by side.",
		Ops:         api.Ops(api.OpRead, api.OpRecv, api.OpFsync),
		Fn: func(t *T) {
			fd := t.File(pattern(1 << 16))
			a, b := t.Pair(false)
			buf := make([]byte, 1)
			t.Submit(api.Recv(a, buf, 1000))
			bufs := bytesFor(32, 2048)
			for i := range bufs {
				t.Submit(api.Read(fd, bufs[i], int64(i*2048), uint64(i)), api.Fsync(fd, uint64(100+i)))
			}
			t.Put(b, "x")
			t.AwaitRes(1000, 1)
			for i := range bufs {
				t.AwaitRes(uint64(i), 2048)
				t.AwaitRes(uint64(100+i), 0)
			}
			t.WantBytes([]byte(join(bufs)), pattern(1<<16))
		},
	},
}
