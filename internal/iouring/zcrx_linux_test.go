package iouring

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"
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
		{"half a page", uint32(lo.Index), 64, os.Getpagesize() / 2, syscall.EINVAL},
	} {
		z, err := OpenZCRX(c.index, 0, c.entries, c.area)
		if errors.Is(err, syscall.EPERM) {
			t.Skip("it takes CAP_NET_ADMIN")
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		if err == nil {
			t.Error(z.Close())
		}
	}
}

// TestZCRXAttach: the refill ring is where the kernel says that it is, and nowhere else.
func TestZCRXAttach(t *testing.T) {
	z := &ZCRX{region: make([]byte, 8192)}
	o := &ZCRXOffsets{Head: 0, Tail: 4, Rqes: 64}
	if err := z.attach(o, 64, 0); err != nil {
		t.Fatal(err)
	}
	if len(z.Refill.rqes) != 64 || unsafe.Pointer(&z.Refill.rqes[0]) != unsafe.Pointer(&z.region[64]) || unsafe.Pointer(z.Refill.tail) != unsafe.Pointer(&z.region[4]) {
		t.Errorf("the ring is %+v", z.Refill)
	}
	z.Refill.Put(4096, 7)
	z.Refill.Publish()
	if z.region[4] != 1 || z.region[64+8] != 7 {
		t.Errorf("the region holds %v", z.region[:80])
	}
	for _, bad := range []ZCRXOffsets{{Head: 8192}, {Tail: 8190}, {Head: 2}, {Rqes: 4}, {Rqes: 8192 - 64*16 + 8}} {
		if err := z.attach(&bad, 64, 0); !errors.Is(err, syscall.EOVERFLOW) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
