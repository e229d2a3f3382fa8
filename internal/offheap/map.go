// Package offheap is memory outside of the Go heap, of which it is known who uses it. Package arena maps it here; the engines hold what they have
// registered, or operations in flight move, so that it is not unmapped under them. Programs use package arena.
// Any goroutine may call anything.
package offheap

import (
	"math"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/sluiceio/sluice/api"
)

// Pages is what kind of pages memory is made of.
type Pages uint8

// The kinds, as in package arena.
const (
	Small Pages = iota
	Transparent
	Huge
	Best
)

// Map is memory that has been mapped. Its state counts who uses it:
//
//	    uses            abandoned | uses           gone
//	0 ◀──────▶ n ──Abandon──▶ 2^62 + n ──last──▶ -1, and unmapped
//	└──────────Close────────────────────────────▲
type Map struct {
	mem   []byte
	whole []byte // what has to be unmapped; nil: nothing
	pages Pages
	state atomic.Int64
}

const (
	gone      = -1
	abandoned = 1 << 62
)

// maps are all that there are, by address. They are replaced as a whole, so that Hold takes no lock; nil: there are none, which
// is what every operation asks first.
var (
	maps atomic.Pointer[[]*Map]
	mu   sync.Mutex // of who replaces
)

// New maps n bytes, rounded up to whole pages. An error is an *api.OptionError for what cannot be at all, or the system's.
func New(n int, want Pages) (*Map, error) {
	if n <= 0 || n > math.MaxInt-hugeMax {
		return nil, &api.OptionError{Option: "size", Reason: "is not positive, or more than there are addresses"}
	}
	if want > Best {
		return nil, &api.OptionError{Option: "Pages", Reason: "is none of the constants"}
	}
	m := &Map{}
	if onHeap && n <= heapMax && (want == Small || want == Best) {
		m.fromHeap(n)
	} else if err := m.mmap(n, want); err != nil {
		return nil, err
	}
	m.list()
	return m, nil
}

// NewMapped is New for ordinary pages that are never of the Go heap: a device may write to them for some time after they have been unmapped.
func NewMapped(n int) (*Map, error) {
	if n <= 0 || n > math.MaxInt-hugeMax {
		return nil, &api.OptionError{Option: "size", Reason: "is not positive, or more than there are addresses"}
	}
	m := &Map{}
	if err := m.mmap(n, Small); err != nil {
		return nil, err
	}
	m.list()
	return m, nil
}

// list makes m one of maps.
func (m *Map) list() {
	mu.Lock()
	defer mu.Unlock()
	all := list()
	at := after(all, m.first())
	now := make([]*Map, 0, len(all)+1)
	now = append(append(append(now, all[:at]...), m), all[at:]...)
	maps.Store(&now)
}

// heapMax is how much may come from the Go heap: more is not there, or not at once, and the program would end for it.
const heapMax = 1 << 30

// fromHeap takes n bytes from the Go heap, of whole pages.
func (m *Map) fromHeap(n int) {
	n = round(n, pageSize())
	b := make([]byte, n+pageSize())
	at := (pageSize() - int(address(b)%uintptr(pageSize()))) % pageSize()
	m.mem = b[at : at+n : at+n]
}

// hugeMax is at least the size of any huge page, with room for their alignment.
const hugeMax = 1 << 30

func list() []*Map {
	if p := maps.Load(); p != nil {
		return *p
	}
	return nil
}

// after is how many of all begin at p or before.
func after(all []*Map, p uintptr) int {
	lo, hi := 0, len(all)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); all[mid].first() <= p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// address is where b begins, to be compared with others.
func address(b []byte) uintptr {
	// SAFETY: the number is compared, and never becomes a pointer again.
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

func (m *Map) first() uintptr { return address(m.mem) }

// Any says whether there is any memory to be held.
func Any() bool { return maps.Load() != nil }

// Hold keeps the memory that b is a part of from being unmapped, until Release. It is nil when b is no part of any.
func Hold(b []byte) *Map {
	all := list()
	if len(all) == 0 || len(b) == 0 {
		return nil
	}
	p := address(b)
	at := after(all, p)
	if at == 0 {
		return nil
	}
	m := all[at-1]
	if p-m.first() >= uintptr(len(m.mem)) || !m.hold() {
		return nil
	}
	return m
}

func (m *Map) hold() bool {
	for {
		n := m.state.Load()
		if n == gone {
			return false
		}
		if m.state.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release is the end of a Hold.
func (m *Map) Release() {
	if m.state.Add(-1) == abandoned && m.state.CompareAndSwap(abandoned, gone) {
		_ = m.unmap() // nobody is left to be told
	}
}

// Close unmaps the memory, unless it is used, so many times.
func (m *Map) Close() (uses int, err error) {
	for !m.state.CompareAndSwap(0, gone) {
		if n := m.Uses(); n > 0 {
			return n, nil
		}
	}
	return 0, m.unmap()
}

// Abandon unmaps the memory as soon as nobody uses it. It is called once, instead of Close.
func (m *Map) Abandon() {
	if m.state.Add(abandoned) == abandoned && m.state.CompareAndSwap(abandoned, gone) {
		_ = m.unmap() // see Release
	}
}

// Uses is how many hold it.
func (m *Map) Uses() int { return int(max(m.state.Load(), 0) &^ abandoned) }

// Bytes are the memory.
func (m *Map) Bytes() []byte { return m.mem }

// Pages is what it is made of.
func (m *Map) Pages() Pages { return m.pages }

// unmap takes m off the list, and gives the memory back.
func (m *Map) unmap() error {
	mu.Lock()
	all := list()
	at := after(all, m.first()) - 1
	now := make([]*Map, 0, len(all))
	now = append(append(now, all[:at]...), all[at+1:]...)
	if len(now) == 0 {
		maps.Store(nil)
	} else {
		maps.Store(&now)
	}
	mu.Unlock()
	if m.whole == nil {
		return nil
	}
	return m.munmap()
}

// round is n rounded up to a multiple of size.
func round(n, size int) int { return (n + size - 1) / size * size }

func pageSize() int { return os.Getpagesize() }
