package kv

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/tooltest"
	"github.com/sluiceio/sluice/reactor"
)

// dirty is how many pages of a file are not on the disk.
func dirty(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var what struct{ off, n uint64 } // 0 bytes: up to the end
	var stat struct{ cached, dirty, writeback, evicted, recently uint64 }
	_, _, errno := unix.Syscall6(unix.SYS_CACHESTAT, f.Fd(), uintptr(unsafe.Pointer(&what)), uintptr(unsafe.Pointer(&stat)), 0, 0, 0)
	if errors.Is(errno, unix.ENOSYS) {
		tooltest.Missing(t, "cachestat", errno)
	}
	if errno != 0 {
		t.Fatal(errno)
	}
	return stat.dirty + stat.writeback
}

// TestOthersEntriesAreDurable: what another server has left in the page cache is on the disk before anything is written behind it.
func TestOthersEntriesAreDurable(t *testing.T) {
	b := bytes.Repeat(wire("SET", "k", strings.Repeat("v", 1000)), 1000)
	synced := filepath.Join(t.TempDir(), "synced")
	f, err := os.Create(synced)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if n := dirty(t, synced); n > 0 {
		tooltest.Missing(t, "disk", errors.New("the file system keeps files in memory"))
	}
	for _, policy := range []Fsync{FsyncAlways, FsyncEverySec} {
		path := write(t, b)
		quiet(t, Options{AppendOnly: path, Fsync: policy})
		if n := dirty(t, path); n > 0 {
			t.Errorf("fsync=%v: %d pages are not on the disk", policy, n)
		}
	}
}

// TestHowItIsOpened: with FsyncAlways writes are durable, and past the page cache where the file system can.
func TestHowItIsOpened(t *testing.T) {
	direct, err := unix.Open(filepath.Join(t.TempDir(), "f"), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_DIRECT, 0o600)
	can := 0
	if err == nil {
		can = unix.O_DIRECT
		unix.Close(direct)
	}
	for policy, want := range map[Fsync]int{FsyncAlways: unix.O_DSYNC | can, FsyncEverySec: 0, FsyncNo: 0} {
		a := quiet(t, Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: policy}).aof
		flags, err := unix.FcntlInt(a.file.Fd(), unix.F_GETFL, 0)
		if got := flags & (unix.O_SYNC | unix.O_DIRECT); err != nil || got != want {
			t.Errorf("fsync=%v: flags %#x, want %#x (%v)", policy, got, want, err)
		}
	}
}

// TestNoFile: what has no end, or cannot be cut off, is refused at once.
func TestNoFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero", t.TempDir()} {
		for _, policy := range []Fsync{FsyncAlways, FsyncEverySec} {
			refused := make(chan error, 1)
			go func() {
				srv, err := New(Options{AppendOnly: path, Fsync: policy}, new(reactor.Config))
				if err == nil {
					_ = srv.Close() // that it could be opened is the error
				}
				refused <- err
			}()
			select {
			case err := <-refused:
				if err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("fsync=%v: %s: %v", policy, path, err)
				}
			case <-time.After(watchdog):
				t.Fatalf("fsync=%v: %s is read for ever", policy, path)
			}
		}
	}
}
