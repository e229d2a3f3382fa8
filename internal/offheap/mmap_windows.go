package offheap

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mmap maps n bytes. Huge pages take a privilege that few programs have.
func (m *Map) mmap(n int, want Pages) error {
	if want == Transparent || want == Huge {
		return fmt.Errorf("huge pages: %w", errors.ErrUnsupported)
	}
	n = round(n, pageSize())
	at, err := windows.VirtualAlloc(0, uintptr(n), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return os.NewSyscallError("VirtualAlloc", err)
	}
	// SAFETY: the number is the address of so many bytes that are no part of the Go heap, until munmap. It is read as a pointer, since the
	// collector knows nothing of it and cannot move it.
	m.whole = unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), n)
	m.mem = m.whole
	return nil
}

func (m *Map) munmap() error {
	return os.NewSyscallError("VirtualFree", windows.VirtualFree(address(m.whole), 0, windows.MEM_RELEASE))
}
