package core

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/offheap"
	"github.com/sluiceio/sluice/internal/sysx"
)

// lockedPages are the pages of all registered buffers of the process. io_uring counts those of the user, of all processes, and RLIMIT_MEMLOCK is
// about their sum, so that a count for each engine would allow too much.
var lockedPages atomic.Uint64

// locked is a share of lockedPages. Clones of a table have it in common, as in io_uring, for the memory is locked once.
type locked struct {
	m     *offheap.Map // holds the memory; nil for that of the Go heap
	pages uint64
	refs  atomic.Int32
}

// pagesOf is how many pages b lies in.
func pagesOf(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	size := uint64(os.Getpagesize())
	// SAFETY: the address is only counted with.
	first := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	return (first+uint64(len(b))-1)/size - first/size + 1
}

// lock counts the pages of b as locked, unless they are too many, and holds it. need is what the error shall tell, in pages.
func lock(b []byte, need uint64) (*locked, error) {
	pages := pagesOf(b)
	size := uint64(os.Getpagesize())
	limit, limited := sysx.LockLimit()
	for {
		have := lockedPages.Load()
		if limited && have+pages > limit/size {
			return nil, &api.MemlockError{Need: need * size, Limit: limit, Err: syscall.ENOMEM}
		}
		if lockedPages.CompareAndSwap(have, have+pages) {
			break
		}
	}
	l := &locked{m: offheap.Hold(b), pages: pages}
	l.refs.Store(1)
	return l, nil
}

// again is the same share for another.
func (l *locked) again() *locked {
	l.refs.Add(1)
	return l
}

func (l *locked) release() {
	if l.refs.Add(-1) == 0 {
		lockedPages.Add(-l.pages)
		if l.m != nil {
			l.m.Release()
		}
	}
}
