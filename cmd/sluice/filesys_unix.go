//go:build unix

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// transfer is pread(2) or pwrite(2).
func transfer(t *fileTarget, write bool, b []byte, off int64) (int, error) {
	call := syscall.Pread
	if write {
		call = syscall.Pwrite
	}
	for {
		n, err := call(t.fd, b, off)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// pages is memory that begins at a page, until freePages.
func pages(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	return b, os.NewSyscallError("mmap", err)
}

func freePages(b []byte) { _ = unix.Munmap(b) } // of pages, so that it does not fail
