//go:build invariants

package invariants

import (
	"hash/maphash"
	"runtime/debug"
)

// sealed is how much of a buffer is looked at.
const sealed = 64 << 10

var seed = maphash.MakeSeed()

// Seal notices when memory changes that must not, in the invariants build.
type Seal struct{ sum uint64 }

// Put remembers what b holds, besides what has been put before.
func (s *Seal) Put(b []byte) { s.sum = s.sum*31 + sumOf(b[:min(len(b), sealed)]) }

// sumOf is 0 for memory that cannot be read, which is for the kernel to find out.
func sumOf(b []byte) (sum uint64) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			sum = 0
		}
	}()
	return maphash.Bytes(seed, b)
}

// Take gives what there is to compare, and empties the seal.
func (s *Seal) Take() uint64 {
	sum := s.sum
	s.sum = 0
	return sum
}
