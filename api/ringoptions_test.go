package api

import "testing"

func TestCPUSet(t *testing.T) {
	s := CPUs(0, 7, 63, 64, 1023, 7)
	if got := s.String(); got != "0,7,63,64,1023" || s.Len() != 5 {
		t.Errorf("the set is %s, of %d", got, s.Len())
	}
	for _, n := range []int{-1, 1, 62, 65, 1024} {
		if s.Has(n) {
			t.Errorf("%d is in it", n)
		}
	}
	if s != CPUs(1023, 64, 63, 7, 0) || s == CPUs() || CPUs() != (CPUSet{}) {
		t.Error("sets that are the same are not, or the other way round")
	}
	if CPUs(-1) == (CPUSet{}) {
		t.Error("a set that cannot be looks like the empty one")
	}
}
