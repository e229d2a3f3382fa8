package offheap

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// vmFlags are the flags of the mapping that b begins in, as proc_pid_smaps(5) has them.
func vmFlags(t *testing.T, b []byte) []string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inside := false
	for s := bufio.NewScanner(f); s.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= address(b) && address(b) < to
		}
		if flags, ok := strings.CutPrefix(s.Text(), "VmFlags: "); ok && inside {
			return strings.Fields(flags)
		}
	}
	return nil
}

// TestFork: a child does not have the memory ("dc": do not copy on fork), whatever pages it is made of.
func TestFork(t *testing.T) {
	for _, want := range []Pages{Small, Transparent, Huge, Best} {
		m, err := New(3<<20, want)
		if err != nil {
			if want == Small || want == Best {
				t.Errorf("kind %d: %v", want, err)
			}
			t.Logf("kind %d: %v", want, err) // none are set aside, or the kernel knows none
			continue
		}
		if m.whole == nil { // of the Go heap, so that the race detector sees it
			m.Abandon()
			continue
		}
		mem := m.Bytes()
		flags := vmFlags(t, mem)
		if !slices.Contains(flags, "dc") || slices.Contains(flags, "hg") != (m.Pages() == Transparent) || slices.Contains(flags, "ht") != (m.Pages() == Huge) {
			t.Errorf("kind %d became %d, with the flags %v", want, m.Pages(), flags)
		}
		if m.Pages() != Small && (address(mem)%uintptr(hugeSize()) != 0 || len(mem)%hugeSize() != 0) {
			t.Errorf("kind %d: %d bytes at %#x", m.Pages(), len(mem), address(mem))
		}
		mem[0], mem[len(mem)-1] = 1, 1
		if n, err := m.Close(); n != 0 || err != nil {
			t.Errorf("Close: %d, %v", n, err)
		}
		if flags := vmFlags(t, mem); flags != nil {
			t.Errorf("kind %d is still mapped: %v", want, flags)
		}
	}
}
