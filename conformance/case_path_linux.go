package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// resolveCached is RESOLVE_CACHED of linux/openat2.h.
const resolveCached = 0x20

var (
	open2Ops = api.Ops(api.OpOpenat2)
	statxOps = api.Ops(api.OpStatx)
	xattrOps = api.Ops(api.OpGetxattr, api.OpSetxattr, api.OpFgetxattr, api.OpFsetxattr)
)

// statxNow is statx(2).
func (t *T) statxNow(dir int, path string, flags int, mask uint32) (out api.StatxBuf) {
	var st unix.Statx_t
	t.must("statx", unix.Statx(dir, path, flags, int(mask), &st))
	out = api.StatxBuf{
		Mask: st.Mask, Blksize: st.Blksize, Attributes: st.Attributes, Nlink: st.Nlink, UID: st.Uid, GID: st.Gid, Mode: st.Mode,
		Ino: st.Ino, Size: st.Size, Blocks: st.Blocks, AttributesMask: st.Attributes_mask,
		RdevMajor: st.Rdev_major, RdevMinor: st.Rdev_minor, DevMajor: st.Dev_major, DevMinor: st.Dev_minor, MntID: st.Mnt_id,
		DioMemAlign: st.Dio_mem_align, DioOffsetAlign: st.Dio_offset_align,
	}
	for _, p := range []struct {
		to   *api.StatxTime
		from unix.StatxTimestamp
	}{{&out.Atime, st.Atime}, {&out.Btime, st.Btime}, {&out.Ctime, st.Ctime}, {&out.Mtime, st.Mtime}} {
		p.to.Sec, p.to.Nsec = p.from.Sec, p.from.Nsec
	}
	return out
}

// seen is s without what it cannot name.
func seen(s *api.StatxBuf) map[string]any {
	m := map[string]any{}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		switch n := v.Type().Field(i).Name; {
		case n == "_":
		case v.Field(i).Kind() == reflect.Struct:
			m[n] = [2]int64{v.Field(i).Field(0).Int(), int64(v.Field(i).Field(1).Uint())}
		default:
			m[n] = v.Field(i).Interface()
		}
	}
	return m
}

// xattrFile is a file whose file system has extended attributes, and the prefix of their names.
func (t *T) xattrFile() (fd int, name, prefix string) {
	name = t.FilePath("content")
	fd = t.OpenFile(name, unix.O_RDWR)
	for _, prefix := range []string{"user.", "trusted.", "security."} {
		if unix.Fsetxattr(fd, prefix+"sluice-probe", []byte("x"), 0) == nil {
			t.must("removexattr", unix.Fremovexattr(fd, prefix+"sluice-probe"))
			return fd, name, prefix
		}
	}
	t.Skipf("the file system of %s has no extended attributes", t.TempDir())
	return 0, "", ""
}

var linuxPathCases = []Case{
	{
		ID: "PTH-9", Name: "flags beside a path that cannot be",
		Explanation: "Flags that do not exist, or contradict each other, are EINVAL whatever the path is, also one that is empty or too long.",
		Ops:         openOps | treeOps | api.Ops(api.OpStatx, api.OpOpenat2),
		Fn: func(t *T) {
			dir, _ := t.Dir()
			out := new(api.StatxBuf)
			for path, errno := range map[string]unix.Errno{"": unix.ENOENT, "missing/x": unix.ENOENT, strings.Repeat("a/", 3000): unix.ENAMETOOLONG, strings.Repeat("a", 256): unix.ENAMETOOLONG} {
				for _, op := range []api.Op{
					api.Statx(dir, path, 1<<31, unix.STATX_BASIC_STATS, out, 1), api.Statx(dir, path, unix.AT_STATX_FORCE_SYNC|unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS, out, 1),
					api.Statx(dir, path, 0, 1<<31, out, 1), api.Unlinkat(dir, path, 1<<15, 1),
					api.Renameat(dir, path, dir, path, 1<<15, 1), api.Renameat(dir, path, dir, "y", unix.RENAME_EXCHANGE|unix.RENAME_NOREPLACE, 1), api.Renameat(dir, "y", dir, path, 1<<15, 1),
					api.Linkat(dir, path, dir, path, 1<<15, 1), api.Linkat(dir, "y", dir, path, 1<<15, 1), api.Openat(dir, path, unix.O_TMPFILE, 0o600, 1),
					api.Openat2(dir, path, &api.OpenHow{Flags: 1 << 60}, 1),
				} {
					t.WantErr(op, unix.EINVAL)
					if t.Failed() {
						t.Fatalf("that was a %v of %q and %q with the flags %#x", op.Code, op.Args.Path, op.Args.NewPath, op.Arg)
					}
				}
				for _, op := range []api.Op{
					api.Statx(dir, path, 0, unix.STATX_BASIC_STATS, out, 1), api.Unlinkat(dir, path, 0, 1), api.Mkdirat(dir, path, 0o700, 1),
					api.Renameat(dir, path, dir, path, 0, 1), api.Linkat(dir, path, dir, path, 0, 1), api.Openat(dir, path, unix.O_RDONLY, 0, 1),
					api.Openat2(dir, path, &api.OpenHow{}, 1),
				} {
					t.WantErr(op, errno)
				}
			}
		},
	},
	{
		ID: "PTH-2", Name: "flags that only Linux has",
		Explanation: "O_PATH, O_TMPFILE, O_DIRECT and the rest give the fd that open(2) gives, and flags that Openat does not know are ignored.",
		Ops:         openOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), nil, 0o600))
			t.must("mkfifo", unix.Mkfifo(filepath.Join(name, "p"), 0o600))
			for _, c := range []struct {
				path  string
				flags uint32
			}{
				{"f", unix.O_PATH}, {"f", unix.O_PATH | unix.O_NONBLOCK}, {"p", unix.O_PATH}, {"p", unix.O_RDWR}, {"p", unix.O_RDWR | unix.O_NONBLOCK},
				{".", unix.O_TMPFILE | unix.O_RDWR}, {"f", unix.O_NOATIME}, {"f", unix.O_DIRECT | unix.O_RDWR | unix.O_APPEND}, {"f", unix.O_DSYNC},
				{"f", 3}, {"f", 1 << 30}, {"f", 1<<31 | unix.O_RDWR}, {".", unix.O_DIRECTORY},
			} {
				want, err := unix.Openat(dir, c.path, int(c.flags)|unix.O_CLOEXEC, 0o600)
				op := api.Openat(dir, c.path, c.flags, 0o600, 1)
				if err != nil {
					t.Want(op, neg(err.(syscall.Errno)))
					continue
				}
				fd := t.opened(op)
				t.wantFlags(c.path, fd, t.Flags(t.Own(want)))
				t.CloseNow(fd)
				t.CloseNow(want)
			}
			t.WantErr(api.Openat(dir, ".", unix.O_TMPFILE, 0o600, 2), unix.EINVAL)
			t.WantErr(api.Openat(dir, "n", unix.O_CREAT|unix.O_DIRECTORY, 0o600, 3), unix.EINVAL)
		},
	},
	{
		ID: "PTH-11", Name: "openat2",
		Explanation: "Openat2 opens as openat2(2) does: it heeds Resolve, and refuses what it does not know with EINVAL.",
		Ops:         open2Ops,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), []byte("content"), 0o600))
			t.must("symlink", os.Symlink("f", filepath.Join(name, "l")))
			t.must("mkfifo", unix.Mkfifo(filepath.Join(name, "p"), 0o600))
			how := func(h api.OpenHow) *api.OpenHow { return &h }
			fd := t.opened(api.Openat2(dir, "l", how(api.OpenHow{Flags: unix.O_RDONLY}), 1))
			t.WantGet(fd, "content")
			t.wantFlags("f", fd, t.Flags(t.OpenFile(filepath.Join(name, "f"), unix.O_RDONLY)))
			fd = t.opened(api.Openat2(dir, "p", how(api.OpenHow{Flags: unix.O_RDONLY}), 2))
			if t.Flags(fd)&unix.O_NONBLOCK != 0 {
				t.Errorf("a FIFO is opened with O_NONBLOCK, which was not asked for")
			}
			t.CloseNow(fd)
			t.opened(api.Openat2(dir, "f", how(api.OpenHow{Flags: unix.O_PATH}), 3))
			t.opened(api.Openat2(dir, "new", how(api.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: 0o600, Resolve: unix.RESOLVE_BENEATH}), 4))
			t.wantAtPath(filepath.Join(name, "new"), "file")
			for i, c := range []struct {
				path  string
				how   api.OpenHow
				errno syscall.Errno
			}{
				{"../x", api.OpenHow{Resolve: unix.RESOLVE_BENEATH}, unix.EXDEV},
				{"/etc", api.OpenHow{Resolve: unix.RESOLVE_BENEATH}, unix.EXDEV},
				{"l", api.OpenHow{Resolve: unix.RESOLVE_NO_SYMLINKS}, unix.ELOOP},
				{"f", api.OpenHow{Flags: 1 << 30}, unix.EINVAL},
				{"f", api.OpenHow{Flags: 1 << 40}, unix.EINVAL},
				{"f", api.OpenHow{Mode: 0o600}, unix.EINVAL},
				{"f", api.OpenHow{Flags: unix.O_CREAT, Mode: 1 << 20}, unix.EINVAL},
				{"f", api.OpenHow{Resolve: 1 << 30}, unix.EINVAL},
				{"f", api.OpenHow{Resolve: 1 << 40}, unix.EINVAL},
				{"f", api.OpenHow{Flags: unix.O_PATH | unix.O_NONBLOCK}, unix.EINVAL},
				{"f", api.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: 0o600, Resolve: resolveCached}, unix.EAGAIN},
				{"p", api.OpenHow{Flags: unix.O_WRONLY | unix.O_NONBLOCK}, unix.ENXIO},
			} {
				got := t.Do(api.Openat2(dir, c.path, &c.how, 5))
				if int(got.Res) != neg(c.errno) {
					t.Errorf("how %d, %+v: %s, want %v", i, c.how, show(&got), c.errno)
				}
			}
			t.WantErr(api.Openat2(dir, "f", nil, 6), unix.EFAULT)
			for _, b := range badStrings {
				t.WantErr(api.Openat2(dir, b.path, how(api.OpenHow{}), 7), b.errno)
			}
		},
	},
	{
		ID: "PTH-12", Name: "lease",
		Explanation: "An open waits, rather than fail, until who holds a lease on the file has given it up.",
		Ops:         openOps | open2Ops,
		Fn: func(t *T) {
			name := t.FilePath("content")
			holder := t.OpenFile(name, unix.O_RDONLY)
			lease := func(kind int) error {
				_, err := unix.FcntlInt(uintptr(holder), unix.F_SETLEASE, kind)
				return err
			}
			for _, op := range []api.Op{
				api.Openat(api.AtCWD, name, unix.O_WRONLY, 0, 1), api.Openat(api.AtCWD, name, unix.O_WRONLY|unix.O_CREAT, 0, 1),
				api.Openat2(api.AtCWD, name, &api.OpenHow{Flags: unix.O_WRONLY}, 1),
			} {
				if err := lease(unix.F_RDLCK); err != nil {
					t.Skipf("the file system has no leases: %v", err)
				}
				t.Submit(op)
				t.StillPending(1)
				t.must("giving the lease up", lease(unix.F_UNLCK))
				c := t.Await(1)
				if c.Res < 0 {
					t.Fatalf("the open ends with %s", show(&c))
				}
				plain := t.OpenFile(name, unix.O_WRONLY)
				t.wantFlags(name, int(c.Res), t.Flags(plain))
				t.CloseNow(plain)
				t.CloseNow(int(c.Res))
				t.must("taking a lease", lease(unix.F_RDLCK))
				if op.Code == api.OpOpenat {
					op.Arg |= unix.O_NONBLOCK
					t.WantErr(op, unix.EAGAIN)
				}
				t.must("giving the lease up", lease(unix.F_UNLCK))
			}
		},
	},
	{
		ID: "PTH-13", Name: "statx",
		Explanation: "Statx gives what statx(2) gives of a path, a symbolic link or an fd.",
		Ops:         statxOps,
		Fn: func(t *T) {
			dir, name := t.Dir()
			t.must("write", os.WriteFile(filepath.Join(name, "f"), []byte(pattern(5000)), 0o640))
			t.must("symlink", os.Symlink("f", filepath.Join(name, "l")))
			file := t.File("abc")
			r, _ := t.Pipe(false)
			for i, c := range []struct {
				dir   int
				path  string
				flags int
				mask  uint32
			}{
				{dir, "f", 0, unix.STATX_BASIC_STATS | unix.STATX_BTIME}, {dir, "l", unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS}, {dir, "l", 0, unix.STATX_ALL},
				{dir, "f", unix.AT_STATX_DONT_SYNC, unix.STATX_SIZE}, {dir, "f", unix.AT_STATX_FORCE_SYNC, unix.STATX_SIZE | unix.STATX_DIOALIGN | unix.STATX_MNT_ID},
				{dir, ".", 0, 0}, {api.AtCWD, filepath.Join(name, "f"), 0, unix.STATX_ALL}, {file, "", unix.AT_EMPTY_PATH, unix.STATX_ALL}, {dir, "", unix.AT_EMPTY_PATH, unix.STATX_ALL},
				{r, "", unix.AT_EMPTY_PATH, unix.STATX_ALL}, {api.AtCWD, "/dev/null", 0, unix.STATX_ALL}, {api.AtCWD, "", unix.AT_EMPTY_PATH, unix.STATX_ALL},
				{-1, filepath.Join(name, "f"), 0, unix.STATX_INO},
			} {
				out := &api.StatxBuf{}
				t.Want(api.Statx(c.dir, c.path, uint32(c.flags), c.mask, out, 1), 0)
				want := t.statxNow(c.dir, c.path, c.flags, c.mask)
				if got, want := seen(out), seen(&want); !reflect.DeepEqual(got, want) {
					t.Errorf("%d, %q: got %+v, want %+v", i, c.path, got, want)
				}
			}
		},
	},
	{
		ID: "PTH-13", Name: "statx that fails",
		Explanation: "Statx refuses what statx(2) refuses with the same errno; nowhere to put the result is EFAULT.",
		Ops:         statxOps,
		Fn: func(t *T) {
			dir, _ := t.Dir()
			out := &api.StatxBuf{}
			t.WantErr(api.Statx(dir, "missing", 0, unix.STATX_ALL, out, 1), unix.ENOENT)
			t.WantErr(api.Statx(dir, ".", 1<<30, unix.STATX_ALL, out, 2), unix.EINVAL)
			t.WantErr(api.Statx(dir, ".", unix.AT_STATX_DONT_SYNC|unix.AT_STATX_FORCE_SYNC, unix.STATX_ALL, out, 3), unix.EINVAL)
			t.WantErr(api.Statx(dir, ".", 0, 1<<31, out, 4), unix.EINVAL)
			t.WantErr(api.Statx(dir, ".", 0, unix.STATX_ALL, nil, 5), unix.EFAULT)
			for i, fd := range t.badFDs() {
				t.WantErr(api.Statx(fd, ".", 0, unix.STATX_ALL, out, uint64(10+i)), unix.EBADF)
				t.WantErr(api.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_ALL, out, uint64(20+i)), unix.EBADF)
			}
			for _, b := range badStrings {
				t.WantErr(api.Statx(dir, b.path, 0, unix.STATX_ALL, out, 30), b.errno)
			}
			for _, mask := range []int64{-1, 1 << 32} {
				op := api.Statx(dir, ".", 0, 0, out, 31)
				op.Off = mask
				t.WantErr(op, unix.EINVAL)
			}
			if *out != (api.StatxBuf{}) {
				t.Errorf("a statx that failed has written %+v", seen(out))
			}
		},
	},
	{
		ID: "PTH-14", Name: "extended attributes",
		Explanation: "Setxattr and Fsetxattr set what getxattr(2) reads, and Getxattr and Fgetxattr read what setxattr(2) sets; an empty buffer asks for the length.",
		Ops:         xattrOps,
		Fn: func(t *T) {
			fd, name, prefix := t.xattrFile()
			get := func(n string) string {
				buf := make([]byte, 1<<16)
				m, err := unix.Getxattr(name, n, buf)
				t.must("getxattr "+n, err)
				return string(buf[:m])
			}
			t.Want(api.Setxattr(name, prefix+"a", []byte("value a"), 0, 1), 0)
			t.Want(api.Fsetxattr(fd, prefix+"b", []byte("b"), unix.XATTR_CREATE, 2), 0)
			t.Want(api.Fsetxattr(fd, prefix+"empty", nil, 0, 3), 0)
			t.Want(api.Setxattr(name, prefix+"b", []byte("another b"), unix.XATTR_REPLACE, 4), 0)
			for n, want := range map[string]string{"a": "value a", "b": "another b", "empty": ""} {
				if got := get(prefix + n); got != want {
					t.Errorf("the attribute %s is %q, want %q", n, got, want)
				}
			}
			t.must("setxattr", unix.Setxattr(name, prefix+"c", []byte("from outside"), 0))
			for i, op := range []api.Op{api.Getxattr(name, prefix+"c", make([]byte, 64), 5), api.Fgetxattr(fd, prefix+"c", make([]byte, 12), 5)} {
				t.Want(op, 12)
				if got := string(op.Buf[:12]); got != "from outside" {
					t.Errorf("%d: read %q", i, got)
				}
				op.Buf = nil
				t.Want(op, 12)
				op.Buf = make([]byte, 11)
				t.WantErr(op, unix.ERANGE)
			}
			long := strings.Repeat("n", 255-len(prefix))
			t.Want(api.Fsetxattr(fd, prefix+long, []byte("long"), 0, 6), 0)
			t.Want(api.Getxattr(name, prefix+long, make([]byte, 4), 7), 4)
		},
	},
	{
		ID: "PTH-14", Name: "extended attributes that fail",
		Explanation: "Operations on extended attributes refuse what the system calls refuse with the same errno.",
		Ops:         xattrOps,
		Fn: func(t *T) {
			fd, name, prefix := t.xattrFile()
			t.must("setxattr", unix.Setxattr(name, prefix+"there", []byte("x"), 0))
			buf := make([]byte, 8)
			all := func(path, n string, want syscall.Errno) {
				t.tb.Helper()
				t.WantErr(api.Getxattr(path, n, buf, 1), want)
				t.WantErr(api.Setxattr(path, n, buf, 0, 2), want)
			}
			both := func(n string, want syscall.Errno) {
				t.tb.Helper()
				all(name, n, want)
				t.WantErr(api.Fgetxattr(fd, n, buf, 3), want)
				t.WantErr(api.Fsetxattr(fd, n, buf, 0, 4), want)
			}
			both("", unix.ERANGE)
			both(prefix+strings.Repeat("n", 256-len(prefix)), unix.ERANGE)
			both(strings.Repeat("n", 1<<16), unix.ERANGE)
			both(prefix+"a\x00b", unix.EINVAL)
			both("nosuchprefix.a", unix.EOPNOTSUPP)
			for _, b := range badStrings {
				all(b.path, prefix+"a", b.errno)
			}
			all(name+"-missing", prefix+"a", unix.ENOENT)
			for _, bad := range t.badFDs() {
				t.WantErr(api.Fgetxattr(bad, prefix+"a", buf, 5), unix.EBADF)
				t.WantErr(api.Fsetxattr(bad, prefix+"a", buf, 0, 6), unix.EBADF)
			}
			t.WantErr(api.Getxattr(name, prefix+"missing", buf, 7), unix.ENODATA)
			t.WantErr(api.Setxattr(name, prefix+"there", buf, unix.XATTR_CREATE, 8), unix.EEXIST)
			t.WantErr(api.Setxattr(name, prefix+"missing", buf, unix.XATTR_REPLACE, 9), unix.ENODATA)
			t.WantErr(api.Fsetxattr(fd, prefix+"there", buf, 1<<30, 10), unix.EINVAL)
			t.WantErr(api.Setxattr(name, prefix+"there", make([]byte, 1<<16+1), 0, 11), unix.E2BIG)
			for _, op := range []api.Op{api.Getxattr(name, "x", buf, 12), api.Setxattr(name, "x", buf, 0, 12), api.Fgetxattr(fd, "x", buf, 12), api.Fsetxattr(fd, "x", buf, 0, 12)} {
				op.Args = nil
				t.WantErr(op, unix.EFAULT)
			}
			got := make([]byte, 1)
			if n, err := unix.Getxattr(name, prefix+"there", got); n != 1 || err != nil || string(got) != "x" {
				t.Errorf("the attribute that was there is %q now: %d, %v", got, n, err)
			}
			if _, err := unix.Getxattr(name, prefix+"missing", got); !errors.Is(err, unix.ENODATA) {
				t.Errorf("the attribute that was missing is there: %v", err)
			}
		},
	},
}
