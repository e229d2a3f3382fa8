package conformance

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var rangeOps = api.Ops(api.OpFallocate, api.OpFtruncate, api.OpFadvise, api.OpSyncFileRange)

// wantSize compares the size of a file.
func (t *T) wantSize(fd int, want int64) {
	t.tb.Helper()
	var st unix.Stat_t
	t.must("fstat", unix.Fstat(fd, &st))
	if st.Size != want {
		t.Errorf("the file has %d bytes, want %d", st.Size, want)
	}
}

// pages is memory outside of the Go heap.
func (t *T) pages(n int) []byte {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	t.must("mmap", err)
	t.Cleanup(func() { _ = unix.Munmap(b) }) // nothing can be done about it
	return b
}

// unsupported ends the case when the file system lacks something that the system call lacks, too.
func (t *T) unsupported(what string, err error) {
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		t.Skipf("the file system of %s has no %s", t.TempDir(), what)
	}
	t.must(what, err)
}

// odd are files that are not regular: a pipe, a socket, a directory, a character device.
func (t *T) odd() map[string]int {
	r, _ := t.Pipe(false)
	a, _ := t.Pair(false)
	dir, _ := t.Dir()
	return map[string]int{"pipe": r, "socket": a, "directory": dir, "device": t.OpenFile("/dev/null", unix.O_RDWR)}
}

// number is the errno in err, 0 for none.
func number(err error) int {
	if err == nil {
		return 0
	}
	return neg(err.(syscall.Errno))
}

var rangeCases = []Case{
	{
		ID: "FIL-14", Name: "ftruncate",
		Explanation: "Ftruncate cuts a file off or fills it up with zeros, whatever the size.",
		Ops:         rangeOps,
		Fn: func(t *T) {
			fd := t.File("0123456789")
			t.Want(api.Ftruncate(fd, 4, 1), 0)
			t.wantSize(fd, 4)
			t.Want(api.Ftruncate(fd, 6, 2), 0)
			t.WantGet(fd, "0123\x00\x00")
			t.Want(api.Ftruncate(fd, 5<<30, 3), 0)
			t.wantSize(fd, 5<<30)
			t.Want(api.Ftruncate(fd, 0, 4), 0)
			t.wantSize(fd, 0)
		},
	},
	{
		ID: "FIL-14", Name: "fallocate",
		Explanation: "Fallocate gives a file space, with or without changing its size, and takes it away.",
		Ops:         rangeOps,
		Fn: func(t *T) {
			fd := t.File("0123456789")
			t.unsupported("fallocate", unix.Fallocate(t.File(""), 0, 0, 1))
			t.Want(api.Fallocate(fd, 0, 0, 100, 1), 0)
			t.wantSize(fd, 100)
			t.Want(api.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 1<<16, 4096, 2), 0)
			t.wantSize(fd, 100)
			var st unix.Stat_t
			t.must("fstat", unix.Fstat(fd, &st))
			if st.Blocks*512 < 2*4096 {
				t.Errorf("the file has %d blocks", st.Blocks)
			}
			t.unsupported("holes", unix.Fallocate(t.File("x"), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 1))
			t.Want(api.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 2, 3, 3), 0)
			t.WantGet(fd, "01\x00\x00\x0056789")
		},
	},
	{
		ID: "FIL-14", Name: "failures",
		Explanation: "What ftruncate(2) and fallocate(2) refuse, Ftruncate and Fallocate refuse with the same errno.",
		Ops:         rangeOps,
		Fn: func(t *T) {
			name := t.FilePath("0123456789")
			fds := t.odd()
			fds["read only"], fds["read and write"] = t.OpenFile(name, unix.O_RDONLY), t.OpenFile(name, unix.O_RDWR)
			fds["path only"] = t.OpenFile(name, unix.O_PATH)
			for i, bad := range t.badFDs() {
				fds["not open "+string(rune('0'+i))] = bad
			}
			for what, fd := range fds {
				for _, size := range []int64{10, -1, -1 << 63} {
					want, got := number(unix.Ftruncate(fd, size)), t.Do(api.Ftruncate(fd, size, 1))
					if strings.HasPrefix(what, "not open") {
						want = neg(unix.EBADF) // before anything else is looked at
					}
					if int(got.Res) != want {
						t.Errorf("ftruncate(%s, %d): got %s, want %s", what, size, show(&got), showRes(int32(want)))
					}
				}
				for _, c := range []struct {
					mode   uint32
					off, n int64
				}{{0, 0, 10}, {0, -1, 1}, {0, 0, 0}, {0, 0, -1}, {0, 1<<63 - 1, 1}, {1 << 30, 0, 1}, {unix.FALLOC_FL_PUNCH_HOLE, 0, 1}, {unix.FALLOC_FL_COLLAPSE_RANGE, 1, 1}} {
					want, got := number(unix.Fallocate(fd, c.mode, c.off, c.n)), t.Do(api.Fallocate(fd, c.mode, c.off, c.n, 2))
					if int(got.Res) != want {
						t.Errorf("fallocate(%s, %+v): got %s, want %s", what, c, show(&got), showRes(int32(want)))
					}
				}
			}
			op := api.Fallocate(fds["read and write"], 0, 0, 1, 3)
			op.Args = nil
			t.WantErr(op, unix.EFAULT)
			t.WantErr(api.Ftruncate(fds["read and write"], 0, 4).With(api.DontWait), unix.EINVAL)
			t.wantSize(fds["read and write"], 10)
		},
	},
	{
		ID: "FIL-15", Name: "limit",
		Explanation: "Ftruncate and Fallocate past RLIMIT_FSIZE are EFBIG and raise no SIGXFSZ.",
		Ops:         rangeOps,
		Fn: func(t *T) {
			fd := t.File("0123456789")
			t.unsupported("fallocate", unix.Fallocate(t.File(""), 0, 0, 1))
			got := make(chan os.Signal, 8)
			// Signals that have been raised are delivered by their numbers: SIGXFSZ comes before SIGWINCH.
			signal.Notify(got, unix.SIGXFSZ, unix.SIGWINCH)
			defer signal.Stop(got)
			var old unix.Rlimit
			t.must("getrlimit", unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
			// Not so low that it is in the way of what the test itself writes.
			t.must("setrlimit", unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 40, Max: old.Max}))
			t.Cleanup(func() { t.must("setrlimit", unix.Setrlimit(unix.RLIMIT_FSIZE, &old)) })
			t.WantErr(api.Ftruncate(fd, 1<<40+1, 1), unix.EFBIG)
			t.WantErr(api.Fallocate(fd, 0, 1<<40, 1, 2), unix.EFBIG)
			t.Want(api.Ftruncate(fd, 5, 3), 0)
			t.wantSize(fd, 5)
			t.must("kill", unix.Kill(os.Getpid(), unix.SIGWINCH))
			if s := <-got; s != unix.SIGWINCH {
				t.Errorf("the operations have raised %v", s)
			}
		},
	},
	{
		ID: "FIL-16", Name: "fadvise and sync_file_range",
		Explanation: "Fadvise and SyncFileRange give what posix_fadvise(2) and sync_file_range(2) give, for any file and any arguments.",
		Ops:         rangeOps,
		Fn: func(t *T) {
			name := t.FilePath(pattern(1 << 16))
			fds := t.odd()
			fds["file"], fds["path only"] = t.OpenFile(name, unix.O_RDWR), t.OpenFile(name, unix.O_PATH)
			for i, bad := range t.badFDs() {
				fds["not open "+string(rune('0'+i))] = bad
			}
			for what, fd := range fds {
				for _, r := range [][2]int64{{0, 0}, {0, 1 << 16}, {4096, 4096}, {1 << 40, 1}, {-1, 1}, {0, -1}, {1<<63 - 1, 1}, {1, 1<<63 - 1}, {-1 << 63, 1}, {-4096, 1 << 20}} {
					for advice := range uint32(8) {
						want, got := number(unix.Fadvise(fd, r[0], r[1], int(advice))), t.Do(api.Fadvise(fd, r[0], r[1], advice, 1))
						if int(got.Res) != want {
							t.Errorf("fadvise(%s, %v, %d): got %s, want %s", what, r, advice, show(&got), showRes(int32(want)))
						}
					}
					for _, flags := range []uint32{0, unix.SYNC_FILE_RANGE_WRITE, unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER, 8, 1 << 31} {
						want, got := number(unix.SyncFileRange(fd, r[0], r[1], int(int32(flags)))), t.Do(api.SyncFileRange(fd, r[0], r[1], flags, 2))
						if int(got.Res) != want {
							t.Errorf("sync_file_range(%s, %v, %#x): got %s, want %s", what, r, flags, show(&got), showRes(int32(want)))
						}
					}
				}
			}
			t.WantErr(api.Fadvise(fds["file"], 0, 0, 1<<31, 3), unix.EINVAL)
			t.WantErr(api.Fadvise(fds["pipe"], 0, 0, 0, 4), unix.ESPIPE)
			t.WantErr(api.SyncFileRange(fds["pipe"], 0, 0, 0, 5), unix.ESPIPE)
			for _, op := range []api.Op{api.Fadvise(fds["file"], 0, 0, 0, 6), api.SyncFileRange(fds["file"], 0, 0, 0, 6)} {
				op.Args = nil
				t.WantErr(op, unix.EFAULT)
			}
		},
	},
	{
		ID: "FIL-16", Name: "madvise",
		Explanation: "Madvise gives what madvise(2) gives: with MADV_DONTNEED pages read as zeros again.",
		Ops:         api.Ops(api.OpMadvise),
		Fn: func(t *T) {
			b := t.pages(8 * os.Getpagesize())
			for i := range b {
				b[i] = 1
			}
			half := len(b) / 2
			t.Want(api.Madvise(b[:half], unix.MADV_DONTNEED, 1), 0)
			if b[0] != 0 || b[half-1] != 0 || b[half] != 1 || b[len(b)-1] != 1 {
				t.Errorf("the ends of the two halves are %d, %d, %d, %d", b[0], b[half-1], b[half], b[len(b)-1])
			}
			t.Want(api.Madvise(b, unix.MADV_WILLNEED, 2), 0)
			t.Want(api.Madvise(nil, unix.MADV_NORMAL, 3), 0)
			t.WantErr(api.Madvise(b, 1<<30, 4), unix.EINVAL)
			t.WantErr(api.Madvise(b[1:], unix.MADV_NORMAL, 5), unix.EINVAL)
			// So large that whatever the process maps next does not reach down to its first page.
			gone, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
			t.must("mmap", err)
			was := gone[:os.Getpagesize():os.Getpagesize()]
			t.must("munmap", unix.Munmap(gone))
			t.WantErr(api.Madvise(was, unix.MADV_WILLNEED, 6), unix.ENOMEM)
		},
	},
	{
		ID: "FIL-17", Name: "more than 32 bits",
		Explanation: "A length of more than 32 bits is not cut.",
		Ops:         rangeOps | api.Ops(api.OpMadvise),
		Fn: func(t *T) {
			fd := t.File("")
			far := int64(5 << 30)
			t.must("ftruncate", unix.Ftruncate(fd, far+4096))
			_, err := unix.Pwrite(fd, []byte("the end"), far)
			t.must("pwrite", err)
			t.unsupported("holes", unix.Fallocate(t.File("x"), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 1))
			t.Want(api.SyncFileRange(fd, 0, far+4096, unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER, 1), 0)
			t.must("fsync", unix.Fsync(fd))
			// A page that has just been used stays, now and then.
			for t.Want(api.Fadvise(fd, 0, far+4096, unix.FADV_DONTNEED, 2), 0); t.cached(fd, far); t.Want(api.Fadvise(fd, 0, far+4096, unix.FADV_DONTNEED, 2), 0) {
				if api.Now() > t.deadline() {
					t.Fatalf("fadvise of the whole file leaves its end in the page cache")
				}
			}
			t.Want(api.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, far+4, 3), 0)
			buf := make([]byte, 7)
			_, err = unix.Pread(fd, buf, far)
			t.must("pread", err)
			t.WantBytes(buf, "\x00\x00\x00\x00end")
			if int64(int(far)) != far {
				return // no memory is as large, here
			}
			b := t.pages(int(far))
			b[0], b[far-1] = 1, 1
			t.Want(api.Madvise(b, unix.MADV_DONTNEED, 4), 0)
			if b[0] != 0 || b[far-1] != 0 {
				t.Errorf("the ends of the memory are %d and %d", b[0], b[far-1])
			}
		},
	},
}

// cached says whether the page of a file at off is in the page cache, as far as the file system can tell.
func (t *T) cached(fd int, off int64) bool {
	buf := make([]byte, 1)
	n, err := unix.Preadv2(fd, [][]byte{buf}, off, unix.RWF_NOWAIT)
	if err != nil && err != unix.EAGAIN && err != unix.EOPNOTSUPP {
		t.Fatalf("preadv2: %v", err)
	}
	return n == 1
}
