//go:build unix

package offheap

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// anonymous maps n bytes.
func anonymous(n, flags int) ([]byte, error) {
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|flags)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	// SAFETY: so many bytes have been mapped there, until munmap, which nobody calls who holds any of it.
	return unsafe.Slice((*byte)(p), n), nil
}

// free unmaps b, which may be a part of what was mapped.
func free(b []byte) error {
	// SAFETY: the memory is mapped, and nobody uses it any more.
	return os.NewSyscallError("munmap", unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))))
}

func (m *Map) munmap() error { return free(m.whole) }
