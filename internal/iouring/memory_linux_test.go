package iouring

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newRingIn is a ring in memory of the process's that belongs to the calling thread; where the kernel has no such rings, or the process no
// huge pages, the test is skipped.
func newRingIn(t *testing.T, where Memory, entries, cqEntries uint32) *Ring {
	t.Helper()
	watchdog(t)
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	p := Params{Flags: ownedFlags | IORING_SETUP_NO_SQARRAY | IORING_SETUP_CQSIZE, CQEntries: cqEntries}
	r, err := SetupIn(where, entries, &p)
	if errors.Is(err, ErrNoHugePages) || errors.Is(err, unix.EINVAL) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	if err := r.EnableRings(); err != nil {
		t.Fatal(err)
	}
	return r
}

// useRing fills both queues of r a few times over.
func useRing(t *testing.T, r *Ring) {
	t.Helper()
	put, took := uint64(0), uint64(0)
	for took < 3*uint64(r.CQEntries()) {
		for r.SQSpace() > 0 && uint32(put-took) < r.CQEntries() {
			nop(t, r, put)
			put++
		}
		submit(t, r, 0)
		if uint32(put-took) == r.CQEntries() {
			for _, c := range reap(r) {
				if c.UserData != took || c.Res != 0 {
					t.Fatalf("completion %d: got %+v", took, c)
				}
				took++
			}
		}
	}
}

func TestOwnMemory(t *testing.T) {
	for _, where := range []Memory{OwnMemory, HugeMemory} {
		for _, size := range [][2]uint32{{1, 1}, {8, 16}, {7, 500}, {512, 4096}, {1 << 15, 1 << 16}} {
			t.Run(fmt.Sprintf("where=%d/entries=%d", where, size[0]), func(t *testing.T) {
				r := newRingIn(t, where, size[0], size[1])
				if got := r.Flags() & IORING_SETUP_NO_MMAP; got == 0 {
					t.Error("the ring is not in our memory")
				}
				if where == HugeMemory && r.Huge() != nil {
					t.Errorf("not in huge pages: %v", r.Huge())
				}
				useRing(t, r)
			})
		}
	}
	if r := newRing(t, 8, 0); r.Huge() == nil {
		t.Error("memory of the kernel's is said to be in huge pages of ours")
	}
}

// TestHugePages checks with the kernel what Huge says.
func TestHugePages(t *testing.T) {
	r := newRingIn(t, HugeMemory, 512, 4096)
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(r.mem.rings))))
	for _, m := range bytes.Split(b, []byte("VmFlags:")) {
		var from, to uint64
		for _, line := range bytes.Split(m, []byte("\n")) {
			if n, _ := fmt.Sscanf(string(line), "%x-%x", &from, &to); n == 2 {
				break
			}
		}
		if at < from || at >= to {
			continue
		}
		for _, line := range bytes.Split(m, []byte("\n")) {
			f := bytes.Fields(line)
			if len(f) == 3 && (string(f[0]) == "AnonHugePages:" || string(f[0]) == "Private_Hugetlb:") {
				if kb, err := strconv.Atoi(string(f[1])); err == nil && kb >= hugeSize>>10 {
					return
				}
			}
		}
		t.Fatalf("no huge page in the map of the rings:\n%s", m)
	}
	t.Fatal("the map of the rings is not in smaps")
}

// withoutTHP runs f while the process gets no transparent huge pages.
func withoutTHP(t *testing.T, f func()) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_THP_DISABLE, 0, 0, 0, 0) }() // it has just been set
	f()
}

// TestNoHugePages: without huge pages own memory is in normal ones, and says why.
func TestNoHugePages(t *testing.T) {
	newRingIn(t, OwnMemory, 8, 16) // skips where there is no such ring
	withoutTHP(t, func() {
		r, err := SetupIn(HugeMemory, 8, nil)
		if err == nil {
			_ = r.Close() // there are huge pages that are set apart
			t.Skip("the system has huge pages set apart (vm.nr_hugepages)")
		}
		if !errors.Is(err, ErrNoHugePages) || errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v, want ErrNoHugePages", err)
		}
		if r, err = SetupIn(OwnMemory, 8, nil); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(r.Huge(), ErrNoHugePages) {
			t.Errorf("in normal pages: got %v, want ErrNoHugePages", r.Huge())
		}
		useRing(t, r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestOwnMemoryResize moves rings of our own.
func TestOwnMemoryResize(t *testing.T) {
	for _, where := range []Memory{OwnMemory, HugeMemory} {
		r := newRingIn(t, where, 8, 16)
		if !r.KnowsRegister(IORING_REGISTER_RESIZE_RINGS, 1) {
			t.Skip("kernel without RESIZE_RINGS")
		}
		for i := range 20 {
			nop(t, r, 1)
			submit(t, r, 0)
			nop(t, r, 2)
			if err := r.ResizeRings(sizes(2<<(i%5), 128>>(i%3))); err != nil {
				t.Fatal(err)
			}
			if where == HugeMemory && r.Huge() != nil {
				t.Errorf("after a resize it is not in huge pages: %v", r.Huge())
			}
			submit(t, r, 0)
			if got := reap(r); len(got) != 2 || got[0].UserData != 1 || got[1].UserData != 2 {
				t.Fatalf("got %+v", got)
			}
			nop(t, r, 3)
			nop(t, r, 4)
			submit(t, r, 0)
			if err := r.ResizeRings(sizes(1, 1)); !errors.Is(err, unix.EOVERFLOW) {
				t.Fatalf("with two completions to one entry: %v", err)
			}
			reap(r)
			useRing(t, r)
		}
	}
}

// TestOwnMemoryFreed checks that rings leave no memory behind, whatever becomes of them.
func TestOwnMemoryFreed(t *testing.T) {
	newRingIn(t, OwnMemory, 8, 16) // skips where there is no such ring
	virtual := func() int {
		b, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(bytes.Fields(b)[0]))
		if err != nil {
			t.Fatal(err)
		}
		return n * unix.Getpagesize()
	}
	const rounds = 60
	before := virtual()
	for range rounds {
		r, err := SetupIn(OwnMemory, 8, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := SetupIn(OwnMemory, 8, &Params{Flags: 1 << 30}); err == nil {
			t.Fatal("a flag that does not exist was accepted")
		}
		if _, err := SetupIn(OwnMemory, 0, nil); err == nil {
			t.Fatal("a ring of no entries was accepted")
		}
	}
	// The runtime maps some for itself, in pieces of 64 MiB.
	if grown := virtual() - before; grown >= rounds*2*hugeSize {
		t.Errorf("after %d rings the process has %d MiB more", 3*rounds, grown>>20)
	}
}
