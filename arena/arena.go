// Package arena is memory outside of the Go heap for buffers: whole pages, which the garbage collector neither looks at nor counts. It is the best memory to
// register with an engine (api.Engine.RegisterBuffers), and to read and write files with O_DIRECT; any other will do for both. Programs that
// have neither need no arena. Any goroutine may call the functions and methods of this package.
//
// # Lifetime
//
// The slices that an arena gives out do not keep it: the garbage collector does not see into its memory. Keep the *Arena for as long as you use any of them,
// and Close it in the end. What an engine uses is safe in any case: a registered buffer, and the memory of an operation in flight, is
// not unmapped before the engine has let go of it. An arena that is forgotten is freed when it has been collected and no engine uses it.
//
// In a build with -race, ordinary pages come from the Go heap, up to 1 GiB: the race detector sees no other memory, and could not report a program
// that touches a buffer in flight.
package arena

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/offheap"
)

// Pages is the kind of pages that an arena is made of. Large buffers are faster on huge pages: there are fewer to look up, and to pin.
type Pages uint8

const (
	// Small are the pages of the system.
	Small = Pages(offheap.Small)
	// Transparent are huge pages where the kernel finds some, at once or later (MADV_HUGEPAGE). Linux.
	Transparent = Pages(offheap.Transparent)
	// Huge are pages that the administrator has set aside (MAP_HUGETLB, sysctl vm.nr_hugepages). Linux.
	Huge = Pages(offheap.Huge)
	// Best is Huge, or else Transparent, or else Small.
	Best = Pages(offheap.Best)
)

// String is "small", "transparent", "huge" or "best".
func (p Pages) String() string {
	if p > Best {
		return fmt.Sprintf("Pages(%d)", uint8(p))
	}
	return [...]string{"small", "transparent", "huge", "best"}[p]
}

// Options configure an arena. A nil *Options and the zero Options stand for the defaults.
type Options struct {
	// Pages is what the arena is to be made of. What is not there, and is not Best, is an error. Default: Small. Backends: all.
	Pages Pages
}

// ErrFull says that an arena has no room for what was asked for.
var ErrFull = errors.New("sluice: the arena is full")

// InUseError says that an arena cannot be closed, or used anew, because an engine uses it. Unregister the buffers, and
// reap the operations, or close the engine.
type InUseError struct {
	Uses int // buffers registered, once for all clones, and operations in flight
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("sluice: the arena is in use by an engine: buffers registered and operations in flight: %d", e.Uses)
}

// Arena is memory outside of the Go heap, from which slices are carved.
type Arena struct {
	mu      sync.Mutex
	m       *offheap.Map // nil: closed
	used    int
	cleanup runtime.Cleanup
}

// New makes an arena of size bytes, rounded up to whole pages. The memory is zero, and is taken from the system when it is first touched.
// On Linux a child that is made by a fork without an exec does not have it. o may be nil. Errors:
//   - *api.OptionError: size is not positive, or too large for an address, or Pages is none of the constants
//   - an error of the system, errors.ErrUnsupported where there are no such pages.
func New(size int, o *Options) (*Arena, error) {
	want := offheap.Small
	if o != nil {
		want = offheap.Pages(o.Pages)
	}
	m, err := offheap.New(size, want)
	if err != nil {
		var option *api.OptionError
		if errors.As(err, &option) {
			return nil, err
		}
		return nil, fmt.Errorf("sluice: an arena of %d bytes of %v pages: %w", size, Pages(want), err)
	}
	a := &Arena{m: m}
	a.cleanup = runtime.AddCleanup(a, (*offheap.Map).Abandon, m)
	return a, nil
}

// align0 is a line of the cache, so that two buffers never share one.
const align0 = 64

// Alloc carves a slice of n bytes that begins at a multiple of align, a power of two up to the size of a page of the system; 0 stands for 64. Files
// with O_DIRECT want 512 or 4096. The slice is the caller's until Reset or Close. Errors:
//   - *api.OptionError: n is not positive, or align is no such number
//   - ErrFull: there is no room
//   - api.ErrClosed.
func (a *Arena) Alloc(n, align int) ([]byte, error) {
	if align == 0 {
		align = align0
	}
	switch {
	case n <= 0:
		return nil, &api.OptionError{Option: "n", Reason: fmt.Sprintf("is %d, must be positive", n)}
	case align < 0 || align&(align-1) != 0 || align > os.Getpagesize():
		return nil, &api.OptionError{Option: "align", Reason: fmt.Sprintf("is %d, must be a power of two up to the size of a page, %d", align, os.Getpagesize())}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		return nil, api.ErrClosed
	}
	mem := a.m.Bytes()
	at := (a.used + align - 1) &^ (align - 1)
	if at > len(mem) || n > len(mem)-at {
		return nil, ErrFull
	}
	a.used = at + n
	return mem[at : at+n : at+n], nil
}

// Bytes is all of the memory, whatever has been carved from it, nil after Close.
func (a *Arena) Bytes() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		return nil
	}
	return a.m.Bytes()
}

// Size is how many bytes there are, Left how many of them have not been carved. Both are 0 after Close.
func (a *Arena) Size() int { return len(a.Bytes()) }

// Left is how many bytes have not been carved.
func (a *Arena) Left() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		return 0
	}
	return len(a.m.Bytes()) - a.used
}

// Pages is what the arena is made of: never Best.
func (a *Arena) Pages() Pages {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		return Small
	}
	return Pages(a.m.Pages())
}

// Reset has Alloc begin anew. The slices that it has given are the caller's no longer. The memory keeps what it holds. Errors:
//   - *InUseError: an engine uses it; nothing has happened
//   - api.ErrClosed.
func (a *Arena) Reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		return api.ErrClosed
	}
	if n := a.m.Uses(); n > 0 {
		return &InUseError{Uses: n}
	}
	a.used = 0
	return nil
}

// Close gives the memory back to the system. Its slices must not be touched any more. Errors:
//   - *InUseError: an engine uses it; nothing has happened
//   - api.ErrClosed, the second time
//   - an error of the system; it is closed all the same.
func (a *Arena) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		return api.ErrClosed
	}
	uses, err := a.m.Close()
	if uses > 0 {
		return &InUseError{Uses: uses}
	}
	a.cleanup.Stop()
	a.m = nil
	return err
}
