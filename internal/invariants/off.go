//go:build !invariants

package invariants

// Enabled says whether this is a build with the invariants tag.
const Enabled = false

// Check panics when cond is false, in the invariants build.
func Check(cond bool, format string, args ...any) {}

// Owner sees to it that one goroutine alone uses something, in the invariants
// build. The zero value belongs to nobody yet. It has no size in a normal build;
// do not make it the last field of a struct, where Go pads it.
type Owner struct{}

// Mine says whether the calling goroutine is the owner, and makes it the owner when there is none.
func (*Owner) Mine() bool { return true }

// Reset gives the thing up, so that the next Mine makes a new owner.
func (*Owner) Reset() {}

// Mangle overwrites a buffer that nobody may look at any more, in the invariants build.
func Mangle(b []byte) {}

// Mangled says whether b is still as Mangle has left it. In a normal build it always does.
func Mangled(b []byte) bool { return true }
