package conformance_test

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// Engines that do not know a kind of file, address or flag, tell another error, or have another idea of what was asked for.

// fileType is the type of the file (S_IFREG and so on), 0 if there is none.
func fileType(fd int32) uint32 {
	var st unix.Stat_t
	if unix.Fstat(int(fd), &st) != nil {
		return 0
	}
	return st.Mode & unix.S_IFMT
}

// ofType makes a mutant that tells err in the place of success, of operations that what is true of on files of the type.
func ofType(typ uint32, err syscall.Errno, what func(op *api.Op) bool) mutant {
	return mutant{
		submit: changed(func(m *mutant, op *api.Op) {
			if op.FD >= 0 && op.Flags&api.FixedFile == 0 && what(op) && fileType(op.FD) == typ {
				m.num()[int(op.Tag)] = 1
			} else {
				delete(m.num(), int(op.Tag))
			}
		}),
		complete: each(func(m *mutant, c *api.Completion) {
			if c.Res >= 0 && m.num()[int(c.Tag)] > 0 && !c.Flags.Has(api.Buffer) {
				c.Res = -int32(err)
			}
		}),
	}
}

func isPoll(op *api.Op) bool { return op.Code == api.OpPoll }

// atOffset says of a read or write that it has a position.
func atOffset(op *api.Op) bool {
	return (op.Code == api.OpRead || op.Code == api.OpWrite) && op.Off != api.CurrentPosition
}

// nonblocking has the engine set O_NONBLOCK on what it works on.
func nonblocking(codes ...api.OpCode) mutant {
	return mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if slices.Contains(codes, op.Code) {
			_ = unix.SetNonblock(int(op.FD), true) // that is the fault
		}
	})}
}

// raises raises SIGPIPE where the operations with the codes tell EPIPE.
func raises(codes ...api.OpCode) mutant {
	return mutant{complete: each(func(_ *mutant, c *api.Completion) {
		if c.Res == -int32(syscall.EPIPE) && slices.Contains(codes, c.Code) {
			_ = unix.Kill(unix.Getpid(), unix.SIGPIPE) // that is the fault
		}
	})}
}

// address changes the address of peers.
func address(f func(ip netip.AddrPort) netip.AddrPort) mutant {
	return mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
		if in := m.seen[c.ID].Msg; in != nil && c.Res >= 0 && in.Addr.IP.IsValid() && (c.Code == api.OpAccept || c.Code == api.OpRecvMsg) {
			in.Addr.IP = f(in.Addr.IP)
		}
	})}
}

// toldTo makes a complete hook that tells success of operations, of which what is true, as err.
func toldTo(err syscall.Errno, what func(op *api.Op) bool) mutant {
	return mutant{submit: noted(nil), complete: each(func(m *mutant, c *api.Completion) {
		if op := m.seen[c.ID]; c.Res >= 0 && what(&op) {
			c.Res = -int32(err)
		}
	})}
}

// crowd makes of a mutant that tells err when more operations with the code are in flight than there should be.
func crowd(code api.OpCode, limit int, err syscall.Errno) mutant {
	return mutant{
		submit: counting(code),
		complete: ofCode(code, func(m *mutant, c *api.Completion) {
			if m.n--; m.n >= limit && c.Res >= 0 {
				c.Res = -int32(err)
			}
		}),
	}
}

// counting makes a submit hook that counts the operations with the code that are in flight; each has one completion.
func counting(code api.OpCode) func(*mutant, []api.Op) (int, error) {
	return func(m *mutant, ops []api.Op) (int, error) {
		n, err := m.Engine.Submit(ops)
		for _, op := range ops[:n] {
			if op.Code == code {
				m.n++
			}
		}
		return n, err
	}
}

// undeclares leaves a feature out that works.
func undeclares(f api.Feature) mutant {
	return mutant{features: func(have api.Features) api.Features {
		have.Native &^= f
		have.Emulated &^= f
		return have
	}}
}

// errorOf makes a call hook that tells another error where which is true of the right one.
func errorOf(is error, which func(error) bool) func(do func() error) error {
	return func(do func() error) error {
		if err := do(); err == nil || !which(err) {
			return err
		}
		return is
	}
}

const meaningless = 0x200 | 0x400 | 0x1000

var kindMutants = []fault{
	{"IPv4 stays IPv4", "ADR-1", address(func(ip netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(ip.Addr().Unmap(), ip.Port()) })},
	{"no zone", "ADR-2", address(func(ip netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(ip.Addr().WithZone(""), ip.Port()) })},
	{"SIGPIPE of a write", "DEV-3", raises(api.OpWrite, api.OpWritev)},
	{"SIGPIPE of a send", "STR-17", raises(api.OpSend, api.OpSendMsg)},
	{"terminal made non-blocking", "DEV-5", nonblocking(api.OpWrite)},
	{"sockets and pipes made non-blocking", "STR-12", nonblocking(api.OpRecv, api.OpRead, api.OpSend, api.OpWrite)},
	{"files of a splice made non-blocking", "SPL-9", nonblocking(api.OpSplice)},
	{"what is too short is nothing", "DEV-7", mutant{complete: told(api.OpRead, becomes(invalid, 0))}},
	{"eventfd not waited for", "FIL-11", made("", codeMutants(api.OpRead), "read that never waits").m},
	{"more than 32 in flight", "FIL-5", crowd(api.OpRead, 32, syscall.EAGAIN)},
	{"devices have no positions", "FIL-8", ofType(unix.S_IFCHR, syscall.ESPIPE, atOffset)},
	{"positions of a pipe", "FIL-12", ofType(unix.S_IFIFO, syscall.ESPIPE, atOffset)},
	{"positions of a buffer", "RDB-9", mutant{submit: onlyFor(api.OpRead, func(op *api.Op) {
		if op.Flags.Has(api.BufferSelect) && op.Off != api.CurrentPosition && fileType(op.FD) != unix.S_IFREG {
			op.FD = 1 << 20
		}
	})}},
	{"0 bytes are waited for", "FIL-13", mutant{submit: onlyFor(api.OpRead, func(op *api.Op) {
		if len(op.Buf) == 0 {
			op.Buf = make([]byte, 512)
		}
	})}},
	{"special files not waited for", "RDB-8", made("", codeMutants(api.OpRead), "read that never waits").m},
	{"empty record has More", "RDM-8", mutant{complete: ofCode(api.OpReadMultishot, func(_ *mutant, c *api.Completion) {
		if c.Res == 0 {
			c.Flags |= api.More
		}
	})}},
	{"empty datagram has More", "MSH-6", mutant{submit: noted(nil), complete: ofCode(api.OpRecv, func(m *mutant, c *api.Completion) {
		if c.Res == 0 && m.seen[c.ID].Flags.Has(api.Multishot) {
			c.Flags |= api.More
		}
	})}},
	{"no registered file beside a registered buffer", "FIX-8", mutant{submit: onlyFor(api.OpReadFixed, func(op *api.Op) {
		if op.Flags.Has(api.FixedFile) {
			op.FD = 1 << 20
		}
	})}},
	{"MemlockError told as ENOMEM", "FIX-11", mutant{method: "RegisterBuffers", call: errorOf(syscall.ENOMEM, func(err error) bool {
		var locked *api.MemlockError
		return errors.As(err, &locked)
	})}},
	{"flags without a meaning are EINVAL", "FLG-6", toldTo(syscall.EINVAL, func(op *api.Op) bool {
		return (op.Code == api.OpSend || op.Code == api.OpRecv) && op.Arg&meaningless != 0
	})},
	{"flags of open forgotten", "PTH-1", ofCodes("", api.OpOpenat, "without Arg").m},
	{"O_APPEND of open forgotten", "PTH-2", mutant{submit: onlyFor(api.OpOpenat, func(op *api.Op) { op.Arg &^= unix.O_APPEND })}},
	{"poll of a regular file is EPERM", "POL-4", ofType(unix.S_IFREG, syscall.EPERM, isPoll)},
	{"one poll of an fd", "POL-5", crowd(api.OpPoll, 1, syscall.EEXIST)},
	{"poll reports three times", "POL-7", mutant{complete: func(m *mutant, dst []api.Completion, n int) int {
		for i := 0; i < n; {
			if m.num()[int(dst[i].ID)]++; dst[i].Code == api.OpPoll && dst[i].More() && m.num()[int(dst[i].ID)] > 3 {
				n = drop(dst, n, i)
			} else {
				i++
			}
		}
		return n
	}}},
	{"update finds what is over", "POL-14", mutant{complete: told(api.OpPollRemove, becomes(notFound, 0))}},
	{"options of the ring not looked at", "RNG-1", mutant{opening: func(o *api.Options) { o.Ring = api.RingOptions{} }}},
	{"few workers do not do all", "RNG-2", crowd(api.OpFsync, 32, syscall.EAGAIN)},
	{"records have no listeners", "SEQ-5", toldTo(syscall.EOPNOTSUPP, func(op *api.Op) bool {
		if op.Code != api.OpListen {
			return false
		}
		typ, err := unix.GetsockoptInt(int(op.FD), unix.SOL_SOCKET, unix.SO_TYPE)
		return err == nil && typ == unix.SOCK_SEQPACKET
	})},
	{"datagram socket that is shut down is EAGAIN", "SHU-7", mutant{complete: told(api.OpRecv, becomes(0, -int32(syscall.EAGAIN)))}},
	{"EPIPE told as ECONNRESET", "SHU-9", mutant{complete: told(api.OpSend, becomes(-int32(syscall.EPIPE), -int32(syscall.ECONNRESET)))}},
	{"every socket is a stream", "SOC-1", mutant{submit: onlyFor(api.OpSocket, func(op *api.Op) { op.Arg = op.Arg&^0xf | unix.SOCK_STREAM })}},
	{"no backlog is EINVAL", "SOC-9", toldTo(syscall.EINVAL, func(op *api.Op) bool { return op.Code == api.OpListen && int32(op.Arg) <= 0 })},
	{"fds above 1023 are none", "STR-16", mutant{submit: changed(func(_ *mutant, op *api.Op) {
		if op.FD > 1023 {
			op.FD = -1
		}
	})}},
	{"UnsupportedError names another", "SUB-4", mutant{submit: func(m *mutant, ops []api.Op) (int, error) {
		n, err := m.Engine.Submit(ops)
		if u, ok := err.(*api.UnsupportedError); ok {
			err = &api.UnsupportedError{Op: u.Op + 1, Reason: u.Reason}
		}
		return n, err
	}}},
	{"zero Op is EINVAL", "SUB-8", toldTo(syscall.EINVAL, func(op *api.Op) bool { return op.Code == api.OpNop && op.Tag == 0 })},
	{"offset of a socket", "SUB-10", ofType(unix.S_IFSOCK, syscall.ESPIPE, func(op *api.Op) bool { return op.Code == api.OpRecv && op.Args != nil })},
	{"polled read of the block before", "RNG-6", made("", linuxMutants, "the block before").m},
	{"credentials stay for what follows", "RNG-7", mutant{submit: changed(func(m *mutant, op *api.Op) {
		if op.Personality != 0 {
			m.n = int(op.Personality)
		}
		op.Personality = api.Personality(m.n)
	})}},
	{"receives are refused beside work on files", "FIL-10", mutant{
		submit: counting(api.OpFsync),
		complete: each(func(m *mutant, c *api.Completion) {
			switch {
			case c.Code == api.OpFsync:
				m.n--
			case c.Code == api.OpRecv && m.n > 0:
				c.Res = -int32(syscall.EAGAIN)
			}
		}),
	}},
	{"works undeclared", "SUB-11", undeclares(api.FeatChains)},
	{"can be called undeclared", "ENG-12", undeclares(api.FeatPost)},
}

// TestKindMutants is TestMutants for kinds of files, and for what is told.
func TestKindMutants(t *testing.T) { testMutants(t, kindMutants) }
