//go:build unix

package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var (
	openOps = api.Ops(api.OpOpenat)
	treeOps = api.Ops(api.OpMkdirat, api.OpUnlinkat, api.OpRenameat, api.OpLinkat, api.OpSymlinkat)
)

// Dir opens the directory of the case.
func (t *T) Dir() (fd int, name string) {
	return t.OpenFile(t.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY), t.TempDir()
}

// opened opens a file with op, which must succeed.
func (t *T) opened(op api.Op) int {
	t.tb.Helper()
	c := t.Do(op)
	if c.Res < 0 || c.More() {
		t.Fatalf("got %s, want an fd", show(&c))
	}
	fd := int(c.Res)
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the flags of the new fd are %#x, %v: it is not close-on-exec", flags, err)
	}
	return fd
}

// wantFlags compares the flags of an fd that the engine has opened with those that the system call gives.
func (t *T) wantFlags(what string, fd, want int) {
	t.tb.Helper()
	if got := t.Flags(fd); got != want {
		t.Errorf("%s: the flags of the new fd are %#o, want %#o", what, got, want)
	}
}

// exists says what there is behind a path: "" for nothing.
func (t *T) exists(name string) string {
	fi, err := os.Lstat(name)
	switch {
	case os.IsNotExist(err):
		return ""
	case err != nil:
		t.Fatalf("lstat: %v", err)
	case fi.IsDir():
		return "directory"
	case fi.Mode()&os.ModeSymlink != 0:
		target, err := os.Readlink(name)
		t.must("readlink", err)
		return "link to " + target
	}
	return "file"
}

// wantAtPath compares what there is behind a path.
func (t *T) wantAtPath(name, want string) {
	t.tb.Helper()
	if got := t.exists(name); got != want {
		t.Errorf("%s is %q, want %q", filepath.Base(name), got, want)
	}
}

// badStrings are paths that no operation takes, and what it says.
var badStrings = []struct {
	name, path string
	errno      syscall.Errno
}{
	{"with a NUL", "a\x00b", unix.EINVAL},
	{"that begins with a NUL", "\x00", unix.EINVAL},
	{"that is empty", "", unix.ENOENT},
	{"whose one part is too long", strings.Repeat("x", 256), unix.ENAMETOOLONG},
	{"that is too long", strings.Repeat("x/", 2048), unix.ENAMETOOLONG},
	{"that is far too long", strings.Repeat("/", 1<<20), unix.ENAMETOOLONG},
}

var pathCases = []Case{
	{
		ID: "PTH-1", Name: "open",
		Explanation: "Openat opens a path, relative to a directory or to the working directory, as open(2) does, and makes the file if it is told to.",
		Ops:         openOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), []byte("content"), 0o600))
			t.WantGet(t.opened(api.Openat(dir, "f", unix.O_RDONLY, 0, 1)), "content")
			t.WantGet(t.opened(api.Openat(api.AtCWD, filepath.Join(name, "f"), unix.O_RDONLY, 0, 2)), "content")
			fd := t.opened(api.Openat(dir, "new", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o640, 3))
			t.Put(fd, "written")
			var st unix.Stat_t
			t.must("fstat", unix.Fstat(fd, &st))
			mask := unix.Umask(0)
			unix.Umask(mask)
			if got := uint32(st.Mode) & 0o7777; got != 0o640&^uint32(mask) {
				t.Errorf("the mode of the new file is %#o with the umask %#o, want %#o", got, mask, 0o640&^mask)
			}
			t.WantErr(api.Openat(dir, "new", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600, 4), unix.EEXIST)
			t.WantErr(api.Openat(dir, "missing", unix.O_RDONLY, 0, 5), unix.ENOENT)
			t.WantErr(api.Openat(dir, "f/below", unix.O_RDONLY, 0, 6), unix.ENOTDIR)
			t.WantErr(api.Openat(api.AtCWD, name, unix.O_WRONLY, 0, 7), unix.EISDIR)
			t.opened(api.Openat(dir, "new", unix.O_WRONLY|unix.O_TRUNC, 0, 8))
			t.must("stat", unix.Stat(filepath.Join(name, "new"), &st))
			if st.Size != 0 {
				t.Errorf("with O_TRUNC the file has %d bytes still", st.Size)
			}
		},
	},
	{
		ID: "PTH-1", Name: "symbolic links",
		Explanation: "Openat follows symbolic links, but with O_NOFOLLOW it does not open one.",
		Ops:         openOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), []byte("content"), 0o600))
			t.must("symlink", os.Symlink("f", filepath.Join(name, "l")))
			t.must("symlink", os.Symlink("loop", filepath.Join(name, "loop")))
			t.WantGet(t.opened(api.Openat(dir, "l", unix.O_RDONLY, 0, 1)), "content")
			if c := t.Do(api.Openat(dir, "l", unix.O_RDONLY|unix.O_NOFOLLOW, 0, 2)); c.Res >= 0 {
				t.Errorf("with O_NOFOLLOW: %s", show(&c))
			}
			t.WantErr(api.Openat(dir, "loop", unix.O_RDONLY, 0, 3), unix.ELOOP)
		},
	},
	{
		ID: "PTH-2", Name: "flags",
		Explanation: "The fd that Openat gives is close-on-exec, and its flags are those that open(2) gives, O_NONBLOCK among them only if it was asked for.",
		Ops:         openOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), nil, 0o600))
			for _, path := range []string{"f", ".", "/dev/null", "/dev/zero"} {
				for _, flags := range []int{0, unix.O_NONBLOCK, unix.O_APPEND, unix.O_APPEND | unix.O_NONBLOCK, unix.O_CLOEXEC, unix.O_SYNC | unix.O_NOCTTY} {
					want, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0)
					t.must("open", err)
					fd := t.opened(api.Openat(dir, path, uint32(flags), 0, 1))
					t.wantFlags(path, fd, t.Flags(t.Own(want)))
					t.CloseNow(fd)
				}
			}
		},
	},
	{
		ID: "PTH-3", Name: "FIFO",
		Explanation: "To open a FIFO does not wait for the other end: for reading it succeeds at once, for writing it is ENXIO unless somebody reads.",
		Ops:         openOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("mkfifo", unix.Mkfifo(filepath.Join(name, "p"), 0o600))
			for _, more := range []uint32{0, unix.O_NONBLOCK, unix.O_CREAT, unix.O_TRUNC, unix.O_CREAT | unix.O_TRUNC | unix.O_NONBLOCK} {
				t.WantErr(api.Openat(dir, "p", unix.O_WRONLY|more, 0o600, 1), unix.ENXIO)
				r := t.opened(api.Openat(dir, "p", unix.O_RDONLY|more, 0o600, 2))
				w := t.opened(api.Openat(dir, "p", unix.O_WRONLY|more, 0o600, 3))
				for _, fd := range []int{r, w} {
					if got, want := t.Flags(fd)&unix.O_NONBLOCK, int(more)&unix.O_NONBLOCK; got != want {
						t.Errorf("O_NONBLOCK of the new fd is %#o, want %#o", got, want)
					}
				}
				t.Put(w, "through")
				t.WantGet(r, "through")
				t.CloseNow(r)
				t.CloseNow(w)
			}
		},
	},
	{
		ID: "PTH-4", Name: "no fd left",
		Explanation: "An open that can have no fd is EMFILE, and neither makes nor truncates the file.",
		Ops:         openOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), []byte("content"), 0o600))
			t.Perform() // what an engine opens late, it opens now
			t.withoutFDs(func() {
				t.Submit(api.Openat(dir, "new", unix.O_WRONLY|unix.O_CREAT, 0o600, 1), api.Openat(dir, "f", unix.O_WRONLY|unix.O_TRUNC, 0, 2),
					api.Openat(dir, "f", unix.O_RDONLY, 0, 3))
				for tag := range uint64(3) {
					t.AwaitRes(tag+1, neg(unix.EMFILE))
				}
			})
			t.wantAtPath(filepath.Join(name, "new"), "")
			t.WantGet(t.opened(api.Openat(dir, "f", unix.O_RDONLY, 0, 4)), "content")
		},
	},
	{
		ID: "PTH-5", Name: "engine closed",
		Explanation: "A file that was opened, but whose completion nobody reaps because the engine is closed, is closed too.",
		Ops:         openOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), nil, 0o600))
			for _, kept := range []bool{false, true} {
				before := len(openFDs())
				e := t.Open(nil)
				ops := make([]api.Op, 16)
				for i := range ops {
					ops[i] = api.Openat(dir, "f", unix.O_RDONLY|uint32(i%2)*unix.O_CREAT, 0o600, uint64(i))
				}
				if n, err := e.Submit(ops); n != len(ops) || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				for ok := true; ok && kept; {
					_, err := e.Complete(nil, api.Wait{})
					t.must("Complete", err)
					ok = len(openFDs()) < before+len(ops) && api.Now() < t.deadline()
				}
				t.must("Close", e.Close())
				if n := len(openFDs()); n > before {
					t.Errorf("%d files are open, %d were before", n, before)
				}
			}
		},
	},
	{
		ID: "PTH-5", Name: "cancel",
		Explanation: "When a cancel races with an open, the fd is either delivered or closed.",
		Ops:         openOps | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), nil, 0o600))
			before := len(openFDs())
			for i := range 64 {
				id := t.Submit(api.Openat(dir, "f", unix.O_RDONLY|uint32(i%2)*unix.O_CREAT, 0o600, 1))[0]
				if i%4 > 1 {
					t.Perform()
				}
				t.Submit(api.Cancel(id, 2))
				a, b := t.Await(1), t.Await(2)
				switch {
				case a.Res >= 0 && b.Res != 0:
					t.CloseNow(int(a.Res))
				case a.Err() != api.ErrCanceled || b.Res != 0:
					t.Fatalf("%s and %s do not go together", show(&a), show(&b))
				}
			}
			if n := len(openFDs()); n > before+1 { // an engine may have needed one more
				t.Errorf("%d files are open, %d were before", n, before)
			}
		},
	},
	{
		ID: "PTH-6", Name: "directories and links",
		Explanation: "Mkdirat, Symlinkat, Linkat, Renameat and Unlinkat do what the system calls of these names do, relative to their directories.",
		Ops:         treeOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			at := func(s string) string { return filepath.Join(name, s) }
			t.Want(api.Mkdirat(dir, "d", 0o700, 1), 0)
			t.wantAtPath(at("d"), "directory")
			sub := t.OpenFile(at("d"), unix.O_RDONLY)
			t.must("write", os.WriteFile(at("f"), []byte("content"), 0o600))
			t.Want(api.Symlinkat("../f", sub, "l", 2), 0)
			t.wantAtPath(at("d/l"), "link to ../f")
			t.Want(api.Linkat(dir, "f", sub, "hard", 0, 3), 0)
			t.Want(api.Linkat(sub, "l", dir, "followed", unix.AT_SYMLINK_FOLLOW, 4), 0)
			t.wantAtPath(at("followed"), "file")
			var a, b unix.Stat_t
			t.must("stat", unix.Stat(at("f"), &a))
			t.must("stat", unix.Stat(at("d/hard"), &b))
			if a.Ino != b.Ino || a.Nlink != 3 {
				t.Errorf("the file has %d names, and another of them is of %d rather than %d", a.Nlink, b.Ino, a.Ino)
			}
			t.Want(api.Renameat(dir, "f", sub, "moved", 0, 5), 0)
			t.wantAtPath(at("f"), "")
			t.wantAtPath(at("d/moved"), "file")
			t.Want(api.Unlinkat(sub, "moved", 0, 6), 0)
			t.wantAtPath(at("d/moved"), "")
			for _, n := range []string{"l", "hard"} {
				t.Want(api.Unlinkat(sub, n, 0, 7), 0)
			}
			t.Want(api.Unlinkat(api.AtCWD, at("d"), unix.AT_REMOVEDIR, 8), 0)
			t.wantAtPath(at("d"), "")
		},
	},
	{
		ID: "PTH-6", Name: "what is in the way",
		Explanation: "What the system calls on paths refuse, the operations refuse with the same errno.",
		Ops:         treeOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			at := func(s string) string { return filepath.Join(name, s) }
			t.must("write", os.WriteFile(at("f"), nil, 0o600))
			t.must("mkdir", os.Mkdir(at("d"), 0o700))
			t.must("write", os.WriteFile(at("d/f"), nil, 0o600))
			t.WantErr(api.Mkdirat(dir, "f", 0o700, 1), unix.EEXIST)
			t.WantErr(api.Mkdirat(dir, "f/d", 0o700, 2), unix.ENOTDIR)
			t.WantErr(api.Symlinkat("x", dir, "f", 3), unix.EEXIST)
			t.WantErr(api.Linkat(dir, "f", dir, "d", 0, 4), unix.EEXIST)
			t.WantErr(api.Linkat(dir, "missing", dir, "n", 0, 5), unix.ENOENT)
			t.WantErr(api.Renameat(dir, "missing", dir, "n", 0, 6), unix.ENOENT)
			t.WantErr(api.Renameat(dir, "f", dir, "d", 0, 7), unix.EISDIR)
			t.WantErr(api.Renameat(dir, "d", dir, "f", 0, 8), unix.ENOTDIR)
			t.WantErr(api.Renameat(dir, "d", dir, "d/sub", 0, 9), unix.EINVAL)
			t.WantErr(api.Unlinkat(dir, "missing", 0, 10), unix.ENOENT)
			t.WantErr(api.Unlinkat(dir, "d", unix.AT_REMOVEDIR, 11), unix.ENOTEMPTY)
			t.WantErr(api.Unlinkat(dir, "f", unix.AT_REMOVEDIR, 12), unix.ENOTDIR)
			t.wantAtPath(at("f"), "file")
			t.wantAtPath(at("d/f"), "file")
		},
	},
	{
		ID: "PTH-7", Name: "directories that are none",
		Explanation: "An absolute path does not care about the directory; a relative one is EBADF with an fd that is not open, and ENOTDIR with one that is no directory.",
		Ops:         openOps | treeOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), nil, 0o600))
			file := t.File("")
			for i, fd := range append(t.badFDs(), file) {
				want := unix.EBADF
				if fd == file {
					want = unix.ENOTDIR
				}
				tag := uint64(10 * i)
				abs := func(s string) string { return filepath.Join(name, s) }
				t.CloseNow(t.opened(api.Openat(fd, abs("f"), unix.O_RDONLY, 0, tag)))
				t.Want(api.Mkdirat(fd, abs("d"), 0o700, tag+1), 0)
				t.Want(api.Symlinkat("x", fd, abs("l"), tag+2), 0)
				t.Want(api.Linkat(fd, abs("f"), fd, abs("h"), 0, tag+3), 0)
				t.Want(api.Renameat(fd, abs("h"), fd, abs("r"), 0, tag+4), 0)
				t.Want(api.Unlinkat(fd, abs("d"), unix.AT_REMOVEDIR, tag+5), 0)
				for _, n := range []string{"l", "r"} {
					t.Want(api.Unlinkat(fd, abs(n), 0, tag+6), 0)
				}
				t.WantErr(api.Openat(fd, "f", unix.O_RDONLY, 0, tag), want)
				t.WantErr(api.Mkdirat(fd, "d", 0o700, tag+1), want)
				t.WantErr(api.Symlinkat("x", fd, "l", tag+2), want)
				t.WantErr(api.Linkat(fd, "f", dir, "h", 0, tag+3), want)
				t.WantErr(api.Linkat(dir, "f", fd, "h", 0, tag+4), want)
				t.WantErr(api.Renameat(fd, "f", dir, "h", 0, tag+5), want)
				t.WantErr(api.Renameat(dir, "f", fd, "h", 0, tag+6), want)
				t.WantErr(api.Unlinkat(fd, "f", 0, tag+7), want)
			}
		},
	},
	{
		ID: "PTH-8", Name: "paths that are none",
		Explanation: "A path with a NUL is EINVAL, an empty one ENOENT, one that is too long ENAMETOOLONG.",
		Ops:         openOps | treeOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), nil, 0o600))
			for _, b := range badStrings {
				for i, op := range []api.Op{
					api.Openat(dir, b.path, unix.O_RDONLY, 0, 1), api.Openat(dir, b.path, unix.O_WRONLY|unix.O_CREAT, 0o600, 1),
					api.Mkdirat(dir, b.path, 0o700, 1), api.Unlinkat(dir, b.path, 0, 1), api.Symlinkat("x", dir, b.path, 1),
					api.Linkat(dir, b.path, dir, "n", 0, 1), api.Linkat(dir, "f", dir, b.path, 0, 1),
					api.Renameat(dir, b.path, dir, "n", 0, 1), api.Renameat(dir, "f", dir, b.path, 0, 1),
				} {
					c := t.Do(op)
					if int(c.Res) != neg(b.errno) {
						t.Errorf("operation %d (%v) on a path %s: %s, want %v", i, op.Code, b.name, show(&c), b.errno)
					}
				}
			}
			t.WantErr(api.Symlinkat("", dir, "n", 2), unix.ENOENT)
			t.WantErr(api.Symlinkat("a\x00b", dir, "n", 3), unix.EINVAL)
			t.WantErr(api.Symlinkat(strings.Repeat("/", 4096), dir, "n", 4), unix.ENAMETOOLONG)
		},
	},
	{
		ID: "PTH-9", Name: "arguments that are none",
		Explanation: "A missing Args is EFAULT, unknown flags and a mode that is no number of 32 bits EINVAL, and flags of ours that the operation does not know EINVAL.",
		Ops:         openOps | treeOps,
		Fn: func(t *T) {
			dir, _ := t.Dir()
			for _, op := range []api.Op{
				api.Openat(dir, "x", 0, 0, 1), api.Mkdirat(dir, "x", 0, 1), api.Unlinkat(dir, "x", 0, 1), api.Symlinkat("x", dir, "y", 1),
				api.Linkat(dir, "x", dir, "y", 0, 1), api.Renameat(dir, "x", dir, "y", 0, 1),
			} {
				t.WantErr(op.With(api.DontWait), unix.EINVAL)
				op.Args = nil
				t.WantErr(op, unix.EFAULT)
			}
			for _, mode := range []int64{-1, 1 << 32} {
				for _, op := range []api.Op{api.Openat(dir, "x", unix.O_CREAT|unix.O_WRONLY, 0, 1), api.Mkdirat(dir, "x", 0, 1)} {
					op.Off = mode
					t.WantErr(op, unix.EINVAL)
				}
			}
			t.WantErr(api.Unlinkat(dir, "x", 1<<30, 2), unix.EINVAL)
			t.WantErr(api.Linkat(dir, "x", dir, "y", 1<<30, 3), unix.EINVAL)
			t.WantErr(api.Renameat(dir, "x", dir, "y", 1<<30, 4), unix.EINVAL)
			t.Quiet()
		},
	},
	{
		ID: "PTH-10", Name: "many at a time",
		Explanation: "The strings of an operation are its own, however many are in flight and whatever the program does with its Args afterwards.",
		Ops:         openOps | treeOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			const n = 200
			for round := range 2 {
				for i := range n {
					t.Submit(api.Mkdirat(dir, strings.Repeat("d", 1+i), 0o700, uint64(i)))
				}
				for i := range n {
					t.AwaitRes(uint64(i), 0)
				}
				for i := range n {
					t.wantAtPath(filepath.Join(name, strings.Repeat("d", 1+i)), "directory")
				}
				a := &api.Args{}
				for i := range n {
					*a = api.Args{Path: strings.Repeat("d", n-i)}
					op := api.Unlinkat(dir, "", unix.AT_REMOVEDIR, uint64(i))
					op.Args = a
					t.Want(op, 0)
				}
				if round == 0 {
					t.wantAtPath(filepath.Join(name, "d"), "")
				}
			}
		},
	},
}
