package conformance_test

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// Engines that lose bytes, files and buffers, or leave them in the wrong hands.

// leftOpen are files and engines that mutants have left open, as their fault, until the test is over.
var leftOpen struct {
	sync.Mutex
	files   []*os.File
	engines []api.Engine
}

func leaveOpen(fd int) {
	leftOpen.Lock()
	defer leftOpen.Unlock()
	leftOpen.files = append(leftOpen.files, os.NewFile(uintptr(fd), "left open"))
}

func closeLeft(t *testing.T) {
	leftOpen.Lock()
	defer leftOpen.Unlock()
	for _, f := range leftOpen.files {
		if err := f.Close(); err != nil {
			t.Errorf("a file that a mutant has left open: %v", err)
		}
	}
	for _, e := range leftOpen.engines {
		if err := e.Close(); err != nil {
			t.Errorf("an engine that a mutant has left open: %v", err)
		}
	}
	leftOpen.files, leftOpen.engines = nil, nil
}

// notClosed says that an engine is closed, and closes it when the test is over.
func notClosed(m *mutant) error {
	leftOpen.Lock()
	defer leftOpen.Unlock()
	if slices.Contains(leftOpen.engines, m.Engine) {
		return api.ErrClosed
	}
	leftOpen.engines = append(leftOpen.engines, m.Engine)
	return nil
}

// raced makes of a mutant whose cancels always win: the operation with the code, which has had its effect, and the cancel say that it was cancelled.
func raced(code api.OpCode, undo func(c *api.Completion)) mutant {
	return mutant{submit: noted(nil), complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := range dst[:n] {
			c := &dst[i]
			switch op := m.seen[c.ID]; {
			case c.Code == code && c.Res >= 0 && m.cancels(c.ID):
				if undo != nil {
					undo(c)
				}
				c.Res = canceled
				m.num()[int(c.ID)] = 1
			case c.Code == api.OpCancel && m.num()[int(op.Target)] > 0:
				c.Res = 0
			}
		}
		return n
	}}
}

// cancels says whether a cancel of the operation has been submitted.
func (m *mutant) cancels(id api.OpID) bool {
	for _, op := range m.seen {
		if op.Code == api.OpCancel && op.Target == id {
			return true
		}
	}
	return false
}

// unreaped closes an engine, and leaves open the files in the completions that nobody has reaped.
func unreaped(m *mutant) error {
	dst := make([]api.Completion, 32)
	for end := api.After(50 * time.Millisecond); m.Engine.Stats().InFlight > 0 && api.Now() < end; {
		n, err := m.Engine.Complete(dst, api.Wait{Min: 1, Deadline: end})
		if err != nil {
			break // it is closed
		}
		for _, c := range dst[:n] {
			switch {
			case c.Code == api.OpPipe && c.Res == 0:
				for _, fd := range m.seen[c.ID].Args.Pipe {
					leaveOpen(int(fd))
				}
			case opensFD(c.Code) && c.Code != api.OpPipe && c.Res >= 0:
				leaveOpen(int(c.Res))
			}
		}
	}
	return m.Engine.Close()
}

// leaveBehind closes an engine, and goes on with a receive that it had in flight.
func leaveBehind(m *mutant) error {
	for _, op := range m.seen {
		fd, err := unix.Dup(int(op.FD))
		if err != nil {
			continue
		}
		go func() {
			defer unix.Close(fd)
			if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 200); n > 0 { // that is the fault
				_, _, _ = unix.Recvfrom(fd, make([]byte, len(op.Buf)), unix.MSG_DONTWAIT)
			}
		}()
	}
	m.seen = nil
	return m.Engine.Close()
}

// stale has receives on a number that a Close has freed see what the file before had to tell.
var stale = mutant{submit: changed(func(m *mutant, op *api.Op) {
	switch {
	case op.Code == api.OpClose:
		m.num()[int(op.FD)] = 1
	case op.Code == api.OpRecv && m.num()[int(op.FD)] > 0:
		op.Flags |= api.DontWait
	}
})}

// keepsDuplicates has the engine work on a duplicate of each file that it has once been given.
var keepsDuplicates = mutant{
	submit: changed(func(m *mutant, op *api.Op) {
		switch op.Code {
		case api.OpRecv, api.OpSend, api.OpRead, api.OpPoll:
		default:
			return
		}
		if op.Flags.Has(api.FixedFile) {
			return
		}
		d, ok := m.num()[int(op.FD)]
		if !ok {
			var err error
			if d, err = unix.FcntlInt(uintptr(op.FD), unix.F_DUPFD_CLOEXEC, 500); err != nil {
				return
			}
			m.num()[int(op.FD)] = d
		}
		op.FD = int32(d)
	}),
	closing: func(m *mutant) error {
		err := m.Engine.Close()
		for _, d := range m.nums {
			_ = unix.Close(d) // nobody else has it
		}
		m.nums = nil
		return err
	},
}

// closesWhenReaped has a Close end what is in flight, and close the fd only when it is delivered.
var closesWhenReaped = mutant{
	submit: noted(func(op *api.Op) {
		if op.Code == api.OpClose && op.Flags&api.FixedFile == 0 {
			op.Code, op.Flags = api.OpCancel, op.Flags|api.ByFD
		}
	}),
	complete: each(func(m *mutant, c *api.Completion) {
		if op := m.seen[c.ID]; op.Code == api.OpClose && c.Code == api.OpCancel {
			c.Code, c.Res = api.OpClose, min(c.Res, 0)
			_ = unix.Close(int(op.FD)) // EBADF is what the cancel says, too
		}
	}),
}

// byNumber is a table of registered files that has only their numbers.
var byNumber = mutant{submit: changed(func(m *mutant, op *api.Op) {
	if op.Flags.Has(api.FixedFile) && op.Code != api.OpMsgRing {
		fd, ok := m.num()[int(op.FD)]
		if !ok {
			fd = -1
		}
		op.FD, op.Flags = int32(fd), op.Flags&^api.FixedFile
	}
}), files: func(m *mutant, fds []int) error {
	for i, fd := range fds {
		m.num()[i] = fd
	}
	return m.Engine.RegisterFiles(fds)
}}

// onlyOne makes a call hook of a method that fails while another goroutine is in it.
func onlyOne() func(do func() error) error {
	inside := new(atomic.Int64)
	return func(do func() error) error {
		defer inside.Add(-1)
		if inside.Add(1) > 1 {
			return syscall.EBUSY
		}
		return do()
	}
}

// rightsLeft gives messages without room for control data some, and leaves the fds open that come in it.
var rightsLeft = mutant{
	submit: func(m *mutant, ops []api.Op) (int, error) {
		n, err := changed(func(_ *mutant, op *api.Op) {
			if op.Code == api.OpRecvMsg && op.Msg != nil && op.Msg.Control == nil {
				in := *op.Msg
				in.Control = make([]byte, 64)
				op.Msg = &in
				m.kept = in.Control
			}
		})(m, ops)
		return n, err
	},
	complete: ofCode(api.OpRecvMsg, func(m *mutant, c *api.Completion) {
		all, _ := unix.ParseSocketControlMessage(m.kept) // there may be none
		for i := range all {
			fds, _ := unix.ParseUnixRights(&all[i])
			for _, fd := range fds {
				leaveOpen(fd)
			}
		}
		m.kept = nil
	}),
}

// twoTries tries what could not access its memory once more, which takes the next message.
var twoTries = mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
	if op := m.seen[c.ID]; c.Res == -int32(syscall.EFAULT) {
		_, _, _ = unix.Recvfrom(int(op.FD), make([]byte, 1), unix.MSG_DONTWAIT) // that is the fault
	}
})}

// notMoreThan loses the completions of a kind of which more than limit come at once.
func notMoreThan(limit int, which func(c *api.Completion) bool) func(*mutant, []api.Completion, int) int {
	return func(_ *mutant, dst []api.Completion, n int) int {
		for i, of := 0, 0; i < n; i++ {
			if which(&dst[i]) {
				if of++; of > limit {
					n = drop(dst, n, i)
					i--
				}
			}
		}
		return n
	}
}

// oneArgs has one Args for all operations of a code.
func oneArgs(code api.OpCode) func(*mutant, []api.Op) (int, error) {
	shared := new(api.Args)
	return onlyFor(code, func(op *api.Op) {
		*shared = *op.Args
		op.Args = shared
	})
}

var lostMutants = []fault{
	{"bytes lost in a race with a cancel", "CAN-9", raced(api.OpRecv, nil)},
	{"connection lost in a race with a cancel", "ACC-6", raced(api.OpAccept, func(c *api.Completion) { _ = unix.Close(int(c.Res)) })},
	{"socket lost in a race with a cancel", "SOC-5", raced(api.OpSocket, func(c *api.Completion) { leaveOpen(int(c.Res)) })},
	{"file lost in a race with a cancel", "PTH-5", raced(api.OpOpenat, func(c *api.Completion) { leaveOpen(int(c.Res)) })},
	{"files nobody reaps stay open", "PTH-5", mutant{closing: unreaped}},
	{"sockets nobody reaps stay open", "SOC-5", mutant{closing: unreaped}},
	{"pipes nobody reaps stay open", "PIP-3", mutant{submit: noted(nil), closing: unreaped}},
	{"fds left open for want of room", "CTL-3", rightsLeft},
	{"MSG_CMSG_CLOEXEC shows", "RMM-6", mutant{submit: noted(nil), complete: ofCode(api.OpRecvMsg, func(m *mutant, c *api.Completion) {
		if in := m.seen[c.ID].Msg; in != nil && c.Res >= 0 {
			in.Flags |= unix.MSG_CMSG_CLOEXEC
		}
	})}},
	{"number of a registered file", "REG-3", byNumber},
	{"slot is not told", "REG-7", mutant{complete: ofCode(api.OpMsgRing, func(_ *mutant, c *api.Completion) {
		if c.ID == 0 {
			c.Res = 0
		}
	})}},
	{"one InstallFile at a time", "REG-8", mutant{method: "InstallFile", call: onlyOne()}},
	{"number is free when Close is reaped", "CLO-6", closesWhenReaped},
	{"readiness of the file before", "CLO-6", stale},
	{"new socket is not waited for", "SOC-4", mutant{
		submit: changed(func(m *mutant, op *api.Op) {
			if op.Code == api.OpRecv && m.num()[int(op.FD)] > 0 {
				op.Flags |= api.DontWait
			}
		}),
		complete: ofCode(api.OpSocket, func(m *mutant, c *api.Completion) { m.num()[int(c.Res)] = 1 }),
	}},
	{"keeps a duplicate of each file", "CLO-7", keepsDuplicates},
	{"Close shuts down", "CLO-9", mutant{submit: onlyFor(api.OpClose, func(op *api.Op) { _ = unix.Shutdown(int(op.FD), unix.SHUT_RDWR) })}},
	{"a receive goes on behind Close", "ENG-10", mutant{submit: noted(nil), closing: leaveBehind}},
	{"a registered buffer goes on behind Close", "FIX-9", mutant{submit: noted(nil), closing: leaveBehind}},
	{"a second try takes a message", "FIX-12", twoTries},
	{"futex waits go on behind Close", "FTX-9", mutant{closing: notClosed}},
	{"words kept for ever", "FTX-10", mutant{submit: noted(nil)}},
	{"poll takes a byte", "POL-6", mutant{submit: noted(nil), complete: ofCode(api.OpPoll, func(m *mutant, c *api.Completion) {
		if c.Res > 0 {
			_, _, _ = unix.Recvfrom(int(m.seen[c.ID].FD), make([]byte, 1), unix.MSG_DONTWAIT) // that is the fault
		}
	})}},
	{"one Args for all", "PTH-10", mutant{submit: oneArgs(api.OpMkdirat)}},
	{"only sixteen at once", "MSH-7", mutant{complete: notMoreThan(16, (*api.Completion).More)}},
	{"bytes of a WaitAll forgotten", "STR-7", mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
		if op := m.seen[c.ID]; op.Flags.Has(api.WaitAll) && c.Res > 0 && int(c.Res) < len(op.Buf) {
			c.Res = 0
		}
	})}},
	{"half of a record", "SEQ-3", mutant{submit: noted(func(op *api.Op) {
		if op.Code == api.OpSend && len(op.Buf) == 4 {
			op.Buf = op.Buf[:2]
		}
	}), complete: ofCode(api.OpSend, func(m *mutant, c *api.Completion) {
		if c.Res == 2 {
			c.Res = int32(len(m.seen[c.ID].Buf))
		}
	})}},
	ofCodes("SHU-6", api.OpSend, "that does not happen"),
	{"MSG_MORE not looked at", "FLG-4", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpSend || op.Code == api.OpSendMsg {
			op.Arg &^= unix.MSG_MORE
		}
	})}},
	{"O_APPEND taken away", "FIL-7", mutant{submit: onlyFor(api.OpWrite, func(op *api.Op) {
		if flags, err := unix.FcntlInt(uintptr(op.FD), unix.F_GETFL, 0); err == nil {
			_, _ = unix.FcntlInt(uintptr(op.FD), unix.F_SETFL, flags&^unix.O_APPEND) // that is the fault
		}
	})}},
	{"record cut to a byte", "RDM-7", mutant{complete: ofCode(api.OpReadMultishot, func(_ *mutant, c *api.Completion) {
		if len(c.Buf) > 1 {
			c.Buf, c.Res = c.Buf[:1], 1
		}
	})}},
	{"vectors used up", "VEC-7", mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
		if in := m.seen[c.ID].Msg; in != nil && c.Res > 0 {
			in.Bufs = in.Bufs[1:]
		}
	})}},
	{"message delivered to nobody", "MSG-2", notDone(api.OpMsgRing)},
	{"nobody knows the sender", "CTL-4", mutant{submit: noted(nil), complete: ofCode(api.OpRecvMsg, func(m *mutant, c *api.Completion) {
		if in := m.seen[c.ID].Msg; c.Res > 0 && in != nil && in.ControlLen > 16 {
			in.Control[16] ^= 1
		}
	})}},
	made("CTL-8", fieldMutants(), "Msg.ControlLen not set"),
}

// TestLostMutants is TestMutants for what engines lose.
func TestLostMutants(t *testing.T) {
	defer closeLeft(t)
	testMutants(t, slices.Clone(lostMutants))
}
