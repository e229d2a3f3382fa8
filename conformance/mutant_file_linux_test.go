package conformance_test

import (
	"slices"
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// onlyInto makes a submit hook that changes the operations with IntoSlot.
func onlyInto(f func(op *api.Op)) func(*mutant, []api.Op) (int, error) {
	return changed(func(_ *mutant, op *api.Op) {
		if op.Flags&api.IntoSlot != 0 {
			f(op)
		}
	})
}

// emptied is a CloseSlot that empties the slot and leaves alone what is in flight.
var emptied = mutant{
	submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpClose && op.Flags&api.FixedFile != 0 {
			*op = api.FilesUpdate(int(op.FD), []int32{-1}, op.Tag)
		}
	}),
	complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpFilesUpdate {
			c.Code, c.Res = api.OpClose, min(c.Res, 0)
		}
	}),
}

// passedOn is what InstallFD is when the slot does not keep the file.
func passedOn(m *mutant, ops []api.Op) (int, error) {
	n, err := m.Engine.Submit(ops)
	for _, op := range ops[:n] {
		if op.Code == api.OpFixedFDInstall {
			_, _ = m.Engine.Complete(nil, api.Wait{}) // that is the fault
			_, _ = m.Engine.UpdateFiles(int(op.FD), []int{-1})
		}
	}
	return n, err
}

var fileMutants = []fault{
	{"slot taken for an fd", "REG-1", mutant{submit: without(api.FixedFile)}},
	{"bad slot is EINVAL", "REG-2", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		c.Res = becomes(-int32(syscall.EBADF), invalid)(c.Res)
	})}},
	{"update ends what is in flight", "REG-4", mutant{updateFiles: func(m *mutant, at int, fds []int) (int, error) {
		_, _ = m.Engine.CancelSync(api.CancelFD(at, 0).With(api.FixedFile), -1) // that is the fault
		return m.Engine.UpdateFiles(at, fds)
	}}},
	{"slot that is kept is emptied", "REG-5", mutant{updateFiles: func(m *mutant, at int, fds []int) (int, error) {
		fds = slices.Clone(fds)
		for i := range fds {
			fds[i] = max(fds[i], -1)
		}
		return m.Engine.UpdateFiles(at, fds)
	}}},
	{"CancelFD takes the slot for an fd", "REG-6", mutant{submit: onlyFor(api.OpCancel, func(op *api.Op) { op.Flags &^= api.FixedFile })}},
	{"fd takes the file from the slot", "REG-9", mutant{submit: passedOn}},
	{"update counts one too few", "REG-10", mutant{complete: told(api.OpFilesUpdate, func(res int32) int32 { return res - min(max(res, 0), 1) })}},
	{"any slot is slot 0", "REG-10", mutant{submit: onlyFor(api.OpFilesUpdate, func(op *api.Op) { op.Off = max(op.Off, 0) })}},
	{"output taken for an fd", "REG-11", mutant{submit: without(api.FixedFD2)}},
	{"range of AnySlot not heeded", "REG-12", mutant{fileRange: func(*mutant, int, int) error { return nil }}},
	{"range of one too many", "REG-12", mutant{fileRange: func(m *mutant, at, n int) error { return m.Engine.SetFileRange(at, n+min(n, 1)) }}},
	{"chain does not wait for its slot", "REG-13", mutant{submit: without(api.Link)}},

	{"file goes into the next slot", "DIR-1", mutant{submit: onlyInto(func(op *api.Op) { op.Group++ })}},
	{"any slot is slot 0", "DIR-2", mutant{submit: onlyInto(func(op *api.Op) {
		if op.Group == api.NoIndex {
			op.Group = 0
		}
	})}},
	{"slot is told one too high", "DIR-2", mutant{complete: told(api.OpAccept, func(res int32) int32 { return res + min(max(res, 0), 1) })}},
	{"slot that is in use is passed over", "DIR-3", mutant{submit: onlyInto(func(op *api.Op) { op.Group = api.NoIndex })}},
	{"no table is EINVAL", "DIR-4", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		c.Res = becomes(-int32(syscall.ENXIO), invalid)(c.Res)
	})}},
	{"close-on-exec let pass", "DIR-5", mutant{submit: onlyInto(func(op *api.Op) { op.Arg &^= unix.O_CLOEXEC })}},
	{"full table is not told", "DIR-6", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := 0; i < n; i++ {
			if dst[i].Res == -int32(syscall.ENFILE) {
				n = drop(dst, n, i)
				i--
			}
		}
		return n
	}}},
	{"CloseSlot leaves alone what is in flight", "DIR-7", emptied},
	{"old file goes on under the slot", "DIR-8", emptied},
	{"chain by slots does not wait", "DIR-9", mutant{submit: without(api.Link)}},
	{"cancel does not find what fills a slot", "DIR-10", mutant{submit: onlyFor(api.OpCancel, func(op *api.Op) { op.Target = 0 })}},
	{"slot given out twice", "DIR-11", mutant{complete: told(api.OpAccept, func(res int32) int32 { return max(res-1, min(res, 0)) })}},
}

func TestFileMutants(t *testing.T) { testMutants(t, fileMutants) }
