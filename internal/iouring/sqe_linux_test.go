package iouring

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tests of this file submit each Prep method to the kernel at least once, in a way whose effect shows that every
// argument has reached its field. Opcodes which need special hardware or a child are left to their users.

func wantRes(t *testing.T, r *Ring, what string, want int32) {
	t.Helper()
	if got := one(t, r); got != want {
		t.Errorf("%s: got %d, want %d", what, got, want)
	}
}

// supported skips when the kernel lacks op.
func supported(t *testing.T, r *Ring, op uint8) {
	t.Helper()
	p, err := r.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if !OpSupported(p, op) {
		t.Skipf("kernel without opcode %d", op)
	}
}

func TestFileOps(t *testing.T) {
	forSetups(t, 8, func(t *testing.T, r *Ring) {
		f := tempFile(t)
		fd := int32(f.Fd())
		data := heap(11)
		copy(data, "hello world")
		p, n := Bytes(data)
		next(t, r).PrepWrite(fd, p, n, 100)
		wantRes(t, r, "write", 11)
		back := heap(16)
		p, n = Bytes(back)
		next(t, r).PrepRead(fd, p, n, 106)
		wantRes(t, r, "read", 5)
		if got := string(back[:5]); got != "world" {
			t.Errorf("read %q", got)
		}
		next(t, r).PrepRead(fd, p, n, CurrentPosition)
		wantRes(t, r, "read at the position", 16)
		next(t, r).PrepFsync(fd, 0, 0, IORING_FSYNC_DATASYNC)
		wantRes(t, r, "fsync", 0)
		next(t, r).PrepSyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE)
		wantRes(t, r, "sync_file_range", 0)
		next(t, r).PrepFallocate(fd, 0, 200, 100)
		wantRes(t, r, "fallocate", 0)
		size := func(want int64) {
			t.Helper()
			if fi, err := f.Stat(); err != nil || fi.Size() != want {
				t.Errorf("got size %d, %v, want %d", fi.Size(), err, want)
			}
		}
		size(300)
		next(t, r).PrepFtruncate(fd, 50)
		wantRes(t, r, "ftruncate", 0)
		size(50)
		next(t, r).PrepFadvise(fd, 0, 50, unix.FADV_SEQUENTIAL)
		wantRes(t, r, "fadvise", 0)
		runtime.KeepAlive(data)
		runtime.KeepAlive(back)
	})
}

func TestVectoredOps(t *testing.T) {
	r := newRing(t, 8, 0)
	fd := int32(tempFile(t).Fd())
	a := newArena(t, 2, 4)
	iovs := &[2]unix.Iovec{}
	for i := range iovs {
		iovs[i].Base = unsafe.SliceData(a.buf(uint16(i)))
		iovs[i].SetLen(4)
	}
	defer runtime.KeepAlive(iovs)
	copy(a.mem, "abcdefgh")
	next(t, r).PrepWritev(fd, unsafe.Pointer(iovs), 2, 2)
	wantRes(t, r, "writev", 8)
	next(t, r).PrepReadv(fd, unsafe.Pointer(iovs), 2, 3)
	wantRes(t, r, "readv", 7)
	if got := string(a.mem[:8]); got != "bcdefghh" {
		t.Errorf("got %q", got)
	}
	next(t, r).PrepMadvise(unsafe.Pointer(unsafe.SliceData(a.mem)), 4096, unix.MADV_NORMAL)
	wantRes(t, r, "madvise", 0)
}

func TestPathOps(t *testing.T) {
	r := newRing(t, 8, 0)
	dir := t.TempDir()
	path := func(name string) unsafe.Pointer { return cstring(filepath.Join(dir, name)) }
	const at = unix.AT_FDCWD
	a, b, c, d, l := path("a"), path("b"), path("c"), path("d"), path("l")
	defer func() { runtime.KeepAlive([]unsafe.Pointer{a, b, c, d, l}) }()

	next(t, r).PrepOpenat(at, a, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	fd := one(t, r)
	if fd < 0 {
		t.Fatalf("openat: got %d", fd)
	}
	if fi, err := os.Stat(filepath.Join(dir, "a")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("openat: got %v, %v", fi, err)
	}
	next(t, r).PrepClose(fd)
	wantRes(t, r, "close", 0)
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC}
	next(t, r).PrepOpenat2(at, a, unsafe.Pointer(how))
	if fd = one(t, r); fd < 0 {
		t.Fatalf("openat2: got %d", fd)
	}
	runtime.KeepAlive(how)
	next(t, r).PrepClose(fd)
	wantRes(t, r, "close", 0)
	next(t, r).PrepRenameat(at, a, at, b, unix.RENAME_NOREPLACE)
	wantRes(t, r, "renameat", 0)
	next(t, r).PrepLinkat(at, b, at, c, 0)
	wantRes(t, r, "linkat", 0)
	next(t, r).PrepSymlinkat(b, at, l)
	wantRes(t, r, "symlinkat", 0)
	next(t, r).PrepMkdirat(at, d, 0o700)
	wantRes(t, r, "mkdirat", 0)
	stx := new(unix.Statx_t)
	next(t, r).PrepStatx(at, l, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MODE, unsafe.Pointer(stx))
	wantRes(t, r, "statx", 0)
	if stx.Mode&unix.S_IFMT != unix.S_IFLNK {
		t.Errorf("statx: got mode %o, want a symbolic link", stx.Mode)
	}
	next(t, r).PrepUnlinkat(at, d, unix.AT_REMOVEDIR)
	wantRes(t, r, "unlinkat", 0)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 || entries[0].Name() != "b" || entries[1].Name() != "c" || entries[2].Name() != "l" {
		t.Errorf("got %v, %v, want b, c, l", entries, err)
	}
}

func TestXattrOps(t *testing.T) {
	r := newRing(t, 8, 0)
	f := tempFile(t)
	fd := int32(f.Fd())
	path, name, value := cstring(f.Name()), cstring("user.sluice"), cstring("value")
	defer func() { runtime.KeepAlive([]unsafe.Pointer{path, name, value}) }()
	next(t, r).PrepSetxattr(path, name, value, 5, unix.XATTR_CREATE)
	if res := one(t, r); res == -int32(unix.EOPNOTSUPP) {
		t.Skip("file system without attributes")
	} else if res != 0 {
		t.Fatalf("setxattr: got %d", res)
	}
	next(t, r).PrepFsetxattr(fd, name, value, 5, unix.XATTR_CREATE)
	wantRes(t, r, "fsetxattr of an existing one", -int32(unix.EEXIST))
	for i := range 2 {
		out := heap(8)
		p, n := Bytes(out)
		if i == 0 {
			next(t, r).PrepGetxattr(path, name, p, n)
		} else {
			next(t, r).PrepFgetxattr(fd, name, p, n)
		}
		wantRes(t, r, "getxattr", 5)
		if got := string(out[:5]); got != "value" {
			t.Errorf("got %q", got)
		}
	}
}

func TestPipeOps(t *testing.T) {
	r := newRing(t, 8, 0)
	var a, b [2]int
	for _, p := range []*[2]int{&a, &b} {
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(p[0])
		defer unix.Close(p[1])
	}
	if _, err := unix.Write(a[1], []byte("12345678")); err != nil {
		t.Fatal(err)
	}
	next(t, r).PrepTee(int32(a[0]), int32(b[1]), 3, 0)
	wantRes(t, r, "tee", 3)
	next(t, r).PrepSplice(int32(a[0]), CurrentPosition, int32(b[1]), CurrentPosition, 4, 0)
	wantRes(t, r, "splice", 4)
	buf := heap(16)
	p, n := Bytes(buf)
	next(t, r).PrepRead(int32(b[0]), p, n, 0)
	wantRes(t, r, "read", 7)
	if got := string(buf[:7]); got != "1231234" {
		t.Errorf("got %q", got)
	}

	t.Run("read multishot", func(t *testing.T) {
		supported(t, r, IORING_OP_READ_MULTISHOT)
		br := newBufRing(t, r, 4, 1, 0)
		ar := newArena(t, 1, 16)
		ar.add(br, 0)
		br.Publish()
		next(t, r).PrepReadMultishot(int32(a[0]), 0, 0, 1)
		if c := run(t, r, 1)[0]; c.Res != 4 || string(ar.buf(0)[:4]) != "5678" || c.Flags&IORING_CQE_F_MORE == 0 {
			t.Errorf("got %+v with %q", c, ar.buf(0)[:4])
		}
		next(t, r).PrepCancelOp(IORING_OP_READ_MULTISHOT, 0)
		run(t, r, 2)
	})
	t.Run("pipe", func(t *testing.T) {
		supported(t, r, IORING_OP_PIPE)
		fds := (*[2]int32)(unsafe.Pointer(unsafe.SliceData(heap(8))))
		next(t, r).PrepPipe(fds, unix.O_CLOEXEC)
		wantRes(t, r, "pipe", 0)
		for _, fd := range fds {
			if err := unix.Close(int(fd)); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTimeouts(t *testing.T) {
	r := newRing(t, 8, 0)
	long, short := &Timespec{Sec: 3600}, &Timespec{Nsec: 1}
	defer func() { runtime.KeepAlive(long); runtime.KeepAlive(short) }()
	byID := func(n int) map[uint64]int32 {
		t.Helper()
		m := map[uint64]int32{}
		for _, c := range run(t, r, n) {
			m[c.UserData] = c.Res
		}
		return m
	}
	next(t, r).PrepTimeout(short, 0, 0)
	wantRes(t, r, "timeout", -int32(unix.ETIME))

	next(t, r).PrepTimeout(long, 1, 0)
	next(t, r).PrepNop()
	for _, c := range run(t, r, 2) {
		if c.Res != 0 {
			t.Errorf("timeout with a count: got %+v", c)
		}
	}

	s := next(t, r)
	s.PrepTimeout(long, 0, 0)
	s.UserData = 1
	s = next(t, r)
	s.PrepTimeoutUpdate(short, 1, 0)
	s.UserData = 2
	if got := byID(2); got[1] != -int32(unix.ETIME) || got[2] != 0 {
		t.Errorf("timeout update: got %v", got)
	}

	s = next(t, r)
	s.PrepTimeout(long, 0, 0)
	s.UserData = 1
	s = next(t, r)
	s.PrepTimeoutRemove(1, 0)
	s.UserData = 2
	if got := byID(2); got[1] != -int32(unix.ECANCELED) || got[2] != 0 {
		t.Errorf("timeout remove: got %v", got)
	}

	rx, _ := socketPair(t, unix.SOCK_STREAM)
	p, n := Bytes(heap(4))
	s = next(t, r)
	s.PrepRecv(rx, p, n, 0)
	s.UserData = 1
	s.Flags |= IOSQE_IO_LINK
	s = next(t, r)
	s.PrepLinkTimeout(short, 0)
	s.UserData = 2
	if got := byID(2); got[1] != -int32(unix.ECANCELED) || got[2] != -int32(unix.ETIME) {
		t.Errorf("link timeout: got %v", got)
	}
}

func TestPollAndCancel(t *testing.T) {
	r := newRing(t, 8, 0)
	rx, tx := socketPair(t, unix.SOCK_STREAM)
	pending := func(n int) {
		for range n {
			s := next(t, r)
			s.PrepPollAdd(rx, unix.POLLIN)
			s.UserData = 1
		}
		submit(t, r, 0)
	}
	for _, tt := range []struct {
		name    string
		polls   int
		prep    func(s *SQE)
		want    int32 // of the cancelling request
		wantAll int32 // of the polls
	}{
		{"Cancel", 1, func(s *SQE) { s.PrepCancel(1, 0) }, 0, -int32(unix.ECANCELED)},
		{"Cancel all", 3, func(s *SQE) { s.PrepCancel(1, IORING_ASYNC_CANCEL_ALL) }, 3, -int32(unix.ECANCELED)},
		{"CancelFD", 2, func(s *SQE) { s.PrepCancelFD(rx, IORING_ASYNC_CANCEL_ALL) }, 2, -int32(unix.ECANCELED)},
		{"CancelOp", 1, func(s *SQE) { s.PrepCancelOp(IORING_OP_POLL_ADD, 0) }, 0, -int32(unix.ECANCELED)},
		{"PollRemove", 1, func(s *SQE) { s.PrepPollRemove(1) }, 0, -int32(unix.ECANCELED)},
		{"PollUpdate", 1, func(s *SQE) { s.PrepPollUpdate(1, 0, unix.POLLOUT, IORING_POLL_UPDATE_EVENTS) }, 0, unix.POLLOUT},
	} {
		pending(tt.polls)
		s := next(t, r)
		tt.prep(s)
		s.UserData = 2
		for _, c := range run(t, r, tt.polls+1) {
			want := tt.wantAll
			if c.UserData == 2 {
				want = tt.want
			}
			if c.Res != want {
				t.Errorf("%s: got %+v, want %d", tt.name, c, want)
			}
		}
	}
	s := next(t, r)
	s.PrepPollAdd(rx, unix.POLLIN)
	s.Len = IORING_POLL_ADD_MULTI
	submit(t, r, 0)
	for range 2 {
		if _, err := unix.Write(int(tx), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if c := run(t, r, 1)[0]; c.Res&unix.POLLIN == 0 || c.Flags&IORING_CQE_F_MORE == 0 {
			t.Errorf("multishot poll: got %+v", c)
		}
	}
}

func TestNopResult(t *testing.T) {
	r := newRing(t, 8, 0)
	next(t, r).PrepNopResult(-77)
	wantRes(t, r, "nop", -77)
}
