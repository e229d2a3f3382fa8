//go:build unix

package core

import (
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// TestClaimedSlotThatIsNamed: another goroutine may install a file into the very slot that an accept has claimed. What is accepted then is replaced
// at once, or goes to another slot, and no completion with more to follow is an error.
func TestClaimedSlotThatIsNamed(t *testing.T) {
	for _, c := range []struct{ slots, want int32 }{{1, 0}, {2, 1}} {
		e, m := open(t, nil)
		fd := devNull(t)
		table := make([]int, c.slots)
		for i := range table {
			table[i] = none
		}
		if err := e.RegisterFiles(table); err != nil {
			t.Fatal(err)
		}
		submit(t, e, api.AcceptMultishot(fd, 1).Into(api.AnySlot))
		reap(t, e)
		s := m.begun[0]
		if errno := e.Claim(s); errno != 0 {
			t.Fatal(errno)
		}
		if slot, err := e.InstallFile(fd, 0); slot != 0 || err != nil {
			t.Fatalf("InstallFile: %d, %v", slot, err)
		}
		accepted, errno := dup(fd)
		if errno != 0 {
			t.Fatal(errno)
		}
		installed := e.files.fixed(0)
		e.Emit(s, accepted)
		want(t, e, "what was accepted", api.Completion{Tag: 1, Res: c.want, Flags: api.More})
		if e.files.fixed(0) != installed {
			t.Errorf("%d slots: what was installed is there no longer", c.slots)
		}
		if errno := e.Claim(s); errno != syscall.ENFILE {
			t.Errorf("%d slots: another claim: %v, want ENFILE", c.slots, errno)
		}
		if n := e.files.claimed; n != none {
			t.Errorf("slot %d is claimed still", n)
		}
		m.end(0, -int32(syscall.ENFILE))
		reap(t, e)
	}
}
