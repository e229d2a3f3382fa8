//go:build !invariants

package invariants

// Seal notices when memory changes that must not, in the invariants build. It has no size in a normal
// build; do not make it the last field of a struct, where Go pads it.
type Seal struct{}

// Put remembers what b holds, besides what has been put before.
func (*Seal) Put(b []byte) {}

// Take gives what there is to compare, and empties the seal.
func (*Seal) Take() uint64 { return 0 }
