package conformance_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/internal/matrix"
	"github.com/sluiceio/sluice/internal/optab"
	"golang.org/x/sys/unix"
)

// slotted is an engine that puts each file which an operation names by its fd into its table of registered files, and has the operation name the
// slot. What an operation does must not depend on that.
type slotted struct {
	api.Engine
	slots map[int32]slotOf // by fd
	empty []int
	ops   []api.Op
}

// slotOf is where the file of an fd is. own is a duplicate, to find out whether the fd is that file still.
type slotOf struct{ slot, own int }

const slotsMax = 256

// slottedOn opens the engines of b so.
func slottedOn(b backend) backend {
	open := b.open
	b.open = func(o *api.Options) (api.Engine, error) {
		e, err := open(o)
		if err != nil {
			return nil, err
		}
		s := &slotted{Engine: e, slots: map[int32]slotOf{}}
		for slot := range slotsMax {
			s.empty = append(s.empty, slotsMax-1-slot)
		}
		return s, nil
	}
	return b
}

// sameFile says whether two fds are one open file (KCMP_FILE of kcmp(2)).
func sameFile(a, b int) bool {
	pid := uintptr(os.Getpid())
	r, _, errno := syscall.Syscall6(unix.SYS_KCMP, pid, pid, 0, uintptr(a), uintptr(b), 0)
	return errno == 0 && r == 0
}

// slot is where the file fd is, once it has been put there. ok is false for what is no file.
func (s *slotted) slot(fd int32) (slot int, ok bool) {
	if in, known := s.slots[fd]; known {
		if sameFile(int(fd), in.own) {
			return in.slot, true
		}
		s.forget(fd)
	}
	if len(s.empty) == 0 {
		return 0, false
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	n := len(s.empty) - 1
	slot = s.empty[n]
	if _, err := s.Engine.InstallFile(own, slot); err != nil {
		_ = unix.Close(own) // it was for nothing
		return 0, false
	}
	s.empty = s.empty[:n]
	s.slots[fd] = slotOf{slot, own}
	return slot, true
}

// forget empties the slot of an fd that is another file, or none.
func (s *slotted) forget(fd int32) {
	in := s.slots[fd]
	delete(s.slots, fd)
	_, _ = s.Engine.UpdateFiles(in.slot, []int{-1}) // it is empty, or the engine closed
	_ = unix.Close(in.own)                          // nothing can be done about it
	s.empty = append(s.empty, in.slot)
}

// prepare makes the table. It is too early when the engine is opened: who registers files owns it.
func (s *slotted) prepare() {
	if len(s.empty) == slotsMax && len(s.slots) == 0 {
		empty := make([]int, slotsMax)
		for i := range empty {
			empty[i] = -1
		}
		_ = s.Engine.RegisterFiles(empty) // EBUSY: it is there
	}
}

// name makes op name its files by their slots.
func (s *slotted) name(op *api.Op) {
	if !op.Code.Valid() || !op.Flags.Known() || op.Flags&api.FixedFile != 0 {
		return
	}
	in := optab.Of(op.Code)
	switch {
	case op.Code == api.OpClose:
		if _, ok := s.slots[op.FD]; ok {
			s.forget(op.FD)
		}
		return
	case !in.FD && (op.Code != api.OpCancel || op.Flags&api.ByFD == 0), in.At, op.Code == api.OpFixedFDInstall:
		return
	}
	if slot, ok := s.slot(op.FD); ok {
		op.FD = int32(slot)
		op.Flags |= api.FixedFile
	}
	if in.FD2 && op.Args != nil {
		if slot, ok := s.slot(op.Args.FD2); ok {
			args := *op.Args
			args.FD2 = int32(slot)
			op.Args = &args
			op.Flags |= api.FixedFD2
		}
	}
}

func (s *slotted) Submit(ops []api.Op) (int, error) {
	s.prepare()
	named := append(s.ops[:0], ops...)
	for i := range named {
		s.name(&named[i])
	}
	n, err := s.Engine.Submit(named)
	for i := range ops {
		ops[i].ID = named[i].ID
	}
	return n, err
}

func (s *slotted) CancelSync(c api.Op, limit time.Duration) (int, error) {
	s.prepare()
	s.name(&c)
	return s.Engine.CancelSync(c, limit)
}

func (s *slotted) Close() error {
	err := s.Engine.Close()
	if err != nil {
		return err // that it is closed already, or that OnLow may not
	}
	for _, in := range s.slots {
		_ = unix.Close(in.own) // nothing can be done about it
	}
	clear(s.slots)
	return nil
}

// notBySlot says why a case does not hold by slots, or "". Beside those that are about fds or the table itself, those that close a file are not
// for it: the table has it still, and what is in flight on the slot is none of the fd's business.
func notBySlot(c *conformance.Case) string {
	switch {
	case c.Family() == "REG" || c.Family() == "DIR":
		return "it has a table of its own"
	case c.Ops.Has(api.OpClose):
		return "it closes fds"
	case c.Requires.Has(api.FeatCloneBuffers):
		return "it clones the buffers of an engine that is not the one behind it"
	}
	switch c.Path() {
	case "STR/STR-3-write-is-short", "DEV/DEV-1-FIFO":
		return "its peer waits until the file is closed"
	case "SOC/SOC-7-addresses", "SOC/SOC-7-abstract-name":
		return "it closes a socket, and its address is to be free at once"
	case "FIL/FIL-14-failures", "PIP/PIP-1-used-by-the-engine":
		return "it uses the number of an fd that is closed"
	}
	return ""
}

// TestBySlot: the cases hold for operations that name their files by slots, as they do for fds.
func TestBySlot(t *testing.T) {
	if os.Getenv("SLUICE_MATRIX") != "full" {
		t.Skip("it takes as long as a column: set SLUICE_MATRIX=full")
	}
	skip := map[string]string{}
	for _, c := range conformance.Cases() {
		if why := notBySlot(&c); why != "" {
			_, key, _ := strings.Cut(c.Path(), "/")
			skip[key] = why
		}
	}
	for _, b := range backends[:2] { // uring, and one of those that are alike
		for _, c := range matrix.Strategies()[:2] {
			t.Run(b.name+"/"+c.Name, func(t *testing.T) {
				b.need(t, nil)
				conformance.Run(t, slottedOn(b).open, &conformance.Config{Options: &c.Options, Skip: skip})
			})
		}
	}
}
