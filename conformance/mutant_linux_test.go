package conformance_test

import (
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var linuxMutants = []fault{
	{"the block before", "FIL-18", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRead && op.Off >= 4096 && len(op.Buf) == 4096 {
			op.Off -= 4096
		}
	})}},
	{"the position of a direct file stays", "FIL-18", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpRead && op.Off == api.CurrentPosition {
			op.Off = 0
		}
	})}},
	{"a direct read takes any length", "FIL-18", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpRead && c.Res == -int32(syscall.EINVAL) {
			c.Res = 0
		}
	})}},
	{"waitid does not tell the status", "CHD-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpWaitid {
			op.Args = &api.Args{}
		}
	})}},
	{"waitid does not wait", "CHD-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpWaitid {
			op.Arg |= unix.WNOHANG
		}
	})}},
	{"waitid leaves the child", "CHD-1", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpWaitid {
			op.Arg |= unix.WNOWAIT
		}
	})}},
	{"waitid takes the child", "CHD-5", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpWaitid {
			op.Arg &^= unix.WNOWAIT
		}
	})}},
	{"futex wait sees no other value", "FTX-2", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.EAGAIN) {
			c.Res = 0
		}
	})}},
	{"wake counts one too many", "FTX-3", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpFutexWake && c.Res > 0 {
			c.Res++
		}
	})}},
	{"wake of none wakes one", "FTX-3", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpFutexWake && op.Off == 0 {
			op.Off = 1
		}
	})}},
	{"wrong index", "FTX-5", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpFutexWaitv && c.Res > 100 {
			c.Res--
		}
	})}},
	{"shared counts as private", "FTX-6", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags &^= api.Shared })}},
	{"cancelled wait has been woken", "FTX-8", mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Code == api.OpFutexWait && c.Res < 0 {
			c.Res = 0
		}
	})}},
	{"notifications without the sends", "ZCP-14", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if c := &dst[i]; c.Code == api.OpSendZC && c.More() && c.Res > 1<<18 && n < len(dst) {
				dst[n] = api.Completion{Tag: c.Tag, ID: c.ID, Code: c.Code, Flags: api.Notif}
				return n + 1
			}
		}
		return n
	}}},
	{"poll reports the error queue", "ZCP-15", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			if dst[i].Flags.Has(api.Notif) {
				m.n++
			}
			if dst[i].Code == api.OpPoll && m.n > 0 {
				dst[i].Res |= api.PollErr
			}
		}
		return n
	}}},
	{"notification lost with the fd", "ZCP-16", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			switch {
			case dst[i].Code == api.OpClose:
				m.n++
			case m.n > 0 && dst[i].Flags.Has(api.Notif):
				return drop(dst, n, i)
			}
		}
		return n
	}}},
}

func TestLinuxMutants(t *testing.T) { testMutants(t, linuxMutants) }
