package reactor

import (
	"fmt"
	"strings"
)

// Variant is an arrangement of loops, workers and threads.
type Variant uint8

// The variants.
const (
	Single           Variant = iota // one loop does all
	SinglePool                      // one loop for IO, handlers in workers
	Multi                           // several loops
	MultiPool                       // several loops for IO, handlers in workers
	ThreadPerConn                   // a thread for each connection
	GoroutinePerConn                // a goroutine for each connection, on Go's net
	variantCount     = iota
)

var variantNames = [variantCount]string{"single", "single-pool", "multi", "multi-pool", "thread-per-conn", "goroutine-per-conn"}

// Variants are all of them.
func Variants() []Variant {
	return []Variant{Single, SinglePool, Multi, MultiPool, ThreadPerConn, GoroutinePerConn}
}

// String is the name of the variant.
func (v Variant) String() string {
	if v < variantCount {
		return variantNames[v]
	}
	return fmt.Sprintf("variant(%d)", uint8(v))
}

// ParseVariant is the variant with a name, as String gives it.
func ParseVariant(name string) (Variant, error) {
	for i, n := range variantNames {
		if n == name {
			return Variant(i), nil
		}
	}
	return 0, fmt.Errorf("reactor: no variant %q; there are %s", name, strings.Join(variantNames[:], ", "))
}

// pooled says whether handlers run in workers.
func (v Variant) pooled() bool { return v == SinglePool || v == MultiPool }

// blocking says whether each connection has a goroutine, and no engine.
func (v Variant) blocking() bool { return v == ThreadPerConn || v == GoroutinePerConn }
