package core

import "math/bits"

// slotSet are those slots of a table that are taken, so that an empty one is found without looking at each.
type slotSet struct {
	words []uint64
	low   int // the words before it are full
}

func newSlotSet(n int) slotSet { return slotSet{words: make([]uint64, (n+63)/64)} }

func (s *slotSet) take(i int) { s.words[i/64] |= 1 << (i % 64) }

func (s *slotSet) free(i int) {
	s.words[i/64] &^= 1 << (i % 64)
	s.low = min(s.low, i/64)
}

// empty is the first from from on, and below to, that is not taken; or none.
func (s *slotSet) empty(from, to int) int {
	for s.low < len(s.words) && s.words[s.low] == ^uint64(0) {
		s.low++
	}
	for w := max(from/64, s.low); w*64 < to; w++ {
		left := ^s.words[w]
		if w == from/64 {
			left &= ^uint64(0) << (from % 64)
		}
		if left == 0 {
			continue
		}
		if i := w*64 + bits.TrailingZeros64(left); i < to {
			return i
		}
		return none
	}
	return none
}
