package iouring

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
)

// TestZCRXOnTheLoopback: the loopback has a queue, but its driver no memory for it to be given.
func TestZCRXOnTheLoopback(t *testing.T) {
	newRing(t, 1, 0)
	if !HasRecvZC() {
		t.Skip("the kernel has no zero-copy receives")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	r := newOwnedRing(t, 8, IORING_SETUP_CQE32)
	page := os.Getpagesize()
	for _, c := range []struct {
		what           string
		index, entries uint32
		area           int
		want           syscall.Errno
	}{
		{"the loopback", uint32(lo.Index), 64, 1 << 20, syscall.EOPNOTSUPP},
		{"no interface", 1 << 30, 64, 1 << 20, syscall.ENODEV},
		{"no entries", uint32(lo.Index), 0, 1 << 20, syscall.EINVAL},
		{"entries that are no power of two", uint32(lo.Index), 65, 1 << 20, syscall.EINVAL},
		{"too many entries", uint32(lo.Index), 1 << 16, 1 << 20, syscall.EINVAL},
		{"no area", uint32(lo.Index), 64, 0, syscall.EINVAL},
		{"half a page", uint32(lo.Index), 64, page / 2, syscall.EINVAL},
	} {
		area, err := mmapAnon(max(c.area, page))
		if err != nil {
			t.Fatal(err)
		}
		z, err := RegisterZCRX(r, c.index, 0, c.entries, area[:c.area])
		if errors.Is(err, syscall.EPERM) {
			t.Skip("it takes CAP_NET_ADMIN")
		}
		if !errors.Is(err, c.want) || z != nil {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		if err := munmap(area); err != nil {
			t.Error(err)
		}
	}
	if err := ProbeZCRX(uint32(lo.Index), 1<<30); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("ProbeZCRX of the loopback: %v", err)
	}
}

// TestZCRXWrongRing: the kernel wants room for where the data is, and DEFER_TASKRUN.
func TestZCRXWrongRing(t *testing.T) {
	newRing(t, 1, 0)
	lo, err := net.InterfaceByName("lo")
	if !HasRecvZC() || err != nil {
		t.Skip("the kernel has no zero-copy receives, or no loopback")
	}
	area, err := mmapAnon(os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	for what, r := range map[string]*Ring{"small completions": newOwnedRing(t, 8, 0), "no DEFER_TASKRUN": newRing(t, 8, IORING_SETUP_CQE32)} {
		if _, err := RegisterZCRX(r, uint32(lo.Index), 0, 8, area); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM) {
			t.Errorf("%s: %v, want EINVAL", what, err)
		}
	}
	if err := munmap(area); err != nil {
		t.Error(err)
	}
}
