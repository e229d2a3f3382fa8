package invariants

import (
	"strings"
	"testing"
)

// caught runs f and gives what it panicked with, "" if it did not.
func caught(f func()) (msg string) {
	defer func() {
		if r := recover(); r != nil {
			msg = r.(string)
		}
	}()
	f()
	return ""
}

func TestCheck(t *testing.T) {
	if msg := caught(func() { Check(true, "never") }); msg != "" {
		t.Errorf("a true condition panicked: %s", msg)
	}
	msg := caught(func() { Check(false, "slot %d", 7) })
	if Enabled != strings.Contains(msg, "slot 7") {
		t.Errorf("Enabled = %v, a false condition gave %q", Enabled, msg)
	}
}

func TestOwner(t *testing.T) {
	var o Owner
	other := func() bool {
		c := make(chan bool)
		go func() { c <- o.Mine() }()
		return <-c
	}
	for range 2 {
		if !o.Mine() {
			t.Error("the first goroutine is not the owner")
		}
	}
	if other() == Enabled {
		t.Errorf("Enabled = %v, but so is a second goroutine", Enabled)
	}
	o.Reset()
	if !other() {
		t.Error("after Reset the next goroutine is not the owner")
	}
}

func TestMangle(t *testing.T) {
	b := []byte{1, 2}
	Mangle(b)
	if got := b[0] == 0xDB && b[1] == 0xDB; got != Enabled {
		t.Errorf("Enabled = %v, mangled = %v", Enabled, got)
	}
	Mangle(nil)
	if !Mangled(b) || !Mangled(nil) {
		t.Error("what Mangle has left is said to have changed")
	}
	b[1]++
	if Mangled(b) == Enabled {
		t.Errorf("Enabled = %v, and so is the answer for what has changed", Enabled)
	}
}

func TestSeal(t *testing.T) {
	b, c := make([]byte, 100), make([]byte, 100)
	sum := func() uint64 {
		var s Seal
		s.Put(b)
		s.Put(c)
		return s.Take()
	}
	was := sum()
	if sum() != was {
		t.Error("the same bytes have two sums")
	}
	b[99] = 1
	if changed := sum() != was; changed != Enabled {
		t.Errorf("Enabled = %v, a change was seen: %v", Enabled, changed)
	}
	b, c = c, b
	was = sum()
	if b, c = c, b; sum() == was == Enabled {
		t.Error("the order of the buffers makes no difference")
	}
	var s Seal
	s.Put(b)
	if s.Take(); s.Take() != 0 {
		t.Error("a seal that was taken is not empty")
	}
}

func TestFree(t *testing.T) {
	var o Owner
	n := 1
	if got := testing.AllocsPerRun(100, func() {
		o.Mine()
		Check(n > 0, "n = %d", n)
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
