package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// mistold are engines that do all that they should, and tell an error, or its lack, as another.
var mistold = []struct {
	rule    string
	code    api.OpCode // OpNop: of all operations
	was, is syscall.Errno
}{
	{"ACC-5", api.OpAccept, api.ECanceled, unix.EINTR},
	{"ACC-7", api.OpAccept, unix.EINVAL, unix.EBADF},
	{"ACC-8", api.OpAccept, unix.EINVAL, api.ECanceled},
	{"ACC-9", api.OpAccept, unix.EMFILE, unix.ENFILE},
	{"ACC-10", api.OpAccept, unix.EAGAIN, api.ECanceled},
	{"BUF-3", api.OpRecv, unix.ENOBUFS, unix.EAGAIN},
	{"CAN-1", api.OpCancel, 0, unix.EALREADY},
	{"CAN-2", api.OpCancel, unix.ENOENT, 0},
	{"CAN-4", api.OpCancel, 0, unix.ENOENT},
	{"CAN-6", api.OpCancel, unix.ENOENT, 0},
	{"CAN-8", api.OpNop, api.ECanceled, unix.EINTR},
	{"CAN-13", api.OpCancel, 0, unix.ENOENT},
	{"CAN-14", api.OpCancel, unix.EBADF, unix.ENOENT},
	{"CHD-6", api.OpWaitid, unix.ECHILD, unix.ESRCH},
	{"CHD-7", api.OpWaitid, unix.EBADF, unix.EINVAL},
	{"CHD-8", api.OpWaitid, api.ECanceled, unix.EINTR},
	{"CLO-2", api.OpRecv, api.ECanceled, unix.EBADF},
	{"CLO-4", api.OpNop, unix.EBADF, api.ECanceled},
	{"CLO-5", api.OpClose, unix.EBADF, 0},
	{"CON-2", api.OpConnect, unix.ECONNREFUSED, unix.EHOSTUNREACH},
	{"CON-3", api.OpConnect, unix.EISCONN, 0},
	{"CON-5", api.OpConnect, api.ECanceled, unix.EINPROGRESS},
	{"CON-7", api.OpConnect, unix.ENOTSOCK, unix.EBADF},
	{"CON-9", api.OpConnect, unix.EPROTOTYPE, unix.ECONNREFUSED},
	{"CON-10", api.OpConnect, unix.EALREADY, unix.EINPROGRESS},
	{"CTL-9", api.OpSendMsg, unix.EBADF, unix.EINVAL},
	{"DEV-2", api.OpWrite, unix.EPIPE, unix.EIO},
	{"DEV-6", api.OpWrite, unix.EINVAL, 0},
	{"DEV-8", api.OpRead, unix.EINVAL, unix.EAGAIN},
	{"DEV-9", api.OpNop, unix.EBADF, unix.EINVAL},
	{"DEV-10", api.OpWrite, unix.ENOSPC, unix.EIO},
	{"DGM-4", api.OpNop, unix.ECONNREFUSED, 0},
	{"DGM-7", api.OpSend, unix.EDESTADDRREQ, unix.ENOTCONN},
	{"DGM-8", api.OpSend, unix.EMSGSIZE, unix.ENOBUFS},
	{"DRN-12", api.OpNop, unix.EBADF, api.ECanceled},
	{"ERR-1", api.OpNop, unix.EBADF, unix.EINVAL},
	{"ERR-2", api.OpNop, unix.EFAULT, unix.EINVAL},
	{"ERR-3", api.OpNop, unix.ENOTSOCK, unix.EBADF},
	{"ERR-4", api.OpRecv, unix.ENOTCONN, unix.EPIPE},
	{"ERR-6", api.OpNop, unix.EINVAL, unix.EFAULT},
	{"FIL-3", api.OpRead, unix.EINVAL, 0},
	{"FIL-6", api.OpRead, unix.EISDIR, unix.EINVAL},
	{"FIL-9", api.OpFsync, unix.EINVAL, 0},
	{"FIL-14", api.OpFtruncate, unix.EINVAL, 0},
	{"FIL-15", api.OpFtruncate, unix.EFBIG, unix.EINVAL},
	{"FIL-16", api.OpFadvise, unix.ESPIPE, 0},
	{"FTX-7", api.OpFutexWait, unix.EINVAL, unix.EFAULT},
	{"MSG-6", api.OpMsgRing, unix.EBADF, 0},
	{"MSG-11", api.OpMsgRing, unix.EFAULT, unix.EINVAL},
	{"MSH-3", api.OpRecv, unix.ECONNRESET, 0},
	{"MSH-4", api.OpRecv, unix.ENOBUFS, unix.EAGAIN},
	{"MSH-5", api.OpRecv, api.ECanceled, unix.EINTR},
	{"PIP-2", api.OpPipe, unix.EMFILE, unix.ENFILE},
	{"POL-8", api.OpPoll, api.ECanceled, unix.EINTR},
	{"POL-10", api.OpPollRemove, 0, unix.ENOENT},
	{"POL-11", api.OpPollRemove, unix.ENOENT, 0},
	{"POL-15", api.OpPoll, unix.EINVAL, unix.EFAULT},
	{"POL-18", api.OpPoll, unix.EINVAL, api.ECanceled},
	{"POL-19", api.OpPoll, unix.EBADF, unix.ENOENT},
	{"PTH-3", api.OpOpenat, unix.ENXIO, unix.ENOENT},
	{"PTH-4", api.OpOpenat, unix.EMFILE, unix.ENFILE},
	{"PTH-6", api.OpMkdirat, unix.EEXIST, 0},
	{"PTH-7", api.OpNop, unix.ENOTDIR, unix.EBADF},
	{"PTH-8", api.OpNop, unix.ENAMETOOLONG, unix.ENOENT},
	{"PTH-9", api.OpNop, unix.EFAULT, unix.EINVAL},
	{"PTH-11", api.OpOpenat2, unix.EINVAL, unix.ENOENT},
	{"PTH-12", api.OpOpenat, unix.EAGAIN, unix.ETXTBSY},
	{"SEQ-4", api.OpNop, unix.EPIPE, unix.ECONNRESET},
	{"SHU-1", api.OpSend, unix.EPIPE, unix.ENOTCONN},
	{"SOC-3", api.OpSocket, unix.EAFNOSUPPORT, unix.EINVAL},
	{"SOC-8", api.OpBind, unix.EADDRINUSE, 0},
	{"SOC-10", api.OpListen, unix.EOPNOTSUPP, unix.EINVAL},
	{"SOC-13", api.OpUringCmd, unix.ENOPROTOOPT, unix.EOPNOTSUPP},
	{"SPL-5", api.OpSplice, unix.EAGAIN, 0},
	{"SPL-6", api.OpSplice, api.ECanceled, unix.EINTR},
	{"SPL-8", api.OpSplice, unix.EPIPE, 0},
	{"SPL-10", api.OpSplice, unix.EINVAL, 0},
	{"SPL-11", api.OpNop, unix.ESPIPE, unix.EINVAL},
	{"STR-5", api.OpNop, unix.EAGAIN, api.ECanceled},
	{"STR-11", api.OpNop, unix.EPIPE, unix.ECONNRESET},
	{"STR-18", api.OpRecv, unix.EINVAL, 0},
	{"SUB-9", api.OpNop, unix.EINVAL, 0},
	{"TMO-4", api.OpTimeout, unix.EINVAL, api.ETime},
	{"TMO-14", api.OpNop, api.ETime, api.ECanceled},
	{"TMO-15", api.OpNop, api.ETime, api.ECanceled},
	{"TMO-22", api.OpTimeout, unix.EINVAL, api.ETime},
	{"TMO-23", api.OpTimeout, api.ETime, api.ECanceled},
	{"TMO-24", api.OpTimeoutRemove, 0, unix.EALREADY},
	{"TMO-28", api.OpTimeoutRemove, unix.EINVAL, 0},
	{"VEC-3", api.OpNop, unix.EMSGSIZE, unix.EINVAL},
	{"WRK-4", api.OpCancel, 0, unix.EALREADY},
}

func mistoldMutants() (all []fault) {
	for _, w := range mistold {
		all = append(all, fault{fmt.Sprintf("%s told as %s", errName(w.was), errName(w.is)), w.rule, mutant{complete: each(func(_ *mutant, c *api.Completion) {
			if (w.code == api.OpNop || c.Code == w.code) && c.Res == -int32(w.was) {
				c.Res = -int32(w.is)
			}
		})}})
	}
	return all
}

func errName(e syscall.Errno) string {
	if e == 0 {
		return "success"
	}
	return unix.ErrnoName(e)
}

// made is one of the mutants that are made, aimed at a rule.
func made(rule string, from []fault, name string) fault {
	i := slices.IndexFunc(from, func(f fault) bool { return f.name == name })
	if i < 0 {
		panic("no mutant is called " + name)
	}
	return fault{name, rule, from[i].m}
}

func ofCodes(rule string, code api.OpCode, what string) fault {
	return made(rule, codeMutants(code), code.String()+" "+what)
}

// soiled changes the memory of what was cancelled, in the next Complete.
var soiled = mutant{submit: noted(nil), complete: func(m *mutant, dst []api.Completion, n int) int {
	if len(m.kept) > 0 {
		m.kept[0] ^= 1
		m.kept = nil
	}
	return each(func(m *mutant, c *api.Completion) {
		if c.Res == canceled {
			m.kept = m.seen[c.ID].Buf
		}
	})(m, dst, n)
}}

// early touches the memory of receives before there is anything.
var early = mutant{submit: changed(func(_ *mutant, op *api.Op) {
	if op.Code == api.OpRecv && len(op.Buf) > 0 {
		op.Buf[len(op.Buf)-1] ^= 1
	}
})}

// endChildren kills the children of this process, and takes them away.
func endChildren() {
	lists, _ := filepath.Glob("/proc/self/task/*/children") // the pattern is right
	for _, list := range lists {
		pids, _ := os.ReadFile(list) // of a thread that has ended meanwhile there are none
		for _, s := range strings.Fields(string(pids)) {
			if pid, err := strconv.Atoi(s); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL) // one that has ended is as good
				_, _ = unix.Wait4(pid, nil, 0, nil)
			}
		}
	}
}

// fromComplete has timeouts count from the Complete that performs them.
var fromComplete = mutant{submit: noted(nil), instead: func(m *mutant, _ []api.Completion, _ api.Wait) (bool, error) {
	for id, op := range m.seen {
		if op.Code == api.OpTimeout {
			_, _ = m.Engine.Submit([]api.Op{api.TimeoutUpdate(id, time.Duration(op.Off), 0)}) // that is the fault
		}
	}
	clear(m.seen)
	return false, nil
}, complete: func(_ *mutant, dst []api.Completion, n int) int {
	for i := 0; i < n; {
		if dst[i].Code == api.OpTimeoutRemove {
			n = drop(dst, n, i)
		} else {
			i++
		}
	}
	return n
}}

// bySlot is a cancel that does not look at the generation.
var bySlot = mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
	asked := slices.Clone(ops)
	for i := range asked {
		for id := range m.seen {
			if asked[i].Code == api.OpCancel && asked[i].Target.Slot() == id.Slot() && id.Generation() > asked[i].Target.Generation() {
				asked[i].Target = id
			}
		}
	}
	n, err := noted(nil)(m, asked)
	for i := range asked[:n] {
		ops[i].ID = asked[i].ID
	}
	return n, err
}}

var familyMutants = slices.Concat(mistoldMutants(), []fault{
	{"accept waits for nothing", "ACC-1", mutant{submit: onlyFor(api.OpAccept, func(op *api.Op) { op.Flags |= api.DontWait })}},
	{"new sockets block", "ACC-2", mutant{submit: onlyFor(api.OpAccept, func(op *api.Op) { op.Arg &^= unix.SOCK_NONBLOCK })}},
	made("ACC-3", fieldMutants(), "Msg.Addr not set"),
	{"the first connection is the last", "ACC-4", mutant{complete: ofCode(api.OpAccept, func(_ *mutant, c *api.Completion) { c.Flags &^= api.More })}},
	{"larger buffers", "BUF-2", mutant{options: func(o *api.BufferGroupOptions) { o.Size *= 2 }}},
	made("BUF-6", methodMutants(), "group's Close does nothing"),
	{"Close ends the children", "CHD-8", mutant{closing: func(m *mutant) error {
		endChildren() // that is the fault
		return m.Engine.Close()
	}}},
	{"deadline that has passed gives nothing", "CMP-6", mutant{instead: func(_ *mutant, _ []api.Completion, w api.Wait) (bool, error) {
		return w.Deadline != 0 && w.Deadline < api.Now(), nil
	}}},
	{"empty dst performs nothing", "CMP-8", mutant{instead: func(_ *mutant, dst []api.Completion, _ api.Wait) (bool, error) { return len(dst) == 0, nil }}},
	{"Min larger than dst refused", "CMP-10", mutant{instead: func(_ *mutant, dst []api.Completion, w api.Wait) (bool, error) {
		return w.Min > len(dst), &api.OptionError{Option: "Min", Reason: "is too large"}
	}}},
	{"one at a time", "CMP-5", made("", waitMutants(), "Complete has one for each call").m},
	{"timeout counts from Complete", "TMO-7", fromComplete},
	{"Submit of none fails", "SUB-1", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		if len(ops) == 0 {
			return 0, syscall.EINVAL
		}
		return m.Engine.Submit(ops)
	}}},
	{"any group", "BUF-7", mutant{options: func(o *api.BufferGroupOptions) { o.Count, o.Size = 0, 0 }}},
	{"buffers used once", "BUF-8", mutant{group: func(g api.BufferGroup) api.BufferGroup { return deaf{g} }}},
	{"lease handed out twice", "BUF-9", mutant{complete: each(func(m *mutant, c *api.Completion) {
		if c.Lease != 0 && m.last != 0 {
			c.Lease = m.last
		}
		m.last = c.Lease
	})}},
	{"contradictions taken", "BUF-10", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Flags.Has(api.BufferSelect) {
			op.Flags &^= api.WaitAll | api.DontWait
		}
	})}},
	{"cancel goes by the slot", "CAN-5", bySlot},
	{"cancel ends all", "CAN-7", mutant{submit: onlyFor(api.OpCancel, func(op *api.Op) { op.Target, op.Flags = 0, op.Flags|api.Any })}},
	{"memory touched behind a cancel", "CAN-11", soiled},
	{"CancelFD ends all", "CAN-15", mutant{submit: onlyFor(api.OpCancel, func(op *api.Op) { op.FD, op.Flags = 0, op.Flags&^api.ByFD|api.Any })}},
	{"WNOHANG waits", "CHD-4", mutant{submit: onlyFor(api.OpWaitid, func(op *api.Op) { op.Arg &^= unix.WNOHANG })}},
	{"stopped children are none", "CHD-3", mutant{submit: onlyFor(api.OpWaitid, func(op *api.Op) { op.Arg &^= unix.WSTOPPED | unix.WCONTINUED })}},
	ofCodes("CLO-1", api.OpClose, "that does not happen"),
	ofCodes("CLO-3", api.OpClose, "that does not happen"),
	ofCodes("CLO-8", api.OpClose, "that does not happen"),
	{"cancelled is EINTR", "CMP-3", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Res = becomes(canceled, -int32(syscall.EINTR))(c.Res) })}},
	{"what does not fit is lost", "CMP-9", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		if n == len(dst) && n > 1 {
			_, _ = m.Engine.Complete(make([]api.Completion, 1), api.Wait{}) // that is the fault
		}
		return n
	}}},
	{"negative Min taken", "CMP-11", mutant{wait: func(w api.Wait) api.Wait { w.Min = max(w.Min, 0); return w }}},
	{"strategy of a wait not looked at", "CMP-12", mutant{wait: func(w api.Wait) api.Wait { w.Strategy = api.Strategy{}; return w }}},
	{"nop says 1", "CMP-13", mutant{complete: told(api.OpNop, func(int32) int32 { return 1 })}},
	ofCodes("CON-1", api.OpConnect, "that does not happen"),
	ofCodes("CON-6", api.OpConnect, "that does not happen"),
	ofCodes("CON-11", api.OpConnect, "that does not happen"),
	made("CTL-2", fieldMutants(), "Msg.Flags not set"),
	made("CTL-5", fieldMutants(), "Msg.Control not looked at"),
	made("CTL-6", fieldMutants(), "Msg.Control not looked at"),
	made("CTL-7", fieldMutants(), "Msg.Control not looked at"),
	ofCodes("DEV-1", api.OpRead, "that moves other bytes"),
	ofCodes("DEV-4", api.OpRead, "with a result one too low"),
	ofCodes("DEV-11", api.OpRead, "that moves other bytes"),
	ofCodes("DGM-1", api.OpRecv, "with a result one too low"),
	ofCodes("DGM-2", api.OpRecv, "with a result one too low"),
	{"empty datagrams are not sent", "DGM-3", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Code == api.OpSend && len(op.Buf) == 0 {
			*op = api.Op{Tag: op.Tag}
		}
	}), complete: ofCode(api.OpNop, func(_ *mutant, c *api.Completion) { c.Code = api.OpSend })}},
	made("DGM-5", fieldMutants(), "Msg.Addr not set"),
	made("DGM-6", fieldMutants(), "Msg.Flags not set"),
	{"closed engine says EBADF", "ENG-2", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		n, err := m.Engine.Submit(ops)
		if err == api.ErrClosed {
			err = syscall.EBADF
		}
		return n, err
	}}},
	{"MaxInFlight not looked at", "ENG-6", mutant{opening: func(o *api.Options) { o.MaxInFlight = 0 }}},
	{"current position is 0", "FIL-2", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Off == api.CurrentPosition {
			op.Off = 0
		}
	})}},
	ofCodes("FIL-14", api.OpFtruncate, "that does not happen"),
	{"lengths of 32 bits", "FIL-17", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.Args != nil {
			a := *op.Args
			a.Len &= 1<<32 - 1
			op.Args = &a
		}
	})}},
	{"urgent bytes are none", "FLG-1", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Arg &^= unix.MSG_OOB })}},
	{"MSG_TRUNC not looked at", "FLG-3", mutant{submit: onlyFor(api.OpRecv, func(op *api.Op) { op.Arg &^= unix.MSG_TRUNC })}},
	{"MSG_ERRQUEUE not looked at", "FLG-5", mutant{submit: onlyFor(api.OpRecvMsg, func(op *api.Op) { op.Arg &^= unix.MSG_ERRQUEUE })}},
	{"woken with 1", "FTX-1", mutant{complete: told(api.OpFutexWait, becomes(0, 1))}},
	{"end of the stream has More", "MSH-2", mutant{complete: ofCode(api.OpRecv, func(_ *mutant, c *api.Completion) {
		if c.Res == 0 {
			c.Flags |= api.More
		}
	})}},
	{"unordered in order", "ORD-3", mutant{submit: without(api.Unordered)}},
	{"positions out of order", "ORD-2", mutant{submit: changed(func(_ *mutant, op *api.Op) { op.Flags |= api.Unordered })}},
	{"Entries bounds a batch", "OVF-1", mutant{submit: func(m *mutant, ops []api.Op) (int, error) { return m.Engine.Submit(ops[:min(len(ops), 4)]) }}},
	{"lost when there are many", "OVF-2", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int { return n - n/16 }}},
	{"pipe that blocks", "PIP-1", mutant{submit: onlyFor(api.OpPipe, func(op *api.Op) { op.Arg &^= unix.O_NONBLOCK })}},
	{"poll waits for nothing", "POL-1", notDone(api.OpPoll)},
	{"only what was asked for", "POL-3", mutant{complete: told(api.OpPoll, func(res int32) int32 {
		if res > 0 {
			res &^= api.PollErr | api.PollHup
		}
		return res
	})}},
	{"hang-up of a multishot left out", "POL-9", mutant{complete: told(api.OpPoll, func(res int32) int32 {
		if res > 0 {
			res &^= api.PollHup
		}
		return res
	})}},
	ofCodes("POL-12", api.OpPollRemove, "that does not happen"),
	{"tag stays", "POL-13", mutant{submit: without(api.UpdateTag)}},
	{"level is edge", "POL-16", mutant{submit: without(api.Level)}},
	ofCodes("PTH-6", api.OpUnlinkat, "that does not happen"),
	made("PTH-13", fieldMutants(), "Args.Stat not set"),
	ofCodes("PTH-14", api.OpSetxattr, "that does not happen"),
	ofCodes("SEQ-1", api.OpRecv, "with a result one too low"),
	made("SEQ-2", fieldMutants(), "Msg.Flags not set"),
	ofCodes("SHU-2", api.OpShutdown, "that does not happen"),
	ofCodes("SHU-3", api.OpShutdown, "that does not happen"),
	ofCodes("SHU-4", api.OpShutdown, "that does not happen"),
	{"sockets that block", "SOC-2", mutant{submit: onlyFor(api.OpSocket, func(op *api.Op) { op.Arg &^= unix.SOCK_NONBLOCK })}},
	ofCodes("SOC-6", api.OpListen, "that does not happen"),
	ofCodes("SOC-7", api.OpBind, "that does not happen"),
	{"value one too long", "SOC-12", mutant{complete: told(api.OpUringCmd, func(res int32) int32 { return res + min(max(res, 0), 1) })}},
	{"queue one too long", "SOC-14", mutant{complete: told(api.OpUringCmd, func(res int32) int32 { return res + min(max(res, 0), 1) })}},
	ofCodes("SPL-1", api.OpSplice, "that does not happen"),
	ofCodes("SPL-2", api.OpSplice, "without Off"),
	ofCodes("SPL-3", api.OpTee, "that does not happen"),
	ofCodes("SPL-4", api.OpSplice, "that never waits"),
	ofCodes("STR-1", api.OpRecv, "with a result one too low"),
	ofCodes("STR-2", api.OpRecv, "that never waits"),
	{"memory touched before there is data", "STR-1", early},
	{"WaitAll for all", "STR-3", mutant{submit: onlyFor(api.OpSend, func(op *api.Op) { op.Flags |= api.WaitAll })}},
	{"nothing is told as 1", "STR-9", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Res = becomes(0, 1)(c.Res) })}},
	{"flags of receives forgotten", "STR-14", mutant{submit: onlyFor(api.OpRecv, func(op *api.Op) { op.Arg = 0 })}},
	ofCodes("STR-15", api.OpRecv, "that moves other bytes"),
	{"index one too high", "SUB-3", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		n, err := m.Engine.Submit(ops)
		if bad, ok := err.(*api.InvalidOpError); ok {
			err = &api.InvalidOpError{Index: bad.Index + 1, Reason: bad.Reason}
		}
		return n, err
	}}},
	{"room for ever", "SUB-6", mutant{opening: func(o *api.Options) { o.MaxInFlight = 0 }}},
	{"instant in the past never comes", "TMO-5", mutant{submit: onlyFor(api.OpTimeout, func(op *api.Op) {
		if op.Flags.Has(api.Abs) {
			op.Off = int64(api.After(time.Hour))
		}
	})}},
	{"timeouts of a batch are one", "TMO-6", mutant{submit: onlyFor(api.OpTimeout, func(op *api.Op) { op.Off = 0 })}},
	{"bytes forgotten at the Deadline", "TMO-11", mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
		if m.seen[c.ID].Deadline != 0 && c.Res > 0 {
			c.Res = timedOut
		}
	})}},
	{"Deadline of the first alone", "TMO-12", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		return changed(func(m *mutant, op *api.Op) {
			if m.n++; m.n > 1 {
				op.Deadline = 0
			}
		})(m, ops)
	}}},
	{"ticks count as one", "TMO-20", mutant{complete: func(_ *mutant, dst []api.Completion, n int) int {
		for i := 0; i < n; i++ {
			if dst[i].Code == api.OpTimeout && dst[i].More() {
				n = drop(dst, n, i)
				i--
			}
		}
		return n
	}}},
	{"nothing moved is told as 1", "VEC-2", mutant{complete: each(func(_ *mutant, c *api.Completion) { c.Res = becomes(0, 1)(c.Res) })}},
	ofCodes("VEC-4", api.OpRecvMsg, "with a result one too low"),
	{"WaitAll of messages not looked at", "VEC-5", mutant{submit: without(api.WaitAll)}},
	made("VEC-6", fieldMutants(), "Msg.ControlLen not set"),
	{"Wakes are counted", "WAK-2", mutant{wait: func(w api.Wait) api.Wait {
		w.Min = 0
		return w
	}}},
	made("WAK-5", methodMutants(), "Wake hides its errors"),
	{"WorkQueue has no bound", "WRK-1", mutant{opening: func(o *api.Options) { o.WorkQueue = 0 }}},
	made("WRK-5", methodMutants(), "Stats.Blocking stays 0"),
})

// TestFamilyMutants is TestMutants for rules of the families that Linux has.
func TestFamilyMutants(t *testing.T) { testMutants(t, familyMutants) }
