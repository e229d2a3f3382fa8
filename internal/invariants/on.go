//go:build invariants

package invariants

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// Enabled says whether this is a build with the invariants tag.
const Enabled = true

// mangled is the byte that Mangle writes: odd, not ASCII, and easy to spot in a dump.
const mangled = 0xDB

// Check panics when cond is false, in the invariants build.
func Check(cond bool, format string, args ...any) {
	if !cond {
		panic("invariant violated: " + fmt.Sprintf(format, args...))
	}
}

// Owner sees to it that one goroutine alone uses something, in the invariants
// build. The zero value belongs to nobody yet.
type Owner struct {
	id atomic.Uint64 // of a goroutine, which starts at 1
}

// Mine says whether the calling goroutine is the owner, and makes it the owner when there is none.
func (o *Owner) Mine() bool {
	id := goroutineID()
	return o.id.CompareAndSwap(0, id) || o.id.Load() == id
}

// Reset gives the thing up, so that the next Mine makes a new owner.
func (o *Owner) Reset() { o.id.Store(0) }

// Mangle overwrites a buffer that nobody may look at any more, in the invariants build.
func Mangle(b []byte) {
	for i := range b {
		b[i] = mangled
	}
}

// Mangled says whether b is still as Mangle has left it.
func Mangled(b []byte) bool {
	for _, c := range b {
		if c != mangled {
			return false
		}
	}
	return true
}

// lines are buffers for goroutineID, pooled so that tests which count allocations hold in this build too.
var lines = sync.Pool{New: func() any { return new([64]byte) }}

// goroutineID reads the number out of the first line of a stack trace, "goroutine 18 [running]:",
// the only place where the runtime shows it.
func goroutineID() uint64 {
	buf := lines.Get().(*[64]byte)
	defer lines.Put(buf)
	line := buf[:runtime.Stack(buf[:], false)]
	line = bytes.TrimPrefix(line, []byte("goroutine "))
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		panic("invariants: no goroutine id in a stack trace")
	}
	id, err := strconv.ParseUint(string(line[:i]), 10, 64) // the compiler sees that the string stays here
	if err != nil {
		panic("invariants: " + err.Error())
	}
	return id
}
